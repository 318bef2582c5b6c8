//! The command line at the other end of the socket, and where nobody listens.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;
use std::sync::atomic::Ordering::SeqCst;

use crankback::control::{AttemptsView, CallsView, CarrierNow, StatusView};
use crankback::engine::{LiveState, now};
use crankback::health::{Because, Change, Figures, LegAnswer, OperatorSetting, OperatorWord, State};
use crankback::socket::Limits;

use super::daemon::call;
use super::desk::Desk;
use super::dialer::{Dialer, assert_holds, crankback};

/// The program blocks its thread until it ends: the server needs another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_reach_the_running_daemon() {
    let desk = Desk::new().await;
    let daemon = desk.daemon().await;
    *daemon.calls.lock().expect("unpoisoned") = vec![
        call("1.1", Some("PRIMARY"), 1, LiveState::Ringing, 2_500),
        call("1.2", Some("BACKUP"), 2, LiveState::Connected, 65_000),
    ];
    let server = desk.serve(desk.with_daemon(&daemon), Limits::default()).await;
    let added = desk.dialer.run("route add --entry PRIMARY --carrier BACKUP").expect(0);
    assert_holds(&added.stdout, &["route 1: BACKUP backs up PRIMARY, priority 2\n"]);
    assert_eq!(daemon.refreshes.load(SeqCst), 1);

    let list = desk.dialer.run("call list").expect(0).stdout;
    let lines: Vec<String> = list
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let expected = [
        "CALL CODE NUMBER ENTRY CARRIER STATE ATTEMPT AGE",
        "1.2 V1.2 913125550100 PRIMARY BACKUP connected 2 1 m 5 s",
        "1.1 V1.1 913125550100 PRIMARY PRIMARY ringing 1 2 s",
    ];
    assert_eq!(lines, expected);
    let json = desk.dialer.run("-o json call list").expect(0).json();
    let calls: CallsView = serde_json::from_value(json).expect("the view itself");
    assert_eq!(calls.calls.len(), 2);

    let status = desk.dialer.run("status").expect(0).stdout;
    assert_holds(
        &status,
        &[
            "crankback 0.0.1, pid 4711, since ",
            "22.10.1, connected for 1 m 0 s, connection 3, application crankback",
            "6: 1 trying, 2 ringing, 3 connected",
            "PRIMARY 6",
            "3 carriers, 1 routes, 0 problems; read 1 m 30 s ago, checked 1 s ago",
            "5 waiting for the store",
        ],
    );
    daemon.connected.store(false, SeqCst);
    let degraded = desk.dialer.run("-o json status").expect(2).json();
    let status: StatusView = serde_json::from_value(degraded).expect("the view itself");
    assert_eq!(status.ari.state, "connecting");

    assert_holds(
        &desk.dialer.run("reload").expect(0).stdout,
        &["tables read: 3 carriers, 1 routes"],
    );
    daemon.refresh_fails.store(true, SeqCst);
    let removed = desk.dialer.run("route remove 1").expect(0).stdout;
    assert_holds(&removed, &["route 1 removed; the daemon could not read the tables yet"]);
    let refused = desk.dialer.run("-o json route remove 1").refused();
    let refused: serde_json::Value = serde_json::from_str(&refused).expect("errors are JSON for machines");
    assert_eq!(refused["error"]["code"], "unknown_route");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watched_list_ends_when_nobody_reads_it() {
    let desk = Desk::new().await;
    let daemon = desk.daemon().await;
    let server = desk.serve(desk.with_daemon(&daemon), Limits::default()).await;
    let mut watching = Command::new(env!("CARGO_BIN_EXE_crankback"))
        .args([
            "--config",
            desk.dialer.config_path().to_str().expect("text"),
            "call",
            "list",
            "--watch",
        ])
        .env("CRANKBACK_CONTROL__SOCKET", desk.socket())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let ended = tokio::task::spawn_blocking(move || {
        let mut first = String::new();
        let mut output = std::io::BufReader::new(watching.stdout.take().expect("an output"));
        std::io::BufRead::read_line(&mut output, &mut first).expect("a line");
        drop(output);
        (first, watching.wait().expect("ends"))
    });
    let (first, status) = ended.await.expect("ends");
    assert_eq!((first.as_str(), status.code()), ("no calls\n", Some(0)));
    server.stop().await;
}

