//! Carriers from a description: added by the program's own command, written into Asterisk's files as VICIdial does it, loaded
//! without a complaint, tested by one call, and then a backup that calls go on to.

mod iax2;
mod way;

pub(super) use self::iax2::{
    by_address as iax2_by_address, by_login as iax2_by_login, dynamic as iax2_dynamic, registers as iax2_registers,
};

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::super::error::{IoContext, LabError};
use super::super::super::sip::{CallRecord, FakeCarrier, Script, Transport};
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Entry, Rig, SOON};
use super::{auto_dial, refuses};

use self::way::{KnownBy, Protocol, Way};

const USER: &str = "acct";
/// With characters that have a meaning elsewhere in Asterisk's files.
const PASSWORD: &str = "se=cr>e,t#1";
const CALLER_ID: &str = "13125550199";

/// Asterisk registers at a moment of its own choice within about 10 s of the reload, lest all its registrations go out at once.
const REGISTERS_WITHIN: Duration = Duration::from_secs(60);

/// An id for a new carrier, and the name of its account. Each case has its own: Asterisk keeps what a dialog still refers to, and
/// the tables what is on record.
fn new_id() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    format!("NEW{:03}", MADE.fetch_add(1, Ordering::Relaxed))
}

/// What the program's row of the carrier says: registration string and account.
async fn row(rig: &Rig, id: &str) -> Result<(String, String), LabError> {
    let tables = rig.store.routing_tables().await;
    let tables = tables.map_err(|error| LabError::Missing(error.to_string()))?;
    let mut rows = tables.carriers.into_iter();
    let row = rows.find(|row| row.carrier_id == id && row.active);
    let row = row.ok_or_else(|| LabError::Missing(format!("an active row of {id}")))?;
    Ok((row.registration_string, row.account_entry))
}

/// A command of the program until it is not refused with this code any more.
async fn until_not(rig: &Rig, code: &str, arguments: &str) -> Result<Value, LabError> {
    let began = Instant::now();
    loop {
        match rig.ask_crankback(arguments).await {
            Err(error) if error.to_string().contains(code) && began.elapsed() < SOON => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            other => return other,
        }
    }
}

/// One carrier from its description to the call that it carries.
async fn life(rig: &mut Rig, report: &mut Report, way: Way) -> Result<(), LabError> {
    let carrier = way.start_carrier().await?;
    let complaints_before = rig.asterisk.complaints()?.len();
    add(rig, report, &carrier, way).await?;
    let edit = way.protocol.play_vicidial(rig, carrier.name()).await?;
    let lived = used(rig, report, &carrier, way).await;
    let complaints = rig.asterisk.complaints()?;
    // A busy machine makes Asterisk complain of other things, too.
    let address = carrier.addr().to_string();
    let about_it = |line: &&String| {
        [carrier.name(), address.as_str(), "config", "sorcery"]
            .iter()
            .any(|it| line.contains(it))
    };
    let new: Vec<&String> = complaints[complaints_before..].iter().filter(about_it).collect();
    report.equal(format!("complaints of Asterisk {new:#?}"), new.len(), 0);
    remove(rig, carrier.name()).await?;
    if way.known_by == KnownBy::Registration && way.protocol != Protocol::Sip {
        // Asterisk takes its registration back, and has no login for it any more.
        carrier.require_no_login();
        let registers = carrier.stats().registers;
        edit.undo(rig).await?;
        let taken_back = carrier.wait_for(|stats| stats.registers > registers, SOON).await;
        report.check(format!("taken back: {taken_back:?}"), taken_back.is_ok());
    } else {
        edit.undo(rig).await?;
    }
    // The reload of res_pjsip began the qualification of contacts anew.
    rig.wait_until_unreachable().await?;
    lived
}

