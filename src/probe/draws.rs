//! Draws from a seed that is handed in: jitter, weights, tokens. The same seed draws the same.

use std::time::Duration;

/// A splitmix64 generator. What it draws is unpredictable enough for jitter and unique tokens, never for secrets.
#[derive(Clone, Debug)]
pub(super) struct Draws(u64);

impl Draws {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `end`; 0 if that is 0.
    pub(super) const fn below(&mut self, end: u64) -> u64 {
        match self.next().checked_rem(end) {
            Some(drawn) => drawn,
            None => 0,
        }
    }

    /// A duration below `end`.
    pub(super) fn duration_below(&mut self, end: Duration) -> Duration {
        Duration::from_millis(self.below(u64::try_from(end.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The interval, shorter or longer by up to a tenth, so that probes do not run in step.
    pub(super) fn jittered(&mut self, interval: Duration) -> Duration {
        interval - interval / 10 + self.duration_below(interval / 5)
    }

    /// A word that was not drawn before.
    pub(super) fn token(&mut self) -> String {
        format!("{:016x}", self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_moved_by_up_to_a_tenth() {
        let mut draws = Draws::new(7);
        let drawn: Vec<_> = (0..1_000).map(|_| draws.jittered(Duration::from_secs(10))).collect();
        let (least, most) = (drawn.iter().min().unwrap(), drawn.iter().max().unwrap());
        assert!(*least >= Duration::from_secs(9) && *least < Duration::from_millis(9_050));
        assert!(*most <= Duration::from_secs(11) && *most > Duration::from_millis(10_950));
        assert_eq!(Draws::new(7).token(), Draws::new(7).token());
    }
}
