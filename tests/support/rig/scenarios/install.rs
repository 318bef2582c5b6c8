//! A dialer that has never heard of crankback: installed, calls fail over, taken out, and no byte differs.
//!
//! The rig plays VICIdial's keepalive: it writes the carrier's dialplan from its row into `extensions-vicidial.conf` where
//! `rebuild_conf_files` is `Y`, sets that to `N`, and reloads.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crankback::vicidial::dial_line::unwrap_dialplan_entry;
use serde_json::Value;

use super::super::super::asterisk::{AMI_SECRET, AMI_USER};
use super::super::super::error::{IoContext, LabError};
use super::super::super::roots::AsteriskVersion;
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Entry, Rig, SERVER_IP, SOON, told};
use super::{answers, auto_dial, refuses};

/// What VICIdial writes.
const VICIDIAL: &str = "extensions-vicidial.conf";
/// The rig's copy of our dialplan.
const CONTEXTS: &str = "#include included-0.conf\n";
/// The files that are changed or made.
const FILES: [&str; 6] = [
    "extensions.conf",
    VICIDIAL,
    "extensions-crankback.conf",
    "http.conf",
    "ari.conf",
    "manager.conf",
];
/// What the install tells to run after it has changed files.
const RELOADS: [&str; 3] = ["module reload http", "module reload res_ari.so", "manager reload"];
/// The install waits 90 s at most for Asterisk.
const INSTALL_LIMIT: Duration = Duration::from_secs(120);
const KEEPALIVE_EVERY: Duration = Duration::from_millis(200);

/// The rig as a VICIdial dialer without crankback's dialplan and line.
struct PlainDialer {
    directory: PathBuf,
    /// The files as the rig has them.
    files: Vec<(PathBuf, Option<String>)>,
    /// The row as the rig has it.
    guarded: String,
}

/// A file's text, if it exists.
fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn write(path: &Path, text: &str) -> Result<(), LabError> {
    std::fs::write(path, text).context(|| format!("write {}", path.display()))
}

