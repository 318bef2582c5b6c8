//! The names of Q.850 causes as they stand in call records of Asterisk and FreeSWITCH.

const NAMES: &[(u8, &str)] = &[
    (1, "UNALLOCATED_NUMBER"),
    (2, "NO_ROUTE_TRANSIT_NET"),
    (3, "NO_ROUTE_DESTINATION"),
    (4, "SEND_SPECIAL_TONE"),
    (5, "MISDIALLED_TRUNK_PREFIX"),
    (6, "CHANNEL_UNACCEPTABLE"),
    (7, "CALL_AWARDED_DELIVERED"),
    (8, "PREEMPTED"),
    (14, "NUMBER_PORTED_NOT_HERE"),
    (16, "NORMAL_CLEARING"),
    (17, "USER_BUSY"),
    (18, "NO_USER_RESPONSE"),
    (19, "NO_ANSWER"),
    (20, "SUBSCRIBER_ABSENT"),
    (21, "CALL_REJECTED"),
    (22, "NUMBER_CHANGED"),
    (23, "REDIRECTION_TO_NEW_DESTINATION"),
    (25, "EXCHANGE_ROUTING_ERROR"),
    (26, "ANSWERED_ELSEWHERE"),
    (27, "DESTINATION_OUT_OF_ORDER"),
    (28, "INVALID_NUMBER_FORMAT"),
    (29, "FACILITY_REJECTED"),
    (30, "RESPONSE_TO_STATUS_ENQUIRY"),
    (31, "NORMAL_UNSPECIFIED"),
    (34, "NORMAL_CIRCUIT_CONGESTION"),
    (38, "NETWORK_OUT_OF_ORDER"),
    (41, "NORMAL_TEMPORARY_FAILURE"),
    (42, "SWITCH_CONGESTION"),
    (43, "ACCESS_INFO_DISCARDED"),
    (44, "REQUESTED_CHAN_UNAVAIL"),
    (46, "PRE_EMPTED"),
    (47, "RESOURCE_UNAVAILABLE"),
    (50, "FACILITY_NOT_SUBSCRIBED"),
    (52, "OUTGOING_CALL_BARRED"),
    (54, "INCOMING_CALL_BARRED"),
    (57, "BEARERCAPABILITY_NOTAUTH"),
    (58, "BEARERCAPABILITY_NOTAVAIL"),
    (63, "SERVICE_UNAVAILABLE"),
    (65, "BEARERCAPABILITY_NOTIMPL"),
    (66, "CHAN_NOT_IMPLEMENTED"),
    (69, "FACILITY_NOT_IMPLEMENTED"),
    (79, "SERVICE_NOT_IMPLEMENTED"),
    (81, "INVALID_CALL_REFERENCE"),
    (88, "INCOMPATIBLE_DESTINATION"),
    (95, "INVALID_MSG_UNSPECIFIED"),
    (96, "MANDATORY_IE_MISSING"),
    (97, "MESSAGE_TYPE_NONEXIST"),
    (98, "WRONG_MESSAGE"),
    (99, "IE_NONEXIST"),
    (100, "INVALID_IE_CONTENTS"),
    (101, "WRONG_CALL_STATE"),
    (102, "RECOVERY_ON_TIMER_EXPIRE"),
    (103, "MANDATORY_IE_LENGTH_ERROR"),
    (111, "PROTOCOL_ERROR"),
    (127, "INTERWORKING"),
];

/// Other names in use for the same causes.
const ALIASES: &[(u8, &str)] = &[
    (1, "UNALLOCATED"),
    (2, "NO_ROUTE_TRANSIT_NETWORK"),
    (16, "NORMAL"),
    (17, "BUSY"),
    (18, "NOUSERRESPONSE"),
    (19, "NO_USER_ANSWER"),
    (34, "CONGESTION"),
    (38, "FAILURE"),
    (41, "TEMPORARY_FAILURE"),
    (42, "SWITCHING_EQUIPMENT_CONGESTION"),
];

/// The name of a cause that has one.
pub fn name_of_cause(cause: u8) -> Option<&'static str> {
    NAMES.iter().find(|(number, _)| *number == cause).map(|(_, name)| *name)
}

/// The cause that is called so, in any case, also with Asterisk's `AST_CAUSE_` in front.
pub fn cause_named(name: &str) -> Option<u8> {
    let name = name.trim().to_ascii_uppercase().replace(['-', ' '], "_");
    let name = name.strip_prefix("AST_CAUSE_").unwrap_or(&name);
    NAMES
        .iter()
        .chain(ALIASES)
        .find(|(_, known)| *known == name)
        .map(|(number, _)| *number)
}

/// Every name, for suggestions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().chain(ALIASES).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_found_by_the_names_that_people_copy_from_records() {
        for (name, cause) in [
            ("NORMAL_CIRCUIT_CONGESTION", Some(34)),
            ("normal-circuit congestion", Some(34)),
            ("AST_CAUSE_USER_BUSY", Some(17)),
            ("busy", Some(17)),
            ("NONSENSE", None),
        ] {
            assert_eq!(cause_named(name), cause, "{name}");
        }
    }

    #[test]
    fn every_name_means_one_cause() {
        let mut seen: Vec<&str> = names().collect();
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count);
        assert!(NAMES.iter().all(|(cause, name)| cause_named(name) == Some(*cause)));
    }
}
