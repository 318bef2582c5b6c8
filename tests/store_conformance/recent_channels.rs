//! VICIdial's `cid_channels_recent`: the row of a leg, and what becomes of those of earlier ones.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crankback::store::{OtherRows, RecentChannelRow, Store};
use crankback::vicidial::recent_channels::{Occasion, RecentChannels};

use super::stage::{Scene, Stage};
use super::support::mariadb::{RECENT_CHANNELS as TABLE, RECENT_CHANNELS_TABLE};
use super::{Case, cases};

pub const CASES: [(&str, Case); 4] = cases![
    the_rows_of_earlier_legs_give_way,
    names_are_written_as_they_are,
    a_missing_table_is_an_error_that_names_it,
    the_wait_at_the_answer_is_short,
];

pub const SERVER: Ipv4Addr = Ipv4Addr::LOCALHOST;
pub const CODE: &str = "V1210007450000000008";
/// As old as a call may be whose leg is answered.
pub const RECENT: OtherRows = OtherRows::Delete {
    not_older_than: Duration::from_secs(20),
};
/// Rows that other calls have left in the table as long ago: a hundred that ring, each seen every 0.4 s for 20 s.
const OTHER_CALLS: usize = 5_000;
const WAITS: usize = 300;
/// Far above what a busy machine needs for one row.
const ALARM: Duration = Duration::from_millis(250);

pub fn row(code: &str, leg: &str) -> RecentChannelRow {
    RecentChannelRow {
        call_code: code.into(),
        caller_channel: "Local/913125550100@default-00000001;2".into(),
        caller_uniqueid: "1795226151.2".into(),
        leg_channel: leg.into(),
        leg_uniqueid: "1795226151.900000001".into(),
        linked_id: "1795226151.1".into(),
    }
}

async fn write(store: &Store, row: RecentChannelRow, others: OtherRows) {
    let deadline = Instant::now() + Duration::from_secs(5);
    let written = store.write_recent_channel(SERVER, row, others, deadline).await;
    written.expect("is written");
}

async fn count(scene: &Scene<'_>, condition: &str) -> i64 {
    scene
        .number(&format!("SELECT COUNT(*) FROM {TABLE} WHERE {condition}"))
        .await
}

async fn the_rows_of_earlier_legs_give_way(stage: Stage) {
    let (scene, store) = stage.store().await;
    scene.sql(RECENT_CHANNELS_TABLE).await;
    write(&store, row(CODE, "PJSIP/primary-00000001"), OtherRows::Keep).await;
    write(
        &store,
        row("V1210007450000000009", "PJSIP/other-00000002"),
        OtherRows::Keep,
    )
    .await;
    let stale = format!(
        "INSERT INTO {TABLE} (caller_id_name, connected_line_name, call_date, dest_channel) VALUES \
         ('', '{CODE}', CURRENT_TIMESTAMP, 'PJSIP/primary-00000001'), ('{CODE}', '', '2001-01-01 00:00:00', 'old')"
    );
    scene.sql(&stale).await;
    write(&store, row(CODE, "PJSIP/backup-00000003"), RECENT).await;

    let of_the_call = format!("(caller_id_name = '{CODE}' OR connected_line_name = '{CODE}')");
    let backup = "dest_channel = 'PJSIP/backup-00000003' AND uniqueid = '1795226151.900000001' \
                  AND channel = 'Local/913125550100@default-00000001;2' AND dest_uniqueid = '1795226151.2' \
                  AND linkedid = '1795226151.1'";
    assert_eq!(count(&scene, &format!("{of_the_call} AND {backup}")).await, 1);
    assert_eq!(
        count(&scene, &format!("{of_the_call} AND call_date > '2002-01-01'")).await,
        1,
        "nothing but the answered leg"
    );
    assert_eq!(
        count(&scene, "dest_channel = 'old'").await,
        1,
        "nobody reads it: it is left"
    );
    assert_eq!(count(&scene, "dest_channel = 'PJSIP/other-00000002'").await, 1);
}

async fn names_are_written_as_they_are(stage: Stage) {
    let (scene, store) = stage.store().await;
    scene.sql(RECENT_CHANNELS_TABLE).await;
    let leg = r#"PJSIP/o'neill\'; DROP TABLE x; -- "?"-00000003"#;
    write(&store, row(CODE, leg), RECENT).await;
    assert_eq!(count(&scene, &format!("HEX(dest_channel) = '{}'", hex(leg))).await, 1);
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02X}")).collect()
}

async fn a_missing_table_is_an_error_that_names_it(stage: Stage) {
    let (_scene, store) = stage.store().await;
    let deadline = Instant::now() + Duration::from_secs(5);
    let error = store
        .write_recent_channel(SERVER, row(CODE, "PJSIP/backup-00000003"), RECENT, deadline)
        .await
        .expect_err("there is no table");
    assert!(error.to_string().contains(TABLE), "{error}");
}

/// Prints what it measured; fails only where something is badly wrong.
async fn the_wait_at_the_answer_is_short(stage: Stage) {
    let (scene, store) = stage.store().await;
    scene.sql(RECENT_CHANNELS_TABLE).await;
    let others: Vec<String> = (0..OTHER_CALLS)
        .map(|n| format!("('V121000746{n:010}', 'V121000746{n:010}', CURRENT_TIMESTAMP)"))
        .collect();
    let columns = "caller_id_name, connected_line_name, call_date";
    scene
        .sql(&format!("INSERT INTO {TABLE} ({columns}) VALUES {}", others.join(", ")))
        .await;
    let channels = RecentChannels::write_to(store, SERVER);
    let mut waits = Vec::with_capacity(WAITS);
    for n in 0..WAITS {
        let row = row(&format!("V121000745{n:010}"), "PJSIP/backup-00000003");
        let began = Instant::now();
        channels
            .hand_over(row, RECENT, Occasion::Answer)
            .await
            .expect("is settled");
        waits.push(began.elapsed());
    }
    waits.sort_unstable();
    let (median, slow) = (waits[WAITS / 2], waits[WAITS * 99 / 100]);
    println!(
        "measured on {}, {WAITS} answers, {OTHER_CALLS} rows of other calls: p50 {median:?}, p99 {slow:?}",
        stage.place()
    );
    assert_eq!(channels.counters().expired().map(|(_, _, count)| count).sum::<u64>(), 0);
    assert!(median < ALARM);
}
