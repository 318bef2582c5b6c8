//! Who watches carriers without calls, while the daemon runs: our own OPTIONS, and Asterisk's word about its endpoints and its
//! registrations.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tracing::{debug, warn};

use crate::ari::{self, Client};
use crate::carrier::CarrierId;
use crate::config::{OwnOptions, ProbeSettings, Settings};
use crate::engine::{HealthDesk, now};
use crate::health::{Report, Witness};
use crate::metrics::Metrics;
use crate::probe::{Outcome, ProbeEvidence, ProbeTarget, ProbeTools, Probes, SystemResolver, Transport, client_config};
use crate::snapshot::Snapshot;
use crate::vicidial::sip_server::{KnownBy, SipServer};

use super::figures::CarrierFigures;
use super::registrations;
use super::tables::{Published, Tables};

/// How often Asterisk is asked about its endpoints. Two reports that agree make a finding, so that one lost OPTIONS is none.
const QUALIFY_EVERY: Duration = Duration::from_secs(5);
/// Evidence that may wait; a probe waits while that is full.
const MAILBOX: usize = 64;

/// Those who look at carriers without calls, and what they need.
pub(super) struct Witnesses {
    pub asterisk: Client,
    pub ari_state: watch::Receiver<ari::State>,
    pub tables: Tables,
    pub desk: HealthDesk,
    pub metrics: Metrics,
    pub figures: CarrierFigures,
}

impl Witnesses {
    /// Lets each of them look that the configuration wants; they end with the tables.
    pub(super) fn watch(self, settings: &Settings) {
        let Self {
            asterisk,
            ari_state,
            tables,
            desk,
            metrics,
            figures,
        } = self;
        if settings.probe.options == OwnOptions::On {
            let options = send_options(settings.probe.clone(), tables.clone(), desk.clone(), metrics, figures);
            tokio::spawn(options);
        }
        if let Some(login) = settings.ami.login.clone() {
            let every = settings.probe.interval;
            tokio::spawn(registrations::ask_asterisk(login, every, tables.clone(), desk.clone()));
        }
        tokio::spawn(ask_asterisk(asterisk, ari_state, tables, desk));
    }
}

/// Sends OPTIONS to the carriers of the tables, as they are edited; ends with the tables.
async fn send_options(
    settings: ProbeSettings,
    tables: Tables,
    desk: HealthDesk,
    metrics: Metrics,
    figures: CarrierFigures,
) {
    let tools = match (SystemResolver::new(), client_config(&[])) {
        (Ok(resolver), Ok(tls)) => ProbeTools {
            resolver: Arc::new(resolver),
            tls,
        },
        (Err(error), _) => return warn!(code = error.code(), %error, "no probes"),
        (_, Err(error)) => return warn!(code = error.code(), %error, "no probes"),
    };
    let (evidence, mut found) = mpsc::channel(MAILBOX);
    let seed = u64::from(std::process::id()) ^ now().wall_ms.unsigned_abs();
    let mut probes = Probes::new(tools, seed, evidence);
    let mut published = tables.subscribe();
    let mut used: Option<Arc<Snapshot>> = None;
    loop {
        let snapshot = Arc::clone(&published.borrow_and_update().snapshot);
        if used.as_ref().is_none_or(|used| !Arc::ptr_eq(used, &snapshot)) {
            probes.set_targets(targets(&snapshot, &settings));
            used = Some(snapshot);
        }
        tokio::select! {
            changed = published.changed() => if changed.is_err() { return },
            Some(evidence) = found.recv() => {
                count(&metrics, &figures, &evidence);
                debug!(carrier = %evidence.carrier, outcome = ?evidence.outcome, "OPTIONS");
                let report = evidence.report();
                desk.report(evidence.carrier, Witness::OwnProbe, report, evidence.asked_at).await;
            }
        }
    }
}

fn count(metrics: &Metrics, figures: &CarrierFigures, evidence: &ProbeEvidence) {
    if let Outcome::Answered { round_trip, .. } = evidence.outcome
        && evidence.report() == Report::Alive
    {
        metrics.probe_answered(&evidence.carrier, round_trip);
        figures.probe_answered(&evidence.carrier, round_trip);
    } else {
        metrics.probe_failed(&evidence.carrier, evidence.outcome.code());
    }
}

/// The carriers that a probe of ours fits: they know us by our address, so that the port that it comes from does not matter.
fn targets(snapshot: &Snapshot, settings: &ProbeSettings) -> Vec<ProbeTarget> {
    let fits = |server: &SipServer| server.transport == Transport::Udp && server.knows_us_by == KnownBy::Address;
    let servers = snapshot.sip_servers.iter().filter(|(_, server)| fits(server));
    let target = |(carrier, server): &(CarrierId, SipServer)| ProbeTarget {
        port: server.port,
        interval: settings.interval,
        timeout: settings.timeout,
        ..ProbeTarget::new(carrier.clone(), &server.host)
    };
    servers.map(target).collect()
}

/// Asks Asterisk about the endpoints of the carriers: its own qualify tests the way that calls take. Ends with the tables.
async fn ask_asterisk(asterisk: Client, state: watch::Receiver<ari::State>, tables: Tables, desk: HealthDesk) {
    let published = tables.subscribe();
    drop(tables);
    let mut ask = tokio::time::interval(QUALIFY_EVERY);
    ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while published.has_changed().is_ok() {
        ask.tick().await;
        if matches!(*state.borrow(), ari::State::Connected { .. }) {
            ask_once(&asterisk, &published, &desk).await;
        }
    }
}

async fn ask_once(asterisk: &Client, published: &watch::Receiver<Published>, desk: &HealthDesk) {
    let snapshot = Arc::clone(&published.borrow().snapshot);
    for carrier in &snapshot.carriers {
        let Some(peer) = carrier.configured_peer() else {
            continue;
        };
        let asked_at = Instant::now();
        let found = match asterisk.endpoints().get(carrier.technology.as_str(), peer).await {
            Ok(found) => found,
            // What it would have said is asked for again in a moment.
            Err(error) => return debug!(carrier = %carrier.id, %error, "Asterisk cannot be asked for an endpoint"),
        };
        let report = match found.as_ref().map(|peer| peer.state.as_str()) {
            Some("online") => Report::Alive,
            Some("offline") => Report::Unavailable,
            // It does not watch the endpoint, or does not have it.
            Some(_) | None => continue,
        };
        desk.report(carrier.id.clone(), Witness::Qualify, report, asked_at)
            .await;
    }
}
