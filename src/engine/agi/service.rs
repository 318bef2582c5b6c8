//! Turns sessions into calls.

use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{Instrument, error};

use super::answered;
use super::dial::Causes;
use super::entry::caller_entry;
use super::session::AgiDriver;
use super::sidecar::Sidecar;
use crate::agi::{Prelude, Session};
use crate::call::Call;
use crate::config::Engine;
use crate::engine::{CallerEntry, Calls, now};

/// The handler of the FastAGI server.
#[derive(Clone, Debug)]
pub struct Service {
    /// What calls share.
    pub calls: Calls,
    /// What watches their legs.
    pub sidecar: Sidecar,
}

impl Service {
    /// Carries the call of one session to its end, or lets the dialer take an answered leg in. A session that is dropped here
    /// goes on in the dialplan: to plain `Dial()`, or to be connected.
    pub async fn call<S>(self, prelude: Prelude, session: Session<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Of a call that another daemon began, too, and while this one goes: its caller waits.
        if let Some(leg) = answered::leg(&prelude) {
            return self.calls.contract.before_answer(leg).await;
        }
        let Some((caller, causes)) = caller_entry(&prelude) else {
            return error!(
                channel = %prelude.text("channel"),
                script = %prelude.script(),
                arguments = ?prelude.arguments(),
                "not the arguments of our dialplan: reinstall extensions-crankback.conf"
            );
        };
        if self.calls.runner.leaving.is_cancelled() {
            return;
        }
        // Some kilobytes, for as long as people talk.
        drop(prelude);
        let span = caller.span(Engine::Agi);
        self.carry(caller, causes, session).instrument(span).await;
    }

    async fn carry<S>(self, caller: CallerEntry, causes: Causes, session: Session<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { calls, sidecar } = self;
        let now = now();
        let fitness = calls.runner.health.fitness(&caller.channel_id);
        let (call, commands) = Call::new(calls.spec_of(&caller, Engine::Agi, &fitness, now), now);
        let identity = caller.identity();
        let live = calls.live.begin(identity.clone(), now.wall_ms);
        let is_followed = calls.contract.follows_legs(&caller);
        let driver = AgiDriver::new(caller, causes, session, sidecar, is_followed);
        let _ended = calls.runner(call, driver, identity, live).run(commands).await;
    }
}
