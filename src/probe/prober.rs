//! One task a target: probes it at its interval and sends what it finds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::carrier::CarrierId;

use super::draws::Draws;
use super::evidence::{Outcome, ProbeEvidence, decide};
use super::exchange::exchange;
use super::resolve::{Resolve, servers};
use super::target::ProbeTarget;

/// At most so many servers of one carrier are asked in one probe.
const MOST_SERVERS: usize = 4;
/// The first probes of all carriers are spread over so long.
const FIRST_WITHIN: Duration = Duration::from_secs(1);

/// What all probes share.
#[derive(Clone)]
pub struct ProbeTools {
    /// Where names are looked up.
    pub resolver: Arc<dyn Resolve>,
    /// Whom TLS trusts.
    pub tls: Arc<ClientConfig>,
}

impl std::fmt::Debug for ProbeTools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProbeTools").finish_non_exhaustive()
    }
}

/// Asks the servers of a target, one after the other, until one is alive; within the target's interval.
pub async fn probe(target: &ProbeTarget, tools: &ProbeTools, seed: u64) -> ProbeEvidence {
    probe_with(target, tools, &mut Draws::new(seed)).await
}

async fn probe_with(target: &ProbeTarget, tools: &ProbeTools, draws: &mut Draws) -> ProbeEvidence {
    let asked_at = Instant::now();
    let unresolved = |reason| ProbeEvidence {
        carrier: target.carrier.clone(),
        asked_at,
        servers: Vec::new(),
        outcome: Outcome::Unresolved { reason },
    };
    let looked_up = tokio::time::timeout(target.timeout, servers(target, tools.resolver.as_ref(), draws)).await;
    let addresses = match looked_up {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => return unresolved(error.to_string()),
        Err(_) => return unresolved(format!("{}: DNS did not answer in time", target.host)),
    };
    let mut asked = Vec::new();
    for address in addresses.into_iter().take(MOST_SERVERS) {
        if asked_at.elapsed() + target.timeout > target.interval && !asked.is_empty() {
            break;
        }
        let outcome = exchange(target, address, &tools.tls, draws).await;
        let is_alive = outcome.report() == crate::health::Report::Alive;
        asked.push((address, outcome));
        if is_alive {
            break;
        }
    }
    match decide(&asked) {
        Some(outcome) => ProbeEvidence {
            carrier: target.carrier.clone(),
            asked_at,
            servers: asked,
            outcome,
        },
        None => unresolved(format!("{}: no address", target.host)),
    }
}

/// The probes that run, one task a carrier. Dropping it ends them.
#[derive(Debug)]
pub struct Probes {
    tools: ProbeTools,
    seed: u64,
    evidence: mpsc::Sender<ProbeEvidence>,
    running: HashMap<CarrierId, Running>,
}

#[derive(Debug)]
struct Running {
    target: ProbeTarget,
    cancel: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Probes {
    /// No probe yet. What they find goes to `evidence`; a probe waits while that is full.
    pub fn new(tools: ProbeTools, seed: u64, evidence: mpsc::Sender<ProbeEvidence>) -> Self {
        Self {
            tools,
            seed,
            evidence,
            running: HashMap::new(),
        }
    }

    /// What is probed from now on. A target that did not change goes on undisturbed; one that cannot be probed is logged and
    /// left out. Must be called within a tokio runtime.
    pub fn set_targets(&mut self, targets: Vec<ProbeTarget>) {
        let mut before = std::mem::take(&mut self.running);
        for target in targets {
            if let Err(error) = target.validate() {
                warn!(%error, "a carrier is not probed");
                continue;
            }
            let same = before
                .remove(&target.carrier)
                .filter(|running| running.target == target);
            let running = same.unwrap_or_else(|| self.start(target));
            self.running.insert(running.target.carrier.clone(), running);
        }
    }

    /// The carriers that are probed.
    pub fn carriers(&self) -> impl Iterator<Item = &CarrierId> {
        self.running.keys()
    }

    fn start(&mut self, target: ProbeTarget) -> Running {
        let cancel = CancellationToken::new();
        let mut seeds = Draws::new(self.seed);
        self.seed = seeds.next();
        let task = run(target.clone(), self.tools.clone(), seeds, self.evidence.clone());
        let cancelled = cancel.clone();
        tokio::spawn(async move { cancelled.run_until_cancelled_owned(task).await });
        Running { target, cancel }
    }
}

async fn run(target: ProbeTarget, tools: ProbeTools, mut draws: Draws, evidence: mpsc::Sender<ProbeEvidence>) {
    let mut next = tokio::time::Instant::now() + draws.duration_below(FIRST_WITHIN);
    loop {
        tokio::time::sleep_until(next).await;
        next = tokio::time::Instant::now() + draws.jittered(target.interval);
        let found = probe_with(&target, &tools, &mut draws).await;
        if evidence.send(found).await.is_err() {
            return;
        }
    }
}
