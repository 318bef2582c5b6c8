//! `/etc/astguiclient.conf`: what VICIdial on this machine knows already, for keys that nobody has set.
//!
//! `KEY => value` lines, as VICIdial's own programs read them: blanks and `>` count for nothing, `#` and `;` begin comments.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Where VICIdial's installation puts it.
const DEFAULT_PATH: &str = "/etc/astguiclient.conf";
/// Names another one; empty: none is read.
const PATH_VARIABLE: &str = "CRANKBACK_ASTGUICLIENT";
/// MariaDB's port, where the file names none.
const DEFAULT_PORT: &str = "3306";

/// Fills in what neither the file of ours nor the environment says: the dialer's address, and VICIdial's database with the
/// account of every day. A file that is missing or that this user may not read says nothing.
pub(super) fn fill_in(table: &mut Table, environment: &[(String, String)]) {
    let variable = |name: &str| {
        environment
            .iter()
            .find(|(variable, _)| variable == name)
            .map(|(_, value)| value)
    };
    let path = variable(PATH_VARIABLE).map_or_else(|| PathBuf::from(DEFAULT_PATH), PathBuf::from);
    let Some(known) = read(&path) else {
        return;
    };
    set_missing(table, "server", known.get("VARserver_ip").map(|ip| ("ip", ip.clone())));
    let is_said = has(table, "store", "url") || variable("CRANKBACK_STORE__URL").is_some();
    let Some(url) = store_url(&known).filter(|_| !is_said) else {
        return;
    };
    set_missing(table, "store", [("url", url)]);
    let password = known
        .get("VARDB_pass")
        .filter(|_| !has(table, "store", "password_file"));
    set_missing(table, "store", password.map(|password| ("password", password.clone())));
}

fn read(path: &Path) -> Option<HashMap<String, String>> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(parse(&text))
}

fn parse(text: &str) -> HashMap<String, String> {
    let lines = text.lines().filter_map(|line| {
        let said: String = line.split(['#', ';']).next()?.split(['>', ' ', '\t', '\r']).collect();
        let (key, value) = said.split_once('=')?;
        (!value.is_empty()).then(|| (key.to_owned(), value.to_owned()))
    });
    lines.collect()
}

/// The address without the password, where the file has the whole of it.
fn store_url(known: &HashMap<String, String>) -> Option<String> {
    let [user, server, database] = ["VARDB_user", "VARDB_server", "VARDB_database"].map(|key| known.get(key));
    let port = known.get("VARDB_port").map_or(DEFAULT_PORT, String::as_str);
    Some(format!("mysql://{}@{}:{port}/{}", user?, server?, database?))
}

/// Sets keys of a section that it does not have.
fn set_missing(table: &mut Table, section: &str, keys: impl IntoIterator<Item = (&'static str, String)>) {
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    // What is no section has been complained of when the file was read.
    if let Value::Table(section) = section {
        for (key, value) in keys {
            section.entry(key).or_insert(Value::String(value));
        }
    }
}

fn has(table: &Table, section: &str, key: &str) -> bool {
    table
        .get(section)
        .and_then(Value::as_table)
        .is_some_and(|section| section.contains_key(key))
}
