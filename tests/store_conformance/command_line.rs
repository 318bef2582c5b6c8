//! `crankback db`, run as a program.

use std::path::PathBuf;
use std::process::Command;

use crankback::store::{Store, StoreUrl};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::rows::{add, attempt, route};
use super::stage::{Place, Stage};
use super::support::mariadb::PASSWORD;
use super::{Case, NEWEST, cases};

pub const CASES: [(&str, Case); 4] = cases![
    migrate_says_what_it_applied,
    status_counts_and_tells_ages,
    import_moves_everything_or_nothing,
    a_command_that_finds_no_tables_names_the_one_that_makes_them,
];

/// A configuration for a database, in a directory of its own.
struct Program {
    directory: TempDir,
}

/// What a command did.
struct Done {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Program {
    fn configured() -> Self {
        let program = Self {
            directory: tempfile::tempdir().expect("a temporary directory"),
        };
        let text = "[server]\nip = \"10.0.0.7\"\n[ari]\nusername = \"crankback\"\npassword = \"x\"\n";
        std::fs::write(program.config(), text).expect("is written");
        program
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("crankback.toml")
    }

    /// Runs the program on a database; the password comes from the environment, and is nowhere in what it says.
    fn run(&self, url: &StoreUrl, arguments: &[&str]) -> Done {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crankback"));
        command
            .args(arguments)
            .env_clear()
            .env("CRANKBACK_ASTGUICLIENT", "")
            .env("CRANKBACK_CONFIG", self.config())
            .env("CRANKBACK_STORE__URL", url.to_string());
        if url.has_password() {
            command.env("CRANKBACK_STORE__PASSWORD", PASSWORD);
        }
        let output = command.output().expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        let done = Done {
            code: output.status.code().expect("ends by itself"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!(
            !format!("{}{}", done.stdout, done.stderr).contains(PASSWORD),
            "a secret was printed"
        );
        done
    }
}

impl Done {
    #[track_caller]
    fn expect(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        if code == 1 { self.stderr } else { self.stdout }
    }

    #[track_caller]
    fn json(self, code: i32) -> Value {
        serde_json::from_str(&self.expect(code)).expect("is JSON")
    }
}

async fn migrate_says_what_it_applied(stage: Stage) {
    let scene = stage.beside_vicidial("crankback.db").await;
    let program = Program::configured();
    let url = scene.url_for("custom");
    let text = program.run(&url, &["db", "migrate"]).expect(0);
    assert_eq!(
        text,
        format!(
            "{url}: applied 0001_routes_and_attempts, 0002_vicidial_tables, 0003_audit, 0004_vicidial_edits, 0005_carriers, 0006_carrier_limits, 0007_attempt_evidence, 0008_health, 0009_carrier_engine, 0010_originals, 0011_vicidial_admin_log, 0012_carrier_overlay, 0013_carrier_probe\n"
        )
    );
    let json = program.run(&scene.url(), &["-o", "json", "db", "migrate"]).json(0);
    assert_eq!(json, json!({ "url": scene.url().to_string(), "applied": [] }));
}

async fn status_counts_and_tells_ages(stage: Stage) {
    let scene = stage.beside_vicidial("crankback.db").await;
    scene.sql("CREATE TABLE IF NOT EXISTS something_else (id BIGINT)").await;
    let program = Program::configured();
    let before = program.run(&scene.url(), &["db", "status"]).expect(2);
    for part in [
        &*format!("schema                     0; this program needs {NEWEST}: run `crankback db migrate`"),
        "no such table",
    ] {
        assert!(before.contains(part), "{part:?} is missing in\n{before}");
    }

    scene.migrate().await;
    let store = scene.open().await;
    add(&store, route("BACKUP")).await;
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("is later");
    let now_ms = i64::try_from(now.as_millis()).expect("fits");
    let attempts = vec![attempt("a", 1, now_ms - 7_300_000), attempt("a", 2, now_ms)];
    store.insert_attempts(attempts).await.expect("are written");
    let json = program.run(&scene.url(), &["-o", "json", "db", "status"]).json(0);
    let oldest = json["oldest_attempt_age_s"].as_i64().expect("is a number");
    assert!((7_300..7_400).contains(&oldest), "{json}");
    assert_eq!(json["url"], scene.url().to_string());
    assert_eq!(
        (&json["schema"], &json["needed"], &json["state"]),
        (&json!(NEWEST), &json!(NEWEST), &json!("current"))
    );
    let rows = json!({ "crankback_outbound_routes": 1, "crankback_carriers": 0, "crankback_attempts": 2, "crankback_audit": 1, "crankback_health": 0, "crankback_originals": 0,
                       "vicidial_server_carriers": 0, "vicidial_conf_templates": 0, "servers": 0, "vicidial_campaigns": 0 });
    assert_eq!(json["rows"], rows);
    let text = program.run(&scene.url(), &["db", "status"]).expect(0);
    for part in [&*format!("{NEWEST}; up to date"), "1 row\n", "2 rows", "from 2 h to "] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }

    scene
        .sql("INSERT INTO crankback_meta VALUES ('migration.0099', 1)")
        .await;
    let newer = program.run(&scene.url(), &["-o", "json", "db", "status"]);
    assert_eq!(
        (newer.code, newer.stdout.contains("unusable")),
        (1, true),
        "{}",
        newer.stdout
    );
}

async fn import_moves_everything_or_nothing(stage: Stage) {
    let elsewhere = Stage::new(Place::Sqlite);
    let (from, source) = elsewhere.store().await;
    add(&source, route("BACKUP")).await;
    source.close().await;
    let (scene, target) = stage.store().await;
    target
        .insert_attempts(vec![attempt("a", 1, 1)])
        .await
        .expect("is written");
    target.close().await;
    let program = Program::configured();
    let (from, to) = (from.url().to_string(), scene.url());

    let refused = program.run(&to, &["db", "import", &from]).expect(1);
    assert!(refused.contains("has rows in crankback_attempts"), "{refused}");
    let json = program
        .run(&to, &["-o", "json", "db", "import", "--replace", &from])
        .json(0);
    let rows = json!({ "crankback_outbound_routes": 1, "crankback_carriers": 0, "crankback_attempts": 0, "crankback_audit": 1, "crankback_health": 0, "crankback_originals": 0 });
    assert_eq!(json, json!({ "from": from, "to": to.to_string(), "rows": rows }));
    let status = Store::status(&to).await.expect("is looked at");
    assert_eq!(
        status.tables[..6],
        [
            ("crankback_outbound_routes", Some(1)),
            ("crankback_carriers", Some(0)),
            ("crankback_attempts", Some(0)),
            ("crankback_audit", Some(1)),
            ("crankback_health", Some(0)),
            ("crankback_originals", Some(0))
        ]
    );

    let with_password = format!("mysql://cron:{PASSWORD}@nowhere:port/asterisk");
    let refused = program.run(&to, &["db", "import", &with_password]).expect(1);
    assert!(refused.contains("FROM_URL must be sqlite://"), "{refused}");
    // Back again; on MariaDB the source's password stands in a file.
    let file = program.directory.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).expect("is written");
    let file = file.to_str().expect("is text");
    let back = elsewhere.bare("back.db").await;
    back.migrate().await;
    let arguments = ["db", "import", &to.to_string(), "--password-file", file];
    let text = program.run(&back.url(), &arguments).expect(0);
    assert!(text.contains("crankback_outbound_routes  1"), "{text}");
}

async fn a_command_that_finds_no_tables_names_the_one_that_makes_them(stage: Stage) {
    let scene = stage.bare("crankback.db").await;
    scene.sql("CREATE TABLE something_else (id BIGINT)").await;
    let program = Program::configured();
    let complaint = program.run(&scene.url(), &["route", "list"]).expect(1);
    assert!(complaint.contains("run `crankback db migrate`"), "{complaint}");
}