/// The carrier is shown, then written; its password is in the row alone.
async fn add(rig: &Rig, report: &mut Report, carrier: &FakeCarrier, way: Way) -> Result<(), LabError> {
    let password_file: PathBuf = rig.directory.path().join("second.password");
    std::fs::write(&password_file, format!("{PASSWORD}\n")).context(|| "write the password".to_owned())?;
    let password_file = format!("--password-file {}", password_file.display());
    let description = way.description(carrier, &password_file);
    let id = carrier.name();
    let command = format!("carrier add {id} {description} --codec ulaw --codec alaw");
    let shown = rig.crankback(&command).await?;
    report.check("shown first", shown.contains("nothing is written yet"));
    let warns = way.warning(id).is_none_or(|warning| shown.contains(&warning));
    report.check(format!("says what else it needs: {shown}"), warns);
    let written = rig.crankback(&format!("{command} --yes")).await?;
    report.check(format!("then written: {written}"), written.contains("written, staged"));
    let again = rig.crankback(&format!("{command} --yes")).await?;
    report.check("once", again.contains("there already, exactly so"));
    let said = [shown, written, again, rig.daemon()?.log_text()].concat();
    report.check("no secret is told", !said.contains(PASSWORD));
    let (registration, account) = row(rig, id).await?;
    let is_secret_there = format!("{registration}{account}").contains(PASSWORD);
    report.equal("the row has it", is_secret_there, way.known_by != KnownBy::Address);
    Ok(())
}

/// Staged, it is passed over; a test call makes it active; then calls go on to it.
async fn used(rig: &Rig, report: &mut Report, carrier: &FakeCarrier, way: Way) -> Result<(), LabError> {
    let id = carrier.name();
    if way.known_by == KnownBy::Registration {
        asterisk_registers(report, carrier).await;
    }
    until_not(rig, "carrier_not_loaded", &format!("carrier show {id}")).await?;
    if way.known_by == KnownBy::ItsRegistration {
        carrier_registers(rig, report, carrier, way.protocol).await?;
    }
    if way.protocol != Protocol::Sip {
        // By itself it does so within the interval, at a moment of its own choice.
        rig.asterisk.cli(&format!("pjsip qualify {id}")).await?;
    }
    let qualified = carrier.wait_for(|stats| stats.options > 0, SOON).await;
    report.check(
        format!("Asterisk asks it with OPTIONS: {qualified:?}"),
        qualified.is_ok(),
    );
    let route = rig
        .crankback(&format!(
            "route add --entry {} --carrier {id}",
            Entry::Alone.carrier_id()
        ))
        .await?;
    report.check(
        format!("the route warns: {route}"),
        route.contains(&format!("{id} is staged")),
    );
    let (status, seen) = call(rig, report, carrier).await?;
    report.equal("staged: DIALSTATUS", status.as_str(), "CONGESTION");
    report.equal("staged: INVITEs", seen.len(), 0);

    if way.known_by == KnownBy::Address {
        tested_in_vain(rig, report, carrier).await?;
    }
    let test = format!("carrier test {id} --number 13125550100 --caller-id {CALLER_ID}");
    let tested = rig.ask_crankback::<Value>(&test).await?;
    report.note(format!("{test}: {tested}"));
    report.check("the test call is answered", tested["answered"] == true);
    report.check("which makes the carrier active", tested["became_active"] == "now");
    let rungs = tested["rungs"].as_array().cloned().unwrap_or_default();
    let has_rung = |what: &str| rungs.iter().any(|rung| rung["what"] == what);
    report.check(
        "it rang, then was answered",
        has_rung("ringing") && has_rung("answered"),
    );
    report.check("its PDD is told", tested["pdd_ms"].is_u64());
    let seen = calls_to(carrier, "13125550100");
    report.carrier_saw(id, &seen);
    report.equal("test: INVITEs", seen.len(), 1);
    if let Some(invite) = seen.first() {
        report.equal("test: number", invite.number.as_str(), "13125550100");
        report.equal("test: transport", invite.transport, way.transport);
        report.equal("test: caller id", invite.caller_number.as_str(), CALLER_ID);
    }
    let ended = carrier.wait_for(|stats| stats.byes_received == 1, SOON).await;
    report.check(format!("hung up by us: {ended:?}"), ended.is_ok());
    on_record(
        rig,
        report,
        (id, "13125550100"),
        Some(200),
        ("ANSWER", "test call: answered"),
    )
    .await?;

    let (status, seen) = call(rig, report, carrier).await?;
    report.equal("active: DIALSTATUS", status.as_str(), "ANSWER");
    report.equal("active: INVITEs", seen.len(), 1);
    let stats = carrier.stats();
    let logins = match way.known_by {
        KnownBy::Address | KnownBy::ItsRegistration => (0, 0),
        KnownBy::Login | KnownBy::Registration => (2, 2),
    };
    report.equal("challenges and answers", (stats.challenges, stats.auth_retries), logins);
    report.equal(
        "it was registered with",
        stats.registers > 0,
        way.known_by == KnownBy::Registration,
    );
    let is_as_wanted = match way.transport {
        Transport::Udp => stats.outside_by_stream == 0,
        Transport::Tcp | Transport::Tls => stats.outside_by_stream >= stats.options + stats.registers,
    };
    report.check(
        format!("OPTIONS and REGISTERs go the same way: {stats:?}"),
        is_as_wanted,
    );
    let shown: Value = rig.ask_crankback(&format!("carrier show {id}")).await?;
    report.check(
        "nothing is due",
        shown["retest_due"] == false && shown["staged"] == false,
    );
    Ok(())
}

