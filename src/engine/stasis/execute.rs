//! The requests behind a call's intents. Nothing here remembers anything; each function is one thing done on Asterisk.

use std::time::Duration;

use tracing::warn;

use crate::ari::{self, AddChannel, Capabilities, Channel, Client, ContinueInDialplan, EventSource, HangupReason};
use crate::call::{LegSpec, Repair};
use crate::carrier::Technology;
use crate::engine::CallerEntry;
use crate::verdict::SipReply;

use super::leg::Placement;
use super::translate::{self, LegOrigin};

/// Where a caller goes on in `[crankback]` of `asterisk/extensions-crankback.conf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// Plain `Dial()`: nothing has been dialled yet.
    Native,
    /// Every attempt failed; back to the carrier's entry.
    Result,
    /// Answered and ended; back to the carrier's entry (option `g` of `Dial()`).
    Return,
    /// The call is over.
    Hangup,
}

impl Label {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Result => "result",
            Self::Return => "return",
            Self::Hangup => "hangup",
        }
    }
}

/// A variable of the dialplan and its value.
pub(super) type Variable = (&'static str, String);

const BRIDGE_PREFIX: &str = "cb-";

/// The bridge of a caller.
pub(super) fn bridge_of(caller: &str) -> String {
    format!("{BRIDGE_PREFIX}{caller}")
}

/// The caller of a bridge, if the bridge is one of ours.
pub(super) fn caller_of(bridge: &str) -> Option<&str> {
    bridge.strip_prefix(BRIDGE_PREFIX)
}

/// Puts a caller alone into its bridge.
pub(super) async fn hold(ari: &Client, caller: &str) {
    let bridge = bridge_of(caller);
    insist("make the bridge of", caller, || async {
        ari.bridges().create_with_id(&bridge).await.map(|_| ())
    })
    .await;
    insist("put into its bridge", caller, || async {
        ari.bridges()
            .add_channel(&bridge, &[caller], AddChannel::default())
            .await
    })
    .await;
}

/// Takes a caller's bridge away. Channels must be gone before: the other order overwrites hangup causes before Asterisk 20.13
/// and 22.3.
pub(super) async fn remove_bridge(ari: &Client, caller: &str) {
    let bridge = bridge_of(caller);
    log_unless_gone("remove", &bridge, ari.bridges().destroy(&bridge).await);
}

/// The last SIP response of the leg, in every event. The `channelvars` entry of `ari.conf` evaluates what `CB_RX` names, which
/// names `CB_RX_1` once there is a response: before that `HANGUPCAUSE()` would log a warning. Variables that are set before
/// `CB_RX` is are cheaper, for Asterisk evaluates it each time.
pub(super) const SHOW_REPLY: [(&str, &str); 2] = [
    ("CB_RX_1", "EVAL(${HANGUPCAUSE(${CHANNEL},tech)})"),
    ("CB_RX", "EVAL(${${CB_RX_${EXISTS(${HANGUPCAUSE_KEYS()})}}})"),
];
/// Runs the `h` of the context in which a redirected leg ends; such a leg runs none by itself.
const ON_HANGUP: (&str, &str) = ("CHANNEL(hangup_handler_push)", "crankback-leg,h,1");

/// Where Asterisk looks for the user part of a 302's Contact, which it follows by itself: a context in which nothing can be
/// dialled. Otherwise it is the trunk's own.
pub(super) const NO_FORWARDING: (&str, &str) = ("FORWARD_CONTEXT", HANGUP_CONTEXT);
const HANGUP_CONTEXT: &str = "crankback-hangup";

/// Tells another process whose a leg is before it is answered; afterwards its application arguments do.
const ORIGIN: &str = "CB_ORIGIN";

/// Whose a leg is that is on its way.
pub(super) async fn origin_of(ari: &Client, channel: &str) -> Option<LegOrigin> {
    let text = ari.channels().get_variable(channel, ORIGIN).await.ok()??;
    translate::leg_origin(&text.split(',').map(str::to_owned).collect::<Vec<_>>())
}

/// Asks Asterisk for a leg.
pub(super) async fn place(
    ari: &Client,
    caller: &CallerEntry,
    channel: &str,
    spec: &LegSpec,
    placement: Placement,
) -> Result<Channel, ari::Error> {
    let app_args = translate::leg_arguments(&caller.channel_id, spec);
    let mut variables = vec![ON_HANGUP, (ORIGIN, &app_args)];
    variables.extend(repair(spec));
    match placement {
        Placement::Originated => {
            // VICIdial finds its call by the name on the trunk channel (option o of Dial()).
            let name = caller.caller_name.replace(['"', '\\'], "");
            let caller_id = format!("\"{name}\" <{}>", caller.caller_number);
            variables.push(NO_FORWARDING);
            variables.extend(SHOW_REPLY);
            let leg = ari::Originate {
                endpoint: &spec.dial_string,
                app: ari.app(),
                app_args: Some(&app_args),
                caller_id: Some(&caller_id),
                timeout_seconds: i32::try_from(spec.backstop.as_secs()).ok(),
                channel_id: Some(channel),
                originator: Some(&caller.channel_id),
                formats: None,
                variables: &variables,
            };
            ari.channels().originate(&leg).await
        }
        Placement::InBridge => {
            variables.push(("CALLERID(name)", &caller.caller_name));
            variables.push(("CALLERID(num)", &caller.caller_number));
            variables.extend(SHOW_REPLY);
            let leg = ari::Create {
                endpoint: &spec.dial_string,
                app: ari.app(),
                app_args: Some(&app_args),
                channel_id: Some(channel),
                originator: Some(&caller.channel_id),
                formats: None,
                variables: &variables,
            };
            ari.channels().create(&leg).await
        }
    }
}

/// What makes the leg's request differ from the one that the carrier refused. See `docs/decisions/0003-repairs.md`.
fn repair(spec: &LegSpec) -> Option<(&'static str, &'static str)> {
    match (spec.repair?, spec.technology) {
        (Repair::OtherCodecs, Technology::Pjsip) => Some(("PJSIP_MEDIA_OFFER(audio)", "!all,alaw,ulaw")),
        (Repair::OtherCodecs, Technology::Sip) => Some(("SIP_CODEC_OUTBOUND", "alaw,ulaw")),
        (Repair::OtherCodecs, Technology::Iax2) | (Repair::Again, _) => None,
    }
}

/// Puts a created leg beside the caller and dials it. A leg that cannot be dialled is hung up; its end is an event like any.
pub(super) async fn dial_in_bridge(
    ari: &Client,
    caller: &str,
    channel: &str,
    timeout_seconds: u32,
    capabilities: &Capabilities,
) {
    let dialled = async {
        join(ari, caller, channel, capabilities).await?;
        ari.channels().dial(channel, Some(caller), timeout_seconds).await
    };
    if let Err(error) = dialled.await {
        warn!(%error, "the leg could not be dialled");
        hang_up(ari, channel).await;
    }
}

/// Whether a leg exists whose request had no answer; asks until Asterisk answers or nobody would wait any longer.
pub(super) async fn find_out(ari: &Client, channel: &str) -> Option<Channel> {
    for pause in pauses() {
        match ari.channels().get(channel).await {
            Ok(channel) => return Some(channel),
            Err(error) if error.status() == Some(404) => return None,
            Err(_) => tokio::time::sleep(pause).await,
        }
    }
    None
}

async fn join(ari: &Client, caller: &str, channel: &str, capabilities: &Capabilities) -> Result<(), ari::Error> {
    let how = AddChannel {
        inhibit_connected_line_updates: capabilities.inhibit_connected_line_updates,
    };
    ari.bridges().add_channel(&bridge_of(caller), &[channel], how).await
}

/// The last response on a leg that shows no event of it: 100 Trying makes none.
pub(super) async fn signs_of_life(ari: &Client, channel: &str) -> Result<Option<SipReply>, ari::Error> {
    let name = ari
        .channels()
        .get_variable(channel, "HANGUPCAUSE_KEYS()")
        .await?
        .unwrap_or_default();
    if name.is_empty() {
        return Ok(None);
    }
    let text = ari
        .channels()
        .get_variable(channel, &format!("HANGUPCAUSE({name},tech)"))
        .await?;
    Ok(text.as_deref().and_then(SipReply::parse))
}

/// The id of the oldest channel of a caller's call; empty when it is not known any more.
pub(super) async fn linked_id(ari: &Client, caller: &str) -> String {
    let linked_id = ari.channels().get_variable(caller, "CHANNEL(linkedid)").await;
    linked_id.ok().flatten().unwrap_or_default()
}

/// Connects an answered leg and the caller, then answers the caller: by then everything that a dialer reads at the answer is
/// in its place, what `before_answer` sees to included.
pub(super) async fn connect(
    ari: &Client,
    caller: &CallerEntry,
    channel: &str,
    placement: Placement,
    variables: &[Variable],
    capabilities: &Capabilities,
    before_answer: impl Future<Output = ()>,
) {
    let bridge = async {
        if placement == Placement::Originated {
            insist("connect", channel, || {
                join(ari, &caller.channel_id, channel, capabilities)
            })
            .await;
        }
    };
    tokio::join!(bridge, set_all(ari, &caller.channel_id, variables), before_answer);
    if !caller.is_up {
        insist("answer", &caller.channel_id, || async {
            ari.channels().answer(&caller.channel_id).await
        })
        .await;
    }
}

/// Lets the caller ring, and leaves word for its `h` in case it hangs up now.
pub(super) async fn ring(ari: &Client, caller: &str, variables: &[Variable]) {
    let channels = ari.channels();
    let (rung, ()) = tokio::join!(channels.ring(caller), set_all(ari, caller, variables));
    log_unless_gone("ring", caller, rung);
}

/// Lets the caller know that there is progress.
pub(super) async fn progress(ari: &Client, caller: &str, capabilities: &Capabilities) {
    log_unless_gone("progress", caller, ari.channels().progress(caller, capabilities).await);
}

/// Sets variables on the caller and lets it go on in `[crankback]`.
pub(super) async fn go_on(ari: &Client, caller: &str, label: Label, variables: &[Variable]) {
    set_all(ari, caller, variables).await;
    let to = ContinueInDialplan {
        context: Some("crankback"),
        extension: Some("s"),
        priority: None,
        label: Some(label.as_str()),
    };
    insist("continue", caller, || async {
        ari.channels().continue_in_dialplan(caller, to).await
    })
    .await;
}

/// Ends an answered leg unless the dialer has redirected it: whether it has. `home` is the context that the leg had when it was
/// answered. A redirect that was accepted shows at once, a moment before the leg leaves the application; an order of ours
/// would take its place.
pub(super) async fn end_unless_taken(ari: &Client, channel: &str, home: &str) -> bool {
    let context = ari.channels().get_variable(channel, "CHANNEL(context)").await;
    let is_taken = matches!(context, Ok(Some(context)) if !home.is_empty() && context != home);
    if !is_taken {
        end_if_ours(ari, channel).await;
    }
    is_taken
}

/// Ends an answered leg if it is still ours: Asterisk refuses once the leg has left the application, and then it is a customer.
pub(super) async fn end_if_ours(ari: &Client, channel: &str) {
    let to = ContinueInDialplan {
        context: Some(HANGUP_CONTEXT),
        extension: Some("s"),
        priority: None,
        label: None,
    };
    log_unless_gone("end", channel, ari.channels().continue_in_dialplan(channel, to).await);
}

/// A leg that is the dialer's now: Asterisk would write down for us all that happens to it, to its end.
pub(super) async fn stop_watching(ari: &Client, channel: &str) {
    let leg = EventSource::Channel(channel);
    log_unless_gone(
        "stop watching",
        channel,
        ari.applications().unsubscribe(ari.app(), leg).await,
    );
}

/// Hangs up a leg that nobody else can have taken: it was never connected.
pub(super) async fn hang_up(ari: &Client, channel: &str) {
    log_unless_gone(
        "hang up",
        channel,
        ari.channels().hangup(channel, HangupReason::Normal).await,
    );
}

/// Sets variables, in one request where their values allow it: each request costs Asterisk more than what it does.
pub(super) async fn set_all(ari: &Client, channel: &str, variables: &[Variable]) {
    let requests = requests_for(variables);
    let requests = requests.iter().map(|(name, value)| {
        insist("set variables of", channel, move || async move {
            ari.channels().set_variable(channel, name, value).await
        })
    });
    futures_util::future::join_all(requests).await;
}

/// What is asked for so that all variables are set: the dialplan function `ARRAY` takes several at once.
fn requests_for(variables: &[Variable]) -> Vec<(String, String)> {
    let means_something_in_a_list = |value: &str| value.contains([',', '"', '\\', '(', ')', '[', ']']);
    let (alone, listed): (Vec<_>, Vec<_>) = variables
        .iter()
        .partition(|(_, value)| means_something_in_a_list(value));
    let mut requests: Vec<(String, String)> = alone
        .into_iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    match listed.as_slice() {
        [] => {}
        [(name, value)] => requests.push(((*name).to_owned(), value.clone())),
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| *name).collect();
            let values: Vec<&str> = several.iter().map(|(_, value)| value.as_str()).collect();
            requests.push((format!("ARRAY({})", names.join(",")), values.join(",")));
        }
    }
    requests
}

