//! Which channel belongs to which call.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use tracing::error;

use crate::ari::Event;

/// What the dispatcher tells a call.
#[derive(Clone, Debug)]
pub(super) enum CallEvent {
    /// An event of one of its channels.
    Ari(Arc<Event>),
    /// The connection is lost.
    Lost,
    /// The connection is back; events in between are missing.
    Back,
    /// Another process serves the application and has the call.
    Replaced,
}

/// A call asks for events of a channel, or no longer wants them.
#[derive(Debug)]
pub(super) enum Registration {
    /// From now on events of the channel go to the call.
    Add {
        channel: String,
        call: mpsc::Sender<CallEvent>,
    },
    /// The channel is of no interest any more.
    Remove { channel: String },
    /// Nothing is left of a call.
    CallOver { caller: String },
}

/// Events that wait for one call. A call that lets so many pile up is stuck.
pub(super) const MAILBOX: usize = 1_024;

/// The map of channels to calls; owned by the dispatcher.
#[derive(Debug, Default)]
pub(super) struct Registry {
    channels: HashMap<String, mpsc::Sender<CallEvent>>,
    callers: HashMap<String, mpsc::Sender<CallEvent>>,
    /// Channels that were given up, and when.
    given_up: HashMap<String, Instant>,
}

impl Registry {
    pub(super) fn add_call(&mut self, caller: &str, call: mpsc::Sender<CallEvent>) {
        self.callers.insert(caller.to_owned(), call.clone());
        self.channels.insert(caller.to_owned(), call);
    }

    pub(super) fn apply(&mut self, registration: Registration) {
        match registration {
            Registration::Add { channel, call } => {
                self.channels.insert(channel, call);
            }
            Registration::Remove { channel } => self.give_up(channel),
            Registration::CallOver { caller } => {
                self.callers.remove(&caller);
                self.give_up(caller);
            }
        }
    }

    fn give_up(&mut self, channel: String) {
        self.channels.remove(&channel);
        self.given_up.insert(channel, Instant::now());
    }

    /// Whether a call of this process has the channel, or had it at that moment: what was listed then is not left behind.
    pub(super) fn knew(&self, channel: &str, moment: Instant) -> bool {
        self.channels.contains_key(channel) || self.given_up.get(channel).is_some_and(|given_up| *given_up >= moment)
    }

    /// Forgets channels that were given up before a moment.
    pub(super) fn forget_given_up(&mut self, before: Instant) {
        self.given_up.retain(|_, given_up| *given_up >= before);
    }

    /// Delivers an event to the call of a channel; false where no call wants it.
    pub(super) fn deliver(&self, channel: &str, event: &Arc<Event>) -> bool {
        let Some(call) = self.channels.get(channel) else {
            return false;
        };
        if let Err(mpsc::error::TrySendError::Full(_)) = call.try_send(CallEvent::Ari(Arc::clone(event))) {
            error!(channel, "a call does not take its events: one is lost");
        }
        true
    }

    pub(super) fn tell_all(&self, event: &CallEvent) {
        for call in self.callers.values() {
            let _ = call.try_send(event.clone());
        }
    }

    pub(super) fn calls(&self) -> usize {
        self.callers.len()
    }

    pub(super) fn channels(&self) -> usize {
        self.channels.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_up_while_channels_were_listed_is_not_left_behind() {
        let mut registry = Registry::default();
        let (call, _mailbox) = mpsc::channel(1);
        registry.add_call("1.1", call);
        let listed = Instant::now();
        assert!(registry.knew("1.1", listed));
        registry.apply(Registration::CallOver { caller: "1.1".into() });
        assert!(registry.knew("1.1", listed), "it was there when channels were listed");
        assert!(!registry.knew("1.2", listed));
        let later = Instant::now() + std::time::Duration::from_secs(1);
        assert!(!registry.knew("1.1", later));
        registry.forget_given_up(later);
        assert!(!registry.knew("1.1", listed));
    }
}
