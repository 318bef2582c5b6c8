//! What a block of calls came to, and how blocks compare.

use std::time::Duration;

use serde_json::{Value, json};

use crate::capture::Moments;

/// Everything measured of one way to carry calls at one rate.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Calls that were placed.
    pub calls: usize,
    /// Calls that were answered.
    pub answered: usize,
    /// 503 received until the next INVITE left.
    pub gaps: Vec<Duration>,
    /// The caller's INVITE until it was told that it rings.
    pub delays: Vec<Duration>,
    /// What the processes took in all.
    pub asterisk_cpu: Duration,
    /// The daemon's share.
    pub daemon_cpu: Duration,
}

impl Figures {
    /// Adds one call.
    pub fn add(&mut self, call: Option<&Moments>) {
        self.calls += 1;
        let Some(call) = call else { return };
        self.gaps.extend(between(call.refused, call.next));
        self.delays.extend(between(call.asked, call.ringing));
        self.answered += usize::from(call.is_answered);
    }

    /// The value below which so many of a hundred are, in milliseconds.
    fn percentile(values: &[Duration], percent: usize) -> Option<f64> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        let value = sorted.get(last * percent / 100)?;
        Some(value.as_secs_f64() * 1_000.0)
    }

    /// A percentile of the failover gap, in milliseconds.
    pub fn gap_ms(&self, percent: usize) -> Option<f64> {
        Self::percentile(&self.gaps, percent)
    }

    /// A percentile of the post-dial delay, in milliseconds.
    pub fn delay_ms(&self, percent: usize) -> Option<f64> {
        Self::percentile(&self.delays, percent)
    }

    /// Asterisk's CPU time for one call, in milliseconds.
    pub fn asterisk_cpu_ms(&self) -> f64 {
        per_call(self.asterisk_cpu, self.calls)
    }

    /// The daemon's CPU time for one call, in milliseconds.
    pub fn daemon_cpu_ms(&self) -> f64 {
        per_call(self.daemon_cpu, self.calls)
    }

    /// For machines; `native` is what ratios are made with.
    pub fn json(&self, native: &Self) -> Value {
        json!({
            "calls": self.calls,
            "answered": self.answered,
            "gap_p50_ms": self.gap_ms(50),
            "gap_p90_ms": self.gap_ms(90),
            "gap_p99_ms": self.gap_ms(99),
            "gap_ratio": ratio(self.gap_ms(50), native.gap_ms(50)),
            "pdd_p50_ms": self.delay_ms(50),
            "pdd_p90_ms": self.delay_ms(90),
            "pdd_p99_ms": self.delay_ms(99),
            "asterisk_cpu_ms": self.asterisk_cpu_ms(),
            "asterisk_cpu_ratio": ratio(Some(self.asterisk_cpu_ms()), Some(native.asterisk_cpu_ms())),
            "daemon_cpu_ms": self.daemon_cpu_ms(),
        })
    }
}

/// How many times the second the first is.
pub fn ratio(value: Option<f64>, of: Option<f64>) -> Option<f64> {
    value.zip(of).map(|(value, of)| value / of)
}

fn between(from: Option<Duration>, to: Option<Duration>) -> Option<Duration> {
    to?.checked_sub(from?)
}

fn per_call(total: Duration, calls: usize) -> f64 {
    total.as_secs_f64() * 1_000.0 / calls.max(1) as f64
}
