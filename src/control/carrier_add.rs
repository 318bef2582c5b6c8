//! A new carrier: from what an operator says of it to the row that is shown, or written.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::asterisk_conf::{Account, AccountStyle, Authorisation, Login, NotAHost, Transport, Trunk, TrunkHost};
use crate::carrier::{CarrierId, NumberFormat};
use crate::config::Settings;
use crate::snapshot::{STAGED, Snapshot};
use crate::store::{CarrierSettingsRow, RoutingTables};
use crate::vicidial::admin::{self, AdminError};
use crate::vicidial::carriers::{CarrierRow, EVERY_SERVER, read_carriers};
use crate::vicidial::new_carrier::{INERT_CONTEXT, NewCarrier, NewCarrierError, OwnEntry};

use super::carrier_settings;
use super::message::Effect;
use super::routes::is_dialable;

/// A carrier that is to be added. `Query::CarrierAdd` shows what would be written, `Command::CarrierAdd` writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarrierAdd {
    /// Its id on the *Carriers* screen, and the name of its account in Asterisk.
    pub id: String,
    /// What it is.
    pub kind: CarrierKind,
    /// A name or IPv4 address, with `:port` where it is not the usual one; `dynamic`: it registers with us.
    pub host: String,
    /// What carries its signalling.
    #[serde(default)]
    pub transport: Transport,
    /// The section of `pjsip.conf` that is this transport; `None`: the usual names.
    #[serde(default)]
    pub transport_section: Option<String>,
    /// The account that the carrier knows us by; `None`: it knows our address.
    #[serde(default)]
    pub user: Option<String>,
    /// The password of `user`.
    #[serde(default)]
    pub password: Option<Password>,
    /// Codecs, the best first; none: ulaw.
    #[serde(default)]
    pub codecs: Vec<String>,
    /// Characters dropped from the front: of the dialled extension where there is a pattern, else of phone code + number.
    #[serde(default)]
    pub strip: Option<u32>,
    /// Put before what is left.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Extensions that shall be dialled through it, for example `_81NXXNXXXXXX`; `None`: only routes lead to it.
    #[serde(default)]
    pub pattern: Option<String>,
    /// The protocol on the *Carriers* screen; `None`: `PJSIP`, and `IAX2` for a carrier of that kind.
    #[serde(default)]
    pub protocol: Option<AccountStyle>,
    /// The context of calls that it sends; `None`: one in which nothing happens.
    #[serde(default)]
    pub context: Option<String>,
    /// For every dialer of the cluster.
    #[serde(default)]
    pub all_servers: bool,
    /// Carriers of one group fail together.
    #[serde(default)]
    pub upstream_group: Option<String>,
}

/// What a carrier is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CarrierKind {
    /// SIP; it knows us by our address or by a login, and we register nowhere.
    SipTrunk,
    /// SIP, or IAX2 where that protocol is named; we register with it.
    RegisterTrunk,
    /// IAX2.
    Iax2,
}

/// A password; nothing but the account block shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password(String);

impl From<String> for Password {
    fn from(password: String) -> Self {
        Self(password)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// What stands where a password would.
const HIDDEN: &str = "********";

impl CarrierAdd {
    /// The same without the password, for the record.
    pub(super) fn on_record(&self) -> Self {
        Self {
            password: self.password.as_ref().map(|_| Password(HIDDEN.to_owned())),
            ..self.clone()
        }
    }
}

/// Answers `CarrierAdd`, the query and the command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierAddView {
    /// The carrier.
    pub id: String,
    /// The row of `vicidial_server_carriers`, password hidden.
    pub row: CarrierRowView,
    /// What crankback keeps of it beside the row.
    pub settings: Vec<String>,
    /// What is to be thought of before it is relied on.
    pub warnings: Vec<String>,
    /// What was done.
    pub outcome: AddOutcome,
}

/// The columns of a carrier's row that are not the same for all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarrierRowView {
    /// `protocol`.
    pub protocol: String,
    /// `server_ip`.
    pub server_ip: String,
    /// `registration_string`.
    pub registration_string: String,
    /// `account_entry`.
    pub account_entry: String,
    /// `dialplan_entry`.
    pub dialplan_entry: String,
}

