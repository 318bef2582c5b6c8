//! A look at a call from its caller's side: which leg `Dial()` is at, and how far that has come. It needs no subscription.

use crate::ari::{Channel, ChannelState, Client, Error};
use crate::verdict::SipReply;

/// What `Dial()` and the channel drivers have written so far, in one request: name and id of the leg that was answered, name and
/// id of the one from which a response came, when it rang, when it sent media, and its last response, read on the leg itself.
/// ARI reads one variable or one function; `EVAL()` reads a text full of them. Where there is no leg yet, `IMPORT()` finds no
/// channel, and evaluates nothing. A tab stands between the parts, for it stands in no name.
const SO_FAR: &str = "EVAL(${DIALEDPEERNAME}\t${IMPORT(${DIALEDPEERNAME},UNIQUEID)}\t${HANGUPCAUSE_KEYS()}\t\
                      ${IMPORT(${HANGUPCAUSE_KEYS()},UNIQUEID)}\t${RINGTIME_MS}\t${PROGRESSTIME_MS}\t\
                      ${IMPORT(${HANGUPCAUSE_KEYS()},HANGUPCAUSE(${HANGUPCAUSE_KEYS()},tech))})";

/// What a look has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    /// The leg; `None` while nothing has come back from it.
    pub leg: Option<FoundLeg>,
    /// How far it has come.
    pub sign: Sign,
}

/// The channel of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLeg {
    /// Its id.
    pub channel: String,
    /// Its name.
    pub name: String,
}

/// How far a leg has come. Of ringing and media no response is told, as none comes with the event that `Dial()` sends of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It is answered, with this response where it can be read.
    Answered(Option<SipReply>),
    /// It sends media.
    Media,
    /// It rings.
    Ringing,
    /// It has a response that says no more than that somebody is there.
    Trying(SipReply),
    /// Nothing has come back.
    Silent,
}

/// Looks at the leg that `Dial()` is at on a caller.
pub(super) async fn glance(ari: &Client, caller: &str) -> Result<Glance, Error> {
    let text = ari.channels().get_variable(caller, SO_FAR).await?.unwrap_or_default();
    Ok(SoFar::read(&text).glance())
}

/// The last response on a leg that has one, by its channel's id and name; `None` where it cannot be asked.
pub(super) async fn response(ari: &Client, leg: &str, name: &str) -> Option<SipReply> {
    let variable = format!("HANGUPCAUSE({name},tech)");
    let text = ari.channels().get_variable(leg, &variable).await;
    text.ok().flatten().as_deref().and_then(SipReply::parse)
}

/// Whether a leg is with `Dial()`, answered or not. One that was redirected away has a place of its own in the dialplan.
pub(super) fn is_in_dials_hands(leg: &Channel) -> bool {
    leg.dialplan.app_name == "AppDial"
}

/// A leg that is given up.
#[derive(Clone, Debug)]
pub struct GivenUp {
    /// Its caller's channel id.
    pub caller: String,
    /// Its caller's caller id name; VICIdial's call code.
    pub caller_name: String,
    /// When it was dialled, milliseconds since 1970.
    pub dialled_ms: i64,
    /// Its own channel's id, if that was seen.
    pub channel: Option<String>,
}

impl GivenUp {
    /// Its channel: of a leg from which nothing has come back, nothing on its caller tells. `None` when there is none any more.
    pub(super) async fn channel(&self, ari: &Client) -> Result<Option<String>, Error> {
        const LINKED_ID: &str = "CHANNEL(linkedid)";
        if let Some(channel) = &self.channel {
            return Ok(Some(channel.clone()));
        }
        let channels = ari.channels();
        let is_leg = |channel: &Channel| channel.state != ChannelState::Up && is_in_dials_hands(channel);
        let (linked_id, mut legs) = tokio::try_join!(
            channels.get_variable(&self.caller, LINKED_ID),
            channels.list_where(is_leg)
        )?;
        let Some(linked_id) = linked_id else { return Ok(None) };
        // While a carrier is silent all calls have such legs: this one is likely to be the first.
        legs.sort_by_key(|leg| self.unlikelihood(leg));
        for leg in legs {
            // One that has ended meanwhile has no such id.
            if channels.get_variable(&leg.id, LINKED_ID).await?.as_ref() == Some(&linked_id) {
                return Ok(Some(leg.id));
            }
        }
        Ok(None)
    }

    /// How unlikely a channel is the leg: its carrier is shown the caller's name, and it was made when it was dialled.
    fn unlikelihood(&self, leg: &Channel) -> (bool, u64) {
        let made_ms = leg.creationtime.as_ref().and_then(|time| time.epoch_milliseconds());
        let apart_ms = made_ms.map_or(u64::MAX, |made_ms| made_ms.abs_diff(self.dialled_ms));
        (leg.connected.name != self.caller_name, apart_ms)
    }
}

/// [`SO_FAR`], in its parts.
#[derive(Debug)]
struct SoFar<'a> {
    answered: (&'a str, &'a str),
    heard_of: (&'a str, &'a str),
    rang: bool,
    had_media: bool,
    reply: Option<SipReply>,
}

