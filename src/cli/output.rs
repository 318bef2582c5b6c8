//! How an answer reaches the terminal: a table or JSON on standard output, and an exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::ValueEnum;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;

use crate::control::Effect;

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// For machines
    Json,
}

/// The exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    Fine,
    Degraded,
    Error,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Error => 1,
            Exit::Degraded => 2,
        })
    }
}

/// What a command has to say, in both formats.
#[derive(Debug)]
pub(super) struct Answer {
    text: String,
    json: serde_json::Value,
    exit: Exit,
}

impl Answer {
    /// `value` is what machines get, `text` what people read.
    pub fn new(value: &impl Serialize, text: impl Into<String>) -> Self {
        // Our own plain structs always serialise; should one not, the reason stands where the value would.
        let json =
            serde_json::to_value(value).unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }));
        Self {
            text: text.into(),
            json,
            exit: Exit::Fine,
        }
    }

    /// A text that is the same for people and machines.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            json: serde_json::Value::String(text.clone()),
            text,
            exit: Exit::Fine,
        }
    }

    /// Everything has been said already.
    pub fn silent(exit: Exit) -> Self {
        Self::text(String::new()).with_exit(exit)
    }

    /// The same answer with another exit code.
    pub fn with_exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// Prints the answer; a reader that went away (`| head`) changes nothing.
    pub fn print(&self, format: Format) -> Exit {
        let _nobody_reads = self.write("", format);
        self.exit
    }

    /// Writes the answer, with `before` in front of it.
    ///
    /// # Errors
    /// The reader went away.
    pub fn write(&self, before: &str, format: Format) -> io::Result<()> {
        if self.text.is_empty() {
            return Ok(());
        }
        match format {
            Format::Table => writeln!(io::stdout().lock(), "{before}{}", self.text.trim_end()),
            Format::Json => writeln!(io::stdout().lock(), "{before}{:#}", self.json),
        }
    }
}

/// What people are told of when a change holds: nothing, where it is as they expect.
pub(super) const fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Now | Effect::AtStart => "",
        Effect::Delayed => "; the daemon could not read the tables yet and tries every 2 s",
    }
}

/// A borderless table: columns parted by blanks, easy to read and to cut.
pub(super) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header);
    for row in rows {
        table.add_row(row);
    }
    let text = table.to_string();
    text.lines()
        .map(|line| line.trim_end().strip_prefix(' ').unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// One line a field: name and value.
pub(super) fn fields(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    lines
        .iter()
        .map(|(name, value)| format!("{name:width$}  {value}"))
        .collect::<Vec<_>>()
        .join("\n")
}
