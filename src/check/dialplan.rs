//! Whether the dialplan that this program ships is the one that runs in Asterisk.

use super::Report;
use super::looking_glass::LookingGlass;
use crate::ari;
use crate::shipped;

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
pub(crate) async fn check(glass: &LookingGlass, report: &mut Report) -> Result<(), ari::Error> {
    const INSTALL: &str = "run `crankback conf install`, then `asterisk -rx 'dialplan reload'`";
    let mut is_whole = true;
    for context in &CONTEXTS {
        if !glass.dialplan_has(context.name, context.extension).await? {
            let what = format!("[{}] is not loaded: {}", context.name, context.without_it);
            report.warning("dialplan", what, Some(INSTALL));
            is_whole = false;
        }
    }
    let Some(edition) = shipped::edition(shipped::DIALPLAN).filter(|_| is_whole) else {
        return Ok(());
    };
    if glass.dialplan_has("crankback", edition).await? {
        report.ok("dialplan", "loaded, this program's own edition");
    } else {
        let advice =
            format!("run `crankback conf install`, which brings {edition}, then `asterisk -rx 'dialplan reload'`");
        let what = "[crankback] is loaded, but it is another edition than this program's";
        report.warning("dialplan", what, Some(&advice));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shipped::DIALPLAN;

    #[test]
    fn every_context_of_the_file_is_looked_for() {
        let headers: Vec<&str> = DIALPLAN
            .lines()
            .filter_map(|line| line.strip_prefix('[')?.strip_suffix(']'))
            .collect();
        let looked_for: Vec<&str> = CONTEXTS.iter().map(|context| context.name).collect();
        assert_eq!(headers, looked_for);
    }
}
