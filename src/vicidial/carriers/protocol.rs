//! The protocols of the *Carriers* screen.

use std::str::FromStr;

use super::super::carrier_problem::CarrierFault;
use crate::asterisk_conf::{Account, Section};
use crate::carrier::Technology;

/// The protocols that VICIdial writes configuration for, in the order in which it writes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protocol {
    Iax2,
    Sip,
    PjsipWizard,
    Pjsip,
}

impl FromStr for Protocol {
    type Err = CarrierFault;

    fn from_str(protocol: &str) -> Result<Self, Self::Err> {
        match protocol {
            "SIP" => Ok(Self::Sip),
            "PJSIP" => Ok(Self::Pjsip),
            "PJSIP_WIZ" => Ok(Self::PjsipWizard),
            "IAX2" => Ok(Self::Iax2),
            "Zap" | "EXTERNAL" => Err(CarrierFault::ProtocolLeftOut {
                protocol: protocol.to_owned(),
            }),
            _ => Err(CarrierFault::ProtocolUnknown {
                protocol: protocol.to_owned(),
            }),
        }
    }
}

impl Protocol {
    pub(super) const fn technology(self) -> Technology {
        match self {
            Self::Sip => Technology::Sip,
            Self::Pjsip | Self::PjsipWizard => Technology::Pjsip,
            Self::Iax2 => Technology::Iax2,
        }
    }

    /// The sections of an account block that a number can be dialled through, in order.
    ///
    /// A section without type counts for SIP and IAX2 when there is nothing better: a template in another file may give it one.
    pub(super) fn peers(self, account: &Account) -> Result<Vec<&str>, CarrierFault> {
        let (types, wanted): (&[&str], _) = match self {
            Self::Pjsip => (&["endpoint"], "a section with type=endpoint"),
            Self::PjsipWizard => (&["wizard"], "a section with type=wizard"),
            Self::Sip | Self::Iax2 => (&["peer", "friend"], "a section with type=peer or type=friend"),
        };
        let is_peer = |section: &&Section| {
            section
                .kind()
                .is_some_and(|kind| types.iter().any(|wanted| kind.eq_ignore_ascii_case(wanted)))
        };
        let mut peers: Vec<&str> = account
            .accounts()
            .filter(is_peer)
            .map(|section| section.name.as_str())
            .collect();
        if peers.is_empty() && matches!(self, Self::Sip | Self::Iax2) {
            let untyped = account.accounts().find(|section| section.kind().is_none());
            peers.extend(untyped.map(|section| section.name.as_str()));
        }
        match peers.is_empty() {
            true => Err(CarrierFault::NoPeer { wanted }),
            false => Ok(peers),
        }
    }
}
