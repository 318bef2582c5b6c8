//! VICIdial's carrier table, read into carriers without any extra input.
//!
//! | file | idea |
//! |---|---|
//! | here | which rows count for a server, in which order, and what they share |
//! | `protocol` | the protocols that VICIdial writes, and the peer that an account block defines |
//! | `row` | one row: its dialplan entry and its account block |
//! | `options` | `Dial()` options that a call through crankback goes without |
//! | `collisions` | patterns that two carriers of a server claim |

mod collisions;
mod options;
mod protocol;
#[cfg(test)]
mod real_world;
mod row;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use self::collisions::TakenExtensions;
pub use self::options::options_for_dial_alone;
use self::protocol::Protocol;
use self::row::{RowReader, Surroundings};
use super::carrier_problem::{CarrierFault, CarrierField, CarrierProblem};
use crate::asterisk_conf::Globals;
use crate::carrier::{Carrier, CarrierId};

/// The `server_ip` of a row that every server of a cluster uses.
pub(crate) const EVERY_SERVER: &str = "0.0.0.0";

/// One row of `vicidial_server_carriers`, column by column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarrierRow {
    /// `carrier_id`.
    pub carrier_id: String,
    /// `carrier_name`.
    pub carrier_name: String,
    /// `registration_string`.
    pub registration_string: String,
    /// `template_id`: a row of `vicidial_conf_templates`; empty or `--NONE--` for none.
    pub template_id: String,
    /// `account_entry`: the sections for `sip.conf`, `pjsip.conf`, `pjsip_wizard.conf` or `iax.conf`.
    pub account_entry: String,
    /// `protocol`: `SIP`, `PJSIP`, `PJSIP_WIZ`, `IAX2`, `Zap` or `EXTERNAL`.
    pub protocol: String,
    /// `globals_string`: `NAME = value`, put at the top of the server's dialplan.
    pub globals_string: String,
    /// `dialplan_entry`: the lines for the server's outbound context.
    pub dialplan_entry: String,
    /// `server_ip`: the server that uses the row, or `0.0.0.0` for all.
    pub server_ip: String,
    /// `active` is `Y`.
    pub active: bool,
    /// `carrier_description`.
    pub carrier_description: String,
}

/// One row of `vicidial_conf_templates`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateRow {
    /// `template_id`.
    pub template_id: String,
    /// `template_contents`: VICIdial writes them behind the `account_entry` of a carrier that names the template.
    pub template_contents: String,
}

/// What the rows of one server say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarrierTable {
    /// The carriers that could be understood, in the order in which VICIdial writes them.
    pub carriers: Vec<Carrier>,
    /// What VICIdial writes into the channel driver's files for each of them: registration, account and template. Two that
    /// differ are an edit; nothing else is read from it.
    pub accounts: HashMap<CarrierId, String>,
    /// What could not be understood. Some problems leave their carrier out: [`CarrierFault::leaves_out`].
    pub problems: Vec<CarrierProblem>,
}

impl CarrierTable {
    /// Whether VICIdial writes a row of this carrier for the server, though it could not be understood.
    pub fn is_left_out(&self, carrier: &CarrierId) -> bool {
        self.problems.iter().any(|problem| {
            problem.carrier == *carrier
                && problem.fault.leaves_out()
                && !matches!(problem.fault, CarrierFault::ProtocolLeftOut { .. })
        })
    }
}

/// Reads the active rows of one server: those for its own address and those for `0.0.0.0`.
///
/// A row that cannot be understood is left out and named; the others serve. Globals are shared by all rows of a server.
pub fn read_carriers(rows: &[CarrierRow], templates: &[TemplateRow], own_server_ip: &str) -> CarrierTable {
    let mut table = CarrierTable::default();
    let (own, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| is_own(row, own_server_ip));
    let mut written = Vec::new();
    for row in own {
        let mut reader = RowReader::new(row);
        match row.protocol.parse::<Protocol>() {
            Ok(protocol) => written.push((protocol, reader)),
            Err(fault) => {
                reader.problem(CarrierField::Protocol, None, fault);
                table.problems.append(&mut reader.problems);
            }
        }
    }
    // As the database of VICIdial sorts: without regard to case.
    written.sort_by_key(|(protocol, reader)| (*protocol, reader.row.carrier_id.to_ascii_uppercase()));

    let mut globals = Globals::default();
    let mut taken = TakenExtensions::default();
    for (_, reader) in &mut written {
        for error in globals.read(&reader.row.globals_string) {
            reader.problem(CarrierField::Globals, Some(error.line), CarrierFault::Global(error));
        }
        for (line, fault) in taken.claim(reader.row) {
            reader.problem(CarrierField::DialplanEntry, Some(line), fault);
        }
    }
    let surroundings = Surroundings {
        globals: &globals,
        unwritten_globals: &unwritten_globals(&others),
        templates,
    };
    for (protocol, mut reader) in written {
        if let Some((carrier, account)) = reader.read(protocol, &surroundings) {
            table.accounts.insert(carrier.id.clone(), account);
            table.carriers.push(carrier);
        }
        table.problems.append(&mut reader.problems);
    }
    table
}

fn is_own(row: &CarrierRow, own_server_ip: &str) -> bool {
    let server_ip = row.server_ip.trim();
    row.active && (server_ip == own_server_ip || server_ip == EVERY_SERVER)
}

/// The globals of rows that VICIdial does not write for this server, to say where a missing one stands.
fn unwritten_globals(rows: &[&CarrierRow]) -> BTreeMap<String, CarrierId> {
    let mut unwritten = BTreeMap::new();
    for row in rows {
        let mut globals = Globals::default();
        globals.read(&row.globals_string);
        let id = CarrierId::from(row.carrier_id.as_str());
        unwritten.extend(globals.names().map(|name| (name.to_owned(), id.clone())));
    }
    unwritten
}
