//! The lab itself, tried on both ends of what is supported.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

use support::agi_listener::{AgiKind, AgiListener, AgiRecord};
use support::ami::ChannelRow;
use support::asterisk::dialplan::CUSTOMER_EXTENSION;
use support::asterisk::{ARI_PASSWORD, ARI_USER, Asterisk, AsteriskConfig, Trunk, carrier_entry};
use support::dialer::{DEFAULT_CONTEXT, Dialer, NATIVE_CONTEXT};
use support::error::LabError;
use support::host;
use support::ports::ClosedTcpPort;
use support::roots::{AsteriskVersion, Root, progress_on_stderr};

const DIAL_TIMEOUT: Duration = Duration::from_secs(20);
const END_LIMIT: Duration = Duration::from_secs(15);
/// Dials an endpoint that does not exist.
const UNKNOWN_ENDPOINT: &str = "_91NXXNXXXXXX";
/// Dials a trunk whose TCP port is closed.
const CLOSED_TRUNK: &str = "_92NXXNXXXXXX";
/// Reaches nobody and stays.
const WAITING: &str = "94";
/// Ends with its CAMPDTO as part of its DIALSTATUS.
const TELLS_ITS_LIMIT: &str = "95";

/// One Asterisk with the entries above in context `native`, and the dialer in front of it.
struct Lab {
    asterisk: Asterisk,
    agi: AgiListener,
    dialer: Dialer,
    _closed: ClosedTcpPort,
}

impl Lab {
    async fn start(version: AsteriskVersion) -> Result<Self, LabError> {
        let root = Root::ensure(version, progress_on_stderr).await?;
        let agi = AgiListener::start().await?;
        let closed = ClosedTcpPort::take()?;
        let trunk = Trunk::pjsip_tcp("closed", closed.address());
        let dial_closed = format!("Dial({},${{CAMPDTO}},To)", trunk.dial_string("${EXTEN:1}"));
        let mut config = AsteriskConfig::new(agi.port())
            .trunk(trunk)
            .native_entry(&carrier_entry(
                UNKNOWN_ENDPOINT,
                "Dial(PJSIP/${EXTEN:1}@nobody,${CAMPDTO},To)",
            ))
            .native_entry(&carrier_entry(CLOSED_TRUNK, &dial_closed))
            .native_entry(&carrier_entry(WAITING, "Wait(60)"));
        // One entry comes from a file, with a word to be replaced.
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let entry = carrier_entry(TELLS_ITS_LIMIT, "Set(DIALSTATUS=WORD${CAMPDTO})");
        std::fs::write(file.path(), format!("[native-external]\n{entry}")).expect("it takes text");
        config.dialplan_files.push(file.path().to_owned());
        config
            .dialplan_replacements
            .push(("WORD".to_owned(), "LIMIT".to_owned()));
        let asterisk = Asterisk::start(&root, config).await?;
        let dialer = Dialer::new(asterisk.ami(), &agi);
        Ok(Self {
            asterisk,
            agi,
            dialer,
            _closed: closed,
        })
    }
}

