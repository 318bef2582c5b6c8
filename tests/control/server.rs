//! The server against clients that behave and clients that do not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crankback::carrier::{CarrierId, Technology};
use crankback::control::{CallsView, Command, Query, Reply, Request};
use crankback::engine::{CallIdentity, LiveState, LiveView};
use crankback::socket::{self, ClientError, Limits};
use futures_util::future::join_all;

use super::daemon::call;
use super::desk::{Client, Desk, SOON, backup};

const ROUTES: &str = "{\"query\":{\"name\":\"routes\"}}\n";
/// So many make a reply that no socket buffer holds.
const MANY_CALLS: u32 = 5_000;

async fn ask(desk: &Desk, request: Request) -> Reply {
    socket::ask(&desk.socket(), &request, SOON)
        .await
        .expect("the server answers")
}

async fn is_served(desk: &Desk) -> bool {
    matches!(ask(desk, Request::Query(Query::Routes)).await, Reply::Answer(_))
}

#[tokio::test]
async fn a_client_may_ask_again_and_again_and_mistakes_do_not_end_the_talk() {
    let desk = Desk::new().await;
    let server = desk.serve(desk.without_daemon(), Limits::default()).await;
    let mut client = Client::connect(&desk).await;
    for wrong in [
        "hello\n",
        "\n",
        "{}\n",
        "[1,2]\n",
        "{\"query\":{\"name\":\"fly\"}}\n",
        "{\"command\":{\"name\":\"route_remove\"}}\n",
        "\u{fffd}\n",
    ] {
        client.send(wrong).await;
        assert_eq!(client.refusal().await, "malformed_request", "{wrong:?}");
        client.send(ROUTES).await;
        assert!(matches!(client.reply().await, Reply::Answer(_)), "after {wrong:?}");
    }
    // Several in one packet, and one in pieces.
    client.send(&ROUTES.repeat(3)).await;
    for _ in 0..3 {
        assert!(matches!(client.reply().await, Reply::Answer(_)));
    }
    let (head, tail) = ROUTES.split_at(10);
    client.send(head).await;
    assert!(is_served(&desk).await, "others are served in between");
    client.send(tail).await;
    assert!(matches!(client.reply().await, Reply::Answer(_)));
    server.stop().await;
    assert_eq!(client.rest().await, b"");
    let gone = socket::ask(&desk.socket(), &Request::Query(Query::Routes), SOON).await;
    assert!(matches!(gone, Err(ClientError::NotRunning { .. })), "{gone:?}");
}

#[tokio::test]
async fn a_line_that_never_ends_is_cut_off() {
    let desk = Desk::new().await;
    let limits = Limits {
        request_bytes: 100,
        ..Limits::default()
    };
    let server = desk.serve(desk.without_daemon(), limits).await;
    let mut client = Client::connect(&desk).await;
    client.send(&"x".repeat(101)).await;
    assert_eq!(client.refusal().await, "request_too_long");
    assert_eq!(client.rest().await, b"");
    assert!(is_served(&desk).await);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_says_nothing_is_let_go() {
    let desk = Desk::new().await;
    let limits = Limits {
        idle: Duration::from_millis(100),
        ..Limits::default()
    };
    let server = desk.serve(desk.without_daemon(), limits).await;
    let silent = Client::connect(&desk).await;
    let mut slow = Client::connect(&desk).await;
    slow.send("{\"query\":").await;
    assert!(is_served(&desk).await);
    let began = Instant::now();
    assert_eq!(silent.rest().await, b"");
    assert_eq!(slow.rest().await, b"");
    assert!(began.elapsed() < SOON);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_let_go_and_holds_up_nobody() {
    let desk = Desk::new().await;
    let daemon = desk.daemon().await;
    *daemon.calls.lock().expect("unpoisoned") = (0..MANY_CALLS)
        .map(|number| call(&number.to_string(), Some("PRIMARY"), 1, LiveState::Ringing, 1_000))
        .collect();
    let limits = Limits {
        write: Duration::from_millis(200),
        ..Limits::default()
    };
    let server = desk.serve(desk.with_daemon(&daemon), limits).await;
    let mut deaf = Client::connect(&desk).await;
    let question = "{\"query\":{\"name\":\"calls\"}}\n";
    deaf.send(question).await;
    let began = Instant::now();
    while began.elapsed() < 3 * limits.write {
        assert!(is_served(&desk).await);
    }
    let got = deaf.rest().await;
    assert!(!got.is_empty() && !got.ends_with(b"\n"), "{} bytes", got.len());

    // Whoever reads gets all of it.
    let Reply::Answer(answer) = ask(&desk, Request::Query(Query::Calls)).await else {
        panic!("calls are answered");
    };
    let view = CallsView::try_from(*answer).expect("calls");
    assert_eq!(view.calls.len(), MANY_CALLS as usize);
    server.stop().await;
}

#[tokio::test]
async fn too_many_connections_are_turned_away_until_one_ends() {
    let desk = Desk::new().await;
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let server = desk.serve(desk.without_daemon(), limits).await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(&desk).await;
        client.send(ROUTES).await;
        client.reply().await;
        clients.push(client);
    }
    let mut third = Client::connect(&desk).await;
    assert_eq!(third.refusal().await, "too_many_connections");
    assert_eq!(third.rest().await, b"");
    drop(clients.pop());
    let served = async { while !is_served(&desk).await {} };
    tokio::time::timeout(SOON, served).await.expect("there is room again");
    server.stop().await;
}

#[tokio::test]
async fn many_clients_are_served_at_once_and_each_goes_on_record_as_who_it_is() {
    let desk = Desk::new().await;
    let daemon = desk.daemon().await;
    let server = desk.serve(desk.with_daemon(&daemon), Limits::default()).await;
    let commands = [
        Request::Command(Command::RouteAdd(backup("PRIMARY", "BACKUP"))),
        Request::Command(Command::RouteRemove { id: 77 }),
        Request::Command(Command::Reload),
    ];
    let replies = join_all(commands.into_iter().map(|command| ask(&desk, command))).await;
    assert!(matches!(replies[0], Reply::Answer(_)), "{replies:?}");
    assert!(
        matches!(&replies[1], Reply::Refusal(refusal) if refusal.code == "unknown_route"),
        "{replies:?}"
    );
    assert!(matches!(replies[2], Reply::Answer(_)), "{replies:?}");
    let this_user = socket::this_user().await.expect("we are somebody");
    assert!(this_user.as_str().starts_with("uid:"), "{this_user}");
    let rows = desk.store.latest_audit(10).await.expect("the audit is read");
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.actor == this_user.as_str()), "{rows:?}");
    server.stop().await;
}

