//! A private MariaDB server: files in a temporary directory, one port on loopback, gone when its value is, or this process.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, mpsc};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::host::{is_running, lab_directory, run};
use super::packages;
use super::roots::progress_on_stderr;

/// The account of the tests themselves; it may do everything.
const ADMINISTRATOR: &str = "administrator";
/// Every account's password. No output of the program may ever hold it.
pub const PASSWORD: &str = "hunter2-is-secret";
const PORT_ATTEMPTS: u32 = 5;
/// The servers' directories begin so, and hold the process id of whoever made them.
const PREFIX: &str = "mariadb-";
const OWNER: &str = "owner";
/// A server that starts deletes the temporary tables of every other one in the same directory.
const TEMPORARY: &str = "tmp";

/// How a server is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// As MariaDB comes: strict mode, InnoDB, utf8mb4.
    Defaults,
    /// As VICIdial's installers leave it: not strict, MyISAM, latin1.
    Vicidial,
}

impl Flavour {
    const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Defaults => &[
                "--sql-mode=STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
                "--character-set-server=utf8mb4",
            ],
            Self::Vicidial => &[
                "--sql-mode=NO_ENGINE_SUBSTITUTION",
                "--default-storage-engine=MyISAM",
                "--character-set-server=latin1",
            ],
        }
    }
}

/// VICIdial's tables as a VICIdial of today has them, as far as they are read or written, and one column more.
pub const VICIDIAL_TABLES: &str = "
CREATE TABLE vicidial_server_carriers (
  carrier_id          VARCHAR(15)  NOT NULL UNIQUE,
  carrier_name        VARCHAR(50)  NOT NULL,
  registration_string VARCHAR(255),
  template_id         VARCHAR(15)  NOT NULL,
  account_entry       TEXT,
  protocol            ENUM('SIP', 'PJSIP', 'PJSIP_WIZ', 'Zap', 'IAX2', 'EXTERNAL') DEFAULT 'SIP',
  globals_string      VARCHAR(255),
  dialplan_entry      TEXT,
  server_ip           VARCHAR(15)  NOT NULL,
  active              ENUM('Y', 'N') DEFAULT 'Y',
  carrier_description VARCHAR(255),
  user_group          VARCHAR(20)  DEFAULT '---ALL---'
) ENGINE=MyISAM;
CREATE TABLE vicidial_campaigns (
  campaign_id  VARCHAR(8) NOT NULL PRIMARY KEY,
  active       ENUM('Y', 'N'),
  dial_timeout TINYINT UNSIGNED DEFAULT 60,
  dial_prefix  CHAR(20) DEFAULT '9'
) ENGINE=MyISAM;
CREATE TABLE vicidial_conf_templates (
  template_id       VARCHAR(15) NOT NULL UNIQUE,
  template_name     VARCHAR(50) NOT NULL DEFAULT '',
  template_contents TEXT
) ENGINE=MyISAM;
CREATE TABLE servers (
  server_id              VARCHAR(10) NOT NULL DEFAULT '',
  server_ip              VARCHAR(15) NOT NULL UNIQUE,
  active                 ENUM('Y', 'N'),
  active_asterisk_server ENUM('Y', 'N') DEFAULT 'Y',
  generate_vicidial_conf ENUM('Y', 'N') DEFAULT 'Y',
  rebuild_conf_files     ENUM('Y', 'N') DEFAULT 'N',
  custom_dialplan_entry  TEXT
) ENGINE=MyISAM;
CREATE TABLE system_settings (
  allow_custom_dialplan ENUM('0', '1') DEFAULT '0'
) ENGINE=MyISAM;
CREATE TABLE vicidial_admin_log (
  admin_log_id  INT(9) UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL,
  event_date    DATETIME     NOT NULL,
  user          VARCHAR(20)  NOT NULL,
  ip_address    VARCHAR(15)  NOT NULL,
  event_section VARCHAR(30)  NOT NULL,
  event_type    ENUM('ADD', 'COPY', 'MODIFY', 'DELETE', 'OTHER') DEFAULT 'OTHER',
  record_id     VARCHAR(50)  NOT NULL,
  event_code    VARCHAR(255) NOT NULL,
  event_sql     MEDIUMTEXT,
  event_notes   MEDIUMTEXT,
  user_group    VARCHAR(20)  DEFAULT '---ALL---',
  INDEX (user),
  INDEX (event_section),
  INDEX (record_id)
) ENGINE=MyISAM;
";

