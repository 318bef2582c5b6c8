//! What `crankback check` says of a real Asterisk: first all is well, then one thing at a time is broken and mended.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use serde_json::Value;

use super::super::super::asterisk::{AMI_SECRET, AMI_USER};
use super::super::super::error::{IoContext, LabError};
use super::super::super::mariadb::{PASSWORD, RECENT_CHANNELS};
use super::super::super::roots::AsteriskVersion;
use super::super::report::Report;
use super::super::{BACKUP, Engine, Entry, Rig, SOON};
use super::mariadb::{STORE_URL, start_beside_vicidial, told};
use super::recent_channels::back_to_the_file;

const RELOAD_ARI: &str = "module reload res_ari.so";
const RELOAD_HTTP: &str = "module reload http";
const RELOAD_PJSIP: &str = "module reload res_pjsip.so";
const RELOAD_DIALPLAN: &str = "dialplan reload";

/// One run of the command.
struct Checked {
    exit: Option<i32>,
    /// The findings that are not `ok`, as `level subject: what`.
    complaints: Vec<String>,
    /// As people see it.
    text: String,
}

impl Checked {
    /// How many complaints begin so.
    fn count(&self, beginning: &str) -> usize {
        let complaints = self.complaints.iter();
        complaints.filter(|complaint| complaint.starts_with(beginning)).count()
    }

    /// Whether there is one complaint for each beginning, and no other.
    fn has_exactly(&self, beginnings: &[&str]) -> bool {
        self.complaints.len() == beginnings.len() && beginnings.iter().all(|beginning| self.count(beginning) == 1)
    }
}

async fn check(rig: &Rig, environment: &[(&str, &str)]) -> Result<Checked, LabError> {
    let run = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::from(rig.program.command(&rig.config, arguments));
        let output = command.envs(environment.iter().copied()).output();
        output.await.context(|| "run crankback check".to_owned())
    };
    let output = run(&["-o", "json", "check"]).await?;
    let json: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| LabError::Missing(format!("crankback check printed no JSON: {error}")))?;
    let findings = json["findings"].as_array().cloned().unwrap_or_default();
    let complaint = |finding: &Value| {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        format!("{} {}: {}", text("level"), text("subject"), text("what"))
    };
    let complaints = findings.iter().filter(|finding| finding["level"] != "ok");
    Ok(Checked {
        exit: output.status.code(),
        complaints: complaints.map(complaint).collect(),
        text: String::from_utf8_lossy(&run(&["check"]).await?.stdout).into_owned(),
    })
}

/// What check says of this rig when nothing is broken: its two bad carriers, and its Asterisk's known faults.
fn usual(rig: &Rig) -> Vec<&'static str> {
    let mut usual = match rig.version {
        AsteriskVersion::V16 => vec!["warning version: end of life"],
        AsteriskVersion::V22 => vec!["warning asterisk.conf: Asterisk 22.10.1"],
    };
    if rig.version == AsteriskVersion::V16 && rig.engine == Engine::Stasis {
        usual.push("advice engine: stasis, manual stasis, three-way stasis; on Asterisk 16.28");
    }
    usual.extend([
        "warning carrier UNKNOWN: Asterisk has no endpoint PJSIP/nobody",
        "warning carrier UNREACHABLE: Asterisk's own probes do not reach PJSIP/unreachable",
    ]);
    usual
}

/// Expects the usual complaints and these, and no others.
async fn expect(rig: &Rig, report: &mut Report, exit: i32, broken: &[&str]) -> Result<(), LabError> {
    let expected: Vec<&str> = usual(rig).iter().chain(broken).copied().collect();
    expect_exactly(rig, report, exit, &expected).await
}

