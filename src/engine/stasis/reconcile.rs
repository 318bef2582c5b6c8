//! What a lost connection or an earlier process left behind, and what becomes of it.
//!
//! *Ours* is what is still in our application. An id of our form proves nothing: a leg that the dialer redirected away keeps
//! its id and is a live customer.

use std::collections::HashMap;

use crate::ari::{Bridge, Channel, ChannelState};
use crate::call::ResumedStage;
use crate::engine::CallerEntry;

use super::execute::{bridge_of, caller_of};
use super::leg::Placement;
use super::translate::{self, CALL, LEG, LegOrigin};

/// What a channel that is in an application of ARI runs.
pub(super) const STASIS: &str = "Stasis";

/// Asterisk's own lists at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Inventory {
    pub(super) channels: Vec<Channel>,
    pub(super) bridges: Vec<Bridge>,
    /// Whose the legs are that are on their way, by channel id; see [`is_on_its_way`].
    pub(super) origins: HashMap<String, LegOrigin>,
}

/// A call that is in Asterisk: caller and leg are both there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FoundCall {
    pub(super) caller: CallerEntry,
    pub(super) leg: Channel,
    pub(super) origin: LegOrigin,
    pub(super) placement: Placement,
    pub(super) stage: ResumedStage,
}

/// Channels that are ours, by what becomes of them if no call of this process knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Find {
    /// A call with its leg.
    Call(Box<FoundCall>),
    /// A caller without a leg.
    Waiting { caller: Box<CallerEntry> },
    /// The bridge of a caller that is gone.
    EmptyBridge { caller: String },
    /// An answered leg whose caller is gone.
    Orphan { leg: String },
    /// A leg on its way whose caller is gone.
    Unattended { leg: String },
}

impl Find {
    /// The channel by which a call would know it.
    pub(super) fn channel(&self) -> &str {
        match self {
            Self::Call(call) => &call.caller.channel_id,
            Self::Waiting { caller } => &caller.channel_id,
            Self::EmptyBridge { caller } => caller,
            Self::Orphan { leg } | Self::Unattended { leg } => leg,
        }
    }
}

/// Sorts those channels and bridges of an Asterisk that are ours.
pub(super) fn sort(inventory: Inventory, app: &str) -> Vec<Find> {
    let Inventory {
        channels,
        bridges,
        mut origins,
    } = inventory;
    let mut callers = Vec::new();
    let mut legs: HashMap<String, FoundLeg> = HashMap::new();
    let mut finds = Vec::new();
    for channel in channels {
        match place_of(&channel, app) {
            Place::Caller(entry) => callers.push(*entry),
            Place::Leg(origin) => {
                let leg = FoundLeg {
                    channel,
                    origin,
                    is_under_control: true,
                };
                legs.insert(leg.origin.caller.clone(), leg);
            }
            Place::OnItsWay => match origins.remove(&channel.id) {
                Some(origin) => {
                    let leg = FoundLeg {
                        channel,
                        origin,
                        is_under_control: false,
                    };
                    legs.insert(leg.origin.caller.clone(), leg);
                }
                // Nobody's, or a customer.
                None if channel.state == ChannelState::Up => {}
                None => finds.push(Find::Unattended { leg: channel.id }),
            },
            Place::Elsewhere => {}
        }
    }
    for caller in callers {
        finds.push(match legs.remove(&caller.channel_id) {
            Some(leg) => Find::Call(Box::new(found(caller, leg, &bridges))),
            None => Find::Waiting {
                caller: Box::new(caller),
            },
        });
    }
    finds.extend(legs.into_values().filter_map(|leg| {
        let is_up = leg.channel.state == ChannelState::Up;
        let leg_id = leg.channel.id;
        match (leg.is_under_control, is_up) {
            (true, true) => Some(Find::Orphan { leg: leg_id }),
            (true | false, false) => Some(Find::Unattended { leg: leg_id }),
            // In the instant of its answer; the next look tells more.
            (false, true) => None,
        }
    }));
    let empty = bridges.iter().filter(|bridge| bridge.channels.is_empty());
    finds.extend(
        empty.filter_map(|bridge| caller_of(&bridge.id).map(|caller| Find::EmptyBridge { caller: caller.into() })),
    );
    finds
}

