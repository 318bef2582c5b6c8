//! `crankback conf`: into VICIdial's carriers and Asterisk's files, and out of them again.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::check::Level;
use crate::config::Settings;
use crate::control::{self, CarrierSetView};
use crate::install::{self, Contexts, Done, Edits, FilesOrNot, Places, Plan, Wish};
use crate::socket;
use crate::store::{AuditRow, ChangedBy, IfMissing, Store};

use super::ask;
use super::check;
use super::error::CliError;
use super::output::{Answer, Exit};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print what `install` would write: each carrier's whole entry, each file's whole text
    Render(Wanted),
    /// Show what `install` would change, as a unified diff: 0 nothing, 2 something
    Diff(Wanted),
    /// Guard the Dial lines of carriers and add to Asterisk's files what they lack; only shows it without --yes
    #[command(after_help = INSTALL_HELP)]
    Install(Install),
    /// Put everything back as it was before; only shows it without --yes
    Uninstall(Uninstall),
    /// Compare what the running Asterisk has loaded with what was meant: 0 the same, 2 not, 1 cannot be
    Verify(Choice),
}

/// Of what.
#[derive(Debug, Args)]
pub(super) struct Choice {
    /// Ids of the Carriers screen [default: every carrier of this dialer that has a backup or is installed]
    #[arg(value_name = "CARRIER")]
    carriers: Vec<String>,
    /// The directory of Asterisk's configuration
    #[arg(long, value_name = "DIR", default_value = "/etc/asterisk")]
    asterisk_dir: PathBuf,
    /// Where the files' originals are kept
    #[arg(long, value_name = "DIR", default_value = "/var/lib/crankback/originals")]
    originals_dir: PathBuf,
    /// Leave Asterisk's files alone: VICIdial's rows only
    #[arg(long)]
    no_files: bool,
    /// Take entries that somebody has edited since as they are now
    #[arg(long)]
    adopt: bool,
}