/// What became of a carrier that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddOutcome {
    /// Nothing was written: it was only to be seen.
    Shown,
    /// It is written.
    Written(Effect),
    /// It was there already, exactly so.
    AlreadyThere,
}

/// Why a carrier cannot be added.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CarrierAddError {
    /// Its host.
    #[error("--host {0}")]
    Host(#[from] NotAHost),
    /// It cannot be written.
    #[error("carrier {id} cannot be written: {error}")]
    NewCarrier {
        /// The carrier.
        id: String,
        /// What is wrong.
        error: NewCarrierError,
    },
    /// The prefix cannot be dialled.
    #[error("--prefix {0:?} cannot be put before a number: write digits, and + * # where the carrier wants them")]
    Prefix(String),
    /// A login with one half.
    #[error("a user needs a password and a password a user: give --user and --password-file")]
    HalfALogin,
    /// A carrier to register with, without a login.
    #[error("register_trunk needs --user and --password-file; a carrier that knows your address is a sip_trunk")]
    NothingToRegister,
    /// The kind and the protocol do not fit.
    #[error("{kind} and protocol {protocol} do not fit: IAX2 is --type iax2, or register_trunk where you register", kind = .kind.as_str(), protocol = .protocol.protocol())]
    Protocol {
        /// The kind.
        kind: CarrierKind,
        /// The protocol.
        protocol: AccountStyle,
    },
    /// Another carrier has an account of this name.
    #[error(
        "carrier {carrier} has an account [{peer}] already, and Asterisk tells accounts apart by name: choose another id"
    )]
    PeerTaken {
        /// Whose it is.
        carrier: String,
        /// The name.
        peer: String,
    },
    /// The row would not be understood beside the others.
    #[error("beside the other carriers it could not be used:\n  {}", .0.join("\n  "))]
    NotUsable(Vec<String>),
    /// The Carriers screen would not take it.
    #[error(transparent)]
    Admin(#[from] AdminError),
}

impl CarrierAddError {
    /// A stable word for this kind of error: on the wire, on record, in metrics.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Host(_) => "carrier_host",
            Self::NewCarrier { error, .. } => error.code(),
            Self::Prefix(_) => "carrier_prefix",
            Self::HalfALogin => "carrier_half_a_login",
            Self::NothingToRegister => "carrier_nothing_to_register",
            Self::Protocol { .. } => "carrier_protocol",
            Self::PeerTaken { .. } => "carrier_peer_taken",
            Self::NotUsable(_) => "carrier_not_usable",
            Self::Admin(error) => error.code(),
        }
    }
}

impl CarrierKind {
    /// One word, as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SipTrunk => "sip_trunk",
            Self::RegisterTrunk => "register_trunk",
            Self::Iax2 => "iax2",
        }
    }
}

/// A carrier that may be added.
#[derive(Debug)]
pub(super) struct Planned {
    /// The row.
    pub(super) row: CarrierRow,
    /// The row with the password hidden.
    shown: CarrierRow,
    /// Whether there is no such carrier yet.
    is_new: bool,
    /// What goes beside it.
    pub(super) settings: CarrierSettingsRow,
    warnings: Vec<String>,
}