/// A leg of ours, before its caller is known to be there.
struct FoundLeg {
    channel: Channel,
    origin: LegOrigin,
    /// It has entered our application. A leg that was just answered is up a moment before that.
    is_under_control: bool,
}

fn found(caller: CallerEntry, leg: FoundLeg, bridges: &[Bridge]) -> FoundCall {
    let FoundLeg {
        channel: leg,
        origin,
        is_under_control,
    } = leg;
    let its_bridge = bridge_of(&caller.channel_id);
    let shares_bridge = bridges
        .iter()
        .any(|bridge| bridge.id == its_bridge && bridge.channels.contains(&leg.id));
    let stage = if leg.state != ChannelState::Up || !is_under_control {
        ResumedStage::OnItsWay
    } else if shares_bridge && caller.is_up {
        ResumedStage::Connected
    } else {
        ResumedStage::Answered
    };
    let placement = if shares_bridge {
        Placement::InBridge
    } else {
        Placement::Originated
    };
    FoundCall {
        caller,
        leg,
        origin,
        placement,
        stage,
    }
}

enum Place {
    Caller(Box<CallerEntry>),
    Leg(LegOrigin),
    OnItsWay,
    Elsewhere,
}

/// Whether [`sort`] has to look at a channel.
pub(super) fn may_be_ours(channel: &Channel) -> bool {
    channel.dialplan.app_name == STASIS || is_on_its_way(channel)
}

/// Whether a channel is what an originate of ours looks like until it enters our application; plain `Dial()` shows another one.
pub(super) fn is_on_its_way(channel: &Channel) -> bool {
    channel.dialplan.app_name == "AppDial2" && !channel.name.starts_with("Local/") && has_our_id(&channel.id)
}

fn place_of(channel: &Channel, app: &str) -> Place {
    if is_on_its_way(channel) {
        return Place::OnItsWay;
    }
    let dialplan = &channel.dialplan;
    let words: Vec<String> = dialplan.app_data.split(',').map(str::to_owned).collect();
    match words.split_first() {
        Some((name, args)) if dialplan.app_name == STASIS && name == app => match args.first().map(String::as_str) {
            Some(CALL) => {
                translate::caller_entry(channel, args).map_or(Place::Elsewhere, |entry| Place::Caller(Box::new(entry)))
            }
            Some(LEG) => translate::leg_origin(args).map_or(Place::Elsewhere, Place::Leg),
            Some(_) | None => Place::Elsewhere,
        },
        Some(_) | None => Place::Elsewhere,
    }
}

