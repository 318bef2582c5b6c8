//! The tables that calls are routed by: read, published, and kept fresh; while they cannot be read, the last good ones serve.
//!
//! One task looks at them regularly, and reads them at once when it is asked to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;
use tracing::{debug, error, info, warn};

use crate::ari::Client;
use crate::config::Settings;
use crate::control::RefreshError;
use crate::engine::{Door, HealthDesk, now};
use crate::routing::RouteTable;
use crate::snapshot::{Snapshot, is_rebuild_due};
use crate::store::{RoutingTables, Store, StoreError};
use crate::verdict::CarrierPolicies;
use crate::vicidial::carriers::CarrierTable;
use crate::vicidial::contract::DialTimeouts;
use crate::vicidial::edits::{AsteriskHas, PeerName, ServedCarriers};

use super::reload::LiveSettings;

/// How often the tables are looked at: an edit is seen within two seconds, however long the look takes.
const POLL: Duration = Duration::from_secs(1);
/// How often a log that says that the tables are stale says so again.
const REMINDER: Duration = Duration::from_secs(60);
/// Requests to read at once that may wait; each has somebody waiting for its answer.
const MAILBOX: usize = 64;

/// What the tables said when they were last read, and whether that still holds.
#[derive(Clone, Debug)]
pub(super) struct Published {
    /// What routing is made of, every carrier with what became of the last edit of its row.
    pub snapshot: Arc<Snapshot>,
    /// When it was read, milliseconds since 1970.
    pub read_ms: i64,
    /// When it was last found to be what calls use, milliseconds since 1970.
    pub checked_ms: i64,
    /// Why that is not known any more; `None` while it is.
    pub stale: Option<Stale>,
}

/// The tables cannot be read.
#[derive(Clone, Debug)]
pub(super) struct Stale {
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
    /// What the last look met.
    pub because: String,
}

/// What calls are routed by; replaced as a whole.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub routes: Arc<ArcSwap<RouteTable>>,
    pub policies: Arc<ArcSwap<CarrierPolicies>>,
    pub door: Door,
    pub health: HealthDesk,
    pub timeouts: DialTimeouts,
}

type Refresh = oneshot::Sender<Result<(), RefreshError>>;

/// A handle on the task.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    refreshes: mpsc::Sender<Refresh>,
    published: watch::Receiver<Published>,
}

impl Tables {
    /// Starts the task; it ends with the last handle. `asterisk` is asked whether it has what was edited.
    pub(super) fn keep_fresh(reader: Reader, asterisk: Client) -> Self {
        let (refreshes, mailbox) = mpsc::channel(MAILBOX);
        let published = reader.publish.subscribe();
        tokio::spawn(reader.keep_fresh(asterisk, mailbox));
        Self { refreshes, published }
    }

    /// Reads the tables now; when this returns, the next call is routed by what was read.
    pub(super) async fn refresh(&self) -> Result<(), RefreshError> {
        let (answer, done) = oneshot::channel();
        // The task lives as long as a handle does.
        if self.refreshes.send(answer).await.is_err() {
            return Ok(());
        }
        done.await.unwrap_or(Ok(()))
    }

    /// What was read last, each time that it is looked at; ends with the task.
    pub(super) fn subscribe(&self) -> watch::Receiver<Published> {
        self.published.clone()
    }

    /// What routing is made of, now and each time that it is another; ends with the task.
    pub(super) fn snapshots(&self) -> Snapshots {
        Snapshots {
            published: self.published.clone(),
            last: Weak::new(),
        }
    }

    /// What was read last.
    pub(super) fn published(&self) -> Published {
        self.published.borrow().clone()
    }
}

/// One snapshot after the other. It does not keep the task alive.
#[derive(Debug)]
pub(super) struct Snapshots {
    published: watch::Receiver<Published>,
    /// Tells which one it was, and does not keep it.
    last: Weak<Snapshot>,
}

impl Snapshots {
    /// Waits for a snapshot that is not the one of the last time. `None` when there will be no more. Dropping the future loses
    /// nothing.
    pub(super) async fn next(&mut self) -> Option<Arc<Snapshot>> {
        loop {
            if let Some(snapshot) = self.unseen() {
                return Some(snapshot);
            }
            self.published.changed().await.ok()?;
        }
    }

    /// The books of how fresh a snapshot is change each second, it itself seldom. None is held while the next is waited for: an
    /// old table would stay until this task has its turn.
    fn unseen(&mut self) -> Option<Arc<Snapshot>> {
        let published = self.published.borrow_and_update();
        let this = Arc::downgrade(&published.snapshot);
        let is_unseen = !self.last.ptr_eq(&this);
        self.last = this;
        is_unseen.then(|| Arc::clone(&published.snapshot))
    }
}

/// When a look reads the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// When something has changed or is waited for.
    IfChanged,
    /// In any case.
    AtOnce,
}

