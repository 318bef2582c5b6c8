//! `crankback verdict explain`: one answer through every level of authority.

use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};
use serde::Serialize;

use crate::carrier::Technology;
use crate::cli::error::CliError;
use crate::cli::output::{Answer, fields, table};
use crate::control::CarrierView;
use crate::verdict::{
    Authority, CarrierPolicy, Circumstances, EndedBy, Evidence, Explanation, FailoverAfter183, Overrides, Progress,
    Rulebook, SipReply, Source, cause_named, cause_of_code, explain as explain_verdict, name_of_cause,
};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("answer").required(true).multiple(true)))]
pub(in crate::cli) struct Explain {
    /// The final SIP response; without it, --cause
    #[arg(value_parser = clap::value_parser!(u16).range(300..=699), group = "answer")]
    code: Option<u16>,
    /// Its reason phrase [default: the standard's]
    #[arg(long, value_name = "WORDS")]
    phrase: Option<String>,
    /// The Q.850 cause, by number (1 to 127) or name [default: what Asterisk makes of the code]
    #[arg(long, value_parser = cause, value_name = "CAUSE", group = "answer")]
    cause: Option<u8>,
    /// This carrier, with what `carrier set` says of it
    #[arg(long, value_name = "ID")]
    carrier: Option<String>,
    /// The carrier's provider
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// An override of the carrier: a SIP code, a class (5xx), a cause or phrase:WORDS, = action, perhaps /health
    #[arg(long = "override", value_name = "ANSWER=ACTION")]
    overrides: Vec<String>,
    /// What came before it
    #[arg(long, value_enum)]
    after: Option<Before>,
    /// The carrier sends 180 or 183 before it knows anything
    #[arg(long)]
    fakes_progress: bool,
    /// Let a server's failure soon after 183 go to the next carrier
    #[arg(long)]
    failover_after_183: bool,
    /// The request may be repaired and tried again at the same carrier
    #[arg(long)]
    repair: bool,
    /// We were at our agreed channels or calls per second with the carrier
    #[arg(long)]
    at_our_limit: bool,
    /// From the start of the attempt to its end
    #[arg(long, default_value_t = 100, value_name = "MILLISECONDS")]
    elapsed_ms: u64,
    /// pjsip, sip or iax2 [default: the carrier's, or pjsip]
    #[arg(long)]
    technology: Option<Technology>,
    /// Asterisk made the failure itself: no response in time, connection refused
    #[arg(long)]
    local: bool,
}

/// A sign of progress.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Before {
    /// Ringing
    #[value(name = "180")]
    Ringing,
    /// Session progress, with media
    #[value(name = "183")]
    Media,
}

fn cause(text: &str) -> Result<u8, String> {
    text.parse()
        .ok()
        .filter(|cause| (1..=127).contains(cause))
        .or_else(|| cause_named(text))
        .ok_or_else(|| "neither a number from 1 to 127 nor the name of a cause, such as USER_BUSY".to_owned())
}

impl Explain {
    /// The carrier whose settings are wanted.
    pub(super) fn carrier(&self) -> Option<String> {
        self.carrier.clone()
    }

    /// Takes what is set about a carrier for everything that was not said here.
    pub(super) fn take_over(&mut self, carrier: &CarrierView) {
        self.technology = self.technology.or_else(|| carrier.technology.parse().ok());
        for setting in &carrier.settings {
            match setting.split_once('=') {
                Some(("preset", name)) => self.preset = self.preset.take().or_else(|| Some(name.to_owned())),
                Some(("fakes_progress", "yes")) => self.fakes_progress = true,
                Some(("failover_after_183", "if_5xx")) => self.failover_after_183 = true,
                Some(_) | None => self
                    .overrides
                    .extend(setting.strip_prefix("verdict:").map(str::to_owned)),
            }
        }
    }

    /// What an engine would have seen.
    fn evidence(&self, rules: &Rulebook) -> Evidence {
        let usual_phrase = |code| rules.name_of_code(code).unwrap_or_default().to_owned();
        // Of a failure that Asterisk made there is no response, only the cause.
        let received = self.code.filter(|_| !self.local);
        Evidence {
            sip: received.map(|code| SipReply {
                code,
                phrase: self.phrase.clone().unwrap_or_else(|| usual_phrase(code)),
            }),
            q850: self.cause.or_else(|| self.code.and_then(cause_of_code)),
            source: match (self.local, received) {
                (true, _) => Source::Local,
                (false, Some(_)) => Source::Received,
                (false, None) => Source::Unknown,
            },
            progress: match (self.after, received) {
                (Some(Before::Ringing), _) => Progress::Ringing,
                (Some(Before::Media), _) => Progress::Media,
                (None, Some(_)) => Progress::Trying,
                (None, None) => Progress::None,
            },
            ended_by: EndedBy::Carrier,
            refused: false,
            elapsed: Duration::from_millis(self.elapsed_ms),
            technology: self.technology.unwrap_or(Technology::Pjsip),
            retry_after: None,
        }
    }

