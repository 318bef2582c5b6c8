//! Whether Asterisk has each carrier's endpoint, and whether it can be reached.

use super::Report;
use crate::ari::{self, Client};
use crate::carrier::Carrier;
use crate::vicidial::edits::PeerName;

/// Asks for the endpoint of every carrier.
pub(super) async fn check(client: &Client, carriers: &[Carrier], report: &mut Report) -> Result<(), ari::Error> {
    let (mut asked, mut usable) = (0, 0);
    for carrier in carriers {
        // A carrier that is dialled by address has no endpoint to ask for.
        let Some(name) = PeerName::of(carrier) else { continue };
        asked += 1;
        let subject = format!("carrier {}", carrier.id);
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
