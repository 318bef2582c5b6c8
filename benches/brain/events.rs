//! Reading one event of Asterisk's: of each kind and version the longest that was recorded.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crankback::ari::Event;
use divan::counter::BytesCount;
use divan::{Bencher, black_box};

const RECORDED: [(u32, &str); 2] = [
    (16, include_str!("../../tests/corpora/ev16.jsonl")),
    (22, include_str!("../../tests/corpora/ev22.jsonl")),
];

/// By kind, then Asterisk's version.
static LONGEST: LazyLock<BTreeMap<String, &'static str>> = LazyLock::new(|| {
    let mut longest: BTreeMap<String, &'static str> = BTreeMap::new();
    for (version, recorded) in RECORDED {
        for line in recorded.lines() {
            let event: serde_json::Value = serde_json::from_str(line).expect("a recorded event");
            let kind = event["type"].as_str().expect("the type of an event");
            let slot = longest.entry(format!("{kind} {version}")).or_default();
            if line.len() > slot.len() {
                *slot = line;
            }
        }
    }
    longest
});

#[divan::bench(args = LONGEST.keys())]
fn decode(bencher: Bencher<'_, '_>, kind: &String) {
    let text = LONGEST[kind];
    bencher
        .counter(BytesCount::of_str(text))
        .bench_local(|| Event::decode(black_box(text)).expect("a recorded event"));
}