/// Everything that would be written, checked against what is there.
pub(super) fn plan(
    tables: RoutingTables,
    settings: &Settings,
    wanted: &CarrierAdd,
) -> Result<Planned, CarrierAddError> {
    let own_server_ip = settings.server.ip.to_string();
    let described = describe(wanted, &own_server_ip)?;
    let cannot_be_written = |error| CarrierAddError::NewCarrier {
        id: wanted.id.clone(),
        error,
    };
    let row = described.row().map_err(cannot_be_written)?;
    let shown = with_hidden_password(described.clone())
        .row()
        .map_err(cannot_be_written)?;
    let (same, others): (Vec<CarrierRow>, Vec<CarrierRow>) = tables
        .carriers
        .iter()
        .cloned()
        .partition(|other| other.carrier_id.eq_ignore_ascii_case(&wanted.id));
    if let Some(other) = same.iter().find(|other| !is_same(other, &row)) {
        return Err(CarrierAddError::Admin(AdminError::Exists {
            carrier_id: other.carrier_id.clone(),
            carrier_name: other.carrier_name.clone(),
            server_ip: other.server_ip.clone(),
        }));
    }
    admin::check(&row)?;
    free_of_peer(&row, &others)?;
    let mut warnings = described.trunk.needs();
    let is_new = same.is_empty();
    if is_new {
        warnings.extend(understood(&row, others, &tables, &own_server_ip)?);
    }
    let snapshot = Snapshot::new(tables, settings);
    let group = wanted.upstream_group.as_deref();
    let upstreams = snapshot.upstreams.with(&described.id, &row.account_entry, group);
    warnings.extend(
        upstreams
            .sharing_with(&described.id)
            .into_iter()
            .map(|(other, shared)| {
                format!("shares {shared} with {other}: they will fail together, and neither is a backup of the other")
            }),
    );
    let has_entry = described.entry.is_some();
    Ok(Planned {
        row,
        shown,
        is_new,
        settings: CarrierSettingsRow {
            carrier_id: wanted.id.clone(),
            status: Some(STAGED.to_owned()),
            strip_prefix: (!has_entry).then(|| wanted.strip.unwrap_or_default()),
            add_prefix: wanted.prefix.clone().filter(|_| !has_entry),
            upstream_group: wanted.upstream_group.clone(),
            ..CarrierSettingsRow::default()
        },
        warnings,
    })
}

fn describe(wanted: &CarrierAdd, own_server_ip: &str) -> Result<NewCarrier, CarrierAddError> {
    let host: TrunkHost = wanted.host.parse()?;
    let default_style = match wanted.kind {
        CarrierKind::SipTrunk | CarrierKind::RegisterTrunk => AccountStyle::Pjsip,
        CarrierKind::Iax2 => AccountStyle::Iax2,
    };
    let style = wanted.protocol.unwrap_or(default_style);
    let fits = match wanted.kind {
        CarrierKind::SipTrunk => style != AccountStyle::Iax2,
        CarrierKind::RegisterTrunk => true,
        CarrierKind::Iax2 => style == AccountStyle::Iax2,
    };
    if !fits {
        return Err(CarrierAddError::Protocol {
            kind: wanted.kind,
            protocol: style,
        });
    }
    if let Some(prefix) = wanted.prefix.as_ref().filter(|prefix| !is_dialable(prefix)) {
        return Err(CarrierAddError::Prefix(prefix.clone()));
    }
    let login = match (&wanted.user, &wanted.password) {
        (None, None) => None,
        (Some(user), Some(Password(password))) => Some(Login {
            user: user.clone(),
            password: password.clone(),
        }),
        (Some(_), None) | (None, Some(_)) => return Err(CarrierAddError::HalfALogin),
    };
    let authorisation = match (wanted.kind, login) {
        (CarrierKind::RegisterTrunk, Some(login)) => Authorisation::Registration(login),
        (CarrierKind::RegisterTrunk, None) => return Err(CarrierAddError::NothingToRegister),
        (CarrierKind::SipTrunk | CarrierKind::Iax2, Some(login)) => Authorisation::Login(login),
        (CarrierKind::SipTrunk | CarrierKind::Iax2, None) => Authorisation::Address,
    };
    let codecs = match wanted.codecs.as_slice() {
        [] => vec!["ulaw".to_owned()],
        codecs => codecs.to_vec(),
    };
    let entry = wanted.pattern.as_ref().map(|pattern| OwnEntry {
        pattern: pattern.clone(),
        format: NumberFormat {
            strip: wanted.strip.map_or(0, |strip| strip as usize),
            prefix: wanted.prefix.clone().unwrap_or_default(),
        },
    });
    let server_ip = if wanted.all_servers {
        EVERY_SERVER
    } else {
        own_server_ip
    };
    Ok(NewCarrier {
        id: CarrierId::from(wanted.id.as_str()),
        server_ip: server_ip.to_owned(),
        trunk: Trunk {
            name: wanted.id.clone(),
            style,
            host,
            transport: wanted.transport,
            transport_section: wanted.transport_section.clone(),
            authorisation,
            codecs,
            context: wanted.context.clone().unwrap_or_else(|| INERT_CONTEXT.to_owned()),
        },
        entry,
    })
}

