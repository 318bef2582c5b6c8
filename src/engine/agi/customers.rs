//! Legs that the dialer has taken: nobody's call any more, but channels of their carriers until they end. Those of both engines.

use tokio::sync::mpsc;

use super::sidecar::Sidecar;
use crate::engine::TakenLeg;

impl Sidecar {
    /// Lets every taken leg keep its place until its channel is gone.
    pub async fn keep_places(self, mut taken: mpsc::UnboundedReceiver<TakenLeg>) {
        while let Some(TakenLeg { channel_id, permit }) = taken.recv().await {
            let end = self.end_of(&channel_id);
            tokio::spawn(async move {
                end.await;
                drop(permit);
            });
        }
    }
}
