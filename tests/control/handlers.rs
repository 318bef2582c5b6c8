//! Use cases: what they check, change, put on record, and when a change holds.

use std::sync::atomic::Ordering::SeqCst;

use crankback::control::{
    Attempts, AttemptsView, CallsView, Command, Effect, Numbers, Query, Reloaded, RouteAdd, RouteAddedView,
    RouteRemovedView, RoutesView, StatusView,
};
use crankback::engine::LiveState;
use crankback::store::AttemptRow;

use super::daemon::call;
use super::desk::{Desk, alice, backup, command, query, view};

fn row(command: &str, target: &str, outcome: &str) -> (String, String, String) {
    (command.to_owned(), target.to_owned(), outcome.to_owned())
}

#[tokio::test]
async fn without_a_daemon_a_change_holds_from_the_next_start() {
    let desk = Desk::new().await;
    let handlers = desk.without_daemon();
    let added: RouteAddedView = view(command(&handlers, Command::RouteAdd(backup("PRIMARY", "BACKUP"))).await);
    assert_eq!(
        (added.route.id, added.route.priority, added.effect),
        (1, 2, Effect::AtStart)
    );
    assert_eq!(added.examples[0].pattern, "_91NXXNXXXXXX");
    let routes: RoutesView = view(query(&handlers, Query::Routes).await);
    assert_eq!(routes.routes, [added.route]);
    let removed: RouteRemovedView = view(command(&handlers, Command::RouteRemove { id: 1 }).await);
    assert_eq!((removed.removed, removed.effect), (1, Effect::AtStart));
    assert_eq!(desk.dialer.count_routes(), 0);
}

#[tokio::test]
async fn every_command_goes_on_record_whatever_comes_of_it() {
    let desk = Desk::new().await;
    let handlers = desk.without_daemon();
    let add = || Command::RouteAdd(backup("PRIMARY", "BACKUP"));
    command(&handlers, add()).await.expect("is added");
    for (command_given, code) in [
        (add(), "duplicate_route"),
        (Command::RouteAdd(backup("PRIMARY", "NOBODY")), "unknown_carrier"),
        (Command::RouteAdd(backup("PRIMARY", "BARE")), "number_unproven"),
        (Command::RouteRemove { id: 9 }, "unknown_route"),
        (Command::Reload, "daemon_not_running"),
    ] {
        let refusal = command(&handlers, command_given).await.expect_err("is refused");
        assert_eq!(refusal.code, code, "{}", refusal.message);
    }
    command(&handlers, Command::RouteRemove { id: 1 })
        .await
        .expect("is removed");
    assert_eq!(
        desk.audit().await,
        [
            row("route_add", "route 1", "done"),
            row("route_add", "new route", "duplicate_route"),
            row("route_add", "new route", "unknown_carrier"),
            row("route_add", "new route", "number_unproven"),
            row("route_remove", "route 9", "unknown_route"),
            row("reload", "tables", "daemon_not_running"),
            row("route_remove", "route 1", "done"),
        ]
    );
    let rows = desk.store.latest_audit(100).await.expect("the audit is read");
    assert!(rows.iter().all(|row| row.actor == alice().as_str()), "{rows:?}");
    let first = rows.last().expect("a row");
    let detail: Command = serde_json::from_str(&first.detail).expect("the command as it was given");
    assert_eq!(detail, add());
}

#[tokio::test]
async fn queries_leave_no_trace() {
    let desk = Desk::new().await;
    let handlers = desk.with_daemon(&desk.daemon().await);
    for question in [Query::Status, Query::Carriers, Query::Routes, Query::Calls] {
        query(&handlers, question).await.expect("is answered");
    }
    query(&handlers, Query::Carrier { id: "NOBODY".into() })
        .await
        .expect_err("is refused");
    assert_eq!(desk.audit().await, []);
}

