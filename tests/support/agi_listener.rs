//! The stand-in for VICIdial's FastAGI server: it writes down what the dialer would have been told about each call.
//!
//! One task, the ledger, owns the records; a session hands its record in and closes, as quickly as VICIdial's does.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::error::{IoContext, LabError};

mod ledger;
mod record;
mod session;

pub use ledger::CallSettings;
use ledger::{Ask, Key, Until};
pub use record::{AgiKind, AgiRecord};

/// The listener; clones share it, and it ends with the last of them.
#[derive(Clone, Debug)]
pub struct AgiListener {
    port: u16,
    ledger: mpsc::UnboundedSender<Ask>,
    _accepting: Arc<AbortOnDropHandle<()>>,
}

impl AgiListener {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start() -> Result<Self, LabError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context(|| "binding the FastAGI listener".to_owned())?;
        let port = listener
            .local_addr()
            .context(|| "asking for the FastAGI port".to_owned())?
            .port();
        // Unbounded: a session never waits, as the ledger only moves values about.
        let (ledger, asks) = mpsc::unbounded_channel();
        tokio::spawn(ledger::run(asks));
        let accepting = tokio::spawn(accept(listener, ledger.clone()));
        Ok(Self {
            port,
            ledger,
            _accepting: Arc::new(AbortOnDropHandle::new(accepting)),
        })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What `call_log` sets at the start of one call, instead of the default.
    pub fn set_for_call(&self, call_code: &str, settings: CallSettings) {
        let _ = self.ledger.send(Ask::SetFor {
            call_code: call_code.to_owned(),
            settings,
        });
    }

    /// All that was recorded for a call, in order of arrival.
    pub async fn records_for(&self, call_code: &str) -> Vec<Arc<AgiRecord>> {
        self.ask(Key::CallCode(call_code.to_owned()), Box::new(|_| true))
            .1
            .await
            .unwrap_or_default()
    }

    /// The end that VICIdial books in its carrier log: the first of the call that has a DIALSTATUS. It is that of the
    /// channel that ran the carrier's entry.
    pub async fn wait_for_end(&self, call_code: &str, limit: Duration) -> Result<Arc<AgiRecord>, LabError> {
        let is_it = |record: &Arc<AgiRecord>| record.kind == AgiKind::End && !record.dialstatus.is_empty();
        let what = "end with a DIALSTATUS";
        let records = self
            .wait(Key::CallCode(call_code.to_owned()), what, limit, move |seen| {
                seen.iter().any(is_it)
            })
            .await?;
        first(records, is_it, what)
    }

    /// The end of one channel.
    pub async fn wait_for_end_of_channel(&self, uniqueid: &str, limit: Duration) -> Result<Arc<AgiRecord>, LabError> {
        let is_it = |record: &Arc<AgiRecord>| record.kind == AgiKind::End;
        let what = "end of the channel";
        let records = self
            .wait(Key::Uniqueid(uniqueid.to_owned()), what, limit, move |seen| {
                seen.iter().any(is_it)
            })
            .await?;
        first(records, is_it, what)
    }

    /// Waits until the records of a call satisfy `until`; they, in order of arrival. `what` names the condition.
    pub async fn wait_until(
        &self,
        call_code: &str,
        what: &str,
        limit: Duration,
        until: impl Fn(&[Arc<AgiRecord>]) -> bool + Send + 'static,
    ) -> Result<Vec<Arc<AgiRecord>>, LabError> {
        self.wait(Key::CallCode(call_code.to_owned()), what, limit, until).await
    }

    async fn wait(
        &self,
        key: Key,
        what: &str,
        limit: Duration,
        until: impl Fn(&[Arc<AgiRecord>]) -> bool + Send + 'static,
    ) -> Result<Vec<Arc<AgiRecord>>, LabError> {
        let (key, answered) = self.ask(key, Box::new(until));
        if let Ok(records) = tokio::time::timeout(limit, answered).await {
            return records.map_err(|_| LabError::Missing("The FastAGI listener's ledger has stopped.".to_owned()));
        }
        let seen = self.ask(key.clone(), Box::new(|_| true)).1.await.unwrap_or_default();
        Err(LabError::Timeout {
            what: format!("{what} for {key:?}; seen: {seen:#?}"),
            after: limit,
        })
    }

    fn ask(&self, key: Key, until: Until) -> (Key, oneshot::Receiver<Vec<Arc<AgiRecord>>>) {
        let (answer, answered) = oneshot::channel();
        // A ledger that has stopped shows as an answer that never comes: the sender is dropped with the message.
        let _ = self.ledger.send(Ask::Records {
            key: key.clone(),
            until,
            answer,
        });
        (key, answered)
    }
}

fn first(
    records: Vec<Arc<AgiRecord>>,
    is_it: impl Fn(&Arc<AgiRecord>) -> bool,
    what: &str,
) -> Result<Arc<AgiRecord>, LabError> {
    records
        .into_iter()
        .find(is_it)
        .ok_or_else(|| LabError::Missing(format!("The ledger answered without an {what}.")))
}

async fn accept(listener: TcpListener, ledger: mpsc::UnboundedSender<Ask>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    sessions.spawn(session::serve(stream, ledger.clone()));
                }
            }
            Some(_) = sessions.join_next() => {}
        }
    }
}
