//! The desk's own promises; what the board makes of evidence is tested where the board is.

use super::*;
use crate::health::{HealthSettings, OperatorWord, State};
use crate::verdict::Health;

fn desk(steering: Steering) -> HealthDesk {
    HealthDesk::open(HealthBoard::new(HealthSettings::default()), steering)
}

fn outcome(health: Health) -> LegOutcome {
    LegOutcome {
        health,
        rule: "sip_code".to_owned(),
        came_through: health == Health::None,
        is_heard: true,
        is_wrong_number: false,
        wire_number: "12".to_owned(),
        pause: Duration::ZERO,
    }
}

fn word(word: OperatorWord, since_ms: i64) -> OperatorSetting {
    OperatorSetting {
        word,
        since_ms,
        ..OperatorSetting::default()
    }
}

async fn fail_five_calls(desk: &HealthDesk, carrier: &CarrierId) {
    for _ in 0..5 {
        desk.leg_started(carrier).ended(outcome(Health::Strong));
    }
    // The answer to a later request shows that the evidence has been taken, and the view with it.
    desk.set_operator(&CarrierId::from("other"), OperatorSetting::default())
        .await;
}

#[tokio::test]
async fn failed_legs_open_the_breaker_and_listeners_hear_of_it() {
    let (desk, carrier) = (desk(Steering::Acts), CarrierId::from("A"));
    let mut changes = desk.changes();
    fail_five_calls(&desk, &carrier).await;
    assert_eq!(desk.view().class(&carrier).state, State::Failed);
    assert_eq!(desk.may_take(&carrier, 0).await, Hint::PassOn(State::Failed));
    let (changed, change) = changes.recv().await.expect("the desk lives");
    assert_eq!((changed, change.to), (carrier.clone(), State::Failed));
    desk.reset(&carrier, "me", "mended").await;
    assert_eq!(desk.may_take(&carrier, 0).await, Hint::Take);
    assert_eq!(desk.overflows(), 0);
}

#[tokio::test]
async fn a_desk_that_only_watches_sends_no_call_elsewhere_but_the_operators_word_holds() {
    let (desk, carrier) = (desk(Steering::Watches), CarrierId::from("A"));
    fail_five_calls(&desk, &carrier).await;
    assert_eq!(desk.may_take(&carrier, 0).await, Hint::Take);
    let report = desk.report_of(&carrier).await.expect("it is known");
    assert_eq!(report.class.state, State::Failed, "what people see is the truth");
    desk.set_operator(&carrier, word(OperatorWord::Disabled, 1)).await;
    assert_eq!(desk.may_take(&carrier, 0).await, Hint::Never(OperatorWord::Disabled));
}

#[tokio::test]
async fn a_leg_that_is_dropped_is_not_out_any_more() {
    let (desk, carrier) = (desk(Steering::Acts), CarrierId::from("A"));
    let mut leg = desk.leg_started(&carrier);
    leg.heard(Progress::Ringing);
    let legs_out = |report: Option<CarrierReport>| report.map(|report| report.legs_out);
    assert_eq!(legs_out(desk.report_of(&carrier).await), Some(1));
    drop(leg);
    assert_eq!(legs_out(desk.report_of(&carrier).await), Some(0));
}

#[tokio::test]
async fn a_record_that_was_read_too_early_does_not_undo_the_operators_word() {
    let (desk, carrier) = (desk(Steering::Acts), CarrierId::from("A"));
    let on_record = |setting| vec![(CarrierId::from("A"), setting)];
    desk.set_carriers(on_record(word(OperatorWord::Draining, 10))).await;
    desk.set_operator(&carrier, word(OperatorWord::Disabled, 20)).await;
    desk.set_carriers(on_record(word(OperatorWord::Draining, 10))).await;
    let held = |report: Option<CarrierReport>| report.map(|report| report.operator.word);
    assert_eq!(held(desk.report_of(&carrier).await), Some(OperatorWord::Disabled));
    desk.set_carriers(on_record(word(OperatorWord::Enabled, 30))).await;
    assert_eq!(held(desk.report_of(&carrier).await), Some(OperatorWord::Enabled));
    desk.set_carriers(Vec::new()).await;
    assert_eq!(desk.reports().await, []);
}

#[tokio::test]
async fn one_call_at_a_time_tries_whether_a_carrier_is_back() {
    let settings = HealthSettings {
        first_back_off: Duration::ZERO,
        ..HealthSettings::default()
    };
    let (desk, carrier) = (
        HealthDesk::open(HealthBoard::new(settings), Steering::Acts),
        CarrierId::from("A"),
    );
    fail_five_calls(&desk, &carrier).await;
    assert_eq!(desk.may_take(&carrier, 0).await, Hint::Trial);
    assert_eq!(desk.may_take(&carrier, 1).await, Hint::PassOn(State::HalfOpen));
}
