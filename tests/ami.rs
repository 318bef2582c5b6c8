//! The manager client against real Asterisk, 16 and 22, and against somebody who answers as no Asterisk does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm
)]

mod support;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crankback::ami::{Error, Login, Registration, Seen, Session, Standing, watch};
use crankback::asterisk_conf::RegisteredAccount;
use support::asterisk::{AMI_SECRET, AMI_USER, Asterisk, AsteriskConfig, Trunk};
use support::roots::{AsteriskVersion, Root, progress_on_stderr};
use support::sip::{FakeCarrier, Reply};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// For a change that is on its way.
const PATIENCE: Duration = Duration::from_secs(20);

fn login(address: SocketAddr, secret: &str) -> Login {
    Login {
        address,
        user: AMI_USER.to_owned(),
        secret: secret.to_owned().into(),
    }
}

/// Asks until the account's registration stands so.
async fn until(session: &mut Session, account: &RegisteredAccount, standing: Standing) -> Registration {
    let began = Instant::now();
    loop {
        let all = session.registrations().await.unwrap();
        if let Some(found) = Registration::best(std::slice::from_ref(account), &all)
            && found.standing == standing
        {
            return found.clone();
        }
        assert!(began.elapsed() < PATIENCE, "{account:?} is not {standing:?}: {all:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn registrations_stand_and_fall(version: AsteriskVersion) {
    let root = Root::ensure(version, progress_on_stderr).await.unwrap();
    let carrier = FakeCarrier::start("REGISTRAR").await.unwrap();
    let address = carrier.addr();
    let mut trunk = Trunk::pjsip("wanted", address);
    trunk.extra = format!(
        "[wanted-registration]\ntype = registration\ntransport = transport-udp\nserver_uri = sip:{address}\n\
         client_uri = sip:pjsip-user@{address}\nretry_interval = 1\nforbidden_retry_interval = 1\nmax_retries = 1000\n"
    );
    let mut config = AsteriskConfig::new(4577).trunk(trunk);
    if version.has_chan_sip() {
        let mut old = Trunk::sip("old", address);
        old.extra = format!("[general](+)\nregister => sip-user:secret@{address}\n");
        config = config.trunk(old);
    }
    let asterisk = Asterisk::start(&root, config).await.unwrap();
    let manager = SocketAddr::from(([127, 0, 0, 1], asterisk.ports().ami));

    let refused = Session::open(&login(manager, "wrong-secret")).await.unwrap_err();
    assert!(matches!(refused, Error::Login { .. }), "{refused}");
    assert!(!refused.to_string().contains("wrong-secret"), "{refused}");

    let host = address.ip().to_string();
    let of = |user: &str| RegisteredAccount::new(user, &host).unwrap();
    let mut session = Session::open(&login(manager, AMI_SECRET)).await.unwrap();
    until(&mut session, &of("pjsip-user"), Standing::Registered).await;
    if version.has_chan_sip() {
        until(&mut session, &of("sip-user"), Standing::Registered).await;
    }
    assert!(carrier.stats().registers > 0);

    carrier.set_register_reply(Reply::Code(403));
    asterisk.cli("pjsip send register wanted-registration").await.unwrap();
    let lost = until(&mut session, &of("pjsip-user"), Standing::Lost).await;
    assert_eq!(lost.said, "Rejected");
    carrier.set_register_reply(Reply::Code(200));
    until(&mut session, &of("pjsip-user"), Standing::Registered).await;
    asterisk.stop();
    assert!(session.registrations().await.is_err(), "Asterisk is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_stand_and_fall_on_22() {
    registrations_stand_and_fall(AsteriskVersion::V22).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_stand_and_fall_on_16() {
    registrations_stand_and_fall(AsteriskVersion::V16).await;
}

/// Serves each connection with a greeting, an answer to its login and then one answer to each question.
async fn manager(greeting: &'static str, answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    serve_on(listener, greeting, answer);
    address
}

fn serve_on(listener: TcpListener, greeting: &'static str, answer: &'static str) {
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (reader, mut writer) = stream.split();
            if writer.write_all(greeting.as_bytes()).await.is_err() {
                continue;
            }
            let mut lines = BufReader::new(reader).lines();
            let (mut id, mut is_login) = (String::new(), false);
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(own) = line.strip_prefix("ActionID: ") {
                    id = own.to_owned();
                } else if line == "Action: Login" {
                    is_login = true;
                } else if line.is_empty() {
                    let text = if std::mem::take(&mut is_login) {
                        "Response: Success\r\nActionID: ID\r\nMessage: Authentication accepted\r\n\r\n\
                         Event: FullyBooted\r\nStatus: Fully Booted\r\n\r\n"
                    } else {
                        answer
                    };
                    if writer
                        .write_all(text.replace("ID\r", &format!("{id}\r")).as_bytes())
                        .await
                        .is_err()
                    {
                        break;
                    }
                }
            }
        }
    });
}

const GREETING: &str = "Asterisk Call Manager/5.0.2\r\n";

#[tokio::test]
async fn what_answers_otherwise_is_named() {
    let forbidden = manager(
        GREETING,
        "Response: Error\r\nActionID: ID\r\nMessage: Permission denied\r\n\r\n",
    )
    .await;
    let mut session = Session::open(&login(forbidden, "x")).await.unwrap();
    let error = session.registrations().await.unwrap_err();
    assert_eq!(error.code(), "ami_forbidden", "{error}");
    assert!(error.to_string().contains("PJSIPShowRegistrationsOutbound"), "{error}");

    let unknown = "Response: Error\r\nActionID: ID\r\nMessage: Invalid/unknown command: SIPshowregistry.\r\n\r\n";
    let without_drivers = manager(GREETING, unknown).await;
    let mut session = Session::open(&login(without_drivers, "x")).await.unwrap();
    assert_eq!(session.registrations().await.unwrap(), []);

    let stranger = manager("SSH-2.0-OpenSSH_9.2\r\n", "").await;
    let error = Session::open(&login(stranger, "x")).await.unwrap_err();
    assert_eq!(error.code(), "ami_stranger", "{error}");
}

#[tokio::test]
async fn the_watch_tells_once_that_nobody_answers_and_ends_with_its_listener() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let (seen, mut heard) = mpsc::channel(1);
    let task = tokio::spawn(watch(login(address, "x"), Duration::from_millis(5), seen));
    match heard.recv().await {
        Some(Seen::Away(error)) => assert_eq!(error.code(), "ami_connection", "{error}"),
        other => panic!("{other:?}"),
    }
    let answer = "Response: Success\r\nActionID: ID\r\nEventList: start\r\n\r\n\
                  Event: RegistryEntry\r\nActionID: ID\r\nHost: a.example\r\nUsername: acct\r\nState: Registered\r\n\r\n\
                  Event: RegistrationsComplete\r\nActionID: ID\r\nEventList: Complete\r\n\r\n";
    let back = tokio::net::TcpSocket::new_v4().unwrap();
    back.set_reuseaddr(true).unwrap();
    back.bind(address).unwrap();
    serve_on(back.listen(8).unwrap(), GREETING, answer);
    match heard.recv().await {
        Some(Seen::Registrations(all)) => assert_eq!(all.len(), 2, "chan_sip's and chan_iax2's: {all:?}"),
        other => panic!("{other:?}"),
    }
    drop(heard);
    task.await.unwrap();
}