/// Ids of legs: nine digits, the first a 9, after the dot; Asterisk's own counter does not get there.
fn has_our_id(id: &str) -> bool {
    id.split_once('.')
        .is_some_and(|(_, serial)| serial.len() == 9 && serial.starts_with('9'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::LegId;

    fn channel(id: &str, name: &str, state: &str, app: &str, data: &str) -> Channel {
        serde_json::from_value(serde_json::json!({
            "id": id, "name": name, "state": state, "channelvars": {"EVAL": ".."},
            "dialplan": {"context": "x", "exten": "s", "priority": 1, "app_name": app, "app_data": data}
        }))
        .expect("a channel")
    }

    fn caller(id: &str) -> Channel {
        let data = "crankback,call,A,915551200,PJSIP/15551200@a,,TESTCAMP,0.000000,To";
        channel(id, "Local/915551200@default-00000000;2", "Up", "Stasis", data)
    }

    fn leg(id: &str, caller: &str) -> Channel {
        channel(
            id,
            "PJSIP/a-00000001",
            "Up",
            "Stasis",
            &format!("crankback,leg,{caller},2,BACKUP,15551200"),
        )
    }

    fn bridge(caller: &str, channels: &[&str]) -> Bridge {
        serde_json::from_value(serde_json::json!({"id": bridge_of(caller), "channels": channels})).expect("a bridge")
    }

    fn sorted(channels: Vec<Channel>, bridges: Vec<Bridge>, origins: &[(&str, LegOrigin)]) -> Vec<Find> {
        let origins = origins
            .iter()
            .map(|(leg, origin)| ((*leg).to_owned(), origin.clone()))
            .collect();
        sort(
            Inventory {
                channels,
                bridges,
                origins,
            },
            "crankback",
        )
    }

    fn stages(finds: &[Find]) -> Vec<(&str, &str, Placement, ResumedStage)> {
        let calls = finds
            .iter()
            .filter_map(|find| if let Find::Call(call) = find { Some(call) } else { None });
        calls
            .map(|call| {
                (
                    call.caller.channel_id.as_str(),
                    call.leg.id.as_str(),
                    call.placement,
                    call.stage,
                )
            })
            .collect()
    }

    #[test]
    fn pairs_callers_with_their_legs_and_tells_how_far_they_are() {
        let ringing = channel(
            "3.900000003",
            "PJSIP/a-00000003",
            "Ringing",
            "AppDial2",
            "(Outgoing Line)",
        );
        let origin = LegOrigin {
            caller: "3.1".into(),
            leg: LegId(1),
            carrier: "A".into(),
            wire_number: "1".into(),
        };
        let just_up = channel("5.900000005", "PJSIP/a-00000005", "Up", "AppDial2", "(Outgoing Line)");
        let its_origin = LegOrigin {
            caller: "5.1".into(),
            ..origin.clone()
        };
        let channels = vec![
            leg("1.900000001", "1.1"),
            caller("1.1"),
            leg("2.900000002", "2.1"),
            caller("2.1"),
            ringing,
            caller("3.1"),
            caller("4.1"),
            just_up,
            caller("5.1"),
        ];
        let bridges = vec![
            bridge("1.1", &["1.1", "1.900000001"]),
            bridge("2.1", &["2.1"]),
            bridge("9.1", &[]),
        ];
        let origins = [("3.900000003", origin), ("5.900000005", its_origin)];
        let finds = sorted(channels, bridges, &origins);
        assert_eq!(
            stages(&finds),
            [
                ("1.1", "1.900000001", Placement::InBridge, ResumedStage::Connected),
                ("2.1", "2.900000002", Placement::Originated, ResumedStage::Answered),
                ("3.1", "3.900000003", Placement::Originated, ResumedStage::OnItsWay),
                ("5.1", "5.900000005", Placement::Originated, ResumedStage::OnItsWay),
            ]
        );
        assert!(
            matches!(&finds[3], Find::Waiting { caller } if caller.channel_id == "4.1"),
            "{finds:?}"
        );
        assert_eq!(finds[5..], [Find::EmptyBridge { caller: "9.1".into() }]);
    }

    #[test]
    fn leaves_a_redirected_leg_alone_whatever_its_id() {
        let customer = channel("1.900000001", "PJSIP/a-00000001", "Up", "Wait", "3600");
        let ringing_customer = channel("1.900000002", "PJSIP/a-00000002", "Up", "AppDial2", "(Outgoing Line)");
        let native = channel("1.5", "PJSIP/a-00000003", "Ringing", "AppDial", "(Outgoing Line)");
        let foreign = channel("1.6", "PJSIP/a-00000004", "Ringing", "AppDial2", "(Outgoing Line)");
        assert_eq!(
            sorted(vec![customer, ringing_customer, native, foreign], Vec::new(), &[]),
            []
        );
    }

    #[test]
    fn finds_legs_that_nobody_serves() {
        let ringing = channel(
            "1.900000001",
            "PJSIP/a-00000001",
            "Ringing",
            "AppDial2",
            "(Outgoing Line)",
        );
        let answered = leg("1.900000002", "9.9");
        assert_eq!(
            sorted(vec![ringing, answered], Vec::new(), &[]),
            [
                Find::Unattended {
                    leg: "1.900000001".into()
                },
                Find::Orphan {
                    leg: "1.900000002".into()
                }
            ]
        );
    }
}
