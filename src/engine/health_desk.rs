//! The health desk: a task that owns the board of all carriers' health, and the handle through which everybody else tells it
//! what was seen and reads what follows.
//!
//! Nothing that a call does waits for it, with one exception: the trial call of a carrier that may be back asks whether it is
//! the one. Who plans a call reads the view, which is replaced after every change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use crate::carrier::CarrierId;
use crate::config::Steering;
use crate::health::{
    CarrierReport, Change, Class, HealthBoard, HealthView, Hint, LegKey, LegOutcome, OperatorSetting, Report, Snapshot,
    Witness,
};
use crate::routing::Fitness;
use crate::verdict::Progress;

use super::runner::now;

/// What may wait for the task. At 100 calls a second some 300 pieces of evidence come in a second, and each takes
/// microseconds: this is full only when the machine stands still.
const MAILBOX: usize = 8_192;
/// So many are taken at once, with one new view for all of them.
const BATCH: usize = 256;
/// Shares, trials and pauses change with time alone: the view is renewed as often.
const RENEW_EVERY: Duration = Duration::from_millis(200);
/// Changes that a listener may be behind before it misses some.
const CHANGES: usize = 1_024;

#[derive(Debug)]
enum Request {
    Started(CarrierId, LegKey),
    Heard(CarrierId, LegKey, Progress),
    Ended(CarrierId, LegKey, Box<LegOutcome>),
    Forgotten(CarrierId, LegKey),
    Trial {
        carrier: CarrierId,
        draw: u64,
        answer: oneshot::Sender<Hint>,
    },
    Report {
        carrier: CarrierId,
        witness: Witness,
        report: Report,
        asked_at: Instant,
    },
    SetOperator {
        carrier: CarrierId,
        setting: OperatorSetting,
        done: oneshot::Sender<()>,
    },
    Reset {
        carrier: CarrierId,
        by: String,
        why: String,
        done: oneshot::Sender<()>,
    },
    /// The carriers that there are, each with the operator's word on record.
    Carriers {
        carriers: Vec<(CarrierId, OperatorSetting)>,
        done: oneshot::Sender<()>,
    },
    Reports(oneshot::Sender<Vec<(CarrierId, CarrierReport)>>),
    CarrierReport(CarrierId, oneshot::Sender<Option<CarrierReport>>),
    Snapshot(oneshot::Sender<Snapshot>),
}

/// A handle on the task that owns the board.
#[derive(Clone, Debug)]
pub struct HealthDesk {
    mailbox: mpsc::Sender<Request>,
    view: Arc<ArcSwap<HealthView>>,
    changes: broadcast::Sender<(CarrierId, Change)>,
    next_leg: Arc<AtomicU64>,
    overflows: Arc<AtomicU64>,
}

impl HealthDesk {
    /// Starts the task; it ends when the last handle is gone.
    pub fn open(board: HealthBoard, steering: Steering) -> Self {
        let (mailbox, requests) = mpsc::channel(MAILBOX);
        let (changes, _) = broadcast::channel(CHANGES);
        let view = Arc::new(ArcSwap::default());
        let mut desk = Desk {
            board,
            steering,
            view: Arc::clone(&view),
            changes: changes.clone(),
        };
        desk.publish();
        tokio::spawn(desk.run(requests));
        Self {
            mailbox,
            view,
            changes,
            next_leg: Arc::default(),
            overflows: Arc::default(),
        }
    }

    /// What is known of all carriers, for whoever plans a call.
    pub fn view(&self) -> HealthView {
        HealthView::clone(&self.view.load())
    }

    /// What the plan of a call goes by.
    pub fn fitness(&self, call_id: &str) -> Fitness {
        Fitness::of_call(self.view(), call_id)
    }

    /// Everything about all carriers that something is known of, by carrier; for people and metrics. In contrast to the view
    /// it tells the true states even where calls do not follow them.
    pub async fn reports(&self) -> Vec<(CarrierId, CarrierReport)> {
        self.ask(Request::Reports).await.unwrap_or_default()
    }

    /// Everything about one carrier; `None` if nothing is known of it.
    pub async fn report_of(&self, carrier: &CarrierId) -> Option<CarrierReport> {
        self.ask(|answer| Request::CarrierReport(carrier.clone(), answer))
            .await
            .flatten()
    }

