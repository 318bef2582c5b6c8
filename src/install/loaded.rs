//! Whether Asterisk has loaded what was meant.
//!
//! Between a carrier's row and the dialplan that runs stand VICIdial's keepalive, which cron starts each minute, a flag that tells
//! it to write its files, and a screen session named `asterisk` through which it reloads them. What is missing is named.

use std::time::Duration;

use tokio::time::Instant;

use super::door;
use super::error::InstallError;
use super::files::{self, Places, VICIDIAL_DIALPLAN};
use super::plan::{FilesOrNot, Plan, Wish, reaches};
use crate::ami::{self, LoadedLine};
use crate::ari;
use crate::asterisk_conf::Dialplan;
use crate::carrier::CarrierId;
use crate::check::{Blind, Level, LookingGlass, Report, dialplan};
use crate::config::Settings;
use crate::shipped;
use crate::store::{OriginalKind, OriginalRow, RoutingTables, Store, StoreError};
use crate::vicidial::carriers::CarrierRow;
use crate::vicidial::dial_line::is_guarded;

/// The subject of findings about rows and files, which a plan tells too.
pub const INSTALLED: &str = "installed";
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How far Asterisk is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// How long it has been waited for.
    pub waited: Duration,
    /// The longest that is waited.
    pub at_most: Duration,
    /// What it lacks.
    pub lacks: String,
}

/// A line that an entry hands over, as Asterisk shows it when it has loaded it.
struct Meant {
    extension: String,
    application: String,
    arguments: String,
}

impl Meant {
    /// The guarded lines of an entry.
    fn of(row: &CarrierRow) -> Vec<Self> {
        let lines = Dialplan::parse(&row.dialplan_entry).extensions.into_iter();
        let guarded = lines.filter(|line| is_guarded(&line.application));
        guarded
            .map(|line| Self {
                extension: line.extension,
                application: line.application.name,
                arguments: line.application.arguments,
            })
            .collect()
    }

    /// Our contexts: the extension that marks this program's edition stands for all of them.
    fn edition() -> Vec<Self> {
        let edition = shipped::edition(shipped::DIALPLAN).into_iter();
        edition
            .map(|extension| Self {
                extension: extension.to_owned(),
                application: "Return".to_owned(),
                arguments: String::new(),
            })
            .collect()
    }

    /// Whether a text that VICIdial has written has it.
    fn is_in(&self, text: &str) -> bool {
        text.contains(&self.extension) && text.contains(&self.arguments)
    }

    fn is(&self, loaded: &LoadedLine) -> bool {
        // Dashes in a pattern are for the eye.
        let plain = |extension: &str| extension.replace(['-', ' '], "");
        plain(&loaded.extension) == plain(&self.extension)
            && loaded.application.eq_ignore_ascii_case(&self.application)
            && loaded.arguments == self.arguments
    }
}

/// What Asterisk says of itself.
enum Seen {
    Lines(Vec<LoadedLine>),
    /// Nobody can be asked, and why.
    NotAsked(String),
}

/// Compares what was meant with the rows, the files, and what the running Asterisk has loaded.
///
/// # Errors
/// The database.
pub async fn verify(store: &Store, settings: &Settings, wish: &Wish) -> Result<Report, StoreError> {
    let mut report = Report::default();
    let tables = store.routing_tables().await?;
    let kept = store.originals(OriginalKind::Carrier).await?;
    let rows = installed(&tables, &kept, settings, wish);
    if rows.is_empty() {
        let what = "no carrier of this dialer is installed";
        report.warning(INSTALLED, what, Some("run `crankback conf install`"));
    } else {
        let named = rows
            .iter()
            .map(|row| row.carrier_id.clone())
            .chain(wish.carriers.clone());
        let wish = Wish {
            carriers: named.collect(),
            ..wish.clone()
        };
        match Plan::install(store, settings, &wish).await {
            Ok(plan) => unfinished(&plan, &mut report),
            Err(InstallError::Store(error)) => return Err(error),
            Err(error) => report.error(INSTALLED, error, None),
        }
    }
    let seen = loaded(settings).await;
    if let Seen::NotAsked(why) = &seen {
        let what = format!("the dialplan that runs cannot be compared line by line: {why}");
        let advice = "set [ami] in crankback.toml to a user with `reporting` in write of manager.conf";
        report.advise("dialplan", what, advice);
    }
    let look = Look {
        tables: &tables,
        settings,
        files: &wish.files,
        seen: &seen,
    };
    look.at_all(&rows, door::is_custom(store, settings).await?, &mut report);
    contexts(settings, &mut report).await;
    Ok(report)
}