#[tokio::test]
async fn values_that_do_not_fit_are_refused_before_the_store_sees_them() {
    let desk = Desk::new().await;
    // Without VICIdial's campaigns any name would do.
    desk.dialer.sql("DELETE FROM vicidial_campaigns");
    let handlers = desk.without_daemon();
    let base = || RouteAdd {
        strip: Some(0),
        ..backup("PRIMARY", "BARE")
    };
    let cases = [
        (
            RouteAdd {
                campaign: Some("C".repeat(21)),
                ..base()
            },
            "too_long",
        ),
        (
            RouteAdd {
                numbers: Numbers::Prefix("1".repeat(65)),
                ..base()
            },
            "too_long",
        ),
        (
            RouteAdd {
                add_prefix: Some("0".repeat(33)),
                ..base()
            },
            "too_long",
        ),
        (
            RouteAdd {
                add_prefix: Some("00x".into()),
                ..base()
            },
            "add_prefix",
        ),
        (
            RouteAdd {
                add_prefix: Some(String::new()),
                ..base()
            },
            "add_prefix",
        ),
    ];
    for (wanted, code) in cases {
        let refusal = command(&handlers, Command::RouteAdd(wanted.clone())).await;
        assert_eq!(refusal.expect_err("is refused").code, code, "{wanted:?}");
    }
    assert_eq!(desk.dialer.count_routes(), 0);
    let fits = RouteAdd {
        campaign: Some("C".repeat(20)),
        ..base()
    };
    command(&handlers, Command::RouteAdd(fits)).await.expect("fits");
}

#[tokio::test]
async fn a_change_holds_in_the_daemon_before_the_reply() {
    let desk = Desk::new().await;
    let daemon = desk.daemon().await;
    let handlers = desk.with_daemon(&daemon);
    let routes = async || -> usize { view::<RoutesView>(query(&handlers, Query::Routes).await).routes.len() };
    let added: RouteAddedView = view(command(&handlers, Command::RouteAdd(backup("PRIMARY", "BACKUP"))).await);
    assert_eq!(
        (added.effect, daemon.refreshes.load(SeqCst), routes().await),
        (Effect::Now, 1, 1)
    );
    let removed: RouteRemovedView = view(command(&handlers, Command::RouteRemove { id: 1 }).await);
    assert_eq!(
        (removed.effect, daemon.refreshes.load(SeqCst), routes().await),
        (Effect::Now, 2, 0)
    );
    // What changed nothing makes nobody read.
    command(&handlers, Command::RouteRemove { id: 1 })
        .await
        .expect_err("is refused");
    assert_eq!(daemon.refreshes.load(SeqCst), 2);
}

#[tokio::test]
async fn a_change_stands_although_the_daemon_cannot_read_it_yet() {
    let desk = Desk::new().await;
    let daemon = desk.daemon().await;
    let handlers = desk.with_daemon(&daemon);
    daemon.refresh_fails.store(true, SeqCst);
    let added: RouteAddedView = view(command(&handlers, Command::RouteAdd(backup("PRIMARY", "BACKUP"))).await);
    assert_eq!(added.effect, Effect::Delayed);
    assert_eq!(desk.dialer.count_routes(), 1);
    assert_eq!(desk.audit().await, [row("route_add", "route 1", "done")]);
    let refusal = command(&handlers, Command::Reload).await.expect_err("cannot read");
    assert_eq!(refusal.code, "store_locked");
}

#[tokio::test]
async fn a_reload_reads_the_tables_and_tells_what_is_wrong_in_them() {
    let desk = Desk::new().await;
    let daemon = desk.daemon().await;
    let handlers = desk.with_daemon(&daemon);
    desk.dialer.add_broken_carrier();
    let found: Reloaded = view(command(&handlers, Command::Reload).await);
    assert_eq!((found.carriers, found.routes, found.problems.len()), (3, 0, 1));
    assert!(found.problems[0].contains("BROKEN"), "{:?}", found.problems);
    assert_eq!(daemon.refreshes.load(SeqCst), 1);
    assert_eq!(desk.audit().await, [row("reload", "tables", "done")]);
}

#[tokio::test]
async fn the_same_route_is_added_once_however_many_ask_at_once() {
    let desk = Desk::new().await;
    let handlers = desk.without_daemon();
    let add = || command(&handlers, Command::RouteAdd(backup("PRIMARY", "BACKUP")));
    let replies = tokio::join!(add(), add(), add(), add());
    let replies = [replies.0, replies.1, replies.2, replies.3];
    let added = replies.iter().filter(|reply| reply.is_ok()).count();
    assert_eq!((added, desk.dialer.count_routes()), (1, 1), "{replies:?}");
    for refusal in replies.into_iter().filter_map(Result::err) {
        assert_eq!(refusal.code, "duplicate_route");
    }
}

