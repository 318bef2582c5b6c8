//! An operator works on the running daemon: what a command changes holds for the next call, what is shown is what happens.

use std::time::{Duration, Instant};

use crankback::control::{
    AttemptsView, CallView, CallsView, Effect, Reloaded, RouteAddedView, RouteRemovedView, RoutesView, StatusView,
};
use crankback::store::AuditRow;
use nix::sys::signal::Signal;

use super::super::super::dialer::DEFAULT_CONTEXT;
use super::super::super::error::{IoContext, LabError};
use super::super::super::sip::{Answer, Script};
use super::super::report::Report;
use super::super::{BACKUP, DIAL_TIMEOUT, Entry, Number, Rig, SOON, told};
use super::{Ended, Expected, answers, answers_and_waits, auto_dial, finish, refuses};

/// From a command's arrival to its effect.
const EFFECT_LIMIT_MS: i64 = 100;

pub(super) async fn routes(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let result = remove_and_add(rig, report).await;
    // The cases after this one need the backup, whatever came of it here.
    if backup_route(rig).await?.is_none() {
        rig.crankback("route add --entry PRIMARY --carrier BACKUP").await?;
    }
    result
}

async fn remove_and_add(rig: &Rig, report: &mut Report) -> Result<(), LabError> {
    let id = backup_route(rig)
        .await?
        .ok_or_else(|| LabError::Missing("the route to the backup".to_owned()))?;
    let began = Instant::now();
    let removed: RouteRemovedView = rig.ask_crankback(&format!("route remove {id}")).await?;
    report.note(format!("route remove, the whole program: {:.0?}", began.elapsed()));
    report.equal("when the removal holds", removed.effect, Effect::Now);
    let alone = call_with_a_refusing_primary(rig, report, 0).await?;
    took_effect(rig, report, "route_remove", id).await?;

    let began = Instant::now();
    let added: RouteAddedView = rig
        .ask_crankback("route add --entry PRIMARY --carrier BACKUP --priority 2")
        .await?;
    report.note(format!("route add, the whole program: {:.0?}", began.elapsed()));
    report.equal("when the addition holds", added.effect, Effect::Now);
    let backed_up = call_with_a_refusing_primary(rig, report, 1).await?;
    took_effect(rig, report, "route_add", added.route.id).await?;

    let failed: AttemptsView = rig
        .ask_crankback("attempt list --since 5m --carrier PRIMARY --code 503")
        .await?;
    for ended in [&alone, &backed_up] {
        let shown = failed.attempts.iter().find(|row| row.call_id == ended.end.uniqueid);
        report.equal(
            "the failed leg in `attempt list --code 503`",
            shown.map(|row| (row.n, row.carrier_id.as_str(), row.sip_code)),
            Some((1, "PRIMARY", Some(503))),
        );
    }
    report.check(
        "nothing else is in it",
        failed
            .attempts
            .iter()
            .all(|row| row.sip_code == Some(503) && row.carrier_id == "PRIMARY"),
    );
    let of_call: AttemptsView = rig
        .ask_crankback(&format!("attempt list --call {}", backed_up.end.uniqueid))
        .await?;
    let carriers: Vec<_> = of_call.attempts.iter().map(|row| row.carrier_id.as_str()).collect();
    report.equal("`attempt list --call`", carriers, vec![BACKUP, "PRIMARY"]);
    Ok(())
}

/// The id of the route from `PRIMARY` to `BACKUP`.
async fn backup_route(rig: &Rig) -> Result<Option<i64>, LabError> {
    let view: RoutesView = rig.ask_crankback("route list").await?;
    let primary = Some(Entry::Primary.carrier_id());
    let mut routes = view.routes.iter();
    Ok(routes
        .find(|route| route.entry.as_deref() == primary)
        .map(|route| route.id))
}

/// The primary says 503; whether the call goes on is the routes' business.
async fn call_with_a_refusing_primary(rig: &Rig, report: &mut Report, backups: usize) -> Result<Ended, LabError> {
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let attempts = [("PRIMARY", Some(503), "next"), (BACKUP, Some(200), "stop")];
    let (dialstatus, cause, tech) = match backups {
        0 => ("CONGESTION", 34, "SIP 503 Service Unavailable"),
        _ => ("ANSWER", 16, "SIP 200 OK"),
    };
    let expected = Expected {
        dialstatus,
        cause,
        tech,
        attempts: &attempts[..=backups],
        primary_invites: 1,
        backup_invites: backups,
    };
    finish(rig, report, &call.code, &number, &expected).await
}

