//! `vicidial_campaigns`: dial prefix and dial timeout of each campaign, read only.

use super::error::StoreError;
use super::transaction::Transaction;

/// What we read of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CampaignRow {
    /// The campaign's id; `CAMPCUST` in the dialplan.
    pub campaign_id: String,
    /// Put before the phone code and number; VICIdial writes `X` for none.
    pub dial_prefix: String,
    /// How long the dialer lets a call ring, in seconds.
    pub dial_timeout_s: u32,
}

/// All campaigns by id. Empty where the table does not exist.
pub(super) fn list(transaction: &mut dyn Transaction) -> Result<Vec<CampaignRow>, StoreError> {
    if !transaction.has_table("vicidial_campaigns")? {
        return Ok(Vec::new());
    }
    let sql = "SELECT campaign_id, dial_prefix, dial_timeout FROM vicidial_campaigns ORDER BY campaign_id";
    let rows = transaction.query(sql, &[])?;
    rows.iter()
        .map(|row| {
            Ok(CampaignRow {
                campaign_id: row.text("campaign_id")?,
                dial_prefix: row.text("dial_prefix")?,
                dial_timeout_s: row.integer("dial_timeout")?,
            })
        })
        .collect()
}
