//! The live view: what every call is doing right now.
//!
//! Each call's task keeps its own state in a cell that it alone writes; writing never waits for anybody. One task owns the
//! list of cells. Whoever asks gets copies, so that a look at thousands of calls disturbs none of them.

use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use crate::call::{Command, Input, LegEvent, LegId};
use crate::carrier::CarrierId;

use super::port::CallIdentity;

/// Messages that may wait for the task that owns the list.
const MAILBOX: usize = 1_024;
/// Cells of calls that are over are cleared away when the list has grown to this size, then at each doubling.
const FIRST_SWEEP: usize = 64;

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LiveState {
    /// A leg is on its way, or the next one is about to be.
    Trying,
    /// The leg rings or sends media before its answer.
    Ringing,
    /// Caller and called party hear each other.
    Connected,
}

impl LiveState {
    /// One word, the same on the command line and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trying => "trying",
            Self::Ringing => "ringing",
            Self::Connected => "connected",
        }
    }
}

/// One call at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveCall {
    /// Which call.
    pub identity: Arc<CallIdentity>,
    /// When it came, milliseconds since 1970.
    pub began_ms: i64,
    /// The carrier of the latest leg; `None` before the first.
    pub carrier: Option<CarrierId>,
    /// The number of that leg, from 1; 0 before the first.
    pub attempt: u32,
    /// How far it is.
    pub state: LiveState,
}

type Cell = ArcSwap<LiveCall>;

enum Message {
    Begun(Weak<Cell>),
    List(oneshot::Sender<Vec<Arc<LiveCall>>>),
}

/// A handle on the task that owns the list of calls.
#[derive(Clone, Debug)]
pub struct LiveView {
    mailbox: mpsc::Sender<Message>,
}

impl LiveView {
    /// Starts the task; it ends when the last handle is gone and the last call is over.
    pub fn open() -> Self {
        let (mailbox, mut messages) = mpsc::channel(MAILBOX);
        tokio::spawn(async move {
            let mut cells = Cells::default();
            while let Some(message) = messages.recv().await {
                match message {
                    Message::Begun(cell) => cells.add(cell),
                    Message::List(answer) => {
                        let _asker_is_gone = answer.send(cells.read());
                    }
                }
            }
        });
        Self { mailbox }
    }

    /// A call begins to report.
    pub fn begin(&self, identity: CallIdentity, began_ms: i64) -> LiveReporter {
        self.report(LiveCall {
            identity: Arc::new(identity),
            began_ms,
            carrier: None,
            attempt: 0,
            state: LiveState::Trying,
        })
    }

    /// A call that another process began begins to report: its leg is there already.
    pub fn begin_resumed(
        &self,
        identity: CallIdentity,
        began_ms: i64,
        carrier: CarrierId,
        leg: LegId,
        state: LiveState,
    ) -> LiveReporter {
        self.report(LiveCall {
            identity: Arc::new(identity),
            began_ms,
            carrier: Some(carrier),
            attempt: leg.0,
            state,
        })
    }

    fn report(&self, call: LiveCall) -> LiveReporter {
        let cell = Arc::new(ArcSwap::from_pointee(call));
        let mut reporter = LiveReporter {
            unlisted: Some(Arc::downgrade(&cell)),
            cell: Some(cell),
            mailbox: self.mailbox.clone(),
        };
        reporter.enlist();
        reporter
    }

    /// All calls that are not over, in the order in which they came.
    pub async fn calls(&self) -> Vec<Arc<LiveCall>> {
        let (answer, calls) = oneshot::channel();
        if self.mailbox.send(Message::List(answer)).await.is_err() {
            return Vec::new();
        }
        calls.await.unwrap_or_default()
    }
}

/// The list of cells. A cell lives as long as its call; the list holds it weakly.
#[derive(Default)]
struct Cells {
    cells: Vec<Weak<Cell>>,
    sweep_at: usize,
}

impl Cells {
    fn add(&mut self, cell: Weak<Cell>) {
        if self.cells.len() >= self.sweep_at {
            self.cells.retain(|cell| cell.strong_count() > 0);
            self.sweep_at = (self.cells.len() * 2).max(FIRST_SWEEP);
        }
        self.cells.push(cell);
    }

    fn read(&self) -> Vec<Arc<LiveCall>> {
        let alive = self.cells.iter().filter_map(Weak::upgrade);
        alive.map(|cell| cell.load_full()).collect()
    }
}

/// A call's own end of the live view. Dropping it, or [`LiveReporter::over`], takes the call off the list.
#[derive(Debug)]
pub struct LiveReporter {
    cell: Option<Arc<Cell>>,
    /// Still to be put on the list: its mailbox was full.
    unlisted: Option<Weak<Cell>>,
    mailbox: mpsc::Sender<Message>,
}

impl LiveReporter {
    /// The call carries a command out.
    pub fn carries_out(&mut self, command: &Command) {
        if let Command::StartLeg(spec) = command {
            self.update(|call| {
                call.carrier = Some(spec.carrier.clone());
                call.attempt = spec.leg.0;
                call.state = LiveState::Trying;
            });
        }
    }

