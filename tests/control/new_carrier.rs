//! A new carrier's life: shown, written, staged, tested, active, edited; and what is warned of on the way.

use crankback::asterisk_conf::{AccountStyle, Transport};
use crankback::carrier::Technology;
use crankback::control::{
    AddOutcome, CarrierAdd, CarrierAddView, CarrierKind, CarrierTest, CarrierTestView, CarrierView, Command, Effect,
    Explain, ExplainView, Password, Query, RouteAddedView,
};
use crankback::engine::stasis::TestEnd;
use crankback::verdict::SipReply;

use super::desk::{Desk, backup, command, query, view};

const PASSWORD: &str = "hunter2-is-secret";

fn second() -> CarrierAdd {
    CarrierAdd {
        id: "SECOND".into(),
        kind: CarrierKind::RegisterTrunk,
        host: "sip.second.example".into(),
        transport: Transport::Udp,
        transport_section: None,
        user: Some("acct".into()),
        password: Some(Password::from(PASSWORD.to_owned())),
        codecs: Vec::new(),
        strip: Some(1),
        prefix: Some("00".into()),
        pattern: None,
        protocol: None,
        context: None,
        all_servers: false,
        upstream_group: None,
    }
}

fn test_call() -> Command {
    Command::CarrierTest(CarrierTest {
        id: "SECOND".into(),
        number: "13125550100".into(),
        caller_id: None,
        ring_s: 5,
    })
}