/// Expects these complaints and no others, after a while: Asterisk 22 answers a reload before it has carried it out.
async fn expect_exactly(rig: &Rig, report: &mut Report, exit: i32, expected: &[&str]) -> Result<(), LabError> {
    let began = Instant::now();
    loop {
        let checked = check(rig, &[]).await?;
        if checked.has_exactly(expected) || began.elapsed() > SOON {
            compare(report, &checked, exit, expected);
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn compare(report: &mut Report, checked: &Checked, exit: i32, expected: &[&str]) {
    report.equal("exit code", checked.exit, Some(exit));
    report.check(
        format!("complaints {:#?} are exactly {expected:#?}", checked.complaints),
        checked.has_exactly(expected),
    );
}

/// Beside a VICIdial its table of trunk channels is looked at, too.
pub(super) async fn recent_channels(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let (server, database) = start_beside_vicidial(rig).await?;
    let url = server.url("cron", &database);
    let on_mariadb = [(STORE_URL, url.as_str())];
    let checked = check(rig, &on_mariadb).await?;
    compare(report, &checked, 2, &usual(rig));
    report.check(
        "the table is named among what is well",
        checked.text.contains("its table of trunk channels can be written"),
    );
    let mut vicidial = server.administrator().await;
    let drop_table = format!("DROP TABLE {database}.{RECENT_CHANNELS}");
    vicidial.query_drop(drop_table).await.map_err(told)?;
    let checked = check(rig, &on_mariadb).await?;
    let missing = format!("warning VICIdial: the database {url} has no table");
    let missing = missing.replace(&format!(":{PASSWORD}"), "");
    compare(report, &checked, 2, &[usual(rig), vec![missing.as_str()]].concat());
    back_to_the_file(rig).await
}

/// A file of Asterisk that has another text for a while.
pub(super) struct Edit {
    path: PathBuf,
    before: String,
    reload: &'static str,
}

impl Edit {
    /// Replaces `from`, which must be there, and reloads.
    pub(super) async fn make(
        rig: &Rig,
        file: &str,
        from: &str,
        to: &str,
        reload: &'static str,
    ) -> Result<Self, LabError> {
        let path = rig.asterisk.directory().join("etc").join(file);
        let before = std::fs::read_to_string(&path).context(|| format!("read {}", path.display()))?;
        if !before.contains(from) {
            return Err(LabError::Missing(format!("{from:?} in {}", path.display())));
        }
        let edit = Self { path, before, reload };
        edit.write(rig, &edit.before.replace(from, to)).await?;
        Ok(edit)
    }

    pub(super) async fn undo(self, rig: &Rig) -> Result<(), LabError> {
        self.write(rig, &self.before).await
    }

    async fn write(&self, rig: &Rig, text: &str) -> Result<(), LabError> {
        std::fs::write(&self.path, text).context(|| format!("write {}", self.path.display()))?;
        rig.asterisk.cli(self.reload).await.map(drop)
    }
}

/// Expects these complaints besides the usual ones while a file has another text, and only the usual ones afterwards.
async fn while_edited(
    rig: &Rig,
    report: &mut Report,
    (file, from, to, reload): (&str, &str, &str, &'static str),
    broken: &[&str],
) -> Result<(), LabError> {
    let edit = Edit::make(rig, file, from, to, reload).await?;
    let seen = expect(rig, report, 2, broken).await;
    edit.undo(rig).await?;
    seen?;
    expect(rig, report, 2, &[]).await
}

pub(super) async fn healthy(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    expect(rig, report, 2, &[]).await?;
    let complaints_before = rig.asterisk.complaints()?.len();
    report.note(format!(
        "crankback check says:\n{}",
        check(rig, &[]).await?.text.trim_end()
    ));
    rig.wait_until_empty(SOON).await?;
    let complaints = rig.asterisk.complaints()?;
    let new = &complaints[complaints_before..];
    report.equal(format!("complaints of Asterisk about it {new:?}"), new.len(), 0);
    let apps = rig.asterisk.cli("ari show apps").await?;
    report.check(
        format!("Asterisk has forgotten the application of the check: {apps}"),
        !apps.contains("crankback-check"),
    );
    let log = rig.daemon()?.log_text();
    report.check("the daemon saw nothing of it", !log.contains("unknown channel"));
    Ok(())
}

pub(super) async fn wrong_password(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let checked = check(rig, &[("CRANKBACK_ARI__PASSWORD", "wrong-and-secret")]).await?;
    compare(report, &checked, 1, &["error ari: http://127.0.0.1:"]);
    let says = |text: &str| checked.text.contains(text);
    report.check("it is told why", says("refused the ARI user or its password"));
    report.check("no secret is told", !says("wrong-and-secret"));
    Ok(())
}

/// The right login adds no complaint; a wrong one is a mistake of the configuration, a closed port only a warning.
pub(super) async fn manager_interface(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let address = format!("127.0.0.1:{}", rig.asterisk.ports().ami);
    let login = async |address: &str, secret: &str| {
        let variables = [
            ("CRANKBACK_AMI__ADDRESS", address),
            ("CRANKBACK_AMI__USERNAME", AMI_USER),
            ("CRANKBACK_AMI__PASSWORD", secret),
        ];
        check(rig, &variables).await
    };
    let right = login(&address, AMI_SECRET).await?;
    compare(report, &right, 2, &usual(rig));
    report.check("it says that it asked", right.text.contains(&address));
    let wrong = login(&address, "wrong-and-secret").await?;
    let refused = [usual(rig), vec!["error ami: 127.0.0.1:"]].concat();
    compare(report, &wrong, 1, &refused);
    report.check("it is told why", wrong.text.contains("the login as cron was refused"));
    report.check("no secret is told", !wrong.text.contains("wrong-and-secret"));
    let away = login("127.0.0.1:1", AMI_SECRET).await?;
    let away_complaints = [usual(rig), vec!["warning ami: 127.0.0.1:"]].concat();
    compare(report, &away, 2, &away_complaints);
    Ok(())
}

pub(super) async fn read_only_user(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let read_only = "type = user\nread_only = yes\n";
    let edit = Edit::make(rig, "ari.conf", "type = user\n", read_only, RELOAD_ARI).await?;
    // What can only be looked at by touching stays unknown.
    let usual = usual(rig)
        .into_iter()
        .filter(|complaint| !complaint.contains("asterisk.conf"));
    let expected: Vec<&str> = usual.chain(["error ari.conf: the user may only read"]).collect();
    let seen = expect_exactly(rig, report, 1, &expected).await;
    edit.undo(rig).await?;
    seen?;
    expect(rig, report, 2, &[]).await
}

pub(super) async fn no_channelvars(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    // A line of somebody else's. Without any, Asterisk 16 keeps the old one until it is restarted.
    let edit = ("ari.conf", "channelvars=", "channelvars=ACCOUNT\n;", RELOAD_ARI);
    let complaint = "warning ari.conf: channelvars does not show SIP responses";
    while_edited(rig, report, edit, &[complaint]).await
}

pub(super) async fn no_dialplan(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let edit = ("extensions.conf", "#include included-0.conf", "", RELOAD_DIALPLAN);
    let complaints = [
        "warning dialplan: [crankback] is not loaded",
        "warning dialplan: [crankback-cause] is not loaded",
        "warning dialplan: [crankback-answered] is not loaded",
        "warning dialplan: [crankback-hangup] is not loaded",
        "warning dialplan: [crankback-leg] is not loaded",
    ];
    while_edited(rig, report, edit, &complaints).await
}

pub(super) async fn another_edition(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let edit = (
        "included-0.conf",
        "exten => edition_",
        "exten => edition_of_1999_",
        RELOAD_DIALPLAN,
    );
    let complaint = "warning dialplan: [crankback] is loaded, but it is another edition";
    while_edited(rig, report, edit, &[complaint]).await
}

pub(super) async fn settings(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let cases = [
        (
            ("ari.conf", "websocket_write_timeout = 5000", "", RELOAD_ARI),
            "warning ari.conf: websocket_write_timeout is 100 ms",
        ),
        (
            ("http.conf", "sessionlimit = 400", "", RELOAD_HTTP),
            "warning http.conf: sessionlimit is 100",
        ),
        (
            (
                "http.conf",
                "session_keep_alive = 60000",
                "session_keep_alive = 5000",
                RELOAD_HTTP,
            ),
            "warning http.conf: session_keep_alive is 5000 ms",
        ),
        (
            (
                "pjsip.conf",
                "taskprocessor_overload_trigger = pjsip_only",
                "",
                RELOAD_PJSIP,
            ),
            "warning pjsip.conf: taskprocessor_overload_trigger is global",
        ),
    ];
    for (edit, complaint) in cases {
        while_edited(rig, report, edit, &[complaint]).await?;
    }
    // The reload of res_pjsip began the qualification of contacts anew.
    rig.wait_until_unreachable().await
}

/// A carrier that cannot be read, and one that dials by itself again.
pub(super) async fn carriers(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let database = rig.database();
    let change = |sql: &str| {
        let changed = rusqlite::Connection::open(&database).and_then(|connection| {
            connection.busy_timeout(SOON)?;
            connection.execute_batch(sql)
        });
        changed.map_err(|error| LabError::Missing(format!("{sql}: {error}")))
    };
    let primary = Entry::Primary.carrier_id();
    change(&format!(
        "CREATE TABLE kept AS SELECT * FROM vicidial_server_carriers; \
         UPDATE vicidial_server_carriers SET dialplan_entry = \
         'exten => _91NXXNXXXXXX,1,Dial(PJSIP/${{EXTEN:1}}@primary,${{CAMPDTO}},To)' WHERE carrier_id = '{primary}'; \
         UPDATE vicidial_server_carriers SET dialplan_entry = \
         'exten => _81NXXNXXXXXX,1,Dial(DAHDI/g1/${{EXTEN:1}},,To)' WHERE carrier_id = '{BACKUP}'"
    ))?;
    let seen = check(rig, &[]).await;
    change(
        "DELETE FROM vicidial_server_carriers; INSERT INTO vicidial_server_carriers SELECT * FROM kept; DROP TABLE kept",
    )?;
    let seen = seen?;
    report.equal("exit code", seen.exit, Some(2));
    for complaint in [
        format!("warning carrier {BACKUP}: carrier {BACKUP}, dialplan_entry line 1: "),
        format!("warning carrier {primary}: its dialplan entry does not hand its calls to crankback"),
        format!("warning route 1: {BACKUP} as a backup of {primary} is refused: "),
    ] {
        report.equal(format!("complaints {complaint:?}"), seen.count(&complaint), 1);
    }
    let guarded = "exten => _91NXXNXXXXXX,1,ExecIf($[${DIALPLAN_EXISTS(crankback,s,1)}]?Gosub(crankback,s,1(PRIMARY,";
    report.check("it is told what to put there", seen.text.contains(guarded));
    let named =
        |transport: &str| format!("[backup]\ntype = endpoint\ncontext = trunkinbound\ntransport = {transport}\n");
    let (before, after) = (named("transport-udp"), named("transport-nowhere"));
    let edit = ("pjsip.conf", before.as_str(), after.as_str(), RELOAD_PJSIP);
    let complaint = format!("warning carrier {BACKUP}: pjsip.conf has no transport [transport-nowhere]");
    while_edited(rig, report, edit, &[&complaint]).await
}

pub(super) async fn no_daemon(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    rig.take_daemon()?.stop().await?;
    let seen = expect(rig, report, 2, &["warning daemon: none is connected as crankback"]).await;
    rig.start_daemon().await?;
    seen
}

pub(super) async fn no_asterisk(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    rig.take_daemon()?.stop().await?;
    rig.asterisk.kill();
    let checked = check(rig, &[]).await;
    rig.restart_asterisk().await?;
    rig.start_daemon().await?;
    rig.wait_until_unreachable().await?;
    let checked = checked?;
    compare(report, &checked, 2, &["warning ari: http://127.0.0.1:"]);
    let advice = checked.text.contains("check that Asterisk runs");
    report.check("it is told what to do", advice);
    expect(rig, report, 2, &[]).await
}
