//! The environment: `CRANKBACK_SECTION__KEY=value` wins over the file.

use toml::{Table, Value};

use crate::store::StoreUrl;

use super::document::Document;
use super::error::ConfigError;
use super::keys;

const PREFIX: &str = "CRANKBACK_";

/// Lays every `CRANKBACK_SECTION__KEY` over `table`.
pub(super) fn overlay(
    table: &mut Table,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(), ConfigError> {
    let environment: Vec<_> = environment.into_iter().collect();
    if environment
        .iter()
        .any(|(variable, text)| gives_store_password(variable, text))
    {
        forget_store_password(table);
    }
    for (variable, text) in environment {
        let Some(name) = variable.strip_prefix(PREFIX) else {
            continue;
        };
        let Some((section, key)) = name.split_once("__") else {
            match meant(name) {
                Some(complaint) => return Err(ConfigError::Environment { variable, complaint }),
                None => continue,
            }
        };
        let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
        let value = value(&section, &key, &text).map_err(|complaint| ConfigError::Environment {
            variable: variable.clone(),
            complaint,
        })?;
        if let Value::Table(keys) = table.entry(section).or_insert_with(|| Value::Table(Table::new())) {
            keys.insert(key, value);
        }
    }
    Ok(())
}

/// Whether the variable says which password the store has: one of its own, or none for a SQLite file.
fn gives_store_password(variable: &str, text: &str) -> bool {
    match variable {
        "CRANKBACK_STORE__PASSWORD" | "CRANKBACK_STORE__PASSWORD_FILE" => true,
        "CRANKBACK_STORE__URL" => text
            .parse()
            .is_ok_and(|url: StoreUrl| url.has_password() || matches!(url, StoreUrl::Sqlite(_))),
        _ => false,
    }
}

/// A password of the environment takes the place of the file's, in whichever key that stands: `db migrate` is run with
/// another account.
fn forget_store_password(table: &mut Table) {
    if let Some(Value::Table(keys)) = table.get_mut("store") {
        keys.remove("password");
        keys.remove("password_file");
    }
}

/// `text` as the type that the key wants: a text if it takes one, otherwise what TOML makes of it.
fn value(section: &str, key: &str, text: &str) -> Result<Value, String> {
    let as_text = Value::String(text.to_owned());
    let complaint = match check(section, key, as_text.clone()) {
        Ok(()) => return Ok(as_text),
        Err(complaint) => complaint,
    };
    let Ok(number) = text.parse::<i64>() else {
        return Err(complaint);
    };
    check(section, key, Value::Integer(number)).map(|()| Value::Integer(number))
}

fn check(section: &str, key: &str, value: Value) -> Result<(), String> {
    let keys = Table::from_iter([(key.to_owned(), value)]);
    let table = Table::from_iter([(section.to_owned(), Value::Table(keys))]);
    match Document::try_from(table) {
        Ok(_) => Ok(()),
        Err(error) => Err(keys::complaint(&format!("{section}.{key}"), error.message())),
    }
}

/// A known key written with one underscore where two are needed: silence would leave the default in force.
fn meant(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    keys::sections().iter().find_map(|section| {
        let key = name.strip_prefix(section)?.strip_prefix('_')?;
        keys::keys(section).contains(&key).then(|| {
            let (section, key) = (section.to_ascii_uppercase(), key.to_ascii_uppercase());
            format!("two underscores part section and key; did you mean `{PREFIX}{section}__{key}`?")
        })
    })
}
