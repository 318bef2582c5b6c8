//! Which way our contexts get into Asterisk: VICIdial's custom dialplan of this server, or a file of ours.
//!
//! They stay where they are. New ones go by VICIdial's own door where its administrators use that: where the screen shows the
//! entry (`system_settings.allow_custom_dialplan`) and the account may change it.

use super::custom::{self, CustomChange};
use super::error::InstallError;
use super::files::{self, Contexts};
use super::plan::{FilesOrNot, Wish};
use crate::config::Settings;
use crate::store::{CustomDialplan, OriginalKind, OriginalRow, Store, StoreError};

/// The way that was chosen.
pub(super) enum Door {
    /// The server's entry, and what was kept of it.
    Custom(CustomDialplan, Option<OriginalRow>),
    /// A file, where files are changed at all.
    File,
}

impl Door {
    /// What becomes of the server's entry.
    pub(super) fn change(&self) -> Result<Option<CustomChange>, InstallError> {
        match self {
            Self::Custom(custom, kept) => Ok(custom::install(custom, kept.as_ref())?),
            Self::File => Ok(None),
        }
    }

    /// Whether the files have to bring our contexts.
    pub(super) const fn contexts(&self) -> Contexts {
        match self {
            Self::Custom(..) => Contexts::Custom,
            Self::File => Contexts::File,
        }
    }
}

/// Chooses the way for a wish.
pub(super) async fn choose(store: &Store, settings: &Settings, wish: &Wish) -> Result<Door, InstallError> {
    let (custom, kept) = look(store, settings).await?;
    let is_custom = kept.is_some()
        || custom
            .as_ref()
            .is_some_and(|custom| custom::is_installed(&custom.entry));
    let is_file = match &wish.files {
        FilesOrNot::At(places) => files::bring_contexts(places)?,
        FilesOrNot::LeftAlone => false,
    };
    match (custom, wish.contexts) {
        (_, Some(Contexts::File)) if is_custom => Err(InstallError::OtherDoor {
            now: "VICIdial's custom dialplan",
        }),
        (_, Some(Contexts::Custom)) if is_file && !is_custom => Err(InstallError::OtherDoor { now: "a file" }),
        (Some(custom), None) if is_custom => Ok(Door::Custom(custom, kept)),
        (Some(custom), Some(Contexts::Custom)) if is_custom || custom.is_offered => Ok(Door::Custom(custom, kept)),
        (Some(_), Some(Contexts::Custom)) => Err(InstallError::NoCustomDialplan {
            why: "VICIdial's screens do not show the custom dialplan entry (System Settings, Allow Custom Dialplan Entries is 0)"
                .to_owned(),
        }),
        (None, Some(Contexts::Custom)) => Err(InstallError::NoCustomDialplan {
            why: format!(
                "there is no servers.custom_dialplan_entry for server {}, or this account may not change it",
                settings.server.ip
            ),
        }),
        // Where files are left alone, somebody else looks after our contexts too.
        (Some(custom), None) if custom.is_offered && !is_file && matches!(wish.files, FilesOrNot::At(_)) => {
            Ok(Door::Custom(custom, kept))
        }
        (_, Some(Contexts::File) | None) => Ok(Door::File),
    }
}

/// Whether our contexts are in this server's custom dialplan.
pub(super) async fn is_custom(store: &Store, settings: &Settings) -> Result<bool, StoreError> {
    let (_, kept) = look(store, settings).await?;
    Ok(kept.is_some())
}

/// Takes our contexts out of this server's custom dialplan, where they are ours; `None`: they are not there.
pub(super) async fn close(store: &Store, settings: &Settings) -> Result<Option<CustomChange>, InstallError> {
    match look(store, settings).await? {
        (Some(custom), Some(kept)) => Ok(Some(custom::uninstall(&custom, &kept)?)),
        (None, Some(kept)) => Err(InstallError::CustomDialplanGone { server_ip: kept.name }),
        (_, None) => Ok(None),
    }
}

async fn look(store: &Store, settings: &Settings) -> Result<(Option<CustomDialplan>, Option<OriginalRow>), StoreError> {
    let server_ip = settings.server.ip.to_string();
    let kept = store.originals(OriginalKind::Server).await?;
    let kept = kept.into_iter().find(|kept| kept.name == server_ip);
    Ok((store.custom_dialplan(server_ip).await?, kept))
}
