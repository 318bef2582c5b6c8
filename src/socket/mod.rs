//! The control socket: how a command line on the same machine reaches the running daemon.
//!
//! A room of its own beside `control/`, because control must not know sockets: REST will be another edge over the same
//! handlers. It owns the socket file, the framing (one JSON object a line, each way), the limits on what a client may send
//! and how long it may take, and who the client is (the kernel vouches for its user id). It must not know what a command
//! means.
//!
//! | file | idea |
//! |---|---|
//! | `file` | the socket file: who may have it, and when it may be replaced |
//! | `line` | one line, bounded |
//! | `server` | connections, each a task of its own |
//! | `client` | one request, one reply |
//! | `user` | who is at the other end, and who we are |

mod client;
mod file;
mod line;
mod server;
mod user;

pub use client::{ClientError, ask};
pub use file::{ControlSocket, SocketError};
pub use server::{Limits, serve};
pub use user::this_user;
