//! What a test chooses about an instance: its trunks and its dialplan.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::super::roots::AsteriskVersion;

/// Everything about an instance that differs from test to test. All else is in [`super::files`].
#[derive(Clone, Debug, Default)]
pub struct AsteriskConfig {
    /// Where the dialplan's `call_log` goes: the port of an [`AgiListener`](super::super::agi_listener::AgiListener).
    pub agi_port: u16,
    /// The accounts, as VICIdial would have written them from its carriers.
    pub trunks: Vec<Trunk>,
    /// Lines of `[globals]`, for example `SIPTRUNK = SIP/primary`.
    pub globals: String,
    /// The carriers' dialplan entries of `[vicidial-auto-external]`: what the calls of context `default` run.
    pub carrier_entries: String,
    /// The same entries as they were before crankback: what the calls of context `native` run.
    pub native_entries: String,
    /// More dialplan, with its own `[context]` lines, after all the rest.
    pub extra_dialplan: String,
    /// Dialplan files of this machine to `#include` after that; they are copied when the instance starts.
    pub dialplan_files: Vec<PathBuf>,
    /// Other files for the configuration directory: name and content, replacing one of the lab's when it has that name.
    pub other_files: Vec<(String, String)>,
    /// Texts to replace in all dialplan above, for example the port of a daemon. The address of VICIdial's FastAGI
    /// server, `127.0.0.1:4577`, is always replaced by [`agi_port`](Self::agi_port)'s.
    pub dialplan_replacements: Vec<(String, String)>,
}

impl AsteriskConfig {
    /// An instance without trunks that calls `call_log` at this port.
    pub fn new(agi_port: u16) -> Self {
        Self {
            agi_port,
            ..Self::default()
        }
    }

    /// Adds a trunk.
    #[must_use]
    pub fn trunk(mut self, trunk: Trunk) -> Self {
        self.trunks.push(trunk);
        self
    }

    /// Adds an entry to `[vicidial-auto-external]`; [`carrier_entry`] makes the usual one.
    #[must_use]
    pub fn carrier_entry(mut self, entry: &str) -> Self {
        self.carrier_entries.push_str(entry);
        self
    }

    /// Adds an entry to `[native-external]`, for the comparison with plain `Dial()`.
    #[must_use]
    pub fn native_entry(mut self, entry: &str) -> Self {
        self.native_entries.push_str(entry);
        self
    }

    /// The whole of a dialplan text, with the ports of this run.
    pub fn with_replacements(&self, dialplan: &str) -> String {
        let vicidial = ("127.0.0.1:4577".to_owned(), format!("127.0.0.1:{}", self.agi_port));
        self.dialplan_replacements
            .iter()
            .chain([&vicidial])
            .fold(dialplan.to_owned(), |text, (from, to)| text.replace(from, to))
    }
}

/// A carrier's entry as an admin writes it on VICIdial's screen: `call_log`, one line, `Hangup`.
///
/// `pattern` is what follows `exten =>`, `line` the application that carries the call.
pub fn carrier_entry(pattern: &str, line: &str) -> String {
    format!(
        "exten => {pattern},1,AGI(agi://127.0.0.1:4577/call_log)\n\
         exten => {pattern},2,{line}\n\
         exten => {pattern},3,Hangup()\n"
    )
}

/// The channel driver and transport of a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrunkTechnology {
    /// `chan_pjsip` over UDP.
    Pjsip,
    /// `chan_pjsip` over TCP.
    PjsipTcp,
    /// `chan_sip` over UDP; Asterisk 16 only.
    Sip,
}

/// An account at a carrier, authorised by its address.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// The endpoint's or peer's name.
    pub name: String,
    /// How it is reached.
    pub technology: TrunkTechnology,
    /// The carrier's address.
    pub address: SocketAddr,
    /// How often Asterisk itself asks with OPTIONS; not at all by default.
    pub qualify_every: Option<Duration>,
    /// More lines for the endpoint or peer.
    pub extra: String,
}

impl Trunk {
    /// A `chan_pjsip` trunk over UDP.
    pub fn pjsip(name: &str, address: SocketAddr) -> Self {
        Self::new(name, TrunkTechnology::Pjsip, address)
    }

    /// A `chan_pjsip` trunk over TCP.
    pub fn pjsip_tcp(name: &str, address: SocketAddr) -> Self {
        Self::new(name, TrunkTechnology::PjsipTcp, address)
    }

    /// A `chan_sip` trunk.
    pub fn sip(name: &str, address: SocketAddr) -> Self {
        Self::new(name, TrunkTechnology::Sip, address)
    }

    /// The driver that a test of both generations prefers: `chan_sip` where it exists.
    pub fn oldest_driver(version: AsteriskVersion, name: &str, address: SocketAddr) -> Self {
        if version.has_chan_sip() {
            Self::sip(name, address)
        } else {
            Self::pjsip(name, address)
        }
    }

    fn new(name: &str, technology: TrunkTechnology, address: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            technology,
            address,
            qualify_every: None,
            extra: String::new(),
        }
    }

    /// Lets Asterisk qualify the trunk with OPTIONS.
    #[must_use]
    pub fn qualified(mut self, every: Duration) -> Self {
        self.qualify_every = Some(every);
        self
    }

    /// What `Dial()` is given for `number`, which may hold dialplan expressions.
    pub fn dial_string(&self, number: &str) -> String {
        match self.technology {
            TrunkTechnology::Pjsip | TrunkTechnology::PjsipTcp => format!("PJSIP/{number}@{}", self.name),
            TrunkTechnology::Sip => format!("SIP/{}/{number}", self.name),
        }
    }
}
