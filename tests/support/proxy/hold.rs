//! Requests that are held up on their way, and those that let them go.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::super::error::LabError;

/// What of a request is held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The request itself: the other side has not seen it.
    Request,
    /// The answer: the other side has done what was asked.
    Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Waiting,
    Caught,
    Released,
}

/// Holds one request or its answer. Dropping it changes nothing: only [`Hold::release`] lets go.
#[derive(Clone, Debug)]
pub struct Hold {
    state: Arc<watch::Sender<State>>,
}

impl Hold {
    /// Waits until what is to be held is held.
    pub async fn wait_until_caught(&self, limit: Duration) -> Result<(), LabError> {
        let mut state = self.state.subscribe();
        let caught = state.wait_for(|state| *state >= State::Caught);
        match tokio::time::timeout(limit, caught).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(LabError::Timeout {
                what: "request that was to be held".to_owned(),
                after: limit,
            }),
        }
    }

    /// Whether something is held now.
    pub fn holds(&self) -> bool {
        *self.state.borrow() == State::Caught
    }

    /// Lets go; what was not caught by now is not held.
    pub fn release(&self) {
        self.state.send_replace(State::Released);
    }

    pub(super) fn caught(&self) {
        self.state.send_if_modified(|state| {
            let waits = *state == State::Waiting;
            if waits {
                *state = State::Caught;
            }
            waits
        });
    }

    pub(super) async fn released(&self) {
        let mut state = self.state.subscribe();
        let _ = state.wait_for(|state| *state == State::Released).await;
    }
}

/// What is to be held, each thing once.
#[derive(Clone, Debug, Default)]
pub(super) struct Holds(Arc<Mutex<Vec<(Part, String, Hold)>>>);

impl Holds {
    pub(super) fn add(&self, part: Part, text: String) -> Hold {
        let hold = Hold {
            state: Arc::new(watch::Sender::new(State::Waiting)),
        };
        let mut wanted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wanted.push((part, text, hold.clone()));
        hold
    }

    /// Whether a packet is one that is to be held. It is no longer wanted then.
    pub(super) fn catching(&self, packet: &[u8]) -> Option<(Part, Hold)> {
        let mut wanted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_in = |text: &str| packet.windows(text.len()).any(|window| window == text.as_bytes());
        let place = wanted.iter().position(|(_, text, _)| is_in(text))?;
        let (part, _, hold) = wanted.swap_remove(place);
        if part == Part::Request {
            hold.caught();
        }
        Some((part, hold))
    }
}
