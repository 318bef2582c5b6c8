//! Asterisk's qualify as a witness: what it finds holds for the next call.

use super::*;

/// How often Asterisk asks.
const QUALIFY: &str = "2";
/// So long after Asterisk's start the daemon does not take its word for a peer that it has not seen online.
const YOUNG: Duration = Duration::from_secs(65);
/// From what Asterisk says to the daemon's own view: less than the daemon waits from one look of its own to the next. The
/// second look comes a second after the first, or five.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(10);

pub(in super::super) async fn of_pjsip(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let edit = pjsip(rig, "primary", QUALIFY).await?;
    follows(rig, report, Entry::Primary).await?;
    edit.undo(rig).await?;
    end(rig).await
}

pub(in super::super) async fn of_the_old_driver(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let edit = match rig.version.has_chan_sip() {
        true => chan_sip(rig, "olddriver").await?,
        false => pjsip(rig, "olddriver", QUALIFY).await?,
    };
    follows(rig, report, Entry::OldDriver).await?;
    edit.undo(rig).await?;
    end(rig).await
}

/// After its start Asterisk has asked nobody yet, and calls every peer offline that it will ask: that is no finding.
pub(in super::super) async fn asterisk_restarted(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let edit = pjsip(rig, "primary", "20").await?;
    begin(rig, &[]).await?;
    rig.restart_asterisk().await?;
    let is_back = rig.wait_for_log_lines("ARI connected app=\"crankback-watch\"", 2).await;
    report.check("the daemon is connected again", is_back);
    options(rig, 1).await?;
    reach(rig, report, Entry::Primary, (3, 0)).await?;
    report.equal("changes of its state", states(rig), Vec::<String>::new());
    edit.undo(rig).await?;
    end(rig).await
}

async fn pjsip(rig: &Rig, trunk: &str, every: &str) -> Result<Edit, LabError> {
    let contact = format!("[{trunk}]\ntype = aor\ncontact = sip:{}\n", rig.primary.addr());
    let off = format!("{contact}qualify_frequency = 0\n");
    let on = format!("{contact}qualify_frequency = {every}\nqualify_timeout = 1\n");
    Edit::make(rig, "pjsip.conf", &off, &on, "module reload res_pjsip.so").await
}

async fn chan_sip(rig: &Rig, trunk: &str) -> Result<Edit, LabError> {
    let on = format!("[{trunk}]\nqualify = 1000\nqualifyfreq = {QUALIFY}\n");
    let reload = "sip reload";
    let edit = Edit::make(rig, "sip.conf", &format!("[{trunk}]\n"), &on, reload).await?;
    // What comes last holds.
    Edit::make(rig, "sip.conf", "qualify = no\n", "", reload).await?;
    Ok(edit)
}

/// No calls; OPTIONS of Asterisk are not answered any more, and then again. A daemon that comes in between finds out by itself.
async fn follows(rig: &mut Rig, report: &mut Report, entry: Entry) -> Result<(), LabError> {
    begin(rig, &[]).await?;
    options(rig, 2).await?;
    rig.primary.set_options_reply(Reply::Silence);
    changes(rig, report, entry, "UNAVAILABLE", "standby").await?;
    reach(rig, report, entry, (0, 3)).await?;

    rig.take_daemon()?.stop().await?;
    rig.sql("DELETE FROM crankback_health")?;
    rig.start_daemon_with(&[ACTS]).await?;
    wait_for_state_within(rig, entry, "standby", YOUNG + DIAL_TIMEOUT).await?;

    rig.primary.set_options_reply(Reply::Code(200));
    changes(rig, report, entry, "NOT_INUSE", "active").await?;
    reach(rig, report, entry, (3, 0)).await
}

/// The daemon's view follows what Asterisk says, because Asterisk says it.
async fn changes(rig: &Rig, report: &mut Report, entry: Entry, device: &str, state: &str) -> Result<(), LabError> {
    let told = format!("device changed device={}", device_of(rig, entry));
    let told = format!("{told} state={device}");
    let is_told = rig.wait_for_log_lines_within(&told, 1, DIAL_TIMEOUT).await;
    let began = Instant::now();
    report.check(format!("Asterisk told: {told}"), is_told);
    wait_for_state_of(rig, entry, state).await?;
    let took = began.elapsed();
    report.note(format!("{state} {took:.1?} after Asterisk said {device}"));
    report.check(format!("{state} within {FOLLOWS_WITHIN:?}"), took <= FOLLOWS_WITHIN);
    Ok(())
}

/// As Asterisk calls it.
fn device_of(rig: &Rig, entry: Entry) -> &'static str {
    match (entry, rig.version.has_chan_sip()) {
        (Entry::OldDriver, true) => "SIP/olddriver",
        (Entry::OldDriver, false) => "PJSIP/olddriver",
        _ => "PJSIP/primary",
    }
}

async fn reach(rig: &Rig, report: &mut Report, entry: Entry, expected: (usize, usize)) -> Result<(), LabError> {
    let mut calls = Vec::new();
    for _ in 0..3 {
        calls.push(offer_one_to(rig, entry, answers_briefly()).await?);
    }
    all_answered(rig, report, &calls).await?;
    report.equal("calls at the carrier and the backup", reached(rig, &calls), expected);
    Ok(())
}
