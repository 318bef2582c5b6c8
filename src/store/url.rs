//! Where the database is, and how that is written.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// The port of a MariaDB server whose address names none.
const MARIADB_PORT: u16 = 3306;

/// The address of the database: a SQLite file (`sqlite:///absolute/path`) or a database on a MariaDB server
/// (`mysql://user:password@host:3306/database`). No text that is made of it holds the password.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub enum StoreUrl {
    /// A SQLite file, by its absolute path.
    Sqlite(PathBuf),
    /// A database on a MariaDB server.
    MariaDb(Arc<MariaDbAddress>),
}

/// A database on a MariaDB server, and the account that uses it.
#[derive(Clone, Debug)]
pub struct MariaDbAddress {
    /// The account.
    pub user: String,
    /// Its password; empty for none.
    pub password: SecretString,
    /// A name or an IP address, IPv6 without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// The database: `asterisk` beside VICIdial.
    pub database: String,
    /// Whether the connection is encrypted.
    pub tls: Tls,
}

/// Whether the connection is encrypted: `?tls=` at the end of the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// `off`: not encrypted.
    #[default]
    Off,
    /// `on`: encrypted; the server's certificate must be good for its host name and come from a public authority.
    On,
    /// An absolute path: encrypted; the certificate must be good and come from an authority in this PEM file.
    Authority(PathBuf),
}

impl StoreUrl {
    /// The SQLite file at an absolute `path`.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self::Sqlite(path.into())
    }

    /// The kind of database: `sqlite` or `mariadb`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::MariaDb(_) => "mariadb",
        }
    }

    /// Whether the address holds a password.
    pub fn has_password(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::MariaDb(address) => !address.password.expose_secret().is_empty(),
        }
    }

    /// The same address with this password; `None` where a password makes no sense.
    pub fn with_password(self, password: SecretString) -> Option<Self> {
        match self {
            Self::Sqlite(_) => None,
            Self::MariaDb(address) => {
                let address = MariaDbAddress::clone(&address);
                Some(Self::MariaDb(Arc::new(MariaDbAddress { password, ..address })))
            }
        }
    }

    /// Whether both lead to the same database, whoever connects.
    pub fn is_same_database(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sqlite(path), Self::Sqlite(other)) => {
                let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
                canonical(path) == canonical(other)
            }
            (Self::MariaDb(address), Self::MariaDb(other)) => {
                (&address.host, address.port, &address.database) == (&other.host, other.port, &other.database)
            }
            (Self::Sqlite(_), Self::MariaDb(_)) | (Self::MariaDb(_), Self::Sqlite(_)) => false,
        }
    }
}

impl PartialEq for MariaDbAddress {
    fn eq(&self, other: &Self) -> bool {
        (&self.user, self.password.expose_secret(), &self.host, self.port)
            == (&other.user, other.password.expose_secret(), &other.host, other.port)
            && (&self.database, &self.tls) == (&other.database, &other.tls)
    }
}

impl Eq for MariaDbAddress {}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::MariaDb(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for MariaDbAddress {
    /// As it is written, without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            user,
            host,
            port,
            database,
            ..
        } = self;
        if host.contains(':') {
            write!(f, "mysql://{user}@[{host}]:{port}/{database}")
        } else {
            write!(f, "mysql://{user}@{host}:{port}/{database}")
        }
    }
}

/// The text is no address of a database that crankback can use. It does not repeat the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be sqlite:// and an absolute path, for example sqlite:///var/lib/crankback/crankback.db, \
     or mysql://user:password@host:3306/database with an optional ?tls=on or ?tls=/path/to/ca.pem \
     (in user and password, write @ : / ? # % as %40 %3A %2F %3F %23 %25)"
)]
pub struct NotAStoreUrl;

impl FromStr for StoreUrl {
    type Err = NotAStoreUrl;

    fn from_str(text: &str) -> Result<Self, NotAStoreUrl> {
        if let Some(path) = text.strip_prefix("sqlite://") {
            let is_a_file = path.starts_with('/') && !path.ends_with('/');
            return is_a_file.then(|| Self::Sqlite(path.into())).ok_or(NotAStoreUrl);
        }
        let rest = text.strip_prefix("mysql://").ok_or(NotAStoreUrl)?;
        mariadb(rest)
            .map(|address| Self::MariaDb(Arc::new(address)))
            .ok_or(NotAStoreUrl)
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = NotAStoreUrl;

    fn try_from(text: String) -> Result<Self, NotAStoreUrl> {
        text.parse()
    }
}

/// `user[:password]@host[:port]/database[?tls=...]`
fn mariadb(text: &str) -> Option<MariaDbAddress> {
    let (account, place) = text.split_once('@')?;
    let (user, password) = account.split_once(':').unwrap_or((account, ""));
    let (server, database) = place.split_once('/')?;
    let (database, parameters) = database.split_once('?').unwrap_or((database, ""));
    let (host, port) = host_and_port(server)?;
    let (user, database) = (decoded(user)?, decoded(database)?);
    // The database's name is put into advice about grants, as it is.
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '$');
    let is_complete = !user.is_empty() && !host.is_empty() && !database.is_empty() && database.chars().all(is_plain);
    is_complete.then_some(MariaDbAddress {
        user,
        password: SecretString::from(decoded(password)?),
        host: host.to_owned(),
        port,
        database,
        tls: tls(parameters)?,
    })
}

