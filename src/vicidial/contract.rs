//! What VICIdial expects of whoever replaces its `Dial()`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;

use crate::call::{LegId, Now, TimeLimit};
use crate::engine::{CallerEntry, DialerContract, PlacedLeg, now};
use crate::store::{OtherRows, RecentChannelRow};
use crate::verdict::CarrierPolicies;

use super::recent_channels::{Occasion, RecentChannels};

/// What kind of call a call code (the caller id name) stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// `V` and 19 digits: placed by the auto-dialer; the trunk leg is redirected away on answer.
    AutoDial,
    /// `M` and 19 digits: dialled by an agent, whose conference the caller side has joined already.
    Manual,
    /// `DC…W…W`: an agent's three-way call.
    ThreeWay,
    /// Anything else: remote agents, transfers, phones.
    Foreign,
}

impl CallKind {
    /// Reads a call code. An appended extension or campaign after a blank does not matter.
    pub fn of(call_code: &str) -> Self {
        let code = call_code.split(' ').next().unwrap_or_default();
        let digits =
            |text: &str, count: usize| text.len() >= count && text.bytes().take(count).all(|b| b.is_ascii_digit());
        match code.as_bytes() {
            [b'V', ..] if digits(&code[1..], 19) => Self::AutoDial,
            [b'M', ..] if digits(&code[1..], 19) => Self::Manual,
            [b'D', b'C', ..] if digits(&code[2..], 6) && code.as_bytes().get(8) == Some(&b'W') => Self::ThreeWay,
            _ => Self::Foreign,
        }
    }
}

/// The limits that a call's time is reckoned with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRules {
    /// For calls whose limit the dialer does not tell.
    pub default_time_left: Duration,
    /// Taken off the dialer's limit.
    pub safety_margin: Duration,
    /// No attempt but the first starts with less time left.
    pub minimum_attempt: Duration,
    /// No attempt but the first starts later than this, whatever time is left.
    pub setup: Duration,
}

/// Dial timeouts by campaign; replaced as a whole when the campaigns are read again.
pub type DialTimeouts = Arc<ArcSwap<HashMap<String, Duration>>>;

/// VICIdial's contract.
#[derive(Debug)]
pub struct VicidialContract {
    server_number: u8,
    serial: AtomicU32,
    rules: Arc<ArcSwap<TimeRules>>,
    dial_timeouts: DialTimeouts,
    recent_channels: Option<RecentChannels>,
}

/// Serial numbers have six digits.
const SERIALS: u32 = 1_000_000;
/// By how much the clocks of a dialer and of the database may differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(15);

impl VicidialContract {
    /// `server_number` (0 to 99) tells the dialers of one database apart; `first_serial` should differ from one start of the
    /// daemon to the next.
    pub const fn new(
        server_number: u8,
        first_serial: u32,
        rules: Arc<ArcSwap<TimeRules>>,
        dial_timeouts: DialTimeouts,
    ) -> Self {
        Self {
            server_number,
            serial: AtomicU32::new(first_serial),
            rules,
            dial_timeouts,
            recent_channels: None,
        }
    }

    /// Tells VICIdial, from now on, which trunk channel an auto-dialled call has.
    #[must_use]
    pub fn with_recent_channels(mut self, recent_channels: Option<RecentChannels>) -> Self {
        self.recent_channels = recent_channels;
        self
    }
}

impl DialerContract for VicidialContract {
    /// The caller's epoch second, a dot, `9`, two digits of server, six of serial: VICIdial's reports join on the second and
    /// its columns hold 20 characters.
    fn leg_identity(&self, caller: &CallerEntry) -> String {
        let second = caller.channel_id.split('.').next().unwrap_or_default();
        let serial = self.serial.fetch_add(1, Ordering::Relaxed) % SERIALS;
        format!("{second}.9{:02}{serial:06}", self.server_number % 100)
    }

