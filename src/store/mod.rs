//! The store: our own tables, and the tables of VICIdial that we read. One file a table.
//!
//! Owns the SQL, the schema and its migrations (`sql/`), and the one thread that holds the connection. It must not know
//! what a route or an attempt means: it keeps rows. The hot path of a call never waits for it.
//!
//! The repositories (`outbound_routes.rs`, `attempts.rs`, ...) are written once against [`transaction::Transaction`], in
//! SQL that SQLite and MariaDB both take; only `sqlite.rs` knows a driver.

mod attempts;
mod audit;
mod error;
mod meta;
mod migrations;
mod outbound_routes;
mod owner;
mod rights;
mod routing_tables;
mod sqlite;
mod transaction;
mod url;
mod vicidial_campaigns;
mod vicidial_conf_templates;
mod vicidial_server_carriers;
mod vicidial_servers;

#[cfg(test)]
mod tests;

pub use attempts::{AttemptFilter, AttemptRow};
pub use audit::AuditRow;
pub use error::StoreError;
pub use outbound_routes::{NewRoute, RouteAdded, RouteRow};
pub use owner::{IfMissing, Store};
pub use routing_tables::{Fingerprint, RoutingTables};
pub use url::{NotAStoreUrl, StoreUrl};
pub use vicidial_campaigns::CampaignRow;
pub use vicidial_servers::ServerRow;