/// What shall be installed.
#[derive(Debug, Args)]
pub(super) struct Wanted {
    #[command(flatten)]
    choice: Choice,
    /// How crankback's dialplan gets into Asterisk [default: as it is there already, else `custom` where VICIdial's screens show that
    /// entry, else `file`]
    #[arg(long, value_enum, value_name = "WAY")]
    dialplan: Option<Way>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Way {
    /// VICIdial's custom dialplan entry of this server
    Custom,
    /// A file of its own that extensions.conf includes
    File,
}

#[derive(Debug, Args)]
pub(super) struct Uninstall {
    #[command(flatten)]
    choice: Choice,
    /// Do it
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct Install {
    #[command(flatten)]
    wanted: Wanted,
    /// Do it
    #[arg(long)]
    yes: bool,
    /// How long to wait until Asterisk has loaded it; 0: not at all
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    wait_s: u64,
}

const INSTALL_HELP: &str = "Of a carrier's dialplan entry only the Dial lines change; a dialer without crankback's dialplan dials them \
as before. VICIdial writes the entries into Asterisk's files within a minute, as after a change on its Carriers screen.";

impl Choice {
    fn wish(self) -> Wish {
        Wish {
            carriers: self.carriers,
            edits: match self.adopt {
                true => Edits::Adopt,
                false => Edits::Refuse,
            },
            files: match self.no_files {
                true => FilesOrNot::LeftAlone,
                false => FilesOrNot::At(Places {
                    asterisk: self.asterisk_dir,
                    originals: self.originals_dir,
                }),
            },
            contexts: None,
        }
    }
}

impl Wanted {
    fn wish(self) -> Wish {
        let contexts = self.dialplan.map(|way| match way {
            Way::Custom => Contexts::Custom,
            Way::File => Contexts::File,
        });
        Wish {
            contexts,
            ..self.choice.wish()
        }
    }
}

pub(super) async fn perform(command: Command, settings: &Settings) -> Result<Answer, CliError> {
    let store = Store::open(&settings.store.url, IfMissing::Fail).await?;
    let answer = match command {
        Command::Render(wanted) => Plan::install(&store, settings, &wanted.wish())
            .await
            .map(|plan| render(&plan))
            .map_err(CliError::from),
        Command::Diff(wanted) => Plan::install(&store, settings, &wanted.wish())
            .await
            .map(|plan| difference(&plan, settings))
            .map_err(CliError::from),
        Command::Install(arguments) => install(&store, settings, arguments).await,
        Command::Uninstall(arguments) => uninstall(&store, settings, arguments).await,
        Command::Verify(choice) => install::verify(&store, settings, &choice.wish())
            .await
            .map(|report| check::answer(&report))
            .map_err(CliError::from),
    };
    store.close().await;
    answer
}

fn render(plan: &Plan) -> Answer {
    let entries = plan.entries.iter().map(|change| {
        let name = format!("carrier {}, dialplan_entry", change.carrier_id);
        (name, change.after.clone())
    });
    let custom = plan.custom.iter().map(|change| {
        let name = format!("server {}, custom_dialplan_entry", change.server_ip);
        (name, change.after.clone())
    });
    let files = plan.files.changes.iter().map(|change| {
        let name = change.path.display().to_string();
        (name, change.after.clone().unwrap_or_default())
    });
    let texts: Vec<(String, String)> = entries.chain(custom).chain(files).collect();
    let printed: Vec<String> = texts
        .iter()
        .map(|(name, text)| format!("==> {name} <==\n{}", text.trim_end()))
        .collect();
    let json: Vec<Value> = texts
        .iter()
        .map(|(name, text)| json!({ "name": name, "text": text }))
        .collect();
    match printed.is_empty() {
        true => Answer::new(&json, NOTHING),
        false => Answer::new(&json, printed.join("\n\n")),
    }
}

const NOTHING: &str = "nothing to change";
const HOW_TO_DO_IT: &str = "nothing was written: --yes does it";

fn difference(plan: &Plan, settings: &Settings) -> Answer {
    let exit = match plan.is_empty() {
        true => Exit::Fine,
        false => Exit::Degraded,
    };
    shown(plan, settings, "").with_exit(exit)
}

async fn install(store: &Store, settings: &Settings, arguments: Install) -> Result<Answer, CliError> {
    let Install { wanted, yes, wait_s } = arguments;
    let wish = wanted.wish();
    let plan = Plan::install(store, settings, &wish).await?;
    if !yes {
        return Ok(shown(&plan, settings, HOW_TO_DO_IT));
    }
    // The engine first: a call that comes with the new line must find it.
    for (carrier, _) in &plan.for_dial {
        let command = control::Command::CarrierSet {
            id: carrier.to_string(),
            settings: vec!["engine=agi".to_owned()],
        };
        let _: CarrierSetView = ask::command(settings, command).await?;
    }
    let CarriedOut { done, mut warnings } = carry_out(store, settings, &wish, &plan, "conf_install").await?;
    if done.has_rows() && wait_s > 0 {
        let is_seen = install::wait_until_loaded(store, settings, &wish, Duration::from_secs(wait_s), |waiting| {
            let (waited_s, at_most_s) = (waiting.waited.as_secs(), waiting.at_most.as_secs());
            eprintln!("{waited_s} of {at_most_s} s: {}", waiting.lacks);
        })
        .await?;
        if !is_seen {
            // VICIdial has written the lines, and nobody sees whether its own reload came through.
            reload_dialplan(settings, &mut warnings).await;
        }
        let report = install::verify(store, settings, &wish).await?;
        // What is so with rows and files the plan has told.
        let lacking = report.findings.iter().filter(|it| it.level >= Level::Warning);
        let lacking = lacking.filter(|finding| finding.subject != install::INSTALLED);
        warnings.extend(lacking.map(ToString::to_string));
    }
    Ok(outcome(&plan, settings, &done, &warnings))
}

async fn uninstall(store: &Store, settings: &Settings, arguments: Uninstall) -> Result<Answer, CliError> {
    let wish = arguments.choice.wish();
    let plan = Plan::uninstall(store, settings, &wish).await?;
    if !arguments.yes {
        return Ok(shown(&plan, settings, HOW_TO_DO_IT));
    }
    let CarriedOut { done, warnings } = carry_out(store, settings, &wish, &plan, "conf_uninstall").await?;
    Ok(outcome(&plan, settings, &done, &warnings))
}

/// What was done, and what somebody should still do.
struct CarriedOut {
    done: Done,
    warnings: Vec<String>,
}

async fn carry_out(
    store: &Store,
    settings: &Settings,
    wish: &Wish,
    plan: &Plan,
    command: &str,
) -> Result<CarriedOut, CliError> {
    let actor = socket::this_user().await.map_err(CliError::Runtime)?;
    let by = ChangedBy {
        user: actor.to_string(),
        ip_address: settings.server.ip.to_string(),
        what: command.replace('_', " "),
    };
    let at_ms = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_millis();
    let at_ms = i64::try_from(at_ms).unwrap_or(i64::MAX);
    let done = plan.apply(store, wish, &by, at_ms).await?;
    if !done.files.is_empty() || done.has_rows() {
        let row = AuditRow {
            at_ms,
            actor: actor.to_string(),
            command: command.to_owned(),
            target: format!("{} carriers, {} files", done.carriers.len(), done.files.len()),
            detail: written(&done).to_string(),
            outcome: "done".to_owned(),
        };
        store.insert_audit(row).await?;
    }
    let mut warnings = plan.files.left.clone();
    if done.files.iter().any(|file| file.contains("extensions")) {
        reload_dialplan(settings, &mut warnings).await;
    }
    Ok(CarriedOut { done, warnings })
}

async fn reload_dialplan(settings: &Settings, warnings: &mut Vec<String>) {
    if let Err(error) = install::reload_dialplan(settings).await {
        let place = &settings.ari.endpoint;
        let warning = format!("{place}: {error}; reload by hand: asterisk -rx 'dialplan reload'");
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
}

fn outcome(plan: &Plan, settings: &Settings, done: &Done, warnings: &[String]) -> Answer {
    let exit = match warnings.is_empty() {
        true => Exit::Fine,
        false => Exit::Degraded,
    };
    let mut view = view(plan, settings, Some(done));
    view["warnings"] = json!(warnings);
    Answer::new(&view, [told(plan, done), warned(warnings)].concat()).with_exit(exit)
}

/// The changes, before any is made; `hint` is for where there are some.
fn shown(plan: &Plan, settings: &Settings, hint: &str) -> Answer {
    let text = match plan.is_empty() {
        true => NOTHING.to_owned(),
        false => format!("{}{hint}", plan.diff(settings)),
    };
    let text = [text.trim_end().to_owned(), remarks(plan), warned(&plan.files.left)].concat();
    Answer::new(&view(plan, settings, None), text)
}

fn warned(warnings: &[String]) -> String {
    warnings.iter().map(|warning| format!("\nWARNING  {warning}")).collect()
}

fn told(plan: &Plan, done: &Done) -> String {
    let mut lines: Vec<String> = Vec::new();
    lines.extend(
        done.carriers
            .iter()
            .map(|carrier| format!("carrier {carrier}: dialplan entry written")),
    );
    let custom = done.custom_dialplan.iter();
    lines.extend(custom.map(|server| format!("server {server}: custom dialplan entry written")));
    for change in &plan.files.changes {
        let file = change.path.display();
        let what = match change.after {
            Some(_) => "written",
            None => "removed",
        };
        lines.push(match reload_of(&change.path) {
            Some(reload) => format!("{file}: {what}; asterisk -rx '{reload}'"),
            None => format!("{file}: {what}"),
        });
    }
    if lines.is_empty() {
        lines.push(NOTHING.to_owned());
    }
    [lines.join("\n"), remarks(plan)].concat()
}

/// What makes Asterisk read a file again; the dialplan was reloaded.
fn reload_of(file: &Path) -> Option<&'static str> {
    match file.file_name()?.to_str()? {
        "http.conf" => Some("module reload http"),
        "ari.conf" => Some("module reload res_ari.so"),
        "manager.conf" => Some("manager reload"),
        _ => None,
    }
}

/// What is worth knowing beside the changes, each on a line of its own.
fn remarks(plan: &Plan) -> String {
    let mut lines = Vec::new();
    for (carrier, options) in &plan.for_dial {
        lines.push(format!(
            "carrier {carrier}: the Dial options {} are honoured by the agi engine alone: engine=agi is set for its calls",
            options.join(" ")
        ));
    }
    for server in &plan.servers {
        lines.push(match server.daemon_seen_ms {
            Some(_) => format!("server {}: has a daemon", server.server_ip),
            None => format!(
                "server {}: no daemon was ever seen there, it dials natively",
                server.server_ip
            ),
        });
    }
    for carrier in &plan.gone {
        lines.push(format!(
            "carrier {carrier}: gone from VICIdial's table, its original is forgotten"
        ));
    }
    lines.extend(plan.notes.iter().cloned());
    lines.extend(plan.files.notes.iter().cloned());
    lines.into_iter().map(|line| format!("\n{line}")).collect()
}

fn view(plan: &Plan, settings: &Settings, done: Option<&Done>) -> Value {
    json!({
        "carriers": plan.entries.iter().map(|change| change.carrier_id.clone()).collect::<Vec<_>>(),
        "files": plan.files.changes.iter().map(|change| change.path.display().to_string()).collect::<Vec<_>>(),
        "diff": plan.diff(settings),
        "engine_agi": plan.for_dial.iter().map(|(carrier, _)| carrier.to_string()).collect::<Vec<_>>(),
        "servers": plan.servers.iter().map(|server| json!({
            "server_ip": server.server_ip,
            "daemon_seen_ms": server.daemon_seen_ms,
        })).collect::<Vec<_>>(),
        "warnings": plan.files.left,
        "notes": plan.notes.iter().chain(&plan.files.notes).collect::<Vec<_>>(),
        "custom_dialplan": plan.custom.as_ref().map(|change| change.server_ip.clone()),
        "written": done.map(written),
    })
}

fn written(done: &Done) -> Value {
    json!({ "carriers": done.carriers, "custom_dialplan": done.custom_dialplan, "files": done.files })
}
