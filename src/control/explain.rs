//! The plan of one call, with the reason for everything in it and everything left out.

use serde::{Deserialize, Serialize};

use crate::asterisk_conf::Pattern;
use crate::carrier::{Carrier, DialEntry};
use crate::config::Settings;
use crate::health::HealthView;
use crate::routing::{CallRequest, Candidate, Fitness, Plan, Rejection};
use crate::snapshot::Snapshot;

use super::carriers::{check_campaign, find};
use super::error::Error;

/// A call that might be placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explain {
    /// The number as it is dialled, dial prefix included.
    pub number: String,
    /// The carrier whose dialplan entry takes the call; `None`: the one whose pattern Asterisk would choose.
    #[serde(default)]
    pub entry: Option<String>,
    /// The campaign of the call.
    #[serde(default)]
    pub campaign: Option<String>,
}

/// Answers [`Query::Explain`](super::Query::Explain).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainView {
    /// The number as it is dialled.
    pub number: String,
    /// The carrier whose dialplan entry takes the call.
    pub entry: String,
    /// The pattern of that entry.
    pub pattern: String,
    /// The campaign.
    pub campaign: Option<String>,
    /// Whom the call would be tried through, in order.
    pub candidates: Vec<CandidateView>,
    /// Whom not, and why.
    pub rejected: Vec<RejectedView>,
}

/// A carrier that would be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateView {
    /// Its turn, from 1.
    pub place: usize,
    /// The carrier.
    pub carrier: String,
    /// `PJSIP`, `SIP` or `IAX2`.
    pub technology: String,
    /// The number that it would be sent.
    pub wire_number: String,
    /// What `Dial()` would be given.
    pub dial_string: String,
    /// Why it stands there, for people.
    pub because: String,
}

/// A carrier that would not be tried: the rejection's own code and values, and the same in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedView {
    /// The carrier.
    pub carrier: String,
    /// In words.
    pub why: String,
    /// Code and values.
    #[serde(flatten)]
    pub rejection: Rejection,
}

pub(super) fn explain(
    snapshot: &Snapshot,
    health: HealthView,
    settings: &Settings,
    asked: Explain,
) -> Result<ExplainView, Error> {
    check_campaign(&snapshot.campaigns, asked.campaign.as_deref())?;
    let Explain {
        number,
        entry,
        campaign,
    } = asked;
    let (carrier, line) = match &entry {
        Some(id) => {
            let carrier = find(snapshot, settings, id)?;
            (carrier, dialled_by(carrier, &number).map(|(line, _)| line))
        }
        None => match chosen_by_asterisk(snapshot, &number) {
            Some((carrier, line)) => (carrier, Some(line)),
            None => {
                let of = "any carrier".to_owned();
                return Err(Error::NoPattern { number, of });
            }
        },
    };
    let Some(line) = line else {
        let of = format!("carrier {}", carrier.id);
        return Err(Error::NoPattern { number, of });
    };
    let wire_number = line.format.apply(&number).map_err(|error| Error::EntryNumber {
        carrier: carrier.id.clone(),
        pattern: line.pattern.clone(),
        error,
    })?;
    let request = CallRequest {
        entry: carrier.id.clone(),
        dialled: number,
        dial_string: carrier.dial_string(&wire_number),
        campaign,
    };
    let plan = snapshot
        .table
        .explain(&request, &Fitness::of_call(health, &request.dialled));
    Ok(view(request, &line.pattern, plan))
}

/// The carrier whose line Asterisk would run: the most specific pattern; among equals the one that VICIdial writes first.
fn chosen_by_asterisk<'a>(snapshot: &'a Snapshot, number: &str) -> Option<(&'a Carrier, &'a DialEntry)> {
    snapshot
        .carriers
        .iter()
        .filter_map(|carrier| dialled_by(carrier, number).map(|(line, pattern)| (carrier, line, pattern)))
        .min_by(|(_, _, left), (_, _, right)| left.compare_specificity(right))
        .map(|(carrier, line, _)| (carrier, line))
}

/// The line of a carrier's own dialplan entry that would dial `number`.
fn dialled_by<'a>(carrier: &'a Carrier, number: &str) -> Option<(&'a DialEntry, Pattern)> {
    carrier
        .entries
        .iter()
        .filter_map(|line| Some((line, line.pattern.parse::<Pattern>().ok()?)))
        .filter(|(_, pattern)| pattern.matches(number))
        .min_by(|(_, left), (_, right)| left.compare_specificity(right))
}

fn view(request: CallRequest, pattern: &str, plan: Plan) -> ExplainView {
    let stages = plan.stages.into_iter().enumerate();
    let candidates = stages.flat_map(|(stage, legs)| legs.legs.into_iter().map(move |leg| candidate(stage + 1, leg)));
    let rejected = plan.rejected.into_iter().map(|(carrier, rejection)| RejectedView {
        carrier: carrier.to_string(),
        why: rejection.to_string(),
        rejection,
    });
    ExplainView {
        candidates: candidates.collect(),
        rejected: rejected.collect(),
        number: request.dialled,
        entry: request.entry.to_string(),
        pattern: pattern.to_owned(),
        campaign: request.campaign,
    }
}

fn candidate(place: usize, leg: Candidate) -> CandidateView {
    CandidateView {
        place,
        carrier: leg.carrier.to_string(),
        technology: leg.technology.as_str().to_owned(),
        wire_number: leg.wire_number,
        dial_string: leg.dial_string,
        because: leg.because,
    }
}
