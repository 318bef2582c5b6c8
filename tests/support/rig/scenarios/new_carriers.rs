//! Carriers from a description: added by the program's own command, written into Asterisk's files as VICIdial does it, loaded
//! without a complaint, tested by one call, and then a backup that calls go on to.

mod iax2;

pub(super) use self::iax2::by_login as iax2_by_login;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::super::error::{IoContext, LabError};
use super::super::super::sip::{CallRecord, FakeCarrier, Script, Transport};
use super::super::report::Report;
use super::super::{DIAL_TIMEOUT, Entry, Rig, SOON};
use super::check::Edit;
use super::{answers, auto_dial, refuses};

/// Its id, and the name of its account.
const NEW: &str = "SECOND";
const USER: &str = "acct";
/// With characters that have a meaning elsewhere in Asterisk's files.
const PASSWORD: &str = "se=cr>e,t#1";
const CALLER_ID: &str = "13125550199";

/// An attempt that Asterisk gives up, after at most 32 s, is repeated after 20 s.
const REGISTERED_WITHIN: Duration = Duration::from_secs(90);

const RELOAD_PJSIP: &str = "module reload res_pjsip.so";
const RELOAD_SIP: &str = "sip reload";

/// How the carrier knows us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KnownBy {
    Address,
    Login,
    Registration,
}

/// How a new carrier is to be spoken to.
#[derive(Clone, Copy, Debug)]
struct Way {
    protocol: Protocol,
    known_by: KnownBy,
    transport: Transport,
}

impl Way {
    const fn over_udp(protocol: Protocol, known_by: KnownBy) -> Self {
        Self {
            protocol,
            known_by,
            transport: Transport::Udp,
        }
    }

    const fn over_tcp(protocol: Protocol, known_by: KnownBy) -> Self {
        Self {
            transport: Transport::Tcp,
            ..Self::over_udp(protocol, known_by)
        }
    }

    /// The words of the command for the transport.
    const fn transport_option(self) -> &'static str {
        match self.transport {
            Transport::Udp => "",
            Transport::Tcp => "--transport tcp",
        }
    }
}

/// Which of Asterisk's files the account goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Pjsip,
    PjsipWizard,
    Sip,
}

impl Protocol {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pjsip => "PJSIP",
            Self::PjsipWizard => "PJSIP_WIZ",
            Self::Sip => "SIP",
        }
    }

    /// A file, the line behind which accounts stand in the lab's, and what makes Asterisk read it.
    const fn file(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Pjsip => ("pjsip.conf", "[transport-udp]\n", RELOAD_PJSIP),
            Self::PjsipWizard => ("pjsip_wizard.conf", "[wizard]\n", RELOAD_PJSIP),
            Self::Sip => ("sip.conf", "srvlookup = no\n", RELOAD_SIP),
        }
    }
}

/// What the program's row of the carrier says: registration string and account.
async fn row(rig: &Rig) -> Result<(String, String), LabError> {
    let tables = rig.store.routing_tables().await;
    let tables = tables.map_err(|error| LabError::Missing(error.to_string()))?;
    let mut rows = tables.carriers.into_iter();
    let row = rows.find(|row| row.carrier_id == NEW && row.active);
    let row = row.ok_or_else(|| LabError::Missing(format!("an active row of {NEW}")))?;
    Ok((row.registration_string, row.account_entry))
}

/// Writes the account into Asterisk's file, as VICIdial does once a minute, and has it read.
async fn play_vicidial(rig: &Rig, protocol: Protocol) -> Result<Edit, LabError> {
    let (registration, account) = row(rig).await?;
    let (file, behind, reload) = protocol.file();
    let text = match protocol {
        Protocol::Sip => format!("{behind}{registration}\n{account}\n"),
        Protocol::Pjsip | Protocol::PjsipWizard => format!("{account}\n{behind}"),
    };
    Edit::make(rig, file, behind, &text, reload).await
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
    let carrier = FakeCarrier::start(NEW)
        .await
        .context(|| "start the new carrier".to_owned())?;
    let play = match way.known_by {
        KnownBy::Address => answers(),
        KnownBy::Login | KnownBy::Registration => {
            carrier.require_login(USER, PASSWORD);
            Script::new().challenge(401).then(answers())
        }
    };
    carrier.set_default(play);
    let complaints_before = rig.asterisk.complaints()?.len();
    add(rig, report, &carrier, way).await?;
    let edit = play_vicidial(rig, way.protocol).await?;
    let lived = used(rig, report, &carrier, way).await;
    let complaints = rig.asterisk.complaints()?;
    // A busy machine makes Asterisk complain of other things, too.
    let address = carrier.addr().to_string();
    let about_it = |line: &&String| {
        [NEW, address.as_str(), "config", "sorcery"]
            .iter()
            .any(|it| line.contains(it))
    };
    let new: Vec<&String> = complaints[complaints_before..].iter().filter(about_it).collect();
    report.equal(format!("complaints of Asterisk {new:#?}"), new.len(), 0);
    remove(rig).await?;
    edit.undo(rig).await?;
    // The reload of res_pjsip began the qualification of contacts anew.
    rig.wait_until_unreachable().await?;
    lived
}

