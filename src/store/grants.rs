//! The statements that give a MariaDB account what it lacks.

use super::administration::VICIDIAL_TABLES;
use super::import::OWN_TABLES;
use super::meta;
use super::url::StoreUrl;

/// The rights that crankback needs every day on tables of its own; on those of VICIdial it needs SELECT.
const DAILY: &str = "SELECT, INSERT, UPDATE, DELETE";
/// The rights that rows of legs need in VICIdial's table.
const RECENT_CHANNELS: &str = "SELECT, INSERT, DELETE";
/// The rights that a migration needs.
const MIGRATION: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER";

/// What an account needs a right on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The tables whose names begin with `crankback_`.
    OwnTables,
    /// The tables of VICIdial that crankback reads.
    VicidialTables,
    /// VICIdial's table of a dialer's trunk channels, which crankback writes; its name.
    RecentChannels(String),
    /// The database as a whole: the account has no right on anything in it.
    Database,
}

impl Scope {
    /// Where the table that was refused belongs; `None`: the database was.
    pub(super) fn of(table: Option<&str>) -> Self {
        match table {
            Some(table) if table.starts_with("crankback_") => Self::OwnTables,
            Some(table) if table.starts_with("cid_channels_recent") => Self::RecentChannels(table.to_owned()),
            Some(_) => Self::VicidialTables,
            None => Self::Database,
        }
    }
}

/// The statements for every day, for all tables that belong together: whoever lacks one of them mostly lacks all.
pub(super) fn daily(url: &StoreUrl, scope: &Scope, account: &str) -> String {
    let own = || OWN_TABLES.iter().chain([&meta::TABLE]).map(|table| table.name);
    let one = |rights: &str, table: &str| format!("GRANT {rights} ON {}.`{table}` TO {account};", database(url));
    let each = |rights: &str, tables: &mut dyn Iterator<Item = &'static str>| {
        tables.map(|table| one(rights, table)).collect::<Vec<_>>().join(" ")
    };
    match scope {
        Scope::OwnTables => each(DAILY, &mut own()),
        Scope::VicidialTables => each("SELECT", &mut VICIDIAL_TABLES.into_iter()),
        Scope::RecentChannels(table) => one(RECENT_CHANNELS, table),
        Scope::Database => format!("GRANT {DAILY} ON {}.* TO {account};", database(url)),
    }
}

/// The statement that allows a migration.
pub(super) fn migration(url: &StoreUrl, account: &str) -> String {
    format!("GRANT {MIGRATION} ON {}.* TO {account};", database(url))
}

/// The address for the account that VICIdial's installation makes for changing tables.
pub(super) fn address_of_custom(url: &StoreUrl) -> String {
    match url {
        StoreUrl::Sqlite(_) => url.to_string(),
        StoreUrl::MariaDb(address) => {
            let place = url.to_string().replacen(&format!("{}@", address.user), "", 1);
            place.replacen("mysql://", "mysql://custom:PASSWORD@", 1)
        }
    }
}

fn database(url: &StoreUrl) -> String {
    match url {
        StoreUrl::Sqlite(_) => String::new(),
        StoreUrl::MariaDb(address) => format!("`{}`", address.database),
    }
}