#[tokio::test]
async fn where_no_daemon_runs_the_store_answers_what_it_can() {
    let desk = Desk::new().await;
    let not_running = format!(
        "crankback: the daemon is not running: nobody listens at {}\n",
        desk.socket().display()
    );
    // A leftover of a dead daemon is nobody, too.
    for leave_a_socket in [false, true] {
        if leave_a_socket {
            drop(std::os::unix::net::UnixListener::bind(desk.socket()).expect("is bound"));
        }
        for command in ["call list", "call list --watch", "status", "reload"] {
            assert_eq!(desk.dialer.run(command).refused(), not_running, "{command}");
        }
        assert_eq!(desk.dialer.run("attempt list").expect(0).stdout, "no such attempts\n");
        assert_holds(&desk.dialer.run("carrier list").expect(0).stdout, &["PRIMARY"]);
    }
    let json = desk.dialer.run("-o json call list").refused();
    let json: serde_json::Value = serde_json::from_str(&json).expect("errors are JSON for machines");
    assert_eq!(json["error"]["code"], "daemon_not_running");
}

#[tokio::test]
async fn attempts_are_listed_by_what_is_asked_for() {
    let desk = Desk::new().await;
    desk.dialer.sql(
        "INSERT INTO crankback_attempts (server_ip, call_id, n, number, carrier_id, entry_carrier, started_ms, progress, ended_ms, \
         sip_code, sip_phrase, q850_cause, verdict, why, dialstatus, channel_id, caller_channel) VALUES \
         ('10.0.0.7', '1.1', 1, '13125550100', 'PRIMARY', 'PRIMARY', 1795226151500, 'trying', 1795226151590, 503, 'Service Unavailable', 34, \
          'next', 'no circuit', 'CONGESTION', '', ''), \
         ('10.0.0.7', '1.1', 2, '13125550100', 'BACKUP', 'PRIMARY', 1795226151600, 'answered', 1795226153600, 200, 'OK', 16, \
          'stop', 'answered', 'ANSWER', '', ''), \
         ('10.0.0.7', '1.2', 1, '13125550101', 'PRIMARY', 'PRIMARY', 1000, 'none', 5000, NULL, NULL, 20, \
          'next', 'unreachable', 'CHANUNAVAIL', '', '')",
    );
    let list = desk.dialer.run("attempt list --code 503").expect(0).stdout;
    let lines: Vec<String> = list
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let expected = [
        "STARTED (UTC) CALL N CARRIER NUMBER PROGRESS REPLY DIALSTATUS VERDICT WHY TOOK",
        "2026-11-21 01:55:51 1.1 1 PRIMARY 13125550100 trying 503 Service Unavailable CONGESTION next no circuit 90 ms",
    ];
    assert_eq!(lines, expected);
    desk.dialer.sql(
        "INSERT INTO crankback_attempts (server_ip, call_id, n, number, carrier_id, entry_carrier, started_ms, progress, ended_ms, \
         sip_code, sip_phrase, q850_cause, verdict, why, rule, dialstatus, channel_id, caller_channel, technology, elapsed_ms, \
         ended_by, source, authority, health) VALUES \
         ('10.0.0.8', '1.3', 1, '13125550100', 'PRIMARY', 'PRIMARY', 500, 'none', 600, 404, 'Not Found', 1, 'stop', 'dead number', \
          'sip_404', 'CHANUNAVAIL', '', '', 'SIP', 100, 'carrier', 'received', 'default', 'none')",
    );
    let of_two_dialers = desk.dialer.run("attempt list").expect(0).stdout;
    assert_holds(&of_two_dialers, &["SERVER ", "10.0.0.7 ", "10.0.0.8 "]);
    assert_holds(
        &desk.dialer.run("call show 1.3").expect(0).stdout,
        &["404 Not Found, ended by carrier, received -> stop (dead number; rule sip_404, default), CHANUNAVAIL"],
    );
    assert_holds(
        &desk.dialer.run("call show 1.1").expect(0).stdout,
        &["503 Service Unavailable -> next (no circuit; rule -), CONGESTION"],
    );
    let json = desk.dialer.run("-o json attempt list --call 1.3").expect(0).json();
    let row = &json["attempts"][0];
    let evidence = [
        "server_ip",
        "rule",
        "ended_by",
        "source",
        "authority",
        "health",
        "technology",
    ];
    assert_eq!(
        evidence.map(|key| row[key].as_str().unwrap_or_default()),
        ["10.0.0.8", "sip_404", "carrier", "received", "default", "none", "SIP"]
    );
    desk.dialer
        .sql("DELETE FROM crankback_attempts WHERE server_ip = '10.0.0.8'");
    let found = |arguments: &str| -> Vec<(String, u32)> {
        let json = desk
            .dialer
            .run(&format!("-o json attempt list {arguments}"))
            .expect(0)
            .json();
        let view: AttemptsView = serde_json::from_value(json).expect("the view itself");
        view.attempts.into_iter().map(|row| (row.call_id, row.n)).collect()
    };
    let row = |call: &str, n: u32| (call.to_owned(), n);
    assert_eq!(found(""), [row("1.1", 2), row("1.1", 1), row("1.2", 1)]);
    assert_eq!(found("--limit 1"), [row("1.1", 2)]);
    assert_eq!(found("--call 1.2"), [row("1.2", 1)]);
    assert_eq!(found("--carrier PRIMARY --since 1000d"), found("--code 503"));
    assert_holds(
        &desk.dialer.run("attempt list --call 1.2").expect(0).stdout,
        &["cause 20"],
    );
    assert_holds(
        &desk.dialer.run("attempt list --since soon").refused(),
        &["for example 10m"],
    );
    assert_holds(&desk.dialer.run("attempt list --limit 0").refused(), &["1..=10000"]);
}

