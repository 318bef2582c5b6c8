//! What a case came to: its checks, its ladder for people, its record for machines.

use std::fmt::{Display, Write as _};
use std::time::Instant;

use crankback::store::AttemptRow;
use serde_json::{Value, json};

use super::super::agi_listener::AgiRecord;
use super::super::roots::AsteriskVersion;
use super::super::sip::{CallRecord, Direction};

/// One case on one Asterisk with one engine.
#[derive(Debug)]
pub struct Report {
    /// The case.
    pub case: &'static str,
    /// Which Asterisk.
    pub version: AsteriskVersion,
    /// Which engine.
    pub engine: &'static str,
    failures: Vec<String>,
    checks: usize,
    lines: Vec<(Instant, String)>,
    notes: Vec<String>,
    dialstatus: String,
    hangup_cause: Option<u16>,
    attempts: Vec<AttemptRow>,
    left_out: Option<&'static str>,
}

impl Report {
    /// An empty report.
    pub const fn new(case: &'static str, version: AsteriskVersion, engine: &'static str) -> Self {
        Self {
            case,
            version,
            engine,
            failures: Vec::new(),
            checks: 0,
            lines: Vec::new(),
            notes: Vec::new(),
            dialstatus: String::new(),
            hangup_cause: None,
            attempts: Vec::new(),
            left_out: None,
        }
    }

    /// A case that this engine is not tried with.
    pub fn left_out(case: &'static str, version: AsteriskVersion, engine: &'static str, reason: &'static str) -> Self {
        Self {
            left_out: Some(reason),
            ..Self::new(case, version, engine)
        }
    }

    /// Something that must be so.
    pub fn check(&mut self, what: impl Into<String>, holds: bool) {
        self.checks += 1;
        if !holds {
            self.failures.push(what.into());
        }
    }

