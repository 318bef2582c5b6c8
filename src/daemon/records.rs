//! Attempts on their way into the spool.

use tokio::sync::oneshot;

use crate::engine::{AttemptLog, AttemptRecord};
use crate::spool::Spool;
use crate::store::AttemptRow;
use crate::verdict::{Action, Authority, DialStatus, Health, Progress};

use super::figures::CarrierFigures;

/// Stands for the verdict of an attempt that is still out.
const OPEN: &str = "open";

/// Why an answered attempt is the last, and the rule that says so.
const ANSWERED: &str = "answered";

/// The rule of every attempt that is a test call: by it they are told from the calls of dialers.
const TEST_CALL: &str = "test_call";

/// The way of this daemon's attempts into the spool.
#[derive(Debug)]
pub(super) struct Records {
    spool: Spool,
    /// The dialer that they are of.
    server_ip: String,
    figures: CarrierFigures,
}

impl Records {
    pub(super) const fn new(spool: Spool, server_ip: String, figures: CarrierFigures) -> Self {
        Self {
            spool,
            server_ip,
            figures,
        }
    }
}

impl AttemptLog for Records {
    fn keep(&self, record: AttemptRecord) -> oneshot::Receiver<()> {
        if !record.is_test {
            self.figures.count(&record.attempt);
        }
        self.spool.keep(row_of(record, &self.server_ip))
    }
}

/// The row of an attempt that turns out to be answered.
pub(super) fn answered(row: AttemptRow) -> AttemptRow {
    AttemptRow {
        progress: Progress::Answered.as_str().to_owned(),
        verdict: Action::Stop.as_str().to_owned(),
        why: ANSWERED.to_owned(),
        rule: Some(ANSWERED.to_owned()),
        dialstatus: DialStatus::Answer.as_str().to_owned(),
        ..row
    }
}

/// The row of an attempt that is a test call. Nothing follows from how it ended: no next carrier, no sign of sickness.
fn of_a_test(row: AttemptRow) -> AttemptRow {
    let why = match row.why.as_str() {
        "" => "test call".to_owned(),
        why => format!("test call: {why}"),
    };
    let is_over = row.ended_ms.is_some();
    AttemptRow {
        verdict: if is_over { Action::Stop.as_str() } else { OPEN }.to_owned(),
        why,
        rule: Some(TEST_CALL.to_owned()),
        authority: is_over.then(|| Authority::Above.as_str().to_owned()),
        health: is_over.then(|| Health::None.as_str().to_owned()),
        ..row
    }
}

fn row_of(record: AttemptRecord, server_ip: &str) -> AttemptRow {
    let AttemptRecord {
        call,
        attempt,
        channel_id,
        is_test,
    } = record;
    let end = attempt.end.as_ref();
    let judged = end.map(|end| &end.verdict);
    let (verdict, why, rule, dialstatus) = match (judged, attempt.answered_after_ms) {
        (Some(verdict), _) => (
            verdict.action.as_str(),
            &*verdict.why,
            Some(&*verdict.rule),
            verdict.dialer.dialstatus.as_str(),
        ),
        (None, Some(_)) => (
            Action::Stop.as_str(),
            ANSWERED,
            Some(ANSWERED),
            DialStatus::Answer.as_str(),
        ),
        (None, None) => (OPEN, "", None, ""),
    };
    let row = AttemptRow {
        server_ip: server_ip.to_owned(),
        call_id: call.call_id,
        n: attempt.n,
        number: attempt.wire_number,
        carrier_id: attempt.carrier.to_string(),
        entry_carrier: call.entry.to_string(),
        campaign: call.campaign,
        started_ms: attempt.started_ms,
        progress: attempt.progress.as_str().to_owned(),
        progress_ms: attempt.pdd_ms.map(|pdd_ms| attempt.started_ms + pdd_ms),
        ended_ms: end.map(|end| end.at_ms),
        sip_code: attempt.reply.as_ref().map(|reply| reply.code),
        sip_phrase: attempt.reply.as_ref().map(|reply| reply.phrase.clone()),
        q850_cause: end.and_then(|end| end.evidence.q850).map(u16::from),
        verdict: verdict.to_owned(),
        why: why.to_owned(),
        rule: rule.map(str::to_owned),
        dialstatus: dialstatus.to_owned(),
        channel_id: channel_id.unwrap_or_default(),
        sip_call_id: None,
        caller_channel: call.caller_channel,
        technology: Some(attempt.technology.to_string()),
        answered_ms: attempt.answered_after_ms.map(|after_ms| attempt.started_ms + after_ms),
        elapsed_ms: end.map(|end| i64::try_from(end.evidence.elapsed.as_millis()).unwrap_or(i64::MAX)),
        ended_by: end.map(|end| end.evidence.ended_by.as_str().to_owned()),
        source: end.map(|end| end.evidence.source.as_str().to_owned()),
        authority: judged.map(|verdict| verdict.authority.as_str().to_owned()),
        health: judged.map(|verdict| verdict.health.as_str().to_owned()),
    };
    if is_test { of_a_test(row) } else { row }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::Attempt;
    use crate::carrier::Technology;
    use crate::engine::CallIdentity;

    #[test]
    fn a_test_call_is_told_from_a_call() {
        let record = |is_test| AttemptRecord {
            call: CallIdentity {
                call_id: "1.1".into(),
                caller_channel: String::new(),
                call_code: String::new(),
                dialled: "100".into(),
                entry: "A".into(),
                campaign: None,
            },
            attempt: Attempt {
                n: 1,
                carrier: "A".into(),
                technology: Technology::Pjsip,
                wire_number: "100".into(),
                started_ms: 1_000,
                progress: Progress::None,
                pdd_ms: None,
                answered_after_ms: None,
                reply: None,
                end: None,
            },
            channel_id: None,
            is_test,
        };
        let told = |is_test| {
            let row = row_of(record(is_test), "192.0.2.1");
            (row.verdict, row.why, row.rule)
        };
        let open = OPEN.to_owned();
        assert_eq!(told(false), (open.clone(), String::new(), None));
        assert_eq!(told(true), (open, "test call".to_owned(), Some(TEST_CALL.to_owned())));
    }
}