/// The tests of one version, all alike.
macro_rules! for_each_version {
    ($($test:ident),* $(,)?) => {
        mod asterisk_16 {
            $(#[tokio::test] async fn $test() -> Result<(), super::LabError> { super::$test(super::AsteriskVersion::V16).await })*
        }
        mod asterisk_22 {
            $(#[tokio::test] async fn $test() -> Result<(), super::LabError> { super::$test(super::AsteriskVersion::V22).await })*
        }
    };
}

for_each_version!(
    boots_quickly_with_a_clean_log,
    a_failed_boot_shows_the_end_of_the_log,
    an_auto_dialed_call_ends_as_plain_dial_ends_it,
    a_manual_call_runs_the_entry_on_a_channel_that_is_up,
    a_three_way_call_has_no_campaign_limit,
    an_answered_customer_is_taken_over,
    a_frozen_asterisk_is_silent_until_thawed,
    two_instances_share_nothing,
    a_killed_asterisk_starts_again_on_its_ports,
    nothing_is_left_after_drop,
);

async fn boots_quickly_with_a_clean_log(version: AsteriskVersion) -> Result<(), LabError> {
    let lab = Lab::start(version).await?;
    println!("{version:?}: fully booted after {:?}", lab.asterisk.boot_time());
    assert!(
        lab.asterisk.boot_time() < Duration::from_secs(3),
        "{:?}",
        lab.asterisk.boot_time()
    );

    // Asterisk 16 says of chan_sip and Macro that they will go.
    let is_deprecation = |line: &String| line.contains("has been loaded but");
    let complaints: Vec<String> = lab
        .asterisk
        .complaints()?
        .into_iter()
        .filter(|line| !is_deprecation(line))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");

    let info = get(&lab.asterisk, "/asterisk/info").await;
    let major = match version {
        AsteriskVersion::V16 => "16.",
        AsteriskVersion::V22 => "22.",
    };
    assert!(info["system"]["version"].as_str().unwrap().starts_with(major), "{info}");
    assert!(
        lab.asterisk
            .cli("core show version")
            .await?
            .contains(&format!("Asterisk {major}"))
    );
    let has_chan_sip = lab
        .asterisk
        .cli("module show like chan_sip")
        .await?
        .contains("1 modules loaded");
    assert_eq!(has_chan_sip, version.has_chan_sip());
    Ok(())
}

async fn a_failed_boot_shows_the_end_of_the_log(version: AsteriskVersion) -> Result<(), LabError> {
    let root = Root::ensure(version, progress_on_stderr).await?;
    let mut config = AsteriskConfig::new(nowhere().port());
    let modules = "[modules]\nautoload = yes\nrequire = no_such_module.so\n".to_owned();
    config.other_files.push(("modules.conf".to_owned(), modules));
    let error = Asterisk::start(&root, config)
        .await
        .expect_err("Asterisk ends without a required module");
    let sentence = error.to_string();
    assert!(
        sentence.contains("it ended") && sentence.contains("no_such_module"),
        "{sentence}"
    );
    Ok(())
}

async fn an_auto_dialed_call_ends_as_plain_dial_ends_it(version: AsteriskVersion) -> Result<(), LabError> {
    let lab = Lab::start(version).await?;

    let unknown = lab
        .dialer
        .auto_dial("913125550100", NATIVE_CONTEXT, DIAL_TIMEOUT)
        .await?;
    let end = lab.agi.wait_for_end(&unknown.code, END_LIMIT).await?;
    assert_eq!(
        (end.dialstatus.as_str(), end.hangup_cause),
        ("CHANUNAVAIL", Some(3)),
        "{end:#?}"
    );
    assert!(
        end.channel.starts_with("Local/913125550100@native-") && end.channel.ends_with(";2"),
        "{}",
        end.channel
    );
    assert_eq!(
        (
            end.dialed_time_seconds,
            end.answered_time_seconds,
            end.tech_cause.as_str()
        ),
        (None, None, "")
    );
    assert!(!unknown.response().await?.answered);

    // The same call's start, on the same channel; found by either of its names.
    let records = lab.agi.records_for(&unknown.code).await;
    let start = records
        .iter()
        .find(|record| record.kind == AgiKind::Start)
        .expect("call_log ran at the start");
    assert_eq!(
        (&start.uniqueid, start.extension.as_str()),
        (&end.uniqueid, "913125550100")
    );
    let by_channel = lab.agi.wait_for_end_of_channel(&start.uniqueid, END_LIMIT).await?;
    assert_eq!(by_channel.dialstatus, end.dialstatus);

    let closed = lab
        .dialer
        .auto_dial("923125550100", NATIVE_CONTEXT, DIAL_TIMEOUT)
        .await?;
    let end = lab.agi.wait_for_end(&closed.code, END_LIMIT).await?;
    println!(
        "{version:?}, closed TCP port: {} {:?} {:?}",
        end.dialstatus, end.hangup_cause, end.tech_cause
    );
    assert_eq!(
        (end.dialstatus.as_str(), end.hangup_cause),
        ("CONGESTION", Some(34)),
        "{end:#?}"
    );
    assert_ne!(unknown.code, closed.code);
    Ok(())
}

async fn a_manual_call_runs_the_entry_on_a_channel_that_is_up(version: AsteriskVersion) -> Result<(), LabError> {
    let lab = Lab::start(version).await?;
    let mut events = lab.asterisk.ami().subscribe();
    let call = lab
        .dialer
        .manual(WAITING, NATIVE_CONTEXT, Duration::from_secs(17))
        .await?;
    assert!(call.response().await?.answered);
    lab.agi
        .wait_until(&call.code, "start", END_LIMIT, |records| !records.is_empty())
        .await?;

    events
        .wait_for("ConfbridgeJoin", END_LIMIT, |event| event.event() == "ConfbridgeJoin")
        .await?;

    let rows = lab.asterisk.ami().core_show_channels().await?;
    let half = |suffix: &str| -> ChannelRow {
        let found = rows
            .iter()
            .find(|row| row.name.ends_with(suffix) && row.caller_id_name == call.code);
        found
            .unwrap_or_else(|| panic!("no {suffix} of {} in {rows:#?}", call.code))
            .clone()
    };
    let (caller, agent) = (half(";1"), half(";2"));
    assert_eq!((caller.state.as_str(), caller.extension.as_str()), ("Up", WAITING));
    assert_eq!((agent.state.as_str(), agent.application.as_str()), ("Up", "ConfBridge"));
    assert_eq!(caller.linkedid, agent.linkedid);
    assert_eq!(rows.len(), 2, "{rows:#?}");
    // Counted, but not listed: the conference's announcer, a pair of channels.
    assert_eq!(lab.asterisk.channel_count().await?, 4);
    assert_eq!(lab.asterisk.bridge_count().await?, 1);

    // What call_log set.
    let shown = lab.asterisk.cli(&format!("core show channel {}", caller.name)).await?;
    assert!(
        shown.contains("CAMPDTO=17") && shown.contains("CAMPCUST=TESTCAMP"),
        "{shown}"
    );

    lab.asterisk.ami().hangup(&caller.name).await?;
    let end = lab.agi.wait_for_end_of_channel(&caller.uniqueid, END_LIMIT).await?;
    assert_eq!((&end.channel, end.kind), (&caller.name, AgiKind::End));
    Ok(())
}

async fn a_three_way_call_has_no_campaign_limit(version: AsteriskVersion) -> Result<(), LabError> {
    let lab = Lab::start(version).await?;
    let call = lab.dialer.three_way(TELLS_ITS_LIMIT, NATIVE_CONTEXT).await?;
    let end = lab.agi.wait_for_end(&call.code, END_LIMIT).await?;
    assert_eq!(end.dialstatus, "LIMIT");
    assert_eq!((call.code.len(), end.calleridname.as_str()), (20, call.code.as_str()));
    Ok(())
}

async fn an_answered_customer_is_taken_over(version: AsteriskVersion) -> Result<(), LabError> {
    // The carrier is an Asterisk too; an endpoint of this name takes calls from everywhere.
    let root = Root::ensure(version, progress_on_stderr).await?;
    let (carrier_agi, agi) = (AgiListener::start().await?, AgiListener::start().await?);
    let mut carrier_config = AsteriskConfig::new(carrier_agi.port()).trunk(Trunk::pjsip("anonymous", nowhere()));
    carrier_config.extra_dialplan = "[trunkinbound]\nexten => _X.,1,Answer()\nexten => _X.,2,Wait(60)\n".to_owned();
    let carrier = Asterisk::start(&root, carrier_config).await?;

    let address = (Ipv4Addr::LOCALHOST, carrier.ports().sip_udp).into();
    let trunk = Trunk::oldest_driver(version, "answering", address);
    let dial = format!("Dial({},${{CAMPDTO}},To)", trunk.dial_string("${EXTEN:1}"));
    let config = AsteriskConfig::new(agi.port())
        .trunk(trunk)
        .carrier_entry(&carrier_entry(UNKNOWN_ENDPOINT, &dial));
    let asterisk = Asterisk::start(&root, config).await?;
    let dialer = Dialer::new(asterisk.ami(), &agi);

    let call = dialer.auto_dial("913125550100", DEFAULT_CONTEXT, DIAL_TIMEOUT).await?;
    assert!(call.response().await?.answered);
    let customer = dialer.take_customer(&call).await?;
    let is_taken = {
        let customer = customer.uniqueid.clone();
        move |records: &[Arc<AgiRecord>]| {
            records
                .iter()
                .any(|record| record.uniqueid == customer && record.extension == CUSTOMER_EXTENSION)
        }
    };
    agi.wait_until(&call.code, "customer in the customer's extension", END_LIMIT, is_taken)
        .await?;
    let booked = agi.wait_for_end(&call.code, END_LIMIT).await?;
    assert_eq!((booked.dialstatus.as_str(), booked.hangup_cause), ("ANSWER", Some(16)));
    assert!(booked.channel.ends_with(";2"), "{booked:#?}");
    assert_eq!(
        (booked.dialed_time_seconds.is_some(), booked.tech_cause.as_str()),
        (true, "SIP 200 OK")
    );

    asterisk.ami().hangup(&customer.name).await?;
    let end = agi.wait_for_end_of_channel(&customer.uniqueid, END_LIMIT).await?;
    // Else VICIdial would write a second carrier row.
    assert_eq!(end.dialstatus, "");
    let ends = |records: &[Arc<AgiRecord>]| records.iter().filter(|record| record.kind == AgiKind::End).count() == 3;
    agi.wait_until(&call.code, "three ends: both halves and the customer", END_LIMIT, ends)
        .await?;
    Ok(())
}

/// The discard port: an address for what is never dialled.
fn nowhere() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 9).into()
}