    fn time_limit(&self, caller: &CallerEntry, setup: Option<Duration>, now: Now) -> TimeLimit {
        let rules = self.rules.load();
        let campaign_limit = || {
            let timeouts = self.dial_timeouts.load();
            let limit = caller
                .campaign
                .as_ref()
                .and_then(|campaign| timeouts.get(campaign).copied());
            limit.filter(|_| CallKind::of(&caller.caller_name) == CallKind::AutoDial)
        };
        let limit = caller.limit.or_else(campaign_limit).unwrap_or(rules.default_time_left);
        // A caller that was up before counts from its entry: its channel may be hours old.
        let age = match caller.is_up {
            true => Duration::ZERO,
            false => u64::try_from(now.wall_ms - caller.created_ms)
                .map(Duration::from_millis)
                .unwrap_or_default(),
        };
        let left = limit.saturating_sub(age).saturating_sub(rules.safety_margin);
        TimeLimit {
            hunt_until: now.monotonic + left,
            setup_until: now.monotonic + setup.unwrap_or(rules.setup).saturating_sub(age),
            // Without a limit in the Dial() line nothing but the dialer's own timeout would end the ringing.
            ring_until: caller
                .limit
                .and_then(|limit| Instant::checked_add(&now.monotonic, limit)),
            minimum_attempt: rules.minimum_attempt,
        }
    }

    /// The agent's screen holds the first channel that rings, and would go on holding a dead one: an agent's call stays with the
    /// carrier that rang, even where that carrier is known to fake it.
    fn policies(&self, caller: &CallerEntry, policies: Arc<CarrierPolicies>) -> Arc<CarrierPolicies> {
        match CallKind::of(&caller.caller_name) {
            CallKind::Manual | CallKind::ThreeWay => Arc::new(policies.without_failover_after_progress()),
            CallKind::AutoDial | CallKind::Foreign => policies,
        }
    }

    /// At the answer of an auto-dialled call VICIdial looks its trunk channel up and redirects it.
    fn follows_legs(&self, caller: &CallerEntry) -> bool {
        self.recent_channels.is_some() && CallKind::of(&caller.caller_name) == CallKind::AutoDial
    }

    /// VICIdial itself looks at Asterisk's channels every 0.4 s: without this row a call that is answered sooner is not found.
    fn leg_started(&self, leg: PlacedLeg) {
        if let Some(channels) = &self.recent_channels {
            let others = other_rows(&leg);
            let _nobody_waits = channels.hand_over(row(leg), others, Occasion::Start);
        }
    }

    /// VICIdial takes the first row that it finds: that of an earlier leg would send its redirect to a dead channel, and two
    /// seconds later the customer would be dropped.
    fn before_answer(&self, leg: PlacedLeg) -> BoxFuture<'static, ()> {
        match (&self.recent_channels, other_rows(&leg)) {
            (Some(channels), others @ OtherRows::Delete { .. }) => {
                let settled = channels.hand_over(row(leg), others, Occasion::Answer);
                Box::pin(async {
                    // Written, given up or refused: each is counted where it happens.
                    let _either = settled.await;
                })
            }
            (Some(_), OtherRows::Keep) | (None, _) => Box::pin(std::future::ready(())),
        }
    }
}

/// Earlier legs of the call may have left rows, and VICIdial writes them up to a moment after such a leg has ended.
fn other_rows(leg: &PlacedLeg) -> OtherRows {
    if leg.leg == LegId::FIRST {
        return OtherRows::Keep;
    }
    let age_ms = u64::try_from(now().wall_ms - leg.caller.created_ms).unwrap_or_default();
    OtherRows::Delete {
        not_older_than: Duration::from_millis(age_ms) + CLOCKS_DIFFER,
    }
}

