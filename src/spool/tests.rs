//! What the spool promises: rows survive the process and a store that is away, in order, and the directory ends empty.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use super::*;
use crate::store::StoreUrl;

/// A store that can be told to refuse, and remembers what it took.
#[derive(Clone, Default)]
struct FakeStore(Arc<Inside>);

#[derive(Default)]
struct Inside {
    is_away: AtomicBool,
    refusals: AtomicUsize,
    rows: Mutex<Vec<AttemptRow>>,
}

impl FakeStore {
    fn rows(&self) -> Vec<(String, u32, String)> {
        let rows = self.0.rows.lock().expect("nobody panics");
        rows.iter()
            .map(|row| (row.call_id.clone(), row.n, row.verdict.clone()))
            .collect()
    }
}

impl Destination for FakeStore {
    async fn take(&self, rows: Vec<AttemptRow>) -> Result<(), StoreError> {
        if self.0.is_away.load(SeqCst) {
            self.0.refusals.fetch_add(1, SeqCst);
            return Err(StoreError::Closed {
                url: StoreUrl::sqlite("/nowhere"),
            });
        }
        self.0.rows.lock().expect("nobody panics").extend(rows);
        Ok(())
    }
}

fn row(call: &str, n: u32, verdict: &str) -> AttemptRow {
    AttemptRow {
        server_ip: "10.0.0.7".to_owned(),
        call_id: call.to_owned(),
        n,
        number: "13125550100".to_owned(),
        carrier_id: "PRIMARY".to_owned(),
        entry_carrier: "PRIMARY".to_owned(),
        started_ms: 1_000,
        progress: "none".to_owned(),
        ended_ms: Some(2_000),
        sip_code: Some(503),
        sip_phrase: Some("Keine \"Leitung\"\nfrei".to_owned()),
        q850_cause: Some(34),
        verdict: verdict.to_owned(),
        technology: Some("PJSIP".to_owned()),
        elapsed_ms: Some(1_000),
        ended_by: Some("carrier".to_owned()),
        source: Some("received".to_owned()),
        authority: Some("default".to_owned()),
        health: Some("strong".to_owned()),
        ..AttemptRow::default()
    }
}

fn said(call: &str, n: u32, verdict: &str) -> (String, u32, String) {
    (call.to_owned(), n, verdict.to_owned())
}

fn files(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).expect("is there");
    let names = entries.map(|entry| entry.expect("is there").file_name().to_string_lossy().into_owned());
    names.collect()
}

fn directory() -> (tempfile::TempDir, std::path::PathBuf) {
    let parent = tempfile::tempdir().expect("a directory");
    let path = parent.path().join("spool");
    (parent, path)
}

#[tokio::test(start_paused = true)]
async fn rows_arrive_with_the_last_word_only_and_nothing_is_left() {
    let (_parent, path) = directory();
    let store = FakeStore::default();
    let (spool, waiting, moving) = Spool::open(&path, store.clone()).expect("opens");
    for (call, n, verdict) in [
        ("1.1", 1, "open"),
        ("1.2", 1, "open"),
        ("1.1", 1, "next"),
        ("1.1", 2, "stop"),
    ] {
        spool.keep(row(call, n, verdict)).await.expect("is kept");
    }
    drop(spool);
    moving.finished().await;
    let rows = store.rows();
    for last in [said("1.2", 1, "open"), said("1.1", 1, "next"), said("1.1", 2, "stop")] {
        assert!(rows.contains(&last), "{last:?} in {rows:?}");
    }
    assert_eq!(rows.last(), Some(&said("1.1", 2, "stop")));
    assert_eq!((waiting.count(), files(&path)), (0, vec![]));
}

#[tokio::test(start_paused = true)]
async fn rows_wait_for_a_store_that_is_away() {
    let (_parent, path) = directory();
    let store = FakeStore::default();
    store.0.is_away.store(true, SeqCst);
    let (spool, waiting, moving) = Spool::open(&path, store.clone()).expect("opens");
    for n in 1..=3 {
        spool
            .keep(row("1.1", n, "stop"))
            .await
            .expect("is kept without the store");
    }
    while store.0.refusals.load(SeqCst) < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(waiting.count(), 3);
    store.0.is_away.store(false, SeqCst);
    drop(spool);
    moving.finished().await;
    assert_eq!(
        store.rows(),
        [said("1.1", 1, "stop"), said("1.1", 2, "stop"), said("1.1", 3, "stop")]
    );
    assert_eq!((waiting.count(), files(&path)), (0, vec![]));
}

