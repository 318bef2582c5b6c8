//! An answered leg that the dialer has to take in before its caller is answered: `Dial()` runs `[crankback-answered]` on it,
//! which asks here and waits.
//!
//! The question holds all that is needed for the answer: the daemon that is asked need not be the one that dialled.

use tracing::warn;

use crate::agi::Prelude;
use crate::call::LegId;
use crate::engine::{CallerEntry, LegCaller, PlacedLeg};

/// The name of the question in `AGI(agi://host/answered,leg,caller's id,creation,caller id name,name,linkedid)`.
const SCRIPT: &str = "answered";

/// The option that makes `Dial()` ask; without that context it connects the leg at once. `None` where the dialer's own options have a subroutine for answered legs, beside which
/// there is no place, or where a name cannot stand in an option.
pub(super) fn option(caller: &CallerEntry, leg: LegId) -> Option<String> {
    let (created_ms, leg) = (caller.created_ms.to_string(), leg.0.to_string());
    let arguments = [
        &leg,
        &caller.channel_id,
        &created_ms,
        &caller.caller_name,
        &caller.channel_name,
    ];
    let can_be_told = arguments.into_iter().all(|argument| argument.chars().all(is_plain));
    if caller.has_option('U') || !can_be_told {
        warn!("the dialer is not told which leg is answered: the options of Dial() have no place for it");
        return None;
    }
    Some(format!(
        "U(crankback-answered^{})",
        arguments.map(String::as_str).join("^")
    ))
}

/// Nothing that separates, quotes or substitutes, neither in options nor in arguments. Names of Local channels hold the rest.
const fn is_plain(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(
            character,
            ' ' | '/' | '@' | ';' | ':' | '.' | '_' | '-' | '+' | '*' | '#'
        )
}

/// Reads the question: the leg that is answered.
pub(super) fn leg(prelude: &Prelude) -> Option<PlacedLeg> {
    if prelude.script() != SCRIPT {
        return None;
    }
    let arguments = prelude.arguments();
    let [leg, caller, created_ms, caller_name, channel_name, linked_id] = arguments.as_slice() else {
        return None;
    };
    Some(PlacedLeg {
        caller: LegCaller {
            channel_id: caller.clone(),
            channel_name: channel_name.clone(),
            caller_name: caller_name.clone(),
            created_ms: created_ms.parse().ok()?,
        },
        leg: LegId(leg.parse().ok()?),
        channel_id: prelude.text("uniqueid").into_owned(),
        channel_name: prelude.text("channel").into_owned(),
        linked_id: linked_id.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::agi::entry::caller_entry;
    use crate::engine::agi::entry::tests::prelude;

    async fn caller(options: &str) -> CallerEntry {
        let words = ["A", "9", "PJSIP/1@a", "", "", "", "1795226151.5", "Ring", options];
        caller_entry(&prelude("dial", &words).await).expect("an entry").0
    }

    #[tokio::test]
    async fn the_question_has_what_the_option_told() {
        let caller = caller("To").await;
        let option = option(&caller, LegId(2)).expect("there is place");
        let arguments = option.strip_prefix("U(crankback-answered^").expect("our subroutine");
        let mut words: Vec<&str> = arguments.strip_suffix(')').expect("its end").split('^').collect();
        words.push("1795226151.0");
        let leg = leg(&prelude(SCRIPT, &words).await).expect("a leg");
        assert_eq!(leg.caller, caller.of_leg());
        assert_eq!(leg.leg, LegId(2));
        assert_eq!(leg.linked_id, "1795226151.0");
        assert_eq!(leg.channel_name, "Local/91@default-0;2", "the channel that asks");
    }

    #[tokio::test]
    async fn the_dialers_own_subroutine_stays() {
        assert_eq!(option(&caller("ToU(greets^loudly)").await, LegId(2)), None);
        assert!(option(&caller("TtM(U)o").await, LegId(2)).is_some());
    }

    #[tokio::test]
    async fn a_name_that_would_change_the_options_is_not_told() {
        let mut caller = caller("To").await;
        for name in [
            "Local/9)r@default-0;2",
            "Local/9^1@default-0;2",
            "Local/9,1@default-0;2",
        ] {
            name.clone_into(&mut caller.channel_name);
            assert_eq!(option(&caller, LegId(2)), None, "{name}");
        }
    }

    #[tokio::test]
    async fn another_question_is_none() {
        let words = ["2", "1795226151.1", "1795226151500", "V1", "Local/9", "1795226151.0"];
        assert!(leg(&prelude(SCRIPT, &words).await).is_some());
        assert_eq!(leg(&prelude("dial", &words).await), None);
        assert_eq!(leg(&prelude(SCRIPT, &words[..5]).await), None);
        assert_eq!(leg(&prelude(SCRIPT, &["two", "", "", "", "", ""]).await), None);
    }
}
