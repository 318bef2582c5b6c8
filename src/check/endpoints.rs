//! Whether Asterisk has each carrier's endpoint, and whether it can be reached.

use super::{Report, pjsip_object};
use crate::ari::{self, Client};
use crate::carrier::{Carrier, Technology};
use crate::vicidial::edits::PeerName;

/// Asks for the endpoint of every carrier.
pub(super) async fn check(client: &Client, carriers: &[Carrier], report: &mut Report) -> Result<(), ari::Error> {
    let (mut asked, mut usable) = (0, 0);
    for carrier in carriers {
        // A carrier that is dialled by address has no endpoint to ask for.
        let Some(name) = PeerName::of(carrier) else { continue };
        asked += 1;
        let subject = format!("carrier {}", carrier.id);
        if let Some(transport) = missing_transport(client, &name).await? {
            let what =
                format!("pjsip.conf has no transport [{transport}], which {name} names: its calls go out over UDP");
            let advice = "write the transport; Asterisk 16 takes a new one in only when it starts";
            report.warning(subject.clone(), what, Some(advice));
        }
        match client.endpoints().get(name.technology, &name.peer).await? {
            Some(peer) if peer.state == "offline" => {
                let what = format!("Asterisk's own probes do not reach {name}: it refuses to dial it");
                let advice = "look at the carrier and at its qualify settings; it comes back by itself";
                report.warning(subject, what, Some(advice));
            }
            Some(_) => usable += 1,
            None => {
                let what = format!("Asterisk has no endpoint {name}: every call through it fails over");
                let advice = "is its account entry complete, and has VICIdial rebuilt its files and reloaded Asterisk?";
                report.warning(subject, what, Some(advice));
            }
        }
    }
    if usable > 0 {
        report.ok("endpoints", format_args!("{usable} of {asked} usable"));
    }
    Ok(())
}

/// The transport that an endpoint of PJSIP names and that is not there. Asterisk 16 and 22 complain of it in their log alone.
async fn missing_transport(client: &Client, name: &PeerName) -> Result<Option<String>, ari::Error> {
    if name.technology != Technology::Pjsip.as_str() {
        return Ok(None);
    }
    let endpoint = pjsip_object::settings(client, "endpoint", &name.peer).await?;
    let transport = endpoint.as_deref().and_then(|it| pjsip_object::value(it, "transport"));
    let Some(transport) = transport.filter(|transport| !transport.is_empty()) else {
        return Ok(None);
    };
    let found = pjsip_object::settings(client, "transport", transport).await?;
    Ok(found.is_none().then(|| transport.to_owned()))
}
