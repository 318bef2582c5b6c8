//! `crankback notify test`, run as a program, also over TLS with an authority that the system knows.

use std::process::Command;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::SECRET;
use super::sinks::{HttpSink, MailSink};

const MAIL_PASSWORD: &str = "hunter2";

/// Runs the program with the lines of `[notify]`; gives the exit code and the JSON answer.
async fn notify_test(directory: &TempDir, notify: &str) -> (i32, Value) {
    let config = directory.path().join("crankback.toml");
    std::fs::write(directory.path().join("webhook-secret"), format!("{SECRET}\n")).expect("is written");
    let required = "[server]\nip = \"10.0.0.7\"\n[ari]\nusername = \"crankback\"\npassword = \"x\"\n";
    std::fs::write(&config, format!("{required}[notify]\n{notify}")).expect("is written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_crankback"));
    command
        .args(["-o", "json", "notify", "test"])
        .env_clear()
        .env("CRANKBACK_ASTGUICLIENT", "")
        .env("CRANKBACK_CONFIG", &config)
        .env("SSL_CERT_FILE", directory.path().join("authority.pem"));
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    let output = output.expect("is not cancelled").expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    for secret in [SECRET, MAIL_PASSWORD, "T0KEN"] {
        assert!(!format!("{stdout}{stderr}").contains(secret), "{stdout}{stderr}");
    }
    let code = output.status.code().expect("ends by itself");
    let json = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"));
    (code, json)
}

fn webhook(address: impl std::fmt::Display, directory: &TempDir) -> String {
    let secret = directory.path().join("webhook-secret");
    format!("webhook_url = \"{address}/T0KEN\"\nwebhook_secret_file = {secret:?}\n")
}

fn mail(host: &str, port: u16, tls: &str) -> String {
    format!(
        "mail_host = \"{host}\"\nmail_port = {port}\nmail_tls = \"{tls}\"\nmail_user = \"crankback\"\nmail_password = \
         \"{MAIL_PASSWORD}\"\nmail_from = \"crankback@example.com\"\nmail_to = \"noc@example.com\"\n"
    )
}

fn sent(answer: &Value) -> Vec<(&str, bool)> {
    let channels = answer["channels"].as_array().expect("a list");
    channels
        .iter()
        .map(|channel| {
            (
                channel["channel"].as_str().expect("a name"),
                channel["sent"].as_bool().expect("yes or no"),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_channel_is_tried_and_the_exit_code_says_how_it_went() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut http = HttpSink::start(|n| Some(if n == 2 { 500 } else { 200 }), None).await;
    let mut smtp = MailSink::start(None, None).await;
    let hook = webhook(format!("http://{}", http.address), &directory);
    let post = mail("127.0.0.1", smtp.address.port(), "off");

    let (code, answer) = notify_test(&directory, &format!("{hook}{post}")).await;
    assert_eq!(
        (code, sent(&answer)),
        (0, vec![("webhook", true), ("mail", true)]),
        "{answer}"
    );
    assert_eq!(http.next().await.json()["event"], "test");
    assert!(smtp.next().await.text.contains("test: notices arrive"));

    drop(smtp);
    let (code, answer) = notify_test(&directory, &format!("{hook}{}", mail("127.0.0.1", 1, "off"))).await;
    assert_eq!(
        (code, sent(&answer)),
        (2, vec![("webhook", true), ("mail", false)]),
        "{answer}"
    );
    assert_eq!(answer["channels"][1]["code"], "notice_not_taken_now");

    let (code, answer) = notify_test(&directory, &hook).await;
    assert_eq!((code, sent(&answer)), (1, vec![("webhook", false)]), "{answer}");
    assert_eq!(
        (&answer["channels"][0]["error"], &answer["channels"][0]["target"]),
        (
            &json!("HTTP 500 Internal Server Error"),
            &json!(format!("http://{}", http.address))
        )
    );

    let (code, answer) = notify_test(&directory, "").await;
    assert_eq!((code, sent(&answer)), (1, vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_the_certificate_must_be_one_that_the_system_trusts() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (authority, acceptor) = certified();
    std::fs::write(directory.path().join("authority.pem"), &authority).expect("is written");
    let http = HttpSink::start(|_| Some(200), Some(acceptor.clone())).await;
    let smtp = MailSink::start(None, Some(acceptor)).await;
    let hook = webhook(format!("https://localhost:{}", http.address.port()), &directory);
    let both = format!("{hook}{}", mail("localhost", smtp.address.port(), "tls"));
    let (code, answer) = notify_test(&directory, &both).await;
    assert_eq!(
        (code, sent(&answer)),
        (0, vec![("webhook", true), ("mail", true)]),
        "{answer}"
    );

    let (another, _) = certified();
    std::fs::write(directory.path().join("authority.pem"), &another).expect("is written");
    let (code, answer) = notify_test(&directory, &both).await;
    assert_eq!(
        (code, sent(&answer)),
        (1, vec![("webhook", false), ("mail", false)]),
        "{answer}"
    );

    // A server without STARTTLS gets nothing, least of all the password.
    let mut plain = MailSink::start(None, None).await;
    let starttls = mail("localhost", plain.address.port(), "starttls");
    let (code, answer) = notify_test(&directory, &starttls).await;
    assert_eq!((code, sent(&answer)), (1, vec![("mail", false)]), "{answer}");
    assert!(plain.mailed.try_recv().is_err());
}

/// An authority's certificate, and a server with one of it for `localhost`.
fn certified() -> (String, TlsAcceptor) {
    let authority_key = KeyPair::generate().expect("a key");
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).expect("a certificate");
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().expect("a key");
    let server = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let certificate = server.signed_by(&key, &issuer).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(certificate.der().to_vec())], key)
        .expect("a usable certificate");
    (authority_certificate.pem(), TlsAcceptor::from(Arc::new(config)))
}