async fn a_frozen_asterisk_is_silent_until_thawed(version: AsteriskVersion) -> Result<(), LabError> {
    let lab = Lab::start(version).await?;
    lab.asterisk.freeze()?;
    let ami = lab.asterisk.ami().clone();
    let answer = tokio::spawn(async move { ami.core_show_channels().await });
    let while_frozen = tokio::time::timeout(Duration::from_millis(300), lab.agi.wait_for_end("nobody", END_LIMIT));
    assert!(while_frozen.await.is_err());
    assert!(!answer.is_finished());

    lab.asterisk.thaw()?;
    assert!(answer.await.expect("the question does not panic")?.is_empty());
    Ok(())
}

async fn two_instances_share_nothing(version: AsteriskVersion) -> Result<(), LabError> {
    let (one, two) = tokio::try_join!(Lab::start(version), Lab::start(version))?;
    let (a, b) = (one.asterisk.ports(), two.asterisk.ports());
    for (left, right) in [
        (a.sip_udp, b.sip_udp),
        (a.chan_sip, b.chan_sip),
        (a.http, b.http),
        (a.ami, b.ami),
    ] {
        assert_ne!(left, right);
    }
    assert!(!a.rtp.contains(b.rtp.start()) && !b.rtp.contains(a.rtp.start()));
    assert_ne!(one.asterisk.directory(), two.asterisk.directory());
    assert_ne!(one.asterisk.pid()?, two.asterisk.pid()?);

    // A call of one is not seen by the other's listener.
    let call = one
        .dialer
        .auto_dial("913125550100", NATIVE_CONTEXT, DIAL_TIMEOUT)
        .await?;
    one.agi.wait_for_end(&call.code, END_LIMIT).await?;
    assert!(two.agi.records_for(&call.code).await.is_empty());
    Ok(())
}

