//! From ARI's words to the call's: entry arguments, SIP responses, evidence.

use std::time::{Duration, Instant};

use crate::ari::{Channel, ChannelDestroyed, ChannelState};
use crate::call::{LegId, LegSpec};
use crate::carrier::{CarrierId, Technology};
use crate::engine::CallerEntry;
use crate::verdict::{EndedBy, Evidence, Progress, SipReply, Source};

/// The first application argument of a caller: `Stasis(crankback,call,…)`.
pub(super) const CALL: &str = "call";
/// The first application argument of a leg.
pub(super) const LEG: &str = "leg";

/// Reads what `asterisk/extensions-crankback.conf` hands over:
/// `call, carrier, dialled extension, dial string, limit, campaign, answer time, options…`.
pub(super) fn caller_entry(channel: &Channel, args: &[String]) -> Option<CallerEntry> {
    let [
        kind,
        carrier,
        dialled,
        dial_string,
        limit,
        campaign,
        answered,
        options @ ..,
    ] = args
    else {
        return None;
    };
    if kind != CALL || carrier.is_empty() || dial_string.is_empty() {
        return None;
    }
    let seconds = |text: &str| {
        text.parse()
            .ok()
            .filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0)
    };
    Some(CallerEntry {
        channel_id: channel.id.clone(),
        channel_name: channel.name.clone(),
        caller_name: channel.caller.name.clone(),
        caller_number: channel.caller.number.clone(),
        is_up: channel.state == ChannelState::Up,
        created_ms: channel
            .creationtime
            .as_ref()
            .and_then(|time| time.epoch_milliseconds())
            .unwrap_or_default(),
        answered_ms: seconds(answered)
            .and_then(|seconds| i64::try_from(Duration::from_secs_f64(seconds).as_millis()).ok()),
        carrier: CarrierId::from(carrier.as_str()),
        dialled: dialled.clone(),
        dial_string: dial_string.clone(),
        limit: seconds(limit).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        campaign: Some(campaign.clone()).filter(|campaign| !campaign.is_empty()),
        // The options of Dial() may contain commas.
        options: options.join(","),
    })
}

/// The last SIP response of a leg: the one evaluated `channelvars` entry of `ari.conf` shows it on every event.
pub(super) fn last_reply(leg: &Channel) -> Option<SipReply> {
    // An `ari.conf` of before shows `..EVAL(SIP 180 Ringing)`.
    let shown = |text: &str| {
        let of_before = text.strip_prefix("..EVAL(").and_then(|text| text.strip_suffix(')'));
        SipReply::parse(of_before.unwrap_or(text))
    };
    leg.channelvars.values().find_map(|text| shown(text))
}

/// The application arguments of a leg. They stay on its channel, so that another process can tell whose it is.
pub(super) fn leg_arguments(caller: &str, spec: &LegSpec) -> String {
    format!("{LEG},{caller},{},{},{}", spec.leg, spec.carrier, spec.wire_number)
}

/// What the arguments of a leg say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LegOrigin {
    /// The caller's channel id.
    pub(super) caller: String,
    /// The leg's number within the call.
    pub(super) leg: LegId,
    /// The carrier.
    pub(super) carrier: CarrierId,
    /// The number that went out on the wire.
    pub(super) wire_number: String,
}

/// Reads back what [`leg_arguments`] wrote.
pub(super) fn leg_origin(args: &[String]) -> Option<LegOrigin> {
    let [kind, caller, leg, carrier, wire_number] = args else {
        return None;
    };
    Some(LegOrigin {
        caller: caller.clone(),
        leg: LegId(leg.parse().ok().filter(|_| kind == LEG)?),
        carrier: CarrierId::from(carrier.as_str()),
        wire_number: wire_number.clone(),
    })
}

/// What is known of a leg that Asterisk destroyed without our asking.
pub(super) fn evidence(
    destroyed: &ChannelDestroyed,
    technology: Technology,
    progress: Progress,
    started: Instant,
) -> Evidence {
    let reply = match destroyed.channel.channelvars.is_empty() {
        false => last_reply(&destroyed.channel),
        // Without our line in ari.conf only the code is left. It is also there when no response was received.
        true => destroyed
            .tech_cause
            .and_then(|code| u16::try_from(code).ok())
            .filter(|code| (300..700).contains(code))
            .map(|code| SipReply {
                code,
                phrase: String::new(),
            }),
    };
    ended(reply, q850(destroyed.cause), technology, progress, started)
}

/// A Q.850 cause as events show it.
pub(super) fn q850(cause: Option<i64>) -> Option<u8> {
    cause.and_then(|cause| u8::try_from(cause).ok())
}

/// The Q.850 cause of a leg's end, by what the request to hang it up told and what is left in its channel. A bridge lets go of a
/// channel that is to be hung up, and leaves 16 in it, if it looks before the cause is there (Asterisk 16).
pub(super) fn cause_of_end(told: Option<u8>, left: Option<u8>) -> Option<u8> {
    told.filter(|&cause| cause != 0).or(left)
}

