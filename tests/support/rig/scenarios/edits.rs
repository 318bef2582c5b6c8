//! Edits of the carrier table while calls go on.

use std::time::{Duration, Instant};

use super::super::super::error::{IoContext, LabError};
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Entry, Rig, SOON};
use super::{answers, auto_dial};

/// An edit is seen within this time.
const SEEN_WITHIN: Duration = Duration::from_secs(2);
/// The backup's own line, and what the cases make of it.
const OWN_TARGET: &str = "PJSIP/${EXTEN:1}@backup";
const PRIMARYS_PEER: &str = "PJSIP/${EXTEN:1}@primary";

/// The daemon's log from one moment on.
struct LogMark(usize);

impl LogMark {
    fn now(rig: &Rig) -> Result<Self, LabError> {
        Ok(Self(rig.daemon()?.log_text().len()))
    }

    /// How long it took until the daemon said all of these in one line.
    async fn wait_for(&self, rig: &Rig, parts: &[&str]) -> Result<Duration, LabError> {
        let began = Instant::now();
        loop {
            let log = rig.daemon()?.log_text();
            let new = log.get(self.0..).unwrap_or_default();
            if new.lines().any(|line| parts.iter().all(|part| line.contains(part))) {
                return Ok(began.elapsed());
            }
            if began.elapsed() > SOON {
                let what = format!("{parts:?} in the daemon's log");
                return Err(LabError::Timeout { what, after: SOON });
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Makes the backup dial something else. Only the daemon reads its row: no case here dials its own extension.
fn edit_backup(rig: &Rig, target: &str) -> Result<(), LabError> {
    rig.sql(&dialling(target))
}

fn dialling(target: &str) -> String {
    format!(
        "UPDATE vicidial_server_carriers SET dialplan_entry = \
         'exten => _81NXXNXXXXXX,1,Dial({target},${{CAMPDTO}},To)' WHERE carrier_id = 'BACKUP'"
    )
}

/// Puts the row back and waits until the daemon has it.
async fn restore(rig: &Rig) -> Result<(), LabError> {
    let mark = LogMark::now(rig)?;
    rig.sql(&format!("BEGIN; DELETE FROM servers; {}; COMMIT", dialling(OWN_TARGET)))?;
    mark.wait_for(rig, &["tables read"]).await.map(drop)
}

/// A call whose entry carrier has no endpoint; INVITEs at the primary's and at the backup's fake carrier.
async fn call_through_the_backup(rig: &Rig, report: &mut Report) -> Result<(usize, usize), LabError> {
    let number = rig.number(Entry::Unknown);
    rig.primary.on_number(&number.wire, answers());
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
    rig.wait_until_empty(SOON).await?;
    report.dialer_saw(&end);
    let (primary, backup) = (rig.seen(&rig.primary, &number), rig.seen(&rig.backup, &number));
    report.carrier_saw("PRIMARY", &primary);
    report.carrier_saw("BACKUP", &backup);
    report.equal(
        "DIALSTATUS",
        (end.dialstatus.as_str(), end.hangup_cause),
        ("ANSWER", Some(16)),
    );
    Ok((primary.len(), backup.len()))
}

const AT_THE_PRIMARYS_PEER: (usize, usize) = (1, 0);
const AT_THE_BACKUPS_OWN: (usize, usize) = (0, 1);

/// The next call after the daemon's look at the tables takes the new target.
pub(super) async fn used_at_once(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let before = call_through_the_backup(rig, report).await?;
    report.equal("INVITEs before the edit", before, AT_THE_BACKUPS_OWN);
    let mark = LogMark::now(rig)?;
    edit_backup(rig, PRIMARYS_PEER)?;
    let seen = mark.wait_for(rig, &["tables read"]).await?;
    report.note(format!("the edit was seen after {seen:?}"));
    report.check(
        format!("the edit was seen within {SEEN_WITHIN:?}: {seen:?}"),
        seen < SEEN_WITHIN,
    );
    let after = call_through_the_backup(rig, report).await;
    restore(rig).await?;
    report.equal("INVITEs after the edit", after?, AT_THE_PRIMARYS_PEER);
    let restored = call_through_the_backup(rig, report).await?;
    report.equal("INVITEs after the edit was taken back", restored, AT_THE_BACKUPS_OWN);
    Ok(())
}

/// A row that nobody understands any more: calls go on with the last good one, and `check` names it.
pub(super) async fn broken(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let mark = LogMark::now(rig)?;
    edit_backup(rig, "DAHDI/g1/${EXTEN:1}")?;
    mark.wait_for(rig, &["carrier=BACKUP", "broken by an edit: the last good row serves"])
        .await?;
    let invites = call_through_the_backup(rig, report).await;
    // Degraded is no success, so the output comes as an error.
    let checked = match rig.crankback("check").await {
        Ok(text) => text,
        Err(error) => error.to_string(),
    };
    restore(rig).await?;
    report.equal("INVITEs", invites?, AT_THE_BACKUPS_OWN);
    report.check(
        format!("check names carrier, line and reason:\n{checked}"),
        checked.contains("carrier BACKUP, dialplan_entry line 1: \"DAHDI\" is no channel driver"),
    );
    Ok(())
}

/// VICIdial has not written its files: the edit waits.
pub(super) async fn held_back(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    rig.sql("REPLACE INTO servers (server_ip, rebuild_conf_files) VALUES ('127.0.0.1', 'Y')")?;
    let mark = LogMark::now(rig)?;
    edit_backup(rig, PRIMARYS_PEER)?;
    mark.wait_for(
        rig,
        &["carrier=BACKUP", "pending reload: VICIdial has not written its files"],
    )
    .await?;
    let waiting = call_through_the_backup(rig, report).await?;
    let mark = LogMark::now(rig)?;
    rig.sql("UPDATE servers SET rebuild_conf_files = 'N'")?;
    let seen = mark.wait_for(rig, &["carrier=BACKUP", "state=active"]).await?;
    let loaded = call_through_the_backup(rig, report).await;
    restore(rig).await?;
    report.equal("INVITEs while rebuild_conf_files is Y", waiting, AT_THE_BACKUPS_OWN);
    report.equal("INVITEs when it is N", loaded?, AT_THE_PRIMARYS_PEER);
    report.check(
        format!("the N was seen within {SEEN_WITHIN:?}: {seen:?}"),
        seen < SEEN_WITHIN,
    );
    Ok(())
}

/// Asterisk does not have the new peer yet: the edit waits for its reload.
pub(super) async fn endpoint_loaded_later(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let mark = LogMark::now(rig)?;
    edit_backup(rig, "PJSIP/${EXTEN:1}@later")?;
    mark.wait_for(
        rig,
        &[
            "carrier=BACKUP",
            "pending reload: Asterisk has no endpoint PJSIP/later yet",
        ],
    )
    .await?;
    let waiting = call_through_the_backup(rig, report).await?;
    let pjsip = rig.asterisk.directory().join("etc/pjsip.conf");
    let without = std::fs::read_to_string(&pjsip).context(|| format!("read {}", pjsip.display()))?;
    let with = format!(
        "{without}\n[later]\ntype = endpoint\ncontext = trunkinbound\ntransport = transport-udp\ndisallow = all\n\
         allow = ulaw\ndirect_media = no\naors = later\n[later]\ntype = aor\ncontact = sip:{}\n",
        rig.primary.addr()
    );
    let write = |text: &str| std::fs::write(&pjsip, text).context(|| format!("write {}", pjsip.display()));
    write(&with)?;
    let mark = LogMark::now(rig)?;
    rig.asterisk.cli("module reload res_pjsip.so").await?;
    let seen = mark.wait_for(rig, &["carrier=BACKUP", "state=active"]).await?;
    let loaded = call_through_the_backup(rig, report).await;
    restore(rig).await?;
    write(&without)?;
    rig.asterisk.cli("module reload res_pjsip.so").await?;
    report.note(format!("the reload was seen after {seen:?}"));
    report.equal("INVITEs before the reload", waiting, AT_THE_BACKUPS_OWN);
    report.equal("INVITEs after the reload", loaded?, AT_THE_PRIMARYS_PEER);
    Ok(())
}

/// The carrier table is gone: the last good one serves until it is back.
pub(super) async fn table_gone(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let mark = LogMark::now(rig)?;
    rig.sql("ALTER TABLE vicidial_server_carriers RENAME TO taken_away")?;
    mark.wait_for(
        rig,
        &["vicidial_server_carriers is gone or empty", "the last good ones serve"],
    )
    .await?;
    let invites = call_through_the_backup(rig, report).await;
    let mark = LogMark::now(rig)?;
    rig.sql("ALTER TABLE taken_away RENAME TO vicidial_server_carriers")?;
    mark.wait_for(rig, &["the tables are fresh again"]).await?;
    report.equal("INVITEs without the table", invites?, AT_THE_BACKUPS_OWN);
    Ok(())
}