async fn a_killed_asterisk_starts_again_on_its_ports(version: AsteriskVersion) -> Result<(), LabError> {
    let mut lab = Lab::start(version).await?;
    let (pid, ports) = (lab.asterisk.pid()?, lab.asterisk.ports().clone());
    lab.asterisk.kill();
    assert!(!host::is_running(pid));
    assert!(lab.asterisk.ami().core_show_channels().await.is_err());

    lab.asterisk.restart().await?;
    assert_ne!(lab.asterisk.pid()?, pid);
    assert_eq!(lab.asterisk.ports(), &ports);
    assert!(lab.asterisk.ami().core_show_channels().await?.is_empty());
    Ok(())
}

async fn nothing_is_left_after_drop(version: AsteriskVersion) -> Result<(), LabError> {
    let lab = Lab::start(version).await?;
    let (pid, directory) = (lab.asterisk.pid()?, lab.asterisk.directory());
    assert!(
        host::command_line(pid).contains("asterisk"),
        "{}",
        host::command_line(pid)
    );
    assert!(directory.join("etc/extensions.conf").is_file());
    // Frozen, it could not end by itself.
    lab.asterisk.freeze()?;
    drop(lab);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert!(!directory.exists());
    Ok(())
}

/// Set for the process that [`nothing_runs_on_after_the_tests_are_killed`] starts.
const HOLD: &str = "CRANKBACK_LAB_HOLD";