/// Needs root to become somebody else; the file's mode is asserted for everybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_in_the_socket_s_group_is_refused() {
    let desk = Desk::new().await;
    let server = desk.serve(desk.without_daemon(), Limits::default()).await;
    let socket = std::fs::metadata(desk.socket()).expect("is there");
    assert_eq!(socket.permissions().mode() & 0o777, 0o660);
    if socket.uid() == 0 {
        let everybody = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(desk.dialer.directory.path(), everybody).expect("is opened");
        let program = desk.dialer.directory.path().join("crankback");
        std::fs::copy(env!("CARGO_BIN_EXE_crankback"), &program).expect("is copied");
        let output = Command::new("setpriv")
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"])
            .arg(program)
            .args([
                "--config",
                desk.dialer.config_path().to_str().expect("text"),
                "route",
                "list",
            ])
            .env("CRANKBACK_CONTROL__SOCKET", desk.socket())
            .output()
            .expect("setpriv starts");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{complaint}");
        assert_holds(&complaint, &["may not use the control socket", "of the socket's group"]);
    }
    server.stop().await;
}

#[test]
fn shells_and_readers_are_served_without_any_configuration() {
    for (shell, mark) in [
        ("bash", "complete -F _crankback"),
        ("zsh", "#compdef crankback"),
        ("fish", "complete -c crankback"),
    ] {
        let script = crankback(&["completions", shell], &[]).expect(0).stdout;
        assert_holds(&script, &[mark, "attempt", "completions"]);
    }
    let page = crankback(&["man"], &[]).expect(0).stdout;
    assert_holds(&page, &[".TH", "crankback", "route"]);

    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("text");
    crankback(&["man", "--directory", path], &[]).expect(0);
    for page in ["crankback.1", "crankback-route-add.1", "crankback-call-list.1"] {
        assert!(directory.path().join(page).exists(), "{page}");
    }
    let nowhere = crankback(&["man", "--directory", "/nonexistent/man"], &[]).refused();
    assert_holds(&nowhere, &["cannot write the manual to /nonexistent/man"]);
}