/// VICIdial's table of trunk channels for the dialer 127.0.0.1.
pub const RECENT_CHANNELS: &str = "cid_channels_recent_127000000001";
/// That table, with VICIdial's columns, in the server's own engine.
pub const RECENT_CHANNELS_TABLE: &str = "
CREATE TABLE cid_channels_recent_127000000001 (
  caller_id_name      VARCHAR(30) NOT NULL,
  connected_line_name VARCHAR(30) NOT NULL,
  call_date           DATETIME,
  channel             VARCHAR(100) DEFAULT '',
  dest_channel        VARCHAR(100) DEFAULT '',
  linkedid            VARCHAR(20)  DEFAULT '',
  dest_uniqueid       VARCHAR(20)  DEFAULT '',
  uniqueid            VARCHAR(20)  DEFAULT ''
);
CREATE INDEX recent_channels_by_date ON cid_channels_recent_127000000001 (call_date);
";

/// Installs the server's program where it is missing: the packages without a service.
pub fn install() {
    let programs = [
        ("mariadbd", "mariadb-server-core"),
        ("my_print_defaults", "mariadb-client-core"),
        ("openssl", "openssl"),
    ];
    packages::ensure(&programs, progress_on_stderr).unwrap_or_else(|error| panic!("{error}"));
}

/// Where the servers' directories are.
fn home() -> PathBuf {
    let home = lab_directory().join("mariadb");
    std::fs::create_dir_all(&home).unwrap_or_else(|error| panic!("{}: {error}", home.display()));
    home
}

/// Removes what tests left behind that were killed.
pub fn clean_up() {
    for directory in std::fs::read_dir(home())
        .expect("the directory can be read")
        .flatten()
        .map(|entry| entry.path())
    {
        let is_ours = directory
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        let owner = std::fs::read_to_string(directory.join(OWNER)).ok();
        let owner = owner.and_then(|pid| pid.parse().ok());
        if is_ours && owner.is_some_and(|pid| !is_running(pid)) {
            let _somebody_else_did = std::fs::remove_dir_all(directory);
        }
    }
}

/// A server.
pub struct Server {
    flavour: Flavour,
    directory: TempDir,
    port: u16,
    more_options: Vec<String>,
    process: Mutex<Option<Child>>,
    databases: AtomicU32,
}

impl Server {
    /// Makes the files and starts the server.
    pub fn start(flavour: Flavour) -> Self {
        Self::start_with(flavour, |_| Vec::new())
    }

    /// The same, with more options; they may name files that `prepare` puts into the directory.
    pub fn start_with(flavour: Flavour, prepare: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let directory = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(home())
            .expect("a temporary directory");
        std::fs::write(directory.path().join(OWNER), std::process::id().to_string()).expect("the owner is noted");
        let data = directory.path().join("data");
        std::fs::create_dir(directory.path().join(TEMPORARY)).expect("a directory is made");
        run(Command::new(program("mariadb-install-db"))
            .env("TMPDIR", directory.path().join(TEMPORARY))
            .args([
                "--no-defaults",
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
            ])
            .args(as_root_only())
            .arg(format!("--datadir={}", data.display())))
        .unwrap_or_else(|error| panic!("{error}"));
        let first_statements = format!(
            "CREATE OR REPLACE USER '{ADMINISTRATOR}'@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON *.* TO '{ADMINISTRATOR}'@'%' WITH GRANT OPTION;\n"
        );
        std::fs::write(directory.path().join("init.sql"), first_statements).expect("the first statements are written");
        let more_options = prepare(directory.path());
        let mut server = Self {
            flavour,
            directory,
            port: 0,
            more_options,
            process: Mutex::new(None),
            databases: AtomicU32::new(0),
        };
        for attempt in 1.. {
            server.port = free_port();
            match server.launch() {
                Ok(process) => {
                    server.process = Mutex::new(Some(process));
                    break;
                }
                // Somebody else took the port between our look and the server's start.
                Err(log) if attempt < PORT_ATTEMPTS && log.contains("in use") => {}
                Err(log) => panic!("mariadbd did not start:\n{log}"),
            }
        }
        server
    }