    /// What is to be kept over a restart; `None` when the task is gone.
    pub async fn snapshot(&self) -> Option<Snapshot> {
        self.ask(Request::Snapshot).await
    }

    /// The changes of state from now on. A listener that falls too far behind is told how many it missed.
    pub fn changes(&self) -> broadcast::Receiver<(CarrierId, Change)> {
        self.changes.subscribe()
    }

    /// What an operator wants of a carrier; when this returns, the next call follows it.
    pub async fn set_operator(&self, carrier: &CarrierId, setting: OperatorSetting) {
        let carrier = carrier.clone();
        let _task_is_gone = self.ask(|done| Request::SetOperator { carrier, setting, done }).await;
    }

    /// A person says that what is known of a carrier no longer holds; when this returns, the next call follows it.
    pub async fn reset(&self, carrier: &CarrierId, by: &str, why: &str) {
        let (carrier, by, why) = (carrier.clone(), by.to_owned(), why.to_owned());
        let _task_is_gone = self.ask(|done| Request::Reset { carrier, by, why, done }).await;
    }

    /// The carriers that there are, each with the operator's word on record; others are forgotten. When this returns, the next
    /// call follows it. A word that is newer than the one on record stays: the record was read before it was written.
    pub async fn set_carriers(&self, carriers: Vec<(CarrierId, OperatorSetting)>) {
        let _task_is_gone = self.ask(|done| Request::Carriers { carriers, done }).await;
    }

    /// A witness reports; `asked_at` is when it began to look.
    pub async fn report(&self, carrier: CarrierId, witness: Witness, report: Report, asked_at: Instant) {
        let report = Request::Report {
            carrier,
            witness,
            report,
            asked_at,
        };
        let _task_is_gone = self.mailbox.send(report).await;
    }

    /// Whether a carrier may take this call, right before its leg goes out. Waits only where the carrier may be back and one
    /// call at a time finds out.
    pub async fn may_take(&self, carrier: &CarrierId, draw: u64) -> Hint {
        let hint = self.view.load().class(carrier).hint(carrier, draw);
        if hint != Hint::Trial {
            return hint;
        }
        let carrier = carrier.clone();
        self.ask(|answer| Request::Trial { carrier, draw, answer })
            .await
            .unwrap_or(Hint::Take)
    }

    /// A leg goes out through a carrier.
    pub fn leg_started(&self, carrier: &CarrierId) -> WatchedLeg {
        let key = LegKey(self.next_leg.fetch_add(1, Ordering::Relaxed));
        let is_known = self.tell(Request::Started(carrier.clone(), key)).is_ok();
        WatchedLeg {
            desk: self.clone(),
            carrier: carrier.clone(),
            key,
            is_out: is_known,
            heard: Progress::None,
        }
    }

    /// Evidence that found the mailbox full and was dropped, or came late for it.
    pub fn overflows(&self) -> u64 {
        self.overflows.load(Ordering::Relaxed)
    }

    /// Hands evidence over without waiting; gives it back when there is no room.
    fn tell(&self, request: Request) -> Result<(), Request> {
        match self.mailbox.try_send(request) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Full(request)) => {
                self.overflows.fetch_add(1, Ordering::Relaxed);
                Err(request)
            }
            Err(mpsc::error::TrySendError::Closed(request)) => Err(request),
        }
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.mailbox.send(request(answer)).await.ok()?;
        answered.await.ok()
    }
}

/// A leg that is out: what is seen of it goes to the desk. A leg that is dropped without an outcome says nothing of its carrier.
#[derive(Debug)]
pub struct WatchedLeg {
    desk: HealthDesk,
    carrier: CarrierId,
    key: LegKey,
    /// The desk knows of it and has not been told of its end.
    is_out: bool,
    heard: Progress,
}

impl WatchedLeg {
    /// The carrier sent something about it.
    pub fn heard(&mut self, progress: Progress) {
        if self.is_out && progress > self.heard {
            self.heard = progress;
            let heard = Request::Heard(self.carrier.clone(), self.key, progress);
            let _is_counted = self.desk.tell(heard);
        }
    }

    /// It is over, and this is what that says of its carrier.
    pub fn ended(mut self, outcome: LegOutcome) {
        self.end(|carrier, key| Request::Ended(carrier, key, Box::new(outcome)));
    }

