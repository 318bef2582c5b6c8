//! The store: our own tables, and the tables of VICIdial that we read or write rows of. One file a table.
//!
//! Owns the SQL, the schema and its migrations (`sql/`), and the one thread that holds the connection. It must not know
//! what a route or an attempt means: it keeps rows. The hot path of a call never waits for it.
//!
//! The repositories (`outbound_routes.rs`, `attempts.rs`, ...) are written once against [`transaction::Transaction`], in
//! SQL that SQLite and MariaDB both take; only `sqlite.rs` and `mariadb.rs` know a driver. `tests/store_conformance.rs` holds
//! both to the same answers.

mod administration;
mod attempts;
mod audit;
mod carriers;
mod database;
mod error;
mod grants;
mod health;
mod import;
mod mariadb;
mod meta;
mod migrations;
mod originals;
mod outbound_routes;
mod owner;
mod rights;
mod routing_tables;
mod sqlite;
mod transaction;
mod url;
mod vicidial_admin_log;
mod vicidial_campaigns;
mod vicidial_carrier_changes;
mod vicidial_conf_templates;
mod vicidial_custom_dialplan;
mod vicidial_recent_channels;
mod vicidial_server_carriers;
mod vicidial_servers;

#[cfg(test)]
mod tests;

pub use administration::{Applied, SchemaState, Status};
pub use attempts::{AttemptFilter, AttemptRow};
pub use audit::AuditRow;
pub use carriers::CarrierSettingsRow;
pub use error::StoreError;
pub use grants::Scope;
pub use import::{Existing, ImportProgress};
pub use originals::{OriginalKind, OriginalRow};
pub use outbound_routes::{NewRoute, RouteAdded, RouteRow};
pub use owner::{IfMissing, Store};
pub use routing_tables::{Fingerprint, RoutingTables};
pub use url::{MariaDbAddress, NotAStoreUrl, StoreUrl, Tls};
pub use vicidial_admin_log::ChangedBy;
pub use vicidial_campaigns::CampaignRow;
pub use vicidial_carrier_changes::{CarrierChange, CarrierChanged};
pub use vicidial_custom_dialplan::{CustomDialplan, CustomDialplanChanged};
pub use vicidial_recent_channels::{OtherRows, RecentChannelRow};
pub use vicidial_servers::ServerRow;
