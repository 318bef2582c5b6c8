//! How long the daemon's everyday questions take. Prints what it measured; fails only where something is badly wrong.

use std::time::{Duration, Instant};

use super::rows::{add, attempt, route, since};
use super::stage::Stage;
use super::{Case, cases};

const QUESTIONS: usize = 300;
/// Far above what a busy machine needs for one question.
const ALARM: Duration = Duration::from_millis(250);

pub const CASES: [(&str, Case); 1] = cases![everyday_questions_are_answered_fast];

async fn everyday_questions_are_answered_fast(stage: Stage) {
    let (_scene, store) = stage.store().await;
    for n in 1..=3 {
        add(&store, route(&format!("BACKUP{n}"))).await;
        store
            .insert_attempts(vec![attempt("a", n, 1_000)])
            .await
            .expect("is written");
    }
    let list = median(async || assert_eq!(store.find_attempts(since(0, 3)).await.expect("are read").len(), 3)).await;
    let fingerprint = median(async || assert!(store.fingerprint().await.expect("is read").revision > 0)).await;
    let tables = median(async || assert_eq!(store.routing_tables().await.expect("are read").routes.len(), 3)).await;
    let batch: Vec<_> = (0..256).map(|n| attempt("b", n, 1_000)).collect();
    let started = Instant::now();
    store.insert_attempts(batch).await.expect("is written");
    println!(
        "measured on {}, p50 of {QUESTIONS}: list of 3 rows {list:?}, fingerprint {fingerprint:?}, routing tables {tables:?}; \
         256 attempts once {:?}",
        stage.place(),
        started.elapsed()
    );
    assert!(list < ALARM && fingerprint < ALARM && tables < ALARM);
}

async fn median(question: impl AsyncFn()) -> Duration {
    let mut taken = Vec::with_capacity(QUESTIONS);
    for _ in 0..QUESTIONS {
        let started = Instant::now();
        question().await;
        taken.push(started.elapsed());
    }
    taken.sort_unstable();
    taken[QUESTIONS / 2]
}
