//! `vicidial_server_carriers`: the rows of VICIdial's *Carriers* screen.

use super::error::StoreError;
use super::transaction::{Row, Transaction, Value, is_byte_for_byte, whole};
use crate::vicidial::carriers::CarrierRow;

const COLUMNS: &str = "carrier_id, carrier_name, registration_string, template_id, account_entry, protocol, globals_string, \
                       dialplan_entry, server_ip, active, carrier_description";

/// All carriers, of all servers, active or not, by id. Empty where the table does not exist.
pub(super) fn list(transaction: &mut dyn Transaction) -> Result<Vec<CarrierRow>, StoreError> {
    if !transaction.has_table("vicidial_server_carriers")? {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT {COLUMNS} FROM vicidial_server_carriers");
    let rows = transaction.query(&sql, &[])?;
    let mut carriers = rows.iter().map(carrier).collect::<Result<Vec<_>, _>>()?;
    // The order that a database gives is that of its collation.
    carriers.sort_by(|left, right| left.carrier_id.cmp(&right.carrier_id));
    Ok(carriers)
}

/// One carrier, its id in the writing of the row: VICIdial's database does not care about case.
pub(super) fn find(transaction: &mut dyn Transaction, carrier_id: &str) -> Result<Option<CarrierRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM vicidial_server_carriers WHERE carrier_id = ?");
    let rows = transaction.query(&sql, &[carrier_id.into()])?;
    rows.first().map(carrier).transpose()
}

/// Adds a carrier.
pub(super) fn insert(transaction: &mut dyn Transaction, row: &CarrierRow) -> Result<(), StoreError> {
    let url = transaction.url().clone();
    let parameters: [Value; 11] = [
        whole(&url, "carrier_id", &row.carrier_id, 15)?,
        whole(&url, "carrier_name", &row.carrier_name, 50)?,
        whole(&url, "registration_string", &row.registration_string, 255)?,
        whole(&url, "template_id", &row.template_id, 15)?,
        (&row.account_entry).into(),
        (&row.protocol).into(),
        whole(&url, "globals_string", &row.globals_string, 255)?,
        (&row.dialplan_entry).into(),
        whole(&url, "server_ip", &row.server_ip, 15)?,
        flag(row.active).into(),
        whole(&url, "carrier_description", &row.carrier_description, 255)?,
    ];
    let sql = format!("INSERT INTO vicidial_server_carriers ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    transaction.execute(&sql, &parameters).map(drop)
}

/// Changes the entry of a carrier that has exactly `expected`; whether there was one.
pub(super) fn set_dialplan_entry(
    transaction: &mut dyn Transaction,
    carrier_id: &str,
    expected: &str,
    new: &str,
) -> Result<bool, StoreError> {
    let same = is_byte_for_byte(transaction.url(), "dialplan_entry");
    let sql = format!("UPDATE vicidial_server_carriers SET dialplan_entry = ? WHERE carrier_id = ? AND {same}");
    let changed = transaction.execute(&sql, &[new.into(), carrier_id.into(), expected.into()])?;
    Ok(changed > 0)
}

/// Switches a carrier on or off.
pub(super) fn set_active(transaction: &mut dyn Transaction, carrier_id: &str, active: bool) -> Result<(), StoreError> {
    let sql = "UPDATE vicidial_server_carriers SET active = ? WHERE carrier_id = ?";
    transaction
        .execute(sql, &[flag(active).into(), carrier_id.into()])
        .map(drop)
}

/// How VICIdial writes yes and no.
pub(super) const fn flag(yes: bool) -> &'static str {
    if yes { "Y" } else { "N" }
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
