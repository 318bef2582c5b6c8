//! The numbers that health goes by, each with where it comes from.

use std::time::Duration;

/// When a carrier is shed, tripped, tried again. The defaults fit a dialer of 1 to 100 calls a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthSettings {
    /// How far back samples of calls count.
    pub window: Duration,
    /// With fewer samples than this in the window no share is drawn from them.
    pub minimum_samples: u32,
    /// Share of failed samples, 0 to 1, from which calls begin to be passed on.
    pub shed_from: f64,
    /// Share of failed samples, 0 to 1, at which the breaker opens.
    pub open_at: f64,
    /// So many strong failures in a row open the breaker below `minimum_samples` as well: a carrier with few calls.
    pub strong_in_a_row: u32,
    /// Strong failures further apart than this are no row.
    pub row_lasts: Duration,
    /// A leg that is out so long without a sign of life from its carrier counts early; twice the carrier's usual time to its
    /// first sign of life where that is longer.
    pub suspect_after: Duration,
    /// The most that is passed on because of legs that are only suspect, 0 to 1: some calls must go on asking.
    pub suspect_shed_limit: f64,
    /// How long the breaker stays open for the first time; doubled each time that it opens again.
    pub first_back_off: Duration,
    /// The longest back-off: longer ones keep calls from a carrier that is well again.
    pub longest_back_off: Duration,
    /// One trial call goes out in so long while half open; after a good one the next in a fifth of it.
    pub trial_interval: Duration,
    /// So many good trial calls in a row close the breaker.
    pub trials_to_close: u32,
    /// A breaker that opens within this after it closed goes on with the doubled back-off: a flapping carrier.
    pub flapping_within: Duration,
    /// A witness needs so many bad reports in a row to call a carrier down.
    pub reports_to_fall: u32,
    /// A witness needs so many good reports in a row to call a carrier up again.
    pub reports_to_rise: u32,
    /// A carrier that has answered OPTIONS within this is one whose silence says something.
    pub answers_options_for: Duration,
    /// A good call outweighs witnesses that call the carrier down for so long.
    pub good_call_lasts: Duration,
    /// So many different numbers in a row, all refused with 404 or 484, mean a wrong prefix.
    pub wrong_numbers: usize,
    /// So many refused credentials in a row mean wrong credentials.
    pub config_faults: u32,
    /// A throttled carrier is taken down at most once in this time, and back up step by step as often.
    pub throttle_step: Duration,
    /// State changes that are kept for each carrier.
    pub timeline_length: usize,
    /// What a snapshot says of calls and probes is forgotten when it is older than this.
    pub snapshot_lasts: Duration,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(10),
            minimum_samples: 10,
            shed_from: 0.25,
            open_at: 0.5,
            strong_in_a_row: 5,
            row_lasts: Duration::from_secs(60),
            suspect_after: Duration::from_secs(2),
            suspect_shed_limit: 0.9,
            first_back_off: Duration::from_secs(5),
            longest_back_off: Duration::from_secs(60),
            trial_interval: Duration::from_secs(5),
            trials_to_close: 3,
            flapping_within: Duration::from_secs(120),
            reports_to_fall: 2,
            reports_to_rise: 2,
            answers_options_for: Duration::from_secs(900),
            good_call_lasts: Duration::from_secs(30),
            wrong_numbers: 10,
            config_faults: 3,
            throttle_step: Duration::from_secs(1),
            timeline_length: 32,
            snapshot_lasts: Duration::from_secs(600),
        }
    }
}
