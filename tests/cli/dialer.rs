//! A dialer's directory, the program run on it, and what the program did.

use std::path::PathBuf;
use std::process::Command;

use crankback::carrier::CarrierId;
use crankback::store::{IfMissing, Store, StoreUrl};
use crankback::vicidial::dial_line::wrap_dialplan_entry;
use serde_json::Value;
use tempfile::TempDir;

/// In every configuration here; no output may ever hold it.
pub(super) const PASSWORD: &str = "hunter2-is-secret";

/// What a command did.
pub(super) struct Done {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Done {
    #[track_caller]
    pub(super) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        if code == 0 {
            assert_eq!(self.stderr, "");
        }
        self
    }

    /// Exit 1, nothing on standard output, one complaint.
    #[track_caller]
    pub(super) fn refused(self) -> String {
        let done = self.expect(1);
        assert_eq!(done.stdout, "");
        done.stderr
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {}", self.stdout))
    }
}

/// A dialer's directory: configuration and database.
pub(super) struct Dialer {
    pub(super) directory: TempDir,
}

impl Dialer {
    /// With a configuration but no database.
    pub(super) fn configured(ari: &str) -> Self {
        let dialer = Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
        };
        dialer.write_config(&format!(
            "[store]\nurl = \"{}\"\n[server]\nip = \"10.0.0.7\"\n[ari]\nurl = \"{ari}\"\nusername = \"crankback\"\n\
             password = \"{PASSWORD}\"\n[attempts]\nspool = \"{}\"\n",
            dialer.url(),
            dialer.directory.path().join("spool").display()
        ));
        dialer
    }

    /// With the carriers PRIMARY (dial prefix 9), BACKUP (dial prefix 8, all servers) and BARE (no dialplan entry), and with
    /// carriers that are another server's, inactive, and not to be understood.
    pub(super) async fn with_carriers(ari: &str) -> Self {
        let dialer = Self::configured(ari);
        dialer.store().await.close().await;
        dialer.carrier("PRIMARY", "10.0.0.7", "Y", &dials("_91NXXNXXXXXX", "primary"));
        dialer.carrier("BACKUP", "0.0.0.0", "Y", &dials("_81NXXNXXXXXX", "backup"));
        dialer.carrier("BARE", "10.0.0.7", "Y", "");
        dialer.carrier("ELSEWHERE", "10.0.0.8", "Y", &dials("_71NXXNXXXXXX", "elsewhere"));
        dialer.carrier("INACTIVE", "10.0.0.7", "N", &dials("_61NXXNXXXXXX", "inactive"));
        dialer.sql("INSERT INTO vicidial_campaigns VALUES ('TEST', '9', 26)");
        dialer
    }

    pub(super) fn add_broken_carrier(&self) {
        self.carrier(
            "BROKEN",
            "10.0.0.7",
            "Y",
            "exten => _5X.,1,NoOp()\nexten => _5X.,2,Dial(DAHDI/g1/${EXTEN:1},,To)\n",
        );
    }

    pub(super) fn carrier(&self, id: &str, server_ip: &str, active: &str, dialplan: &str) {
        let account = format!(
            "[{0}]\ntype = wizard\nremote_hosts = sip.{0}.example:5060\n",
            id.to_lowercase()
        );
        self.database()
            .execute(
                "INSERT INTO vicidial_server_carriers \
                 (carrier_id, carrier_name, protocol, account_entry, dialplan_entry, server_ip, active) \
                 VALUES (?, ?, 'PJSIP_WIZ', ?, ?, ?, ?)",
                (id, format!("{id} Ltd"), account, dialplan, server_ip, active),
            )
            .expect("the carrier is written");
    }

    /// Puts the line that hands calls to crankback into a carrier's dialplan entry.
    pub(super) fn hand_over(&self, id: &str) {
        let pattern = "_91NXXNXXXXXX";
        let entry = wrap_dialplan_entry(&CarrierId::from(id), &dials(pattern, &id.to_lowercase()));
        self.database()
            .execute(
                "UPDATE vicidial_server_carriers SET dialplan_entry = ? WHERE carrier_id = ?",
                (entry.expect("the entry can be guarded"), id),
            )
            .expect("the carrier is written");
    }

    pub(super) fn database_path(&self) -> PathBuf {
        self.directory.path().join("crankback.db")
    }

    pub(super) fn url(&self) -> StoreUrl {
        StoreUrl::sqlite(self.database_path())
    }

    /// A store of this process, as the daemon's beside the command line.
    pub(super) async fn store(&self) -> Store {
        Store::open(&self.url(), IfMissing::Create)
            .await
            .expect("the store opens")
    }

    pub(super) fn database(&self) -> rusqlite::Connection {
        let database = rusqlite::Connection::open(self.database_path()).expect("the database opens");
        database
            .busy_timeout(std::time::Duration::from_secs(5))
            .expect("a timeout");
        database
    }

    pub(super) fn sql(&self, statement: &str) {
        self.database().execute_batch(statement).expect("the statement runs");
    }

    pub(super) fn count_routes(&self) -> i64 {
        let count = "SELECT COUNT(*) FROM crankback_outbound_routes";
        self.database()
            .query_row(count, [], |row| row.get(0))
            .expect("the routes are counted")
    }

    pub(super) fn config_path(&self) -> PathBuf {
        self.directory.path().join("crankback.toml")
    }

    pub(super) fn write_config(&self, text: &str) {
        std::fs::write(self.config_path(), text).expect("the configuration is written");
    }

    pub(super) fn append_config(&self, text: &str) {
        let before = std::fs::read_to_string(self.config_path()).expect("the configuration is read");
        self.write_config(&(before + text));
    }

    /// Runs `crankback --config <this dialer's>` with `arguments`, parted by blanks.
    #[track_caller]
    pub(super) fn run(&self, arguments: &str) -> Done {
        self.run_with(arguments, &[])
    }

    #[track_caller]
    pub(super) fn run_with(&self, arguments: &str, environment: &[(&str, &str)]) -> Done {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        self.run_words(&arguments, environment)
    }

    /// The same with arguments that have blanks in them.
    #[track_caller]
    pub(super) fn run_words(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Done {
        let config = self.config_path();
        let mut all = vec!["--config", config.to_str().expect("a path of text")];
        all.extend(arguments);
        let socket = self.control_socket();
        crankback(
            &all,
            &[&[("CRANKBACK_CONTROL__SOCKET", socket.as_str())], environment].concat(),
        )
    }

    /// A socket of its own: a daemon that happens to run on this machine is not to be reached.
    pub(super) fn control_socket(&self) -> String {
        let socket = self.directory.path().join("control.sock");
        socket.to_str().expect("a path of text").to_owned()
    }
}

/// A dialplan entry as VICIdial's manual shows it: drops the dial prefix of one digit.
pub(super) fn dials(pattern: &str, peer: &str) -> String {
    format!(
        "exten => {pattern},1,AGI(agi://127.0.0.1:4577/call_log)\n\
         exten => {pattern},2,Dial(PJSIP/${{EXTEN:1}}@{peer},${{CAMPDTO}},To)\n\
         exten => {pattern},3,Hangup()\n"
    )
}

#[track_caller]
pub(super) fn crankback(arguments: &[&str], environment: &[(&str, &str)]) -> Done {
    let output = Command::new(env!("CARGO_BIN_EXE_crankback"))
        .args(arguments)
        .env_clear()
        .env("CRANKBACK_ASTGUICLIENT", "")
        .envs(environment.iter().copied())
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(
        !stdout.contains(PASSWORD) && !stderr.contains(PASSWORD),
        "a secret was printed:\n{stdout}\n{stderr}"
    );
    Done {
        code: output.status.code().expect("ends by itself"),
        stdout,
        stderr,
    }
}

#[track_caller]
pub(super) fn assert_holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}
