//! The carriers as crankback understands them.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::carrier::{Carrier, CarrierId, NumberFormat};
use crate::config::Settings;
use crate::health::{Because, Change, Figures, OperatorSetting, State};
use crate::snapshot::{Snapshot, Tested};
use crate::vicidial::edits::EditState;

use super::carrier_settings;
use super::error::Error;

/// Answers [`Query::Carriers`](super::Query::Carriers).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriersView {
    /// When this was looked at, milliseconds since 1970.
    pub now_ms: i64,
    /// Those that were understood.
    pub carriers: Vec<CarrierView>,
    /// What was not understood, also of carriers that are left out.
    pub problems: Vec<String>,
}

/// A carrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierView {
    /// Its id on the *Carriers* screen.
    pub id: String,
    /// Its name there.
    pub name: String,
    /// `PJSIP`, `SIP` or `IAX2`.
    pub technology: String,
    /// The peer or endpoint that is dialled.
    pub peer: String,
    /// The patterns of its own dialplan entry.
    pub patterns: Vec<PatternView>,
    /// In words; `None`: none was set.
    pub number_format: Option<String>,
    /// Nothing at all came back for so long: move on. Milliseconds.
    pub guard_ms: u64,
    /// Neither ringing nor media for so long: move on. Milliseconds.
    pub progress_ms: u64,
    /// The called party may ring for so long; `None`: as long as the dialer lets it. Milliseconds.
    pub ring_ms: Option<u64>,
    /// Of calls that its own dialplan lines send: all attempts together may take so long until one rings; `None`: as all
    /// calls. Milliseconds.
    pub setup_ms: Option<u64>,
    /// Of those calls: attempts, the first included; `None`: as all calls.
    pub max_attempts: Option<u32>,
    /// What an operator set about it: `fakes_progress=yes`, `verdict:503=stop`.
    pub settings: Vec<String>,
    /// It is new and not tested: no route goes to it.
    #[serde(default)]
    pub staged: bool,
    /// When a test call through it was last answered, milliseconds since 1970.
    #[serde(default)]
    pub tested_ms: Option<i64>,
    /// Its settings have changed since then.
    #[serde(default)]
    pub retest_due: bool,
    /// The carriers that its calls may go on to, in order.
    pub backups: Vec<String>,
    /// What was not understood about it.
    pub problems: Vec<String>,
    /// When this was looked at, milliseconds since 1970.
    pub now_ms: i64,
    /// The operator's word; it may be over.
    pub operator: OperatorSetting,
    /// Legs at one time that the carrier allows this dialer; `None`: no limit.
    pub max_channels: Option<u32>,
    /// Legs a second that the carrier allows this dialer; `None`: no limit.
    pub max_cps: Option<u32>,
    /// What a running daemon knows of it; `None` without one.
    pub now: Option<Box<CarrierNow>>,
    /// Its last changes of state, the oldest first; only where one carrier is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<Change>,
}

/// What a running daemon knows of a carrier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierNow {
    /// The state that evidence puts it in.
    pub state: State,
    /// In it since, milliseconds since 1970; `None`: nothing has happened since the start.
    pub since_ms: Option<i64>,
    /// The evidence.
    pub because: Because,
    /// Legs that are out.
    pub channels: u32,
    /// Of the last 15 minutes.
    pub figures: Figures,
    /// The last changes of state, the oldest first.
    #[serde(skip)]
    pub timeline: Vec<Change>,
    /// The operator's word.
    #[serde(skip)]
    pub operator: OperatorSetting,
}

/// One pattern of a carrier's dialplan entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternView {
    /// Asterisk's pattern.
    pub pattern: String,
    /// What its `Dial()` line makes of the number, in words.
    pub format: String,
    /// The options of that line.
    pub options: String,
}

/// What a running daemon knows of its carriers; `None` without one.
type Live<'a> = Option<&'a HashMap<CarrierId, CarrierNow>>;

pub(super) fn list(snapshot: &Snapshot, live: Live<'_>, now_ms: i64) -> CarriersView {
    let carriers = snapshot.carriers.iter();
    CarriersView {
        now_ms,
        carriers: carriers
            .map(|carrier| CarrierView::new(carrier, snapshot, live, now_ms))
            .collect(),
        problems: snapshot.carrier_problems.iter().map(ToString::to_string).collect(),
    }
}

pub(super) fn show(
    snapshot: &Snapshot,
    settings: &Settings,
    live: Live<'_>,
    now_ms: i64,
    id: &str,
) -> Result<CarrierView, Error> {
    let mut view = CarrierView::new(find(snapshot, settings, id)?, snapshot, live, now_ms);
    view.timeline = view
        .now
        .as_mut()
        .map(|now| std::mem::take(&mut now.timeline))
        .unwrap_or_default();
    Ok(view)
}

