//! Where a case plays: a fresh database of either kind, and a way to change it as another program would.

use std::fmt;
use std::sync::Arc;

use crankback::store::{IfMissing, Store, StoreUrl};
use mysql_async::prelude::Queryable;
use tempfile::TempDir;

use super::server::{Flavour, Server};

/// VICIdial's tables as a VICIdial of today has them, as far as the store reads them, and one column more.
const VICIDIAL: &str = "
CREATE TABLE vicidial_server_carriers (
  carrier_id          VARCHAR(15)  NOT NULL UNIQUE,
  carrier_name        VARCHAR(50)  NOT NULL,
  registration_string VARCHAR(255),
  template_id         VARCHAR(15)  NOT NULL,
  account_entry       TEXT,
  protocol            ENUM('SIP', 'PJSIP', 'PJSIP_WIZ', 'Zap', 'IAX2', 'EXTERNAL') DEFAULT 'SIP',
  globals_string      VARCHAR(255),
  dialplan_entry      TEXT,
  server_ip           VARCHAR(15)  NOT NULL,
  active              ENUM('Y', 'N') DEFAULT 'Y',
  carrier_description VARCHAR(255),
  user_group          VARCHAR(20)  DEFAULT '---ALL---'
) ENGINE=MyISAM;
CREATE TABLE vicidial_campaigns (
  campaign_id  VARCHAR(8) NOT NULL PRIMARY KEY,
  active       ENUM('Y', 'N'),
  dial_timeout TINYINT UNSIGNED DEFAULT 60,
  dial_prefix  CHAR(20) DEFAULT '9'
) ENGINE=MyISAM;
CREATE TABLE vicidial_conf_templates (
  template_id       VARCHAR(15) NOT NULL UNIQUE,
  template_name     VARCHAR(50) NOT NULL DEFAULT '',
  template_contents TEXT
) ENGINE=MyISAM;
CREATE TABLE servers (
  server_id              VARCHAR(10) NOT NULL DEFAULT '',
  server_ip              VARCHAR(15) NOT NULL UNIQUE,
  active                 ENUM('Y', 'N'),
  active_asterisk_server ENUM('Y', 'N') DEFAULT 'Y',
  generate_vicidial_conf ENUM('Y', 'N') DEFAULT 'Y',
  rebuild_conf_files     ENUM('Y', 'N') DEFAULT 'N'
) ENGINE=MyISAM;
";

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
            scene.sql(VICIDIAL).await;
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
            Place::MariaDb(server) => server.url(user, &self.name),
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