/// Asterisk registers: it asks, is challenged, and comes back at once with the login.
async fn asterisk_registers(report: &mut Report, carrier: &FakeCarrier) {
    let began = Instant::now();
    let asked = carrier.wait_for(|stats| stats.registers > 0, REGISTERS_WITHIN).await;
    report.check(format!("registers: {asked:?}"), asked.is_ok());
    report.note(format!("the first REGISTER came after {:?}", began.elapsed()));
    let registered = carrier.wait_for(|stats| stats.registers_with_login > 0, SOON).await;
    report.check(format!("with its login: {registered:?}"), registered.is_ok());
}

/// The carrier registers with Asterisk, which takes registrations some time after it has the account.
async fn carrier_registers(
    rig: &Rig,
    report: &mut Report,
    carrier: &FakeCarrier,
    protocol: Protocol,
) -> Result<(), LabError> {
    let server = protocol.registrar(rig);
    let began = Instant::now();
    let code = loop {
        let code = carrier.register_with(server, carrier.name(), PASSWORD).await;
        let code = code.context(|| format!("register with Asterisk at {server}"))?;
        if code == 200 || began.elapsed() > SOON {
            break code;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    report.equal("the carrier's REGISTER", code, 200);
    Ok(())
}

/// A test call is on record as any other leg, and marked.
async fn on_record(
    rig: &Rig,
    report: &mut Report,
    (id, number): (&str, &str),
    code: Option<u16>,
    (dialstatus, why): (&str, &str),
) -> Result<(), LabError> {
    let began = Instant::now();
    let row = loop {
        let view: Value = rig.ask_crankback(&format!("attempt list --carrier {id}")).await?;
        let attempts = view["attempts"].as_array().cloned().unwrap_or_default();
        let of_number = attempts.into_iter().find(|row| row["number"] == number);
        match of_number.filter(|row| row["ended_ms"].is_i64()) {
            Some(row) => break row,
            None if began.elapsed() > SOON => {
                return Err(LabError::Missing(format!("an attempt to {number} on record")));
            }
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    report.check(
        "its call says what it is",
        text("call_id").starts_with("crankback-test-"),
    );
    report.equal("rule on record", text("rule").as_str(), "test_call");
    report.equal("SIP code on record", row["sip_code"].as_u64(), code.map(u64::from));
    report.equal("DIALSTATUS on record", text("dialstatus").as_str(), dialstatus);
    report.equal("verdict on record", text("verdict").as_str(), "stop");
    report.equal("why on record", text("why").as_str(), why);
    report.equal("health on record", text("health").as_str(), "none");
    Ok(())
}

fn calls_to(carrier: &FakeCarrier, number: &str) -> Vec<CallRecord> {
    let calls = carrier.calls().into_iter();
    calls.filter(|call| call.number == number).collect()
}

/// Test calls that are refused and that nobody answers: each says so, and the carrier stays staged.
async fn tested_in_vain(rig: &Rig, report: &mut Report, carrier: &FakeCarrier) -> Result<(), LabError> {
    let id = carrier.name();
    carrier.on_number("13125550403", refuses(403));
    carrier.on_number("13125550180", Script::new().trying().ringing());
    for (number, said, code, recorded) in [
        (
            "13125550403",
            "SIP 403 Forbidden",
            Some(403),
            (
                "CHANUNAVAIL",
                "test call: forbidden: account, caller id, destination or a limit",
            ),
        ),
        (
            "13125550180",
            "nobody answered in time",
            Some(180),
            ("NOANSWER", "test call: no time left"),
        ),
    ] {
        let command = format!("carrier test {id} --number {number} --ring 1");
        let told = rig.crankback(&command).await?;
        report.check(format!("{said}: {told}"), told.contains(said));
        report.equal(format!("{number}: INVITEs"), calls_to(carrier, number).len(), 1);
        on_record(rig, report, (id, number), code, recorded).await?;
    }
    let cancelled = carrier.wait_for(|stats| stats.cancels == 1, SOON).await;
    report.check(format!("the second is cancelled: {cancelled:?}"), cancelled.is_ok());
    let shown: Value = rig.ask_crankback(&format!("carrier show {id}")).await?;
    report.check("it stays staged", shown["staged"] == true);
    Ok(())
}

/// A call whose primary refuses it: DIALSTATUS, and what the new carrier saw.
async fn call(rig: &Rig, report: &mut Report, carrier: &FakeCarrier) -> Result<(String, Vec<CallRecord>), LabError> {
    let number = rig.number(Entry::Alone);
    rig.primary.on_number(&number.wire, refuses(503));
    let call = auto_dial(rig, &number).await?;
    let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
    rig.wait_until_empty(SOON).await?;
    report.dialer_saw(&end);
    report.equal("INVITEs at the primary", rig.seen(&rig.primary, &number).len(), 1);
    report.equal("INVITEs at the backup", rig.seen(&rig.backup, &number).len(), 0);
    let seen = rig.seen(carrier, &number);
    report.carrier_saw(carrier.name(), &seen);
    Ok((end.dialstatus.clone(), seen))
}

/// Takes the carrier and its route away again.
async fn remove(rig: &Rig, id: &str) -> Result<(), LabError> {
    rig.sql(&format!(
        "BEGIN; DELETE FROM vicidial_server_carriers WHERE carrier_id = '{id}'; \
         DELETE FROM crankback_carriers WHERE carrier_id = '{id}'; \
         DELETE FROM crankback_outbound_routes WHERE carrier_id = '{id}'; COMMIT"
    ))?;
    rig.crankback("reload").await.map(drop)
}

/// The cases: each a way to speak to a carrier.
macro_rules! lives {
    ($($name:ident: $protocol:ident $known_by:ident $transport:ident),* $(,)?) => {$(
        pub(super) async fn $name(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
            let way = Way::new(Protocol::$protocol, KnownBy::$known_by, Transport::$transport);
            if way.protocol == Protocol::Sip && !rig.version.has_chan_sip() {
                let modules = rig.asterisk.cli("module show like chan_sip.so").await?;
                report.check("this Asterisk has no chan_sip", modules.contains("0 modules loaded"));
                return Ok(());
            }
            life(rig, report, way).await
        }
    )*};
}

lives! {
    pjsip_by_address: Pjsip Address Udp,
    pjsip_by_login: Pjsip Login Udp,
    pjsip_registers: Pjsip Registration Udp,
    pjsip_over_tcp: Pjsip Registration Tcp,
    pjsip_over_tls: Pjsip Registration Tls,
    pjsip_dynamic: Pjsip ItsRegistration Udp,
    wizard_by_address: PjsipWizard Address Udp,
    wizard_registers: PjsipWizard Registration Udp,
    wizard_over_tcp: PjsipWizard Registration Tcp,
    wizard_over_tls: PjsipWizard Registration Tls,
    wizard_dynamic: PjsipWizard ItsRegistration Udp,
    chan_sip_by_address: Sip Address Udp,
    chan_sip_registers: Sip Registration Udp,
    chan_sip_over_tcp: Sip Registration Tcp,
    chan_sip_over_tls: Sip Registration Tls,
    chan_sip_dynamic: Sip ItsRegistration Udp,
}
