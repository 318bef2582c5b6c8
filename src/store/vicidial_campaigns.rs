//! `vicidial_campaigns`: dial prefix and dial timeout of each campaign, read only.

use super::error::StoreError;
use super::transaction::{Row, Transaction};

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
    let sql = "SELECT campaign_id, dial_prefix, dial_timeout FROM vicidial_campaigns";
    let rows = transaction.query(sql, &[])?;
    let mut campaigns = rows.iter().map(campaign).collect::<Result<Vec<_>, _>>()?;
    // The order that a database gives is that of its collation.
    campaigns.sort_by(|left, right| left.campaign_id.cmp(&right.campaign_id));
    Ok(campaigns)
}

fn campaign(row: &Row) -> Result<CampaignRow, StoreError> {
    Ok(CampaignRow {
        campaign_id: row.text("campaign_id")?,
        dial_prefix: row.text("dial_prefix")?,
        dial_timeout_s: row.integer("dial_timeout")?,
    })
}
