//! Attempts on their way into the spool.

use tokio::sync::oneshot;

use crate::engine::{AttemptLog, AttemptRecord};
use crate::spool::Spool;
use crate::store::AttemptRow;
use crate::verdict::{Action, DialStatus};

use super::figures::CarrierFigures;

/// Stands for the verdict of an attempt that is still out.
const OPEN: &str = "open";

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
        self.figures.count(&record.attempt);
        self.spool.keep(row_of(record, &self.server_ip))
    }
}

fn row_of(record: AttemptRecord, server_ip: &str) -> AttemptRow {
    let AttemptRecord {
        call,
        attempt,
        channel_id,
    } = record;
    let (verdict, why, rule, dialstatus) = match (&attempt.verdict, attempt.answered_after_ms) {
        (Some(verdict), _) => (
            verdict.action.as_str(),
            &*verdict.why,
            Some(&*verdict.rule),
            verdict.dialer.dialstatus.as_str(),
        ),
        (None, Some(_)) => (
            Action::Stop.as_str(),
            "answered",
            Some("answered"),
            DialStatus::Answer.as_str(),
        ),
        (None, None) => (OPEN, "", None, ""),
    };
    AttemptRow {
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
        ended_ms: attempt.ended_ms,
        sip_code: attempt.reply.as_ref().map(|reply| reply.code),
        sip_phrase: attempt.reply.map(|reply| reply.phrase),
        q850_cause: attempt.q850.map(u16::from),
        verdict: verdict.to_owned(),
        why: why.to_owned(),
        rule: rule.map(str::to_owned),
        dialstatus: dialstatus.to_owned(),
        channel_id: channel_id.unwrap_or_default(),
        sip_call_id: None,
        caller_channel: call.caller_channel,
    }
}
