//! `crankback carrier`: the carriers as crankback understands them.

mod add;
mod test;

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::config::Settings;
use crate::control::{
    self, CarrierOperate, CarrierOperateView, CarrierSetView, CarrierView, CarriersView, LeftWithout, Query,
};
use crate::health::{Figures, OperatorSetting, OperatorWord};

use super::ask;
use super::error::CliError;
use super::output::{Answer, effect, fields, table};
use super::time::{parse_span, span, utc};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// All carriers of this dialer: how they stand, their load, and figures of the last 15 minutes
    #[command(after_help = LIST_HELP)]
    List,
    /// One carrier with its patterns, number formats, timers, backups, the operator's word and its last changes of state
    Show {
        /// The carrier's id on the Carriers screen
        id: String,
    },
    /// Add a carrier to VICIdial's table, staged: shown first, written with --yes
    #[command(after_help = add::HELP)]
    Add(Box<add::Add>),
    /// Place one call through one carrier and show what comes back; answered, a staged carrier becomes active
    #[command(after_help = test::HELP)]
    Test(test::Test),
    /// Set something about a carrier beside its row on the Carriers screen; it holds for the next call
    #[command(after_help = AFTER_HELP)]
    Set {
        /// The carrier's id on the Carriers screen
        id: String,
        /// What to set; without a value the setting is taken back
        #[arg(value_name = "KEY=VALUE", required = true)]
        settings: Vec<String>,
    },
    /// Send no call through a carrier; calls that are up go on
    #[command(after_help = HOLDS)]
    Disable(Said),
    /// Let evidence decide again whether a carrier takes calls
    Enable {
        /// The carrier's id on the Carriers screen
        id: String,
        /// Why; goes on record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Send no new call through a carrier, and let the calls that are up end by themselves, before maintenance
    #[command(after_help = HOLDS)]
    Drain(Said),
    /// Where a call may go through this carrier, send it through no other, whatever the evidence
    #[command(after_help = HOLDS)]
    Only(Said),
}

/// A word about a carrier.
#[derive(Debug, Args)]
pub(super) struct Said {
    /// The carrier's id on the Carriers screen
    id: String,
    /// Why: shown to whoever finds the carrier like this
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// For how long, for example 90s, 15m, 2h, 1d [default: until somebody says otherwise]
    #[arg(long = "for", value_name = "TIME", value_parser = parse_span)]
    lasts: Option<Duration>,
}

impl Said {
    fn command(self, word: OperatorWord) -> control::Command {
        control::Command::CarrierOperate(CarrierOperate {
            id: self.id,
            word,
            reason: Some(self.reason),
            for_s: self.lasts.map(|lasts| lasts.as_secs()),
        })
    }
}

const LIST_HELP: &str = "Columns:
  STATE, SINCE, WHY  the operator's word where it holds, else what evidence says
  CHANNELS, CPS      legs that are out and legs of the last second; of what the carrier allows this dialer
  ASR, ACD, PDD      answered of all legs; mean time from answer to end; mean time to ringing or media
  SHORT              calls of 6 s or less among those that ended
  LAST               the last answers, the newest first: SIP codes, q with a Q.850 cause
  RTT                how long the answer to the last probe took";

const HOLDS: &str = "It holds for the next call on every dialer of this database, over restarts, until the time that --for gives \
is over or until `crankback carrier enable`. Nothing automatic changes it.";

