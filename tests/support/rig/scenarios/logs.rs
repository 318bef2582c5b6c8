//! What the daemon says of a call: every line carries the call's id.

use super::super::super::error::LabError;
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Entry, Rig, SOON};
use super::{answers, auto_dial, refuses};

/// Parts of the program that speak only of one call.
const OF_A_CALL: [&str; 4] = [
    " crankback::engine::runner: ",
    " crankback::engine::stasis::driver: ",
    " crankback::engine::stasis::execute: ",
    " crankback::engine::agi::session: ",
];

pub(super) async fn call_id_on_every_line(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let said_before = rig.daemon()?.log_text().len();
    let number = rig.number(Entry::Primary);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
    rig.attempts(&end, 2).await?;
    rig.wait_until_empty(SOON).await?;

    let log = rig.daemon()?.log_text();
    let lines: Vec<&str> = log[said_before..]
        .lines()
        .filter(|line| OF_A_CALL.iter().any(|part| line.contains(part)))
        .collect();
    let head = format!(
        "call{{id={:?} code={:?} engine={:?}}}:",
        end.uniqueid,
        call.code,
        rig.engine.as_str()
    );
    let ended = lines.iter().filter(|line| line.contains("attempt ended"));
    report.equal("lines about the two attempts", ended.count(), 2);
    let strangers: Vec<_> = lines.iter().filter(|line| !line.contains(&head)).collect();
    report.check(
        format!("every line carries {head}: {strangers:#?}"),
        strangers.is_empty(),
    );
    report.note(lines.join("\n"));
    Ok(())
}