#[tokio::test]
async fn a_command_is_carried_out_although_its_client_went_away() {
    let desk = Desk::new().await;
    let daemon = desk.daemon().await;
    let server = desk.serve(desk.with_daemon(&daemon), Limits::default()).await;
    let held_up = daemon.gate.acquire().await.expect("the gate is there");
    let mut client = Client::connect(&desk).await;
    client
        .send("{\"command\":{\"name\":\"route_add\",\"entry\":\"PRIMARY\",\"carrier\":\"BACKUP\"}}\n")
        .await;
    drop(client);
    let written = async {
        while desk.dialer.count_routes() == 0 {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(SOON, written).await.expect("the route is written");
    drop(held_up);
    let refreshed = async {
        while daemon.refreshes.load(std::sync::atomic::Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, refreshed).await.expect("and takes effect");
    server.stop().await;
}

#[tokio::test]
async fn a_command_that_takes_too_long_says_that_it_may_still_be_done() {
    let desk = Desk::new().await;
    let daemon = desk.daemon().await;
    let limits = Limits {
        work: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = desk.serve(desk.with_daemon(&daemon), limits).await;
    let _held_up = daemon.gate.acquire().await.expect("the gate is there");
    let reply = ask(&desk, Request::Command(Command::Reload)).await;
    assert!(
        matches!(&reply, Reply::Refusal(refusal) if refusal.code == "timeout"),
        "{reply:?}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_daemon_that_is_frozen_does_not_hold_the_client() {
    let desk = Desk::new().await;
    let _listens_but_never_accepts = std::os::unix::net::UnixListener::bind(desk.socket()).expect("is bound");
    let limit = Duration::from_millis(100);
    let silent = socket::ask(&desk.socket(), &Request::Query(Query::Routes), limit).await;
    assert!(matches!(silent, Err(ClientError::Silent { .. })), "{silent:?}");
}

/// Two thousand calls change without pause while somebody looks at all of them again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_at_two_thousand_calls_disturbs_none() {
    use crankback::call::{Command as CallCommand, Input, LegEvent, LegId, LegSpec};

    let view = LiveView::open();
    let identity = |number: u32| CallIdentity {
        call_id: number.to_string(),
        caller_channel: String::new(),
        call_code: String::new(),
        dialled: String::new(),
        entry: CarrierId::from("PRIMARY"),
        campaign: None,
    };
    let start = CallCommand::StartLeg(LegSpec {
        leg: LegId(1),
        carrier: CarrierId::from("PRIMARY"),
        technology: Technology::Pjsip,
        dial_string: String::new(),
        wire_number: String::new(),
        repair: None,
        backstop: Duration::ZERO,
    });
    let mut reporters = Vec::new();
    for number in 0..2_000 {
        reporters.push(view.begin(identity(number), 1_000));
        if number % 500 == 0 {
            // The mailbox holds a thousand: its owner gets a turn, as it does between real calls.
            view.calls().await;
        }
    }
    let looker = tokio::spawn({
        let view = view.clone();
        async move {
            let mut looks = 0_u32;
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(300) {
                let calls = view.calls().await;
                assert_eq!(calls.len(), 2_000);
                looks += 1;
            }
            looks
        }
    });
    let mut worst = Duration::ZERO;
    let mut changes = 0_u32;
    while !looker.is_finished() {
        for reporter in &mut reporters {
            let began = Instant::now();
            reporter.carries_out(&start);
            reporter.sees(&Input::Leg(LegId(1), LegEvent::Ringing(None)));
            worst = worst.max(began.elapsed());
            changes += 2;
        }
        tokio::task::yield_now().await;
    }
    let looks = looker.await.expect("the looker saw every call every time");
    assert!(looks > 0 && changes >= 4_000, "{looks} looks, {changes} changes");
    println!("{looks} looks at 2,000 calls beside {changes} changes; the slowest pair of changes took {worst:?}");
    drop(Arc::new(view));
}
