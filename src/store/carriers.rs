//! `crankback_carriers`: what an operator set about a carrier beside VICIdial's own row.

use super::audit::{self, AuditRow};
use super::error::StoreError;
use super::import::OwnTable;
use super::meta;
use super::owner::Store;
use super::transaction::{Row, Transaction, Value, whole};

const COLUMNS: &str = "carrier_id, guard_ms, progress_ms, fakes_progress, failover_after_183, preset, verdicts, max_channels, \
                       max_cps, operator_state, operator_by, operator_reason, operator_since_ms, operator_until_ms, ring_ms, setup_ms, \
                       max_attempts, engine, status, strip_prefix, add_prefix, upstream_group, tested_ms, tested_digest";

pub(super) const TABLE: OwnTable = OwnTable {
    name: "crankback_carriers",
    columns: COLUMNS,
    key: &["carrier_id"],
};

/// A row of the table. What is `None` was not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarrierSettingsRow {
    /// The carrier's id on VICIdial's *Carriers* screen.
    pub carrier_id: String,
    /// The no-response guard in milliseconds.
    pub guard_ms: Option<u32>,
    /// The progress limit in milliseconds.
    pub progress_ms: Option<u32>,
    /// Its 180 and 183 say nothing.
    pub fakes_progress: Option<bool>,
    /// Whether a failure after 183 may move on; a word of the verdicts.
    pub failover_after_183: Option<String>,
    /// The preset of its provider.
    pub preset: Option<String>,
    /// What its answers mean: `ANSWER=ACTION`, one a line.
    pub verdicts: Option<String>,
    /// Legs at one time.
    pub max_channels: Option<u32>,
    /// Legs a second.
    pub max_cps: Option<u32>,
    /// What the operator says of it, a word; nothing automatic writes it.
    pub operator_state: Option<String>,
    /// Who said so.
    pub operator_by: Option<String>,
    /// Why.
    pub operator_reason: Option<String>,
    /// Since when, milliseconds since 1970.
    pub operator_since_ms: Option<i64>,
    /// Until when, milliseconds since 1970.
    pub operator_until_ms: Option<i64>,
    /// How long the called party may ring, in milliseconds.
    pub ring_ms: Option<u32>,
    /// Of calls that enter here: how long all attempts together may take until one rings, in milliseconds.
    pub setup_ms: Option<u32>,
    /// Of calls that enter here: attempts, the first included.
    pub max_attempts: Option<u32>,
    /// Who places the legs of calls that enter by its dialplan line, a word.
    pub engine: Option<String>,
    /// Whether routes may choose it, a word.
    pub status: Option<String>,
    /// Characters dropped from the front of the canonical number.
    pub strip_prefix: Option<u32>,
    /// Put before what is left.
    pub add_prefix: Option<String>,
    /// Carriers of one group fail together.
    pub upstream_group: Option<String>,
    /// When a test call was last answered, milliseconds since 1970.
    pub tested_ms: Option<i64>,
    /// Stands for what the carrier was then.
    pub tested_digest: Option<String>,
}

impl Store {
    /// What operators set about carriers, by carrier.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn carrier_settings(&self) -> Result<Vec<CarrierSettingsRow>, StoreError> {
        self.read(|transaction| list(transaction)).await
    }

    /// Changes what is set about a carrier and puts `audit` on record with it. `change` gets the row as it is now, empty where
    /// there is none; it is called once a try.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be written.
    pub async fn change_carrier_settings(
        &self,
        carrier_id: &str,
        change: impl Fn(&mut CarrierSettingsRow) + Send + 'static,
        audit: AuditRow,
    ) -> Result<(), StoreError> {
        let carrier_id = carrier_id.to_owned();
        self.write(move |transaction| {
            meta::take_turn(transaction)?;
            let mut row = get(transaction, &carrier_id)?;
            change(&mut row);
            put(transaction, &row)?;
            meta::bump_revision(transaction)?;
            audit::insert(transaction, &audit)
        })
        .await
    }
}

