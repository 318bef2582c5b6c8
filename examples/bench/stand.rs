//! The stand: one Asterisk, three SIPps, one daemon that serves both engines.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crankback::carrier::CarrierId;
use crankback::store::{IfMissing, Store, StoreUrl};
use crankback::vicidial::dial_line::wrap_dialplan_entry;
use tempfile::TempDir;

use crate::capture::Ports;
use crate::process::cpu_of;
use crate::sipp::{self, Carrier, Running};
use crate::support::asterisk::{ARI_PASSWORD, ARI_USER, Asterisk, AsteriskConfig, Trunk};
use crate::support::error::{IoContext, LabError};
use crate::support::rig::daemon::{Daemon, Program};
use crate::support::roots::{AsteriskVersion, Root, progress_on_stderr};
use crate::{Primary, Way};

/// For what is left of a block to end.
const DRAIN: Duration = Duration::from_secs(60);

/// Who a caller is: `d` (plain `Dial()`), `a` or `s` before the number says who carries the call.
const CALLERS: &str = "[through-local]\n\
    exten => _[das][89]X.,1,Dial(Local/${EXTEN}@as-it-comes/n)\n\
    [as-it-comes]\n\
    exten => _d[89]X.,1,Goto(by-hand,${EXTEN:1},1)\n\
    exten => _a[89]X.,1,Set(CB_ENGINE=agi)\n same => n,Goto(default,${EXTEN:1},1)\n\
    exten => _s[89]X.,1,Set(CB_ENGINE=stasis)\n same => n,Goto(default,${EXTEN:1},1)\n\
    [by-hand]\n\
    exten => _9X.,1,Dial(PJSIP/${EXTEN:1}@primary,,o)\n\
    same => n,GotoIf($[\"${DIALSTATUS}\" = \"CONGESTION\" | \"${DIALSTATUS}\" = \"CHANUNAVAIL\"]?backup:end)\n\
    same => n(backup),Dial(PJSIP/${EXTEN:1}@backup,,o)\n\
    same => n(end),Hangup()\n\
    exten => _8X.,1,Dial(PJSIP/${EXTEN:1}@backup,,o)\n\
    same => n,Hangup()\n\
    exten => h,1,Goto(default,h,1)\n";

/// Everything that runs.
pub struct Stand {
    /// Who has which port.
    pub ports: Ports,
    asterisk: Asterisk,
    daemon: Daemon,
    next_number: u64,
    _carriers: [Running; 2],
    directory: TempDir,
}

/// Who the callers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Caller {
    /// A dialer: it originates a Local channel, as VICIdial does, and nobody listens before the answer
    Dialer,
    /// A telephone: its own channel dials, and hears what the carrier plays before the answer
    Telephone,
}

impl Caller {
    const fn context(self) -> &'static str {
        match self {
            Self::Dialer => "through-local",
            Self::Telephone => "as-it-comes",
        }
    }
}

/// What a block of calls took.
pub struct Cost {
    /// The numbers that were called.
    pub numbers: Vec<String>,
    /// CPU time of Asterisk, from the first call until nothing was left of any.
    pub asterisk_cpu: Duration,
    /// The same of the daemon.
    pub daemon_cpu: Duration,
}

/// A carrier's dialplan entry.
fn entry(prefix: char, trunk: &str) -> String {
    format!(
        "exten => _{prefix}1NXXNXXXXXX,1,Dial(PJSIP/${{EXTEN:1}}@{trunk},,o)\n\
         exten => _{prefix}1NXXNXXXXXX,2,Hangup()\n"
    )
}

impl Stand {
    /// Starts everything; carriers `PRIMARY` and `BACKUP`, and `BACKUP` behind `PRIMARY`.
    pub async fn start(version: AsteriskVersion, caller_kind: Caller) -> Result<Self, LabError> {
        sipp::install()?;
        let root = Root::ensure(version, progress_on_stderr).await?;
        let directory = tempfile::tempdir().context(|| "make a directory".to_owned())?;
        let [caller, refuses, answers] = free_ports()?;
        let carriers = [
            sipp::carrier(directory.path(), Carrier::Refuses, refuses)?,
            sipp::carrier(directory.path(), Carrier::Answers, answers)?,
        ];
        let mut inbound = Trunk::pjsip("caller", Ports::address(caller));
        inbound
            .extra
            .push_str(&format!("context = {}\n", caller_kind.context()));
        let entries = [("PRIMARY", entry('9', "primary")), ("BACKUP", entry('8', "backup"))];
        let mut config = AsteriskConfig::new(4577)
            .trunk(Trunk::pjsip("primary", Ports::address(refuses)))
            .trunk(Trunk::pjsip("backup", Ports::address(answers)))
            .trunk(inbound);
        config.extra_dialplan.push_str(CALLERS);
        let database = directory.path().join("crankback.db");
        let url = StoreUrl::sqlite(&database);
        Store::open(&url, IfMissing::Create).await.map_err(told)?.close().await;
        let tables = rusqlite::Connection::open(&database).map_err(told)?;
        for (id, entry) in &entries {
            let guarded = wrap_dialplan_entry(&CarrierId::from(*id), entry).map_err(told)?;
            config = config.carrier_entry(&guarded);
            tables
                .execute(
                    "INSERT INTO vicidial_server_carriers (carrier_id, carrier_name, template_id, protocol, \
                     dialplan_entry, server_ip, active) VALUES (?1, ?1, '--NONE--', 'PJSIP', ?2, '0.0.0.0', 'Y')",
                    (id, guarded),
                )
                .map_err(told)?;
        }
        config.dialplan_files.push(PathBuf::from(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/asterisk/extensions-crankback.conf"
        )));
        eprintln!("starting Asterisk {version}");
        let asterisk = Asterisk::start(&root, config).await?;

