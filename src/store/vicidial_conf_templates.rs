//! `vicidial_conf_templates`: what VICIdial writes behind a carrier's account, read only.

use super::error::StoreError;
use super::transaction::{Row, Transaction};
use crate::vicidial::carriers::TemplateRow;

/// All templates by id. Empty where the table does not exist.
pub(super) fn list(transaction: &mut dyn Transaction) -> Result<Vec<TemplateRow>, StoreError> {
    if !transaction.has_table("vicidial_conf_templates")? {
        return Ok(Vec::new());
    }
    let sql = "SELECT template_id, template_contents FROM vicidial_conf_templates";
    let rows = transaction.query(sql, &[])?;
    let mut templates = rows.iter().map(template).collect::<Result<Vec<_>, _>>()?;
    // The order that a database gives is that of its collation.
    templates.sort_by(|left, right| left.template_id.cmp(&right.template_id));
    Ok(templates)
}

fn template(row: &Row) -> Result<TemplateRow, StoreError> {
    Ok(TemplateRow {
        template_id: row.text("template_id")?,
        template_contents: row.text("template_contents")?,
    })
}