#[tokio::test]
async fn a_daemon_answers_from_what_calls_are_routed_by_while_the_store_is_away() {
    let desk = Desk::new().await;
    let daemon = desk.daemon().await;
    let handlers = desk.with_daemon(&daemon);
    command(&handlers, Command::RouteAdd(backup("PRIMARY", "BACKUP")))
        .await
        .expect("is added");
    desk.dialer.sql("DROP TABLE crankback_outbound_routes");
    let routes: RoutesView = view(query(&handlers, Query::Routes).await);
    assert_eq!(routes.routes.len(), 1);
    let refusal = query(&desk.without_daemon(), Query::Routes).await;
    assert_eq!(refusal.expect_err("nothing to read").code, "store_statement");
}

#[tokio::test]
async fn only_a_daemon_knows_calls_and_its_own_state() {
    let desk = Desk::new().await;
    let handlers = desk.without_daemon();
    for question in [Query::Calls, Query::Status] {
        let refusal = query(&handlers, question).await.expect_err("nobody knows");
        assert_eq!(refusal.code, "daemon_not_running");
    }
    let daemon = desk.daemon().await;
    *daemon.calls.lock().expect("unpoisoned") = vec![
        call("1.1", None, 0, LiveState::Trying, 10),
        call("1.3", Some("BACKUP"), 2, LiveState::Connected, 60_000),
        call("1.2", Some("PRIMARY"), 1, LiveState::Ringing, 5_000),
    ];
    let handlers = desk.with_daemon(&daemon);
    let calls: CallsView = view(query(&handlers, Query::Calls).await);
    let seen: Vec<_> = calls
        .calls
        .iter()
        .map(|call| {
            (
                call.call_id.as_str(),
                call.carrier.as_deref(),
                call.state.as_str(),
                call.attempt,
            )
        })
        .collect();
    let expected = [
        ("1.3", Some("BACKUP"), "connected", 2),
        ("1.2", Some("PRIMARY"), "ringing", 1),
        ("1.1", None, "trying", 0),
    ];
    assert_eq!(seen, expected);
    assert!(calls.calls[0].age_ms >= 60_000);
    let status: StatusView = view(query(&handlers, Query::Status).await);
    assert!(!status.is_degraded());
    daemon.connected.store(false, SeqCst);
    let status: StatusView = view(query(&handlers, Query::Status).await);
    assert!(status.is_degraded());
}

#[tokio::test]
async fn attempts_are_limited_unless_somebody_asks_for_more() {
    let desk = Desk::new().await;
    let rows = (1..=60)
        .map(|n| attempt(n, if n % 2 == 0 { 200 } else { 503 }))
        .collect();
    desk.store.insert_attempts(rows).await.expect("are written");
    let handlers = desk.without_daemon();
    let found = async |wanted: Attempts| -> Vec<u32> {
        let view: AttemptsView = view(query(&handlers, Query::Attempts(wanted)).await);
        view.attempts.iter().map(|attempt| attempt.n).collect()
    };
    let any = found(Attempts::default()).await;
    assert_eq!((any.len(), any[0]), (50, 60));
    let refused = Attempts {
        code: Some(503),
        limit: Some(u32::MAX),
        ..Attempts::default()
    };
    assert_eq!(found(refused).await.len(), 30);
}

fn attempt(n: u32, code: u16) -> AttemptRow {
    AttemptRow {
        server_ip: "10.0.0.7".into(),
        call_id: "1.1".into(),
        n,
        number: "13125550100".into(),
        carrier_id: "PRIMARY".into(),
        entry_carrier: "PRIMARY".into(),
        started_ms: i64::from(n) * 1_000,
        progress: "trying".into(),
        ended_ms: Some(i64::from(n) * 1_000 + 90),
        sip_code: Some(code),
        verdict: "next".into(),
        dialstatus: "CONGESTION".into(),
        ..AttemptRow::default()
    }
}
