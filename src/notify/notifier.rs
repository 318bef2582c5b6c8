//! The handle that everybody tells, and the task that keeps the pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use crate::engine::now;
use crate::health::Change;

use super::mail::Mail;
use super::notice::Notice;
use super::outbox::{ChannelCounters, Limits, Outbox, SendError};
use super::pace::{Due, Pace};
use super::settings::NotifySettings;
use super::webhook::Webhook;

/// Notices that may wait for the task, which waits for nothing itself.
const MAILBOX: usize = 1_024;

/// What the task is asked for.
enum Request {
    Tell(Notice),
    /// Post what is held back for the pace, and say when that is done.
    PostAll(oneshot::Sender<()>),
}

/// Tells people and machines what happens to carriers.
#[derive(Clone, Debug)]
pub struct Notifier {
    mailbox: Option<mpsc::Sender<Request>>,
    outboxes: Arc<[Outbox]>,
    overflows: Arc<AtomicU64>,
}

impl Notifier {
    /// Starts what `settings` ask for, on behalf of the dialer `server_ip`. A channel that cannot be set up is told in the
    /// log and left out.
    pub fn open(settings: &NotifySettings, limits: Limits, server_ip: String) -> Self {
        let webhook = settings.webhook.as_ref().map(|webhook| {
            let made = Webhook::new(webhook);
            made.map(|channel| Outbox::open(channel, limits))
        });
        let mail = settings.mail.as_ref().map(|mail| {
            let made = Mail::new(mail);
            made.map(|channel| Outbox::open(channel, limits))
        });
        let usable = |made: Result<Outbox, SendError>| {
            made.map_err(|error| warn!(%error, "a channel of [notify] cannot be used"))
                .ok()
        };
        let outboxes: Arc<[Outbox]> = [webhook, mail].into_iter().flatten().filter_map(usable).collect();
        let mailbox = (!outboxes.is_empty()).then(|| {
            let (mailbox, requests) = mpsc::channel(MAILBOX);
            let task = Task {
                outboxes: Arc::clone(&outboxes),
                pace: Pace::new(settings.minimum_interval),
                server_ip,
                started_ms: now().wall_ms,
                serial: 0,
            };
            tokio::spawn(task.run(requests));
            mailbox
        });
        Self {
            mailbox,
            outboxes,
            overflows: Arc::default(),
        }
    }

    /// Tells a notice: to the log at once, to the channels when their time comes. Never waits.
    pub fn tell(&self, notice: Notice) {
        log(&notice);
        if let Some(mailbox) = &self.mailbox
            && mailbox.try_send(Request::Tell(notice)).is_err()
        {
            self.overflows.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends what waits, also what the pace holds back, for at most so long; says in the log what could not be sent.
    pub async fn finish(&self, limit: Duration) {
        let Some(mailbox) = &self.mailbox else { return };
        let all_is_sent = async {
            let (done, is_done) = oneshot::channel();
            if mailbox.send(Request::PostAll(done)).await.is_ok() {
                let _task_is_gone = is_done.await;
            }
            for outbox in &*self.outboxes {
                outbox.is_empty().await;
            }
        };
        if tokio::time::timeout(limit, all_is_sent).await.is_err() {
            for outbox in self.outboxes.iter().filter(|outbox| outbox.left() > 0) {
                warn!(
                    channel = outbox.name,
                    notices = outbox.left(),
                    "notices are left that did not arrive"
                );
            }
        }
    }

    /// What became of the notices: each channel's name with its counters.
    pub fn counters(&self) -> impl Iterator<Item = (&'static str, &ChannelCounters)> {
        self.outboxes.iter().map(|outbox| (outbox.name, &*outbox.counters))
    }

    /// Notices that found the task's mailbox full and reached no channel.
    pub fn overflows(&self) -> u64 {
        self.overflows.load(Ordering::Relaxed)
    }
}

fn log(notice: &Notice) {
    let is_warning = notice.is_warning();
    match notice {
        Notice::State(carrier, Change { from, to, because, .. }) => {
            let code = because.code();
            if is_warning {
                warn!(%carrier, %from, %to, code, %because, "carrier state");
            } else {
                info!(%carrier, %from, %to, code, %because, "carrier state");
            }
        }
        Notice::Operator(_) | Notice::Test(_) => {
            let text = notice.text();
            if is_warning {
                warn!("{text}");
            } else {
                info!("{text}");
            }
        }
    }
}

struct Task {
    outboxes: Arc<[Outbox]>,
    pace: Pace,
    server_ip: String,
    started_ms: i64,
    serial: u64,
}

impl Task {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        loop {
            let next = self.pace.next();
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            let (due, done) = tokio::select! {
                request = requests.recv() => match request {
                    Some(Request::Tell(notice)) => (self.pace.offer(notice, Instant::now()).into_iter().collect(), None),
                    Some(Request::PostAll(done)) => (self.pace.rest(), Some(done)),
                    None => return,
                },
                () = due => (self.pace.due(Instant::now()), None),
            };
            due.into_iter().for_each(|due| self.post(&due));
            if let Some(done) = done {
                let _asker_is_gone = done.send(());
            }
        }
    }

    fn post(&mut self, due: &Due) {
        self.serial += 1;
        let id = format!("{}-{}-{}", self.server_ip, self.started_ms, self.serial);
        let letter = Arc::new(due.notice.letter(id, &self.server_ip, due.suppressed));
        self.outboxes.iter().for_each(|outbox| outbox.put(Arc::clone(&letter)));
    }
}