const AFTER_HELP: &str = "Keys:
  guard_ms=3000            nothing came back for so long: the next carrier
  progress_ms=8000         neither ringing nor media for so long: the next carrier
  ring_ms=25000            rings for so long: the call ends, not answered
  setup_ms=15000           calls that enter here: nothing rang for so long: no further attempt
  max_attempts=2           calls that enter here: attempts, the first included
  fakes_progress=yes       its 180 and 183 say nothing: failures after them go to the next carrier (agents' calls stay)
  failover_after_183=if_5xx  a server's failure soon after 183 goes to the next carrier
  preset=NAME              what answers of its provider are known to mean (crankback verdict table)
  verdict:503=stop         what an answer means: SIP code, 5xx, Q.850 cause or name, phrase:WORDS
  max_channels=30          legs at one time
  max_cps=5                legs a second
  status=staged            staged: no route goes to it; active
  strip=1                  drop so many characters from the front of phone code + number
  add_prefix=00            put this before what is left
  upstream_group=NAME      whose network it is really: carriers of one group are no backups of each other
  engine=agi               who places the legs of calls that enter by its dialplan line: stasis or agi";

pub(super) async fn perform(command: Command, settings: &Settings) -> Result<Answer, CliError> {
    match command {
        Command::List => Ok(list(&ask::query(settings, Query::Carriers).await?, settings)),
        Command::Set { id, settings: wanted } => {
            let command = control::Command::CarrierSet { id, settings: wanted };
            Ok(set(&ask::command(settings, command).await?))
        }
        Command::Add(arguments) => add::perform(*arguments, settings).await,
        Command::Test(arguments) => test::perform(arguments, settings).await,
        Command::Disable(said) => operate(settings, said.command(OperatorWord::Disabled)).await,
        Command::Drain(said) => operate(settings, said.command(OperatorWord::Draining)).await,
        Command::Only(said) => operate(settings, said.command(OperatorWord::Only)).await,
        Command::Enable { id, reason } => {
            let wanted = CarrierOperate {
                id,
                word: OperatorWord::Enabled,
                reason,
                for_s: None,
            };
            operate(settings, control::Command::CarrierOperate(wanted)).await
        }
        Command::Show { id } => Ok(show(&ask::query(settings, Query::Carrier { id }).await?)),
    }
}

fn list(view: &CarriersView, settings: &Settings) -> Answer {
    let mut text = if view.carriers.is_empty() {
        format!(
            "no carriers for server {} in {}",
            settings.server.ip, settings.store.url
        )
    } else {
        table(COLUMNS, view.carriers.iter().map(row))
    };
    // Carriers that were left out have no line of their own: what is wrong with them stands among the problems.
    for problem in &view.problems {
        text.push_str(&format!("\nproblem: {problem}"));
    }
    Answer::new(view, text)
}

const COLUMNS: [&str; 14] = [
    "ID", "STATE", "SINCE", "CHANNELS", "CPS", "ASR", "ACD", "PDD", "SHORT", "LAST", "RTT", "BACKUPS", "PROBLEMS",
    "WHY",
];

fn row(view: &CarrierView) -> [String; 14] {
    let standing = Standing::of(view);
    let figures = view.now.as_ref().map(|now| now.figures.clone()).unwrap_or_default();
    let [asr, acd, pdd, short, last] = texts(&figures);
    let calls_per_second = view.now.as_ref().map(|_| figures.calls_per_second);
    [
        view.id.clone(),
        standing.state.to_owned(),
        dash_or(standing.since_ms.map(|since_ms| span(view.now_ms - since_ms))),
        of_limit(view.now.as_ref().map(|now| now.channels), view.max_channels),
        of_limit(calls_per_second, view.max_cps),
        asr,
        acd,
        pdd,
        short,
        last,
        dash_or(figures.probe_rtt_us.map(milliseconds)),
        or_dash(&view.backups),
        dash_or((!view.problems.is_empty()).then(|| view.problems.len().to_string())),
        standing.why,
    ]
}

/// ASR, ACD, PDD, share of short calls, last answers.
fn texts(figures: &Figures) -> [String; 5] {
    let answers: Vec<_> = figures.last_answers.iter().map(ToString::to_string).collect();
    [
        dash_or(figures.asr_percent.map(|percent| format!("{percent} %"))),
        dash_or(figures.acd_s.map(|seconds| format!("{seconds} s"))),
        dash_or(figures.pdd_ms.map(|milliseconds| format!("{milliseconds} ms"))),
        dash_or(figures.short_percent.map(|percent| format!("{percent} %"))),
        or_dash(&answers),
    ]
}

/// How a carrier stands, in one word with its reason: the operator's word first, where it holds.
struct Standing {
    state: &'static str,
    since_ms: Option<i64>,
    why: String,
}

impl Standing {
    fn of(view: &CarrierView) -> Self {
        let word = view.operator.in_force(view.now_ms);
        if word != OperatorWord::Enabled {
            return Self {
                state: word.as_str(),
                since_ms: Some(view.operator.since_ms),
                why: said(&view.operator),
            };
        }
        if view.staged {
            return Self {
                state: "staged",
                since_ms: None,
                why: format!("no route goes to it before `crankback carrier test {}`", view.id),
            };
        }
        match &view.now {
            Some(now) => Self {
                state: now.state.as_str(),
                since_ms: now.since_ms,
                why: now.because.to_string(),
            },
            None => Self {
                state: "-",
                since_ms: None,
                why: "the daemon is not running".to_owned(),
            },
        }
    }
}

/// Who said something, why, and until when it holds.
fn said(operator: &OperatorSetting) -> String {
    let mut text = format!("by {}", operator.by);
    if !operator.why.is_empty() {
        text.push_str(&format!(": {}", operator.why));
    }
    if let Some(until_ms) = operator.until_ms {
        text.push_str(&format!(", until {} UTC", utc(until_ms)));
    }
    text
}

fn of_limit(count: Option<u32>, limit: Option<u32>) -> String {
    let count = dash_or(count.map(|count| count.to_string()));
    match limit {
        Some(limit) => format!("{count}/{limit}"),
        None => count,
    }
}

fn milliseconds(microseconds: u64) -> String {
    format!("{}.{} ms", microseconds / 1_000, microseconds % 1_000 / 100)
}

fn dash_or(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

fn show(view: &CarrierView) -> Answer {
    let mut lines = vec![
        ("carrier", view.id.clone()),
        ("name", view.name.clone()),
        ("technology", view.technology.clone()),
        ("peer", view.peer.clone()),
    ];
    for entry in &view.patterns {
        lines.push((
            "pattern",
            format!("{}: {}; Dial options {:?}", entry.pattern, entry.format, entry.options),
        ));
    }
    if view.patterns.is_empty() {
        lines.push(("pattern", "none: no dialplan entry of its own".to_owned()));
    }
    if let Some(format) = &view.number_format {
        lines.push(("format", format.clone()));
    }
    lines.push(("guard", format!("{} ms", view.guard_ms)));
    lines.push(("progress", format!("{} ms", view.progress_ms)));
    let as_dialer_lets_it = || "as long as the dialer lets it".to_owned();
    let milliseconds = |time_ms: u64| format!("{time_ms} ms");
    lines.push(("ring", view.ring_ms.map_or_else(as_dialer_lets_it, milliseconds)));
    let of_all_calls = || "as all calls".to_owned();
    lines.push(("set-up", view.setup_ms.map_or_else(of_all_calls, milliseconds)));
    lines.push((
        "attempts",
        view.max_attempts
            .map_or_else(of_all_calls, |attempts| attempts.to_string()),
    ));
    if !view.settings.is_empty() {
        lines.push(("settings", view.settings.join(" ")));
    }
    let tested = match (view.staged, view.tested_ms) {
        (true, _) => "no: staged, no route goes to it before a test call is answered".to_owned(),
        (false, Some(tested_ms)) => {
            let due = if view.retest_due {
                "; its settings have changed since: re-test due"
            } else {
                ""
            };
            format!("{} UTC{due}", utc(tested_ms))
        }
        (false, None) => "no".to_owned(),
    };
    lines.push(("tested", tested));
    lines.push(("backups", or_dash(&view.backups)));
    lines.extend(standing_lines(view));
    lines.extend(view.problems.iter().map(|problem| ("problem", problem.clone())));
    Answer::new(view, fields(&lines))
}

fn standing_lines(view: &CarrierView) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let operator = &view.operator;
    if operator.since_ms > 0 {
        let is_over = operator.in_force(view.now_ms) != operator.word;
        let over = if is_over { "; over" } else { "" };
        let since = utc(operator.since_ms);
        lines.push((
            "operator",
            format!("{} since {since} UTC {}{over}", operator.word.as_str(), said(operator)),
        ));
    }
    let Some(now) = &view.now else { return lines };
    let since = now.since_ms.map(|since_ms| format!(" since {} UTC", utc(since_ms)));
    lines.push((
        "state",
        format!("{}{}: {}", now.state, since.unwrap_or_default(), now.because),
    ));
    lines.push(("channels", of_limit(Some(now.channels), view.max_channels)));
    lines.push(("cps", of_limit(Some(now.figures.calls_per_second), view.max_cps)));
    let figures = &now.figures;
    if figures.legs > 0 {
        let [asr, acd, pdd, short, last] = texts(figures);
        lines.push((
            "15 minutes",
            format!(
                "{} legs, ASR {asr}, ACD {acd}, PDD {pdd}, calls of 6 s or less {short}; last {last}",
                figures.legs
            ),
        ));
    }
    if let Some(microseconds) = figures.probe_rtt_us {
        lines.push(("probe", milliseconds(microseconds)));
    }
    for change in &view.timeline {
        lines.push((
            "change",
            format!(
                "{} UTC {} to {}: {}",
                utc(change.at_ms),
                change.from,
                change.to,
                change.because
            ),
        ));
    }
    lines
}

fn set(view: &CarrierSetView) -> Answer {
    let text = format!(
        "carrier {}: {}{}",
        view.id,
        or_dash(&view.settings),
        effect(view.effect)
    );
    Answer::new(view, text)
}

async fn operate(settings: &Settings, command: control::Command) -> Result<Answer, CliError> {
    let view: CarrierOperateView = ask::command(settings, command).await?;
    let mut text = format!("carrier {}: {}", view.id, view.operator.word.as_str());
    if let Some(until_ms) = view.operator.until_ms {
        text.push_str(&format!(" until {} UTC", utc(until_ms)));
    }
    text.push_str(effect(view.effect));
    for left in &view.left_without {
        text.push_str(&format!("\nWARNING: {}", warning(left)));
    }
    Ok(Answer::new(&view, text))
}

fn warning(left: &LeftWithout) -> String {
    let routes: Vec<String> = left.but_routes.iter().map(ToString::to_string).collect();
    let but = if routes.is_empty() {
        String::new()
    } else {
        format!(", but for those of route {}", routes.join(", "))
    };
    format!("calls of {} have no carrier left{but}", left.entry)
}

fn or_dash(words: &[String]) -> String {
    if words.is_empty() {
        "-".to_owned()
    } else {
        words.join(" ")
    }
}