fn row(leg: PlacedLeg) -> RecentChannelRow {
    let caller = leg.caller;
    RecentChannelRow {
        // As VICIdial reads it: what stands after a blank is no part of the code.
        call_code: caller.caller_name.split(' ').next().unwrap_or_default().to_owned(),
        caller_channel: caller.channel_name,
        caller_uniqueid: caller.channel_id,
        leg_channel: leg.channel_name,
        leg_uniqueid: leg.channel_id,
        linked_id: leg.linked_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::CarrierId;
    use crate::verdict::{CarrierPolicy, FailoverAfter183};

    fn contract() -> VicidialContract {
        let rules = TimeRules {
            default_time_left: Duration::from_secs(30),
            safety_margin: Duration::from_secs(1),
            minimum_attempt: Duration::from_secs(6),
            setup: Duration::from_secs(20),
        };
        let timeouts = HashMap::from([("TESTCAMP".to_owned(), Duration::from_secs(26))]);
        VicidialContract::new(
            7,
            999_999,
            Arc::new(ArcSwap::from_pointee(rules)),
            Arc::new(ArcSwap::from_pointee(timeouts)),
        )
    }

    fn caller(code: &str, limit: Option<u64>, campaign: Option<&str>, is_up: bool) -> CallerEntry {
        CallerEntry {
            channel_id: "1795226151.1".into(),
            channel_name: String::new(),
            caller_name: code.into(),
            caller_number: String::new(),
            is_up,
            created_ms: 10_000,
            answered_ms: None,
            carrier: CarrierId::from("A"),
            dialled: String::new(),
            dial_string: String::new(),
            limit: limit.map(Duration::from_secs),
            campaign: campaign.map(str::to_owned),
            options: String::new(),
        }
    }

    #[test]
    fn leg_ids_look_like_asterisks_and_do_not_repeat() {
        let contract = contract();
        let caller = caller("", None, None, false);
        let (first, second) = (contract.leg_identity(&caller), contract.leg_identity(&caller));
        assert_eq!(
            (first.as_str(), second.as_str()),
            ("1795226151.907999999", "1795226151.907000000")
        );
        assert!(first.len() <= 20);
    }

    #[test]
    fn knows_the_kinds_of_calls() {
        for (code, kind) in [
            ("V1210007450000000008", CallKind::AutoDial),
            ("M1210007450000000008", CallKind::Manual),
            ("M1210007450000000008 8600051 CAMP", CallKind::Manual),
            ("DC000008W1210007450W", CallKind::ThreeWay),
            ("V12", CallKind::Foreign),
            ("VÄ10007450000000008", CallKind::Foreign),
            ("Mary Poppins", CallKind::Foreign),
            ("", CallKind::Foreign),
        ] {
            assert_eq!(CallKind::of(code), kind, "{code}");
        }
    }

    #[test]
    fn an_agents_call_stays_with_the_carrier_that_rang() {
        let fakes = CarrierPolicy {
            fakes_progress: true,
            failover_after_183: FailoverAfter183::IfServerFailure,
            ..CarrierPolicy::default()
        };
        let policies: Arc<CarrierPolicies> = Arc::new([(CarrierId::from("A"), fakes)].into_iter().collect());
        for (code, may_go_on) in [
            ("V1210007450000000008", true),
            ("M1210007450000000008", false),
            ("DC000008W1210007450W", false),
            ("Mary Poppins", true),
        ] {
            let of_call = contract().policies(&caller(code, None, None, false), Arc::clone(&policies));
            let policy = of_call.of(&CarrierId::from("A"));
            assert_eq!(policy.fakes_progress, may_go_on, "{code}");
            let after_183 = policy.failover_after_183 == FailoverAfter183::IfServerFailure;
            assert_eq!(after_183, may_go_on, "{code}");
        }
    }

    #[test]
    fn the_time_left_follows_the_kind_of_call() {
        let now = Now {
            monotonic: Instant::now(),
            wall_ms: 12_000,
        };
        let limit = |caller: &CallerEntry| {
            let limit = contract().time_limit(caller, None, now);
            let ring = limit
                .ring_until
                .map(|until| until.duration_since(now.monotonic).as_secs());
            (limit.hunt_until.duration_since(now.monotonic).as_secs(), ring)
        };
        let auto = "V1210007450000000008";
        assert_eq!(
            limit(&caller(auto, None, Some("TESTCAMP"), false)),
            (23, None),
            "campaign minus age minus margin"
        );
        assert_eq!(
            limit(&caller(auto, None, Some("OTHER"), false)),
            (27, None),
            "unknown campaign: the default"
        );
        assert_eq!(
            limit(&caller("M1210007450000000008", Some(40), Some("TESTCAMP"), true)),
            (39, Some(40))
        );
        assert_eq!(
            limit(&caller("DC000008W1210007450W", None, Some("TESTCAMP"), false)),
            (27, None)
        );
    }

    #[test]
    fn an_entry_carrier_may_have_a_set_up_time_of_its_own() {
        let now = Now {
            monotonic: Instant::now(),
            wall_ms: 12_000,
        };
        let caller = caller("V1210007450000000008", None, None, false);
        let set_up = |own: Option<Duration>| {
            let limit = contract().time_limit(&caller, own, now);
            limit.setup_until.duration_since(now.monotonic).as_secs()
        };
        assert_eq!(
            (set_up(None), set_up(Some(Duration::from_secs(12)))),
            (18, 10),
            "minus age"
        );
    }
}
