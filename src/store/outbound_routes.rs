//! `crankback_outbound_routes`: which carriers follow which, as an operator chose it.

use std::sync::Arc;

use super::audit::{self, AuditRow};
use super::error::StoreError;
use super::import::OwnTable;
use super::meta;
use super::owner::Store;
use super::transaction::{Row, SharedTexts, Transaction, Value, whole};

const COLUMNS: &str = "id, entry_carrier_id, campaign_id, match_type, match_text, carrier_id, priority, weight, cost, schedule, \
                       strip_prefix, add_prefix, enabled";

/// There is room for at least so much. Above it glibc's malloc takes each block from the kernel, and gives back what is freed of it;
/// below it that ends when the first block has been freed, and from then on it keeps what tables leave. Room that is never
/// written to takes no memory.
const ROOM_BYTES: usize = 32 << 20;

pub(super) const TABLE: OwnTable = OwnTable {
    name: "crankback_outbound_routes",
    columns: COLUMNS,
    key: &["id"],
};

/// A route that has no id yet. There may be a hundred thousand: texts that many have in common are shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRoute {
    /// The carrier whose dialplan line sent the call; `None`: any.
    pub entry_carrier_id: Option<Arc<str>>,
    /// The campaign; `None`: any.
    pub campaign_id: Option<Arc<str>>,
    /// `any`, `prefix` or `pattern`.
    pub match_type: Arc<str>,
    /// The prefix or the pattern; empty for `any`.
    pub match_text: Box<str>,
    /// The carrier that the route leads to.
    pub carrier_id: Arc<str>,
    /// Lower is tried first.
    pub priority: i32,
    /// Share among carriers of equal priority.
    pub weight: u32,
    /// Price of a minute in millionths of the currency, where known.
    pub cost: Option<i64>,
    /// When the route holds; `None`: always.
    pub schedule: Option<Arc<str>>,
    /// Characters dropped from the front of the number; `None`: as the carrier has it.
    pub strip_prefix: Option<u32>,
    /// Put before what is left; `None`: as the carrier has it.
    pub add_prefix: Option<Arc<str>>,
    /// Switched on.
    pub enabled: bool,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteRow {
    /// The route's number.
    pub id: i64,
    /// All the rest.
    pub route: NewRoute,
}

/// What became of a route that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteAdded {
    /// It is there, with this id.
    New(i64),
    /// Nothing was changed: the route with this id is for the same calls and leads to the same carrier.
    Same(i64),
}

impl Store {
    /// Adds a route, its id one above the highest there is, unless there is one for the same calls to the same carrier.
    /// `audit` makes of the new id the row that goes on record with it; it is called once a try.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be written.
    pub async fn add_route(
        &self,
        route: NewRoute,
        audit: impl Fn(i64) -> AuditRow + Send + 'static,
    ) -> Result<RouteAdded, StoreError> {
        self.write(move |transaction| {
            // First: whoever adds a route at the same time waits here, then sees ours and counts from it.
            meta::take_turn(transaction)?;
            if let Some(id) = same(transaction, &route)? {
                return Ok(RouteAdded::Same(id));
            }
            let id = add(transaction, &route)?;
            audit::insert(transaction, &audit(id))?;
            Ok(RouteAdded::New(id))
        })
        .await
    }

    /// Removes a route and puts `audit` on record with it; gives whether there was one.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be written.
    pub async fn remove_route(&self, id: i64, audit: AuditRow) -> Result<bool, StoreError> {
        self.write(move |transaction| {
            meta::take_turn(transaction)?;
            let removed = remove(transaction, id)?;
            if removed {
                audit::insert(transaction, &audit)?;
            }
            Ok(removed)
        })
        .await
    }
}

fn same(transaction: &mut dyn Transaction, route: &NewRoute) -> Result<Option<i64>, StoreError> {
    // No id is empty, so that an empty text can stand for NULL.
    let sql = "SELECT MIN(id) AS id FROM crankback_outbound_routes WHERE carrier_id = ? AND match_type = ? AND match_text = ? \
               AND COALESCE(entry_carrier_id, '') = ? AND COALESCE(campaign_id, '') = ? AND COALESCE(schedule, '') = ?";
    let parameters: [Value; 6] = [
        (&*route.carrier_id).into(),
        (&*route.match_type).into(),
        (&*route.match_text).into(),
        route.entry_carrier_id.as_deref().unwrap_or_default().into(),
        route.campaign_id.as_deref().unwrap_or_default().into(),
        route.schedule.as_deref().unwrap_or_default().into(),
    ];
    let rows = transaction.query(sql, &parameters)?;
    Ok(rows
        .first()
        .map(|row| row.optional_integer("id"))
        .transpose()?
        .flatten())
}