#[tokio::test]
async fn nothing_runs_on_after_the_tests_are_killed() -> Result<(), LabError> {
    // This test starts itself once more, to be killed.
    if std::env::var_os(HOLD).is_some() {
        let lab = Lab::start(AsteriskVersion::V22).await?;
        println!("holding {} {}", lab.asterisk.pid()?, lab.asterisk.directory().display());
        std::future::pending::<()>().await;
    }
    let mut tests = Command::new(std::env::current_exe().expect("this program has a path"));
    tests
        .args(["--exact", "nothing_runs_on_after_the_tests_are_killed", "--nocapture"])
        .env(HOLD, "1");
    let mut tests = tests
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the tests start again");
    let mut lines = BufReader::new(tests.stdout.take().expect("it was asked for")).lines();
    let (pid, directory) = loop {
        let line = lines
            .next_line()
            .await
            .expect("the pipe works")
            .expect("the instance starts before the pipe ends");
        if let Some((_, held)) = line.split_once("holding ") {
            let (pid, directory) = held.split_once(' ').expect("a process id and a directory follow");
            break (pid.parse().expect("a process id"), PathBuf::from(directory));
        }
    };
    assert!(host::is_running(pid));

    tests.kill().await.expect("the tests can be killed");
    let ended = async {
        while host::is_running(pid) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(END_LIMIT, ended)
        .await
        .expect("the kernel kills Asterisk after the tests");

    // The next start clears the files away, ours or that of a test beside us; somebody may live there by now.
    let _next = Lab::start(AsteriskVersion::V22).await?;
    let pid_file = directory.join("run/asterisk.pid");
    let cleared = async {
        while std::fs::read_to_string(&pid_file).is_ok_and(|left| left.trim() == pid.to_string()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(END_LIMIT, cleared)
        .await
        .expect("leftovers are cleared away");
    Ok(())
}

/// A GET on ARI that needs no HTTP client: the answer's body.
async fn get(asterisk: &Asterisk, path: &str) -> serde_json::Value {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, asterisk.ports().http))
        .await
        .expect("ARI listens");
    let request = format!(
        "GET /ari{path}?api_key={ARI_USER}:{ARI_PASSWORD} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("ARI takes a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("ARI answers");
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no body in {answer:?}"));
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error} in {body:?}"))
}
