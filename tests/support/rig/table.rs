//! The rig's carrier table, as an admin would have typed it on VICIdial's *Carriers* screen.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use crankback::carrier::CarrierId;
use crankback::vicidial::dial_line::wrap_dialplan_entry;

use super::super::error::LabError;
use super::super::roots::AsteriskVersion;
use super::{BACKUP, Entry};

/// The columns of the carrier table that are written, in order.
const COLUMNS: &str = "carrier_id, carrier_name, registration_string, template_id, account_entry, protocol, \
    globals_string, dialplan_entry, server_ip, active, carrier_description";

/// One row, the columns that matter here.
#[derive(Clone, Debug)]
pub struct Row {
    pub carrier_id: &'static str,
    pub protocol: &'static str,
    pub globals_string: String,
    pub dialplan_entry: String,
}

fn entry(prefix: char, dial: &str) -> String {
    let pattern = format!("_{prefix}1NXXNXXXXXX");
    format!(
        "exten => {pattern},1,AGI(agi://127.0.0.1:4577/call_log)\n\
         exten => {pattern},2,Dial({dial},${{CAMPDTO}},To)\n\
         exten => {pattern},3,Hangup()\n"
    )
}

/// All rows.
pub fn rows(version: AsteriskVersion) -> Vec<Row> {
    let mut rows: Vec<Row> = Entry::ALL
        .into_iter()
        .map(|which| {
            let (protocol, global, dial) = match which {
                Entry::Primary => ("PJSIP", "PRIMTRUNK = primary", "PJSIP/${EXTEN:1}@${PRIMTRUNK}"),
                Entry::Unknown => ("PJSIP", "", "PJSIP/${EXTEN:1}@nobody"),
                Entry::Refusing => ("PJSIP", "", "PJSIP/${EXTEN:1}@refusing"),
                Entry::Unreachable => ("PJSIP", "", "PJSIP/${EXTEN:1}@unreachable"),
                Entry::OldDriver if version.has_chan_sip() => {
                    ("SIP", "OLDTRUNK=SIP/olddriver", "${OLDTRUNK}/${EXTEN:1}")
                }
                Entry::OldDriver => ("PJSIP", "", "PJSIP/${EXTEN:1}@olddriver"),
                Entry::Wizard => ("PJSIP_WIZ", "WIZTRK=wizard", "PJSIP/${EXTEN:1}@${WIZTRK}"),
                Entry::Alone => ("PJSIP", "", "PJSIP/${EXTEN:1}@primary"),
                Entry::AloneOldDriver if version.has_chan_sip() => ("SIP", "", "SIP/olddriver/${EXTEN:1}"),
                Entry::AloneOldDriver => ("PJSIP", "", "PJSIP/${EXTEN:1}@olddriver"),
            };
            Row {
                carrier_id: which.carrier_id(),
                protocol,
                globals_string: global.to_owned(),
                dialplan_entry: entry(which.prefix(), dial),
            }
        })
        .collect();
    rows.push(Row {
        carrier_id: BACKUP,
        protocol: "PJSIP",
        globals_string: String::new(),
        dialplan_entry: entry('8', "PJSIP/${EXTEN:1}@backup"),
    });
    rows
}

/// The row with the line that hands calls to crankback. The backup's own entry stays as it is.
pub fn guarded(row: &Row) -> Result<Row, LabError> {
    if row.carrier_id == BACKUP {
        return Ok(row.clone());
    }
    let entry = wrap_dialplan_entry(&CarrierId::from(row.carrier_id), &row.dialplan_entry)
        .map_err(|error| LabError::Configuration(error.to_string()))?;
    Ok(Row {
        dialplan_entry: entry,
        ..row.clone()
    })
}

/// `pjsip_wizard.conf` of the wizard carrier.
pub fn wizard(carrier: SocketAddr) -> String {
    format!(
        "[wizard]\ntype = wizard\nremote_hosts = {carrier}\nsends_registrations = no\nsends_auth = no\n\
         endpoint/context = trunkinbound\nendpoint/disallow = all\nendpoint/allow = ulaw\nendpoint/direct_media = no\n\
         endpoint/transport = transport-udp\n"
    )
}

/// The rows as one statement. They hold no backslash, which the databases read differently.
pub fn insert_statement(rows: &[Row]) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let values: Vec<String> = rows
        .iter()
        .map(|row| {
            format!(
                "({id}, {id}, '', '--NONE--', '', {}, {}, {}, '0.0.0.0', 'Y', '')",
                quoted(row.protocol),
                quoted(&row.globals_string),
                quoted(&row.dialplan_entry),
                id = quoted(row.carrier_id)
            )
        })
        .collect();
    format!(
        "INSERT INTO vicidial_server_carriers ({COLUMNS}) VALUES {}",
        values.join(", ")
    )
}

/// Runs one statement on the database.
pub fn run(database: &Path, statement: &str) -> Result<(), LabError> {
    let run = || -> rusqlite::Result<()> {
        let connection = rusqlite::Connection::open(database)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.execute_batch(statement)
    };
    run().map_err(|error| LabError::Missing(format!("{statement}: {error}")))
}

/// The number of attempts that meet a condition, by carrier.
pub fn attempts_by_carrier(database: &Path, condition: &str) -> Result<BTreeMap<String, u64>, LabError> {
    let count = || -> rusqlite::Result<BTreeMap<String, u64>> {
        let connection = rusqlite::Connection::open(database)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        let mut statement = connection.prepare(&format!(
            "SELECT carrier_id, COUNT(*) FROM crankback_attempts WHERE {condition} GROUP BY carrier_id"
        ))?;
        let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
        rows.collect()
    };
    count().map_err(|error| LabError::Missing(format!("count attempts: {error}")))
}

/// Writes the rows where VICIdial would have them.
pub fn fill(database: &Path, rows: &[Row]) -> Result<(), LabError> {
    let write = || -> rusqlite::Result<()> {
        let connection = rusqlite::Connection::open(database)?;
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.execute(&insert_statement(rows), ())?;
        connection.execute(
            "INSERT INTO vicidial_campaigns (campaign_id, dial_prefix, dial_timeout) VALUES ('TESTCAMP', '9', 26)",
            (),
        )?;
        Ok(())
    };
    write().map_err(|error| LabError::Missing(format!("fill the carrier table: {error}")))
}
