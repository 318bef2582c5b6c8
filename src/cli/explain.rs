//! `crankback route explain`: the plan of one call, with the reason for everything in it and everything left out.

use clap::Args;

use crate::control::{self, ExplainView};

use super::output::{Answer, table};
use super::time::{parse_moment, utc};

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The number as it is dialled, dial prefix included
    number: String,
    /// The carrier whose dialplan entry takes the call; without it, the one whose pattern Asterisk would choose
    #[arg(long, value_name = "CARRIER")]
    entry: Option<String>,
    /// The campaign of the call
    #[arg(long)]
    campaign: Option<String>,
    /// When the call would come, for example 2026-11-21T18:00[Europe/Berlin] or 2026-11-21T17:00Z; without it, now
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    at: Option<i64>,
}

impl From<Explain> for control::Explain {
    fn from(arguments: Explain) -> Self {
        Self {
            number: arguments.number,
            entry: arguments.entry,
            campaign: arguments.campaign,
            at_ms: arguments.at,
        }
    }
}

pub(super) fn explained(view: &ExplainView) -> Answer {
    let campaign = view
        .campaign
        .as_deref()
        .map_or(String::new(), |campaign| format!(", campaign {campaign}"));
    let mut text = format!(
        "{} enters through {} ({}){campaign}, {} UTC\n",
        view.number,
        view.entry,
        view.pattern,
        utc(view.at_ms)
    );
    text.push_str(&table(
        ["TRY", "CARRIER", "NUMBER", "DIAL STRING", "BECAUSE"],
        view.candidates.iter().map(|leg| {
            [
                leg.place.to_string(),
                leg.carrier.clone(),
                leg.wire_number.clone(),
                leg.dial_string.clone(),
                leg.because.clone(),
            ]
        }),
    ));
    for left_out in &view.rejected {
        text.push_str(&format!("\nnot {}: {}", left_out.carrier, left_out.why));
    }
    Answer::new(view, text)
}