    /// The desk must learn of every end, else the leg would count as silent for ever; who finds the mailbox full does not
    /// wait for it all the same.
    fn end(&mut self, request: impl FnOnce(CarrierId, LegKey) -> Request) {
        if !std::mem::take(&mut self.is_out) {
            return;
        }
        if let Err(request) = self.desk.tell(request(self.carrier.clone(), self.key))
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let mailbox = self.desk.mailbox.clone();
            runtime.spawn(async move { mailbox.send(request).await });
        }
    }
}

impl Drop for WatchedLeg {
    fn drop(&mut self) {
        self.end(Request::Forgotten);
    }
}

/// The task's own side.
struct Desk {
    board: HealthBoard,
    steering: Steering,
    view: Arc<ArcSwap<HealthView>>,
    changes: broadcast::Sender<(CarrierId, Change)>,
}

impl Desk {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut renew = tokio::time::interval(RENEW_EVERY);
        renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                taken = requests.recv_many(&mut batch, BATCH) => if taken == 0 { return },
                _ = renew.tick() => {}
            }
            let done: Vec<_> = batch.drain(..).filter_map(|request| self.serve(request)).collect();
            self.publish();
            for done in done {
                let _asker_is_gone = done.send(());
            }
        }
    }

    /// Returns who waits until the view shows what was done.
    fn serve(&mut self, request: Request) -> Option<oneshot::Sender<()>> {
        let (board, now) = (&mut self.board, now());
        match request {
            Request::Started(carrier, key) => board.leg_started(&carrier, key, now),
            Request::Heard(carrier, key, progress) => board.leg_heard(&carrier, key, progress, now),
            Request::Ended(carrier, key, outcome) => board.leg_ended(&carrier, key, &outcome, now),
            Request::Forgotten(carrier, key) => board.leg_forgotten(&carrier, key, now),
            Request::Trial { carrier, draw, answer } => {
                let _asker_is_gone = answer.send(board.may_take(&carrier, now, draw));
            }
            Request::Report {
                carrier,
                witness,
                report,
                asked_at,
            } => board.report(&carrier, witness, report, asked_at, now),
            Request::SetOperator { carrier, setting, done } => {
                board.set_operator(&carrier, setting, now);
                return Some(done);
            }
            Request::Reset { carrier, by, why, done } => {
                board.reset(&carrier, &by, &why, now);
                return Some(done);
            }
            Request::Carriers { carriers, done } => {
                board.retain(|known| carriers.iter().any(|(carrier, _)| carrier == known));
                for (carrier, on_record) in carriers {
                    let held = board.carrier_report(&carrier, now).map(|report| report.operator);
                    let is_newer = held
                        .as_ref()
                        .is_none_or(|held| on_record.since_ms >= held.since_ms && on_record != *held);
                    if is_newer {
                        board.set_operator(&carrier, on_record, now);
                    }
                }
                return Some(done);
            }
            Request::Reports(answer) => {
                let carriers: Vec<CarrierId> = board.view(now).classes().map(|(carrier, _)| carrier.clone()).collect();
                let mut reports: Vec<_> = carriers
                    .into_iter()
                    .filter_map(|carrier| Some((carrier.clone(), board.carrier_report(&carrier, now)?)))
                    .collect();
                reports.sort_by(|(left, _), (right, _)| left.cmp(right));
                let _asker_is_gone = answer.send(reports);
            }
            Request::CarrierReport(carrier, answer) => {
                let _asker_is_gone = answer.send(board.carrier_report(&carrier, now));
            }
            Request::Snapshot(answer) => {
                let _asker_is_gone = answer.send(board.snapshot(now));
            }
        }
        None
    }

    fn publish(&mut self) {
        let view = self.board.view(now());
        let view = match self.steering {
            Steering::Acts => view,
            Steering::Watches => view
                .classes()
                .map(|(carrier, class)| (carrier.clone(), as_if_well(class)))
                .collect(),
        };
        self.view.store(Arc::new(view));
        for change in self.board.take_changes() {
            let _nobody_listens = self.changes.send(change);
        }
    }
}

/// What calls go by where they do not follow the states.
fn as_if_well(class: &Class) -> Class {
    Class {
        operator: class.operator,
        ..Class::default()
    }
}

#[cfg(test)]
mod tests;