        let path = |name: &str| directory.path().join(name).display().to_string();
        let file = directory.path().join("crankback.toml");
        let text = format!(
            "[store]\nurl = \"sqlite://{}\"\n[server]\nip = \"127.0.0.1\"\n[ari]\nurl = \"http://127.0.0.1:{}\"\n\
             username = \"{ARI_USER}\"\npassword = \"{ARI_PASSWORD}\"\n\
             [agi]\nlisten = \"127.0.0.1:{}\"\n[attempts]\nspool = \"{}\"\n[control]\nsocket = \"{}\"\n\
             [health]\nsteering = \"watches\"\n[probe]\noptions = \"off\"\n\
             [metrics]\nlisten = \"off\"\n[log]\nlevel = \"warn\"\n",
            database.display(),
            asterisk.ports().http,
            asterisk.ports().agi,
            path("spool"),
            path("control.sock"),
        );
        std::fs::write(&file, text).context(|| format!("write {}", file.display()))?;
        let program = Program::itself()?;
        let route = "route add --entry PRIMARY --carrier BACKUP --priority 2";
        program.run(&file, &route.split(' ').collect::<Vec<_>>())?;
        let daemon = Daemon::start(&program, &file, directory.path()).await?;
        let ports = Ports {
            asterisk: asterisk.ports().sip_udp,
            caller,
            refuses,
            answers,
        };
        Ok(Self {
            ports,
            asterisk,
            daemon,
            next_number: 13_122_000_000,
            _carriers: carriers,
            directory,
        })
    }

    /// A file in the stand's directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Places so many calls at that rate and waits until nothing is left of them.
    pub async fn block(&mut self, way: Way, primary: Primary, per_second: u32, count: u32) -> Result<Cost, LabError> {
        let numbers: Vec<String> = (0..count)
            .map(|_| {
                self.next_number += 1;
                self.next_number.to_string()
            })
            .collect();
        let who = match way {
            Way::Native => 'd',
            Way::Agi => 'a',
            Way::Stasis => 's',
        };
        let prefix = match primary {
            Primary::Refuses => format!("{who}9"),
            Primary::Healthy => format!("{who}8"),
        };
        let before = self.cpu()?;
        let directory = self.directory.path().to_owned();
        let ports = (self.ports.caller, self.ports.asterisk);
        let load = tokio::task::spawn_blocking(move || {
            sipp::call_all(&directory, ports, &prefix, &numbers, per_second).map(|()| numbers)
        });
        let numbers = load.await.map_err(told)??;
        self.wait_until_empty().await?;
        let after = self.cpu()?;
        Ok(Cost {
            numbers,
            asterisk_cpu: after.0 - before.0,
            daemon_cpu: after.1 - before.1,
        })
    }

    async fn wait_until_empty(&self) -> Result<(), LabError> {
        let began = Instant::now();
        while self.asterisk.channel_count().await? > 0 {
            if began.elapsed() > DRAIN {
                return Err(LabError::Timeout {
                    what: "end of all calls".to_owned(),
                    after: DRAIN,
                });
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// CPU time that Asterisk and the daemon have taken so far.
    fn cpu(&self) -> Result<(Duration, Duration), LabError> {
        Ok((cpu_of(self.asterisk.pid()?)?, cpu_of(self.daemon.pid())?))
    }
}

/// Ports that nobody uses now; SIPp takes them at once.
fn free_ports() -> Result<[u16; 3], LabError> {
    let bind = || std::net::UdpSocket::bind("127.0.0.1:0");
    let look = || -> std::io::Result<[u16; 3]> {
        let sockets = [bind()?, bind()?, bind()?];
        let [a, b, c] = sockets.each_ref().map(std::net::UdpSocket::local_addr);
        Ok([a?.port(), b?.port(), c?.port()])
    };
    look().context(|| "find free ports".to_owned())
}

fn told(error: impl std::fmt::Display) -> LabError {
    LabError::Missing(error.to_string())
}
