//! Asterisk's qualify as a witness: its own OPTIONS go the way that calls take, and it sends no call to a peer that it does not
//! reach.
//!
//! A Stasis application of its own hears of the carriers' devices. A device changes in the same moment as the endpoint, for
//! `chan_sip` and IAX2 too; a subscription to the endpoint itself would bring all events of all legs along. An event says that
//! Asterisk is to be asked, the answer is what is reported: events come in pairs that take each other back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tracing::{debug, info, warn};

use crate::ari::{AsteriskInfo, Client, DeviceState, Event, EventSource, LostReason, Notice, Peer, Timestamp};
use crate::carrier::CarrierId;
use crate::engine::{HealthDesk, now};
use crate::health::{Report, Witness};
use crate::snapshot::Snapshot;

use super::tables::Snapshots;

/// How often all endpoints are listed. A device with calls up changes with its calls only, and endpoints come and go.
const LIST_EVERY: Duration = Duration::from_secs(15);
/// What has changed is looked at again, because two reports that agree are needed. Soon, because Asterisk sends no more calls
/// there: waiting saves none.
const AWAY_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Longer than a carrier that flaps is up.
const BACK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Right after its start Asterisk calls every PJSIP endpoint offline that has qualify, until its first OPTIONS is answered. It
/// spreads the first ones over `qualify_frequency`, which usually is a minute; an answer may take three seconds.
const FIRST_QUALIFY_WITHIN: Duration = Duration::from_secs(65);

/// Follows the devices of the tables' carriers; ends with the tables.
pub(super) async fn watch(
    asterisk: Client,
    mut notices: mpsc::Receiver<Notice>,
    mut snapshots: Snapshots,
    desk: HealthDesk,
) {
    let mut watch = Watch {
        asterisk,
        desk,
        devices: BTreeMap::new(),
        is_connected: false,
        has_complained: false,
        trusted_from: Instant::now(),
    };
    let mut list = tokio::time::interval(LIST_EVERY);
    list.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let next_look = watch.next_look();
        tokio::select! {
            snapshot = snapshots.next() => match snapshot {
                Some(snapshot) => {
                    watch.set_carriers(&snapshot);
                    list.reset_immediately();
                }
                None => return,
            },
            notice = notices.recv() => match notice {
                Some(Notice::Connected { asterisk, .. }) => {
                    watch.connected(&asterisk);
                    list.reset_immediately();
                }
                Some(Notice::Lost { reason, .. }) => {
                    watch.is_connected = false;
                    if reason == LostReason::Replaced {
                        return info!("another process follows what Asterisk's qualify finds");
                    }
                }
                Some(Notice::Event { event, .. }) => if let Event::DeviceStateChanged(changed) = *event {
                    watch.device_changed(&changed.device_state);
                },
                None => return,
            },
            _ = list.tick(), if watch.is_connected => watch.list().await,
            () = tokio::time::sleep_until(next_look.unwrap_or_else(Instant::now).into()),
                if watch.is_connected && next_look.is_some() => watch.look().await,
        }
    }
}

/// Whether Asterisk reaches a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Back,
    Away,
}

impl Reach {
    /// `None`: Asterisk does not watch the peer.
    fn of(peer: &Peer) -> Option<Self> {
        match peer.state.as_str() {
            "online" => Some(Self::Back),
            "offline" => Some(Self::Away),
            _ => None,
        }
    }

    const fn report(self) -> Report {
        match self {
            Self::Back => Report::Alive,
            Self::Away => Report::Unavailable,
        }
    }

    const fn look_again_after(self) -> Duration {
        match self {
            Self::Back => BACK_AGAIN_AFTER,
            Self::Away => AWAY_AGAIN_AFTER,
        }
    }
}

