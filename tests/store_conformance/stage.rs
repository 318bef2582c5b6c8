//! Where a case plays: a fresh database of either kind, and a way to change it as another program would.

use std::fmt;
use std::sync::Arc;

use crankback::store::{IfMissing, Store, StoreUrl};
use mysql_async::prelude::Queryable;
use tempfile::TempDir;

use super::support::mariadb::{Flavour, Server, VICIDIAL_TABLES};

/// A kind of database.
#[derive(Clone)]
pub enum Place {
    /// Files in temporary directories.
    Sqlite,
    /// Databases on this server.
    MariaDb(Arc<Server>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::MariaDb(server) => match server.flavour() {
                Flavour::Defaults => "mariadb-strict",
                Flavour::Vicidial => "mariadb-vicidial",
            },
        })
    }
}

/// Fresh databases at one place.
pub struct Stage {
    place: Place,
    directory: TempDir,
}

/// A database that nobody else uses.
pub struct Scene<'a> {
    stage: &'a Stage,
    /// The path of the file, or the name on the server.
    name: String,
}

impl Stage {
    /// At this place.
    pub fn new(place: Place) -> Self {
        Self {
            place,
            directory: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    /// Where this is.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// A database without any table.
    pub async fn bare(&self, name: &str) -> Scene<'_> {
        let name = match &self.place {
            Place::Sqlite => self.directory.path().join(name).display().to_string(),
            Place::MariaDb(server) => server.new_database().await,
        };
        Scene { stage: self, name }
    }

    /// A database with VICIdial's tables.
    pub async fn beside_vicidial(&self, name: &str) -> Scene<'_> {
        let scene = self.bare(name).await;
        if matches!(self.place, Place::MariaDb(_)) {
            scene.sql(VICIDIAL_TABLES).await;
        }
        scene
    }

    /// The same, migrated by the account that may, opened by the account of every day.
    pub async fn store(&self) -> (Scene<'_>, Store) {
        let scene = self.beside_vicidial("crankback.db").await;
        scene.migrate().await;
        let store = scene.open().await;
        (scene, store)
    }
}

impl Scene<'_> {
    /// The address for the account of every day: on MariaDB it may not CREATE.
    pub fn url(&self) -> StoreUrl {
        self.url_for("cron")
    }

    /// The address for an account; a file has no accounts.
    pub fn url_for(&self, user: &str) -> StoreUrl {
        match &self.stage.place {
            Place::Sqlite => StoreUrl::sqlite(&self.name),
            Place::MariaDb(server) => server.url(user, &self.name).parse().expect("is a url"),
        }
    }

    /// The database's name on its server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Migrates with the account that may.
    pub async fn migrate(&self) {
        Store::migrate(&self.url_for("custom")).await.expect("is migrated");
    }

    /// Opens what was migrated.
    pub async fn open(&self) -> Store {
        Store::open(&self.url(), IfMissing::Fail)
            .await
            .expect("the store opens")
    }

    /// A number that another program reads.
    pub async fn number(&self, query: &str) -> i64 {
        match &self.stage.place {
            Place::Sqlite => {
                let database = rusqlite::Connection::open(&self.name).expect("a second connection");
                database.query_row(query, [], |row| row.get(0)).expect("the query runs")
            }
            Place::MariaDb(server) => {
                let mut administrator = server.administrator().await;
                let database = format!("USE {}", self.name);
                administrator.query_drop(database).await.expect("the statement runs");
                let number = administrator.query_first(query).await.expect("the query runs");
                administrator.disconnect().await.expect("leaves");
                number.expect("there is a row")
            }
        }
    }

    /// Runs statements as another program would.
    pub async fn sql(&self, statements: &str) {
        match &self.stage.place {
            Place::Sqlite => {
                let database = rusqlite::Connection::open(&self.name).expect("a second connection");
                database.execute_batch(statements).expect("the statements run");
            }
            Place::MariaDb(server) => {
                let mut administrator = server.administrator().await;
                for statements in [&format!("USE {}", self.name), statements] {
                    administrator.query_drop(statements).await.expect("the statements run");
                }
                administrator.disconnect().await.expect("leaves");
            }
        }
    }
}