    /// Two things that must be equal.
    pub fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: impl Display, seen: T, expected: T) {
        let holds = seen == expected;
        self.check(format!("{what}: {seen:?} instead of {expected:?}"), holds);
    }

    /// Something worth a line, for people.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// The case could not be run to its end.
    pub fn broke(&mut self, error: impl Display) {
        self.checks += 1;
        self.failures.push(error.to_string());
    }

    /// What VICIdial was told.
    pub fn dialer_saw(&mut self, end: &AgiRecord) {
        self.dialstatus.clone_from(&end.dialstatus);
        self.hangup_cause = end.hangup_cause;
        let seconds = |time: Option<u32>| time.map_or("-".to_owned(), |seconds| format!("{seconds} s"));
        let text = format!(
            "dialer    {}/{} dialed {} answered {} {}",
            end.dialstatus,
            end.hangup_cause.map_or("-".to_owned(), |cause| cause.to_string()),
            seconds(end.dialed_time_seconds),
            seconds(end.answered_time_seconds),
            end.tech_cause
        );
        self.lines.push((end.received_at, text.trim_end().to_owned()));
    }

    /// What a carrier saw of the call.
    pub fn carrier_saw(&mut self, carrier: &str, calls: &[CallRecord]) {
        for packet in calls.iter().flat_map(|call| &call.packets) {
            if packet.method == "ACK" || (packet.direction == Direction::Received && packet.code.is_some()) {
                continue;
            }
            let text = match packet.code {
                Some(_) => format!("    {}", packet.first_line.trim_start_matches("SIP/2.0 ")),
                None => packet.first_line.trim_end_matches(" SIP/2.0").to_owned(),
            };
            self.lines.push((packet.moment.at, format!("{carrier:<9} {text}")));
        }
    }

    /// What crankback made of each attempt. `calls` are those of the carriers: they tie wall time to the lab's clock.
    pub fn crankback_said(&mut self, attempts: &[AttemptRow], calls: &[CallRecord]) {
        self.attempts = attempts.to_vec();
        let Some(reference) = calls
            .iter()
            .flat_map(|call| &call.packets)
            .map(|packet| packet.moment)
            .next()
        else {
            for attempt in attempts {
                self.notes.push(decision(attempt));
            }
            return;
        };
        let wall_ms = |moment: std::time::SystemTime| {
            let since = moment.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        };
        for attempt in attempts {
            let offset = last_seen_ms(attempt) - wall_ms(reference.wall);
            let distance = std::time::Duration::from_millis(offset.unsigned_abs());
            let at = if offset < 0 {
                reference.at.checked_sub(distance)
            } else {
                reference.at.checked_add(distance)
            };
            // Wall time is kept in whole milliseconds; the decision comes after the packet of the same one.
            let at = at.unwrap_or(reference.at) + std::time::Duration::from_micros(999);
            self.lines.push((at, decision(attempt)));
        }
    }

    /// Whether everything was as it must be. A case that checked nothing was not.
    pub fn is_ok(&self) -> bool {
        self.left_out.is_some() || (self.failures.is_empty() && self.checks > 0)
    }

    /// How it came out, in a word, or why it was not tried.
    pub fn verdict(&self) -> String {
        match self.left_out {
            Some(reason) => format!("left out: {reason}"),
            None if self.is_ok() => "ok".to_owned(),
            None => "FAILED".to_owned(),
        }
    }

    /// Whether it was run at all.
    pub const fn was_run(&self) -> bool {
        self.left_out.is_none()
    }

    /// What was measured or seen on the way.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The case as a line of the matrix.
    pub fn matrix_line(&self) -> String {
        let verdict = self.verdict();
        format!("{:<8} {:<9} {:<48} {verdict}", self.engine, self.version, self.case)
    }

    /// The case as a ladder, for people.
    pub fn ladder(&self) -> String {
        let mut lines = self.lines.clone();
        lines.sort_by_key(|(at, _)| *at);
        let verdict = self.verdict();
        let mut text = format!(
            "{} · Asterisk {} · {} · {verdict}\n",
            self.case, self.version, self.engine
        );
        let start = lines.first().map(|(at, _)| *at);
        for (at, line) in &lines {
            let ms = start.map_or(0, |start| at.duration_since(start).as_millis());
            let _ = writeln!(text, "  {ms:>6} ms  {line}");
        }
        for note in &self.notes {
            let _ = writeln!(text, "             {note}");
        }
        for failure in &self.failures {
            let _ = writeln!(text, "     WRONG   {failure}");
        }
        text
    }

    /// The case for machines.
    pub fn json(&self) -> Value {
        let attempts: Vec<Value> = self
            .attempts
            .iter()
            .map(|attempt| {
                json!({
                    "carrier": attempt.carrier_id,
                    "sip_code": attempt.sip_code,
                    "cause": attempt.q850_cause,
                    "verdict": attempt.verdict,
                    "ms": last_seen_ms(attempt) - attempt.started_ms,
                })
            })
            .collect();
        json!({
            "case": self.case,
            "engine": self.engine,
            "asterisk": self.version.to_string(),
            "dialstatus": self.dialstatus,
            "hangupcause": self.hangup_cause,
            "attempts": attempts,
            "ok": self.is_ok(),
            "left_out": self.left_out,
        })
    }
}

fn decision(attempt: &AttemptRow) -> String {
    let reply = match (attempt.sip_code, attempt.q850_cause) {
        (Some(code), _) => format!("SIP {code}"),
        (None, Some(cause)) if cause != 0 => format!("cause {cause}, no SIP response"),
        (None, _) => "nothing".to_owned(),
    };
    format!(
        "crankback {}: {reply}, {} -> {} ({} ms)",
        attempt.carrier_id,
        attempt.why,
        attempt.verdict,
        last_seen_ms(attempt) - attempt.started_ms
    )
}

/// The end of an attempt, or of what is known of one that is still out.
fn last_seen_ms(attempt: &AttemptRow) -> i64 {
    let seen = attempt.ended_ms.or(attempt.progress_ms);
    seen.unwrap_or(attempt.started_ms)
}
