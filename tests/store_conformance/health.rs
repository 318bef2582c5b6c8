//! What dialers know of their carriers' health, over a restart.

use super::stage::Stage;
use super::{Case, cases};

pub const CASES: [(&str, Case); 1] = cases![each_dialer_reads_back_what_it_wrote_last];

async fn each_dialer_reads_back_what_it_wrote_last(stage: Stage) {
    let (_scene, store) = stage.store().await;
    assert_eq!(store.health_snapshot("10.0.0.1").await, Ok(None));
    let long = format!("{{\"carriers\": \"{}\"}}", "\u{e4}'\\".repeat(100_000));
    let written = [
        ("10.0.0.1", 1, "{}".to_owned()),
        ("10.0.0.2", 2, "[]".to_owned()),
        ("10.0.0.1", 3, long.clone()),
    ];
    for (server_ip, taken_ms, snapshot) in written {
        let kept = store.keep_health_snapshot(server_ip, taken_ms, snapshot).await;
        assert_eq!(kept, Ok(()));
    }
    assert_eq!(store.health_snapshot("10.0.0.1").await, Ok(Some(long)));
    assert_eq!(store.health_snapshot("10.0.0.2").await, Ok(Some("[]".to_owned())));
}
