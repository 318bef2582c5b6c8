//! What the dialplan hands over: `AGI(agi://host/dial,carrier,extension,dial string,limit,campaign,answer time,start time,
//! state,options,causes)`.

use std::time::Duration;

use super::dial::Causes;
use crate::agi::Prelude;
use crate::carrier::CarrierId;
use crate::engine::CallerEntry;

/// The last argument where the caller's hash of causes is empty, and where it is not.
const CAUSES: [(&str, Causes); 2] = [("fresh", Causes::None), ("dialled", Causes::OfBefore)];

/// Reads the caller, and whether causes are in the way; `None` where it is not `asterisk/extensions-crankback.conf` that calls.
pub(super) fn caller_entry(prelude: &Prelude) -> Option<(CallerEntry, Causes)> {
    let arguments = prelude.arguments();
    let [
        carrier,
        dialled,
        dial_string,
        limit,
        campaign,
        answered,
        started,
        state,
        options @ ..,
    ] = arguments.as_slice()
    else {
        return None;
    };
    let channel_id = prelude.text("uniqueid").into_owned();
    if channel_id.is_empty() || carrier.is_empty() || dial_string.is_empty() || prelude.script() != "dial" {
        return None;
    }
    let told = options.split_last().and_then(|(last, options)| {
        let (_, causes) = CAUSES.into_iter().find(|(word, _)| word == last)?;
        Some((options, causes))
    });
    // The dialplan of before does not say.
    let (options, causes) = told.unwrap_or((options, Causes::OfBefore));
    let caller = CallerEntry {
        channel_name: prelude.text("channel").into_owned(),
        caller_name: prelude.caller_id("calleridname"),
        caller_number: prelude.caller_id("callerid"),
        is_up: state == "Up",
        // Where no call records are kept, the id's second is the nearest there is.
        created_ms: milliseconds(started)
            .or_else(|| milliseconds(second_of(&channel_id)))
            .unwrap_or_default(),
        answered_ms: milliseconds(answered),
        carrier: CarrierId::from(carrier.as_str()),
        dialled: dialled.clone(),
        dial_string: dial_string.clone(),
        limit: seconds(limit),
        campaign: Some(campaign.clone()).filter(|campaign| !campaign.is_empty()),
        // The options of Dial() may contain commas.
        options: options.join(","),
        channel_id,
    };
    Some((caller, causes))
}

/// The epoch second of `1795226151.1`, also behind a system name: `dialer-7-1795226151.1`.
fn second_of(channel_id: &str) -> &str {
    let id = channel_id.rsplit('-').next().unwrap_or_default();
    id.split('.').next().unwrap_or_default()
}

fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.parse().ok().filter(|&seconds: &f64| seconds > 0.0)?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn milliseconds(text: &str) -> Option<i64> {
    i64::try_from(seconds(text)?.as_millis()).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;
    use crate::agi::{Limits, Session};

    /// A session's beginning, of a channel that dials.
    pub(in super::super) async fn prelude(script: &str, arguments: &[&str]) -> Prelude {
        let (ours, mut theirs) = duplex(4_096);
        let mut text = format!(
            "agi_network_script: {script}\nagi_channel: Local/91@default-0;2\nagi_uniqueid: dialer-7-1795226151.1\n\
             agi_callerid: 3125551212\nagi_calleridname: V1210007450000000008\n"
        );
        for (n, argument) in arguments.iter().enumerate() {
            text.push_str(&format!("agi_arg_{}: {argument}\n", n + 1));
        }
        text.push('\n');
        theirs.write_all(text.as_bytes()).await.expect("there is room");
        Session::open(ours, Limits::default()).await.expect("a prelude").0
    }

    #[tokio::test]
    async fn reads_what_the_dialplan_hands_over() {
        let words = [
            "A",
            "915551200",
            "PJSIP/15551200@a",
            "26",
            "TESTCAMP",
            "0.000000",
            "1795226151.500000",
            "Ring",
            "L(60000",
            "30000)To",
            "fresh",
        ];
        let (entry, causes) = caller_entry(&prelude("dial", &words).await).expect("an entry");
        assert_eq!(causes, Causes::None);
        assert_eq!(entry.options, "L(60000,30000)To");
        assert_eq!(entry.limit, Some(Duration::from_secs(26)));
        assert_eq!(entry.campaign.as_deref(), Some("TESTCAMP"));
        assert_eq!((entry.is_up, entry.answered_ms), (false, None));
        assert_eq!(entry.created_ms, 1_795_226_151_500);
        assert_eq!(entry.caller_name, "V1210007450000000008");
    }

    #[tokio::test]
    async fn does_without_what_may_be_missing() {
        let words = [
            "A",
            "+15551200",
            "PJSIP/15551200@a",
            "",
            "",
            "1795226100.25",
            "",
            "Up",
            "",
        ];
        let (entry, causes) = caller_entry(&prelude("dial", &words).await).expect("an entry");
        assert_eq!((entry.limit, entry.campaign, entry.is_up), (None, None, true));
        assert_eq!(
            (entry.options.as_str(), causes),
            ("", Causes::OfBefore),
            "the dialplan of before"
        );
        assert_eq!(entry.answered_ms, Some(1_795_226_100_250));
        assert_eq!(entry.created_ms, 1_795_226_151_000);
    }

    #[tokio::test]
    async fn a_caller_that_was_dialled_for_has_causes() {
        let words = ["A", "9", "PJSIP/1@a", "", "", "", "", "Ring", "To", "dialled"];
        let (entry, causes) = caller_entry(&prelude("dial", &words).await).expect("an entry");
        assert_eq!((entry.options.as_str(), causes), ("To", Causes::OfBefore));
    }

    #[tokio::test]
    async fn refuses_what_is_not_its_own() {
        let words = ["A", "9", "PJSIP/1@a", "", "", "", "", "Up", ""];
        assert!(caller_entry(&prelude("call_log", &words).await).is_none());
        assert!(caller_entry(&prelude("dial", &words[..7]).await).is_none());
        assert!(caller_entry(&prelude("dial", &["", "9", "PJSIP/1@a", "", "", "", "", "", ""]).await).is_none());
    }
}
