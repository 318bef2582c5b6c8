//! The rig: one Asterisk, fake carriers, a carrier table and the daemon, wired as a small call centre would be.
//!
//! Unlike the rest of the lab it knows the program under test: it runs its commands, installs its dialplan and reads its
//! records. Each of its carriers' entries exists twice, with the guarded line that hands calls to crankback (context
//! `default`) and untouched (context `native`), so that plain `Dial()` is always there to compare with.

pub mod daemon;
mod entry;
pub mod report;
pub mod scenarios;
pub mod soak;
mod table;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crankback::store::{AttemptRow, IfMissing, Store, StoreUrl};
use serde::de::DeserializeOwned;

use self::daemon::{Daemon, Program};
pub use self::entry::Entry;
use self::report::Report;
use self::scenarios::Scenario;
use super::agi_listener::{AgiListener, AgiRecord};
use super::asterisk::{ARI_PASSWORD, ARI_USER, Asterisk, AsteriskConfig, Trunk};
use super::dialer::Dialer;
use super::error::{IoContext, LabError};
use super::ports::ClosedTcpPort;
use super::proxy::Wire;
use super::roots::{AsteriskVersion, Root, progress_on_stderr};
use super::sip::{CallRecord, FakeCarrier};

/// How long anything may take that is not waited for on purpose.
pub const SOON: Duration = Duration::from_secs(10);
/// What VICIdial's campaign allows a call.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(26);
/// The dialer that the daemon is told to be.
pub const SERVER_IP: &str = "127.0.0.1";

/// Whoever calls in is put through: where Asterisk follows a carrier's redirection, a call comes out at the backup.
const PUTS_THROUGH: &str = "[trunkinbound](+)\nexten => _X.,1,Dial(PJSIP/${EXTEN}@backup)\n";

/// The account of a telephone, and what it may dial: an entry as it is, `d` before it for plain `Dial()`, `r` for ringing
/// at once, `dr` for both.
pub const PHONE: &str = "phone";
const PHONES: &str = "[phones]\n\
    exten => _9X.,1,Goto(default,${EXTEN},1)\n\
    exten => _5X.,1,Goto(default,${EXTEN},1)\n\
    exten => _d9X.,1,Goto(native,${EXTEN:1},1)\n\
    exten => _d5X.,1,Goto(native,${EXTEN:1},1)\n\
    exten => _r9X.,1,Gosub(crankback,s,1(PRIMARY,${EXTEN:1},PJSIP/${EXTEN:2}@primary,,Tor))\n\
    exten => _dr9X.,1,Dial(PJSIP/${EXTEN:3}@primary,,Tor)\n";

/// A trunk that offers G.722 beside what the others offer.
fn wideband(mut trunk: Trunk) -> Trunk {
    trunk.extra.push_str("allow = g722\n");
    trunk
}

fn telephone(name: &str, address: SocketAddr) -> Trunk {
    let mut trunk = Trunk::pjsip(name, address);
    trunk.extra.push_str("context = phones\n");
    trunk
}

/// Who places the legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// ARI.
    Stasis,
    /// `Dial()`, through FastAGI.
    Agi,
}

impl Engine {
    /// Both, the default first.
    pub const ALL: [Self; 2] = [Self::Stasis, Self::Agi];

    /// One word, as in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stasis => "stasis",
            Self::Agi => "agi",
        }
    }

    /// The keys of the configuration that make it carry every kind of call.
    fn for_all_calls(self) -> String {
        let keys = ["default", "manual", "three_way"];
        keys.map(|key| format!("{key} = \"{}\"\n", self.as_str())).concat()
    }
}

/// The backup's id on the *Carriers* screen.
pub const BACKUP: &str = "BACKUP";

/// A number that no other call of this process uses.
#[derive(Clone, Debug)]
pub struct Number {
    /// What a campaign dials: dial prefix, phone code, number.
    pub dialled: String,
    /// What a carrier is sent.
    pub wire: String,
}

