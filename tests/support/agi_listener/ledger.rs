//! The task that owns the records, and tells those who wait for one.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::record::AgiRecord;

/// What `call_log` sets at the start of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSettings {
    /// `_CAMPCUST`, set for V and M calls.
    pub campaign: String,
    /// `_CAMPDTO` in seconds, set for M calls only.
    pub dial_timeout_seconds: u32,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            campaign: "TESTCAMP".to_owned(),
            dial_timeout_seconds: 26,
        }
    }
}

/// What records are looked up by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    CallCode(String),
    Uniqueid(String),
}

/// Whether the records seen so far are what is waited for.
pub(super) type Until = Box<dyn Fn(&[Arc<AgiRecord>]) -> bool + Send>;
type Answer = oneshot::Sender<Vec<Arc<AgiRecord>>>;
/// Channel variables to set, names as `SET VARIABLE` takes them.
type Variables = Vec<(&'static str, String)>;

/// What the ledger is asked.
pub(super) enum Ask {
    /// Enter a record; the answer is what to set on the channel when it is a start.
    Enter {
        record: Arc<AgiRecord>,
        answer: oneshot::Sender<Variables>,
    },
    /// Answer with the records of `key` as soon as they satisfy `until`.
    Records { key: Key, until: Until, answer: Answer },
    /// Use these settings for a call.
    SetFor { call_code: String, settings: CallSettings },
}

#[derive(Default)]
struct Ledger {
    records: HashMap<Key, Vec<Arc<AgiRecord>>>,
    waiting: HashMap<Key, Vec<(Until, Answer)>>,
    settings: HashMap<String, CallSettings>,
}

/// Serves until the last handle is gone.
pub(super) async fn run(mut asks: mpsc::UnboundedReceiver<Ask>) {
    let mut ledger = Ledger::default();
    while let Some(ask) = asks.recv().await {
        match ask {
            Ask::Enter { record, answer } => {
                let _ = answer.send(ledger.variables(record.call_code()));
                ledger.enter(Key::CallCode(record.call_code().to_owned()), &record);
                ledger.enter(Key::Uniqueid(record.uniqueid.clone()), &record);
            }
            Ask::Records { key, until, answer } => ledger.answer_or_keep(key, until, answer),
            Ask::SetFor { call_code, settings } => {
                ledger.settings.insert(call_code, settings);
            }
        }
    }
}

impl Ledger {
    fn variables(&self, call_code: &str) -> Variables {
        let settings = self.settings.get(call_code).cloned().unwrap_or_default();
        let mut variables = Vec::new();
        if call_code.starts_with(['V', 'M']) {
            variables.push(("_CAMPCUST", settings.campaign));
        }
        if call_code.starts_with('M') {
            variables.push(("_CAMPDTO", settings.dial_timeout_seconds.to_string()));
        }
        variables
    }

    fn enter(&mut self, key: Key, record: &Arc<AgiRecord>) {
        self.records.entry(key.clone()).or_default().push(Arc::clone(record));
        for (until, answer) in self.waiting.remove(&key).unwrap_or_default() {
            self.answer_or_keep(key.clone(), until, answer);
        }
    }

    fn answer_or_keep(&mut self, key: Key, until: Until, answer: Answer) {
        let records = self.records.get(&key).map(Vec::as_slice).unwrap_or_default();
        if until(records) {
            let _ = answer.send(records.to_vec());
        } else if !answer.is_closed() {
            self.waiting.entry(key).or_default().push((until, answer));
        }
    }
}
