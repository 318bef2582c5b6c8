//! `crankback_attempts`: one row per leg that went out.

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::import::OwnTable;
use super::owner::Store;
use super::transaction::{Row, Transaction, Value, cut};

/// One leg of a call: what was tried, what came back, what was made of it. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// The call; with `n` the key of the row.
    pub call_id: String,
    /// 1 for the first leg of the call.
    pub n: u32,
    /// The number as it went out on the wire.
    pub number: String,
    /// The carrier of this leg.
    pub carrier_id: String,
    /// The carrier whose dialplan line sent the call.
    pub entry_carrier: String,
    /// The campaign, where the dialer told it.
    pub campaign: Option<String>,
    /// When the leg was started.
    pub started_ms: i64,
    /// How far it got: `none`, `trying`, `ringing`, `media`, `answered`.
    pub progress: String,
    /// When it got that far.
    pub progress_ms: Option<i64>,
    /// When it was over or, for an answered leg, settled.
    pub ended_ms: i64,
    /// The carrier's final SIP status.
    pub sip_code: Option<u16>,
    /// Its phrase.
    pub sip_phrase: Option<String>,
    /// The Q.850 cause.
    pub q850_cause: Option<u16>,
    /// What was done about it.
    pub verdict: String,
    /// Why, for people.
    pub why: String,
    /// The rule of the verdict tables that decided.
    pub rule: Option<String>,
    /// What `Dial()` would have called it.
    pub dialstatus: String,
    /// The leg's channel id in Asterisk.
    pub channel_id: String,
    /// The leg's SIP Call-ID: what a carrier's support desk asks for.
    pub sip_call_id: Option<String>,
    /// The caller's channel name.
    pub caller_channel: String,
}

const COLUMNS: &str = "call_id, n, number, carrier_id, entry_carrier, campaign, started_ms, progress, progress_ms, ended_ms, \
                       sip_code, sip_phrase, q850_cause, verdict, why, rule, dialstatus, channel_id, sip_call_id, caller_channel";

pub(super) const TABLE: OwnTable = OwnTable {
    name: "crankback_attempts",
    columns: COLUMNS,
    key: &["call_id", "n"],
};

impl Store {
    /// Writes all rows or none. A row that is there already (same call, same `n`) is replaced: a batch may be sent again.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be written.
    pub async fn insert_attempts(&self, rows: Vec<AttemptRow>) -> Result<(), StoreError> {
        self.write(move |transaction| rows.iter().try_for_each(|row| insert(transaction, row)))
            .await
    }

    /// The attempts of one call in their order.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn attempts_of_call(&self, call_id: &str) -> Result<Vec<AttemptRow>, StoreError> {
        let call_id = Value::from(call_id);
        self.read(move |transaction| {
            let sql = format!("SELECT {COLUMNS} FROM crankback_attempts WHERE call_id = ? ORDER BY n");
            transaction
                .query(&sql, std::slice::from_ref(&call_id))?
                .iter()
                .map(attempt)
                .collect()
        })
        .await
    }

    /// The newest attempts that pass the filter, newest first.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn find_attempts(&self, filter: AttemptFilter) -> Result<Vec<AttemptRow>, StoreError> {
        self.read(move |transaction| {
            let (conditions, mut parameters) = filter.conditions();
            parameters.push(i64::from(filter.limit).into());
            let sql = format!(
                "SELECT {COLUMNS} FROM crankback_attempts{conditions} \
                 ORDER BY started_ms DESC, call_id DESC, n DESC LIMIT ?"
            );
            transaction.query(&sql, &parameters)?.iter().map(attempt).collect()
        })
        .await
    }
}

/// Which attempts are wanted; what is not given does not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptFilter {
    /// Started at this moment (milliseconds since 1970) or later.
    pub since_ms: Option<i64>,
    /// Through this carrier.
    pub carrier_id: Option<String>,
    /// Ended with this SIP status.
    pub sip_code: Option<u16>,
    /// Of this call.
    pub call_id: Option<String>,
    /// At most so many.
    pub limit: u32,
}

impl AttemptFilter {
    /// The WHERE clause, empty where nothing is asked for, and its parameters.
    fn conditions(&self) -> (String, Vec<Value>) {
        let wanted = [
            ("started_ms >= ?", self.since_ms.map(Value::from)),
            ("carrier_id = ?", self.carrier_id.as_ref().map(Value::from)),
            ("sip_code = ?", self.sip_code.map(|code| i64::from(code).into())),
            ("call_id = ?", self.call_id.as_ref().map(Value::from)),
        ];
        let (conditions, parameters): (Vec<_>, Vec<_>) = wanted
            .into_iter()
            .filter_map(|(condition, value)| Some((condition, value?)))
            .unzip();
        if conditions.is_empty() {
            (String::new(), parameters)
        } else {
            (format!(" WHERE {}", conditions.join(" AND ")), parameters)
        }
    }
}

fn insert(transaction: &mut dyn Transaction, row: &AttemptRow) -> Result<(), StoreError> {
    let sql = format!(
        "REPLACE INTO crankback_attempts ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    );
    let parameters: [Value; 20] = [
        cut(&row.call_id, 150),
        i64::from(row.n).into(),
        cut(&row.number, 64),
        cut(&row.carrier_id, 15),
        cut(&row.entry_carrier, 15),
        row.campaign.as_ref().map(|text| cut(text, 20)).into(),
        row.started_ms.into(),
        cut(&row.progress, 16),
        row.progress_ms.into(),
        row.ended_ms.into(),
        row.sip_code.map(i64::from).into(),
        row.sip_phrase.as_ref().map(|text| cut(text, 255)).into(),
        row.q850_cause.map(i64::from).into(),
        cut(&row.verdict, 32),
        cut(&row.why, 255),
        row.rule.as_ref().map(|text| cut(text, 64)).into(),
        cut(&row.dialstatus, 32),
        cut(&row.channel_id, 150),
        row.sip_call_id.as_ref().map(|text| cut(text, 255)).into(),
        cut(&row.caller_channel, 128),
    ];
    transaction.execute(&sql, &parameters)?;
    Ok(())
}

fn attempt(row: &Row) -> Result<AttemptRow, StoreError> {
    Ok(AttemptRow {
        call_id: row.text("call_id")?,
        n: row.integer("n")?,
        number: row.text("number")?,
        carrier_id: row.text("carrier_id")?,
        entry_carrier: row.text("entry_carrier")?,
        campaign: row.optional_text("campaign")?,
        started_ms: row.integer("started_ms")?,
        progress: row.text("progress")?,
        progress_ms: row.optional_integer("progress_ms")?,
        ended_ms: row.integer("ended_ms")?,
        sip_code: row.optional_integer("sip_code")?,
        sip_phrase: row.optional_text("sip_phrase")?,
        q850_cause: row.optional_integer("q850_cause")?,
        verdict: row.text("verdict")?,
        why: row.text("why")?,
        rule: row.optional_text("rule")?,
        dialstatus: row.text("dialstatus")?,
        channel_id: row.text("channel_id")?,
        sip_call_id: row.optional_text("sip_call_id")?,
        caller_channel: row.text("caller_channel")?,
    })
}
