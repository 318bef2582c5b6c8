//! Who watches carriers without calls, while the daemon runs: our own OPTIONS, and Asterisk's word about its peers and its
//! registrations.

use std::sync::Arc;
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::ari::{Client, Notice};
use crate::asterisk_conf::Transport;
use crate::carrier::CarrierId;
use crate::config::{OwnOptions, ProbeSettings, Settings};
use crate::engine::{HealthDesk, now};
use crate::health::{Report, Witness};
use crate::metrics::Metrics;
use crate::probe::{Outcome, ProbeEvidence, ProbeTarget, ProbeTools, Probes, SystemResolver, client_config};
use crate::snapshot::{CarrierProbe, Snapshot};
use crate::vicidial::sip_server::{KnownBy, SipServer};

use super::figures::CarrierFigures;
use super::qualify;
use super::registrations;
use super::tables::{Snapshots, Tables};

/// Evidence that may wait; a probe waits while that is full.
const MAILBOX: usize = 64;

/// Those who look at carriers without calls, and what they need.
pub(super) struct Witnesses {
    /// A connection of its own, and what it brings.
    pub qualify: (Client, mpsc::Receiver<Notice>),
    pub tables: Tables,
    pub desk: HealthDesk,
    pub metrics: Metrics,
    pub figures: CarrierFigures,
}

impl Witnesses {
    /// Lets each of them look that the configuration wants; they end with the tables.
    pub(super) fn watch(self, settings: &Settings) {
        let Self {
            qualify: (asterisk, notices),
            tables,
            desk,
            metrics,
            figures,
        } = self;
        let options = send_options(
            settings.probe.clone(),
            tables.snapshots(),
            desk.clone(),
            metrics,
            figures,
        );
        tokio::spawn(options);
        if let Some(login) = settings.ami.login.clone() {
            let every = settings.probe.interval;
            tokio::spawn(registrations::ask_asterisk(login, every, tables.clone(), desk.clone()));
        }
        tokio::spawn(qualify::watch(asterisk, notices, tables.snapshots(), desk));
    }
}

/// Sends OPTIONS to the carriers of the tables, as they are edited; ends with the tables.
async fn send_options(
    settings: ProbeSettings,
    mut snapshots: Snapshots,
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
    loop {
        tokio::select! {
            snapshot = snapshots.next() => match snapshot {
                Some(snapshot) => probes.set_targets(targets(&snapshot, &settings)),
                None => return,
            },
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

/// The carriers that are probed.
fn targets(snapshot: &Snapshot, settings: &ProbeSettings) -> Vec<ProbeTarget> {
    let none = CarrierProbe::default();
    let servers = snapshot.sip_servers.iter();
    let target = |(carrier, server): &(CarrierId, SipServer)| {
        let own = snapshot.probes.get(carrier).unwrap_or(&none);
        target(carrier, server, own, settings)
    };
    servers.filter_map(target).collect()
}

/// How a carrier is probed, if an operator wants it or it fits.
fn target(
    carrier: &CarrierId,
    server: &SipServer,
    own: &CarrierProbe,
    settings: &ProbeSettings,
) -> Option<ProbeTarget> {
    let default = match fits(server) {
        true => settings.options,
        false => OwnOptions::Off,
    };
    let interval = own.interval.unwrap_or(settings.interval);
    (own.options.unwrap_or(default) == OwnOptions::On).then(|| ProbeTarget {
        port: server.port,
        transport: server.transport,
        interval,
        timeout: settings.timeout.min(interval),
        alive: own.alive.as_ref().unwrap_or(&settings.alive).clone(),
        ..ProbeTarget::new(carrier.clone(), &server.host)
    })
}

/// Whether a carrier takes OPTIONS of ours without being asked about it: it knows us by our address, so that the port that they
/// come from does not matter, and we need not connect.
fn fits(server: &SipServer) -> bool {
    server.transport == Transport::Udp && server.knows_us_by == KnownBy::Address
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn server(transport: Transport, knows_us_by: KnownBy) -> SipServer {
        SipServer {
            host: "sip.example.net".to_owned(),
            port: None,
            transport,
            knows_us_by,
        }
    }

    #[test]
    fn an_operators_word_counts_before_what_fits() {
        let settings = ProbeSettings::default();
        let sent = |server: SipServer, settings: &ProbeSettings, options| {
            let own = CarrierProbe {
                options,
                ..CarrierProbe::default()
            };
            target(&"A".into(), &server, &own, settings).map(|target| target.transport)
        };
        let plain = || server(Transport::Udp, KnownBy::Address);
        let others = || {
            [
                server(Transport::Tls, KnownBy::Address),
                server(Transport::Udp, KnownBy::Credentials),
            ]
        };
        assert_eq!(sent(plain(), &settings, None), Some(Transport::Udp));
        assert_eq!(sent(plain(), &settings, Some(OwnOptions::Off)), None);
        assert_eq!(others().map(|server| sent(server, &settings, None)), [None, None]);
        let wanted = others().map(|server| sent(server, &settings, Some(OwnOptions::On)));
        assert_eq!(wanted, [Some(Transport::Tls), Some(Transport::Udp)]);
        let off = ProbeSettings {
            options: OwnOptions::Off,
            ..settings
        };
        assert_eq!(sent(plain(), &off, None), None);
        assert_eq!(sent(plain(), &off, Some(OwnOptions::On)), Some(Transport::Udp));
    }

    #[test]
    fn a_short_interval_of_its_own_shortens_the_timeout() {
        let settings = ProbeSettings {
            timeout: Duration::from_secs(5),
            ..ProbeSettings::default()
        };
        let own = CarrierProbe {
            interval: Some(Duration::from_secs(2)),
            alive: "!404".parse().ok(),
            ..CarrierProbe::default()
        };
        let server = server(Transport::Udp, KnownBy::Address);
        let target = target(&"A".into(), &server, &own, &settings).expect("it fits");
        assert_eq!(target.validate(), Ok(()));
        assert_eq!(target.timeout, Duration::from_secs(2));
        assert_eq!(target.alive.to_string(), "!404");
    }
}
