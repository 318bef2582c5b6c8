//! Whether the dialplan that this program ships is the one that runs in Asterisk.

use super::Report;
use super::looking_glass::LookingGlass;
use crate::ari;

/// The dialplan as it is shipped; the only copy.
const SHIPPED: &str = include_str!("../../asterisk/extensions-crankback.conf");
/// How the extension begins that tells one edition of the dialplan from another; a digest of the rest of the file follows.
const EDITION: &str = "edition_";

/// A context of the shipped dialplan: an extension that exists in it, and what a dialer without it lacks.
struct Context {
    name: &'static str,
    extension: &'static str,
    without_it: &'static str,
}

const CONTEXTS: [Context; 5] = [
    Context {
        name: "crankback",
        extension: "s",
        without_it: "guarded carriers dial natively, no call fails over",
    },
    Context {
        name: "crankback-cause",
        extension: "34",
        without_it: "a failed call reports a wrong HANGUPCAUSE to the dialer",
    },
    Context {
        name: "crankback-answered",
        extension: "s",
        without_it: "after a failover VICIdial may take the channel that failed for the customer's",
    },
    Context {
        name: "crankback-hangup",
        extension: "s",
        without_it: "an answered leg cannot be ended without harm to a redirected customer",
    },
    Context {
        name: "crankback-leg",
        extension: "h",
        without_it: "the end of a redirected customer's call is not reported to the dialer",
    },
];

/// Looks for each context, then for this program's edition of them.
pub(super) async fn check(glass: &LookingGlass, report: &mut Report) -> Result<(), ari::Error> {
    const INSTALL: &str =
        "include extensions-crankback.conf from extensions.conf, then `asterisk -rx 'dialplan reload'`";
    let mut is_whole = true;
    for context in &CONTEXTS {
        if !glass.dialplan_has(context.name, context.extension).await? {
            let what = format!("[{}] is not loaded: {}", context.name, context.without_it);
            report.warning("dialplan", what, Some(INSTALL));
            is_whole = false;
        }
    }
    let Some(edition) = edition(SHIPPED).filter(|_| is_whole) else {
        return Ok(());
    };
    if glass.dialplan_has("crankback", edition).await? {
        report.ok("dialplan", "loaded, this program's own edition");
    } else {
        let advice = format!(
            "install the extensions-crankback.conf that holds {edition}, then `asterisk -rx 'dialplan reload'`"
        );
        let what = "[crankback] is loaded, but it is another edition than this program's";
        report.warning("dialplan", what, Some(&advice));
    }
    Ok(())
}

/// The name of the extension that marks an edition.
fn edition(dialplan: &str) -> Option<&str> {
    let lines = dialplan.lines().filter_map(|line| line.strip_prefix("exten => "));
    lines
        .filter_map(|line| line.split(',').next())
        .find(|extension| extension.starts_with(EDITION))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FNV-1a over every line but the one with the mark.
    fn digest(dialplan: &str) -> u32 {
        let marked = format!("exten => {EDITION}");
        let lines = dialplan.lines().filter(|line| !line.starts_with(&marked));
        lines
            .flat_map(|line| line.bytes().chain([b'\n']))
            .fold(0x811c_9dc5, |hash: u32, byte| {
                (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
            })
    }

    #[test]
    fn the_mark_belongs_to_the_text() {
        let right = format!("{EDITION}{:08x}", digest(SHIPPED));
        assert_eq!(
            edition(SHIPPED),
            Some(right.as_str()),
            "the dialplan was edited: write `exten => {right},1,Return()` into asterisk/extensions-crankback.conf"
        );
        assert_ne!(digest(SHIPPED), digest(&SHIPPED.replace("CANCEL", "BUSY")));
    }

    #[test]
    fn every_context_of_the_file_is_looked_for() {
        let headers: Vec<&str> = SHIPPED
            .lines()
            .filter_map(|line| line.strip_prefix('[')?.strip_suffix(']'))
            .collect();
        let looked_for: Vec<&str> = CONTEXTS.iter().map(|context| context.name).collect();
        assert_eq!(headers, looked_for);
    }
}
