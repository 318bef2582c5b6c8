//! The figures that carriers and operators talk about: ASR, ACD, PDD, short calls, the last answers; of the last 15 minutes.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How far back the figures look.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// One bucket of the window.
const BUCKET: Duration = Duration::from_secs(30);
/// Legs that started within this count as calls a second.
const SECOND: Duration = Duration::from_secs(1);
/// A call that was over so soon after its answer is a short one; providers of dialers limit their share.
const SHORT_CALL: Duration = Duration::from_secs(6);
/// Answers that are kept.
const LAST_ANSWERS: usize = 5;

/// How a leg ended, or was answered, in one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegAnswer {
    /// A SIP response.
    Sip(u16),
    /// A Q.850 cause, where no SIP response is known.
    Q850(u8),
    /// Nothing came.
    Silence,
}

impl fmt::Display for LegAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(code) => write!(f, "{code}"),
            Self::Q850(cause) => write!(f, "q{cause}"),
            Self::Silence => f.write_str("none"),
        }
    }
}

/// The figures of one carrier at one moment. What nothing is known of is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// Legs that were answered or ended without an answer.
    pub legs: u32,
    /// Answer-seizure ratio: answered legs of all, percent.
    pub asr_percent: Option<u8>,
    /// Average call duration: from the answer to the end, seconds.
    pub acd_s: Option<u64>,
    /// Calls of at most six seconds among those that ended, percent.
    pub short_percent: Option<u8>,
    /// Post-dial delay: from the start of a leg to ringing or media, the mean in milliseconds.
    pub pdd_ms: Option<u64>,
    /// Legs that started within the last second.
    pub calls_per_second: u32,
    /// How long the answer to the last probe took, microseconds; `None` where none was answered within the window.
    pub probe_rtt_us: Option<u64>,
    /// How the last legs were answered or ended, the newest first.
    pub last_answers: Vec<LegAnswer>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    legs: u32,
    answered: u32,
    calls: u32,
    short_calls: u32,
    talked: Duration,
    rang: u32,
    post_dial_delay: Duration,
}

impl Sums {
    fn add(self, other: Self) -> Self {
        Self {
            legs: self.legs + other.legs,
            answered: self.answered + other.answered,
            calls: self.calls + other.calls,
            short_calls: self.short_calls + other.short_calls,
            talked: self.talked + other.talked,
            rang: self.rang + other.rang,
            post_dial_delay: self.post_dial_delay + other.post_dial_delay,
        }
    }
}

/// Counts the legs of one carrier.
#[derive(Clone, Debug, Default)]
pub struct FigureBook {
    buckets: VecDeque<(Instant, Sums)>,
    starts: VecDeque<Instant>,
    last_answers: VecDeque<LegAnswer>,
    probe_answered: Option<(Instant, Duration)>,
}

impl FigureBook {
    /// A leg went out.
    pub fn leg_started(&mut self, now: Instant) {
        self.forget(now);
        self.starts.push_back(now);
    }

    /// A leg was answered, or ended without an answer.
    pub fn leg_decided(&mut self, is_answered: bool, pdd: Option<Duration>, answer: LegAnswer, now: Instant) {
        let sums = self.bucket(now);
        sums.legs += 1;
        sums.answered += u32::from(is_answered);
        if let Some(pdd) = pdd {
            sums.rang += 1;
            sums.post_dial_delay += pdd;
        }
        self.last_answers.push_front(answer);
        self.last_answers.truncate(LAST_ANSWERS);
    }

    /// An answered call is over.
    pub fn call_ended(&mut self, talked: Duration, now: Instant) {
        let sums = self.bucket(now);
        sums.calls += 1;
        sums.short_calls += u32::from(talked <= SHORT_CALL);
        sums.talked += talked;
    }

    /// A probe was answered.
    pub fn probe_answered(&mut self, round_trip: Duration, now: Instant) {
        self.probe_answered = Some((now, round_trip));
    }

