//! From evidence to verdict: every level of authority is asked, the highest that has an answer decides.

use std::sync::Arc;

use super::above;
use super::action::{Action, Finding, Health};
use super::dialect::DialerResult;
use super::evidence::{EndedBy, Evidence, Progress};
use super::overrides::{Override, Overrides};
use super::phrase::Phrase;
use super::policy::{CarrierPolicy, Circumstances};
use super::row::{Row, Seen};
use super::selector::Selector;

/// What the end of an attempt means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What the call does next.
    pub action: Action,
    /// What the carrier's health learns.
    pub health: Health,
    /// What the dialer is told, were this the last attempt.
    pub dialer: DialerResult,
    /// What it says about the number, for [`LastWord`](super::LastWord).
    pub finding: Finding,
    /// For people.
    pub why: Arc<str>,
    /// The rule that decided; stable.
    pub rule: Arc<str>,
    /// Where that rule stands.
    pub authority: Authority,
}

/// Who may decide, the highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Authority {
    /// A rule that stands above every table.
    Above,
    /// The operator's override for this carrier.
    Override,
    /// The preset of the carrier's provider.
    Preset,
    /// The default tables.
    Default,
}

impl Authority {
    /// Every level, the highest first.
    pub const ALL: [Self; 4] = [Self::Above, Self::Override, Self::Preset, Self::Default];

    /// One word for people and machines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Above => "above",
            Self::Override => "override",
            Self::Preset => "preset",
            Self::Default => "default",
        }
    }
}

/// What one level of authority says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// The level.
    pub authority: Authority,
    /// Its rule.
    pub rule: Arc<str>,
    /// What the call would do next.
    pub action: Action,
    /// What the carrier's health would learn.
    pub health: Health,
    /// The answer would be about the number itself.
    pub definitive: bool,
    /// For people.
    pub why: Arc<str>,
}

/// A verdict and how it came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The verdict.
    pub verdict: Verdict,
    /// What each level says that has an answer, the highest first; the first of them decided.
    pub opinions: Vec<Opinion>,
}

/// Judges one ended attempt.
pub fn judge(evidence: &Evidence, circumstances: &Circumstances<'_>) -> Verdict {
    opinions(evidence, circumstances).verdict(evidence, circumstances.policy)
}

/// Judges one ended attempt and says what every level of authority thinks of it.
pub fn explain(evidence: &Evidence, circumstances: &Circumstances<'_>) -> Explanation {
    let opinions = opinions(evidence, circumstances);
    let verdict = opinions.verdict(evidence, circumstances.policy);
    let Opinions {
        above,
        overridden,
        preset,
        default,
    } = opinions;
    Explanation {
        verdict,
        opinions: [above, overridden, preset, Some(default)]
            .into_iter()
            .flatten()
            .collect(),
    }
}

/// What every level says. The tables always have an answer.
struct Opinions {
    above: Option<Opinion>,
    overridden: Option<Opinion>,
    preset: Option<Opinion>,
    default: Opinion,
}

fn opinions(evidence: &Evidence, circumstances: &Circumstances<'_>) -> Opinions {
    let policy = circumstances.policy;
    let phrase = evidence.received_reply().map(|reply| Phrase::new(&reply.phrase));
    let phrase = phrase.as_ref();
    let seen = Seen {
        evidence,
        phrase,
        rang: above::rang(evidence, policy),
        at_our_limit: circumstances.at_our_limit,
    };
    let row = circumstances.rules.row_for(seen);
    let default = by_tables(row, policy);
    let preset = policy.preset.as_ref().and_then(|preset| {
        let found = find(&preset.answers, evidence, phrase)?;
        // What a provider means by its codes does not outrank what it says in words.
        if row.is_some_and(Row::is_phrase_rule) && !matches!(found.selector, Selector::Phrase(_)) {
            return None;
        }
        let name = &preset.name;
        let rule = format!("preset:{name}:{}", found.selector);
        let why = format!("{}; preset {name}: {}", default.why, found.selector);
        Some(set(Authority::Preset, found, &default, policy, &rule, &why))
    });
    let below = preset.as_ref().unwrap_or(&default);
    let overridden = find(&policy.overrides, evidence, phrase).map(|found| {
        let rule = format!("override:{}", found.selector);
        let why = format!("{}; this carrier's override: {}", default.why, found.selector);
        set(Authority::Override, found, below, policy, &rule, &why)
    });
    let definitive = overridden.as_ref().unwrap_or(below).definitive;
    let above = above::decide(evidence, policy).map(|rule| Opinion {
        authority: Authority::Above,
        rule: rule.id.into(),
        action: rule.action,
        health: rule.health,
        definitive,
        why: rule.why.into(),
    });
    Opinions {
        above,
        overridden,
        preset,
        default,
    }
}

