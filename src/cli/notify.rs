//! `crankback notify`: who is told what happens to carriers.

use clap::Subcommand;
use serde_json::json;

use crate::config::Settings;
use crate::engine::now;
use crate::notify::{self, Tried};

use super::error::CliError;
use super::output::{Answer, Exit, table};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Send a test notice through each channel of [notify]: 0 all arrived, 1 none did or none is set up, 2 some did
    Test,
}

pub(super) async fn perform(command: Command, settings: &Settings) -> Result<Answer, CliError> {
    match command {
        Command::Test => {
            let server_ip = settings.server.ip.to_string();
            Ok(tried(
                &notify::try_all(&settings.notify, &server_ip, now().wall_ms).await,
            ))
        }
    }
}

fn tried(tried: &[Tried]) -> Answer {
    let arrived = tried.iter().filter(|tried| tried.result.is_ok()).count();
    let exit = match arrived {
        0 => Exit::Error,
        all if all == tried.len() => Exit::Fine,
        _ => Exit::Degraded,
    };
    let channels: Vec<_> = tried
        .iter()
        .map(|tried| {
            let error = tried.result.as_ref().err();
            json!({
                "channel": tried.channel,
                "target": tried.target,
                "sent": error.is_none(),
                "code": error.map(notify::SendError::code),
                "error": error.map(ToString::to_string),
            })
        })
        .collect();
    let text = if tried.is_empty() {
        "no channel is set up: give notify.webhook_url or notify.mail_host in the configuration".to_owned()
    } else {
        let rows = tried.iter().map(|tried| {
            let result = match &tried.result {
                Ok(()) => "sent".to_owned(),
                Err(error) => format!("FAILED: {error}"),
            };
            [tried.channel.to_owned(), tried.target.clone(), result]
        });
        table(["CHANNEL", "TO", "RESULT"], rows)
    };
    Answer::new(&json!({ "channels": channels }), text).with_exit(exit)
}
