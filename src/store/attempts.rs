//! `crankback_attempts`: one row per leg that went out.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::import::OwnTable;
use super::owner::Store;
use super::transaction::{Row, Transaction, Value, cut};

/// One leg of a call: what was tried, what came back, what was made of it. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptRow {
    /// The dialer's `server_ip`; with `call_id` and `n` the key of the row.
    pub server_ip: String,
    /// The call: the caller's unique id, which only this dialer does not give twice.
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
    /// When it was over or, for an answered leg, settled; `None` while it is still out.
    pub ended_ms: Option<i64>,
    /// The carrier's final SIP status.
    pub sip_code: Option<u16>,
    /// Its phrase.
    pub sip_phrase: Option<String>,
    /// The Q.850 cause.
    pub q850_cause: Option<u16>,
    /// What was done about it; `open` while it is still out.
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
    /// The channel driver: `PJSIP`, `SIP`, `IAX2`.
    pub technology: Option<String>,
    /// When it was answered.
    pub answered_ms: Option<i64>,
    /// From start to end, whatever the wall clock did.
    pub elapsed_ms: Option<i64>,
    /// Who ended it: `carrier`, `caller`, `dialer` (redirected away), `crankback`, `unseen`.
    pub ended_by: Option<String>,
    /// Who made the failure: `received`, `local`, `unknown`.
    pub source: Option<String>,
    /// Where the rule stands: `above`, `override`, `preset`, `default`.
    pub authority: Option<String>,
    /// What the carrier's health learnt.
    pub health: Option<String>,
}

const COLUMNS: &str = "server_ip, call_id, n, number, carrier_id, entry_carrier, campaign, started_ms, progress, progress_ms, ended_ms, \
                       sip_code, sip_phrase, q850_cause, verdict, why, rule, dialstatus, channel_id, sip_call_id, caller_channel, \
                       technology, answered_ms, elapsed_ms, ended_by, source, authority, health";

pub(super) const TABLE: OwnTable = OwnTable {
    name: "crankback_attempts",
    columns: COLUMNS,
    key: &["server_ip", "call_id", "n"],
};

/// The condition for one row, its values in the order of [`TABLE`]'s key.
const KEY: &str = "server_ip = ? AND call_id = ? AND n = ?";

/// The condition for attempts of a dialer that were started before a moment and have no end.
const OPEN: &str = "server_ip = ? AND ended_ms IS NULL AND started_ms < ?";

/// Between the start of an attempt and its channel; far more than a loaded machine needs.
const CHANNEL_IS_MADE_WITHIN_MS: i64 = 60_000;

impl Store {
    /// Writes all rows or none. A row that is there already (same dialer, same call, same `n`) is replaced, so that a batch
    /// may be sent again; but one that has ended is never replaced by one that is still out, which comes late then.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be written.
    pub async fn insert_attempts(&self, rows: Vec<AttemptRow>) -> Result<(), StoreError> {
        self.write(move |transaction| rows.iter().try_for_each(|row| put(transaction, row)))
            .await
    }

    /// The attempts of one call of a dialer in their order.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn attempts_of_call(&self, server_ip: &str, call_id: &str) -> Result<Vec<AttemptRow>, StoreError> {
        let call = [Value::from(server_ip), Value::from(call_id)];
        self.read(move |transaction| {
            let sql =
                format!("SELECT {COLUMNS} FROM crankback_attempts WHERE server_ip = ? AND call_id = ? ORDER BY n");
            transaction.query(&sql, &call)?.iter().map(attempt).collect()
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
                 ORDER BY started_ms DESC, server_ip DESC, call_id DESC, n DESC LIMIT ?"
            );
            transaction.query(&sql, &parameters)?.iter().map(attempt).collect()
        })
        .await
    }
}

impl Store {
    /// The attempts of the dialer that were started before `now_ms` and have no end.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn open_attempts(&self, server_ip: &str, now_ms: i64) -> Result<Vec<AttemptRow>, StoreError> {
        let parameters = [Value::from(server_ip), now_ms.into()];
        self.read(move |transaction| {
            let sql = format!("SELECT {COLUMNS} FROM crankback_attempts WHERE {OPEN} ORDER BY call_id, n");
            transaction.query(&sql, &parameters)?.iter().map(attempt).collect()
        })
        .await
    }

    /// The attempts of the dialer whose legs were these channels, given with the time at which each was made, and that ended
    /// before `before_ms`.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn ended_attempts_of_channels(
        &self,
        server_ip: &str,
        channels: Vec<(String, i64)>,
        before_ms: i64,
    ) -> Result<Vec<AttemptRow>, StoreError> {
        let server_ip = server_ip.to_owned();
        self.read(move |transaction| {
            // A leg's channel is made when its attempt starts: only rows of that time are looked at.
            let sql = format!(
                "SELECT {COLUMNS} FROM crankback_attempts \
                 WHERE started_ms >= ? AND started_ms <= ? AND server_ip = ? AND channel_id = ? AND ended_ms < ?"
            );
            let mut attempts = Vec::new();
            for (channel_id, made_ms) in &channels {
                let parameters = [
                    (made_ms - CHANNEL_IS_MADE_WITHIN_MS).into(),
                    (made_ms + CHANNEL_IS_MADE_WITHIN_MS).into(),
                    (&server_ip).into(),
                    channel_id.into(),
                    before_ms.into(),
                ];
                for row in transaction.query(&sql, &parameters)? {
                    attempts.push(attempt(&row)?);
                }
            }
            Ok(attempts)
        })
        .await
    }

    /// Ends, at `now_ms`, every attempt of the dialer that was started before and has no end, but for those of calls that are
    /// `alive`; gives how many that were. What was known of an answer stays.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be written.
    pub async fn close_open_attempts(
        &self,
        server_ip: &str,
        now_ms: i64,
        alive: HashSet<String>,
    ) -> Result<usize, StoreError> {
        let server_ip = server_ip.to_owned();
        self.write(move |transaction| {
            let sql = format!("SELECT call_id, n FROM crankback_attempts WHERE {OPEN}");
            let mut closed = 0;
            for row in transaction.query(&sql, &[(&server_ip).into(), now_ms.into()])? {
                let call_id = row.text("call_id")?;
                if !alive.contains(&call_id) {
                    closed += close(transaction, &server_ip, &call_id, row.integer("n")?, now_ms)?;
                }
            }
            Ok(closed)
        })
        .await
    }
}