/// All rows by carrier.
pub(super) fn list(transaction: &mut dyn Transaction) -> Result<Vec<CarrierSettingsRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM crankback_carriers ORDER BY carrier_id");
    transaction.query(&sql, &[])?.iter().map(row).collect()
}

fn get(transaction: &mut dyn Transaction, carrier_id: &str) -> Result<CarrierSettingsRow, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM crankback_carriers WHERE carrier_id = ?");
    let rows = transaction.query(&sql, &[carrier_id.into()])?;
    let none = || CarrierSettingsRow {
        carrier_id: carrier_id.to_owned(),
        ..CarrierSettingsRow::default()
    };
    rows.first().map_or_else(|| Ok(none()), row)
}

fn put(transaction: &mut dyn Transaction, row: &CarrierSettingsRow) -> Result<(), StoreError> {
    let url = transaction.url().clone();
    let text = |column, text: &Option<String>, width| {
        let value = text.as_ref().map(|text| whole(&url, column, text, width));
        Ok::<_, StoreError>(value.transpose()?.unwrap_or(Value::Null))
    };
    let parameters: [Value; 24] = [
        whole(&url, "carrier_id", &row.carrier_id, 15)?,
        row.guard_ms.map(i64::from).into(),
        row.progress_ms.map(i64::from).into(),
        row.fakes_progress.into(),
        text("failover_after_183", &row.failover_after_183, 16)?,
        text("preset", &row.preset, 32)?,
        text("verdicts", &row.verdicts, 4_000)?,
        row.max_channels.map(i64::from).into(),
        row.max_cps.map(i64::from).into(),
        text("operator_state", &row.operator_state, 16)?,
        text("operator_by", &row.operator_by, 128)?,
        text("operator_reason", &row.operator_reason, 255)?,
        row.operator_since_ms.into(),
        row.operator_until_ms.into(),
        row.ring_ms.map(i64::from).into(),
        row.setup_ms.map(i64::from).into(),
        row.max_attempts.map(i64::from).into(),
        text("engine", &row.engine, 8)?,
        text("status", &row.status, 16)?,
        row.strip_prefix.map(i64::from).into(),
        text("add_prefix", &row.add_prefix, 32)?,
        text("upstream_group", &row.upstream_group, 64)?,
        row.tested_ms.into(),
        text("tested_digest", &row.tested_digest, 16)?,
    ];
    let marks = vec!["?"; parameters.len()].join(", ");
    let sql = format!("REPLACE INTO crankback_carriers ({COLUMNS}) VALUES ({marks})");
    transaction.execute(&sql, &parameters).map(drop)
}

fn row(row: &Row) -> Result<CarrierSettingsRow, StoreError> {
    Ok(CarrierSettingsRow {
        carrier_id: row.text("carrier_id")?,
        guard_ms: row.optional_integer("guard_ms")?,
        progress_ms: row.optional_integer("progress_ms")?,
        fakes_progress: row.optional_integer::<i64>("fakes_progress")?.map(|flag| flag != 0),
        failover_after_183: row.optional_text("failover_after_183")?,
        preset: row.optional_text("preset")?,
        verdicts: row.optional_text("verdicts")?,
        max_channels: row.optional_integer("max_channels")?,
        max_cps: row.optional_integer("max_cps")?,
        operator_state: row.optional_text("operator_state")?,
        operator_by: row.optional_text("operator_by")?,
        operator_reason: row.optional_text("operator_reason")?,
        operator_since_ms: row.optional_integer("operator_since_ms")?,
        operator_until_ms: row.optional_integer("operator_until_ms")?,
        ring_ms: row.optional_integer("ring_ms")?,
        setup_ms: row.optional_integer("setup_ms")?,
        max_attempts: row.optional_integer("max_attempts")?,
        engine: row.optional_text("engine")?,
        status: row.optional_text("status")?,
        strip_prefix: row.optional_integer("strip_prefix")?,
        add_prefix: row.optional_text("add_prefix")?,
        upstream_group: row.optional_text("upstream_group")?,
        tested_ms: row.optional_integer("tested_ms")?,
        tested_digest: row.optional_text("tested_digest")?,
    })
}
