//! IAX2, with Asterisk at both ends: a fake carrier speaks SIP alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::super::super::asterisk::{Asterisk, AsteriskConfig, Trunk};
use super::super::super::super::error::{IoContext, LabError};
use super::super::super::super::roots::{Root, progress_on_stderr};
use super::super::super::report::Report;
use super::super::super::{DIAL_TIMEOUT, Entry, Rig, SOON};
use super::super::{answers, auto_dial, refuses};
use super::way::KnownBy;
use super::{CALLER_ID, PASSWORD, REGISTERS_WITHIN, USER, new_id, remove, row, until_not};

const MODULE: &str = "chan_iax2.so";
/// What the carrier does with calls: they come out at the fake carrier behind `BACKUP`.
const DIALPLAN: &str = "[iax-carrier]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@backup)\n same => n,Hangup()\n";

/// The channel driver of an Asterisk, loaded for a while.
struct Driver<'a> {
    asterisk: &'a Asterisk,
    file: PathBuf,
}

impl<'a> Driver<'a> {
    async fn load(asterisk: &'a Asterisk, text: &str) -> Result<Self, LabError> {
        let file = asterisk.directory().join("etc/iax.conf");
        let text = format!("[general]\nbindaddr = {}\n{text}", address(asterisk));
        std::fs::write(&file, text).context(|| format!("write {}", file.display()))?;
        asterisk.cli(&format!("module load {MODULE}")).await?;
        Ok(Self { asterisk, file })
    }

    async fn unload(self) -> Result<(), LabError> {
        self.asterisk.cli(&format!("module unload {MODULE}")).await?;
        std::fs::remove_file(&self.file).context(|| format!("remove {}", self.file.display()))
    }

    /// Whether a command of the driver comes to say something.
    async fn comes_to_say(&self, command: &str, what: &str) -> Result<bool, LabError> {
        let began = Instant::now();
        while began.elapsed() < REGISTERS_WITHIN {
            if self.asterisk.cli(command).await?.contains(what) {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(false)
    }
}

fn address(asterisk: &Asterisk) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, asterisk.ports().iax2).into()
}

/// A second Asterisk plays the carrier, and passes its calls on.
async fn start_carrier(rig: &Rig) -> Result<Asterisk, LabError> {
    let root = Root::ensure(rig.version, progress_on_stderr).await?;
    let mut config = AsteriskConfig::new(rig.agi.port()).trunk(Trunk::pjsip("backup", rig.backup.addr()));
    config.extra_dialplan.push_str(DIALPLAN);
    Asterisk::start(&root, config).await
}

/// The carrier's own account for us.
fn carriers_account(known_by: KnownBy, id: &str, dialer: SocketAddr) -> String {
    let account = |name: &str, kind: &str| {
        format!(
            "[{name}]\n{kind}\nauth = md5\nsecret = {PASSWORD}\ncontext = iax-carrier\ndisallow = all\nallow = ulaw\n"
        )
    };
    match known_by {
        KnownBy::Address => "[guest]\ntype = user\ncontext = iax-carrier\ndisallow = all\nallow = ulaw\n".to_owned(),
        KnownBy::Login => account(USER, "type = user"),
        KnownBy::Registration => account(USER, "type = friend\nhost = dynamic"),
        KnownBy::ItsRegistration => {
            let registers = format!("register => {id}:{PASSWORD}@{dialer}\n");
            registers + &account(id, "type = user")
        }
    }
}

