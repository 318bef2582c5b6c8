//! Where the database is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;

/// The address of the database: `sqlite:///absolute/path`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct StoreUrl(PathBuf);

impl StoreUrl {
    /// The SQLite file at an absolute `path`.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite://{}", self.0.display())
    }
}

/// The text is no address of a database that crankback can use. It does not repeat the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be sqlite:// and an absolute path, for example sqlite:///var/lib/crankback/crankback.db")]
pub struct NotAStoreUrl;

impl FromStr for StoreUrl {
    type Err = NotAStoreUrl;

    fn from_str(text: &str) -> Result<Self, NotAStoreUrl> {
        let path = text.strip_prefix("sqlite://").ok_or(NotAStoreUrl)?;
        if path.starts_with('/') && !path.ends_with('/') {
            Ok(Self(path.into()))
        } else {
            Err(NotAStoreUrl)
        }
    }
}

impl TryFrom<String> for StoreUrl {
    type Error = NotAStoreUrl;

    fn try_from(text: String) -> Result<Self, NotAStoreUrl> {
        text.parse()
    }
}
