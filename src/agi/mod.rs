//! FastAGI: the server side of the protocol through which Asterisk's `AGI()` hands a channel to another process.
//!
//! What it is for: [`serve`] accepts connections and gives each one, its prelude read, to a handler; the handler drives the
//! channel with [`Session`].
//!
//! What it owns: the listening socket, the number of sessions, and the protocol with its bounds: lines, bytes and time. All
//! texts are bytes: caller ids are not always UTF-8.
//!
//! What it must not know: calls, carriers, what a handler does with its channel. A session that panics or hangs touches no
//! other one.
//!
//! | file | idea |
//! |---|---|
//! | `line` | lines of a byte stream, bounded |
//! | `prelude` | what Asterisk says first |
//! | `command` | one command, its arguments quoted |
//! | `reply` | what Asterisk answers |
//! | `session` | one connection: commands out, replies in, `HANGUP` in between |
//! | `server` | many connections: the limit, isolation, drain |

mod command;
mod error;
mod line;
mod prelude;
mod reply;
mod server;
mod session;

pub use command::Command;
pub use error::Error;
pub use prelude::Prelude;
pub use reply::Reply;
pub use server::{Counters, Server, serve};
pub use session::{Limits, Session};
