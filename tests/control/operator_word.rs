//! The operator's word: what is refused, what is written, what is warned of.

use std::sync::atomic::Ordering::SeqCst;

use crankback::control::{CarrierOperate, CarrierOperateView, Command, Effect, LeftWithout, RouteAdd, RouteAddedView};
use crankback::health::OperatorWord;
use crankback::store::CarrierSettingsRow;

use super::desk::{Desk, alice, backup, command, view};

fn say(id: &str, word: OperatorWord) -> Command {
    Command::CarrierOperate(CarrierOperate {
        id: id.into(),
        word,
        reason: Some("maintenance".into()),
        for_s: None,
    })
}

async fn on_record(desk: &Desk, id: &str) -> Option<CarrierSettingsRow> {
    let rows = desk.store.carrier_settings().await.expect("the rows are read");
    rows.into_iter().find(|row| row.carrier_id == id)
}

#[tokio::test]
async fn a_word_is_written_beside_what_was_set_and_taken_back_without_a_trace_in_it() {
    let desk = Desk::new().await;
    let handlers = desk.without_daemon();
    let set = Command::CarrierSet {
        id: "PRIMARY".into(),
        settings: vec!["guard_ms=3000".into()],
    };
    command(&handlers, set).await.expect("is set");
    let wanted = CarrierOperate {
        id: "PRIMARY".into(),
        word: OperatorWord::Disabled,
        reason: Some("maintenance".into()),
        for_s: Some(7_200),
    };
    let said: CarrierOperateView = view(command(&handlers, Command::CarrierOperate(wanted)).await);
    assert_eq!(
        (said.operator.word, said.effect),
        (OperatorWord::Disabled, Effect::AtStart)
    );
    let row = on_record(&desk, "PRIMARY").await.expect("a row");
    assert_eq!(
        (row.guard_ms, row.operator_state.as_deref(), row.operator_by.as_deref()),
        (Some(3_000), Some("disabled"), Some(alice().as_str()))
    );
    assert_eq!(row.operator_reason.as_deref(), Some("maintenance"));
    let (since_ms, until_ms) = (
        row.operator_since_ms.expect("since"),
        row.operator_until_ms.expect("until"),
    );
    assert_eq!((until_ms - since_ms, said.operator.since_ms), (7_200_000, since_ms));

    let enable = CarrierOperate {
        id: "PRIMARY".into(),
        word: OperatorWord::Enabled,
        reason: None,
        for_s: None,
    };
    command(&handlers, Command::CarrierOperate(enable))
        .await
        .expect("is enabled");
    let row = on_record(&desk, "PRIMARY").await.expect("a row");
    assert_eq!(
        (
            row.guard_ms,
            row.operator_state.as_deref(),
            row.operator_reason,
            row.operator_until_ms
        ),
        (Some(3_000), Some("enabled"), None, None)
    );
    // What is set later does not touch the word.
    command(&handlers, say("PRIMARY", OperatorWord::Only))
        .await
        .expect("is said");
    let set = Command::CarrierSet {
        id: "PRIMARY".into(),
        settings: vec!["guard_ms=".into()],
    };
    command(&handlers, set).await.expect("is set");
    let row = on_record(&desk, "PRIMARY").await.expect("a row");
    assert_eq!((row.guard_ms, row.operator_state.as_deref()), (None, Some("only")));
}

#[tokio::test]
async fn what_is_refused_changes_nothing_and_goes_on_record() {
    let desk = Desk::new().await;
    let handlers = desk.without_daemon();
    let with = |reason: Option<&str>, for_s| {
        Command::CarrierOperate(CarrierOperate {
            id: "PRIMARY".into(),
            word: OperatorWord::Disabled,
            reason: reason.map(str::to_owned),
            for_s,
        })
    };
    for (given, code, part) in [
        (say("NOBODY", OperatorWord::Disabled), "unknown_carrier", "PRIMARY"),
        (
            say("primary", OperatorWord::Disabled),
            "unknown_carrier",
            "did you mean PRIMARY?",
        ),
        (
            say("BAKCUP", OperatorWord::Disabled),
            "unknown_carrier",
            "did you mean BACKUP?",
        ),
        (with(None, None), "operator_reason_missing", "--reason"),
        (with(Some("x"), Some(0)), "operator_for", "--for"),
        (with(Some("x"), Some(40_000_000)), "operator_for", "--for"),
    ] {
        let refusal = command(&handlers, given).await.expect_err(code);
        assert_eq!(refusal.code, code, "{}", refusal.message);
        assert!(refusal.message.contains(part), "{}", refusal.message);
    }
    assert_eq!(on_record(&desk, "PRIMARY").await, None);
    assert_eq!(desk.audit().await.len(), 6);
    assert_eq!(
        desk.audit().await[3],
        (
            "carrier_operate".to_owned(),
            "carrier PRIMARY".to_owned(),
            "operator_reason_missing".to_owned()
        )
    );
}

