//! `vicidial_server_carriers`: VICIdial's *Carriers* screen, read only.

use super::error::StoreError;
use super::transaction::{Row, Transaction};
use crate::vicidial::carriers::CarrierRow;

/// All carriers, of all servers, active or not, by id. Empty where the table does not exist.
pub(super) fn list(transaction: &mut dyn Transaction) -> Result<Vec<CarrierRow>, StoreError> {
    if !transaction.has_table("vicidial_server_carriers")? {
        return Ok(Vec::new());
    }
    let sql = "SELECT carrier_id, carrier_name, registration_string, template_id, account_entry, protocol, globals_string, \
               dialplan_entry, server_ip, active, carrier_description \
               FROM vicidial_server_carriers";
    let rows = transaction.query(sql, &[])?;
    let mut carriers = rows.iter().map(carrier).collect::<Result<Vec<_>, _>>()?;
    // The order that a database gives is that of its collation.
    carriers.sort_by(|left, right| left.carrier_id.cmp(&right.carrier_id));
    Ok(carriers)
}

fn carrier(row: &Row) -> Result<CarrierRow, StoreError> {
    Ok(CarrierRow {
        carrier_id: row.text("carrier_id")?,
        carrier_name: row.text("carrier_name")?,
        registration_string: row.text("registration_string")?,
        template_id: row.text("template_id")?,
        account_entry: row.text("account_entry")?,
        protocol: row.text("protocol")?,
        globals_string: row.text("globals_string")?,
        dialplan_entry: row.text("dialplan_entry")?,
        server_ip: row.text("server_ip")?,
        active: row.text("active")?.eq_ignore_ascii_case("Y"),
        carrier_description: row.text("carrier_description")?,
    })
}