/// The task's own side: reads the tables and publishes what is made of them.
#[derive(Debug)]
pub(super) struct Reader {
    store: Store,
    settings: LiveSettings,
    live: Live,
    publish: watch::Sender<Published>,
    served: ServedCarriers,
    had_carriers: bool,
    had_campaigns: bool,
    /// While the tables cannot be read: since when, and when the log last said so.
    told_stale: Option<(Instant, Instant)>,
}

impl Reader {
    /// Reads the tables for the first time: all carriers that can be understood serve.
    pub(super) async fn load(
        store: Store,
        live_settings: LiveSettings,
        door: Door,
        health: HealthDesk,
    ) -> Result<(Self, Live), StoreError> {
        let settings = live_settings.load_full();
        let tables = store.routing_tables().await?;
        let (had_carriers, had_campaigns) = (!tables.carriers.is_empty(), !tables.campaigns.is_empty());
        let carriers = Snapshot::carrier_table(&tables, &settings);
        let served = ServedCarriers::first(&carriers);
        let (snapshot, served) = make(&store, tables, carriers, served, settings).await?;
        tell(&snapshot, &ServedCarriers::default());
        door.set_limits(snapshot.limits.clone());
        health.set_carriers(snapshot.operator_settings()).await;
        let live = Live {
            routes: Arc::new(ArcSwap::new(Arc::clone(&snapshot.table))),
            policies: Arc::new(ArcSwap::new(Arc::clone(&snapshot.policies))),
            door,
            health,
            timeouts: Arc::new(ArcSwap::new(Arc::clone(&snapshot.dial_timeouts))),
        };
        let read_ms = now().wall_ms;
        let (publish, _) = watch::channel(Published {
            snapshot: Arc::new(snapshot),
            read_ms,
            checked_ms: read_ms,
            stale: None,
        });
        let reader = Self {
            store,
            settings: live_settings,
            live: live.clone(),
            publish,
            served,
            had_carriers,
            had_campaigns,
            told_stale: None,
        };
        Ok((reader, live))
    }

    async fn keep_fresh(mut self, asterisk: Client, mut mailbox: mpsc::Receiver<Refresh>) {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        poll.reset();
        loop {
            tokio::select! {
                refresh = mailbox.recv() => match refresh {
                    Some(answer) => {
                        let result = self.look(&asterisk, Look::AtOnce).await;
                        self.note(result.as_ref().err());
                        let _asker_is_gone = answer.send(result);
                    }
                    None => return,
                },
                _ = poll.tick() => {
                    let result = self.look(&asterisk, Look::IfChanged).await;
                    self.note(result.as_ref().err());
                }
            }
        }
    }

    /// Looks at the tables once.
    async fn look(&mut self, asterisk: &Client, look: Look) -> Result<(), RefreshError> {
        let fingerprint = self.publish.borrow().snapshot.fingerprint;
        if look == Look::IfChanged && !self.served.is_waiting() && self.store.fingerprint().await? == fingerprint {
            return Ok(());
        }
        let tables = self.store.routing_tables().await?;
        if self.had_carriers && tables.carriers.is_empty() {
            return Err(RefreshError::Lost("vicidial_server_carriers"));
        }
        if self.had_campaigns && tables.campaigns.is_empty() {
            return Err(RefreshError::Lost("vicidial_campaigns"));
        }
        let settings = self.settings.load_full();
        let carriers = Snapshot::carrier_table(&tables, &settings);
        let asterisk_has = AsteriskHas {
            is_rebuild_due: is_rebuild_due(&tables, &settings),
            peers: ask_for(asterisk, self.served.peers_to_ask_for(&carriers)).await,
        };
        let served = self.served.after(&carriers, &asterisk_has, now().wall_ms);
        if look == Look::AtOnce || tables.fingerprint != fingerprint || served != self.served {
            self.publish(tables, carriers, served, settings).await?;
        } else {
            self.store.in_its_thread(move || drop(tables)).await?;
        }
        Ok(())
    }

    /// When this returns, calls go by the tables, and what they went by before is gone.
    async fn publish(
        &mut self,
        tables: RoutingTables,
        carriers: CarrierTable,
        served: ServedCarriers,
        settings: Arc<Settings>,
    ) -> Result<(), StoreError> {
        self.had_carriers = !tables.carriers.is_empty();
        self.had_campaigns = !tables.campaigns.is_empty();
        let (snapshot, served) = make(&self.store, tables, carriers, served, settings).await?;
        tell(&snapshot, &self.served);
        self.served = served;
        self.live.door.set_limits(snapshot.limits.clone());
        self.live.health.set_carriers(snapshot.operator_settings()).await;
        self.live.policies.store(Arc::clone(&snapshot.policies));
        self.live.routes.store(Arc::clone(&snapshot.table));
        self.live.timeouts.store(Arc::clone(&snapshot.dial_timeouts));
        let mut other = Arc::new(snapshot);
        self.publish.send_modify(|published| {
            std::mem::swap(&mut published.snapshot, &mut other);
            published.read_ms = now().wall_ms;
        });
        self.store.in_its_thread(move || drop(other)).await
    }