/// What a process that was killed leaves: its files, and a lock that nobody holds.
fn killed(path: &Path, name: &str, segments: &[&[AttemptRow]], unfinished: &str) {
    std::fs::create_dir_all(path).expect("is made");
    std::fs::write(path.join(name).with_extension("lock"), "").expect("is written");
    for (serial, rows) in segments.iter().enumerate() {
        let mut lines = Vec::new();
        for row in *rows {
            segment::push_line(&mut lines, row).expect("is JSON");
        }
        if serial + 1 == segments.len() {
            lines.extend(unfinished.bytes());
        }
        std::fs::write(path.join(format!("{name}-{serial:08}.attempts")), lines).expect("is written");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_process_left_is_moved_first_and_in_order() {
    let (_parent, path) = directory();
    let (first, second) = ([row("1.1", 1, "open"), row("1.2", 1, "next")], [row("1.1", 1, "stop")]);
    killed(&path, "00000000000000002-7", &[&[row("1.3", 1, "next")]], "");
    killed(&path, "00000000000000001-7", &[&first, &second], "{\"call_id\":\"9.9");
    let store = FakeStore::default();
    let (spool, waiting, moving) = Spool::open(&path, store.clone()).expect("opens");
    moving.leftovers_are_moved().await;
    assert_eq!(
        store.rows(),
        [
            said("1.1", 1, "open"),
            said("1.2", 1, "next"),
            said("1.1", 1, "stop"),
            said("1.3", 1, "next")
        ]
    );
    spool.keep(row("2.1", 1, "stop")).await.expect("is kept");
    drop(spool);
    moving.finished().await;
    assert_eq!((waiting.count(), files(&path)), (0, vec![]));
}

#[tokio::test(start_paused = true)]
async fn the_files_of_a_living_process_are_its_own() {
    let (_parent, path) = directory();
    let (first_store, second_store) = (FakeStore::default(), FakeStore::default());
    first_store.0.is_away.store(true, SeqCst);
    let (first, _, first_moving) = Spool::open(&path, first_store.clone()).expect("opens");
    first.keep(row("1.1", 1, "stop")).await.expect("is kept");
    let (second, _, second_moving) = Spool::open(&path, second_store.clone()).expect("opens beside it");
    second_moving.leftovers_are_moved().await;
    drop(second);
    second_moving.finished().await;
    assert_eq!(second_store.rows(), []);
    first_store.0.is_away.store(false, SeqCst);
    drop(first);
    first_moving.finished().await;
    assert_eq!(first_store.rows(), [said("1.1", 1, "stop")]);
    assert_eq!(files(&path), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_damaged_line_costs_nothing_but_itself() {
    let (_parent, path) = directory();
    killed(&path, "00000000000000001-7", &[&[row("1.1", 1, "next")]], "not a row\n");
    let store = FakeStore::default();
    let (spool, _, moving) = Spool::open(&path, store.clone()).expect("opens");
    drop(spool);
    moving.finished().await;
    assert_eq!(store.rows(), [said("1.1", 1, "next")]);
    assert_eq!(files(&path), ["00000000000000001-7-00000000.damaged"]);
}

/// A line as the first versions wrote it.
#[tokio::test(start_paused = true)]
async fn a_line_of_an_earlier_version_is_read() {
    const LINE: &str = r#"{"server_ip":"10.0.0.7","call_id":"1.1","n":1,"number":"13125550100","carrier_id":"PRIMARY","entry_carrier":"PRIMARY","campaign":null,"started_ms":1000,"progress":"none","progress_ms":null,"ended_ms":2000,"sip_code":503,"sip_phrase":"Service Unavailable","q850_cause":34,"verdict":"next","why":"","rule":null,"dialstatus":"","channel_id":"","sip_call_id":null,"caller_channel":""}"#;
    let (_parent, path) = directory();
    killed(&path, "00000000000000001-7", &[&[]], &format!("{LINE}\n"));
    let store = FakeStore::default();
    let (spool, _, moving) = Spool::open(&path, store.clone()).expect("opens");
    drop(spool);
    moving.finished().await;
    assert_eq!(store.rows(), [said("1.1", 1, "next")]);
    assert_eq!(files(&path), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn segments_follow_one_another() {
    const ROWS: u32 = 9_000;
    let (_parent, path) = directory();
    let store = FakeStore::default();
    store.0.is_away.store(true, SeqCst);
    let (spool, waiting, moving) = Spool::open(&path, store.clone()).expect("opens");
    let mut last = None;
    for n in 0..ROWS {
        last = Some(spool.keep(row("1.1", n, "stop")));
    }
    last.expect("some").await.expect("is kept");
    let segments = files(&path).iter().filter(|name| name.ends_with(".attempts")).count();
    assert!(segments >= 3, "{segments} segments");
    store.0.is_away.store(false, SeqCst);
    drop(spool);
    moving.finished().await;
    let numbers: Vec<u32> = store.rows().into_iter().map(|(_, n, _)| n).collect();
    assert_eq!(numbers, (0..ROWS).collect::<Vec<_>>());
    assert_eq!((waiting.count(), files(&path)), (0, vec![]));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let _context = runtime.enter();
    let Err(error) = Spool::open(Path::new("/nowhere/at/all"), FakeStore::default()) else {
        panic!("it opened");
    };
    assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    assert_eq!(error.code(), "spool");
}
