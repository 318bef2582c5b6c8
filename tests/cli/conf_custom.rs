//! `crankback conf` where our contexts go by VICIdial's custom dialplan.

use serde_json::json;

use super::assert_holds;
use super::conf::dialer;
use super::dialer::Dialer;

const OWN: &str = "exten => 77,1,Answer()\n";

impl Dialer {
    /// With VICIdial's columns for custom dialplan, which hold something already, and with what its settings say of them.
    fn with_custom_dialplan(self, allowed: u8) -> Self {
        self.sql(&format!(
            "ALTER TABLE servers ADD COLUMN server_id VARCHAR(10) DEFAULT '';
             ALTER TABLE servers ADD COLUMN custom_dialplan_entry TEXT;
             UPDATE servers SET server_id = 'dialer' || substr(server_ip, -1);
             UPDATE servers SET custom_dialplan_entry = '{OWN}' WHERE server_ip = '10.0.0.7';
             CREATE TABLE system_settings (allow_custom_dialplan VARCHAR(1));
             INSERT INTO system_settings VALUES ('{allowed}')"
        ));
        self
    }

    fn custom(&self, server_ip: &str) -> Option<String> {
        let sql = "SELECT custom_dialplan_entry FROM servers WHERE server_ip = ?";
        self.database()
            .query_row(sql, [server_ip], |row| row.get(0))
            .expect("the row")
    }

    fn set_custom(&self, text: &str) {
        let sql = "UPDATE servers SET custom_dialplan_entry = ? WHERE server_ip = '10.0.0.7'";
        self.database().execute(sql, [text]).expect("is written");
    }

    fn has_own_file(&self) -> bool {
        let extensions = std::fs::read_to_string(self.etc().join("extensions.conf")).expect("is read");
        extensions.contains("#include extensions-crankback.conf")
    }
}

#[tokio::test]
async fn contexts_go_where_vicidials_screens_show_them_and_come_out_again() {
    let dialer = dialer().await.with_files().with_custom_dialplan(1);
    let places = dialer.places();
    let shown = dialer.run(&format!("conf diff PRIMARY {places}")).expect(2).stdout;
    assert_holds(
        &shown,
        &[
            "--- server 10.0.0.7, custom_dialplan_entry",
            "\n exten => 77,1,Answer()\n+; crankback begins",
        ],
    );
    let done = dialer
        .run(&format!("-o json conf install PRIMARY --wait-s 0 --yes {places}"))
        .expect(2)
        .json();
    assert_eq!(
        (&done["written"]["carriers"], &done["written"]["custom_dialplan"]),
        (&json!(["PRIMARY"]), &json!("10.0.0.7"))
    );
    let installed = dialer.custom("10.0.0.7").expect("a text");
    assert!(installed.starts_with(OWN), "{installed}");
    assert_holds(
        &installed,
        &[
            "\n[crankback]\nexten => s,1,",
            "\n[crankback-leg]\n",
            "exten => edition_",
        ],
    );
    assert!(!installed.contains(['\'', '\\', '\r']), "the screen takes it as it is");
    assert_eq!(dialer.custom("10.0.0.8"), None, "this server's alone");
    assert!(!dialer.has_own_file());
    assert!(!dialer.etc().join("extensions-crankback.conf").exists());
    let logged = "SELECT COUNT(*) FROM vicidial_admin_log WHERE event_section = 'SERVERS' AND event_type = 'MODIFY' AND record_id = \
                  'dialer7' AND event_code = 'ADMIN MODIFY SERVER' AND event_notes = 'crankback conf install' AND event_sql LIKE \
                  'UPDATE servers SET custom_dialplan_entry=%' AND event_sql NOT LIKE '%;%'";
    assert_eq!(dialer.number(logged), 1);
    let due = "SELECT COUNT(*) FROM servers WHERE rebuild_conf_files = 'Y' AND server_ip = '10.0.0.7'";
    assert_eq!(dialer.number(due), 1);

    // What was allowed once stays where it is.
    dialer.sql("UPDATE system_settings SET allow_custom_dialplan = '0'");
    dialer.run(&format!("conf diff {places} PRIMARY")).expect(0);
    let refused = dialer
        .run(&format!("conf install PRIMARY --dialplan file {places}"))
        .refused();
    assert_holds(
        &refused,
        &[
            "is installed by VICIdial's custom dialplan already",
            "crankback conf uninstall --yes",
        ],
    );
    // One carrier alone leaves it for the others.
    dialer.run(&format!("conf uninstall PRIMARY {places}")).expect(0);
    dialer.run(&format!("conf uninstall --yes {places}")).expect(2);
    assert_eq!(dialer.custom("10.0.0.7").as_deref(), Some(OWN));
    assert_eq!(dialer.number("SELECT COUNT(*) FROM crankback_originals"), 0);
}

