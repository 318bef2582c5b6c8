//! Two engines in one daemon: which calls go to which.

use super::super::super::dialer::DEFAULT_CONTEXT;
use super::super::super::error::LabError;
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Engine, Entry, Rig, SOON};
use super::{Expected, answers, finish, refuses};

/// The three kinds of call that a dialer places.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Auto,
    Manual,
    ThreeWay,
}

const FAILED_OVER: Expected<'_> = Expected {
    dialstatus: "ANSWER",
    cause: 16,
    tech: "SIP 200 OK",
    attempts: &[("PRIMARY", Some(503), "next"), ("BACKUP", Some(200), "stop")],
    primary_invites: 1,
    backup_invites: 1,
};

/// As a new installation has it: agents' calls by `Dial()`, the dialer's by ARI.
pub(super) async fn by_kind(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    with_defaults(rig).await?;
    for (kind, engine) in [
        (Kind::Auto, Engine::Stasis),
        (Kind::Manual, Engine::Agi),
        (Kind::ThreeWay, Engine::Agi),
    ] {
        carried_by(rig, report, kind, engine).await?;
    }
    as_the_matrix_has_it(rig).await
}

/// An operator chooses for the calls that a carrier's dialplan line sends; the running daemon tells the dialplan.
pub(super) async fn by_entry(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    with_defaults(rig).await?;
    let shown = rig.crankback("carrier set PRIMARY engine=agi").await?;
    report.check(format!("the setting is shown: {shown}"), shown.contains("engine=agi"));
    report.check(
        "the dialplan is told",
        rig.wait_for_log_lines("from PRIMARY agi", 1).await,
    );
    carried_by(rig, report, Kind::Auto, Engine::Agi).await?;
    carried_by(rig, report, Kind::Manual, Engine::Agi).await?;
    rig.crankback("carrier set PRIMARY engine=stasis").await?;
    report.check(
        "the dialplan is told again",
        rig.wait_for_log_lines("from PRIMARY stasis", 1).await,
    );
    carried_by(rig, report, Kind::Auto, Engine::Stasis).await?;
    carried_by(rig, report, Kind::Manual, Engine::Stasis).await?;
    rig.crankback("carrier set PRIMARY engine=").await?;
    as_the_matrix_has_it(rig).await
}

/// A daemon without the settings of the matrix.
async fn with_defaults(rig: &mut Rig) -> Result<(), LabError> {
    rig.take_daemon()?.stop().await?;
    let settings = [
        ("CRANKBACK_ENGINE__DEFAULT", "stasis"),
        ("CRANKBACK_ENGINE__MANUAL", "agi"),
        ("CRANKBACK_ENGINE__THREE_WAY", "agi"),
    ];
    rig.start_daemon_with(&settings).await
}

async fn as_the_matrix_has_it(rig: &mut Rig) -> Result<(), LabError> {
    rig.take_daemon()?.stop().await?;
    rig.start_daemon().await?;
    Ok(())
}

/// A call that fails over, and which engine placed its legs: only ARI lets us choose a channel's id.
async fn carried_by(rig: &Rig, report: &mut Report, kind: Kind, engine: Engine) -> Result<(), LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, answers());
    let (dialer, dialled) = (&rig.dialer, &number.dialled);
    let call = match kind {
        Kind::Auto => dialer.auto_dial(dialled, DEFAULT_CONTEXT, DIAL_TIMEOUT).await?,
        Kind::Manual => dialer.manual(dialled, DEFAULT_CONTEXT, DIAL_TIMEOUT).await?,
        Kind::ThreeWay => dialer.three_way(dialled, DEFAULT_CONTEXT).await?,
    };
    let ended = finish(rig, report, &call.code, &number, &FAILED_OVER).await?;
    for attempt in rig.attempts(&ended.end, 2).await? {
        let serial = attempt.channel_id.rsplit('.').next().unwrap_or_default();
        let is_ours = serial.len() == 9 && serial.starts_with('9');
        report.equal(
            format!(
                "{kind:?}, attempt {}: {} is an id of ours",
                attempt.n, attempt.channel_id
            ),
            is_ours,
            engine == Engine::Stasis,
        );
    }
    let started = format!(
        "call{{id={:?} code={:?} engine={:?}}}",
        ended.end.uniqueid,
        call.code,
        engine.as_str()
    );
    report.check(
        format!("the log names the engine: {started}"),
        rig.wait_for_log_lines(&started, 1).await,
    );
    rig.wait_until_empty(SOON).await
}