fn with_hidden_password(mut carrier: NewCarrier) -> NewCarrier {
    if let Authorisation::Login(login) | Authorisation::Registration(login) = &mut carrier.trunk.authorisation {
        HIDDEN.clone_into(&mut login.password);
    }
    carrier
}

/// Whether a row is the one that would be written; somebody may have switched it off since.
fn is_same(row: &CarrierRow, new: &CarrierRow) -> bool {
    let new = CarrierRow {
        active: row.active,
        ..new.clone()
    };
    *row == new
}

/// No other row may have an account of this name, active or not: it may be switched on any day.
fn free_of_peer(row: &CarrierRow, others: &[CarrierRow]) -> Result<(), CarrierAddError> {
    let has_account = |other: &&CarrierRow| {
        let account = Account::parse(&other.account_entry);
        account.sections.iter().any(|section| section.name == row.carrier_id)
    };
    match others.iter().find(has_account) {
        None => Ok(()),
        Some(other) => Err(CarrierAddError::PeerTaken {
            carrier: other.carrier_id.clone(),
            peer: row.carrier_id.clone(),
        }),
    }
}

/// Whether the row would be understood beside the others, and what would be said of it.
fn understood(
    row: &CarrierRow,
    mut rows: Vec<CarrierRow>,
    tables: &RoutingTables,
    own_server_ip: &str,
) -> Result<Vec<String>, CarrierAddError> {
    rows.push(row.clone());
    let table = read_carriers(&rows, &tables.templates, own_server_ip);
    let id = CarrierId::from(row.carrier_id.as_str());
    let problems = table.problems.iter().filter(|problem| problem.carrier == id);
    let problems: Vec<String> = problems.map(ToString::to_string).collect();
    if table.carriers.iter().any(|carrier| carrier.id == id) {
        Ok(problems)
    } else {
        Err(CarrierAddError::NotUsable(problems))
    }
}

/// Writes what belongs beside the row into what is set about the carrier already.
pub(super) fn apply(settings: &CarrierSettingsRow, row: &mut CarrierSettingsRow) {
    row.status.clone_from(&settings.status);
    row.strip_prefix = settings.strip_prefix;
    row.add_prefix.clone_from(&settings.add_prefix);
    row.upstream_group.clone_from(&settings.upstream_group);
    // What was tested was another carrier of this id.
    (row.tested_ms, row.tested_digest) = (None, None);
}

impl Planned {
    /// Whether there is no carrier of this id: only then is anything but the row written.
    pub(super) const fn is_new(&self) -> bool {
        self.is_new
    }

    pub(super) fn view(self, outcome: AddOutcome) -> CarrierAddView {
        let id = CarrierId::from(self.row.carrier_id.as_str());
        CarrierAddView {
            settings: carrier_settings::shown(std::slice::from_ref(&self.settings), &id),
            id: id.to_string(),
            row: CarrierRowView {
                protocol: self.shown.protocol,
                server_ip: self.shown.server_ip,
                registration_string: self.shown.registration_string,
                account_entry: self.shown.account_entry,
                dialplan_entry: self.shown.dialplan_entry,
            },
            warnings: self.warnings,
            outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_of_it_shows_the_password() {
        let add = CarrierAdd {
            id: "SECOND".into(),
            kind: CarrierKind::RegisterTrunk,
            host: "198.51.100.7".into(),
            transport: Transport::Udp,
            transport_section: None,
            user: Some("acct".into()),
            password: Some(Password("hunter2".into())),
            codecs: Vec::new(),
            strip: None,
            prefix: None,
            pattern: None,
            protocol: None,
            context: None,
            all_servers: false,
            upstream_group: None,
        };
        let described = describe(&add, "192.0.2.1").expect("is understood");
        assert!(described.row().expect("a row").account_entry.contains("hunter2"));
        let shown = with_hidden_password(described.clone()).row().expect("a row");
        let on_record = serde_json::to_string(&add.on_record()).expect("JSON");
        let all = format!("{add:?} {described:?} {shown:?} {on_record}");
        assert!(!all.contains("hunter2"), "{all}");
    }
}