/// The carrier called `id`, or why there is none that can be used.
pub(super) fn find<'a>(snapshot: &'a Snapshot, settings: &Settings, id: &str) -> Result<&'a Carrier, Error> {
    let wanted = CarrierId::from(id);
    if let Some(carrier) = snapshot.carriers.iter().find(|carrier| carrier.id == wanted) {
        return Ok(carrier);
    }
    let mut states = snapshot.carrier_states.iter();
    if let Some((_, state @ EditState::PendingReload { .. })) = states.find(|(known, _)| *known == wanted) {
        return Err(Error::NotLoaded {
            id: id.to_owned(),
            state: state.clone(),
        });
    }
    let problems: Vec<String> = snapshot
        .carrier_problems
        .iter()
        .filter(|problem| problem.carrier == wanted)
        .map(ToString::to_string)
        .collect();
    if problems.is_empty() {
        let known = snapshot.carriers.iter().map(|carrier| carrier.id.to_string()).collect();
        Err(Error::UnknownCarrier {
            id: id.to_owned(),
            server_ip: settings.server.ip,
            known,
        })
    } else {
        Err(Error::UnusableCarrier {
            id: id.to_owned(),
            problems,
        })
    }
}

/// Refuses a campaign that VICIdial does not have; without VICIdial any name will do.
pub(super) fn check_campaign(campaigns: &BTreeSet<String>, id: Option<&str>) -> Result<(), Error> {
    match id {
        Some(id) if !campaigns.is_empty() && !campaigns.contains(id) => Err(Error::UnknownCampaign {
            id: id.to_owned(),
            known: campaigns.iter().cloned().collect(),
        }),
        Some(_) | None => Ok(()),
    }
}

/// A number format in words: `strip 1, add 00`.
pub(super) fn describe(format: &NumberFormat) -> String {
    match (format.strip, format.prefix.as_str()) {
        (0, "") => "unchanged".to_owned(),
        (strip, "") => format!("strip {strip}"),
        (0, prefix) => format!("add {prefix}"),
        (strip, prefix) => format!("strip {strip}, add {prefix}"),
    }
}

impl CarrierView {
    fn new(carrier: &Carrier, snapshot: &Snapshot, live: Live<'_>, now_ms: i64) -> Self {
        let now = live.map(|live| Box::new(live.get(&carrier.id).cloned().unwrap_or_default()));
        let operator = match &now {
            Some(now) => now.operator.clone(),
            None => snapshot.operator_setting(&carrier.id),
        };
        let patterns = carrier.entries.iter().map(|entry| PatternView {
            pattern: entry.pattern.to_string(),
            format: describe(&entry.format),
            options: entry.options.clone(),
        });
        let problems = snapshot
            .carrier_problems
            .iter()
            .filter(|problem| problem.carrier == carrier.id);
        let set_wrong = snapshot
            .setting_problems
            .iter()
            .filter(|problem| problem.carrier == carrier.id);
        let (tested_ms, retest_due) = match snapshot.tested(&carrier.id) {
            Tested::Never => (None, false),
            Tested::Good { at_ms } => (Some(at_ms), false),
            Tested::Due { at_ms } => (Some(at_ms), true),
        };
        let limits = snapshot.limits.get(&carrier.id).copied().unwrap_or_default();
        let milliseconds = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            id: carrier.id.to_string(),
            name: carrier.name.clone(),
            technology: carrier.technology.as_str().to_owned(),
            peer: carrier.shown_peer(),
            patterns: patterns.collect(),
            number_format: carrier.number_format.as_ref().map(describe),
            guard_ms: milliseconds(carrier.timers.guard),
            progress_ms: milliseconds(carrier.timers.progress),
            ring_ms: carrier.timers.ring.map(milliseconds),
            setup_ms: carrier.call_limits.setup.map(milliseconds),
            max_attempts: carrier.call_limits.attempts,
            settings: carrier_settings::shown(&snapshot.carrier_settings, &carrier.id),
            staged: carrier.is_staged,
            tested_ms,
            retest_due,
            backups: backups(&carrier.id, snapshot),
            problems: problems
                .map(ToString::to_string)
                .chain(set_wrong.map(ToString::to_string))
                .collect(),
            now_ms,
            operator,
            max_channels: limits.max_channels,
            max_cps: limits.max_calls_per_second,
            now,
            timeline: Vec::new(),
        }
    }
}

/// The carriers that enabled routes of `entry` (or of any entry) lead to, each once, in order.
fn backups(entry: &CarrierId, snapshot: &Snapshot) -> Vec<String> {
    let routes = snapshot.routes().iter();
    let routes = routes
        .filter(|route| route.enabled && route.entry.as_ref().is_none_or(|of| of == entry) && route.carrier != *entry);
    let mut backups = Vec::new();
    for route in routes {
        let carrier = route.carrier.to_string();
        if !backups.contains(&carrier) {
            backups.push(carrier);
        }
    }
    backups
}