fn close(
    transaction: &mut dyn Transaction,
    server_ip: &str,
    call_id: &str,
    n: u32,
    now_ms: i64,
) -> Result<usize, StoreError> {
    let sql = format!(
        "UPDATE crankback_attempts SET ended_ms = ?, verdict = ?, why = ?, rule = ?, ended_by = ? WHERE {KEY} AND ended_ms IS NULL"
    );
    let parameters: [Value; 8] = [
        now_ms.into(),
        "stop".into(),
        "the daemon ended".into(),
        "daemon_lost".into(),
        "unseen".into(),
        server_ip.into(),
        call_id.into(),
        i64::from(n).into(),
    ];
    transaction.execute(&sql, &parameters)
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
    /// Of the calls with this id; each dialer may have one.
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

/// Looks first, then inserts or updates, because REPLACE and the search for a row that is not there make MariaDB lock rows
/// beside it, those of other dialers: with several that write at once it would undo one transaction after the other. What
/// happens to the row between the look and the write is noticed: an INSERT fails and is tried again, an UPDATE asks again.
fn put(transaction: &mut dyn Transaction, row: &AttemptRow) -> Result<(), StoreError> {
    let values = values(row);
    let key = &values[..TABLE.key.len()];
    let look = format!("SELECT n FROM crankback_attempts WHERE {KEY}");
    if transaction.query(&look, key)?.is_empty() {
        let marks = vec!["?"; values.len()].join(", ");
        let sql = format!("INSERT INTO crankback_attempts ({COLUMNS}) VALUES ({marks})");
        transaction.execute(&sql, &values)?;
        return Ok(());
    }
    let rest = COLUMNS.split(", ").skip(TABLE.key.len());
    let assignments: Vec<String> = rest.map(|column| format!("{column} = ?")).collect();
    let unless_ended = if row.ended_ms.is_none() {
        " AND ended_ms IS NULL"
    } else {
        ""
    };
    let sql = format!(
        "UPDATE crankback_attempts SET {} WHERE {KEY}{unless_ended}",
        assignments.join(", ")
    );
    let parameters = [&values[TABLE.key.len()..], key].concat();
    transaction.execute(&sql, &parameters)?;
    Ok(())
}

fn optional(text: &Option<String>, width: usize) -> Value {
    text.as_ref().map(|text| cut(text, width)).into()
}

/// In the order of [`COLUMNS`].
fn values(row: &AttemptRow) -> [Value; 28] {
    [
        cut(&row.server_ip, 15),
        cut(&row.call_id, 150),
        i64::from(row.n).into(),
        cut(&row.number, 64),
        cut(&row.carrier_id, 15),
        cut(&row.entry_carrier, 15),
        optional(&row.campaign, 20),
        row.started_ms.into(),
        cut(&row.progress, 16),
        row.progress_ms.into(),
        row.ended_ms.into(),
        row.sip_code.map(i64::from).into(),
        optional(&row.sip_phrase, 255),
        row.q850_cause.map(i64::from).into(),
        cut(&row.verdict, 32),
        cut(&row.why, 255),
        optional(&row.rule, 64),
        cut(&row.dialstatus, 32),
        cut(&row.channel_id, 150),
        optional(&row.sip_call_id, 255),
        cut(&row.caller_channel, 128),
        optional(&row.technology, 8),
        row.answered_ms.into(),
        row.elapsed_ms.into(),
        optional(&row.ended_by, 16),
        optional(&row.source, 16),
        optional(&row.authority, 16),
        optional(&row.health, 16),
    ]
}

fn attempt(row: &Row) -> Result<AttemptRow, StoreError> {
    Ok(AttemptRow {
        server_ip: row.text("server_ip")?,
        call_id: row.text("call_id")?,
        n: row.integer("n")?,
        number: row.text("number")?,
        carrier_id: row.text("carrier_id")?,
        entry_carrier: row.text("entry_carrier")?,
        campaign: row.optional_text("campaign")?,
        started_ms: row.integer("started_ms")?,
        progress: row.text("progress")?,
        progress_ms: row.optional_integer("progress_ms")?,
        ended_ms: row.optional_integer("ended_ms")?,
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
        technology: row.optional_text("technology")?,
        answered_ms: row.optional_integer("answered_ms")?,
        elapsed_ms: row.optional_integer("elapsed_ms")?,
        ended_by: row.optional_text("ended_by")?,
        source: row.optional_text("source")?,
        authority: row.optional_text("authority")?,
        health: row.optional_text("health")?,
    })
}