/// A leg that ended without our asking, by its last response and the cause of its end.
pub(super) fn ended(
    reply: Option<SipReply>,
    q850: Option<u8>,
    technology: Technology,
    progress: Progress,
    started: Instant,
) -> Evidence {
    let source = match &reply {
        Some(reply) if reply.is_final() => Source::Received,
        Some(_) | None => Source::Local,
    };
    Evidence {
        sip: reply,
        q850,
        source,
        progress,
        ended_by: EndedBy::Carrier,
        refused: false,
        elapsed: started.elapsed(),
        technology,
        retry_after: None,
    }
}

/// What is known of a leg that Asterisk would not create.
pub(super) fn refused(technology: Technology, started: Instant) -> Evidence {
    Evidence {
        refused: true,
        source: Source::Local,
        ended_by: EndedBy::Carrier,
        ..vanished(technology, Progress::None, started)
    }
}

/// What is known of a leg that was gone when the connection came back.
pub(super) fn vanished(technology: Technology, progress: Progress, started: Instant) -> Evidence {
    Evidence {
        sip: None,
        q850: None,
        source: Source::Unknown,
        progress,
        ended_by: EndedBy::Unseen,
        refused: false,
        elapsed: started.elapsed(),
        technology,
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(state: &str) -> Channel {
        serde_json::from_value(serde_json::json!({
            "id": "1795226151.1", "name": "Local/915551200@default-00000000;2", "state": state,
            "caller": {"name": "V1210007450000000008", "number": "3125551212"},
            "creationtime": "2026-11-21T01:55:51.500+0000",
            "channelvars": {"EVAL(x)": "..SIP 180 Ringing"}
        }))
        .expect("a channel")
    }

    fn args(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn reads_what_the_dialplan_hands_over() {
        let words = [
            "call",
            "A",
            "915551200",
            "PJSIP/15551200@a",
            "26",
            "TESTCAMP",
            "0.000000",
            "L(60000",
            "30000)To",
        ];
        let entry = caller_entry(&channel("Ring"), &args(&words)).expect("an entry");
        assert_eq!(entry.options, "L(60000,30000)To");
        assert_eq!(entry.limit, Some(Duration::from_secs(26)));
        assert_eq!(entry.campaign.as_deref(), Some("TESTCAMP"));
        assert_eq!(entry.answered_ms, None);
        assert_eq!(entry.created_ms, 1_795_226_151_500);
        assert!(!entry.is_up);
        let bare = [
            "call",
            "A",
            "915551200",
            "PJSIP/15551200@a",
            "",
            "",
            "1795226151.250000",
            "",
        ];
        let entry = caller_entry(&channel("Up"), &args(&bare)).expect("an entry");
        assert_eq!(
            (entry.limit, entry.campaign.as_deref(), entry.is_up),
            (None, None, true)
        );
        assert_eq!(entry.answered_ms, Some(1_795_226_151_250));
        assert_eq!(caller_entry(&channel("Up"), &args(&["leg", "1795226151.1"])), None);
        assert_eq!(
            caller_entry(&channel("Up"), &args(&["call", "", "1", "", "", "", "", ""])),
            None
        );
    }

    #[test]
    fn a_leg_carries_its_origin() {
        let spec = LegSpec {
            leg: LegId(2),
            carrier: CarrierId::from("BACKUP"),
            technology: Technology::Pjsip,
            dial_string: String::new(),
            wire_number: "+15551200".into(),
            repair: None,
            backstop: Duration::ZERO,
        };
        let text = leg_arguments("1795226151.1", &spec);
        let origin = leg_origin(&args(&text.split(',').collect::<Vec<_>>())).expect("an origin");
        assert_eq!(
            (origin.caller.as_str(), origin.leg, &origin.carrier),
            ("1795226151.1", LegId(2), &spec.carrier)
        );
        assert_eq!(origin.wire_number, "+15551200");
        assert_eq!(leg_origin(&args(&["leg", "1795226151.1"])), None);
    }

    #[test]
    fn the_cause_that_was_told_counts() {
        assert_eq!(cause_of_end(Some(41), Some(16)), Some(41), "a bridge looked too early");
        assert_eq!(
            cause_of_end(None, Some(38)),
            Some(38),
            "16, with a Reason header, tells none"
        );
        assert_eq!(cause_of_end(Some(0), Some(34)), Some(34));
        assert_eq!(cause_of_end(None, None), None);
    }

    #[test]
    fn sees_the_last_response_on_a_leg() {
        assert_eq!(last_reply(&channel("Ring")).map(|reply| reply.code), Some(180));
        let mut leg = channel("Ring");
        for shown in ["SIP 503 No Circuit (34)", "..EVAL(SIP 503 No Circuit (34))"] {
            leg.channelvars = [("EVAL(x)".to_owned(), shown.to_owned())].into();
            let phrase = last_reply(&leg).map(|reply| reply.phrase);
            assert_eq!(phrase.as_deref(), Some("No Circuit (34)"), "{shown}");
        }
    }
}
