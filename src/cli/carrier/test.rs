//! `crankback carrier test`: one call through one carrier, and what came back.

use clap::Args;

use crate::config::Settings;
use crate::control::{self, CarrierTest, CarrierTestView, DEFAULT_RING_S};

use super::super::ask;
use super::super::error::CliError;
use super::super::output::{Answer, Exit, effect};

pub(in crate::cli) const HELP: &str =
    "The call goes through this carrier alone, whatever the routes and its state say, and is hung up as soon as it is \
answered. An answer makes a staged carrier active. Exit code 2: not answered.

Example:
  crankback carrier test SECOND --number 13125550100 --caller-id 13125550199";

#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// The carrier's id on the Carriers screen
    id: String,
    /// The number to call: phone code + number, or as it is dialled where the carrier has a pattern for it
    #[arg(long, value_name = "NUMBER")]
    number: String,
    /// The number that the called party sees
    #[arg(long, value_name = "NUMBER")]
    caller_id: Option<String>,
    /// How long it may ring, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_RING_S)]
    ring: u32,
}

pub(in crate::cli) async fn perform(arguments: Test, settings: &Settings) -> Result<Answer, CliError> {
    let command = control::Command::CarrierTest(CarrierTest {
        id: arguments.id,
        number: arguments.number,
        caller_id: arguments.caller_id,
        ring_s: arguments.ring,
    });
    let view: CarrierTestView = ask::command(settings, command).await?;
    let exit = if view.answered { Exit::Fine } else { Exit::Degraded };
    Ok(Answer::new(&view, text(&view)).with_exit(exit))
}

fn text(view: &CarrierTestView) -> String {
    let mut text = format!("carrier {}: {}\n", view.id, view.dial_string);
    for rung in &view.rungs {
        text.push_str(&format!("  {:>6} ms  {}\n", rung.after_ms, rung.what));
    }
    text.push_str(&view.outcome);
    if let Some(pdd_ms) = view.pdd_ms {
        text.push_str(&format!(", PDD {pdd_ms} ms"));
    }
    if let Some(from_when) = view.became_active {
        text.push_str(&format!("; the carrier is active now{}", effect(from_when)));
    }
    text
}