fn add(transaction: &mut dyn Transaction, route: &NewRoute) -> Result<i64, StoreError> {
    let highest = transaction.query("SELECT MAX(id) AS highest FROM crankback_outbound_routes", &[])?;
    let highest: Option<i64> = highest
        .first()
        .map(|row| row.optional_integer("highest"))
        .transpose()?
        .flatten();
    let id = highest.unwrap_or_default() + 1;
    let sql =
        format!("INSERT INTO crankback_outbound_routes ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    let url = transaction.url();
    let text = |column, text: &str, width| whole(url, column, text, width);
    let optional = |column, text: &Option<Arc<str>>, width| {
        let value = text.as_ref().map(|text| whole(url, column, text, width));
        Ok::<_, StoreError>(value.transpose()?.unwrap_or(Value::Null))
    };
    let parameters: [Value; 13] = [
        id.into(),
        optional("entry_carrier_id", &route.entry_carrier_id, 15)?,
        optional("campaign_id", &route.campaign_id, 20)?,
        text("match_type", &route.match_type, 16)?,
        text("match_text", &route.match_text, 64)?,
        text("carrier_id", &route.carrier_id, 15)?,
        i64::from(route.priority).into(),
        i64::from(route.weight).into(),
        route.cost.into(),
        optional("schedule", &route.schedule, 255)?,
        route.strip_prefix.map(i64::from).into(),
        optional("add_prefix", &route.add_prefix, 32)?,
        route.enabled.into(),
    ];
    transaction.execute(&sql, &parameters)?;
    meta::bump_revision(transaction)?;
    Ok(id)
}

fn remove(transaction: &mut dyn Transaction, id: i64) -> Result<bool, StoreError> {
    let removed = transaction.execute("DELETE FROM crankback_outbound_routes WHERE id = ?", &[id.into()])?;
    if removed > 0 {
        meta::bump_revision(transaction)?;
    }
    Ok(removed > 0)
}

/// All routes by id.
pub(super) fn list(transaction: &mut dyn Transaction) -> Result<Vec<RouteRow>, StoreError> {
    // Room for all of them from the start: what a list leaves behind as it grows would stay with the process.
    let counted = transaction.query("SELECT COUNT(*) AS routes FROM crankback_outbound_routes", &[])?;
    let count = counted.first().map_or(Ok(0), |row| row.integer("routes"))?;
    let room = count.max(ROOM_BYTES / size_of::<RouteRow>() + 1);
    let (mut routes, mut texts) = (Vec::with_capacity(room), SharedTexts::default());
    let sql = format!("SELECT {COLUMNS} FROM crankback_outbound_routes ORDER BY id");
    transaction.for_each_row(&sql, &[], &mut |of_store| {
        routes.push(row(&of_store, &mut texts)?);
        Ok(())
    })?;
    Ok(routes)
}

fn row(row: &Row, texts: &mut SharedTexts) -> Result<RouteRow, StoreError> {
    let mut optional = |column| {
        let text = row.optional_text(column)?;
        Ok::<_, StoreError>(text.map(|text| texts.of(&text)))
    };
    let route = NewRoute {
        entry_carrier_id: optional("entry_carrier_id")?,
        campaign_id: optional("campaign_id")?,
        schedule: optional("schedule")?,
        add_prefix: optional("add_prefix")?,
        match_type: texts.of(&row.text("match_type")?),
        match_text: row.text("match_text")?.into(),
        carrier_id: texts.of(&row.text("carrier_id")?),
        priority: row.integer("priority")?,
        weight: row.integer("weight")?,
        cost: row.optional_integer("cost")?,
        strip_prefix: row.optional_integer("strip_prefix")?,
        enabled: row.integer::<i64>("enabled")? != 0,
    };
    Ok(RouteRow {
        id: row.integer("id")?,
        route,
    })
}
