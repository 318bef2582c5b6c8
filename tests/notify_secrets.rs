//! No secret of a notice's channel stands in a log line or `Debug` text. One test, for it owns the process's logger.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod full_log;
#[allow(dead_code, reason = "shared with the other tests of notices")]
#[path = "notify/sinks.rs"]
mod sinks;

use std::time::Duration;

use crankback::notify::{
    Limits, MailSettings, MailTls, Notice, Notifier, NotifySettings, WebhookSettings, WebhookUrl, try_all,
};
use secrecy::SecretString;

use full_log::FullLog;
use sinks::{HttpSink, MailSink};

/// Far more than anything here takes.
pub const SOON: Duration = Duration::from_secs(30);
const SECRET: &str = "correct horse battery staple";
const PASSWORD: &str = "hunter2hunter2";
const TOKEN: &str = "T0KEN";

#[tokio::test]
async fn no_secrets_in_logs_or_debug_texts() {
    let log = FullLog::begin();

    let mut http = HttpSink::start(|n| Some(if n == 0 { 500 } else { 404 }), None).await;
    let mut smtp = MailSink::start(None, None).await;
    let settings = NotifySettings {
        webhook: Some(WebhookSettings {
            url: WebhookUrl::parse(&format!("http://{}/{TOKEN}", http.address)).expect("is an address"),
            secret: SecretString::from(SECRET),
        }),
        mail: Some(MailSettings {
            host: "127.0.0.1".into(),
            port: smtp.address.port(),
            tls: MailTls::Off,
            credentials: Some(("crankback".into(), SecretString::from(PASSWORD))),
            from: "crankback@example.com".parse().expect("an address"),
            to: "noc@example.com".parse().expect("an address"),
        }),
        ..NotifySettings::default()
    };
    let limits = Limits {
        first_pause: Duration::from_millis(1),
        ..Limits::default()
    };
    let notifier = Notifier::open(&settings, limits, "10.0.0.7".into());
    notifier.tell(Notice::Test(0));
    http.next().await;
    assert!(http.next().await.line.contains(TOKEN), "the token was in use");
    let mail = smtp.next().await;
    let tried = try_all(&settings, "10.0.0.7", 0).await;
    drop(http);
    drop(smtp);
    let unreachable = NotifySettings {
        webhook: Some(WebhookSettings {
            url: WebhookUrl::parse(&format!("http://127.0.0.1:1/{TOKEN}")).expect("is an address"),
            secret: SecretString::from(SECRET),
        }),
        ..settings.clone()
    };
    let failed = try_all(&unreachable, "10.0.0.7", 0).await;

    let auth = mail.auth.expect("the password was in use");
    let encoded = auth.split(' ').next_back().expect("a word").to_owned();
    let mut shown = vec![
        format!("{settings:?} {settings:#?}"),
        format!("{notifier:?}"),
        format!("{tried:?} {failed:?}"),
    ];
    shown.extend(
        failed
            .iter()
            .filter_map(|tried| Some(tried.result.as_ref().err()?.to_string())),
    );
    let log = log.text();
    assert!(
        log.contains("TRACE hyper"),
        "the libraries' own trace lines are captured"
    );
    assert!(
        log.contains("notice sent") || log.contains("notice not sent yet"),
        "and ours:\n{log}"
    );
    shown.push(log);
    for text in shown {
        for secret in [SECRET, PASSWORD, TOKEN, &encoded] {
            assert!(!text.contains(secret), "{secret:?} is shown in: {text}");
        }
    }
}