/// The carrier is shown, then written; its password is in the row alone.
async fn add(rig: &Rig, report: &mut Report, carrier: &FakeCarrier, way: Way) -> Result<(), LabError> {
    let password_file: PathBuf = rig.directory.path().join("second.password");
    std::fs::write(&password_file, format!("{PASSWORD}\n")).context(|| "write the password".to_owned())?;
    let login = format!("--user {USER} --password-file {}", password_file.display());
    let (kind, login) = match way.known_by {
        KnownBy::Address => ("sip_trunk", ""),
        KnownBy::Login => ("sip_trunk", login.as_str()),
        KnownBy::Registration => ("register_trunk", login.as_str()),
    };
    let command = format!(
        "carrier add {NEW} --type {kind} --host {} --protocol {} --codec ulaw --codec alaw {login} {}",
        carrier.addr(),
        way.protocol.as_str(),
        way.transport_option()
    );
    let shown = rig.crankback(&command).await?;
    report.check("shown first", shown.contains("nothing is written yet"));
    let written = rig.crankback(&format!("{command} --yes")).await?;
    report.check(format!("then written: {written}"), written.contains("written, staged"));
    let again = rig.crankback(&format!("{command} --yes")).await?;
    report.check("once", again.contains("there already, exactly so"));
    let said = [shown, written, again, rig.daemon()?.log_text()].concat();
    report.check("no secret is told", !said.contains(PASSWORD));
    let (registration, account) = row(rig).await?;
    let is_secret_there = format!("{registration}{account}").contains(PASSWORD);
    report.equal("the row has it", is_secret_there, way.known_by != KnownBy::Address);
    Ok(())
}

/// Staged, it is passed over; a test call makes it active; then calls go on to it.
async fn used(rig: &Rig, report: &mut Report, carrier: &FakeCarrier, way: Way) -> Result<(), LabError> {
    if way.known_by == KnownBy::Registration {
        let registered = carrier
            .wait_for(|stats| stats.registers_with_login > 0, REGISTERED_WITHIN)
            .await;
        report.check(format!("registered: {registered:?}"), registered.is_ok());
    }
    until_not(rig, "carrier_not_loaded", &format!("carrier show {NEW}")).await?;
    if way.protocol != Protocol::Sip {
        // By itself it does so within the interval, at a moment of its own choice.
        rig.asterisk.cli(&format!("pjsip qualify {NEW}")).await?;
    }
    let qualified = carrier.wait_for(|stats| stats.options > 0, SOON).await;
    report.check(
        format!("Asterisk asks it with OPTIONS: {qualified:?}"),
        qualified.is_ok(),
    );
    let route = rig
        .crankback(&format!(
            "route add --entry {} --carrier {NEW}",
            Entry::Alone.carrier_id()
        ))
        .await?;
    report.check(format!("the route warns: {route}"), route.contains("SECOND is staged"));
    let (status, seen) = call(rig, report, carrier).await?;
    report.equal("staged: DIALSTATUS", status.as_str(), "CONGESTION");
    report.equal("staged: INVITEs", seen.len(), 0);

    if way.known_by == KnownBy::Address {
        tested_in_vain(rig, report, carrier).await?;
    }
    let test = format!("carrier test {NEW} --number 13125550100 --caller-id {CALLER_ID}");
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
    report.carrier_saw(NEW, &seen);
    report.equal("test: INVITEs", seen.len(), 1);
    if let Some(invite) = seen.first() {
        report.equal("test: number", invite.number.as_str(), "13125550100");
        report.equal("test: transport", invite.transport, way.transport);
        report.equal("test: caller id", invite.caller_number.as_str(), CALLER_ID);
    }
    let ended = carrier.wait_for(|stats| stats.byes_received == 1, SOON).await;
    report.check(format!("hung up by us: {ended:?}"), ended.is_ok());

    let (status, seen) = call(rig, report, carrier).await?;
    report.equal("active: DIALSTATUS", status.as_str(), "ANSWER");
    report.equal("active: INVITEs", seen.len(), 1);
    let stats = carrier.stats();
    let logins = match way.known_by {
        KnownBy::Address => (0, 0),
        KnownBy::Login | KnownBy::Registration => (2, 2),
    };
    report.equal("challenges and answers", (stats.challenges, stats.auth_retries), logins);
    report.equal(
        "it was registered with",
        stats.registers > 0,
        way.known_by == KnownBy::Registration,
    );
    let is_as_wanted = match way.transport {
        Transport::Udp => stats.outside_over_tcp == 0,
        Transport::Tcp => stats.outside_over_tcp >= stats.options + stats.registers,
    };
    report.check(
        format!("OPTIONS and REGISTERs go the same way: {stats:?}"),
        is_as_wanted,
    );
    let shown: Value = rig.ask_crankback(&format!("carrier show {NEW}")).await?;
    report.check(
        "nothing is due",
        shown["retest_due"] == false && shown["staged"] == false,
    );
    Ok(())
}