/// The whole set-up.
pub struct Rig {
    /// Which Asterisk.
    pub version: AsteriskVersion,
    /// Which engine.
    pub engine: Engine,
    /// The Asterisk.
    pub asterisk: Asterisk,
    /// VICIdial's FastAGI server.
    pub agi: AgiListener,
    /// The dialer.
    pub dialer: Dialer,
    /// The carrier behind most entries.
    pub primary: FakeCarrier,
    /// The carrier behind `BACKUP`.
    pub backup: FakeCarrier,
    /// Whoever calls in, for callers that are trunk channels.
    pub inbound: FakeCarrier,
    /// The daemon's store.
    pub store: Store,
    /// The daemon, while it runs.
    pub daemon: Option<Daemon>,
    program: Program,
    config: PathBuf,
    directory: tempfile::TempDir,
    _closed_tcp: ClosedTcpPort,
}

/// A runtime for one Asterisk with its carriers and cases; it lives as long as the process. What the cases of one Asterisk block
/// must not hold up the carriers of the other: a task that waits behind a blocked one is not taken over by another thread.
pub fn own_runtime() -> tokio::runtime::Handle {
    const THREADS: usize = 4;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .expect("a tokio runtime");
    Box::leak(Box::new(runtime)).handle().clone()
}

/// Starts a rig and runs cases on it, one after the other; every report is shown as soon as it is there. The rig is handed
/// back so that it can be kept.
pub async fn run_cases(
    version: AsteriskVersion,
    program: Program,
    engine: Engine,
    cases: &[Scenario],
    show: impl Fn(&Report),
) -> (Option<Rig>, Vec<Report>) {
    let mut rig = match Rig::start(version, engine, program, progress_on_stderr).await {
        Ok(rig) => rig,
        Err(error) => {
            let mut report = Report::new("the lab itself", version, engine.as_str());
            report.broke(error);
            show(&report);
            return (None, vec![report]);
        }
    };
    let mut reports = Vec::with_capacity(cases.len());
    for case in cases {
        let report = match case.reason_against(engine) {
            Some(reason) => Report::left_out(case.name, version, engine.as_str(), reason),
            None => rig.run(*case).await,
        };
        show(&report);
        reports.push(report);
    }
    (Some(rig), reports)
}

static NUMBERS: AtomicU64 = AtomicU64::new(0);

impl Rig {
    /// Boots everything and fills the tables; `BACKUP` becomes the backup of entries by the program's own command.
    pub async fn start(
        version: AsteriskVersion,
        engine: Engine,
        program: Program,
        progress: fn(&str),
    ) -> Result<Self, LabError> {
        Self::start_with_files(version, engine, program, progress, Vec::new()).await
    }