/// Does what may be done twice until Asterisk has answered: a request that is lost with its connection would leave a caller
/// behind.
async fn insist<R>(what: &str, channel: &str, mut request: impl FnMut() -> R)
where
    R: Future<Output = Result<(), ari::Error>>,
{
    for pause in pauses() {
        match request().await {
            Err(ari::Error::NotSent { .. } | ari::Error::OutcomeUnknown { .. }) => tokio::time::sleep(pause).await,
            result => return log_unless_gone(what, channel, result),
        }
    }
    warn!(channel, "{what} failed: Asterisk does not answer");
}

/// How long to wait between requests that are repeated: two minutes altogether, by then the dialer has given a call up.
fn pauses() -> impl Iterator<Item = Duration> {
    let doubling = (0..4).map(|step| Duration::from_millis(100 << step));
    doubling.chain(std::iter::repeat_n(Duration::from_millis(1_500), 80))
}

/// A response without the characters that mean something to the dialplan or to VICIdial's report.
pub(super) fn dialplan_safe(reply: &SipReply) -> String {
    let meaningful = |c: char| "\"\\${}[](),;|`".contains(c);
    let text = reply.to_string();
    let kept: String = text
        .chars()
        .filter(|&c| c.is_ascii() && !c.is_ascii_control() && !meaningful(c))
        .collect();
    kept.replace("---", "")
}