fn rows(desk: &Desk, what: &str) -> Vec<String> {
    let database = desk.dialer.database();
    let mut statement = database.prepare(what).expect("a statement");
    let rows = statement.query_map((), |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("texts")
}

#[tokio::test]
async fn what_is_only_to_be_seen_writes_nothing() {
    let desk = Desk::new().await;
    let shown: CarrierAddView = view(query(&desk.without_daemon(), Query::CarrierAdd(second())).await);
    assert_eq!(shown.outcome, AddOutcome::Shown);
    assert!(shown.row.account_entry.contains("password = ********\n"), "{shown:?}");
    assert_eq!(shown.settings, ["status=staged", "strip=1", "add_prefix=00"]);
    assert_eq!((shown.row.server_ip.as_str(), shown.warnings.len()), ("10.0.0.7", 0));
    let second = "SELECT carrier_id FROM vicidial_server_carriers WHERE carrier_id = 'SECOND'";
    assert_eq!(rows(&desk, second), [""; 0]);
    assert_eq!(desk.audit().await, []);
    assert_eq!(desk.store.carrier_settings().await.expect("is read"), []);
}

#[tokio::test]
async fn a_new_carrier_is_staged_until_a_test_call_is_answered() {
    let desk = Desk::new().await;
    let daemon = desk.daemon().await;
    let handlers = desk.with_daemon(&daemon);
    let added: CarrierAddView = view(command(&handlers, Command::CarrierAdd(second())).await);
    assert_eq!(added.outcome, AddOutcome::Written(Effect::Now));
    let row = "SELECT protocol || server_ip || active || account_entry FROM vicidial_server_carriers WHERE carrier_id = 'SECOND'";
    let [row] = rows(&desk, row).try_into().expect("one row");
    assert!(
        row.starts_with("PJSIP10.0.0.7Y[SECOND]\n") && row.contains(PASSWORD),
        "{row}"
    );
    let log = rows(&desk, "SELECT event_type || event_sql FROM vicidial_admin_log");
    assert!(
        log.len() == 1 && log[0].starts_with("ADD") && !log[0].contains(PASSWORD),
        "{log:?}"
    );
    let details = rows(&desk, "SELECT detail FROM crankback_audit");
    assert!(
        !details.is_empty() && !details.concat().contains(PASSWORD),
        "{details:?}"
    );

    // A route may be made, and no call takes it.
    let route = Command::RouteAdd(backup("PRIMARY", "SECOND"));
    let route: RouteAddedView = view(command(&handlers, route).await);
    assert_eq!(route.examples[0].wire_number, "006556555555");
    assert!(
        route.warnings.concat().contains("SECOND is staged"),
        "{:?}",
        route.warnings
    );
    let explain = || {
        let number = "913125550100".into();
        let (entry, campaign, at_ms) = (Some("PRIMARY".into()), None, None);
        query(
            &handlers,
            Query::Explain(Explain {
                number,
                entry,
                campaign,
                at_ms,
            }),
        )
    };
    let explained: ExplainView = view(explain().await);
    let candidates: Vec<_> = explained.candidates.iter().map(|it| it.carrier.as_str()).collect();
    assert_eq!(candidates, ["PRIMARY"]);
    assert!(format!("{:?}", explained.rejected).contains("Staged"), "{explained:?}");

    // A test call that fails leaves it so.
    *daemon.test_call_end.lock().unwrap() = Some(TestEnd::Failed {
        sip: Some(SipReply {
            code: 403,
            phrase: "Forbidden".into(),
        }),
        q850: Some(21),
    });
    let tested: CarrierTestView = view(command(&handlers, test_call()).await);
    assert_eq!((tested.answered, tested.outcome.as_str()), (false, "SIP 403 Forbidden"));
    assert_eq!(tested.became_active, None);
    let call = daemon.test_calls.lock().unwrap()[0].clone();
    assert_eq!(
        (call.technology, call.dial_string.as_str()),
        (Technology::Pjsip, "PJSIP/003125550100@SECOND")
    );

    *daemon.test_call_end.lock().unwrap() = Some(TestEnd::Answered);
    let tested: CarrierTestView = view(command(&handlers, test_call()).await);
    assert_eq!((tested.answered, tested.became_active), (true, Some(Effect::Now)));
    assert_eq!(*daemon.working.lock().unwrap(), ["SECOND".into()]);
    let explained: ExplainView = view(explain().await);
    let candidates: Vec<_> = explained.candidates.iter().map(|it| it.carrier.as_str()).collect();
    assert_eq!(candidates, ["PRIMARY", "SECOND"]);

    // An edit of its account makes a test due.
    let show = async || -> CarrierView { view(query(&handlers, Query::Carrier { id: "SECOND".into() }).await) };
    let shown = show().await;
    assert!(
        !shown.staged && !shown.retest_due && shown.tested_ms.is_some(),
        "{shown:?}"
    );
    desk.dialer.sql(
        "UPDATE vicidial_server_carriers SET account_entry = replace(account_entry, 'second.example', 'other.example') \
         WHERE carrier_id = 'SECOND'",
    );
    command(&handlers, Command::Reload).await.expect("is read again");
    assert!(show().await.retest_due);
    let commands: Vec<_> = desk.audit().await.into_iter().map(|(command, ..)| command).collect();
    assert_eq!(
        commands,
        ["carrier_add", "route_add", "carrier_test", "carrier_test", "reload"]
    );
}

#[tokio::test]
async fn the_same_again_changes_nothing_and_another_of_its_name_is_refused() {
    let desk = Desk::new().await;
    let daemon = desk.daemon().await;
    let handlers = desk.with_daemon(&daemon);
    command(&handlers, Command::CarrierAdd(second()))
        .await
        .expect("is added");
    *daemon.test_call_end.lock().unwrap() = Some(TestEnd::Answered);
    command(&handlers, test_call()).await.expect("is tested");
    let again: CarrierAddView = view(command(&handlers, Command::CarrierAdd(second())).await);
    assert_eq!(again.outcome, AddOutcome::AlreadyThere);
    let settings = desk.store.carrier_settings().await.expect("is read");
    assert_eq!(settings[0].status.as_deref(), Some("active"));

    let refused = async |change: &dyn Fn(&mut CarrierAdd)| {
        let mut add = second();
        change(&mut add);
        command(&handlers, Command::CarrierAdd(add))
            .await
            .expect_err("is refused")
            .code
    };
    assert_eq!(
        refused(&|it| it.host = "sip.third.example".into()).await,
        "carrier_exists"
    );
    assert_eq!(refused(&|it| it.id = "primary".into()).await, "carrier_exists");
    desk.dialer
        .sql("UPDATE vicidial_server_carriers SET account_entry = '[FOURTH]' WHERE carrier_id = 'INACTIVE'");
    assert_eq!(refused(&|it| it.id = "FOURTH".into()).await, "carrier_peer_taken");
    let third = |it: &mut CarrierAdd| it.id = "THIRD".into();
    assert_eq!(
        refused(&|it| (third(it), it.password = None).1).await,
        "carrier_half_a_login"
    );
    assert_eq!(
        refused(&|it| (third(it), it.kind = CarrierKind::Iax2, it.transport = Transport::Tcp).2).await,
        "trunk_transport"
    );
    assert_eq!(
        refused(&|it| (
            third(it),
            it.kind = CarrierKind::SipTrunk,
            it.protocol = Some(AccountStyle::Iax2)
        )
            .2)
        .await,
        "carrier_protocol"
    );
    let dynamic = |it: &mut CarrierAdd| (it.kind, it.host) = (CarrierKind::SipTrunk, "dynamic".into());
    assert_eq!(refused(&|it| (third(it), dynamic(it)).1).await, "trunk_dynamic_user");
    assert_eq!(
        refused(&|it| (third(it), it.host = "a b".into()).1).await,
        "carrier_host"
    );
    assert_eq!(
        refused(&|it| (third(it), it.prefix = Some("x".into())).1).await,
        "carrier_prefix"
    );
    assert_eq!(
        refused(&|it| it.id = "A LONG ID WITH BLANKS".into()).await,
        "trunk_name"
    );
    assert_eq!(refused(&|it| it.id = "SIXTEEN-LETTERS-".into()).await, "screen_length");
    let ids = rows(&desk, "SELECT carrier_id FROM crankback_carriers");
    assert_eq!(ids, ["SECOND"]);
}

/// What must stand outside of the row, or be done by the other end, is said before anything is written.
#[tokio::test]
async fn what_it_needs_beside_the_row_is_said() {
    let desk = Desk::new().await;
    let warnings = async |change: &dyn Fn(&mut CarrierAdd)| {
        let mut add = second();
        change(&mut add);
        let shown: CarrierAddView = view(query(&desk.without_daemon(), Query::CarrierAdd(add)).await);
        shown.warnings.join("\n")
    };
    let over_tls = warnings(&|it| it.transport = Transport::Tls).await;
    assert!(
        over_tls.starts_with("pjsip.conf needs the transport [transport-tls]"),
        "{over_tls}"
    );
    let dynamic = warnings(&|it| {
        (it.kind, it.host) = (CarrierKind::SipTrunk, "dynamic".into());
        it.user = Some("SECOND".into());
    });
    let dynamic = dynamic.await;
    assert!(dynamic.contains("it must register here as SECOND"), "{dynamic}");
    let over_iax2 = warnings(&|it| it.protocol = Some(AccountStyle::Iax2)).await;
    assert_eq!(over_iax2, "", "a registration over IAX2 needs nothing else");
}

#[tokio::test]
async fn carriers_that_fail_together_are_warned_of() {
    let desk = Desk::new().await;
    let handlers = desk.without_daemon();
    let mut add = second();
    add.host = "sip.primary.example".into();
    let added: CarrierAddView = view(command(&handlers, Command::CarrierAdd(add)).await);
    let expected = "shares the host sip.primary.example with PRIMARY";
    assert!(
        added.warnings.iter().any(|it| it.starts_with(expected)),
        "{:?}",
        added.warnings
    );
    let route: RouteAddedView = view(command(&handlers, Command::RouteAdd(backup("PRIMARY", "SECOND"))).await);
    let expected = "PRIMARY and SECOND share the host sip.primary.example: they will fail together";
    assert!(route.warnings.contains(&expected.to_owned()), "{:?}", route.warnings);
    let set = Command::CarrierSet {
        id: "BACKUP".into(),
        settings: vec!["upstream_group=big".into()],
    };
    command(&handlers, set).await.expect("is set");
    let mut add = second();
    (add.id, add.upstream_group) = ("THIRD".into(), Some("Big".into()));
    let shown: CarrierAddView = view(query(&handlers, Query::CarrierAdd(add)).await);
    assert!(
        shown
            .warnings
            .concat()
            .contains("shares the upstream group big with BACKUP"),
        "{:?}",
        shown.warnings
    );
}
