//! One try of every channel, for whoever sets them up.

use super::mail::Mail;
use super::notice::{Letter, Notice};
use super::outbox::{Channel, Limits, SendError, try_once};
use super::settings::NotifySettings;
use super::webhook::Webhook;

/// What became of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// `webhook` or `mail`.
    pub channel: &'static str,
    /// Where it leads; holds no secret.
    pub target: String,
    /// Whether the notice arrived.
    pub result: Result<(), SendError>,
}

/// Sends one test notice through each channel that is set up, without retries.
pub async fn try_all(settings: &NotifySettings, server_ip: &str, now_ms: i64) -> Vec<Tried> {
    let letter = Notice::Test(now_ms).letter(format!("{server_ip}-{now_ms}-test"), server_ip, 0);
    let mut tried = Vec::new();
    if let Some(webhook) = &settings.webhook {
        let target = webhook.url.to_string();
        tried.push(once("webhook", target, Webhook::new(webhook), &letter).await);
    }
    if let Some(mail) = &settings.mail {
        let target = format!("{}:{}", mail.host, mail.port);
        tried.push(once("mail", target, Mail::new(mail), &letter).await);
    }
    tried
}

async fn once(channel: &'static str, target: String, made: Result<impl Channel, SendError>, letter: &Letter) -> Tried {
    let result = match made {
        Ok(made) => try_once(&made, letter, Limits::default().try_limit).await,
        Err(error) => Err(error),
    };
    Tried {
        channel,
        target,
        result,
    }
}