/// The rows of this dialer that are installed, of those that are wished for.
fn installed<'a>(
    tables: &'a RoutingTables,
    kept: &[OriginalRow],
    settings: &Settings,
    wish: &Wish,
) -> Vec<&'a CarrierRow> {
    let is_wished = |row: &CarrierRow| wish.carriers.is_empty() || wish.carriers.contains(&row.carrier_id);
    let is_kept = |row: &CarrierRow| kept.iter().any(|kept| kept.name == row.carrier_id);
    let rows = tables.carriers.iter().filter(|row| reaches(row, settings));
    rows.filter(|row| is_wished(row) && is_kept(row)).collect()
}

/// What `conf install` would still change.
fn unfinished(plan: &Plan, report: &mut Report) {
    const INSTALL: Option<&str> = Some("run `crankback conf install --yes`");
    for change in &plan.entries {
        report.warning(
            format!("carrier {}", change.carrier_id),
            "its entry is not installed",
            INSTALL,
        );
    }
    if let Some(change) = &plan.custom {
        let what = "its custom dialplan entry is not as it is meant to be";
        report.warning(format!("server {}", change.server_ip), what, INSTALL);
    }
    for change in &plan.files.changes {
        report.warning(change.path.display().to_string(), "not as it is meant to be", INSTALL);
    }
    for note in plan.notes.iter().chain(&plan.files.left) {
        report.warning(INSTALLED, note, None);
    }
    for note in &plan.files.notes {
        report.ok(INSTALLED, note);
    }
    if plan.is_empty() {
        report.ok(INSTALLED, "rows and files are as they are meant to be");
    }
}

/// Our own contexts, in the edition of this program.
async fn contexts(settings: &Settings, report: &mut Report) {
    let config = match settings.ari.connection() {
        Ok(config) => config,
        Err(error) => return report.error("ari", error, None),
    };
    let looked = match LookingGlass::open(config).await {
        Ok(glass) => {
            let looked = dialplan::check(&glass, report).await;
            glass.shut().await;
            looked.map_err(|error| error.to_string())
        }
        Err(Blind::NoEvents(why)) => Err(why),
        Err(Blind::ReadOnlyUser) => Err("the user may only read".to_owned()),
        Err(Blind::Refused(error)) => Err(error.to_string()),
    };
    if let Err(why) = looked {
        let what = format!(
            "{}: whether [crankback] is loaded cannot be seen: {why}",
            settings.ari.endpoint
        );
        let advice = "reload http, res_ari.so and the dialplan; an Asterisk 16 that was started without ari.conf has not loaded ARI: \
                      restart it";
        report.warning("ari", what, Some(advice));
    }
}

/// With what rows are compared.
struct Look<'a> {
    tables: &'a RoutingTables,
    settings: &'a Settings,
    files: &'a FilesOrNot,
    seen: &'a Seen,
}

impl Look<'_> {
    /// Each carrier, and our contexts where they come by VICIdial too.
    fn at_all(&self, rows: &[&CarrierRow], contexts_are_custom: bool, report: &mut Report) {
        if contexts_are_custom {
            let subject = format!("server {}, custom dialplan entry", self.settings.server.ip);
            self.at(subject, &Meant::edition(), report);
        }
        for row in rows {
            let subject = format!("carrier {}", CarrierId::from(row.carrier_id.as_str()));
            match row.active {
                true => self.at(subject, &Meant::of(row), report),
                false => report.ok(subject, "not active: VICIdial does not write it"),
            }
        }
    }

    /// One entry, from its row to the running dialplan.
    fn at(&self, subject: String, meant: &[Meant], report: &mut Report) {
        let is_loaded = |lines: &[LoadedLine]| meant.iter().all(|meant| lines.iter().any(|line| meant.is(line)));
        match self.seen {
            Seen::Lines(lines) if is_loaded(lines) => {
                report.ok(subject, format_args!("{} loaded", counted(meant.len())));
            }
            Seen::Lines(_) | Seen::NotAsked(_) => match lacks(meant, self.tables, self.settings, self.files) {
                Some(lack) => report.warning(subject, lack, None),
                None if matches!(self.seen, Seen::NotAsked(_)) => {
                    report.ok(subject, format_args!("{} written by VICIdial", counted(meant.len())));
                }
                None => {
                    let what = "VICIdial has written its lines, and the dialplan that runs does not have them";
                    let advice = "VICIdial reloads through a screen session named asterisk (`screen -ls`); by hand: `asterisk -rx \
                                  'dialplan reload'`";
                    report.warning(subject, what, Some(advice));
                }
            },
        }
    }
}

