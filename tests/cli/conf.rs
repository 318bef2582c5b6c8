//! `crankback conf`.

use std::path::PathBuf;

use serde_json::json;

use super::asterisk::{nothing, silent_asterisk};
use super::dialer::{Dialer, PASSWORD, assert_holds, dials};

const GUARD: &str = "ExecIf($[${DIALPLAN_EXISTS(crankback,s,1)}]?Gosub(crankback,s,1(PRIMARY,${EXTEN},";

pub(super) async fn dialer() -> Dialer {
    dialer_of(&nothing()).await
}

async fn dialer_of(asterisk: &str) -> Dialer {
    let dialer = Dialer::with_carriers(asterisk).await;
    dialer.sql("INSERT INTO servers (server_ip) VALUES ('10.0.0.7'), ('10.0.0.8')");
    dialer
}

impl Dialer {
    pub(super) fn etc(&self) -> PathBuf {
        self.directory.path().join("etc")
    }

    /// A directory of Asterisk's configuration as VICIdial leaves it, without ari.conf.
    pub(super) fn with_files(self) -> Self {
        std::fs::create_dir(self.etc()).expect("a directory");
        let extensions = "[globals]\nX => 1\n[default]\nexten => h,1,AGI(agi://127.0.0.1:4577/call_log--HVcauses)\n";
        for (name, text) in [("extensions.conf", extensions), ("http.conf", "[general]\n")] {
            std::fs::write(self.etc().join(name), text).expect("is written");
        }
        self
    }

    /// The options that keep a command in this dialer's directory.
    pub(super) fn places(&self) -> String {
        let originals = self.directory.path().join("originals");
        format!(
            "--asterisk-dir {} --originals-dir {}",
            self.etc().display(),
            originals.display()
        )
    }

    pub(super) fn entry(&self, id: &str) -> String {
        let sql = "SELECT dialplan_entry FROM vicidial_server_carriers WHERE carrier_id = ?";
        self.database().query_row(sql, [id], |row| row.get(0)).expect("the row")
    }

    pub(super) fn number(&self, sql: &str) -> i64 {
        self.database().query_row(sql, [], |row| row.get(0)).expect("a number")
    }
}

fn primary() -> String {
    dials("_91NXXNXXXXXX", "primary")
}

const LOGGED: &str =
    "SELECT COUNT(*) FROM vicidial_admin_log WHERE event_section = 'CARRIERS' AND record_id = 'PRIMARY'";
const DUE: &str = "SELECT COUNT(*) FROM servers WHERE rebuild_conf_files = 'Y'";

#[tokio::test]
async fn nothing_is_written_until_somebody_says_yes() {
    let dialer = dialer().await;
    let shown = dialer.run("conf install PRIMARY --no-files").expect(0).stdout;
    assert_holds(
        &shown,
        &[
            "--- carrier PRIMARY, dialplan_entry\n",
            "\n-exten => _91NXXNXXXXXX,2,Dial(PJSIP/${EXTEN:1}@primary,${CAMPDTO},To)\n",
            &format!("\n+exten => _91NXXNXXXXXX,2,{GUARD}"),
            "nothing was written: --yes does it",
        ],
    );
    dialer.run("conf diff PRIMARY --no-files").expect(2);
    assert_holds(
        &dialer.run("conf render PRIMARY --no-files").expect(0).stdout,
        &[
            "==> carrier PRIMARY, dialplan_entry <==\nexten => _91NXXNXXXXXX,1,AGI(",
            GUARD,
            ",3,Hangup()",
        ],
    );
    assert_eq!(dialer.entry("PRIMARY"), primary());
    assert_eq!((dialer.number(LOGGED), dialer.number(DUE)), (0, 0));
}

#[tokio::test]
async fn a_carrier_is_installed_once_and_put_back() {
    let dialer = dialer().await;
    let done = dialer
        .run("-o json conf install PRIMARY --no-files --wait-s 0 --yes")
        .expect(0)
        .json();
    assert_eq!(
        done["written"],
        json!({ "carriers": ["PRIMARY"], "custom_dialplan": null, "files": [] })
    );
    assert_holds(&dialer.entry("PRIMARY"), &[GUARD]);
    assert_eq!(
        (dialer.number(LOGGED), dialer.number(DUE)),
        (1, 1),
        "as the screen does"
    );
    dialer.sql("UPDATE servers SET rebuild_conf_files = 'N'");

    dialer.run("conf diff PRIMARY --no-files").expect(0);
    let again = dialer.run("conf install PRIMARY --no-files --yes").expect(0).stdout;
    assert_eq!(again, "nothing to change\n");
    assert_eq!((dialer.number(LOGGED), dialer.number(DUE)), (1, 0));

    dialer.run("conf uninstall --no-files").expect(0);
    assert_holds(&dialer.entry("PRIMARY"), &[GUARD]);
    dialer.run("conf uninstall --no-files --yes").expect(0);
    assert_eq!(dialer.entry("PRIMARY"), primary());
    assert_eq!((dialer.number(LOGGED), dialer.number(DUE)), (2, 1));
    assert_eq!(dialer.number("SELECT COUNT(*) FROM crankback_originals"), 0);
    let audit = "SELECT COUNT(*) FROM crankback_audit WHERE command IN ('conf_install', 'conf_uninstall')";
    assert_eq!(dialer.number(audit), 2);
    assert_eq!(
        dialer.run("conf uninstall --no-files --yes").expect(0).stdout,
        "nothing to change\n"
    );
}