    /// The figures as they stand.
    pub fn figures(&mut self, now: Instant) -> Figures {
        self.forget(now);
        let sums = self
            .buckets
            .iter()
            .fold(Sums::default(), |sum, (_, sums)| sum.add(*sums));
        let mean = |sum: Duration, count: u32| (count > 0).then(|| sum / count.max(1));
        Figures {
            legs: sums.legs,
            asr_percent: percent(sums.answered, sums.legs),
            acd_s: mean(sums.talked, sums.calls).map(|mean| mean.as_secs()),
            short_percent: percent(sums.short_calls, sums.calls),
            pdd_ms: mean(sums.post_dial_delay, sums.rang)
                .map(|mean| u64::try_from(mean.as_millis()).unwrap_or(u64::MAX)),
            calls_per_second: u32::try_from(self.starts.len()).unwrap_or(u32::MAX),
            probe_rtt_us: self
                .probe_answered
                .filter(|(at, _)| now.saturating_duration_since(*at) < WINDOW)
                .map(|(_, round_trip)| u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX)),
            last_answers: self.last_answers.iter().copied().collect(),
        }
    }

    fn bucket(&mut self, now: Instant) -> &mut Sums {
        self.forget(now);
        let is_current = |(start, _): &(Instant, Sums)| now.saturating_duration_since(*start) < BUCKET;
        if !self.buckets.back().is_some_and(is_current) {
            self.buckets.push_back((now, Sums::default()));
        }
        let last = self.buckets.len() - 1;
        &mut self.buckets[last].1
    }

    fn forget(&mut self, now: Instant) {
        let is_old = |at: Instant, span: Duration| now.saturating_duration_since(at) >= span;
        while self.buckets.front().is_some_and(|(start, _)| is_old(*start, WINDOW)) {
            self.buckets.pop_front();
        }
        while self.starts.front().is_some_and(|start| is_old(*start, SECOND)) {
            self.starts.pop_front();
        }
    }
}

fn percent(part: u32, whole: u32) -> Option<u8> {
    let percent = (u64::from(part) * 100 + u64::from(whole) / 2).checked_div(u64::from(whole))?;
    u8::try_from(percent).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_known_without_calls() {
        assert_eq!(FigureBook::default().figures(Instant::now()), Figures::default());
    }

    #[test]
    fn legs_and_calls_are_counted_and_the_last_answers_kept() {
        let now = Instant::now();
        let mut book = FigureBook::default();
        for _ in 0..3 {
            book.leg_started(now);
        }
        let pdd = |milliseconds| Some(Duration::from_millis(milliseconds));
        book.leg_decided(true, pdd(1_000), LegAnswer::Sip(200), now);
        book.leg_decided(true, pdd(2_000), LegAnswer::Sip(200), now);
        book.leg_decided(false, None, LegAnswer::Sip(503), now);
        book.call_ended(Duration::from_secs(5), now);
        book.call_ended(Duration::from_secs(96), now);
        book.probe_answered(Duration::from_micros(12_340), now);
        let expected = Figures {
            legs: 3,
            asr_percent: Some(67),
            acd_s: Some(50),
            short_percent: Some(50),
            pdd_ms: Some(1_500),
            calls_per_second: 3,
            probe_rtt_us: Some(12_340),
            last_answers: vec![LegAnswer::Sip(503), LegAnswer::Sip(200), LegAnswer::Sip(200)],
        };
        assert_eq!(book.figures(now), expected);
        assert_eq!(book.figures(now + SECOND).calls_per_second, 0);
        for _ in 0..9 {
            book.leg_decided(false, None, LegAnswer::Q850(34), now);
        }
        assert_eq!(book.figures(now).last_answers, [LegAnswer::Q850(34); 5]);
    }

    #[test]
    fn figures_follow_the_last_fifteen_minutes() {
        let start = Instant::now();
        let mut book = FigureBook::default();
        book.leg_decided(false, None, LegAnswer::Silence, start);
        let later = start + WINDOW - Duration::from_secs(1);
        book.leg_decided(true, None, LegAnswer::Sip(200), later);
        assert_eq!(book.figures(later).asr_percent, Some(50));
        assert_eq!(book.figures(start + WINDOW).asr_percent, Some(100));
        let figures = book.figures(later + WINDOW);
        assert_eq!(
            (figures.legs, figures.asr_percent, figures.probe_rtt_us),
            (0, None, None)
        );
        assert_eq!(
            figures.last_answers.len(),
            2,
            "the last answers are the last ones, however old"
        );
    }

    #[test]
    fn a_busy_carrier_takes_bounded_memory() {
        let start = Instant::now();
        let mut book = FigureBook::default();
        for call in 0..100_000_u32 {
            let now = start + Duration::from_millis(20) * call;
            book.leg_started(now);
            book.leg_decided(true, None, LegAnswer::Sip(200), now);
        }
        assert!(book.buckets.len() <= 31 && book.starts.len() <= 51);
    }
}
