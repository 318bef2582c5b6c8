//! `[notify]` as it is written, and what becomes of it.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::{Mailbox, Mailboxes};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::notify::{MailSettings, MailTls, NotifySettings, WebhookSettings, WebhookUrl};

use super::document::Password;
use super::error::Problem;
use super::validate::{self, problem};

/// The keys of `[notify]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NotifyDocument {
    pub min_interval_s: Option<u32>,
    pub webhook_url: Option<Password>,
    pub webhook_secret: Option<Password>,
    pub webhook_secret_file: Option<PathBuf>,
    pub mail_host: Option<String>,
    pub mail_port: Option<u16>,
    pub mail_tls: MailTls,
    pub mail_user: Option<String>,
    pub mail_password: Option<Password>,
    pub mail_password_file: Option<PathBuf>,
    pub mail_from: Option<String>,
    pub mail_to: Option<String>,
}

/// Turns the section into settings, or names what is wrong with it.
pub(super) fn settings(mut document: NotifyDocument, problems: &mut Vec<Problem>) -> NotifySettings {
    let default = NotifySettings::default();
    NotifySettings {
        minimum_interval: document
            .min_interval_s
            .map_or(default.minimum_interval, |seconds| Duration::from_secs(seconds.into())),
        webhook: webhook(&mut document, problems),
        mail: mail(document, problems),
    }
}

fn webhook(document: &mut NotifyDocument, problems: &mut Vec<Problem>) -> Option<WebhookSettings> {
    let (written, file) = (document.webhook_secret.take(), document.webhook_secret_file.take());
    let secret = secret("notify.webhook_secret", written, file, problems);
    let url = document.webhook_url.take()?;
    let url = WebhookUrl::parse(url.0.expose_secret())
        .map_err(|error| problem(problems, "notify.webhook_url", error.to_string()))
        .ok();
    if secret.is_none() {
        let what = "not set: give the key that notices are signed with, here or in notify.webhook_secret_file";
        problem(problems, "notify.webhook_secret", what);
    }
    Some(WebhookSettings {
        url: url?,
        secret: secret?,
    })
}

fn mail(document: NotifyDocument, problems: &mut Vec<Problem>) -> Option<MailSettings> {
    let (written, file) = (document.mail_password, document.mail_password_file);
    let password = secret("notify.mail_password", written, file, problems);
    let Some(host) = document.mail_host else {
        if document.mail_to.is_some() || document.mail_from.is_some() {
            problem(problems, "notify.mail_host", "not set: give the mail server");
        }
        return None;
    };
    let credentials = match (document.mail_user, password) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        (Some(_), None) => {
            problem(problems, "notify.mail_password", "not set, but notify.mail_user is");
            None
        }
        (None, Some(_)) => {
            problem(problems, "notify.mail_user", "not set, but notify.mail_password is");
            None
        }
    };
    let is_loopback = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    if document.mail_tls == MailTls::Off && credentials.is_some() && !is_loopback {
        let what = "off: the password would cross the network unprotected; use starttls or tls";
        problem(problems, "notify.mail_tls", what);
    }
    let from: Option<Mailbox> = address("notify.mail_from", document.mail_from, problems);
    let to: Option<Mailboxes> = address("notify.mail_to", document.mail_to, problems);
    Some(MailSettings {
        port: document.mail_port.unwrap_or(document.mail_tls.default_port()),
        tls: document.mail_tls,
        host,
        credentials,
        from: from?,
        to: to?,
    })
}

fn address<T: std::str::FromStr>(key: &'static str, text: Option<String>, problems: &mut Vec<Problem>) -> Option<T> {
    let address = text.as_deref().and_then(|text| text.parse().ok());
    if address.is_none() {
        let what = match text {
            None => "not set: give an address such as \"crankback@example.com\"".to_owned(),
            Some(text) => format!("{text:?} is no e-mail address such as \"Crankback <crankback@example.com>\""),
        };
        problem(problems, key, what);
    }
    address
}

/// A secret that may be missing and must not be empty: anybody could know it.
fn secret(
    key: &'static str,
    written: Option<Password>,
    file: Option<PathBuf>,
    problems: &mut Vec<Problem>,
) -> Option<SecretString> {
    let secret = validate::secret(key, written, file, problems)?;
    if secret.expose_secret().is_empty() {
        problem(problems, key, "empty: anybody could know it");
    }
    Some(secret)
}
