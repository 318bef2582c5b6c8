//! What can be wrong with a row of VICIdial's carrier table, and what follows from it.

use std::fmt;

use crate::asterisk_conf::{
    AccountError, DialError, DialOptionsError, DialplanProblem, GlobalError, PatternError, TargetError,
};
use crate::carrier::CarrierId;

/// Something in a carrier row that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CarrierProblem {
    /// The carrier.
    pub carrier: CarrierId,
    /// The column.
    pub field: CarrierField,
    /// The line in the column, counted from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub fault: CarrierFault,
}

impl fmt::Display for CarrierProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "carrier {}, {}", self.carrier, self.field)?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        let consequence = if self.fault.leaves_out() {
            " (carrier left out)"
        } else {
            ""
        };
        write!(f, ": {}{consequence}", self.fault)
    }
}

/// The column of a carrier row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CarrierField {
    /// `protocol`.
    Protocol,
    /// `globals_string`.
    Globals,
    /// `dialplan_entry`.
    DialplanEntry,
    /// `account_entry`.
    AccountEntry,
    /// `template_id`; lines are those of the template's contents.
    Template,
}

impl fmt::Display for CarrierField {
    /// The name of the column.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Protocol => "protocol",
            Self::Globals => "globals_string",
            Self::DialplanEntry => "dialplan_entry",
            Self::AccountEntry => "account_entry",
            Self::Template => "template",
        })
    }
}

/// What is wrong with a carrier row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CarrierFault {
    /// `Zap` or `EXTERNAL`: VICIdial writes no configuration for such a row.
    #[error("protocol {protocol} is not supported; VICIdial writes no configuration for it either")]
    ProtocolLeftOut {
        /// The protocol.
        protocol: String,
    },
    /// A protocol that VICIdial does not have.
    #[error("unknown protocol {protocol:?}")]
    ProtocolUnknown {
        /// The protocol as written.
        protocol: String,
    },
    /// A line of globals cannot be read.
    #[error("{:?} is no NAME = value", .0.text)]
    Global(GlobalError),
    /// A line of the account block cannot be read.
    #[error("{}: {:?}", .0.problem, .0.text)]
    Account(AccountError),
    /// A PJSIP endpoint by which Asterisk itself follows a 302, before anybody could refuse it.
    #[error(
        "redirect_method = {method}: Asterisk itself calls whom the carrier names in a 302, at your expense; remove the line"
    )]
    FollowsRedirections {
        /// The method as written.
        method: String,
    },
    /// A dialplan line cannot be read; Asterisk skips it too.
    #[error("{problem}: {text:?}")]
    Line {
        /// What is wrong with it.
        problem: DialplanProblem,
        /// The line as written.
        text: String,
    },
    /// A dialplan line that seems to dial cannot be read.
    #[error("a Dial() line cannot be read: {problem}: {text:?}")]
    DialLine {
        /// What is wrong with it.
        problem: DialplanProblem,
        /// The line as written.
        text: String,
    },
    /// A `[context]` header in a dialplan entry swallows every carrier that VICIdial writes after this one.
    #[error("{text:?} opens another context and swallows every carrier after this one; remove the header")]
    ContextHeader {
        /// The line as written.
        text: String,
    },
    /// `Dial()` inside of another application is not followed.
    #[error("Dial() inside of {application}() is not followed")]
    HiddenDial {
        /// The application.
        application: String,
    },
    /// The arguments of `Dial()` cannot be read.
    #[error("{0}")]
    Dial(DialError),
    /// `Dial()` options that a call through crankback goes without.
    #[error("Dial options {options} are not honoured; the call goes on without them")]
    OptionsNotHonoured {
        /// The options as written, parted by blanks.
        options: String,
    },
    /// The options of `Dial()` cannot be told apart, so nothing can be said of them.
    #[error("{0}; write them out, so that it can be told which are honoured")]
    DialOptions(DialOptionsError),
    /// The fourth argument of `Dial()`.
    #[error("the URL {url} of Dial() is not honoured; the call goes on without it")]
    UrlNotHonoured {
        /// The URL.
        url: String,
    },
    /// A variable that is no global of this server's carriers.
    #[error("variable ${{{name}}} is not known: {}", unknown_global(name, set_by.as_ref()))]
    UnknownGlobal {
        /// Its name.
        name: String,
        /// A row that has it but does not count for this server.
        set_by: Option<CarrierId>,
    },
    /// The target of `Dial()` cannot be understood.
    #[error("{0}")]
    Target(TargetError),
    /// `Dial()` always asks for the same number.
    #[error("Dial() asks for the fixed number {number}, not for the dialled one")]
    FixedNumber {
        /// The number.
        number: String,
    },
    /// The extension of a `Dial()` line cannot be understood.
    #[error("{extension:?}: {error}")]
    Pattern {
        /// The extension as written.
        extension: String,
        /// What is wrong with it.
        error: PatternError,
    },
    /// The lines of one carrier dial different peers.
    #[error("dials {other} where an earlier line dials {first}; one carrier is one peer")]
    SeveralPeers {
        /// The peer of the first `Dial()` line.
        first: String,
        /// The peer of this line.
        other: String,
    },
    /// A second `Dial()` for an extension; only the first one is used.
    #[error("a second Dial() for {extension}: a failover written by hand, which runs after crankback's; remove it")]
    SecondDial {
        /// The extension.
        extension: String,
    },
    /// Another carrier of the server has the same extension and is written first.
    #[error(
        "{extension} belongs to carrier {by}, which VICIdial writes first: Asterisk skips this line and {by} gets the calls; give one of the two another dial prefix"
    )]
    ExtensionTaken {
        /// The extension or pattern.
        extension: String,
        /// The carrier that has it.
        by: CarrierId,
    },
    /// The template that the row names is not there.
    #[error("there is no template {template_id}: VICIdial writes the account without it")]
    TemplateMissing {
        /// Its id.
        template_id: String,
    },
    /// Without dialplan entry, several sections of the account block could be dialled through.
    #[error("{used} is dialled and {others} not: without a dialplan entry, the first one is the carrier's peer")]
    SeveralAccounts {
        /// The one that is used.
        used: String,
        /// The others.
        others: String,
    },
    /// There are dialplan lines, but none dials.
    #[error("no Dial() line")]
    NoDialLine,
    /// There is no dialplan entry, and the account block has no section that a number could be dialled through.
    #[error("without a dialplan entry, the peer is {wanted}, and there is none")]
    NoPeer {
        /// The section that was looked for.
        wanted: &'static str,
    },
}

