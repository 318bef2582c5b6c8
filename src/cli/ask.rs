//! Where commands go: to the running daemon, or, where none runs, to the same handlers on the store alone.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Settings;
use crate::control::{Answer, Command, Handlers, Query, Reply, Request};
use crate::socket::{self, ClientError};
use crate::store::{IfMissing, Store};

use super::error::CliError;

/// Longer than the daemon takes to give up by itself.
const LIMIT: Duration = Duration::from_secs(10);

/// Looks at something; gives the view that answers `query`.
pub(super) async fn query<View>(settings: &Settings, query: Query) -> Result<View, CliError>
where
    View: TryFrom<Answer, Error = Answer>,
{
    ask(settings, Request::Query(query)).await
}

/// Changes something; gives the view that answers `command`.
pub(super) async fn command<View>(settings: &Settings, command: Command) -> Result<View, CliError>
where
    View: TryFrom<Answer, Error = Answer>,
{
    ask(settings, Request::Command(command)).await
}

async fn ask<View>(settings: &Settings, request: Request) -> Result<View, CliError>
where
    View: TryFrom<Answer, Error = Answer>,
{
    let reply = match socket::ask(&settings.control.socket, &request, LIMIT + request.takes()).await {
        Ok(reply) => reply,
        Err(ClientError::NotRunning { .. }) if !request.needs_daemon() => without_daemon(settings, request).await?,
        Err(error) => return Err(error.into()),
    };
    match reply {
        Reply::Answer(answer) => View::try_from(*answer).map_err(|other| CliError::unexpected(&other)),
        Reply::Refusal(refusal) => Err(CliError::Refused(refusal)),
    }
}

async fn without_daemon(settings: &Settings, request: Request) -> Result<Reply, CliError> {
    let actor = socket::this_user().await.map_err(CliError::Runtime)?;
    let store = Store::open(&settings.store.url, IfMissing::Fail).await?;
    let handlers = Handlers::of_store(Arc::new(settings.clone()), store.clone());
    let reply = handlers.handle(&actor, request).await;
    drop(handlers);
    store.close().await;
    Ok(reply)
}
