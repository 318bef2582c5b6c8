//! How a new carrier is to be spoken to: what `carrier add` is told of it, and what VICIdial makes of its row.

use super::super::super::super::error::{IoContext, LabError};
use super::super::super::super::sip::{Certificate, FakeCarrier, Script, Transport};
use super::super::super::Rig;
use super::super::answers;
use super::super::check::Edit;
use super::{PASSWORD, USER, new_id, row};

const RELOAD_PJSIP: &str = "module reload res_pjsip.so";
const RELOAD_SIP: &str = "sip reload";

/// How the ends know each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KnownBy {
    Address,
    Login,
    /// We register with the carrier.
    Registration,
    /// The carrier registers with us.
    ItsRegistration,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) protocol: Protocol,
    pub(super) known_by: KnownBy,
    pub(super) transport: Transport,
}

impl Way {
    pub(super) const fn new(protocol: Protocol, known_by: KnownBy, transport: Transport) -> Self {
        Self {
            protocol,
            known_by,
            transport,
        }
    }

    /// A carrier that can be spoken to so.
    pub(super) async fn start_carrier(self) -> Result<FakeCarrier, LabError> {
        let id = new_id();
        let started = match self.transport {
            Transport::Udp | Transport::Tcp => FakeCarrier::start(&id).await,
            Transport::Tls => FakeCarrier::start_with_tls(&id, Certificate::of_loopback()).await,
        };
        let carrier = started.context(|| "start the new carrier".to_owned())?;
        let play = match self.known_by {
            KnownBy::Address | KnownBy::ItsRegistration => answers(),
            KnownBy::Login | KnownBy::Registration => {
                carrier.require_login(USER, PASSWORD);
                Script::new().challenge(401).then(answers())
            }
        };
        carrier.set_default(play);
        Ok(carrier)
    }

    /// What `carrier add` is told.
    pub(super) fn description(self, carrier: &FakeCarrier, password_file: &str) -> String {
        let at = carrier.addr();
        let known_by = match self.known_by {
            KnownBy::Address => format!("--type sip_trunk --host {at}"),
            KnownBy::Login => format!("--type sip_trunk --host {at} --user {USER} {password_file}"),
            KnownBy::Registration => format!("--type register_trunk --host {at} --user {USER} {password_file}"),
            KnownBy::ItsRegistration => format!(
                "--type sip_trunk --host dynamic --user {} {password_file}",
                carrier.name()
            ),
        };
        let transport = match self.transport {
            Transport::Udp => "",
            Transport::Tcp => "--transport tcp",
            Transport::Tls => "--transport tls",
        };
        format!("{known_by} {transport} --protocol {}", self.protocol.as_str())
    }

    /// What `carrier add` says must be there beside the account, where something must.
    pub(super) fn warning(self, id: &str) -> Option<String> {
        if matches!(self.known_by, KnownBy::ItsRegistration) {
            return Some(format!("it must register here as {id}"));
        }
        let warning = match (self.protocol, self.transport) {
            (_, Transport::Udp) => return None,
            (Protocol::Pjsip | Protocol::PjsipWizard, Transport::Tcp) => {
                "pjsip.conf needs the transport [transport-tcp]"
            }
            (Protocol::Pjsip | Protocol::PjsipWizard, Transport::Tls) => {
                "pjsip.conf needs the transport [transport-tls]"
            }
            (Protocol::Sip, Transport::Tcp) => "sip.conf needs tcpenable = yes",
            (Protocol::Sip, Transport::Tls) => "sip.conf needs tlsenable = yes",
        };
        Some(warning.to_owned())
    }
}

/// Which of Asterisk's files the account goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Pjsip,
    PjsipWizard,
    Sip,
}

impl Protocol {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pjsip => "PJSIP",
            Self::PjsipWizard => "PJSIP_WIZ",
            Self::Sip => "SIP",
        }
    }

    /// A file, the line behind which accounts stand in the lab's, and what makes Asterisk read it.
    const fn file(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Pjsip => ("pjsip.conf", "[transport-udp]\n", RELOAD_PJSIP),
            Self::PjsipWizard => ("pjsip_wizard.conf", "[wizard]\n", RELOAD_PJSIP),
            Self::Sip => ("sip.conf", "srvlookup = no\n", RELOAD_SIP),
        }
    }

    /// Writes the account into Asterisk's file, as VICIdial does once a minute, and has it read.
    pub(super) async fn play_vicidial(self, rig: &Rig, id: &str) -> Result<Edit, LabError> {
        let (registration, account) = row(rig, id).await?;
        let (file, behind, reload) = self.file();
        let text = match self {
            Self::Sip => format!("{behind}{registration}\n{account}\n"),
            Self::Pjsip | Self::PjsipWizard => format!("{account}\n{behind}"),
        };
        Edit::make(rig, file, behind, &text, reload).await
    }

    /// Where Asterisk takes registrations for such accounts.
    pub(super) fn registrar(self, rig: &Rig) -> std::net::SocketAddr {
        let ports = rig.asterisk.ports();
        let port = match self {
            Self::Pjsip | Self::PjsipWizard => ports.sip_udp,
            Self::Sip => ports.chan_sip,
        };
        (std::net::Ipv4Addr::LOCALHOST, port).into()
    }
}
