//! VICIdial's `servers`: which dialers there are, and whether their configuration files wait to be written.

use super::error::StoreError;
use super::transaction::{Row, Transaction, Value};
use crate::vicidial::carriers::EVERY_SERVER;

/// What we read of a dialer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerRow {
    /// Its address, as carriers name it.
    pub server_ip: String,
    /// It places calls: `active` and `active_asterisk_server` are not `N`.
    pub is_active: bool,
    /// VICIdial writes its configuration files at all: `generate_vicidial_conf` is not `N`.
    pub writes_files: bool,
    /// VICIdial will write and load its configuration files within a minute: `rebuild_conf_files` is `Y`, and
    /// `generate_vicidial_conf` is not `N`.
    pub is_rebuild_due: bool,
}

/// All dialers by address. Empty where the table does not exist.
pub(super) fn list(transaction: &mut dyn Transaction) -> Result<Vec<ServerRow>, StoreError> {
    if !transaction.has_table("servers")? {
        return Ok(Vec::new());
    }
    let sql =
        "SELECT server_ip, active, active_asterisk_server, generate_vicidial_conf, rebuild_conf_files FROM servers";
    let rows = transaction.query(sql, &[])?;
    let mut servers = rows.iter().map(server).collect::<Result<Vec<_>, _>>()?;
    // The order that a database gives is that of its collation.
    servers.sort_by(|left, right| left.server_ip.cmp(&right.server_ip));
    Ok(servers)
}

/// The statement by which VICIdial's screens ask for new configuration files, with its parameters: of one server, or of all that
/// place calls for `0.0.0.0`.
fn rebuild(server_ip: &str) -> (&'static str, Vec<Value>) {
    if server_ip.trim() == EVERY_SERVER {
        let sql = "UPDATE servers SET rebuild_conf_files = 'Y' WHERE generate_vicidial_conf = 'Y' AND active_asterisk_server = 'Y'";
        (sql, Vec::new())
    } else {
        let sql = "UPDATE servers SET rebuild_conf_files = 'Y' WHERE generate_vicidial_conf = 'Y' AND active_asterisk_server = 'Y' \
                   AND server_ip = ?";
        (sql, vec![server_ip.trim().into()])
    }
}

/// Asks for new configuration files.
pub(super) fn ask_for_files(transaction: &mut dyn Transaction, server_ip: &str) -> Result<(), StoreError> {
    let (sql, parameters) = rebuild(server_ip);
    transaction.execute(sql, &parameters).map(drop)
}

/// That statement as VICIdial's log has it.
pub(super) fn rebuild_as_logged(server_ip: &str) -> String {
    let (sql, _) = rebuild(server_ip);
    sql.replace('?', &format!("'{server_ip}'"))
}

fn server(row: &Row) -> Result<ServerRow, StoreError> {
    let is_not_n = |column| Ok::<_, StoreError>(!row.text(column)?.eq_ignore_ascii_case("N"));
    let writes_files = is_not_n("generate_vicidial_conf")?;
    Ok(ServerRow {
        server_ip: row.text("server_ip")?,
        is_active: is_not_n("active")? && is_not_n("active_asterisk_server")?,
        writes_files,
        is_rebuild_due: writes_files && row.text("rebuild_conf_files")?.eq_ignore_ascii_case("Y"),
    })
}