    /// Runs the program until it says that it is ready; what it said when it ended instead.
    fn launch(&self) -> Result<Child, String> {
        let directory = self.directory.path();
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL"])
            .arg(program("mariadbd"))
            .env("TMPDIR", directory.join(TEMPORARY))
            .arg("--no-defaults")
            .args(as_root_only())
            .arg(format!("--datadir={}", directory.join("data").display()))
            // Relative to the data: a socket's path must be short.
            .arg("--socket=socket")
            .arg(format!("--init-file={}", directory.join("init.sql").display()))
            .arg(format!("--port={}", self.port))
            .args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin"])
            .args(["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M"])
            .args(self.flavour.options())
            .args(&self.more_options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let (process, ready) = run_until_ready(command);
        let mut process = process.recv().expect("setpriv starts");
        match ready.recv().expect("the reader tells") {
            Ok(()) => Ok(process),
            Err(log) => {
                let _ended = process.wait();
                Err(log)
            }
        }
    }

    /// Starts the server again on the same port and files.
    pub fn restart(&self) {
        let process = self
            .launch()
            .unwrap_or_else(|log| panic!("mariadbd did not start again:\n{log}"));
        *self.process.lock().expect("nobody panicked") = Some(process);
    }

    /// Ends the server at once, as a power cut would.
    pub fn kill(&self) {
        self.end(Signal::SIGKILL);
    }

    /// Ends the server in order.
    pub fn stop(&self) {
        self.end(Signal::SIGTERM);
    }

    fn end(&self, signal: Signal) {
        if let Some(mut process) = self.process.lock().expect("nobody panicked").take() {
            send(&process, signal);
            process.wait().expect("the server ends");
        }
    }

    /// Sends a signal that does not end the server.
    pub fn signal(&self, signal: Signal) {
        let process = self.process.lock().expect("nobody panicked");
        send(process.as_ref().expect("the server runs"), signal);
    }

    /// How it is set up.
    pub const fn flavour(&self) -> Flavour {
        self.flavour
    }

    /// Its port on loopback.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The server's process id; 0 while it is stopped.
    pub fn pid(&self) -> u32 {
        let process = self.process.lock().expect("nobody panicked");
        process.as_ref().map_or(0, Child::id)
    }

    /// Its directory, for files beside its data.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The address of a database for one of the accounts.
    pub fn url(&self, user: &str, database: &str) -> String {
        format!("mysql://{user}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// A connection of the administrator, as another program would have it.
    pub async fn administrator(&self) -> Conn {
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.port)
            .user(Some(ADMINISTRATOR))
            .pass(Some(PASSWORD))
            .prefer_socket(false);
        Conn::new(options).await.expect("the administrator connects")
    }

    /// A new database, on which `cron` has what VICIdial gives it, and `custom` may CREATE and ALTER too.
    pub async fn new_database(&self) -> String {
        let database = format!("asterisk_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut administrator = self.administrator().await;
        for statement in [
            format!("CREATE DATABASE {database}"),
            format!("CREATE USER IF NOT EXISTS cron@'%' IDENTIFIED BY '{PASSWORD}'"),
            format!("CREATE USER IF NOT EXISTS custom@'%' IDENTIFIED BY '{PASSWORD}'"),
            format!("GRANT SELECT, INSERT, UPDATE, DELETE, LOCK TABLES ON {database}.* TO cron@'%'"),
            format!("GRANT SELECT, INSERT, UPDATE, DELETE, LOCK TABLES, ALTER, CREATE ON {database}.* TO custom@'%'"),
        ] {
            administrator.query_drop(statement).await.expect("the statement runs");
        }
        administrator.disconnect().await.expect("leaves");
        database
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn send(process: &Child, signal: Signal) {
    let pid = i32::try_from(process.id()).expect("is a process id");
    kill(Pid::from_raw(pid), signal).expect("the server can be signalled");
}

/// Runs the server and reads its log to the end, lest it blocks: the process, and whether it is ready. A log that ends is an
/// error.
///
/// A thread of its own does both: the process would not outlive the thread that starts it.
fn run_until_ready(mut command: Command) -> (mpsc::Receiver<Child>, mpsc::Receiver<Result<(), String>>) {
    let (started, process) = mpsc::channel();
    let (ready, is_ready) = mpsc::channel();
    std::thread::spawn(move || {
        let mut process = command.spawn().expect("setpriv starts");
        let log = process.stderr.take().expect("is piped");
        let _nobody_waits = started.send(process);
        let mut seen = String::new();
        for line in BufReader::new(log).lines().map_while(Result::ok) {
            if line.contains("ready for connections") {
                let _nobody_waits = ready.send(Ok(()));
            }
            seen.push_str(&line);
            seen.push('\n');
        }
        let _was_ready_before = ready.send(Err(seen));
    });
    (process, is_ready)
}

/// MariaDB refuses to run as root unless it is told to.
fn as_root_only() -> Option<&'static str> {
    let user = std::fs::metadata("/proc/self").expect("this process exists").uid();
    (user == 0).then_some("--user=root")
}

/// Daemons stand in `/usr/sbin`, which is not on every user's path.
fn program(name: &str) -> PathBuf {
    let in_sbin = Path::new("/usr/sbin").join(name);
    if in_sbin.exists() { in_sbin } else { PathBuf::from(name) }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("has an address").port()
}