#[tokio::test]
async fn where_the_screens_do_not_show_it_a_file_does_and_stays() {
    let dialer = dialer().await.with_files().with_custom_dialplan(0);
    let places = dialer.places();
    let refused = dialer
        .run(&format!("conf install PRIMARY --dialplan custom --yes {places}"))
        .refused();
    assert_holds(&refused, &["Allow Custom Dialplan Entries is 0", "--dialplan file"]);
    dialer
        .run(&format!("conf install PRIMARY --wait-s 0 --yes {places}"))
        .expect(2);
    assert!(dialer.has_own_file());
    dialer.sql("UPDATE system_settings SET allow_custom_dialplan = '1'");
    dialer.run(&format!("conf diff {places} PRIMARY")).expect(0);
    let refused = dialer
        .run(&format!("conf install PRIMARY --dialplan custom {places}"))
        .refused();
    assert_holds(&refused, &["is installed by a file already"]);
    assert_eq!(dialer.custom("10.0.0.7").as_deref(), Some(OWN));
}

#[tokio::test]
async fn somebody_who_may_choose_has_a_file_though_the_screens_show_it() {
    let dialer = dialer().await.with_files().with_custom_dialplan(1);
    let places = dialer.places();
    dialer
        .run(&format!(
            "conf install PRIMARY --dialplan file --wait-s 0 --yes {places}"
        ))
        .expect(2);
    assert!(dialer.has_own_file());
    assert_eq!(dialer.custom("10.0.0.7").as_deref(), Some(OWN));
}

#[tokio::test]
async fn files_that_are_left_alone_leave_it_alone_unless_it_is_asked_for() {
    let dialer = dialer().await.with_custom_dialplan(1);
    let plan = dialer.run("-o json conf install PRIMARY --no-files").expect(0).json();
    assert_eq!(plan["custom_dialplan"], json!(null));
    dialer
        .run("conf install PRIMARY --no-files --dialplan custom --wait-s 0 --yes")
        .expect(0);
    assert_holds(&dialer.custom("10.0.0.7").expect("a text"), &["[crankback]"]);
    dialer.run("conf uninstall --no-files --yes").expect(0);
    assert_eq!(dialer.custom("10.0.0.7").as_deref(), Some(OWN));
}

#[tokio::test]
async fn an_edit_inside_our_lines_is_named_and_one_around_them_is_kept() {
    let dialer = dialer().await.with_files().with_custom_dialplan(1);
    let places = dialer.places();
    dialer
        .run(&format!("conf install PRIMARY --wait-s 0 --yes {places}"))
        .expect(2);
    let installed = dialer.custom("10.0.0.7").expect("a text");
    dialer.set_custom(&installed.replace("CANCEL", "BUSY"));
    for command in ["install PRIMARY --yes", "uninstall --yes"] {
        let refused = dialer.run(&format!("conf {command} {places}")).refused();
        assert_holds(
            &refused,
            &["server 10.0.0.7, custom dialplan entry, line 2: crankback's block that begins here has been edited"],
        );
    }
    let around = format!("{installed}exten => 99,1,Answer()\n").replace("77", "66");
    dialer.set_custom(&around);
    dialer
        .run(&format!("conf install PRIMARY --wait-s 0 --yes {places}"))
        .expect(0);
    assert_eq!(dialer.custom("10.0.0.7").as_deref(), Some(around.as_str()));
    dialer.run(&format!("conf uninstall --yes {places}")).expect(2);
    let without = "exten => 66,1,Answer()\nexten => 99,1,Answer()\n";
    assert_eq!(dialer.custom("10.0.0.7").as_deref(), Some(without));
}

#[tokio::test]
async fn verify_tells_what_keeps_asterisk_from_having_it() {
    let dialer = dialer().await.with_files().with_custom_dialplan(1);
    let places = dialer.places();
    dialer
        .run(&format!("conf install PRIMARY --wait-s 0 --yes {places}"))
        .expect(2);
    let verify = || dialer.run(&format!("conf verify {places}")).expect(2).stdout;
    assert_holds(
        &verify(),
        &["server 10.0.0.7, custom dialplan entry: VICIdial has not written the files of 10.0.0.7 yet"],
    );
    dialer.sql("UPDATE servers SET rebuild_conf_files = 'N'");
    let vicidial = dialer.etc().join("extensions-vicidial.conf");
    std::fs::write(&vicidial, dialer.entry("PRIMARY")).expect("is written");
    assert_holds(&verify(), &["extensions-vicidial.conf does not have its lines"]);
    let both = dialer.custom("10.0.0.7").expect("a text") + &dialer.entry("PRIMARY");
    std::fs::write(&vicidial, both).expect("is written");
    assert_holds(&verify(), &["custom dialplan entry: 1 line written by VICIdial"]);
    dialer.set_custom(OWN);
    assert_holds(
        &verify(),
        &["server 10.0.0.7: its custom dialplan entry is not as it is meant to be"],
    );
}
