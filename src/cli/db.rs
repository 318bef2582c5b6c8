//! `crankback db`: the database itself, its schema, its state, and moving into another.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use clap::{Args, Subcommand};
use secrecy::SecretString;
use serde::Serialize;

use crate::config::Settings;
use crate::store::{Applied, Existing, IfMissing, ImportProgress, SchemaState, Status, Store, StoreUrl};

use super::error::CliError;
use super::output::{Answer, Exit, fields, table};

/// An import that takes longer tells how far it is, each time so much has passed.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make or update crankback's tables; needs an account that may CREATE and ALTER
    Migrate,
    /// What the database holds, and whether its schema fits this program: 0 yes, 2 to be migrated, 1 unusable
    Status,
    /// Copy all of crankback's rows from another database, for example from SQLite to MariaDB: all or none
    Import(Import),
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The database to copy from, written like store.url
    #[arg(value_name = "FROM_URL")]
    from: String,
    /// A file whose first line is the password of FROM_URL: on the command line others can read it
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Delete the rows that the target has
    #[arg(long)]
    replace: bool,
}

pub(super) async fn perform(command: Command, settings: &Settings) -> Result<Answer, CliError> {
    let url = &settings.store.url;
    match command {
        Command::Migrate => Ok(migrated(url, &Store::migrate(url).await?)),
        Command::Status => Ok(state(&Store::status(url).await?)),
        Command::Import(arguments) => import(url, &arguments).await,
    }
}

fn migrated(url: &StoreUrl, applied: &[Applied]) -> Answer {
    let names: Vec<String> = applied
        .iter()
        .map(|migration| format!("{:04}_{}", migration.version, migration.name))
        .collect();
    let text = if names.is_empty() {
        format!("{url}: up to date")
    } else {
        format!("{url}: applied {}", names.join(", "))
    };
    Answer::new(&serde_json::json!({ "url": url.to_string(), "applied": names }), text)
}

fn state(status: &Status) -> Answer {
    let (word, exit, told) = match &status.state {
        SchemaState::Current => ("current", Exit::Fine, "up to date".to_owned()),
        SchemaState::Older => (
            "older",
            Exit::Degraded,
            format!("this program needs {}: run `crankback db migrate`", status.needed),
        ),
        SchemaState::Unusable(error) => ("unusable", Exit::Error, error.to_string()),
    };
    let now_ms = SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX));
    let age_s = |time_ms: Option<i64>| time_ms.map(|time_ms| (now_ms - time_ms) / 1_000);
    let (oldest, newest) = (age_s(status.oldest_attempt_ms), age_s(status.newest_attempt_ms));
    let mut lines = vec![
        ("database", format!("{} ({})", status.url, status.url.kind())),
        ("schema", format!("{}; {told}", status.schema)),
        ("route revision", status.revision.to_string()),
    ];
    for (name, rows) in &status.tables {
        lines.push((name, rows.map_or("no such table".to_owned(), counted)));
    }
    let attempts = match (oldest, newest) {
        (Some(oldest), Some(newest)) => format!("from {} to {} ago", duration(oldest), duration(newest)),
        _ => "none".to_owned(),
    };
    lines.push(("attempts", attempts));
    let view = StatusView {
        url: status.url.to_string(),
        kind: status.url.kind(),
        schema: status.schema,
        needed: status.needed,
        state: word,
        revision: status.revision,
        rows: status
            .tables
            .iter()
            .map(|(name, rows)| ((*name).to_owned(), serde_json::json!(rows)))
            .collect(),
        oldest_attempt_age_s: oldest,
        newest_attempt_age_s: newest,
    };
    Answer::new(&view, fields(&lines)).with_exit(exit)
}

async fn import(target: &StoreUrl, arguments: &Import) -> Result<Answer, CliError> {
    let from = source(arguments)?;
    let target = Store::open(target, IfMissing::Fail).await?;
    let source = Store::open(&from, IfMissing::Fail).await?;
    let existing = if arguments.replace {
        Existing::Replace
    } else {
        Existing::Refuse
    };
    let result = target.import(&source, existing, tell_now_and_then()).await;
    source.close().await;
    let url = target.url().clone();
    target.close().await;
    let tables = result?;
    let rows = tables
        .iter()
        .map(|done| [done.table.to_owned(), done.copied.to_string()]);
    let text = format!("from {from} to {url}\n{}", table(["TABLE", "ROWS"], rows));
    let rows: serde_json::Map<_, _> = tables
        .iter()
        .map(|done| (done.table.to_owned(), done.copied.into()))
        .collect();
    let view = serde_json::json!({ "from": from.to_string(), "to": url.to_string(), "rows": rows });
    Ok(Answer::new(&view, text))
}

fn source(arguments: &Import) -> Result<StoreUrl, CliError> {
    let url: StoreUrl = arguments.from.parse().map_err(CliError::ImportSource)?;
    let Some(file) = &arguments.password_file else {
        return Ok(url);
    };
    let text = std::fs::read_to_string(file).map_err(|error| CliError::PasswordFile {
        path: file.clone(),
        error,
    })?;
    let password = SecretString::from(text.lines().next().unwrap_or_default());
    // A SQLite file needs none: it is as good without.
    Ok(url.clone().with_password(password).unwrap_or(url))
}

/// Writes how far the import is to standard error, and nothing when it is short.
fn tell_now_and_then() -> impl Fn(ImportProgress) + Send + 'static {
    let told = Cell::new(Instant::now());
    move |progress| {
        if told.get().elapsed() >= PROGRESS_EVERY {
            told.set(Instant::now());
            let ImportProgress { table, copied, total } = progress;
            eprintln!("{table}: {copied} of {total}");
        }
    }
}

fn counted(rows: u64) -> String {
    match rows {
        1 => "1 row".to_owned(),
        rows => format!("{rows} rows"),
    }
}

/// Whole units, the greatest that fits.
fn duration(seconds: i64) -> String {
    const UNITS: [(i64, &str); 3] = [(86_400, "d"), (3_600, "h"), (60, "min")];
    match UNITS.into_iter().find(|(length, _)| seconds >= *length) {
        Some((length, unit)) => format!("{} {unit}", seconds / length),
        None => format!("{seconds} s"),
    }
}

/// The state of the database as machines get it.
#[derive(Debug, Serialize)]
struct StatusView {
    /// Without the password.
    url: String,
    kind: &'static str,
    schema: i64,
    needed: i64,
    state: &'static str,
    revision: i64,
    /// `null` for a table that does not exist.
    rows: serde_json::Map<String, serde_json::Value>,
    oldest_attempt_age_s: Option<i64>,
    newest_attempt_age_s: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn ages_are_told_in_the_greatest_unit_that_fits() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (7_199, "1 h"),
            (200_000, "2 d"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
