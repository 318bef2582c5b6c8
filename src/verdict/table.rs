//! The default tables: what each final SIP response and each Q.850 cause means for routing and health.

use std::ops::RangeInclusive;

use super::judge::{Action, Health};

use Action::{Next, OneMore, RepairAndRetry, Stop};
use Health::{ConfigFault, None as Nothing, OurLimit, Strong, Weak};

/// One line of a table.
#[derive(Clone, Debug)]
pub(super) struct Row<T> {
    pub(super) codes: RangeInclusive<T>,
    pub(super) action: Action,
    pub(super) health: Health,
    pub(super) why: &'static str,
}

const fn row<T: Copy>(codes: RangeInclusive<T>, action: Action, health: Health, why: &'static str) -> Row<T> {
    Row {
        codes,
        action,
        health,
        why,
    }
}

/// SIP responses 300 to 699; the first line that holds a code counts, so exceptions stand above their class.
pub(super) const SIP: &[Row<u16>] = &[
    row(300..=399, Stop, Nothing, "redirection is not followed"),
    row(401..=401, Next, ConfigFault, "our credentials were refused"),
    row(402..=402, Next, ConfigFault, "payment required"),
    row(403..=403, OneMore, Weak, "forbidden: account, caller id or destination"),
    row(404..=404, Stop, Nothing, "number does not exist"),
    row(405..=405, Next, ConfigFault, "carrier takes no INVITE here"),
    row(407..=407, Next, ConfigFault, "our credentials were refused"),
    row(408..=408, Next, Strong, "carrier timed out"),
    row(410..=410, Stop, Nothing, "number has changed or ceased"),
    row(411..=411, Next, ConfigFault, "message format"),
    row(413..=414, Next, ConfigFault, "message format"),
    row(415..=415, RepairAndRetry, Weak, "codec or body"),
    row(416..=417, Next, ConfigFault, "message format"),
    row(420..=420, RepairAndRetry, ConfigFault, "extension required"),
    row(421..=421, Next, ConfigFault, "extension required"),
    row(422..=422, RepairAndRetry, Nothing, "session interval too small"),
    row(428..=428, Next, ConfigFault, "signature required"),
    row(430..=430, Next, Strong, "flow failed"),
    row(433..=433, Stop, Nothing, "anonymous calls are refused"),
    row(436..=439, Next, ConfigFault, "signature refused"),
    row(470..=470, Stop, Nothing, "consent needed"),
    row(477..=478, Next, Strong, "carrier could not send"),
    row(480..=480, Stop, Nothing, "called party not available"),
    row(481..=483, Next, Weak, "carrier loops or lost the dialogue"),
    row(484..=485, Stop, Nothing, "number incomplete or ambiguous"),
    row(486..=486, Stop, Nothing, "called party is busy"),
    row(487..=487, OneMore, Weak, "carrier gave up by itself"),
    row(488..=488, RepairAndRetry, Weak, "codec"),
    row(491..=491, RepairAndRetry, Nothing, "request pending"),
    row(494..=494, Next, ConfigFault, "security agreement required"),
    row(499..=499, Stop, Nothing, "blocked by a do-not-call filter"),
    row(400..=400, Next, Weak, "carrier did not like the request"),
    row(406..=406, Next, Weak, "carrier did not like the request"),
    row(401..=499, OneMore, Weak, "unregistered 4xx"),
    row(501..=501, Next, ConfigFault, "not implemented"),
    row(505..=505, Next, ConfigFault, "version not supported"),
    row(513..=513, Next, ConfigFault, "message too large"),
    row(555..=555, Next, Weak, "not for trunks"),
    row(580..=580, Next, Weak, "precondition failure"),
    row(500..=599, Next, Strong, "carrier fault"),
    row(600..=600, Stop, Nothing, "called party is busy everywhere"),
    row(603..=603, Stop, Nothing, "declined"),
    row(604..=604, Stop, Nothing, "number does not exist"),
    row(606..=606, RepairAndRetry, Weak, "codec"),
    row(607..=608, Stop, Nothing, "unwanted or blocked"),
    row(699..=699, Next, OurLimit, "our limit at the carrier"),
    row(600..=699, Stop, Nothing, "definitive for the called party"),
];

/// Q.850 causes 1 to 127, for legs whose SIP response is not known; the first line that holds a cause counts.
pub(super) const Q850: &[Row<u8>] = &[
    row(1..=1, Stop, Nothing, "unallocated number"),
    row(2..=2, Next, Strong, "no route to transit network"),
    row(3..=3, Next, Weak, "no route to destination"),
    row(4..=4, Stop, Nothing, "number not reachable"),
    row(5..=5, Next, ConfigFault, "wrong trunk prefix"),
    row(6..=6, Next, Strong, "channel unacceptable"),
    row(7..=7, Stop, Nothing, "call awarded"),
    row(8..=13, OneMore, Weak, "preemption or normal class"),
    row(14..=14, Next, Weak, "ported number"),
    row(15..=15, OneMore, Weak, "normal class"),
    row(16..=17, Stop, Nothing, "cleared or busy"),
    row(18..=18, Next, Strong, "no response"),
    row(19..=19, Stop, Nothing, "no answer"),
    row(20..=20, Next, ConfigFault, "peer not registered"),
    row(21..=21, OneMore, Weak, "rejected, by whom is not known"),
    row(22..=24, Stop, Nothing, "number changed or redirected"),
    row(25..=25, Next, Weak, "routing error"),
    row(26..=26, Stop, Nothing, "answered elsewhere"),
    row(27..=27, OneMore, Weak, "destination out of order"),
    row(28..=28, Stop, Nothing, "number format"),
    row(29..=29, Next, Weak, "facility rejected"),
    row(30..=30, Stop, Nothing, "normal class"),
    row(31..=31, OneMore, Weak, "normal, unspecified"),
    row(40..=40, OneMore, Weak, "normal class"),
    row(43..=43, Next, Weak, "access information discarded"),
    row(46..=46, OneMore, Weak, "precedence call blocked"),
    row(32..=47, Next, Strong, "no resource at the carrier"),
    row(50..=50, Next, ConfigFault, "facility not subscribed"),
    row(52..=53, Next, ConfigFault, "outgoing calls barred"),
    row(54..=55, Stop, Nothing, "incoming calls barred"),
    row(57..=57, Next, ConfigFault, "bearer not authorized"),
    row(62..=62, Next, ConfigFault, "inconsistent access information"),
    row(48..=63, Next, Weak, "service not available"),
    row(64..=79, Next, ConfigFault, "not implemented"),
    row(87..=87, Stop, Nothing, "not a member of the user group"),
    row(88..=88, RepairAndRetry, Weak, "incompatible destination"),
    row(90..=91, Next, ConfigFault, "carrier access code"),
    row(96..=96, Next, ConfigFault, "mandatory element missing"),
    row(102..=102, Next, Strong, "timer expired"),
    row(80..=111, Next, Weak, "protocol class"),
    row(112..=127, OneMore, Weak, "interworking"),
];

/// The first line that holds a code.
pub(super) fn find<T: PartialOrd>(table: &'static [Row<T>], code: T) -> Option<&'static Row<T>> {
    table.iter().find(|row| row.codes.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_and_every_cause_has_an_answer() {
        for code in 300..=699 {
            assert!(find(SIP, code).is_some(), "SIP {code}");
        }
        for cause in 1..=127 {
            assert!(find(Q850, cause).is_some(), "Q.850 {cause}");
        }
    }
}
