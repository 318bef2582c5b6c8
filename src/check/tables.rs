//! The store, the carriers, the routes, and whether the carriers' dialplan entries hand their calls over.

use std::collections::BTreeSet;

use super::Report;
use crate::carrier::{Carrier, CarrierId};
use crate::config::Settings;
use crate::routing::Route;
use crate::snapshot::Snapshot;
use crate::store::{IfMissing, Store, StoreError, StoreUrl};
use crate::vicidial::carriers::CarrierRow;
use crate::vicidial::dial_line::wrap_dialplan_entry;

/// Looks at the store and all that it says; the carriers that could be understood.
pub(super) async fn check(settings: &Settings, report: &mut Report) -> Vec<Carrier> {
    let store = match Store::open(&settings.store.url, IfMissing::Fail).await {
        Ok(store) => store,
        // Not there yet: the daemon's first start makes it, and must not be kept from it.
        Err(error @ StoreError::Missing { .. }) => {
            report.warning("store", error, None);
            return Vec::new();
        }
        // The same holds for tables that are not there yet, or are those of an older program.
        Err(error @ StoreError::SchemaOlder { .. }) => {
            let hint = "the daemon does so at its start, where the account of store.url may create and alter tables";
            report.warning("store", error, Some(hint));
            return Vec::new();
        }
        Err(error) => {
            report.error("store", error, None);
            return Vec::new();
        }
    };
    let looked = look(&store, settings, report).await;
    store.close().await;
    looked.unwrap_or_else(|error| {
        report.error("store", error, None);
        Vec::new()
    })
}

async fn look(store: &Store, settings: &Settings, report: &mut Report) -> Result<Vec<Carrier>, StoreError> {
    let version = store.schema_version().await?;
    store.check_write_access().await?;
    let tables = store.routing_tables().await?;
    report.ok("store", format_args!("{}, schema {version}", store.url()));
    let rows = tables.carriers.clone();
    let snapshot = Snapshot::new(tables, settings);
    carriers(&snapshot, settings, report);
    routes(&snapshot, report);
    hand_over(&snapshot, &rows, settings, report);
    recent_channels(store, settings, report).await;
    if snapshot.is_rebuild_due {
        report.warning(
            "carriers",
            "pending reload: edits wait until VICIdial has written this server's files, which it does once a minute",
            Some("if this stays, its keepalive does not run (servers.rebuild_conf_files)"),
        );
    }
    Ok(snapshot.carriers)
}

fn carriers(snapshot: &Snapshot, settings: &Settings, report: &mut Report) {
    match snapshot.carriers.len() {
        0 => report.warning(
            "carriers",
            format_args!("no active carrier for server {} or 0.0.0.0", settings.server.ip),
            Some("check server.ip and the Carriers screen"),
        ),
        count => report.ok("carriers", format_args!("{count} understood")),
    }
    for problem in &snapshot.carrier_problems {
        report.warning(format!("carrier {}", problem.carrier), problem, None);
    }
}

fn routes(snapshot: &Snapshot, report: &mut Report) {
    for problem in &snapshot.route_problems {
        report.warning(format!("route {}", problem.id), problem, None);
    }
    let enabled: Vec<&Route> = snapshot.routes().iter().filter(|route| route.enabled).collect();
    if enabled.is_empty() {
        report.ok("routes", "none: every carrier stands alone, no call fails over");
    }
    let backups: BTreeSet<&CarrierId> = enabled.iter().map(|route| &route.carrier).collect();
    for backup in backups {
        if let Some(doubt) = snapshot.doubts_about(backup) {
            report.warning(format!("carrier {backup}"), doubt, None);
        }
    }
    let mut proven = 0;
    for route in enabled {
        proven += usize::from(prove(route, snapshot, report));
    }
    if proven > 0 {
        report.ok("routes", format_args!("{proven} proven"));
    }
}