impl CarrierFault {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ProtocolLeftOut { .. } => "protocol_left_out",
            Self::ProtocolUnknown { .. } => "protocol_unknown",
            Self::Global(error) => error.code(),
            Self::Account(error) => error.problem.code(),
            Self::Line { problem, .. } | Self::DialLine { problem, .. } => problem.code(),
            Self::ContextHeader { .. } => "dialplan_context_header",
            Self::HiddenDial { .. } => "hidden_dial",
            Self::Dial(error) => error.code(),
            Self::OptionsNotHonoured { .. } => "dial_options_not_honoured",
            Self::DialOptions(error) => error.code(),
            Self::UrlNotHonoured { .. } => "dial_url_not_honoured",
            Self::UnknownGlobal { .. } => "unknown_global",
            Self::Target(error) => error.code(),
            Self::FixedNumber { .. } => "fixed_number",
            Self::Pattern { error, .. } => error.code(),
            Self::SeveralPeers { .. } => "several_peers",
            Self::SecondDial { .. } => "second_dial",
            Self::ExtensionTaken { .. } => "extension_taken",
            Self::TemplateMissing { .. } => "template_missing",
            Self::SeveralAccounts { .. } => "several_accounts",
            Self::FollowsRedirections { .. } => "follows_redirections",
            Self::NoDialLine => "no_dial_line",
            Self::NoPeer { .. } => "no_peer",
        }
    }

    /// Whether the carrier is left out of routing; otherwise it serves with what could be read.
    pub const fn leaves_out(&self) -> bool {
        match self {
            Self::ProtocolLeftOut { .. }
            | Self::ProtocolUnknown { .. }
            | Self::DialLine { .. }
            | Self::ContextHeader { .. }
            | Self::Dial(_)
            | Self::UnknownGlobal { .. }
            | Self::Target(_)
            | Self::FixedNumber { .. }
            | Self::Pattern { .. }
            | Self::SeveralPeers { .. }
            | Self::NoDialLine
            | Self::NoPeer { .. } => true,
            Self::Global(_)
            | Self::Account(_)
            | Self::Line { .. }
            | Self::HiddenDial { .. }
            | Self::OptionsNotHonoured { .. }
            | Self::DialOptions(_)
            | Self::UrlNotHonoured { .. }
            | Self::ExtensionTaken { .. }
            | Self::TemplateMissing { .. }
            | Self::SeveralAccounts { .. }
            | Self::FollowsRedirections { .. }
            | Self::SecondDial { .. } => false,
        }
    }
}

fn unknown_global(name: &str, set_by: Option<&CarrierId>) -> String {
    match set_by {
        Some(carrier) => format!(
            "carrier {carrier} sets it, but is not active or not of this server; write {name} = value into globals_string"
        ),
        None => format!(
            "no active carrier of this server sets it; write {name} = value into globals_string, or the peer itself into Dial()"
        ),
    }
}