async fn life(rig: &Rig, report: &mut Report, known_by: KnownBy) -> Result<(), LabError> {
    let (carrier, id) = (start_carrier(rig).await?, new_id());
    let password_file: PathBuf = rig.directory.path().join("second.password");
    std::fs::write(&password_file, PASSWORD).context(|| "write the password".to_owned())?;
    let password_file = format!("--password-file {}", password_file.display());
    let host = address(&carrier);
    let description = match known_by {
        KnownBy::Address => format!("--type iax2 --host {host}"),
        KnownBy::Login => format!("--type iax2 --host {host} --user {USER} {password_file}"),
        KnownBy::Registration => {
            format!("--type register_trunk --protocol IAX2 --host {host} --user {USER} {password_file}")
        }
        KnownBy::ItsRegistration => format!("--type iax2 --host dynamic --user {id} {password_file}"),
    };
    let complaints_before = rig.asterisk.complaints()?.len();
    let added = rig.crankback(&format!("carrier add {id} {description} --yes")).await?;
    report.check(format!("written: {added}"), added.contains("written, staged"));
    let (registration, account) = row(rig, &id).await?;
    // Whoever is registered with is there first.
    let (ours, theirs) = (
        format!("{registration}\n{account}"),
        carriers_account(known_by, &id, address(&rig.asterisk)),
    );
    let (dialer, its) = match known_by {
        KnownBy::ItsRegistration => {
            let dialer = Driver::load(&rig.asterisk, &ours).await?;
            (dialer, Driver::load(&carrier, &theirs).await?)
        }
        KnownBy::Address | KnownBy::Login | KnownBy::Registration => {
            let its = Driver::load(&carrier, &theirs).await?;
            (Driver::load(&rig.asterisk, &ours).await?, its)
        }
    };
    let used = match registered((known_by, &id), report, &dialer, &its).await {
        Ok(()) => used(rig, report, &id).await,
        Err(error) => Err(error),
    };
    let complaints = rig.asterisk.complaints()?;
    let about_it = |line: &&String| {
        [id.as_str(), "chan_iax2", "iax.conf"]
            .iter()
            .any(|it| line.contains(it))
    };
    let new: Vec<&String> = complaints[complaints_before..].iter().filter(about_it).collect();
    report.equal(format!("complaints of Asterisk {new:#?}"), new.len(), 0);
    remove(rig, &id).await?;
    dialer.unload().await?;
    used
}

/// Who registers is known at the other end, at the address of its driver.
async fn registered(
    (known_by, id): (KnownBy, &str),
    report: &mut Report,
    dialer: &Driver<'_>,
    carrier: &Driver<'_>,
) -> Result<(), LabError> {
    let (client, registrar, name) = match known_by {
        KnownBy::Address | KnownBy::Login => return Ok(()),
        KnownBy::Registration => (dialer, carrier, USER),
        KnownBy::ItsRegistration => (carrier, dialer, id),
    };
    let is_registered = client.comes_to_say("iax2 show registry", "Registered").await?;
    report.check("registered", is_registered);
    let at = format!("Port {}", address(client.asterisk).port());
    let is_known = registrar.comes_to_say(&format!("iax2 show peer {name}"), &at).await?;
    report.check(format!("known at {at}"), is_known);
    Ok(())
}

/// A test call makes it active; then calls go on to it.
async fn used(rig: &Rig, report: &mut Report, id: &str) -> Result<(), LabError> {
    until_not(rig, "carrier_not_loaded", &format!("carrier show {id}")).await?;
    let number = rig.number(Entry::Alone);
    rig.backup.on_number(&number.wire, answers());
    let test = format!("carrier test {id} --number {} --caller-id {CALLER_ID}", number.wire);
    let tested = rig.ask_crankback::<Value>(&test).await?;
    report.note(format!("{test}: {tested}"));
    report.check("the test call is answered", tested["answered"] == true);
    report.check("which makes the carrier active", tested["became_active"] == "now");
    rig.wait_until_empty(SOON).await?;
    let seen = rig.seen(&rig.backup, &number);
    report.equal("test: INVITEs behind the carrier", seen.len(), 1);
    if let Some(invite) = seen.first() {
        report.equal("test: caller id", invite.caller_number.as_str(), CALLER_ID);
    }
    rig.crankback(&format!(
        "route add --entry {} --carrier {id}",
        Entry::Alone.carrier_id()
    ))
    .await?;
    let number = rig.number(Entry::Alone);
    rig.primary.on_number(&number.wire, refuses(503));
    rig.backup.on_number(&number.wire, answers());
    let call = auto_dial(rig, &number).await?;
    let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
    rig.wait_until_empty(SOON).await?;
    report.dialer_saw(&end);
    report.equal("DIALSTATUS", end.dialstatus.as_str(), "ANSWER");
    report.equal("INVITEs at the primary", rig.seen(&rig.primary, &number).len(), 1);
    let seen = rig.seen(&rig.backup, &number);
    report.carrier_saw("behind the carrier", &seen);
    report.equal("INVITEs behind the carrier", seen.len(), 1);
    Ok(())
}

pub(in super::super) async fn by_address(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    life(rig, report, KnownBy::Address).await
}

pub(in super::super) async fn by_login(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    life(rig, report, KnownBy::Login).await
}

pub(in super::super) async fn registers(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    life(rig, report, KnownBy::Registration).await
}

pub(in super::super) async fn dynamic(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    life(rig, report, KnownBy::ItsRegistration).await
}