    fn policy(&self, rules: &Rulebook) -> Result<CarrierPolicy, CliError> {
        Ok(CarrierPolicy {
            fakes_progress: self.fakes_progress,
            failover_after_183: if self.failover_after_183 {
                FailoverAfter183::IfServerFailure
            } else {
                FailoverAfter183::Never
            },
            overrides: Overrides::from_assignments(self.overrides.iter().map(String::as_str))?,
            preset: self.preset.as_deref().map(|name| rules.preset(name)).transpose()?,
            repair_allowed: self.repair,
        })
    }
}

pub(super) fn explain(arguments: &Explain) -> Result<Answer, CliError> {
    let rules = Rulebook::built_in();
    let policy = arguments.policy(rules)?;
    let evidence = arguments.evidence(rules);
    let circumstances = Circumstances {
        policy: &policy,
        rules,
        at_our_limit: arguments.at_our_limit,
    };
    let view = View::new(&evidence, &explain_verdict(&evidence, &circumstances));
    let text = view.to_text(&seen(&evidence));
    Ok(Answer::new(&view, text))
}

/// The evidence in words.
fn seen(evidence: &Evidence) -> String {
    let answer = evidence
        .sip
        .as_ref()
        .map_or_else(|| "no response".to_owned(), ToString::to_string);
    let cause = evidence
        .q850
        .map_or_else(String::new, |cause| match name_of_cause(cause) {
            Some(name) => format!(", cause {cause} {name}"),
            None => format!(", cause {cause}"),
        });
    let source = match evidence.source {
        Source::Received => ", received",
        Source::Local => ", made by Asterisk",
        Source::Unknown => "",
    };
    let progress = match evidence.progress {
        Progress::None | Progress::Trying | Progress::Answered => "",
        Progress::Ringing => ", after 180",
        Progress::Media => ", after 183",
    };
    format!(
        "{answer}{cause}{source}{progress}, {} ms after the start, {}",
        evidence.elapsed.as_millis(),
        evidence.technology
    )
}

/// What machines get.
#[derive(Debug, Serialize)]
struct View {
    sip: Option<String>,
    cause: Option<u8>,
    progress: &'static str,
    technology: &'static str,
    action: &'static str,
    health: &'static str,
    dialstatus: &'static str,
    hangupcause: u8,
    finding: &'static str,
    why: String,
    rule: String,
    authority: &'static str,
    levels: Vec<Level>,
}

/// One level of authority; without a rule it has nothing to say.
#[derive(Debug, Serialize)]
struct Level {
    authority: &'static str,
    decides: bool,
    rule: Option<String>,
    action: Option<&'static str>,
    health: Option<&'static str>,
    why: Option<String>,
}

impl View {
    fn new(evidence: &Evidence, explanation: &Explanation) -> Self {
        let verdict = &explanation.verdict;
        let level = |authority: Authority| {
            let opinion = explanation.opinions.iter().find(|it| it.authority == authority);
            Level {
                authority: authority.as_str(),
                decides: authority == verdict.authority,
                rule: opinion.map(|it| it.rule.to_string()),
                action: opinion.map(|it| it.action.as_str()),
                health: opinion.map(|it| it.health.as_str()),
                why: opinion.map(|it| it.why.to_string()),
            }
        };
        Self {
            sip: evidence.sip.as_ref().map(ToString::to_string),
            cause: evidence.q850,
            progress: evidence.progress.as_str(),
            technology: evidence.technology.as_str(),
            action: verdict.action.as_str(),
            health: verdict.health.as_str(),
            dialstatus: verdict.dialer.dialstatus.as_str(),
            hangupcause: verdict.dialer.cause.unwrap_or_default(),
            finding: verdict.finding.as_str(),
            why: verdict.why.to_string(),
            rule: verdict.rule.to_string(),
            authority: verdict.authority.as_str(),
            levels: Authority::ALL.map(level).into(),
        }
    }

    fn to_text(&self, seen: &str) -> String {
        let verdict = fields(&[
            ("action", self.action.to_owned()),
            ("health", self.health.to_owned()),
            ("DIALSTATUS", self.dialstatus.to_owned()),
            ("HANGUPCAUSE", self.hangupcause.to_string()),
            ("why", self.why.clone()),
            ("rule", format!("{} ({})", self.rule, self.authority)),
        ]);
        let levels = self.levels.iter().map(|level| {
            let or_dash = |text: Option<&str>| text.unwrap_or("-").to_owned();
            [
                level.authority.to_owned(),
                if level.decides { "decides" } else { "" }.to_owned(),
                or_dash(level.rule.as_deref()),
                or_dash(level.action),
                or_dash(level.health),
                or_dash(level.why.as_deref()),
            ]
        });
        let levels = table(["LEVEL", "", "RULE", "ACTION", "HEALTH", "WHY"], levels);
        format!("{seen}\n\n{verdict}\n\n{levels}")
    }
}