impl Opinions {
    fn verdict(&self, evidence: &Evidence, policy: &CarrierPolicy) -> Verdict {
        let deciding = self
            .above
            .as_ref()
            .or(self.overridden.as_ref())
            .or(self.preset.as_ref())
            .unwrap_or(&self.default);
        Verdict {
            action: deciding.action,
            health: deciding.health,
            dialer: DialerResult::of(evidence),
            finding: finding(deciding, evidence, policy),
            why: Arc::clone(&deciding.why),
            rule: Arc::clone(&deciding.rule),
            authority: deciding.authority,
        }
    }
}

fn by_tables(row: Option<&Row>, policy: &CarrierPolicy) -> Opinion {
    match row {
        Some(row) => Opinion {
            authority: Authority::Default,
            rule: Arc::clone(&row.id),
            action: if policy.repair_allowed {
                row.action
            } else {
                row.without_repair
            },
            health: row.health,
            definitive: row.definitive,
            why: Arc::clone(&row.why),
        },
        None => Opinion {
            authority: Authority::Default,
            rule: "no_cause".into(),
            action: Action::Next,
            health: Health::Weak,
            definitive: false,
            why: "ended without a cause".into(),
        },
    }
}

/// What an override or a preset makes of the answer; what it leaves open is as on the level below.
fn set(
    authority: Authority,
    found: &Override,
    below: &Opinion,
    policy: &CarrierPolicy,
    rule: &str,
    why: &str,
) -> Opinion {
    let action = match found.setting.action {
        Action::RepairAndRetry if !policy.repair_allowed => Action::Next,
        action @ (Action::Next | Action::OneMore | Action::Stop | Action::RepairAndRetry) => action,
    };
    Opinion {
        authority,
        rule: rule.into(),
        action,
        health: found.setting.health.unwrap_or(below.health),
        definitive: found.setting.definitive.unwrap_or(below.definitive),
        why: why.into(),
    }
}

/// The first override that is about this answer.
fn find<'a>(overrides: &'a Overrides, evidence: &Evidence, phrase: Option<&Phrase>) -> Option<&'a Override> {
    let reply = evidence.final_reply();
    overrides.iter().find(|it| match &it.selector {
        Selector::Phrase(pattern) => phrase.is_some_and(|phrase| pattern.matches(phrase)),
        Selector::Code(code) => reply.is_some_and(|reply| reply.code == *code),
        Selector::Cause(cause) => evidence.q850 == Some(*cause),
        Selector::Class(class) => reply.is_some_and(|reply| reply.code / 100 == u16::from(*class)),
    })
}

fn finding(deciding: &Opinion, evidence: &Evidence, policy: &CarrierPolicy) -> Finding {
    let reached =
        evidence.ended_by_caller() || evidence.progress == Progress::Answered || above::rang(evidence, policy);
    let ended_by_itself = match evidence.ended_by {
        EndedBy::Carrier | EndedBy::Unseen => evidence.progress != Progress::Answered,
        EndedBy::Us(_) | EndedBy::Caller | EndedBy::Dialer => false,
    };
    // A carrier that did its work and goes no further: not available, no answer, redirected.
    let did_its_work =
        deciding.authority != Authority::Above && deciding.action == Action::Stop && deciding.health == Health::None;
    if deciding.definitive && ended_by_itself {
        Finding::Definitive
    } else if reached || did_its_work {
        Finding::Reached
    } else {
        Finding::Nothing
    }
}