fn host_and_port(server: &str) -> Option<(&str, u16)> {
    let (host, port) = match server.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            (
                host,
                if after.is_empty() {
                    None
                } else {
                    Some(after.strip_prefix(':')?)
                },
            )
        }
        None => server
            .split_once(':')
            .map_or((server, None), |(host, port)| (host, Some(port))),
    };
    Some((host, port.map_or(Some(MARIADB_PORT), |port| port.parse().ok())?))
}

fn tls(parameters: &str) -> Option<Tls> {
    match parameters.strip_prefix("tls=") {
        None => parameters.is_empty().then_some(Tls::Off),
        Some("off") => Some(Tls::Off),
        Some("on") => Some(Tls::On),
        Some(path) => path.starts_with('/').then(|| Tls::Authority(path.into())),
    }
}

/// Resolves `%XX`; the result must be text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first == b'%' {
            let digits = after
                .get(..2)
                .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "hunter2-is-secret";

    fn address(text: &str) -> Arc<MariaDbAddress> {
        match text.parse() {
            Ok(StoreUrl::MariaDb(address)) => address,
            other => panic!("{text} gives {other:?}"),
        }
    }

    #[test]
    fn a_sqlite_url_is_an_absolute_path() {
        let url: StoreUrl = "sqlite:///var/lib/crankback/crankback.db".parse().expect("is one");
        assert_eq!(url, StoreUrl::sqlite("/var/lib/crankback/crankback.db"));
        assert_eq!(url.to_string(), "sqlite:///var/lib/crankback/crankback.db");
        assert!(!url.has_password());
    }

    #[test]
    fn a_mariadb_url_names_account_server_and_database() {
        let full = address("mysql://cron:12%4034%2f@[fd00::1]:3307/asterisk?tls=/etc/mysql/ca.pem");
        assert_eq!((full.user.as_str(), full.password.expose_secret()), ("cron", "12@34/"));
        assert_eq!(
            (full.host.as_str(), full.port, full.database.as_str()),
            ("fd00::1", 3307, "asterisk")
        );
        assert_eq!(full.tls.clone(), Tls::Authority("/etc/mysql/ca.pem".into()));

        let short = address("mysql://cron@db/asterisk");
        assert_eq!((short.host.as_str(), short.port), ("db", 3306));
        assert_eq!((short.password.expose_secret(), short.tls.clone()), ("", Tls::Off));
        assert_eq!(address("mysql://cron@db/asterisk?tls=on").tls, Tls::On);
    }

    #[test]
    fn no_text_of_a_url_holds_its_password() {
        let url: StoreUrl = format!("mysql://cron:{SECRET}@10.0.0.1/asterisk")
            .parse()
            .expect("is one");
        assert!(url.has_password());
        assert_eq!(url.to_string(), "mysql://cron@10.0.0.1:3306/asterisk");
        let later: StoreUrl = "mysql://cron@[::1]/asterisk".parse().expect("is one");
        assert_eq!(later.to_string(), "mysql://cron@[::1]:3306/asterisk");
        let later = later
            .with_password(SecretString::from(SECRET))
            .expect("takes a password");
        for text in [format!("{url:?} {url:#?}"), format!("{later} {later:?} {later:#?}")] {
            assert!(!text.contains(SECRET), "{text}");
        }
        for wrong in [
            "cron:SECRET@db",
            "cron:SECRET@/asterisk",
            "cron:SECRET@db:port/asterisk",
            "SECRET",
        ] {
            let error = format!("mysql://{}", wrong.replace("SECRET", SECRET)).parse::<StoreUrl>();
            let text = error.expect_err("is none").to_string();
            assert!(!text.contains(SECRET), "{text}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "crankback.db",
            "sqlite://crankback.db",
            "sqlite:///var/lib/",
            "postgres://cron@db/asterisk",
            "mysql://db/asterisk",
            "mysql://@db/asterisk",
            "mysql://cron@db",
            "mysql://cron@db/",
            "mysql://cron@db:99999/asterisk",
            "mysql://cron@[::1/asterisk",
            "mysql://cron:%4@db/asterisk",
            "mysql://cron:%ff@db/asterisk",
            "mysql://cron@db/asterisk; DROP",
            "mysql://cron@db/asterisk?tls=maybe",
            "mysql://cron@db/asterisk?ssl=on",
        ] {
            assert_eq!(text.parse::<StoreUrl>(), Err(NotAStoreUrl), "{text}");
        }
    }

    #[test]
    fn the_same_database_is_recognised_whoever_connects() {
        let url = |text: &str| text.parse::<StoreUrl>().expect("is one");
        let cron = url("mysql://cron:a@db/asterisk");
        assert!(cron.is_same_database(&url("mysql://custom:b@db:3306/asterisk")));
        assert!(!cron.is_same_database(&url("mysql://cron:a@db/other")));
        assert!(!cron.is_same_database(&url("sqlite:///asterisk")));
        assert!(url("sqlite:///tmp/../tmp/x").is_same_database(&url("sqlite:///tmp/../tmp/x")));
        assert_ne!(cron, url("mysql://cron:b@db/asterisk"));
    }
}
