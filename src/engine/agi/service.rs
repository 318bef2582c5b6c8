//! Turns sessions into calls.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{Instrument, error, error_span};

use super::entry::caller_entry;
use super::session::AgiDriver;
use super::sidecar::Sidecar;
use crate::agi::{Prelude, Session};
use crate::call::{Call, CallSpec};
use crate::engine::{
    CallIdentity, CallPolicy, CallRunner, CallerEntry, DialerContract, LiveView, RunnerShared, now, repeat_pause,
};
use crate::routing::{CallRequest, RouteTable};
use crate::verdict::CarrierPolicies;

/// What calls share.
#[derive(Clone, Debug)]
pub struct Shared {
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

/// The handler of the FastAGI server.
#[derive(Clone, Debug)]
pub struct Service {
    /// What calls share.
    pub shared: Shared,
    /// What watches their legs.
    pub sidecar: Sidecar,
}

impl Service {
    /// Carries the call of one session to its end. A session that is dropped here goes on to plain `Dial()`.
    pub async fn call<S>(self, prelude: Prelude, session: Session<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Some(caller) = caller_entry(&prelude) else {
            return error!(
                channel = %prelude.text("channel"),
                script = %prelude.script(),
                arguments = ?prelude.arguments(),
                "not the arguments of our dialplan: reinstall extensions-crankback.conf"
            );
        };
        if self.shared.runner.leaving.is_cancelled() {
            return;
        }
        let span = error_span!("call", id = caller.channel_id, code = caller.caller_name);
        self.carry(caller, session).instrument(span).await;
    }

    async fn carry<S>(self, caller: CallerEntry, session: Session<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { shared, sidecar } = self;
        let now = now();
        let spec = CallSpec {
            plan: shared.routes.load().plan(&CallRequest {
                entry: caller.carrier.clone(),
                dialled: caller.dialled.clone(),
                dial_string: caller.dial_string.clone(),
                campaign: caller.campaign.clone(),
            }),
            policies: shared.contract.policies(&caller, shared.policies.load_full()),
            limit: shared.contract.time_limit(&caller, now),
            maximum_attempts: shared.policy.load().maximum_attempts,
            // Dial() itself rings.
            ring_at_once: false,
            // Dial() offers what the trunk allows.
            changes_offers: false,
            repeat_after: repeat_pause(),
        };
        let (call, commands) = Call::new(spec, now);
        let identity = CallIdentity {
            call_id: caller.channel_id.clone(),
            caller_channel: caller.channel_name.clone(),
            call_code: caller.caller_name.clone(),
            dialled: caller.dialled.clone(),
            entry: caller.carrier.clone(),
            campaign: caller.campaign.clone(),
        };
        let live = shared.live.begin(identity.clone(), now.wall_ms);
        let driver = AgiDriver::new(caller, session, sidecar);
        let _ended = CallRunner::new(call, driver, identity, shared.runner, live)
            .run(commands)
            .await;
    }
}