#[tokio::test]
async fn an_edit_since_then_is_named_and_kept() {
    let dialer = dialer().await;
    dialer.run("conf install PRIMARY --no-files --wait-s 0 --yes").expect(0);
    let edited = dialer.entry("PRIMARY").replace("3,Hangup()", "3,NoOp()");
    dialer.sql(&format!(
        "UPDATE vicidial_server_carriers SET dialplan_entry = '{edited}' WHERE carrier_id = 'PRIMARY'"
    ));
    for command in ["install PRIMARY", "uninstall"] {
        assert_holds(
            &dialer.run(&format!("conf {command} --no-files --yes")).refused(),
            &[
                "carrier PRIMARY, dialplan entry, line 3: edited since it was installed",
                "it reads \"exten => _91NXXNXXXXXX,3,NoOp()\" now",
                "--adopt",
            ],
        );
    }
    assert_eq!(dialer.entry("PRIMARY"), edited);
    dialer.run("conf uninstall --no-files --adopt --yes").expect(0);
    assert_eq!(dialer.entry("PRIMARY"), primary().replace("3,Hangup()", "3,NoOp()"));
}

#[tokio::test]
async fn whose_calls_are_meant_is_told_or_asked() {
    let dialer = dialer().await;
    assert_holds(
        &dialer.run("conf install --no-files").refused(),
        &["no carrier has a backup yet: name the carriers"],
    );
    dialer.run("route add --entry PRIMARY --carrier BACKUP").expect(0);
    let plan = dialer.run("-o json conf install --no-files").expect(0).json();
    assert_eq!(plan["carriers"], json!(["PRIMARY"]), "the one that has a backup");
    assert_holds(
        &dialer.run("conf install ELSEWHERE --no-files").refused(),
        &[
            "no carrier ELSEWHERE for server 10.0.0.7",
            "it belongs to 10.0.0.8, install it there",
        ],
    );
    dialer.carrier(
        "TWO",
        "10.0.0.7",
        "Y",
        "exten => _5X.,1,Dial(SIP/a/${EXTEN}&SIP/b/${EXTEN})",
    );
    assert_holds(
        &dialer.run("conf install PRIMARY TWO --no-files --yes").refused(),
        &[
            "nothing was written:",
            "carrier TWO, line 1: several targets are dialled at once",
        ],
    );
    assert_eq!(dialer.entry("PRIMARY"), primary());
}

#[tokio::test]
async fn a_carrier_of_all_servers_tells_which_have_a_daemon() {
    let dialer = dialer().await;
    dialer.sql("INSERT INTO crankback_health (server_ip, taken_ms, snapshot) VALUES ('10.0.0.7', 1, '{}')");
    let shown = dialer.run("conf install BACKUP --no-files").expect(0).stdout;
    assert_holds(
        &shown,
        &[
            "server 10.0.0.7: has a daemon\n",
            "server 10.0.0.8: no daemon was ever seen there, it dials natively\n",
        ],
    );
}

#[tokio::test]
async fn options_of_dial_send_the_calls_to_the_engine_that_honours_them() {
    let dialer = dialer().await;
    let entry = "exten => _5X.,1,Dial(PJSIP/${EXTEN:1}@long,60,L(60000:30000)To)";
    dialer.carrier("LONG", "10.0.0.7", "Y", entry);
    let done = dialer
        .run("conf install LONG --no-files --wait-s 0 --yes")
        .expect(0)
        .stdout;
    assert_holds(
        &done,
        &["carrier LONG: the Dial options L(60000:30000) are honoured by the agi engine alone"],
    );
    assert_holds(
        &dialer.entry("LONG"),
        &["60,L(60000:30000)To)):Dial(PJSIP/${EXTEN:1}@long,60,L(60000:30000)To))"],
    );
    let engine = "SELECT COUNT(*) FROM crankback_carriers WHERE carrier_id = 'LONG' AND engine = 'agi'";
    assert_eq!(dialer.number(engine), 1);
    let undone = dialer.run("conf uninstall --no-files --yes").expect(0).stdout;
    assert_holds(
        &undone,
        &["carrier LONG: engine=agi stays set; `crankback carrier set LONG engine=` takes it back"],
    );
    dialer.run("carrier set LONG engine=").expect(0);
    assert_eq!(dialer.number(engine), 0);
    assert_eq!(dialer.entry("LONG"), entry);
}

