//! Notify: tells people and machines what happens to carriers: a line in the log, a webhook, an e-mail.
//!
//! Owns the wording of a notice, its signature, the pace at which notices about one carrier go out, and a bounded queue with
//! retries for each channel. It must not know who finds out what happens, or where settings come from. Nothing waits for it:
//! what finds a queue full is dropped and counted.
//!
//! | file | one idea |
//! |---|---|
//! | `settings.rs` | what a channel needs; secrets that never show |
//! | `notice.rs` | what happened, in words and as JSON |
//! | `pace.rs` | a flapping carrier does not flood |
//! | `notifier.rs` | the handle and the task behind it |
//! | `outbox.rs` | a channel's queue: retries, back-off, counters |
//! | `webhook.rs`, `mail.rs` | the channels |

mod mail;
mod notice;
mod notifier;
mod outbox;
mod pace;
mod settings;
mod trial;
mod webhook;

pub use notice::Notice;
pub use notifier::Notifier;
pub use outbox::{ChannelCounters, Limits, SendError};
pub use settings::{MailSettings, MailTls, NotifySettings, WebhookSettings, WebhookUrl, WebhookUrlError};
pub use trial::{Tried, try_all};
