//! What an operator set about carriers.

use crankback::store::CarrierSettingsRow;

use super::rows::audit;
use super::stage::Stage;
use super::{Case, cases};

pub const CASES: [(&str, Case); 1] = cases![what_is_set_comes_back_and_can_be_taken_back];

async fn what_is_set_comes_back_and_can_be_taken_back(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let full = CarrierSettingsRow {
        carrier_id: "PRIMARY".into(),
        guard_ms: Some(3_000),
        progress_ms: Some(8_000),
        fakes_progress: Some(true),
        failover_after_183: Some("if_5xx".into()),
        preset: Some("a preset".into()),
        verdicts: Some("503=stop\nphrase:d\u{f6}ner 'x' \\=next".into()),
        max_channels: Some(30),
        max_cps: Some(u32::MAX),
        operator_state: Some("disabled".into()),
        operator_by: Some("uid:1000 (alice)".into()),
        operator_reason: Some("unpaid".into()),
        operator_since_ms: Some(1_795_220_185_000),
        operator_until_ms: Some(1_795_220_186_000),
        ring_ms: Some(25_000),
        setup_ms: Some(15_000),
        max_attempts: Some(2),
        engine: Some("agi".into()),
    };
    let empty = CarrierSettingsRow {
        carrier_id: "PRIMARY".into(),
        ..CarrierSettingsRow::default()
    };
    for wanted in [full, empty] {
        let row = wanted.clone();
        let change = move |there: &mut CarrierSettingsRow| *there = row.clone();
        let changed = store.change_carrier_settings("PRIMARY", change, audit("carrier_set", 1));
        changed.await.expect("is written");
        let tables = store.routing_tables().await.expect("is read");
        assert_eq!(tables.carrier_settings, [wanted]);
    }
}