    /// Something happens to the call. What earlier legs still report changes nothing.
    pub fn sees(&mut self, input: &Input) {
        let Input::Leg(leg, event) = input else { return };
        let state = match event {
            LegEvent::Ringing(_) | LegEvent::Media(_) => LiveState::Ringing,
            LegEvent::Connected => LiveState::Connected,
            LegEvent::Started
            | LegEvent::Silent
            | LegEvent::Trying(_)
            | LegEvent::Answered(_)
            | LegEvent::Ended(_)
            | LegEvent::Taken => return,
        };
        let is_news = |cell: &Arc<Cell>| {
            let call = cell.load();
            call.attempt == leg.0 && call.state < state
        };
        if self.cell.as_ref().is_some_and(is_news) {
            self.update(|call| call.state = state);
        }
    }

    /// The call is over, though its task may still be tidying up.
    pub fn over(&mut self) {
        self.cell = None;
    }

    fn update(&mut self, change: impl FnOnce(&mut LiveCall)) {
        if let Some(cell) = &self.cell {
            let mut call = LiveCall::clone(&cell.load());
            change(&mut call);
            cell.store(Arc::new(call));
        }
        self.enlist();
    }

    /// Puts the call on the list without waiting; a full mailbox is tried again with the next change.
    fn enlist(&mut self) {
        if let Some(cell) = self.unlisted.take()
            && let Err(mpsc::error::TrySendError::Full(Message::Begun(cell))) =
                self.mailbox.try_send(Message::Begun(cell))
        {
            self.unlisted = Some(cell);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::call::LegSpec;
    use crate::carrier::Technology;

    use super::*;

    fn identity(call: &str) -> CallIdentity {
        CallIdentity {
            call_id: call.into(),
            caller_channel: "Local/913125550100@default-00000001;2".into(),
            call_code: "V1".into(),
            dialled: "913125550100".into(),
            entry: CarrierId::from("PRIMARY"),
            campaign: None,
        }
    }

    fn start(leg: u32, carrier: &str) -> Command {
        Command::StartLeg(LegSpec {
            leg: LegId(leg),
            carrier: CarrierId::from(carrier),
            technology: Technology::Pjsip,
            dial_string: String::new(),
            wire_number: String::new(),
            repair: None,
            backstop: Duration::ZERO,
        })
    }

    async fn only(view: &LiveView) -> (Option<String>, u32, LiveState) {
        let calls = view.calls().await;
        assert_eq!(calls.len(), 1, "{calls:?}");
        let call = &calls[0];
        (call.carrier.as_ref().map(ToString::to_string), call.attempt, call.state)
    }

    #[tokio::test]
    async fn shows_the_latest_leg_and_how_far_it_is() {
        let view = LiveView::open();
        let mut call = view.begin(identity("1.1"), 1_000);
        assert_eq!(only(&view).await, (None, 0, LiveState::Trying));
        call.carries_out(&start(1, "PRIMARY"));
        call.sees(&Input::Leg(LegId(1), LegEvent::Ringing(None)));
        let primary = || Some("PRIMARY".to_owned());
        assert_eq!(only(&view).await, (primary(), 1, LiveState::Ringing));
        call.carries_out(&start(2, "BACKUP"));
        call.sees(&Input::Leg(LegId(1), LegEvent::Media(None)));
        let backup = || Some("BACKUP".to_owned());
        assert_eq!(only(&view).await, (backup(), 2, LiveState::Trying));
        call.sees(&Input::Leg(LegId(2), LegEvent::Connected));
        call.sees(&Input::Leg(LegId(2), LegEvent::Media(None)));
        assert_eq!(only(&view).await, (backup(), 2, LiveState::Connected));
        call.over();
        assert!(view.calls().await.is_empty());
    }

    #[tokio::test]
    async fn a_call_of_another_process_is_shown_as_far_as_it_is() {
        let view = LiveView::open();
        let backup = || Some("BACKUP".to_owned());
        let (of, carrier) = (identity("1.1"), CarrierId::from("BACKUP"));
        let mut call = view.begin_resumed(of, 1_000, carrier, LegId(2), LiveState::Ringing);
        assert_eq!(only(&view).await, (backup(), 2, LiveState::Ringing));
        call.sees(&Input::Leg(LegId(2), LegEvent::Connected));
        assert_eq!(only(&view).await, (backup(), 2, LiveState::Connected));
        drop(call);
        assert!(view.calls().await.is_empty());
    }

    /// The test's runtime has one thread: between the calls below the owner of the list never runs.
    #[tokio::test]
    async fn reporting_never_waits_and_a_full_mailbox_loses_no_call_for_good() {
        let view = LiveView::open();
        let mut calls: Vec<_> = (0..MAILBOX + 500)
            .map(|number| view.begin(identity(&number.to_string()), 1_000))
            .collect();
        assert_eq!(view.calls().await.len(), MAILBOX);
        for call in &mut calls {
            call.carries_out(&start(1, "PRIMARY"));
        }
        let listed = view.calls().await;
        assert_eq!(listed.len(), MAILBOX + 500);
        assert!(listed.iter().all(|call| call.attempt == 1));
    }

    #[tokio::test]
    async fn calls_that_are_over_are_cleared_away_without_anybody_looking() {
        let view = LiveView::open();
        let mut cells = Cells::default();
        let long = view.begin(identity("long"), 1_000);
        cells.add(Arc::downgrade(long.cell.as_ref().expect("a cell")));
        for number in 0..10 * FIRST_SWEEP {
            let call = view.begin(identity(&number.to_string()), 1_000);
            cells.add(Arc::downgrade(call.cell.as_ref().expect("a cell")));
        }
        assert!(cells.cells.len() <= FIRST_SWEEP, "{} cells", cells.cells.len());
        assert_eq!(cells.read().len(), 1);
    }
}
