//! The figures of the carriers while the daemon runs: one task counts what goes on record.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::call::Attempt;
use crate::carrier::CarrierId;
use crate::health::{FigureBook, Figures, LegAnswer};

/// Records that may wait; one that finds no room is missing in the figures and nowhere else.
const MAILBOX: usize = 8_192;

#[derive(Debug)]
enum Request {
    Count(CarrierId, Event, Instant),
    Figures(oneshot::Sender<HashMap<CarrierId, Figures>>),
}

/// What a record of an attempt says that the one before it did not; or a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Started,
    Decided {
        is_answered: bool,
        pdd: Option<Duration>,
        answer: LegAnswer,
    },
    CallEnded {
        talked: Duration,
    },
    ProbeAnswered {
        round_trip: Duration,
    },
}

/// A handle on the task.
#[derive(Clone, Debug)]
pub(super) struct CarrierFigures {
    mailbox: mpsc::Sender<Request>,
}

impl CarrierFigures {
    /// Starts the task; it ends with the last handle.
    pub(super) fn open() -> Self {
        let (mailbox, mut requests) = mpsc::channel(MAILBOX);
        tokio::spawn(async move {
            let mut books: HashMap<CarrierId, FigureBook> = HashMap::new();
            while let Some(request) = requests.recv().await {
                match request {
                    Request::Count(carrier, event, at) => count(books.entry(carrier).or_default(), event, at),
                    Request::Figures(answer) => {
                        let now = Instant::now();
                        let figures = books.iter_mut();
                        let figures = figures.map(|(carrier, book)| (carrier.clone(), book.figures(now)));
                        let _asker_is_gone = answer.send(figures.collect());
                    }
                }
            }
        });
        Self { mailbox }
    }

    /// Counts an attempt as it goes on record; never waits.
    pub(super) fn count(&self, attempt: &Attempt) {
        self.tell(attempt.carrier.clone(), event(attempt));
    }

    /// A carrier answered a probe; never waits.
    pub(super) fn probe_answered(&self, carrier: &CarrierId, round_trip: Duration) {
        self.tell(carrier.clone(), Event::ProbeAnswered { round_trip });
    }

    fn tell(&self, carrier: CarrierId, event: Event) {
        let request = Request::Count(carrier, event, Instant::now());
        let _no_room_or_going_down = self.mailbox.try_send(request);
    }

    /// The figures of all carriers that had a call since the start.
    pub(super) async fn figures(&self) -> HashMap<CarrierId, Figures> {
        let (answer, figures) = oneshot::channel();
        if self.mailbox.send(Request::Figures(answer)).await.is_err() {
            return HashMap::new();
        }
        figures.await.unwrap_or_default()
    }
}

/// An attempt goes on record when it starts, when it is answered and when it is over.
fn event(attempt: &Attempt) -> Event {
    let milliseconds = |count: i64| Duration::from_millis(u64::try_from(count).unwrap_or(0));
    match (attempt.answered_after_ms, &attempt.end) {
        (None, None) => Event::Started,
        (Some(after_ms), Some(end)) => Event::CallEnded {
            talked: milliseconds(end.at_ms - attempt.started_ms - after_ms),
        },
        (answered_after_ms, end) => Event::Decided {
            is_answered: answered_after_ms.is_some(),
            pdd: attempt.pdd_ms.map(milliseconds),
            answer: match (&attempt.reply, end.as_ref().and_then(|end| end.evidence.q850)) {
                (Some(reply), _) => LegAnswer::Sip(reply.code),
                (None, Some(cause)) if cause > 0 => LegAnswer::Q850(cause),
                (None, Some(_) | None) => LegAnswer::Silence,
            },
        },
    }
}

fn count(book: &mut FigureBook, event: Event, at: Instant) {
    match event {
        Event::Started => book.leg_started(at),
        Event::Decided {
            is_answered,
            pdd,
            answer,
        } => book.leg_decided(is_answered, pdd, answer, at),
        Event::CallEnded { talked } => book.call_ended(talked, at),
        Event::ProbeAnswered { round_trip } => book.probe_answered(round_trip, at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::AttemptEnd;
    use crate::carrier::Technology;
    use crate::verdict::{
        CarrierPolicy, Circumstances, EndedBy, Evidence, Progress, Rulebook, SipReply, Source, judge,
    };

    fn attempt(answered_after_ms: Option<i64>, ended_ms: Option<i64>, code: Option<u16>) -> Attempt {
        let reply = code.map(|code| SipReply {
            code,
            phrase: String::new(),
        });
        Attempt {
            n: 1,
            carrier: "A".into(),
            technology: Technology::Pjsip,
            wire_number: String::new(),
            started_ms: 1_000,
            progress: Progress::Ringing,
            pdd_ms: Some(700),
            answered_after_ms,
            reply: reply.clone(),
            end: ended_ms.map(|at_ms| end(at_ms, reply)),
        }
    }

    fn end(at_ms: i64, sip: Option<SipReply>) -> AttemptEnd {
        let evidence = Evidence {
            sip,
            q850: Some(34),
            source: Source::Received,
            progress: Progress::Ringing,
            ended_by: EndedBy::Carrier,
            refused: false,
            elapsed: Duration::ZERO,
            technology: Technology::Pjsip,
            retry_after: None,
        };
        let circumstances = Circumstances {
            rules: Rulebook::built_in(),
            policy: &CarrierPolicy::default(),
            at_our_limit: false,
        };
        AttemptEnd {
            at_ms,
            verdict: judge(&evidence, &circumstances),
            evidence,
        }
    }

    #[tokio::test]
    async fn each_attempt_counts_once_however_often_it_goes_on_record() {
        let figures = CarrierFigures::open();
        figures.count(&attempt(None, None, None));
        figures.count(&attempt(Some(3_000), None, Some(200)));
        figures.count(&attempt(Some(3_000), Some(64_000), Some(200)));
        figures.count(&attempt(None, None, None));
        figures.count(&attempt(None, Some(5_000), None));
        let figures = figures.figures().await;
        let of_a = &figures[&CarrierId::from("A")];
        assert_eq!((of_a.legs, of_a.asr_percent, of_a.acd_s), (2, Some(50), Some(60)));
        assert_eq!(of_a.last_answers, [LegAnswer::Q850(34), LegAnswer::Sip(200)]);
    }
}