#[tokio::test]
async fn files_get_what_they_lack_and_lose_it_again() {
    let dialer = dialer().await.with_files();
    let places = dialer.places();
    let shown = dialer.run(&format!("conf diff PRIMARY {places}")).expect(2).stdout;
    assert_holds(
        &shown,
        &[
            "+#include extensions-crankback.conf",
            "+password = (not shown)",
            "+sessionlimit = 400",
        ],
    );

    let done = dialer
        .run(&format!("conf install PRIMARY --wait-s 0 --yes {places}"))
        .expect(2)
        .stdout;
    assert_holds(
        &done,
        &[
            "http.conf: written; asterisk -rx 'module reload http'",
            "ari.conf: written; asterisk -rx 'module reload res_ari.so'",
            "WARNING  http://127.0.0.1:",
            "reload by hand: asterisk -rx 'dialplan reload'",
        ],
    );
    let ari = std::fs::read_to_string(dialer.etc().join("ari.conf")).expect("is written");
    assert!(ari.contains(&format!("password = {PASSWORD}\n")), "{ari}");
    dialer.run(&format!("conf diff PRIMARY {places}")).expect(0);

    dialer.run(&format!("conf uninstall --yes {places}")).expect(2);
    let left: Vec<_> = std::fs::read_dir(dialer.etc())
        .expect("is read")
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(
        std::fs::read_to_string(dialer.etc().join("http.conf")).expect("is read"),
        "[general]\n"
    );
}

#[tokio::test]
async fn what_keeps_asterisk_from_having_it_is_named() {
    let dialer = dialer().await.with_files();
    let places = dialer.places();
    let installed = dialer
        .run(&format!("conf install PRIMARY --wait-s 1 --yes {places}"))
        .expect(2);
    let keepalive = "servers.rebuild_conf_files is Y): its keepalive, ADMIN_keepalive_ALL.pl, must run each minute";
    assert_holds(
        &installed.stderr,
        &["0 of 1 s: carrier PRIMARY: VICIdial has not written the files of 10.0.0.7 yet"],
    );
    assert_holds(&installed.stdout, &[keepalive]);

    dialer.sql("UPDATE servers SET rebuild_conf_files = 'N'");
    let vicidial = dialer.etc().join("extensions-vicidial.conf");
    std::fs::write(&vicidial, primary()).expect("is written");
    let verified = dialer.run(&format!("conf verify {places}")).expect(2).stdout;
    assert_holds(
        &verified,
        &["extensions-vicidial.conf does not have its lines", "[ami] has no login"],
    );
    std::fs::write(&vicidial, dialer.entry("PRIMARY")).expect("is written");
    let verified = dialer.run(&format!("conf verify {places}")).expect(2).stdout;
    assert_holds(&verified, &["carrier PRIMARY: 1 line written by VICIdial"]);
    dialer.sql("UPDATE servers SET generate_vicidial_conf = 'N'");
    let verified = dialer.run(&format!("conf verify {places}")).expect(2).stdout;
    assert_holds(&verified, &["VICIdial writes no files for this server"]);
}

/// Nobody sees then whether VICIdial's own reload came through.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_login_at_the_manager_the_dialplan_is_read_again_after_the_wait() {
    let (asterisk, address) = silent_asterisk().await;
    let dialer = dialer_of(&address).await;
    dialer.run("conf install PRIMARY --no-files --wait-s 1 --yes").expect(2);
    let seen = asterisk.seen();
    let reload = "PUT /ari/asterisk/modules/pbx_config.so";
    let reloads = seen.iter().filter(|seen| seen.line.starts_with(reload)).count();
    assert_eq!(reloads, 1);
}

#[tokio::test]
async fn a_directory_that_is_not_asterisks_is_refused() {
    let dialer = dialer().await;
    assert_holds(
        &dialer
            .run("conf install PRIMARY --asterisk-dir /nonexistent --yes")
            .refused(),
        &[
            "/nonexistent/extensions.conf does not exist",
            "--asterisk-dir",
            "--no-files",
        ],
    );
    assert_eq!(dialer.entry("PRIMARY"), primary());
}