/// A channel that is gone or no longer ours is the normal end of many requests; everything else is worth a line.
fn log_unless_gone(what: &str, channel: &str, result: Result<(), ari::Error>) {
    if let Err(error) = result
        && !matches!(error.status(), Some(404 | 409 | 422))
    {
        warn!(channel, %error, "{what} failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carriers_phrase_cannot_reach_into_the_dialplan() {
        let reply = SipReply {
            code: 503,
            phrase: "No ${SHELL(rm)} -----;\"x\" (späte) Leitung\r\n".into(),
        };
        assert_eq!(dialplan_safe(&reply), "SIP 503 No SHELLrm --x spte Leitung");
    }

    #[test]
    fn variables_are_set_together_unless_a_value_would_be_taken_apart() {
        let variable = |name: &'static str, value: &str| (name, value.to_owned());
        let asked = |variables: &[Variable]| -> Vec<String> {
            let requests = requests_for(variables).into_iter();
            requests.map(|(name, value)| format!("{name}={value}")).collect()
        };
        assert_eq!(asked(&[]), Vec::<String>::new());
        assert_eq!(asked(&[variable("A", "1")]), ["A=1"]);
        let several = [variable("A", "1"), variable("B", ""), variable("C", "SIP 200 OK")];
        assert_eq!(asked(&several), ["ARRAY(A,B,C)=1,,SIP 200 OK"]);
        let with_comma = [variable("A", "1"), variable("B", "x@y,z"), variable("C", "3")];
        assert_eq!(asked(&with_comma), ["B=x@y,z", "ARRAY(A,C)=1,3"]);
    }

    #[test]
    fn a_bridge_names_its_caller() {
        assert_eq!(caller_of(&bridge_of("1795226151.1")), Some("1795226151.1"));
        assert_eq!(caller_of("a-conference"), None);
    }
}
