//! What a new call is made of, whichever engine carries it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tracing::{Span, error_span};

use crate::call::{Call, CallSpec, Now};
use crate::config::Engine;
use crate::routing::{CallRequest, Fitness, RouteTable};
use crate::verdict::CarrierPolicies;

use super::live::{LiveReporter, LiveView};
use super::port::{CallIdentity, CallPolicy, CallerEntry, DialerContract, Driver};
use super::runner::{CallRunner, RunnerShared, repeat_pause};

/// What all calls share; both engines have a copy.
#[derive(Clone, Debug)]
pub struct Calls {
    /// The route table that new calls use; replaced as a whole.
    pub routes: Arc<ArcSwap<RouteTable>>,
    /// How carriers differ in what their answers mean; replaced as a whole.
    pub policies: Arc<ArcSwap<CarrierPolicies>>,
    /// What the dialer expects.
    pub contract: Arc<dyn DialerContract>,
    /// What runners need.
    pub runner: RunnerShared,
    /// Where calls show what they are doing.
    pub live: LiveView,
    /// What holds for every call; replaced as a whole.
    pub policy: Arc<ArcSwap<CallPolicy>>,
}

impl Calls {
    /// What a call of this caller starts from when this engine carries it.
    pub(super) fn spec_of(&self, caller: &CallerEntry, engine: Engine, fitness: &Fitness, now: Now) -> CallSpec {
        let request = CallRequest {
            entry: caller.carrier.clone(),
            dialled: caller.dialled.clone(),
            dial_string: caller.dial_string.clone(),
            campaign: caller.campaign.clone(),
            at_ms: now.wall_ms,
        };
        let routes = self.routes.load();
        let limits = routes.call_limits(&caller.carrier);
        CallSpec {
            plan: routes.plan(&request, fitness),
            policies: self.contract.policies(caller, self.policies.load_full()),
            limit: self.contract.time_limit(caller, limits.setup, now),
            maximum_attempts: limits.attempts.unwrap_or(self.policy.load().maximum_attempts),
            // Dial() itself rings, and offers what the trunk allows.
            ring_at_once: engine == Engine::Stasis && caller.has_option('r'),
            changes_offers: engine == Engine::Stasis,
            repeat_after: repeat_pause(),
        }
    }

    /// The runner of a call.
    pub(super) fn runner<D: Driver>(
        &self,
        call: Call,
        driver: D,
        identity: CallIdentity,
        live: LiveReporter,
    ) -> CallRunner<D> {
        CallRunner::new(call, driver, identity, self.runner.clone(), live)
    }
}

impl CallerEntry {
    /// What identifies the caller's call on record.
    pub(super) fn identity(&self) -> CallIdentity {
        CallIdentity {
            call_id: self.channel_id.clone(),
            caller_channel: self.channel_name.clone(),
            call_code: self.caller_name.clone(),
            dialled: self.dialled.clone(),
            entry: self.carrier.clone(),
            campaign: self.campaign.clone(),
        }
    }

    /// Every line that is logged inside carries the call's id. Of the highest level, so that it is there whatever is logged.
    pub(super) fn span(&self, engine: Engine) -> Span {
        error_span!(
            "call",
            id = self.channel_id,
            code = self.caller_name,
            engine = engine.as_str()
        )
    }
}
