//! Asterisk's configuration language as far as carriers are written in it: dial patterns, dialplan lines, `Dial()`
//! arguments, globals, account sections and registrations.
//!
//! A pure library over text. It owns the grammar and nothing else: it must not know VICIdial, carriers, routes or any
//! other room of this crate. Every reader takes arbitrary text without failing as a whole: what it cannot read it names
//! with line, text and reason, and the other lines still stand.

mod account;
mod application;
mod comment;
mod dial;
mod dial_options;
mod dialplan;
mod globals;
mod merge;
mod nesting;
mod pattern;
mod registration;
mod target;
mod trunk;

pub use account::{Account, AccountError, AccountProblem, Section, Setting};
pub use application::{Application, ApplicationError};
pub use dial::{Dial, DialError};
pub use dial_options::{DialOption, DialOptionsError};
pub use dialplan::{Dialplan, DialplanError, DialplanProblem, ExtensionLine, Priority};
pub use globals::{GlobalError, Globals};
pub use merge::{
    BlockError, Enough, IfThere, LeftSetting, Merged, WantedSection, WantedSetting, at_end, blocks, merge, unmerge,
};
pub use nesting::{find_top_level, split_top_level};
pub use pattern::{Pattern, PatternError};
pub use registration::RegisteredAccount;
pub use target::{ChannelDriver, NumberExpression, Target, TargetError};
pub use trunk::{AccountStyle, Authorisation, Login, NotAHost, Transport, Trunk, TrunkError, TrunkHost};
