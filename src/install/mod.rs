//! Install: into VICIdial's rows and Asterisk's files, and out of them again.
//!
//! What it is for: an administrator never opens an editor. Carriers' `Dial()` lines get their guard, Asterisk gets our dialplan
//! and what `ari.conf` and `http.conf` lack, and all of it can be taken out so that no byte differs.
//!
//! What it owns: what is to be changed, in which order, what is kept for the way back, and the look whether Asterisk has loaded
//! what was meant. Nothing that somebody has edited since is overwritten without being told to.
//!
//! What it must not know: calls, and how its answers are printed.
//!
//! | file | idea |
//! |---|---|
//! | `entries` | a carrier's dialplan entry: what it becomes, and what it becomes again |
//! | `custom` | a server's custom dialplan entry: the same |
//! | `door` | whether our contexts go in by that entry or by a file |
//! | `blocks` | a text without our marked blocks |
//! | `wanted` | what the files of an Asterisk need |
//! | `files` | those files: what they become, what is kept of them |
//! | `plan` | all of it together: made, shown, carried out |
//! | `error` | why nothing is done, or not all of it |
//! | `loaded` | whether Asterisk has loaded what was meant |
//! | `diff` | a unified diff |

mod blocks;
mod custom;
mod diff;
mod door;
mod entries;
mod error;
mod files;
mod loaded;
mod plan;
mod wanted;

pub use custom::{CustomChange, CustomError};
pub use entries::{Edits, EntryChange, EntryError};
pub use error::InstallError;
pub use files::{Contexts, FileChange, FileError, FilePlan, Places};
pub use loaded::{INSTALLED, Waiting, reload_dialplan, verify, wait_until_loaded};
pub use plan::{Done, FilesOrNot, Plan, ServerSeen, Wish};
