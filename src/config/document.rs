//! The configuration as it is written: TOML sections and keys, complaints with line and column.

use std::ops::Range;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::de::Visitor;
use serde::{Deserialize, Deserializer};

use crate::store::StoreUrl;

use super::error::ConfigError;
use super::keys;
use super::notify::NotifyDocument;
use super::settings::{
    AgiSettings, AttemptsSettings, CallSettings, ControlSettings, EngineSettings, HealthConfig, LogSettings,
    MetricsSettings, ProbeSettings,
};

/// All sections. Sections without a required key are read straight into their settings.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Document {
    pub store: StoreDocument,
    pub server: ServerDocument,
    pub ari: AriDocument,
    pub ami: AmiDocument,
    pub agi: AgiSettings,
    pub engine: EngineSettings,
    pub call: CallSettings,
    pub attempts: AttemptsSettings,
    pub control: ControlSettings,
    pub notify: NotifyDocument,
    pub health: HealthConfig,
    pub probe: ProbeSettings,
    pub metrics: MetricsSettings,
    pub log: LogSettings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StoreDocument {
    pub url: Option<StoreUrl>,
    pub password: Option<Password>,
    pub password_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ServerDocument {
    pub ip: Option<std::net::Ipv4Addr>,
    pub number: u8,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AriDocument {
    pub url: Option<String>,
    pub username: Option<String>,
    pub password: Option<Password>,
    pub password_file: Option<PathBuf>,
    pub app: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AmiDocument {
    pub address: Option<std::net::SocketAddr>,
    pub username: Option<String>,
    pub password: Option<Password>,
    pub password_file: Option<PathBuf>,
}

impl TryFrom<toml::Table> for Document {
    type Error = toml::de::Error;

    fn try_from(table: toml::Table) -> Result<Self, Self::Error> {
        table.try_into()
    }
}

/// A password as written. Complaints about it never repeat what stands there.
#[derive(Debug)]
pub(super) struct Password(pub SecretString);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Password;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text in quotes")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Password, E> {
                Ok(Password(SecretString::from(text)))
            }
            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Password, E> {
                Err(E::custom("must be a text in quotes"))
            }
            fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Password, E> {
                Err(E::custom("must be a text in quotes"))
            }
            fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Password, E> {
                Err(E::custom("must be a text in quotes"))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// Reads `text` as a table after every key and type in it was checked against [`Document`].
pub(super) fn parse(path: &Path, text: &str) -> Result<toml::Table, ConfigError> {
    let deserializer = toml::Deserializer::parse(text).map_err(|error| syntax(path, text, &error))?;
    if let Err(error) = serde_path_to_error::deserialize::<_, Document>(deserializer) {
        let key = error.path().to_string();
        let error = error.into_inner();
        let (line, column) = position(text, error.span());
        let complaint = keys::complaint(&key, error.message());
        return Err(ConfigError::File {
            path: path.to_owned(),
            line,
            column,
            complaint,
        });
    }
    text.parse().map_err(|error| syntax(path, text, &error))
}

/// The parser's own words name what it expected, never what stands in the file.
fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let (line, column) = position(text, error.span());
    let complaint = format!("not valid TOML: {}", error.message().replace('\n', "; "));
    ConfigError::File {
        path: path.to_owned(),
        line,
        column,
        complaint,
    }
}

/// Line and column, both from 1, of the start of `span`.
fn position(text: &str, span: Option<Range<usize>>) -> (usize, usize) {
    let before = text.get(..span.map_or(0, |span| span.start)).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    (line, column)
}