impl<'a> SoFar<'a> {
    fn read(text: &'a str) -> Self {
        let mut parts = text.splitn(7, '\t');
        let mut next = || parts.next().unwrap_or_default();
        Self {
            answered: (next(), next()),
            heard_of: (next(), next()),
            rang: !next().is_empty(),
            had_media: !next().is_empty(),
            reply: SipReply::parse(next()),
        }
    }

    fn glance(self) -> Glance {
        let leg = [self.answered, self.heard_of]
            .into_iter()
            .find(|(_, id)| !id.is_empty());
        Glance {
            leg: leg.map(|(name, id)| FoundLeg {
                channel: id.to_owned(),
                name: name.to_owned(),
            }),
            sign: self.sign(),
        }
    }

    fn sign(self) -> Sign {
        match self.reply {
            reply if !self.answered.0.is_empty() => Sign::Answered(reply),
            _ if self.had_media => Sign::Media,
            _ if self.rang => Sign::Ringing,
            // Before Dial() has heard of it.
            Some(reply) if (200..300).contains(&reply.code) => Sign::Answered(Some(reply)),
            Some(reply) if reply.code == 183 => Sign::Media,
            Some(reply) if reply.code == 180 => Sign::Ringing,
            // A refusal on a living leg is an authentication challenge or an earlier address: silence since then.
            Some(reply) if !reply.is_refusal() => Sign::Trying(reply),
            Some(_) | None => Sign::Silent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a look shows, with bars for tabs: the leg's name and id, and how far it has come.
    fn look(text: &str) -> (Option<(String, String)>, Sign) {
        let Glance { leg, sign } = SoFar::read(&text.replace('|', "\t")).glance();
        (leg.map(|leg| (leg.name, leg.channel)), sign)
    }

    #[test]
    fn tells_how_far_a_leg_has_come() {
        let trying = SipReply::parse("SIP 100 Trying").expect("a response");
        let leg = Some(("PJSIP/a-1".to_owned(), "7.2".to_owned()));
        for (text, sign) in [
            ("||PJSIP/a-1|7.2|||SIP 100 Trying", Sign::Trying(trying)),
            ("||PJSIP/a-1|7.2|12||SIP 180 Ringing", Sign::Ringing),
            // Before Dial() has heard of it.
            ("||PJSIP/a-1|7.2|||SIP 180 Ringing", Sign::Ringing),
            ("||PJSIP/a-1|7.2|||SIP 183 Session Progress", Sign::Media),
            ("||PJSIP/a-1|7.2|12|30|SIP 180 Ringing", Sign::Media),
            (
                "PJSIP/a-1|7.2|PJSIP/a-1|7.2|12||SIP 200 OK",
                Sign::Answered(SipReply::parse("SIP 200 OK")),
            ),
            (
                "||PJSIP/a-1|7.2|||SIP 200 OK",
                Sign::Answered(SipReply::parse("SIP 200 OK")),
            ),
            // A challenge.
            ("||PJSIP/a-1|7.2|||SIP 401 Unauthorized", Sign::Silent),
        ] {
            assert_eq!(look(text), (leg.clone(), sign), "{text}");
        }
        assert_eq!(look(""), (None, Sign::Silent));
        assert_eq!(look("||||||"), (None, Sign::Silent));
    }

    #[test]
    fn a_silent_leg_is_looked_for_by_its_call_then_by_its_time() {
        let given_up = GivenUp {
            caller: "7.1".into(),
            caller_name: "V1210007450000000008".into(),
            dialled_ms: 1_795_226_151_500,
            channel: None,
        };
        let leg = |id: &str, name: &str, time: &str| -> Channel {
            let leg = serde_json::json!({"id": id, "connected": {"name": name}, "creationtime": time});
            serde_json::from_value(leg).expect("a channel")
        };
        let mut legs = [
            leg(
                "other, at that time",
                "V1210007450000000009",
                "2026-11-21T01:55:51.500+0000",
            ),
            leg("other, later", "", "2026-11-21T01:55:52.000+0000"),
            leg("of the call", "V1210007450000000008", "2026-11-21T01:55:51.512+0000"),
            leg(
                "of an earlier attempt",
                "V1210007450000000008",
                "2026-11-21T01:55:47.000+0000",
            ),
        ];
        legs.sort_by_key(|leg| given_up.unlikelihood(leg));
        let order = legs.map(|leg| leg.id);
        assert_eq!(
            order,
            [
                "of the call",
                "of an earlier attempt",
                "other, at that time",
                "other, later"
            ]
        );
    }

    #[test]
    fn a_technology_without_responses_rings_and_is_answered_all_the_same() {
        assert_eq!(look("||||40||"), (None, Sign::Ringing));
        let leg = Some(("IAX2/a-1".to_owned(), "7.2".to_owned()));
        assert_eq!(look("IAX2/a-1|7.2|||40||"), (leg, Sign::Answered(None)));
    }
}