/// A peer, under the name that Asterisk has for it as an endpoint and as a device: `PJSIP/carrier`.
type Device = (&'static str, String);

/// What is known of a device.
#[derive(Clone, Debug, Default)]
struct Watched {
    carriers: BTreeSet<CarrierId>,
    /// At the last look over this connection.
    reach: Option<Reach>,
    /// As the last event said.
    was_unavailable: Option<bool>,
    look_at: Option<Instant>,
    is_subscribed: bool,
}

struct Watch {
    asterisk: Client,
    desk: HealthDesk,
    devices: BTreeMap<Device, Watched>,
    is_connected: bool,
    /// Over this connection, of subscriptions that it does not get.
    has_complained: bool,
    /// Until then an endpoint that has not been online may just not have been asked yet.
    trusted_from: Instant,
}

impl Watch {
    fn set_carriers(&mut self, snapshot: &Snapshot) {
        let mut before = std::mem::take(&mut self.devices);
        for carrier in &snapshot.carriers {
            let Some(peer) = carrier.configured_peer() else {
                continue;
            };
            let device = (carrier.technology.as_str(), peer.to_owned());
            let known = before.remove(&device).map(|known| Watched {
                carriers: BTreeSet::new(),
                ..known
            });
            let watched = self.devices.entry(device).or_insert_with(|| known.unwrap_or_default());
            watched.carriers.insert(carrier.id.clone());
        }
    }

    /// Another Asterisk, or the same one after a pause: nothing is known of the devices, and nothing subscribed to.
    fn connected(&mut self, asterisk: &AsteriskInfo) {
        self.is_connected = true;
        self.has_complained = false;
        let started_ms = asterisk.started.as_ref().and_then(Timestamp::epoch_milliseconds);
        let up_ms = started_ms.map_or(i64::MAX, |started_ms| now().wall_ms.saturating_sub(started_ms));
        let up = Duration::from_millis(u64::try_from(up_ms).unwrap_or_default());
        self.trusted_from = Instant::now() + FIRST_QUALIFY_WITHIN.saturating_sub(up);
        for watched in self.devices.values_mut() {
            *watched = Watched {
                carriers: std::mem::take(&mut watched.carriers),
                ..Watched::default()
            };
        }
    }

    fn next_look(&self) -> Option<Instant> {
        self.devices.values().filter_map(|watched| watched.look_at).min()
    }

    /// Calls change a device, too: only what is new, or contradicts the last look, is worth another one.
    fn device_changed(&mut self, changed: &DeviceState) {
        let is_away = changed.state == DeviceState::UNAVAILABLE;
        for ((technology, peer), watched) in &mut self.devices {
            let is_meant = changed.name.split_once('/') == Some((*technology, peer.as_str()));
            if !is_meant {
                continue;
            }
            let is_new = watched.was_unavailable.replace(is_away) != Some(is_away);
            if is_new || is_away != (watched.reach == Some(Reach::Away)) {
                debug!(device = %changed.name, state = %changed.state, "device changed");
                watched.look_at = Some(Instant::now());
            }
        }
    }

    /// Looks at all endpoints, after subscribing to the devices that are new.
    async fn list(&mut self) {
        let (app, applications) = (self.asterisk.app(), self.asterisk.applications());
        for ((technology, peer), watched) in &mut self.devices {
            if watched.is_subscribed {
                continue;
            }
            let name = format!("{technology}/{peer}");
            match applications.subscribe(app, EventSource::Device(&name)).await {
                Ok(()) => watched.is_subscribed = true,
                Err(error) => {
                    if !std::mem::replace(&mut self.has_complained, true) {
                        warn!(%error, "Asterisk does not tell what its qualify finds; it is asked each {LIST_EVERY:?}");
                    }
                    break;
                }
            }
        }
        let asked_at = Instant::now();
        let peers = match self.asterisk.endpoints().list().await {
            Ok(peers) => peers,
            Err(error) => return debug!(%error, "Asterisk's endpoints cannot be listed; they are with the next list"),
        };
        for peer in &peers {
            self.take(peer, asked_at).await;
        }
    }

    /// Looks at the devices whose time has come.
    async fn look(&mut self) {
        let now = Instant::now();
        let is_due = |watched: &Watched| watched.look_at.is_some_and(|at| at <= now);
        let due = self.devices.iter().filter(|(_, watched)| is_due(watched));
        let due: Vec<Device> = due.map(|(device, _)| device.clone()).collect();
        for device in due {
            if let Some(watched) = self.devices.get_mut(&device) {
                watched.look_at = None;
            }
            let (technology, peer) = &device;
            let asked_at = Instant::now();
            match self.asterisk.endpoints().get(technology, peer).await {
                Ok(Some(peer)) => self.take(&peer, asked_at).await,
                Ok(None) => {}
                Err(error) => debug!(%error, "an endpoint cannot be asked for; the next list has it"),
            }
        }
    }

    /// Reports what a look at a peer found.
    async fn take(&mut self, peer: &Peer, asked_at: Instant) {
        let mut devices = self.devices.iter_mut();
        let meant = devices.find(|((technology, name), _)| *technology == peer.technology && *name == peer.resource);
        let (Some((_, watched)), Some(reach)) = (meant, Reach::of(peer)) else {
            return;
        };
        if reach == Reach::Away && watched.reach.is_none() && asked_at < self.trusted_from {
            return;
        }
        if watched.reach.replace(reach) != Some(reach) {
            debug!(device = %format_args!("{}/{}", peer.technology, peer.resource), ?reach, "Asterisk's qualify");
            watched.look_at = Some(asked_at + reach.look_again_after());
        }
        for carrier in &watched.carriers {
            let report = reach.report();
            self.desk
                .report(carrier.clone(), Witness::Qualify, report, asked_at)
                .await;
        }
    }
}