/// The newest command is on record, and the daemon read the tables for it at once; both times are the daemon's own.
async fn took_effect(rig: &Rig, report: &mut Report, command: &str, route: i64) -> Result<(), LabError> {
    let rows = rig.store.latest_audit(1).await.map_err(told)?;
    let Some(AuditRow {
        at_ms,
        actor,
        command: on_record,
        target,
        outcome,
        detail: _,
    }) = rows.first()
    else {
        return Err(LabError::Missing(format!("audit row of {command}")));
    };
    report.equal(
        "the audit row",
        (on_record.as_str(), target.as_str(), outcome.as_str()),
        (command, format!("route {route}").as_str(), "done"),
    );
    report.check(format!("the actor {actor}"), actor.starts_with("uid:"));
    let status: StatusView = rig.ask_crankback("status").await?;
    let after_ms = status.tables.read_ms - at_ms;
    report.note(format!("{command}: in effect {after_ms} ms after it arrived"));
    report.check(
        format!("{command} took effect after {after_ms} ms"),
        (0..=EFFECT_LIMIT_MS).contains(&after_ms),
    );
    Ok(())
}

pub(super) async fn calls(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    const RINGS: Duration = Duration::from_secs(3);
    let (first, second) = (rig.number(Entry::Primary), rig.number(Entry::Primary));
    rig.primary.on_number(&first.wire, answers_and_waits());
    rig.primary.on_number(&second.wire, refuses(503));
    rig.backup.on_number(
        &second.wire,
        Script::new()
            .trying()
            .ringing()
            .after(RINGS)
            .finally(Answer::with_rtp()),
    );
    // Three-way calls wait in the conference once they are answered, until somebody hangs up.
    let talking = rig.dialer.three_way(&first.dialled, DEFAULT_CONTEXT).await?;
    report.check("the first call is up", talking.response().await?.answered);
    let ringing = rig.dialer.three_way(&second.dialled, DEFAULT_CONTEXT).await?;

    let seen = wait_for_state(rig, &second, "ringing").await?;
    shows(report, &seen, &second, &ringing.code, (BACKUP, 2, "ringing"));
    shows(report, &seen, &first, &talking.code, ("PRIMARY", 1, "connected"));
    let status: StatusView = rig.ask_crankback("status").await?;
    report.equal(
        "calls in `status`",
        (status.calls.trying, status.calls.ringing, status.calls.connected),
        (0, 1, 1),
    );
    report.equal(
        "legs out in `status`",
        status.legs_out.into_iter().collect::<Vec<_>>(),
        vec![(BACKUP.to_owned(), 1), ("PRIMARY".to_owned(), 1)],
    );
    let daemon = rig.daemon()?.pid();
    report.equal("the daemon in `status`", status.pid, daemon);

    let seen = wait_for_state(rig, &second, "connected").await?;
    shows(report, &seen, &second, &ringing.code, (BACKUP, 2, "connected"));
    rig.primary.hang_up_all();
    rig.backup.hang_up_all();
    rig.wait_until_empty(SOON).await?;
    for (code, number) in [(&talking.code, &first), (&ringing.code, &second)] {
        let end = rig.agi.wait_for_end(code, SOON).await?;
        report.equal(
            format!("DIALSTATUS of {}", number.dialled),
            end.dialstatus.as_str(),
            "ANSWER",
        );
    }
    let left: CallsView = rig.ask_crankback("call list").await?;
    report.equal("calls that are left in the list", left.calls, Vec::new());
    Ok(())
}

/// The list, as soon as the call to `number` is in `state`.
async fn wait_for_state(rig: &Rig, number: &Number, state: &str) -> Result<CallsView, LabError> {
    let began = Instant::now();
    loop {
        let view: CallsView = rig.ask_crankback("call list").await?;
        if find(&view, number).is_some_and(|call| call.state == state) {
            return Ok(view);
        }
        if began.elapsed() > SOON {
            return Err(LabError::Timeout {
                what: format!("{state} call in {view:?}"),
                after: SOON,
            });
        }
    }
}

