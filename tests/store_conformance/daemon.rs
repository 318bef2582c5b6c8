//! The daemon on a MariaDB server that goes away and comes back, seen from its log. It needs no Asterisk for that.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use tempfile::TempDir;

use super::faults::store_on;
use super::support::mariadb::{Flavour, PASSWORD, Server};
use super::support::ports::ClosedTcpPort;
use super::{ServerCase, cases};

/// The daemon looks at its tables every second; the store's pause between connections comes on top.
const PATIENCE: Duration = Duration::from_secs(20);

pub const CASES: [(&str, ServerCase); 1] = cases![a_daemon_outlives_its_database];

/// A running daemon and its log.
struct Daemon {
    process: Child,
    log: Receiver<String>,
    _directory: TempDir,
    _asterisk: ClosedTcpPort,
}

impl Daemon {
    fn start(store_url: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let asterisk = ClosedTcpPort::take().expect("a closed port");
        let config = directory.path().join("crankback.toml");
        let text = format!(
            "[store]\nurl = \"{store_url}\"\npassword = \"{PASSWORD}\"\n[server]\nip = \"10.0.0.7\"\n\
             [ari]\nurl = \"http://{}\"\nusername = \"crankback\"\npassword = \"x\"\n\
             [attempts]\nspool = \"{}\"\n[control]\nsocket = \"{}\"\n",
            asterisk.address(),
            directory.path().join("spool").display(),
            directory.path().join("control.sock").display(),
        );
        std::fs::write(&config, text).expect("is written");
        let mut process = Command::new("setpriv")
            .args([
                "--pdeathsig",
                "KILL",
                env!("CARGO_BIN_EXE_crankback"),
                "run",
                "--config",
            ])
            .arg(&config)
            .env_clear()
            .env("CRANKBACK_ASTGUICLIENT", "")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the daemon starts");
        let lines = BufReader::new(process.stderr.take().expect("is piped")).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _nobody_reads = sender.send(line);
            }
        });
        Self {
            process,
            log,
            _directory: directory,
            _asterisk: asterisk,
        }
    }

    /// Reads the log until a line holds `text`; no line may hold the password.
    #[track_caller]
    fn says(&self, text: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(PASSWORD) => panic!("a secret was printed: {line}"),
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(RecvTimeoutError::Timeout) => panic!("the daemon never said {text:?}, but\n{}", seen.join("\n")),
                Err(RecvTimeoutError::Disconnected) => panic!("the daemon ended:\n{}", seen.join("\n")),
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended_before = self.process.kill();
        let _reaped = self.process.wait();
    }
}

async fn a_daemon_outlives_its_database(flavour: Flavour) {
    let server = Server::start(flavour);
    let (database, store) = store_on(&server).await;
    store.close().await;
    let url = format!("mysql://cron@127.0.0.1:{}/{database}", server.port());
    let daemon = Daemon::start(&url);
    daemon.says("tables read");

    server.kill();
    let away = daemon.says("the tables cannot be read: the last good ones serve");
    assert!(away.contains(&url), "{away}");
    server.restart();
    daemon.says("the tables are fresh again");

    let mut administrator = server.administrator().await;
    let edit = format!("INSERT INTO {database}.vicidial_campaigns VALUES ('NEW', '9', 26)");
    administrator.query_drop(edit).await.expect("is edited");
    daemon.says("tables read");
}
