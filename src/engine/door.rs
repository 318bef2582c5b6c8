//! The door in front of every leg: a task that owns the admission ledger, and permits that give back what they took.

use tokio::sync::{mpsc, oneshot};

use crate::admission::Ledger;
use crate::call::AdmissionRefusal;
use crate::carrier::CarrierId;

enum Request {
    Admit {
        carrier: CarrierId,
        answer: oneshot::Sender<Result<(), AdmissionRefusal>>,
    },
    Release {
        carrier: CarrierId,
    },
    Close,
    Total {
        answer: oneshot::Sender<u32>,
    },
    Books {
        answer: oneshot::Sender<Vec<(CarrierId, u32)>>,
    },
}

/// A handle on the task that owns the ledger. The mailbox is unbounded because a release must never wait or be lost; every
/// call has at most one request in it.
#[derive(Clone, Debug)]
pub struct Door {
    requests: mpsc::UnboundedSender<Request>,
}

impl Door {
    /// Starts the task; it ends when the last handle and the last permit are gone.
    pub fn open() -> Self {
        let (requests, mut mailbox) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut ledger = Ledger::default();
            while let Some(request) = mailbox.recv().await {
                match request {
                    Request::Admit { carrier, answer } => {
                        let verdict = ledger.admit(&carrier);
                        let admitted = verdict.is_ok();
                        if answer.send(verdict).is_err() && admitted {
                            ledger.release(&carrier);
                        }
                    }
                    Request::Release { carrier } => ledger.release(&carrier),
                    Request::Close => ledger.close(),
                    Request::Total { answer } => {
                        let _ = answer.send(ledger.total());
                    }
                    Request::Books { answer } => {
                        let _ = answer.send(ledger.books());
                    }
                }
            }
        });
        Self { requests }
    }

    /// Asks for one leg through a carrier.
    ///
    /// # Errors
    /// The reason for which it may not go out.
    pub async fn admit(&self, carrier: &CarrierId) -> Result<Permit, AdmissionRefusal> {
        let (answer, verdict) = oneshot::channel();
        let request = Request::Admit {
            carrier: carrier.clone(),
            answer,
        };
        self.requests
            .send(request)
            .map_err(|_| AdmissionRefusal::ShuttingDown)?;
        verdict.await.map_err(|_| AdmissionRefusal::ShuttingDown)??;
        Ok(Permit {
            carrier: carrier.clone(),
            requests: self.requests.clone(),
        })
    }

    /// No further leg goes out.
    pub fn close(&self) {
        let _ = self.requests.send(Request::Close);
    }

    /// Legs that are out.
    pub async fn legs_out(&self) -> u32 {
        let (answer, total) = oneshot::channel();
        if self.requests.send(Request::Total { answer }).is_err() {
            return 0;
        }
        total.await.unwrap_or(0)
    }

    /// Legs that are out through each carrier, by carrier; carriers with none are not in it.
    pub async fn legs_out_by_carrier(&self) -> Vec<(CarrierId, u32)> {
        let (answer, books) = oneshot::channel();
        if self.requests.send(Request::Books { answer }).is_err() {
            return Vec::new();
        }
        books.await.unwrap_or_default()
    }
}

/// The right to have one leg out; dropping it gives the place back exactly once.
#[derive(Debug)]
pub struct Permit {
    carrier: CarrierId,
    requests: mpsc::UnboundedSender<Request>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let _ = self.requests.send(Request::Release {
            carrier: self.carrier.clone(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_permit_gives_its_place_back_once() {
        let door = Door::open();
        let carrier = CarrierId::from("A");
        let first = door.admit(&carrier).await.expect("the door is open");
        let second = door.admit(&carrier).await.expect("the door is open");
        assert_eq!(door.legs_out().await, 2);
        assert_eq!(door.legs_out_by_carrier().await, [(carrier.clone(), 2)]);
        drop(first);
        assert_eq!(door.legs_out().await, 1);
        door.close();
        assert_eq!(
            door.admit(&carrier).await.map(|_| ()),
            Err(AdmissionRefusal::ShuttingDown)
        );
        drop(second);
        assert_eq!(door.legs_out().await, 0);
    }
}