/// Whether the number that a route would send is certain for each of its entry carriers.
fn prove(route: &Route, snapshot: &Snapshot, report: &mut Report) -> bool {
    let subject = format!("route {}", route.id);
    let entries = snapshot.entries_of(route);
    if entries.is_empty() {
        let what = "no carrier has a dialplan entry that calls could come from";
        report.warning(subject, what, Some("fill in the entry carrier's dialplan entry"));
        return false;
    }
    let mut is_proven = true;
    for entry in entries {
        let pair = format!("{} as a backup of {entry}", route.carrier);
        if let Some(doubt) = snapshot.doubts_about_pair(&entry, &route.carrier) {
            report.warning(&subject, doubt, Some("choose a backup that another provider carries"));
        }
        match snapshot.table.prove_route(&entry, route) {
            Ok(proof) => {
                is_proven &= proof.unproven.is_empty();
                for error in proof.unproven {
                    let what = format!("{pair} does not serve every pattern: {error}");
                    report.warning(&subject, what, None);
                }
            }
            Err(rejection) => {
                is_proven = false;
                report.warning(&subject, format_args!("{pair} is refused: {rejection}"), None);
            }
        }
    }
    is_proven
}

/// A carrier with backups whose dialplan entry dials by itself never uses them.
fn hand_over(snapshot: &Snapshot, rows: &[CarrierRow], settings: &Settings, report: &mut Report) {
    let enabled = snapshot.routes().iter().filter(|route| route.enabled);
    let with_backups: BTreeSet<CarrierId> = enabled.flat_map(|route| snapshot.entries_of(route)).collect();
    let server_ip = settings.server.ip.to_string();
    let mut handed_over = 0;
    for row in rows {
        let id = CarrierId::from(row.carrier_id.as_str());
        let is_ours = row.active && [server_ip.as_str(), "0.0.0.0"].contains(&row.server_ip.trim());
        if !is_ours || !with_backups.contains(&id) || row.dialplan_entry.trim().is_empty() {
            continue;
        }
        let subject = format!("carrier {id}");
        match wrap_dialplan_entry(&id, &row.dialplan_entry) {
            Ok(wrapped) if wrapped == row.dialplan_entry => handed_over += 1,
            Ok(wrapped) => {
                let what = "its dialplan entry does not hand its calls to crankback: its backups are never used";
                let by_hand = replacement(&row.dialplan_entry, &wrapped);
                let advice = format!("run `crankback conf install {id} --yes`, or {by_hand}");
                report.warning(subject, what, Some(&advice));
            }
            Err(error) => report.warning(
                subject,
                format_args!("its dialplan entry cannot hand calls to crankback, its backups are never used: {error}"),
                None,
            ),
        }
    }
    if handed_over > 0 {
        report.ok(
            "dialplan entries",
            format_args!("{handed_over} hand their calls to crankback"),
        );
    }
}

/// The one table of VICIdial's that is written. A database in a file has no VICIdial beside it.
async fn recent_channels(store: &Store, settings: &Settings, report: &mut Report) {
    const SUBJECT: &str = "VICIdial";
    const UNTIL_THEN: &str = "until then VICIdial may drop a customer whom a backup has reached";
    match store.url() {
        StoreUrl::Sqlite(_) => {}
        StoreUrl::MariaDb(_) => match store.check_recent_channels(settings.server.ip).await {
            Ok(()) => report.ok(SUBJECT, "its table of trunk channels can be written"),
            Err(error) => report.warning(SUBJECT, error, Some(UNTIL_THEN)),
        },
    }
}

/// What to put on the Carriers screen, line for line.
fn replacement(before: &str, after: &str) -> String {
    let changed = before.lines().zip(after.lines()).enumerate();
    let lines: Vec<String> = changed
        .filter(|(_, (before, after))| before != after)
        .map(|(index, (_, after))| format!("replace line {} by\n{}", index + 1, after.trim_end()))
        .collect();
    lines.join("\n")
}