    /// Keeps the books of how fresh the tables are, and tells when that changes.
    fn note(&mut self, error: Option<&RefreshError>) {
        let now_ms = now().wall_ms;
        self.publish.send_modify(|published| match error {
            None => {
                published.checked_ms = now_ms;
                published.stale = None;
            }
            Some(error) => {
                let since_ms = published.stale.as_ref().map_or(now_ms, |stale| stale.since_ms);
                published.stale = Some(Stale {
                    since_ms,
                    because: error.to_string(),
                });
            }
        });
        match error {
            None => {
                if let Some((since, _)) = self.told_stale.take() {
                    info!(stale_s = since.elapsed().as_secs(), "the tables are fresh again");
                }
            }
            Some(error) => {
                let moment = Instant::now();
                let is_told = self.told_stale.is_some_and(|(_, told)| told.elapsed() < REMINDER);
                if !is_told {
                    let since = self.told_stale.map_or(moment, |(since, _)| since);
                    let stale_s = since.elapsed().as_secs();
                    error!(%error, stale_s, "the tables cannot be read: the last good ones serve");
                    self.told_stale = Some((since, moment));
                }
            }
        }
    }
}

/// Makes what calls are routed by of the rows, where no call waits.
async fn make(
    store: &Store,
    tables: RoutingTables,
    carriers: CarrierTable,
    served: ServedCarriers,
    settings: Arc<Settings>,
) -> Result<(Snapshot, ServedCarriers), StoreError> {
    let make = move || {
        let snapshot = Snapshot::with_carriers(tables, carriers, &served, &settings);
        (snapshot, served)
    };
    store.in_its_thread(make).await
}

/// Tells what was read, and which carriers are not as they were `before`.
fn tell(snapshot: &Snapshot, before: &ServedCarriers) {
    for problem in &snapshot.carrier_problems {
        warn!(%problem, "carrier table");
    }
    for problem in &snapshot.route_problems {
        warn!(%problem, "route left out");
    }
    for (carrier, state) in &snapshot.carrier_states {
        if before.states().all(|before| before != (carrier, state)) {
            info!(%carrier, %state, "carrier");
        }
    }
    info!(
        carriers = snapshot.carriers.len(),
        routes = snapshot.routes().len(),
        "tables read"
    );
}

/// Asks Asterisk for peers. One whose answer did not come is not among the answers.
async fn ask_for(asterisk: &Client, peers: BTreeSet<PeerName>) -> BTreeMap<PeerName, bool> {
    let mut answers = BTreeMap::new();
    for peer in peers {
        match asterisk.endpoints().get(peer.technology, &peer.peer).await {
            Ok(found) => {
                answers.insert(peer, found.is_some());
            }
            Err(error) => {
                // What waits for the answer says so itself; this is asked again at every look.
                debug!(%peer, %error, "Asterisk cannot be asked for an endpoint");
                break;
            }
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Source};
    use crate::health::HealthBoard;
    use crate::store::IfMissing;

    #[tokio::test]
    async fn what_was_read_before_is_gone_when_a_reload_is_done() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("crankback.toml");
        let database = directory.path().join("crankback.db");
        let text = format!(
            "[store]\nurl = \"sqlite://{}\"\n[server]\nip = \"10.0.0.7\"\n[ari]\nusername = \"a\"\npassword = \"b\"\n",
            database.display()
        );
        std::fs::write(&file, text).expect("the configuration is written");
        let alone = [("CRANKBACK_ASTGUICLIENT".to_owned(), String::new())];
        let settings = config::load(&Source::File(file), alone).expect("is complete");
        let store = Store::open(&settings.store.url, IfMissing::Create)
            .await
            .expect("opens");
        let health = HealthDesk::open(HealthBoard::new(settings.health.settings()), settings.health.steering);
        let connection = settings.ari.connection().expect("is usable");
        let asterisk = Client::new(&connection).expect("is usable");
        let settings = Arc::new(ArcSwap::from_pointee(settings));
        let (mut reader, live) = Reader::load(store, settings, Door::open(), health)
            .await
            .expect("reads");

        // Somebody who has seen the first and waits for the next.
        let mut snapshots = Snapshots {
            published: reader.publish.subscribe(),
            last: Weak::new(),
        };
        let seen = snapshots.next().await.expect("is there");
        let (first, table) = (Arc::downgrade(&seen), Arc::downgrade(&seen.table));
        drop(seen);
        let mut next = Box::pin(snapshots.next());
        tokio::select! {
            biased;
            _ = &mut next => panic!("nothing is new"),
            () = std::future::ready(()) => {}
        }
        reader.look(&asterisk, Look::AtOnce).await.expect("reads");

        assert_eq!((first.strong_count(), table.strong_count()), (0, 0));
        let next = next.await.expect("is there");
        assert!(Arc::ptr_eq(&next.table, &live.routes.load_full()));
    }
}