    /// The same with files of Asterisk's configuration, name and content, in the place of the lab's.
    pub async fn start_with_files(
        version: AsteriskVersion,
        engine: Engine,
        program: Program,
        progress: fn(&str),
        files: Vec<(String, String)>,
    ) -> Result<Self, LabError> {
        let root = Root::ensure(version, progress).await?;
        let start = |name| async move {
            FakeCarrier::start(name)
                .await
                .context(|| format!("start carrier {name}"))
        };
        let (primary, backup, inbound) = (start("PRIMARY").await?, start(BACKUP).await?, start("INBOUND").await?);
        let agi = AgiListener::start().await?;
        let closed_tcp = ClosedTcpPort::take()?;
        let silent_udp = FakeCarrier::closed_port()
            .await
            .context(|| "find a closed port".to_owned())?;

        let natives = table::rows(version);
        let rows = natives.iter().map(table::guarded).collect::<Result<Vec<_>, _>>()?;
        let mut config = AsteriskConfig::new(agi.port())
            .trunk(Trunk::pjsip("primary", primary.addr()))
            .trunk(Trunk::pjsip("backup", backup.addr()))
            .trunk(Trunk::pjsip("inbound", inbound.addr()))
            .trunk(telephone(PHONE, inbound.addr()))
            .trunk(Trunk::pjsip_tcp("refusing", closed_tcp.address()))
            .trunk(Trunk::pjsip("unreachable", silent_udp).qualified(Duration::from_secs(1)))
            .trunk(wideband(Trunk::oldest_driver(version, "olddriver", primary.addr())));
        for (native, row) in natives.iter().zip(&rows) {
            config = config
                .native_entry(&native.dialplan_entry)
                .carrier_entry(&row.dialplan_entry);
            config.globals.push_str(&format!("{}\n", row.globals_string));
        }
        config
            .globals
            .push_str("CRANKBACK_VICIDIAL_LOG = agi://127.0.0.1:4577/call_log\n");
        config.extra_dialplan.push_str(PUTS_THROUGH);
        config.extra_dialplan.push_str(PHONES);
        config.dialplan_files.push(PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/asterisk/extensions-crankback.conf"
        )));
        config
            .other_files
            .push(("pjsip_wizard.conf".to_owned(), table::wizard(primary.addr())));
        config.other_files.extend(files);
        progress(&format!("starting Asterisk {version}"));
        let asterisk = Asterisk::start(&root, config).await?;
        let dialer = Dialer::new(asterisk.ami(), &agi);

        let directory = tempfile::tempdir().context(|| "make a directory for the daemon".to_owned())?;
        let database = directory.path().join("crankback.db");
        let store = Store::open(&StoreUrl::sqlite(&database), IfMissing::Create)
            .await
            .map_err(told)?;
        table::fill(&database, &rows)?;
        let config = directory.path().join("crankback.toml");
        // Cases make carriers fail at will, and the next one starts with them as new. Those that are about health set it.
        let text = format!(
            "[store]\nurl = \"sqlite://{}\"\n[server]\nip = \"{SERVER_IP}\"\n[ari]\nurl = \"http://127.0.0.1:{}\"\nusername = \"{ARI_USER}\"\npassword = \"{ARI_PASSWORD}\"\n[engine]\n{}[call]\n[agi]\nlisten = \"127.0.0.1:{}\"\n[attempts]\nspool = \"{}\"\n[control]\nsocket = \"{}\"\n[health]\nsteering = \"watches\"\n[probe]\noptions = \"off\"\n[metrics]\nlisten = \"off\"\n[log]\nlevel = \"debug\"\n",
            database.display(),
            asterisk.ports().http,
            engine.for_all_calls(),
            asterisk.ports().agi,
            directory.path().join("spool").display(),
            directory.path().join("control.sock").display()
        );
        std::fs::write(&config, text).context(|| format!("write {}", config.display()))?;
        for entry in Entry::ALL.into_iter().filter(|entry| entry.has_backup()) {
            let arguments = [
                "route",
                "add",
                "--entry",
                entry.carrier_id(),
                "--carrier",
                BACKUP,
                "--priority",
                "2",
            ];
            program.run(&config, &arguments)?;
        }
        let mut rig = Self {
            version,
            engine,
            asterisk,
            agi,
            dialer,
            primary,
            backup,
            inbound,
            store,
            daemon: None,
            program,
            config,
            directory,
            _closed_tcp: closed_tcp,
        };
        rig.start_daemon().await?;
        rig.wait_until_unreachable().await?;
        Ok(rig)
    }

    /// Runs one case. A case that broke off leaves its channels behind; they are hung up so that the next one starts clean.
    pub async fn run(&mut self, scenario: Scenario) -> Report {
        let mut report = Report::new(scenario.name, self.version, self.engine.as_str());
        if let Err(error) = (scenario.run)(self, &mut report).await {
            report.broke(error);
        }
        if !report.is_ok() {
            let log = self.daemon.as_ref().map(Daemon::log_text).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(40).collect();
            report.note(format!(
                "the daemon's last words:\n{}",
                tail.into_iter().rev().collect::<Vec<_>>().join("\n")
            ));
            let _ = self.asterisk.cli("channel request hangup all").await;
            // Whatever the case did to it: the next one gets a daemon that is wired as usual.
            drop(self.daemon.take());
            let _ = self.start_daemon().await;
            let _ = self.wait_until_empty(SOON).await;
        }
        report
    }

    /// Starts the daemon if it does not run.
    pub async fn start_daemon(&mut self) -> Result<&Daemon, LabError> {
        if self.daemon.is_none() {
            self.daemon = Some(Daemon::start(&self.program, &self.config, self.directory.path()).await?);
        }
        self.daemon()
    }

    /// Starts the daemon with settings in the environment.
    pub async fn start_daemon_with(&mut self, settings: &[(&str, &str)]) -> Result<(), LabError> {
        let environment: Vec<_> = settings.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        let (config, directory) = (&self.config, self.directory.path());
        self.daemon = Some(Daemon::start_with(&self.program, config, directory, &environment).await?);
        Ok(())
    }

    /// Starts the daemon with Asterisk behind a wire.
    pub async fn start_daemon_behind(&mut self, wire: &Wire) -> Result<(), LabError> {
        let url = [("CRANKBACK_ARI__URL", format!("http://{}", wire.address()))];
        self.daemon = Some(Daemon::start_with(&self.program, &self.config, self.directory.path(), &url).await?);
        Ok(())
    }

    /// Kills Asterisk and starts it again. Whatever the dialer had placed is gone.
    pub async fn restart_asterisk(&mut self) -> Result<(), LabError> {
        self.asterisk.restart().await?;
        self.dialer = Dialer::new(self.asterisk.ami(), &self.agi);
        self.wait_until_unreachable().await
    }

    /// The running daemon.
    pub fn daemon(&self) -> Result<&Daemon, LabError> {
        self.daemon
            .as_ref()
            .ok_or_else(|| LabError::Missing("the daemon does not run".to_owned()))
    }

    /// The daemon, out of the rig's hands.
    pub fn take_daemon(&mut self) -> Result<Daemon, LabError> {
        self.daemon
            .take()
            .ok_or_else(|| LabError::Missing("the daemon does not run".to_owned()))
    }

    /// A second daemon on the same configuration, beside the one that runs.
    pub async fn start_second_daemon(&self) -> Result<Daemon, LabError> {
        Daemon::start(&self.program, &self.config, self.directory.path()).await
    }

    /// The carrier table as one statement.
    pub fn carrier_rows(&self) -> Result<String, LabError> {
        let rows = table::rows(self.version);
        let rows = rows.iter().map(table::guarded).collect::<Result<Vec<_>, _>>()?;
        Ok(table::insert_statement(&rows))
    }

    /// A command of the program with a setting in the environment.
    pub async fn crankback_with(&self, name: &str, value: &str, arguments: &str) -> Result<String, LabError> {
        let mut program = self.program.clone();
        program.environment.push((name.to_owned(), value.to_owned()));
        run_blocking(program, self.config.clone(), arguments).await
    }

    /// A command of the program, as an operator would give it. Carriers and calls go on meanwhile.
    pub async fn crankback(&self, arguments: &str) -> Result<String, LabError> {
        run_blocking(self.program.clone(), self.config.clone(), arguments).await
    }

    /// What a command of the program has to say to machines.
    pub async fn ask_crankback<T: DeserializeOwned>(&self, arguments: &str) -> Result<T, LabError> {
        let text = self.crankback(&format!("-o json {arguments}")).await?;
        serde_json::from_str(&text).map_err(|error| LabError::Missing(format!("{arguments}: {error} in {text}")))
    }

    /// `crankback run` with another ARI password, to its end.
    pub async fn run_with_password(&self, password: &str) -> Result<std::process::Output, LabError> {
        let mut command = tokio::process::Command::from(self.program.command(&self.config, &["run"]));
        command.env("CRANKBACK_ARI__PASSWORD", password).kill_on_drop(true);
        let ended = tokio::time::timeout(SOON, command.output())
            .await
            .map_err(|_| LabError::Timeout {
                what: "end of crankback run".to_owned(),
                after: SOON,
            })?;
        ended.context(|| "run crankback".to_owned())
    }

    /// The database file.
    pub fn database(&self) -> std::path::PathBuf {
        self.directory.path().join("crankback.db")
    }

    /// A statement on the database, as another program would run it.
    pub fn sql(&self, statement: &str) -> Result<(), LabError> {
        table::run(&self.database(), statement)
    }

    /// How many attempts are on record, by carrier; with a condition, only those that meet it.
    pub fn attempt_rows(&self, condition: Option<&str>) -> Result<BTreeMap<String, u64>, LabError> {
        table::attempts_by_carrier(&self.database(), condition.unwrap_or("TRUE"))
    }

    /// The configuration file of this rig, for whoever wants to look at it by hand.
    pub fn config(&self) -> &std::path::Path {
        &self.config
    }

    /// A fresh number that goes through an entry.
    pub fn number(&self, entry: Entry) -> Number {
        self.number_in(entry, "312")
    }

    /// The same with an area code.
    pub fn number_in(&self, entry: Entry, area: &str) -> Number {
        let wire = format!("1{area}{:07}", 2_000_000 + NUMBERS.fetch_add(1, Ordering::Relaxed));
        Number {
            dialled: format!("{}{wire}", entry.prefix()),
            wire,
        }
    }

    /// What a carrier saw of a number.
    pub fn seen(&self, carrier: &FakeCarrier, number: &Number) -> Vec<CallRecord> {
        carrier
            .calls()
            .into_iter()
            .filter(|call| call.number == number.wire)
            .collect()
    }

    /// The attempts of a call that are on record now.
    pub async fn store_attempts(&self, call: &AgiRecord) -> Result<Vec<AttemptRow>, LabError> {
        self.store
            .attempts_of_call(SERVER_IP, &call.uniqueid)
            .await
            .map_err(told)
    }

    /// Whether the daemon that runs now says something so often, within a reasonable time.
    pub async fn wait_for_log_lines(&self, text: &str, count: usize) -> bool {
        self.wait_for_log_lines_within(text, count, SOON).await
    }

    /// Whether the daemon that runs now says something so often, within a time.
    pub async fn wait_for_log_lines_within(&self, text: &str, count: usize, limit: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < limit {
            let said = |daemon: &Daemon| {
                daemon
                    .log_since_start()
                    .lines()
                    .filter(|line| line.contains(text))
                    .count()
            };
            if self.daemon().is_ok_and(|daemon| said(daemon) >= count) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    }

    /// The attempts of a call, as soon as there are so many on record and all have ended.
    pub async fn attempts(&self, call: &AgiRecord, count: usize) -> Result<Vec<AttemptRow>, LabError> {
        let have_ended = |rows: &[AttemptRow]| rows.iter().all(|row| row.ended_ms.is_some());
        self.attempts_when(call, |rows| rows.len() >= count && have_ended(rows))
            .await
    }

    /// The attempts of a call, as soon as there are so many on record; the last may still be out.
    pub async fn attempts_begun(&self, call: &AgiRecord, count: usize) -> Result<Vec<AttemptRow>, LabError> {
        self.attempts_when(call, |rows| rows.len() >= count).await
    }

    async fn attempts_when(
        &self,
        call: &AgiRecord,
        is_enough: impl Fn(&[AttemptRow]) -> bool,
    ) -> Result<Vec<AttemptRow>, LabError> {
        let began = Instant::now();
        loop {
            let rows = self.store_attempts(call).await?;
            if is_enough(&rows) || began.elapsed() > SOON {
                return Ok(rows);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until Asterisk has neither channels nor bridges.
    pub async fn wait_until_empty(&self, limit: Duration) -> Result<(), LabError> {
        let began = Instant::now();
        loop {
            let left = (self.asterisk.channel_count().await?, self.bridge_count().await?);
            if left == (0, 0) {
                return Ok(());
            }
            if began.elapsed() > limit {
                let channels = self.asterisk.ami().core_show_channels().await?;
                return Err(LabError::Timeout {
                    what: format!(
                        "empty Asterisk; {} channels and {} bridges left: {channels:#?}",
                        left.0, left.1
                    ),
                    after: limit,
                });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Bridges of calls; an agent's conference goes with its last member a moment later, so it counts too.
    async fn bridge_count(&self) -> Result<usize, LabError> {
        self.asterisk.bridge_count().await
    }

    pub async fn wait_until_unreachable(&self) -> Result<(), LabError> {
        let began = Instant::now();
        while !self
            .asterisk
            .cli("pjsip show contacts")
            .await?
            .lines()
            .any(|line| line.contains("unreachable") && line.contains("Unavail"))
        {
            if began.elapsed() > SOON {
                let what = "contact that qualify has found dead".to_owned();
                return Err(LabError::Timeout { what, after: SOON });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

async fn run_blocking(program: Program, config: PathBuf, arguments: &str) -> Result<String, LabError> {
    let arguments = arguments.to_owned();
    let run = move || program.run(&config, &arguments.split_whitespace().collect::<Vec<_>>());
    let done = tokio::task::spawn_blocking(run).await;
    done.map_err(|error| LabError::Missing(error.to_string()))?
}

fn told(error: crankback::store::StoreError) -> LabError {
    LabError::Missing(error.to_string())
}