fn find<'a>(view: &'a CallsView, number: &Number) -> Option<&'a CallView> {
    view.calls.iter().find(|call| call.number == number.dialled)
}

/// One call of the list: the carrier that it is with now, the number of the attempt, the state.
fn shows(report: &mut Report, view: &CallsView, number: &Number, code: &str, expected: (&str, u32, &str)) {
    let call = find(view, number);
    report.equal(
        "the call in `call list`",
        call.map(|call| {
            (
                call.carrier.as_deref().unwrap_or("-"),
                call.attempt,
                call.state.as_str(),
            )
        }),
        Some(expected),
    );
    report.equal("its code", call.map(|call| call.code.as_str()), Some(code));
    report.equal("its entry", call.map(|call| call.entry.as_str()), Some("PRIMARY"));
    let age_is_plausible = call.is_some_and(|call| (0..60_000).contains(&call.age_ms));
    report.check("its age", age_is_plausible);
}

pub(super) async fn reload(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let tables = async |rig: &Rig| -> Result<i64, LabError> {
        let status: StatusView = rig.ask_crankback("status").await?;
        Ok(status.tables.read_ms)
    };
    let before = tables(rig).await?;
    let found: Reloaded = rig.ask_crankback("reload").await?;
    report.equal("carriers found", found.carriers, Entry::ALL.len() + 1);
    let after_command = tables(rig).await?;
    report.check("`reload` read the tables", after_command > before);
    rig.daemon()?.signal(Signal::SIGHUP)?;
    let began = Instant::now();
    let mut after_signal = after_command;
    while after_signal == after_command && began.elapsed() < SOON {
        after_signal = tables(rig).await?;
    }
    report.check(
        "SIGHUP read the tables and did not end the daemon",
        after_signal > after_command,
    );

    let config = std::fs::read_to_string(rig.config()).context(|| "read the configuration".to_owned())?;
    let write = |text: &str| std::fs::write(rig.config(), text).context(|| "write the configuration".to_owned());
    let with = |key: &str| config.replacen("[call]\n", &format!("[call]\n{key}\n"), 1);
    write(&with("guard_ms = 1500"))?;
    let _reloaded: Reloaded = rig.ask_crankback("reload").await?;
    write(&with("gaurd_ms = 9000"))?;
    let refused = rig.ask_crankback::<Reloaded>("reload").await;
    report.check(
        "a configuration with a slip is refused by the name of the key",
        refused.is_err_and(|error| error.to_string().contains("call.gaurd_ms")),
    );
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, Script::silence());
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
    report.equal("DIALSTATUS", end.dialstatus.as_str(), "ANSWER");
    let asked = |carrier| {
        rig.seen(carrier, &number)
            .first()
            .and_then(|call| call.received("INVITE").map(|packet| packet.at))
    };
    let waited = match (asked(&rig.primary), asked(&rig.backup)) {
        (Some(asked), Some(moved_on)) => moved_on.duration_since(asked),
        _ => Duration::ZERO,
    };
    report.check(
        format!("the guard that was read last well holds for the next call: moved on after {waited:?}"),
        (Duration::from_millis(1_400)..Duration::from_secs(3)).contains(&waited),
    );
    write(&config)?;
    let _reloaded: Reloaded = rig.ask_crankback("reload").await?;
    rig.wait_until_empty(SOON).await
}

/// The socket stays with the daemon that serves the application, and goes on with it.
pub(super) async fn second_daemon(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let first = rig.daemon()?.pid();
    let status: StatusView = rig.ask_crankback("status").await?;
    report.equal("the first daemon answers", status.pid, first);
    let second = rig.start_second_daemon().await?;
    let taken_over = Instant::now();
    let mut answers = first;
    while answers == first && taken_over.elapsed() < SOON {
        // Between the two there may be a moment without anybody.
        if let Ok(status) = rig.ask_crankback::<StatusView>("status").await {
            answers = status.pid;
        }
    }
    report.equal("the second daemon answers", answers, second.pid());
    report.note(format!("the socket followed within {:.0?}", taken_over.elapsed()));
    rig.daemon = Some(second);
    Ok(())
}