fn calls_to(carrier: &FakeCarrier, number: &str) -> Vec<CallRecord> {
    let calls = carrier.calls().into_iter();
    calls.filter(|call| call.number == number).collect()
}

/// Test calls that are refused and that nobody answers: each says so, and the carrier stays staged.
async fn tested_in_vain(rig: &Rig, report: &mut Report, carrier: &FakeCarrier) -> Result<(), LabError> {
    carrier.on_number("13125550403", refuses(403));
    carrier.on_number("13125550180", Script::new().trying().ringing());
    for (number, said) in [
        ("13125550403", "SIP 403 Forbidden"),
        ("13125550180", "nobody answered in time"),
    ] {
        let command = format!("carrier test {NEW} --number {number} --ring 1");
        let told = rig.crankback(&command).await?;
        report.check(format!("{said}: {told}"), told.contains(said));
        report.equal(format!("{number}: INVITEs"), calls_to(carrier, number).len(), 1);
    }
    let cancelled = carrier.wait_for(|stats| stats.cancels == 1, SOON).await;
    report.check(format!("the second is cancelled: {cancelled:?}"), cancelled.is_ok());
    let shown: Value = rig.ask_crankback(&format!("carrier show {NEW}")).await?;
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
    report.carrier_saw(NEW, &seen);
    Ok((end.dialstatus.clone(), seen))
}

/// Takes the carrier and its route away again.
async fn remove(rig: &Rig) -> Result<(), LabError> {
    rig.sql(&format!(
        "BEGIN; DELETE FROM vicidial_server_carriers WHERE carrier_id = '{NEW}'; \
         DELETE FROM crankback_carriers WHERE carrier_id = '{NEW}'; \
         DELETE FROM crankback_outbound_routes WHERE carrier_id = '{NEW}'; COMMIT"
    ))?;
    rig.crankback("reload").await.map(drop)
}

pub(super) async fn pjsip_by_address(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    life(rig, report, Way::over_udp(Protocol::Pjsip, KnownBy::Address)).await
}

pub(super) async fn pjsip_by_login(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    life(rig, report, Way::over_udp(Protocol::Pjsip, KnownBy::Login)).await
}

pub(super) async fn pjsip_registers(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    life(rig, report, Way::over_udp(Protocol::Pjsip, KnownBy::Registration)).await
}

pub(super) async fn wizard_by_address(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    life(rig, report, Way::over_udp(Protocol::PjsipWizard, KnownBy::Address)).await
}

pub(super) async fn wizard_registers(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    life(rig, report, Way::over_udp(Protocol::PjsipWizard, KnownBy::Registration)).await
}

pub(super) async fn chan_sip_by_address(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    if !rig.version.has_chan_sip() {
        let modules = rig.asterisk.cli("module show like chan_sip.so").await?;
        report.check("this Asterisk has no chan_sip", modules.contains("0 modules loaded"));
        return Ok(());
    }
    life(rig, report, Way::over_udp(Protocol::Sip, KnownBy::Address)).await
}

pub(super) async fn chan_sip_registers(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    if !rig.version.has_chan_sip() {
        let modules = rig.asterisk.cli("module show like chan_sip.so").await?;
        report.check("this Asterisk has no chan_sip", modules.contains("0 modules loaded"));
        return Ok(());
    }
    life(rig, report, Way::over_udp(Protocol::Sip, KnownBy::Registration)).await
}

pub(super) async fn pjsip_over_tcp(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    life(rig, report, Way::over_tcp(Protocol::Pjsip, KnownBy::Registration)).await
}

pub(super) async fn wizard_over_tcp(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    life(rig, report, Way::over_tcp(Protocol::PjsipWizard, KnownBy::Registration)).await
}
