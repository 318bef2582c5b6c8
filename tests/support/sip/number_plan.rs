//! Which script a dialled number gets.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::script::{Answer, CancelReaction, Final, Refusal, Script};

/// Looked up in this order: the exact number, the longest prefix, the number's own last digits (when the carrier follows
/// them, see [`Script::from_number`]), the default.
#[derive(Debug, Default)]
pub(super) struct NumberPlan {
    exact: HashMap<String, VecDeque<Script>>,
    prefixes: HashMap<String, Script>,
    follow_numbers: bool,
    default: Option<Script>,
}

impl NumberPlan {
    pub(super) fn set_default(&mut self, script: Script) {
        self.default = Some(script);
    }

    pub(super) fn on_number(&mut self, number: &str, script: Script) {
        self.in_turn(number, [script]);
    }

    pub(super) fn in_turn(&mut self, number: &str, scripts: impl IntoIterator<Item = Script>) {
        self.exact.insert(number.to_owned(), scripts.into_iter().collect());
    }

    pub(super) fn on_prefix(&mut self, prefix: &str, script: Script) {
        self.prefixes.insert(prefix.to_owned(), script);
    }

    pub(super) const fn follow_numbers(&mut self, follow: bool) {
        self.follow_numbers = follow;
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn script_for(&mut self, number: &str) -> Script {
        if let Some(scripts) = self.exact.get_mut(number) {
            let is_last = scripts.len() == 1;
            let script = if is_last {
                scripts.front().cloned()
            } else {
                scripts.pop_front()
            };
            if let Some(script) = script {
                return script;
            }
        }
        let longest_prefix = || {
            self.prefixes
                .iter()
                .filter(|(prefix, _)| number.starts_with(prefix.as_str()))
                .max_by_key(|(prefix, _)| prefix.len())
                .map(|(_, script)| script.clone())
        };
        let by_digits = || Script::from_number(number).filter(|_| self.follow_numbers);
        longest_prefix()
            .or_else(by_digits)
            .or_else(|| self.default.clone())
            .unwrap_or_else(Script::answer)
    }
}

impl Script {
    /// The script that a number's last four digits spell; `None` when they spell none.
    ///
    /// | last digits | what the carrier does |
    /// |---|---|
    /// | `0CCC` | 100, then the code CCC |
    /// | `1CCC` | 100, 180, after 200 ms the code CCC |
    /// | `2CCC` | 100, 183 with SDP and RTP, after 200 ms the code CCC |
    /// | `3CCC` | 401 until the caller brings credentials, then 100 and the code CCC |
    /// | `4nnn` | 100, 180, answer, RTP, BYE after nnn × 10 ms |
    /// | `5nnn` | 100, 180, after nnn × 10 ms answer, RTP; the caller hangs up |
    /// | `9000` | silence, CANCEL is not answered either |
    /// | `9100` | 100 and no more |
    /// | `9180` | 100, 180 and no more |
    /// | `9183` | 100, 183 with SDP and RTP and no more |
    /// | `9200` | 100, 180; answers when the caller cancels |
    ///
    /// CCC is 400 to 699, or 200: an answer with RTP, the caller hangs up.
    pub fn from_number(number: &str) -> Option<Self> {
        const EARLY: Duration = Duration::from_millis(200);
        let digits = number.get(number.len().checked_sub(4)?..)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (kind, rest) = digits.split_at(1);
        let value: u16 = rest.parse().ok()?;
        let pause = Duration::from_millis(u64::from(value) * 10);
        let script = match (kind, value) {
            ("0", code) => Self::new().trying().finally(final_for(code)?),
            ("1", code) => Self::new().trying().ringing().after(EARLY).finally(final_for(code)?),
            ("2", code) => Self::new()
                .trying()
                .progress_with_media()
                .after(EARLY)
                .finally(final_for(code)?),
            ("3", code) => Self::new().challenge(401).trying().finally(final_for(code)?),
            ("4", _) => Self::new()
                .trying()
                .ringing()
                .finally(Answer::with_rtp().hang_up_after(pause)),
            ("5", _) => Self::new().trying().ringing().after(pause).finally(Answer::with_rtp()),
            ("9", 0) => Self::silence(),
            ("9", 100) => Self::new().trying(),
            ("9", 180) => Self::new().trying().ringing(),
            ("9", 183) => Self::new().trying().progress_with_media(),
            ("9", 200) => Self::new()
                .trying()
                .ringing()
                .on_cancel(CancelReaction::AnswerAnyway(Answer::with_rtp())),
            _ => return None,
        };
        Some(script)
    }
}

fn final_for(code: u16) -> Option<Final> {
    match code {
        200 => Some(Answer::with_rtp().into()),
        400..=699 => Some(Refusal::code(code).into()),
        _ => None,
    }
}
