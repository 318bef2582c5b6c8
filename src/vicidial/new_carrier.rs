//! A carrier that is to be added: from a description to the row that an admin would have typed on the *Carriers* screen.

use super::carriers::CarrierRow;
use super::dial_line::{WrapError, wrap_dialplan_entry};
use crate::asterisk_conf::{AccountStyle, Pattern, PatternError, Trunk, TrunkError};
use crate::carrier::{CarrierId, NumberFormat, Technology};

/// Where calls and redirections of a carrier go that sends none: nothing can be dialled there. It stands in
/// `asterisk/extensions-crankback.conf`; where that is not installed, it is a context that does not exist, which is as good.
pub const INERT_CONTEXT: &str = "crankback-hangup";
/// What VICIdial writes for a row without a template.
const NO_TEMPLATE: &str = "--NONE--";

/// A carrier, as it is to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCarrier {
    /// Its id on the *Carriers* screen.
    pub id: CarrierId,
    /// The server that uses it, or `0.0.0.0` for all.
    pub server_ip: String,
    /// Its account.
    pub trunk: Trunk,
    /// A dialplan entry of its own; a backup needs none.
    pub entry: Option<OwnEntry>,
}

/// The dialplan entry of a new carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnEntry {
    /// The extensions that it dials, for example `_81NXXNXXXXXX`.
    pub pattern: String,
    /// What becomes of the dialled extension, dial prefix included.
    pub format: NumberFormat,
}

/// A carrier that cannot be added as it is described.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NewCarrierError {
    /// Its account.
    #[error(transparent)]
    Trunk(#[from] TrunkError),
    /// Its pattern.
    #[error("--pattern {pattern:?}: {error}")]
    Pattern {
        /// As written.
        pattern: String,
        /// What is wrong with it.
        error: PatternError,
    },
    /// Its line cannot be handed to crankback.
    #[error(transparent)]
    Line(#[from] WrapError),
}

impl NewCarrierError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Trunk(error) => error.code(),
            Self::Pattern { error, .. } => error.code(),
            Self::Line(error) => error.fault.code(),
        }
    }
}

impl NewCarrier {
    /// The row. It is active, for Asterisk must have the account before a test call can show whether it works.
    ///
    /// # Errors
    /// The first part of the description that cannot be written.
    pub fn row(&self) -> Result<CarrierRow, NewCarrierError> {
        self.trunk.check()?;
        let entry = self
            .entry
            .as_ref()
            .map(|entry| self.dialplan_entry(entry))
            .transpose()?;
        Ok(CarrierRow {
            carrier_id: self.id.to_string(),
            carrier_name: self.id.to_string(),
            registration_string: self.trunk.registration().unwrap_or_default(),
            template_id: NO_TEMPLATE.to_owned(),
            account_entry: self.trunk.account().to_string(),
            protocol: self.trunk.style.protocol().to_owned(),
            globals_string: String::new(),
            dialplan_entry: entry.unwrap_or_default(),
            server_ip: self.server_ip.clone(),
            active: true,
            carrier_description: "added by crankback".to_owned(),
        })
    }

    /// Call log, `Dial()` with the guard around it, `Hangup()`: what VICIdial's own examples have.
    fn dialplan_entry(&self, OwnEntry { pattern, format }: &OwnEntry) -> Result<String, NewCarrierError> {
        pattern.parse::<Pattern>().map_err(|error| NewCarrierError::Pattern {
            pattern: pattern.clone(),
            error,
        })?;
        let number = match format.strip {
            0 => format!("{}${{EXTEN}}", format.prefix),
            strip => format!("{}${{EXTEN:{strip}}}", format.prefix),
        };
        let dial_string = technology(self.trunk.style).dial_string(&self.trunk.name, &number);
        let plain = format!(
            "exten => {pattern},1,AGI(agi://127.0.0.1:4577/call_log)\n\
             exten => {pattern},2,Dial({dial_string},${{CAMPDTO}},To)\n\
             exten => {pattern},3,Hangup()\n"
        );
        Ok(wrap_dialplan_entry(&self.id, &plain)?)
    }
}

const fn technology(style: AccountStyle) -> Technology {
    match style {
        AccountStyle::Pjsip | AccountStyle::PjsipWizard => Technology::Pjsip,
        AccountStyle::Sip => Technology::Sip,
        AccountStyle::Iax2 => Technology::Iax2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asterisk_conf::{Authorisation, Login, Transport};
    use crate::vicidial::carriers::read_carriers;

    fn new_carrier(style: AccountStyle, entry: Option<OwnEntry>) -> NewCarrier {
        NewCarrier {
            id: "SECOND".into(),
            server_ip: "0.0.0.0".into(),
            trunk: Trunk {
                name: "SECOND".into(),
                style,
                host: "198.51.100.7".parse().unwrap(),
                transport: Transport::Udp,
                transport_section: None,
                authorisation: Authorisation::Registration(Login {
                    user: "acct".into(),
                    password: "pw".into(),
                }),
                codecs: vec!["ulaw".into()],
                context: INERT_CONTEXT.into(),
            },
            entry,
        }
    }

    /// What is written is read as any other row: the same peer, technology, registration and number format, and no complaint.
    #[test]
    fn the_row_is_understood_as_it_was_meant() {
        let entry = OwnEntry {
            pattern: "_81NXXNXXXXXX".into(),
            format: NumberFormat {
                strip: 1,
                prefix: "00".into(),
            },
        };
        for (style, dial_string) in [
            (AccountStyle::Pjsip, "PJSIP/0012125550100@SECOND"),
            (AccountStyle::PjsipWizard, "PJSIP/0012125550100@SECOND"),
            (AccountStyle::Sip, "SIP/SECOND/0012125550100"),
            (AccountStyle::Iax2, "IAX2/SECOND/0012125550100"),
        ] {
            for entry in [None, Some(entry.clone())] {
                let has_entry = entry.is_some();
                let row = new_carrier(style, entry).row().expect("can be written");
                let table = read_carriers(&[row], &[], "192.0.2.1");
                assert_eq!(table.problems, [], "{style:?}");
                let [carrier] = table.carriers.as_slice() else {
                    panic!("one carrier of {style:?}");
                };
                assert_eq!(
                    (carrier.peer.as_str(), carrier.technology),
                    ("SECOND", technology(style))
                );
                assert_eq!(carrier.registrations.len(), 1, "{style:?}");
                let wire = match carrier.entries.first() {
                    Some(entry) => entry.format.apply("812125550100").unwrap(),
                    None => "0012125550100".into(),
                };
                assert_eq!(carrier.entries.len(), usize::from(has_entry));
                assert_eq!(carrier.dial_string(&wire), dial_string);
            }
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_refused() {
        let entry = OwnEntry {
            pattern: "_9[".into(),
            format: NumberFormat::default(),
        };
        let error = new_carrier(AccountStyle::Pjsip, Some(entry))
            .row()
            .expect_err("no pattern");
        assert!(matches!(error, NewCarrierError::Pattern { .. }), "{error}");
    }
}