#[test]
fn a_socket_path_that_cannot_work_is_told() {
    let dialer = Dialer::configured("http://127.0.0.1:1");
    let relative = [("CRANKBACK_CONTROL__SOCKET", "control.sock")];
    assert_holds(
        &dialer.run_with("call list", &relative).refused(),
        &["control.socket: not an absolute path"],
    );
    let long = format!("/{}", "x".repeat(103));
    let long = [("CRANKBACK_CONTROL__SOCKET", long.as_str())];
    assert_holds(
        &dialer.run_with("call list", &long).refused(),
        &["control.socket: longer than 103 bytes"],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn carriers_are_shown_as_the_daemon_knows_them() {
    let desk = Desk::new().await;
    desk.dialer
        .run("carrier set PRIMARY max_channels=30 max_cps=5")
        .expect(0);
    let daemon = desk.daemon().await;
    let began_ms = now().wall_ms - 11_130_000;
    let change = Change {
        at_ms: began_ms,
        from: State::Active,
        to: State::Failed,
        because: Because::AsteriskCannotReach,
    };
    let primary = CarrierNow {
        state: State::Failed,
        since_ms: Some(began_ms),
        because: Because::AsteriskCannotReach,
        channels: 7,
        figures: Figures {
            legs: 200,
            asr_percent: Some(42),
            acd_s: Some(63),
            short_percent: Some(4),
            pdd_ms: Some(1_800),
            calls_per_second: 2,
            probe_rtt_us: Some(12_340),
            last_answers: vec![LegAnswer::Sip(503), LegAnswer::Q850(34), LegAnswer::Silence],
        },
        timeline: vec![change],
        operator: OperatorSetting::default(),
    };
    let backup = CarrierNow {
        operator: OperatorSetting {
            word: OperatorWord::Only,
            by: "uid:1000 (alice)".into(),
            why: "trial".into(),
            since_ms: began_ms,
            until_ms: None,
        },
        ..CarrierNow::default()
    };
    *daemon.carriers.lock().expect("unpoisoned") = [("PRIMARY".into(), primary), ("BACKUP".into(), backup)].into();
    let server = desk.serve(desk.with_daemon(&daemon), Limits::default()).await;
    let list = desk.dialer.run("carrier list").expect(0).stdout;
    let line = |id: &str| {
        let mut lines = list.lines();
        let line = lines
            .find(|line| line.starts_with(id))
            .unwrap_or_else(|| panic!("{list}"));
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        line("PRIMARY"),
        "PRIMARY failed 3 h 5 m 7/30 2/5 42 % 63 s 1800 ms 4 % 503 q34 none 12.3 ms - - Asterisk's qualify does not reach it"
    );
    assert_eq!(
        line("BACKUP"),
        "BACKUP only 3 h 5 m 0 0 - - - - - - - - by uid:1000 (alice): trial"
    );
    assert_eq!(
        line("BARE"),
        "BARE active - 0 0 - - - - - - - - nothing is known against it"
    );
    let shown = desk.dialer.run("carrier show PRIMARY").expect(0).stdout;
    assert_holds(
        &shown,
        &[
            "state       failed since ",
            "channels    7/30\n",
            "200 legs, ASR 42 %, ACD 63 s, PDD 1800 ms, calls of 6 s or less 4 %; last 503 q34 none\n",
            "UTC active to failed: Asterisk's qualify does not reach it",
        ],
    );
    let json = desk.dialer.run("-o json carrier show PRIMARY").expect(0).json();
    assert_eq!(json["timeline"][0]["because"]["code"], "asterisk_cannot_reach");
    assert_eq!(json["name"], "PRIMARY Ltd");
    server.stop().await;
}
