//! What a step waits for: that a crash cannot lose what led to it any more.

use std::time::Duration;

use tokio::sync::oneshot;
use tracing::warn;

/// A step waits at most so long for the record of what led to it: a disk that hangs must not hold calls up.
const LIMIT: Duration = Duration::from_millis(50);

/// A promise that everything so far is on record. One without anything on its way is kept already.
#[derive(Debug, Default)]
pub struct Recorded(Option<oneshot::Receiver<()>>);

impl Recorded {
    /// The promise for the last of the records that are on their way; records are kept in their order.
    pub const fn when(last: Option<oneshot::Receiver<()>>) -> Self {
        Self(last)
    }

    /// Waits for it, in vain too: the call goes on, and the log says so.
    pub async fn wait(self) {
        let Some(last) = self.0 else { return };
        match tokio::time::timeout(LIMIT, last).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => warn!("an attempt could not be put on record"),
            Err(_) => warn!(
                limit_ms = LIMIT.as_millis(),
                "the disk does not take attempts in time; the call goes on"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_step_waits_for_its_record_and_not_for_a_disk_that_hangs() {
        assert_eq!(
            Recorded::default().wait().now_or_never(),
            Some(()),
            "nothing is on its way"
        );

        let (kept, last) = oneshot::channel();
        let mut step = Box::pin(Recorded::when(Some(last)).wait());
        assert_eq!((&mut step).now_or_never(), None);
        assert!(kept.send(()).is_ok());
        assert_eq!((&mut step).now_or_never(), Some(()));

        let (lost, last) = oneshot::channel::<()>();
        drop(lost);
        assert_eq!(Recorded::when(Some(last)).wait().now_or_never(), Some(()));

        let (_hangs, last) = oneshot::channel();
        let began = tokio::time::Instant::now();
        Recorded::when(Some(last)).wait().await;
        assert_eq!(began.elapsed(), LIMIT);
    }
}