impl PlainDialer {
    async fn make(rig: &Rig, plain: &str) -> Result<Self, LabError> {
        let directory = rig.asterisk.directory().join("etc");
        let files = FILES.map(|name| directory.join(name));
        let dialer = Self {
            guarded: entry(rig).await?,
            files: files.into_iter().map(|path| (path.clone(), text(&path))).collect(),
            directory,
        };
        let extensions = dialer.path("extensions.conf");
        let before = text(&extensions).unwrap_or_default();
        let own = in_file(rig, &dialer.guarded);
        if !before.contains(&own) || !before.contains(CONTEXTS) {
            return Err(LabError::Missing(format!(
                "the primary's entry in {}",
                extensions.display()
            )));
        }
        rig.sql(&format!(
            "BEGIN; UPDATE vicidial_server_carriers SET dialplan_entry = '{plain}' WHERE carrier_id = 'PRIMARY'; \
             REPLACE INTO servers (server_ip, rebuild_conf_files) VALUES ('{SERVER_IP}', 'N'); COMMIT"
        ))?;
        let with_vicidial = before
            .replace(&own, &format!("#include {VICIDIAL}\n"))
            .replace(CONTEXTS, "");
        write(&extensions, &with_vicidial)?;
        write(&dialer.path(VICIDIAL), &as_vicidial_writes(rig, plain).await?)?;
        let http = text(&dialer.path("http.conf")).unwrap_or_default();
        write(&dialer.path("http.conf"), &http.replace("sessionlimit = 400\n", ""))?;
        rig.asterisk.cli("dialplan reload").await?;
        until_loaded(rig, "s@crankback", "Stasis", false).await?;
        Ok(dialer)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Every file of the directory with its text.
    fn snapshot(&self) -> Result<Vec<(PathBuf, Option<String>)>, LabError> {
        let entries = std::fs::read_dir(&self.directory).context(|| "list Asterisk's files".to_owned())?;
        let mut files: Vec<_> = entries
            .filter_map(Result::ok)
            .map(|entry| (entry.path(), text(&entry.path())))
            .collect();
        files.sort();
        Ok(files)
    }

    /// The rig as it was.
    async fn undo(self, rig: &Rig) -> Result<(), LabError> {
        for (path, text) in &self.files {
            match text {
                Some(text) => write(path, text)?,
                None => drop(std::fs::remove_file(path)),
            }
        }
        rig.sql(&format!(
            "BEGIN; UPDATE vicidial_server_carriers SET dialplan_entry = '{}' WHERE carrier_id = 'PRIMARY'; \
             DELETE FROM servers; DELETE FROM crankback_originals; COMMIT",
            self.guarded
        ))?;
        rig.asterisk.cli("dialplan reload").await?;
        until_loaded(rig, "s@crankback", "Stasis", true).await
    }
}

/// The primary's dialplan entry in the table.
async fn entry(rig: &Rig) -> Result<String, LabError> {
    let tables = rig.store.routing_tables().await.map_err(told)?;
    let row = tables.carriers.into_iter().find(|row| row.carrier_id == "PRIMARY");
    row.map(|row| row.dialplan_entry)
        .ok_or_else(|| LabError::Missing("the primary's row".to_owned()))
}

/// An entry as the rig's files have it: its FastAGI server has another port.
fn in_file(rig: &Rig, entry: &str) -> String {
    entry.replace(":4577/", &format!(":{}/", rig.agi.port()))
}

/// What VICIdial writes: the custom dialplan of the server, where it has one, before the carriers' entries.
async fn as_vicidial_writes(rig: &Rig, primary: &str) -> Result<String, LabError> {
    let custom = rig.store.custom_dialplan(SERVER_IP.to_owned()).await.map_err(told)?;
    let custom = custom.map(|custom| custom.entry).filter(|entry| entry.len() > 5);
    let custom = custom.map(|entry| {
        format!(
            "[vicidial-auto-server-custom]\nexten => h,1,NoOp()\n\n; Server Custom Dialplan\n{entry}\n\n[vicidial-auto-external]\n"
        )
    });
    Ok(custom.unwrap_or_default() + &in_file(rig, primary))
}

/// Waits until an extension of the running dialplan holds a text, or does not.
async fn until_loaded(rig: &Rig, place: &str, part: &str, expected: bool) -> Result<(), LabError> {
    let began = Instant::now();
    loop {
        let shown = rig.asterisk.cli(&format!("dialplan show {place}")).await?;
        if shown.contains(part) == expected {
            return Ok(());
        }
        if began.elapsed() > SOON {
            let what = format!("{part} in {place} of the dialplan: {expected}; it shows {shown}");
            return Err(LabError::Timeout { what, after: SOON });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// VICIdial's keepalive while a command runs, and once more after it: what it began it ends.
async fn keep_alive(rig: &Rig, vicidial: &Path, command_ended: &AtomicBool) -> Result<(), LabError> {
    loop {
        let is_last = command_ended.load(Ordering::Relaxed);
        keep_alive_once(rig, vicidial).await?;
        if is_last {
            return Ok(());
        }
        tokio::time::sleep(KEEPALIVE_EVERY).await;
    }
}

async fn keep_alive_once(rig: &Rig, vicidial: &Path) -> Result<(), LabError> {
    let tables = rig.store.routing_tables().await.map_err(told)?;
    if !tables.servers.iter().any(|server| server.is_rebuild_due) {
        return Ok(());
    }
    // The flag first, as VICIdial does: what is written after that sets it again.
    rig.sql("UPDATE servers SET rebuild_conf_files = 'N'")?;
    write(vicidial, &as_vicidial_writes(rig, &entry(rig).await?).await?)?;
    rig.asterisk.cli("dialplan reload").await.map(drop)
}

/// `crankback -o json conf …` on this rig's files, with VICIdial's keepalive beside it.
async fn conf(rig: &Rig, dialer: &PlainDialer, arguments: &[&str]) -> Result<(Option<i32>, Value), LabError> {
    let asterisk = dialer.directory.display().to_string();
    let originals = rig.directory.path().join("originals").display().to_string();
    let places = ["--asterisk-dir", &asterisk, "--originals-dir", &originals];
    let all = [&["-o", "json", "conf"], arguments, &places].concat();
    let mut command = tokio::process::Command::from(rig.program.command(&rig.config, &all));
    command.kill_on_drop(true).envs([
        (
            "CRANKBACK_AMI__ADDRESS",
            format!("127.0.0.1:{}", rig.asterisk.ports().ami),
        ),
        ("CRANKBACK_AMI__USERNAME", AMI_USER.to_owned()),
        ("CRANKBACK_AMI__PASSWORD", AMI_SECRET.to_owned()),
    ]);
    let vicidial = dialer.path(VICIDIAL);
    let ended = AtomicBool::new(false);
    let run = async {
        let output = tokio::time::timeout(INSTALL_LIMIT, command.output()).await;
        ended.store(true, Ordering::Relaxed);
        output
    };
    let (output, kept_alive) = tokio::join!(run, keep_alive(rig, &vicidial, &ended));
    kept_alive?;
    let output = output
        .map_err(|_| LabError::Timeout {
            what: format!("end of crankback conf {arguments:?}"),
            after: INSTALL_LIMIT,
        })?
        .context(|| "run crankback conf".to_owned())?;
    let json = serde_json::from_slice(&output.stdout).map_err(|error| {
        let said = String::from_utf8_lossy(&output.stderr);
        LabError::Missing(format!("crankback conf {arguments:?}: {error}: {said}"))
    })?;
    Ok((output.status.code(), json))
}

/// A call to a primary that refuses it: what the dialer saw, and the INVITEs at primary and backup.
async fn call(rig: &Rig, report: &mut Report) -> Result<(String, usize, usize), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
    rig.wait_until_empty(SOON).await?;
    report.dialer_saw(&end);
    let (primary, backup) = (rig.seen(&rig.primary, &number), rig.seen(&rig.backup, &number));
    Ok((end.dialstatus.clone(), primary.len(), backup.len()))
}

/// From plain `Dial()` to failover and back.
pub(super) async fn in_and_out(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let guarded = entry(rig).await?;
    let plain = unwrap_dialplan_entry(&guarded);
    report.check("the plain entry has a plain Dial()", plain.contains(",2,Dial("));
    let dialer = PlainDialer::make(rig, &plain).await?;
    let played = play(rig, report, &dialer, &plain).await;
    let _ = std::fs::remove_dir_all(rig.directory.path().join("originals"));
    dialer.undo(rig).await?;
    played
}

async fn play(rig: &Rig, report: &mut Report, dialer: &PlainDialer, plain: &str) -> Result<(), LabError> {
    let plain_dial = ("CONGESTION".to_owned(), 1, 0);
    let failover = ("ANSWER".to_owned(), 1, 1);
    let before = dialer.snapshot()?;
    let seen = call(rig, report).await?;
    report.equal("call before", seen, plain_dial.clone());

    let (exit, shown) = conf(rig, dialer, &["install", "PRIMARY"]).await?;
    report.equal("exit of the dry run", exit, Some(0));
    report.check(
        "nothing is written without --yes",
        shown["written"].is_null() && dialer.snapshot()? == before,
    );

    let began = Instant::now();
    let (exit, done) = conf(rig, dialer, &["install", "PRIMARY", "--yes"]).await?;
    report.note(format!("installed and loaded after {:?}", began.elapsed()));
    report.equal(format!("exit of install: {done:#}"), exit, Some(0));
    report.equal(
        "carriers written",
        done["written"]["carriers"].clone(),
        serde_json::json!(["PRIMARY"]),
    );
    let http = text(&dialer.path("http.conf")).unwrap_or_default();
    report.check("http.conf got what it lacked", http.contains("sessionlimit = 400"));
    for reload in RELOADS {
        let said = rig.asterisk.cli(reload).await?;
        report.check(format!("Asterisk knows `{reload}`: {said}"), !said.contains("No such"));
    }
    until_loaded(rig, "vicidial-auto-external", "Gosub(crankback,s,1(PRIMARY,", true).await?;
    let seen = call(rig, report).await?;
    report.equal("call when installed", seen, failover);
    let (exit, verified) = conf(rig, dialer, &["verify"]).await?;
    report.equal(format!("exit of verify: {verified:#}"), exit, Some(0));

    let installed = dialer.snapshot()?;
    let (_, again) = conf(rig, dialer, &["install", "PRIMARY", "--yes"]).await?;
    report.equal(
        "a second install writes",
        again["written"].clone(),
        serde_json::json!({ "carriers": [], "custom_dialplan": null, "files": [] }),
    );
    report.check("and changes no file", dialer.snapshot()? == installed);

    if done["written"]["custom_dialplan"].is_string() {
        add_below(rig, report, dialer).await?;
    }

    // What Asterisk runs is not what was meant: verify says so.
    let vicidial = dialer.path(VICIDIAL);
    write(&vicidial, &as_vicidial_writes(rig, plain).await?)?;
    rig.asterisk.cli("dialplan reload").await?;
    until_loaded(rig, "vicidial-auto-external", "Gosub(crankback,s,1(PRIMARY,", false).await?;
    let (exit, verified) = conf(rig, dialer, &["verify"]).await?;
    report.equal("exit of verify when Asterisk has an older entry", exit, Some(2));
    let named = verified.to_string();
    report.check(
        format!("verify names the carrier and the file: {named}"),
        named.contains("carrier PRIMARY") && named.contains("extensions-vicidial.conf does not have its lines"),
    );

    let (exit, undone) = conf(rig, dialer, &["uninstall", "--yes"]).await?;
    report.equal(format!("exit of uninstall: {undone:#}"), exit, Some(0));
    let row = entry(rig).await?;
    report.equal("the row is byte for byte what it was", row.as_str(), plain);
    let after = dialer.snapshot()?;
    let differ: Vec<_> = after
        .iter()
        .zip(&before)
        .filter(|(after, before)| after != before)
        .collect();
    report.check(
        format!("no file differs: {differ:?}"),
        differ.is_empty() && after.len() == before.len(),
    );
    until_loaded(rig, "s@crankback", "Stasis", false).await?;
    let seen = call(rig, report).await?;
    report.equal("call afterwards", seen, plain_dial);
    Ok(())
}

/// The same where our contexts go by VICIdial's custom dialplan, which holds something of the administrator's already.
pub(super) async fn by_custom_dialplan(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    rig.sql(
        "BEGIN; ALTER TABLE servers ADD COLUMN server_id VARCHAR(10) DEFAULT 'dialer'; \
         ALTER TABLE servers ADD COLUMN custom_dialplan_entry TEXT \
         DEFAULT 'exten => 77,1,Answer()\n[of-the-site]\nexten => 78,1,Answer()'; \
         CREATE TABLE system_settings (allow_custom_dialplan VARCHAR(1)); INSERT INTO system_settings VALUES ('1'); COMMIT",
    )?;
    let played = in_and_out(rig, report).await;
    rig.sql(
        "BEGIN; ALTER TABLE servers DROP COLUMN server_id; ALTER TABLE servers DROP COLUMN custom_dialplan_entry; \
         DROP TABLE system_settings; COMMIT",
    )?;
    played
}

/// Whatever an administrator adds below our lines stands in the context in which it would stand without them.
async fn add_below(rig: &Rig, report: &mut Report, dialer: &PlainDialer) -> Result<(), LabError> {
    let files = dialer.snapshot()?;
    report.check(
        "our dialplan is no file of its own",
        !dialer.path("extensions-crankback.conf").exists(),
    );
    until_loaded(rig, "78@of-the-site", "Answer", true).await?;
    let custom = async || {
        let custom = rig.store.custom_dialplan(SERVER_IP.to_owned()).await.map_err(told)?;
        Ok::<_, LabError>(custom.map(|custom| custom.entry).unwrap_or_default())
    };
    let ask = "UPDATE servers SET rebuild_conf_files = 'Y'";
    let added = "\nexten => 79,1,Answer()";
    let before = custom().await?;
    rig.sql(&format!(
        "{ask}, custom_dialplan_entry = custom_dialplan_entry || '{added}'"
    ))?;
    keep_alive_once(rig, &dialer.path(VICIDIAL)).await?;
    until_loaded(rig, "79@of-the-site", "Answer", true).await?;
    until_loaded(rig, "s@crankback", "Stasis", true).await?;
    rig.sql(&format!(
        "{ask}, custom_dialplan_entry = replace(custom_dialplan_entry, '{added}', '')"
    ))?;
    keep_alive_once(rig, &dialer.path(VICIDIAL)).await?;
    until_loaded(rig, "79@of-the-site", "Answer", false).await?;
    report.equal("the entry is as it was", custom().await?, before);
    report.check("and so are the files", dialer.snapshot()? == files);
    Ok(())
}

/// An Asterisk that was started without `http.conf` and `ari.conf`: what the install tells to run makes them work. Asterisk 16
/// has to be restarted.
pub(super) async fn where_ari_never_was(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let plain = unwrap_dialplan_entry(&entry(rig).await?);
    rig.take_daemon()?.stop().await?;
    let dialer = PlainDialer::make(rig, &plain).await?;
    for name in ["http.conf", "ari.conf"] {
        let path = dialer.path(name);
        std::fs::remove_file(&path).context(|| format!("remove {}", path.display()))?;
    }
    rig.restart_asterisk().await?;
    let played = play_without_ari(rig, report, &dialer).await;
    drop(rig.daemon.take());
    let _ = std::fs::remove_dir_all(rig.directory.path().join("originals"));
    dialer.undo(rig).await?;
    rig.restart_asterisk().await?;
    rig.start_daemon().await?;
    played
}

async fn play_without_ari(rig: &mut Rig, report: &mut Report, dialer: &PlainDialer) -> Result<(), LabError> {
    let (exit, installed) = conf(rig, dialer, &["install", "PRIMARY", "--yes", "--wait-s", "1"]).await?;
    report.equal(format!("exit of install: {:#}", installed["warnings"]), exit, Some(2));
    for reload in [&RELOADS[..], &["dialplan reload"]].concat() {
        rig.asterisk.cli(reload).await?;
    }
    if rig.version == AsteriskVersion::V16 {
        // It has not loaded ARI at its start, and a reload does not load it.
        let (exit, verified) = conf(rig, dialer, &["verify"]).await?;
        report.equal("exit of verify after the reloads", exit, Some(2));
        let advice = "an Asterisk 16 that was started without ari.conf has not loaded ARI: restart it";
        report.check("verify tells to restart it", verified.to_string().contains(advice));
        rig.restart_asterisk().await?;
    }
    let began = Instant::now();
    let verified = loop {
        let (exit, verified) = conf(rig, dialer, &["verify"]).await?;
        if exit == Some(0) || began.elapsed() > SOON {
            break (exit, verified);
        }
        tokio::time::sleep(KEEPALIVE_EVERY).await;
    };
    report.equal(format!("exit of verify: {:#}", verified.1), verified.0, Some(0));
    rig.start_daemon().await?;
    let seen = call(rig, report).await?;
    report.equal("call when installed", seen, ("ANSWER".to_owned(), 1, 1));
    Ok(())
}