#[tokio::test]
async fn entries_that_are_left_without_a_carrier_are_named() {
    let desk = Desk::new().await;
    let handlers = desk.without_daemon();
    let left = async |id: &str, word| -> Vec<LeftWithout> {
        view::<CarrierOperateView>(command(&handlers, say(id, word)).await).left_without
    };
    let primary = |but_routes: &[i64]| LeftWithout {
        entry: "PRIMARY".into(),
        but_routes: but_routes.to_vec(),
    };
    assert_eq!(left("PRIMARY", OperatorWord::Disabled).await, [primary(&[])]);
    command(&handlers, Command::RouteAdd(backup("PRIMARY", "BACKUP")))
        .await
        .expect("is added");
    assert_eq!(left("PRIMARY", OperatorWord::Disabled).await, []);
    assert_eq!(left("PRIMARY", OperatorWord::Only).await, []);
    let backup_alone = LeftWithout {
        entry: "BACKUP".into(),
        but_routes: Vec::new(),
    };
    assert_eq!(left("BACKUP", OperatorWord::Draining).await, [backup_alone]);
    assert_eq!(left("PRIMARY", OperatorWord::Draining).await, [primary(&[])]);
    command(&handlers, Command::RouteRemove { id: 1 })
        .await
        .expect("is removed");
    let of_a_campaign = RouteAdd {
        campaign: Some("TEST".into()),
        ..backup("PRIMARY", "BACKUP")
    };
    let added: RouteAddedView = view(command(&handlers, Command::RouteAdd(of_a_campaign)).await);
    left("BACKUP", OperatorWord::Enabled).await;
    assert_eq!(
        left("PRIMARY", OperatorWord::Disabled).await,
        [primary(&[added.route.id])]
    );
}

#[tokio::test]
async fn a_carrier_that_cannot_be_understood_can_be_taken_out_all_the_same() {
    let desk = Desk::new().await;
    desk.dialer.add_broken_carrier();
    let handlers = desk.without_daemon();
    command(&handlers, say("BROKEN", OperatorWord::Disabled))
        .await
        .expect("may still serve by its last good row");
    let row = on_record(&desk, "BROKEN").await.expect("a row");
    assert_eq!(row.operator_state.as_deref(), Some("disabled"));
}

#[tokio::test]
async fn a_daemon_goes_by_the_word_before_the_reply() {
    let desk = Desk::new().await;
    let daemon = desk.daemon().await;
    let handlers = desk.with_daemon(&daemon);
    let said: CarrierOperateView = view(command(&handlers, say("PRIMARY", OperatorWord::Disabled)).await);
    assert_eq!((said.effect, daemon.words_taken.load(SeqCst)), (Effect::Now, 1));
    assert_eq!(daemon.refreshes.load(SeqCst), 0, "the tables are not read for it");
    // A carrier that the daemon has not read yet.
    desk.dialer.carrier("NEW", "10.0.0.7", "Y", "");
    command(&handlers, say("NEW", OperatorWord::Disabled))
        .await
        .expect("is in the store");
    daemon.refresh_fails.store(true, SeqCst);
    let said: CarrierOperateView = view(command(&handlers, say("PRIMARY", OperatorWord::Enabled)).await);
    assert_eq!(said.effect, Effect::Delayed);
    let row = on_record(&desk, "PRIMARY").await.expect("a row");
    assert_eq!(row.operator_state.as_deref(), Some("enabled"));
}
