//! Why nothing is done, or not all of it.

use super::custom::CustomError;
use super::entries::EntryError;
use super::files::FileError;
use crate::store::StoreError;
use crate::vicidial::admin::AdminError;

/// Why nothing is done, or not all of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// Entries that cannot or must not be changed: nothing was.
    #[error("{}", refusals(.0))]
    Refused(Vec<EntryError>),
    /// No such carrier on this dialer.
    #[error("no carrier {id} for server {server_ip} or 0.0.0.0 stands in VICIdial's table{}", elsewhere(.of_server))]
    NoCarrier {
        /// As it was named.
        id: String,
        /// This dialer.
        server_ip: String,
        /// The server that it belongs to, if it exists.
        of_server: Option<String>,
    },
    /// Nobody was named and no carrier has a backup.
    #[error(
        "no carrier has a backup yet: name the carriers whose calls crankback shall take, or add a route first (crankback route add)"
    )]
    NoChoice,
    /// A server's custom dialplan.
    #[error(transparent)]
    Custom(#[from] CustomError),
    /// VICIdial's custom dialplan was asked for, and it is not to be had.
    #[error("{why}: choose --dialplan file, or leave --dialplan out")]
    NoCustomDialplan {
        /// Why.
        why: String,
    },
    /// Our contexts are in the custom dialplan, and it is not to be had.
    #[error(
        "crankback's dialplan is in the custom dialplan entry of server {server_ip}, which is gone from VICIdial's table or which this \
         account may not change"
    )]
    CustomDialplanGone {
        /// The server.
        server_ip: String,
    },
    /// Our contexts are there by the other door.
    #[error(
        "crankback's dialplan is installed by {now} already: run `crankback conf uninstall --yes` before it is moved"
    )]
    OtherDoor {
        /// By which.
        now: &'static str,
    },
    /// A row could not be written. What comes before it is done; run the command again.
    #[error("{0}")]
    Row(#[from] AdminError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl InstallError {
    /// A stable word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusals) => refusals.first().map_or("conf_refused", EntryError::code),
            Self::NoCarrier { .. } => "conf_no_carrier",
            Self::NoChoice => "conf_no_choice",
            Self::Custom(error) => error.code(),
            Self::NoCustomDialplan { .. } => "conf_no_custom_dialplan",
            Self::CustomDialplanGone { .. } => "conf_custom_dialplan_gone",
            Self::OtherDoor { .. } => "conf_other_door",
            Self::Row(error) => error.code(),
            Self::File(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }
}

fn refusals(refusals: &[EntryError]) -> String {
    let lines: Vec<String> = refusals.iter().map(|refusal| format!("\n  {refusal}")).collect();
    format!("nothing was written:{}", lines.concat())
}

fn elsewhere(server_ip: &Option<String>) -> String {
    match server_ip {
        Some(server_ip) => format!(": it belongs to {server_ip}, install it there"),
        None => String::new(),
    }
}