fn counted(lines: usize) -> String {
    match lines {
        1 => "1 line".to_owned(),
        lines => format!("{lines} lines"),
    }
}

/// What keeps VICIdial from having written these lines, if it has not.
fn lacks(meant: &[Meant], tables: &RoutingTables, settings: &Settings, files: &FilesOrNot) -> Option<String> {
    let own = settings.server.ip.to_string();
    let server = tables.servers.iter().find(|server| server.server_ip == own);
    if let Some(server) = server {
        if !server.writes_files || !server.is_active {
            let what =
                "VICIdial writes no files for this server: active_asterisk_server and generate_vicidial_conf must be Y";
            return Some(format!("{what} (server {own}, Servers screen)"));
        }
        if server.is_rebuild_due {
            return Some(format!(
                "VICIdial has not written the files of {own} yet (servers.rebuild_conf_files is Y): its keepalive, \
                 ADMIN_keepalive_ALL.pl, must run each minute (crontab -l)"
            ));
        }
    }
    let FilesOrNot::At(Places { asterisk, .. }) = files else {
        return None;
    };
    let path = asterisk.join(VICIDIAL_DIALPLAN);
    let text = files::read(&path).ok().flatten()?;
    (!meant.iter().all(|meant| meant.is_in(&text))).then(|| {
        format!(
            "{} does not have its lines: VICIdial writes active carriers of protocol SIP, PJSIP, PJSIP_WIZ and IAX2",
            path.display()
        )
    })
}

async fn loaded(settings: &Settings) -> Seen {
    let Some(login) = &settings.ami.login else {
        return Seen::NotAsked("[ami] has no login".to_owned());
    };
    let asked = async {
        let mut session = ami::Session::open(login).await?;
        session.dialplan().await
    };
    match asked.await {
        Ok(lines) if lines.is_empty() => Seen::NotAsked("the manager interface shows no dialplan".to_owned()),
        Ok(lines) => Seen::Lines(lines),
        Err(error) => Seen::NotAsked(error.to_string()),
    }
}

/// Waits until Asterisk has the rows, `at_most` so long (VICIdial's keepalive runs each minute and then reloads, a second a
/// module); tells `progress` each second what it lacks. Whether it has them is for [`verify`] to say; whether Asterisk itself
/// was looked at, and not only the files that VICIdial writes for it, is returned.
///
/// # Errors
/// The database.
pub async fn wait_until_loaded(
    store: &Store,
    settings: &Settings,
    wish: &Wish,
    at_most: Duration,
    progress: impl Fn(&Waiting),
) -> Result<bool, StoreError> {
    let began = Instant::now();
    loop {
        let tables = store.routing_tables().await?;
        let kept = store.originals(OriginalKind::Carrier).await?;
        let seen = loaded(settings).await;
        let mut report = Report::default();
        let look = Look {
            tables: &tables,
            settings,
            files: &wish.files,
            seen: &seen,
        };
        let is_seen = matches!(seen, Seen::Lines(_));
        let rows = installed(&tables, &kept, settings, wish);
        look.at_all(&rows, door::is_custom(store, settings).await?, &mut report);
        let Some(lack) = report.findings.iter().find(|finding| finding.level >= Level::Warning) else {
            return Ok(is_seen);
        };
        let waited = began.elapsed();
        if waited >= at_most {
            return Ok(is_seen);
        }
        progress(&Waiting {
            waited,
            at_most,
            lacks: lack.to_string(),
        });
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Makes Asterisk read the dialplan again, over ARI; what is to be done by hand where that fails.
///
/// # Errors
/// Asterisk is away, or refuses us.
pub async fn reload_dialplan(settings: &Settings) -> Result<(), ari::Error> {
    let Ok(config) = settings.ari.connection() else {
        return Ok(());
    };
    ari::Client::new(&config)?
        .asterisk()
        .reload_module("pbx_config.so")
        .await
}
