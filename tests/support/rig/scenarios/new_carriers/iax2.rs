//! IAX2, with Asterisk at both ends: a fake carrier speaks SIP alone.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde_json::Value;
use tokio::net::UdpSocket;

use super::super::super::super::error::{IoContext, LabError};
use super::super::super::super::sip::FakeCarrier;
use super::super::super::report::Report;
use super::super::super::{DIAL_TIMEOUT, Entry, Rig, SOON};
use super::super::check::Edit;
use super::super::{answers, auto_dial, refuses};
use super::{CALLER_ID, NEW, PASSWORD, USER, remove, row, until_not};

/// The same Asterisk plays the carrier, and passes its calls on to the fake carrier behind `BACKUP`.
struct IaxCarrier {
    file: PathBuf,
    dialplan: Edit,
    relay: AbortOnDrop,
}

/// A task that ends with its handle.
struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A way back to Asterisk's own port, and the address at its other end: IAX2 tells calls apart by the address of the far end, so that
/// an Asterisk that calls its own address takes its own packets for answers.
async fn relay(asterisk: SocketAddr) -> std::io::Result<(SocketAddr, AbortOnDrop)> {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (outer, inner) = (UdpSocket::bind(local).await?, UdpSocket::bind(local).await?);
    let address = outer.local_addr()?;
    let task = tokio::spawn(async move {
        let (mut there, mut back) = ([0; 2048], [0; 2048]);
        loop {
            // Where nobody listens yet, Asterisk sends it again.
            let _ = tokio::select! {
                Ok((length, _)) = outer.recv_from(&mut there) => inner.send_to(&there[..length], asterisk).await,
                Ok((length, _)) = inner.recv_from(&mut back) => outer.send_to(&back[..length], asterisk).await,
                else => return,
            };
        }
    });
    Ok((address, AbortOnDrop(task)))
}

impl IaxCarrier {
    const MODULE: &str = "chan_iax2.so";
    const DIALPLAN: &str = "[iax-carrier]\nexten => _X.,1,Dial(PJSIP/${EXTEN}@backup)\n same => n,Hangup()\n";

    /// Loads the channel driver with the carrier's own account and the one that the program wrote.
    async fn load(rig: &Rig, address: SocketAddr, relay: AbortOnDrop) -> Result<Self, LabError> {
        let (_, account) = row(rig).await?;
        let file = rig.asterisk.directory().join("etc/iax.conf");
        let text = format!(
            "[general]\nbindaddr = {address}\n[{USER}]\ntype = user\nauth = md5\nsecret = {PASSWORD}\n\
             context = iax-carrier\ndisallow = all\nallow = ulaw\n{account}"
        );
        std::fs::write(&file, text).context(|| format!("write {}", file.display()))?;
        let behind = "#include included-0.conf\n";
        let dialplan = format!("{behind}{}", Self::DIALPLAN);
        let dialplan = Edit::make(rig, "extensions.conf", behind, &dialplan, "dialplan reload").await?;
        rig.asterisk.cli(&format!("module load {}", Self::MODULE)).await?;
        Ok(Self { file, dialplan, relay })
    }

    async fn unload(self, rig: &Rig) -> Result<(), LabError> {
        rig.asterisk.cli(&format!("module unload {}", Self::MODULE)).await?;
        std::fs::remove_file(&self.file).context(|| format!("remove {}", self.file.display()))?;
        drop(self.relay);
        self.dialplan.undo(rig).await
    }

    async fn used(&self, rig: &Rig, report: &mut Report) -> Result<(), LabError> {
        until_not(rig, "carrier_not_loaded", &format!("carrier show {NEW}")).await?;
        let number = rig.number(Entry::Alone);
        rig.backup.on_number(&number.wire, answers());
        let test = format!("carrier test {NEW} --number {} --caller-id {CALLER_ID}", number.wire);
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
            "route add --entry {} --carrier {NEW}",
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
}

pub(in super::super) async fn by_login(rig: &mut Rig, report: &mut Report) -> Result<(), LabError> {
    let address = FakeCarrier::closed_port()
        .await
        .context(|| "find a free port".to_owned())?;
    let (host, relay) = relay(address).await.context(|| "start the relay".to_owned())?;
    let password_file: PathBuf = rig.directory.path().join("second.password");
    std::fs::write(&password_file, PASSWORD).context(|| "write the password".to_owned())?;
    let complaints_before = rig.asterisk.complaints()?.len();
    let added = rig
        .crankback(&format!(
            "carrier add {NEW} --type iax2 --host {host} --user {USER} --password-file {} --yes",
            password_file.display()
        ))
        .await?;
    report.check(format!("written: {added}"), added.contains("written, staged"));
    let carrier = IaxCarrier::load(rig, address, relay).await?;
    let used = carrier.used(rig, report).await;
    let complaints = rig.asterisk.complaints()?;
    let about_it = |line: &&String| [NEW, "chan_iax2", "iax.conf"].iter().any(|it| line.contains(it));
    let new: Vec<&String> = complaints[complaints_before..].iter().filter(about_it).collect();
    report.equal(format!("complaints of Asterisk {new:#?}"), new.len(), 0);
    remove(rig).await?;
    carrier.unload(rig).await?;
    used
}
