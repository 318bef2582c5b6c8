//! Carriers as they are met in the field: what VICIdial's examples look like, what admins make of them, and what is to be
//! said of each. A row a case.

use super::*;
use crate::carrier::AfterDial;
use crate::carrier::AfterDial::{GoesOn, HangsUp};

/// A dialplan entry with its protocol and globals, and what should come out.
struct Case {
    what: &'static str,
    protocol: &'static str,
    globals: &'static str,
    /// Lines of `dialplan_entry`.
    entry: &'static [&'static str],
    /// The number as dialled, and the dial string that the carrier's own line makes of it; `None` when the carrier is left out.
    dials: Option<(&'static str, &'static str, AfterDial)>,
    /// Line and code of each problem.
    problems: &'static [(Option<usize>, &'static str)],
}

const CALL_LOG: &str = "exten => _91NXXNXXXXXX,1,AGI(agi://127.0.0.1:4577/call_log)";
const HANGUP: &str = "exten => _91NXXNXXXXXX,3,Hangup";
const DIALLED: &str = "912125550100";

const CASES: &[Case] = &[
    Case {
        what: "SIP through a global",
        protocol: "SIP",
        globals: "SIPTRUNK = SIP/carrier",
        entry: &[
            CALL_LOG,
            "exten => _91NXXNXXXXXX,2,Dial(${SIPTRUNK}/${EXTEN:1},${CAMPDTO},To)",
            HANGUP,
        ],
        dials: Some((DIALLED, "SIP/carrier/12125550100", HangsUp)),
        problems: &[],
    },
    Case {
        what: "PJSIP through a global",
        protocol: "PJSIP",
        globals: "PJTRUNK=carrier",
        entry: &[
            CALL_LOG,
            "exten => _91NXXNXXXXXX,n,Dial(PJSIP/${EXTEN:1}@${PJTRUNK},${CAMPDTO},To)",
            HANGUP,
        ],
        dials: Some((DIALLED, "PJSIP/12125550100@carrier", HangsUp)),
        problems: &[],
    },
    Case {
        what: "PJSIP with a request URI of its own",
        protocol: "PJSIP_WIZ",
        globals: "",
        entry: &["exten => _91NXXNXXXXXX,1,Dial(PJSIP/carrier/sip:+${EXTEN:1}@198.51.100.7:5062,,To)"],
        dials: Some((DIALLED, "PJSIP/carrier/sip:+12125550100@198.51.100.7:5062", GoesOn)),
        problems: &[],
    },
    Case {
        what: "IAX2 through a global, prefix of two digits",
        protocol: "IAX2",
        globals: "IAXTRUNK => IAX2/carrier",
        entry: &["exten => _91NXXNXXXXXX,1,Dial(${IAXTRUNK}/${EXTEN:2},${CAMPDTO},To)"],
        dials: Some((DIALLED, "IAX2/carrier/2125550100", GoesOn)),
        problems: &[],
    },
    Case {
        what: "IAX2 with user and secret",
        protocol: "IAX2",
        globals: "",
        entry: &["exten => _91NXXNXXXXXX,1,Dial(IAX2/dialer:s3cret@198.51.100.7/${EXTEN:1},55,o)"],
        dials: Some((DIALLED, "IAX2/dialer:s3cret@198.51.100.7/12125550100", GoesOn)),
        problems: &[],
    },
    Case {
        what: "arguments parted by bars, lower case, two priorities out of order",
        protocol: "SIP",
        globals: "",
        entry: &[
            "exten=>_91NXXNXXXXXX,3,hangup()",
            "exten=>_91NXXNXXXXXX,2,dial(SIP/carrier/00${EXTEN:1}|55|tTo)",
            "exten=>_91NXXNXXXXXX,1,agi(agi://127.0.0.1:4577/call_log)\r",
        ],
        dials: Some((DIALLED, "SIP/carrier/0012125550100", HangsUp)),
        problems: &[],
    },
    Case {
        what: "same lines, a label, comments and a header of dashes",
        protocol: "SIP",
        globals: "",
        entry: &[
            ";-------- main carrier --------",
            CALL_LOG,
            "same => n,Set(CALLERID(num)=3125550100) ; their rule",
            "same => n,Set(__AMDMINLEN=7)",
            "same => n,SIPAddHeader(X-Account: 77)",
            "same => n(out),Dial(SIP/${EXTEN:1}@carrier,${CAMPDTO},To)",
            "same => n,Hangup()",
        ],
        dials: Some((DIALLED, "SIP/carrier/12125550100", HangsUp)),
        problems: &[],
    },
    Case {
        what: "an attestation AGI before Dial, which may hang up",
        protocol: "PJSIP",
        globals: "",
        entry: &[
            CALL_LOG,
            "exten => _91NXXNXXXXXX,n,AGI(agi-TILTX_SHAKEN.agi)",
            "exten => _91NXXNXXXXXX,n,Dial(PJSIP/${EXTEN:1}@carrier,${CAMPDTO},To)",
            "exten => _91NXXNXXXXXX,n,Hangup()",
        ],
        dials: Some((DIALLED, "PJSIP/12125550100@carrier", HangsUp)),
        problems: &[],
    },
    Case {
        what: "a failover by hand",
        protocol: "SIP",
        globals: "",
        entry: &[
            CALL_LOG,
            "exten => _91NXXNXXXXXX,n,Dial(SIP/${EXTEN:1}@carrier,${CAMPDTO},To)",
            "exten => _91NXXNXXXXXX,n,Dial(SIP/${EXTEN:1}@other,${CAMPDTO},To)",
            "exten => _91NXXNXXXXXX,n,Hangup()",
        ],
        dials: Some((DIALLED, "SIP/carrier/12125550100", GoesOn)),
        problems: &[(Some(3), "second_dial")],
    },
    Case {
        what: "a failover by hand that looks at DIALSTATUS",
        protocol: "SIP",
        globals: "",
        entry: &[
            "exten => _91NXXNXXXXXX,1,Dial(SIP/${EXTEN:1}@carrier,${CAMPDTO},To)",
            "exten => _91NXXNXXXXXX,n,GotoIf($[\"${DIALSTATUS}\" = \"CONGESTION\"]?again)",
            "exten => _91NXXNXXXXXX,n,Hangup()",
            "exten => _91NXXNXXXXXX,n(again),ExecIf($[1]?Dial(SIP/${EXTEN:1}@other,${CAMPDTO},To))",
        ],
        dials: Some((DIALLED, "SIP/carrier/12125550100", GoesOn)),
        problems: &[(Some(4), "hidden_dial")],
    },
    Case {
        what: "a trunk that least-cost routing chooses while the call runs",
        protocol: "SIP",
        globals: "",
        entry: &[
            "exten => _91NXXNXXXXXX,1,AGI(agi-LCR-Route.agi)",
            "exten => _91NXXNXXXXXX,n,Dial(${LCRTRUNK}/${EXTEN:1},${CAMPDTO},To)",
        ],
        dials: None,
        problems: &[(Some(2), "unknown_global")],
    },
    Case {
        what: "several targets at once",
        protocol: "SIP",
        globals: "",
        entry: &["exten => _91NXXNXXXXXX,1,Dial(SIP/${EXTEN:1}@a&SIP/${EXTEN:1}@b,${CAMPDTO},To)"],
        dials: None,
        problems: &[(Some(1), "target_several")],
    },
    Case {
        what: "options that a dialer's calls may miss",
        protocol: "PJSIP",
        globals: "",
        entry: &[
            "exten => _91NXXNXXXXXX,1,Dial(PJSIP/${EXTEN:1}@carrier,${CAMPDTO},ToL(3600000)U(answered))",
            "exten => _9011.,1,Dial(PJSIP/${EXTEN:1}@carrier,55,r)",
        ],
        dials: Some((DIALLED, "PJSIP/12125550100@carrier", GoesOn)),
        problems: &[(Some(1), "dial_options_not_honoured")],
    },
    Case {
        what: "options in a variable, and a URL",
        protocol: "PJSIP",
        globals: "MORE=g",
        entry: &[
            "exten => _91NXXNXXXXXX,1,Dial(PJSIP/${EXTEN:1}@carrier,,To${MORE})",
            "exten => _81NXXNXXXXXX,1,Dial(PJSIP/${EXTEN:1}@carrier,,To${CAMPOPTIONS},http://x)",
        ],
        dials: Some((DIALLED, "PJSIP/12125550100@carrier", GoesOn)),
        problems: &[(Some(2), "dial_options_variable"), (Some(2), "dial_url_not_honoured")],
    },
    Case {
        what: "a number cut to a length",
        protocol: "SIP",
        globals: "",
        entry: &["exten => _91NXXNXXXXXX,1,Dial(SIP/carrier/${EXTEN:1:11},,To)"],
        dials: None,
        problems: &[(Some(1), "target_length_form")],
    },
    Case {
        what: "a context header, which would swallow the other carriers",
        protocol: "SIP",
        globals: "",
        entry: &[
            "exten => _91NXXNXXXXXX,1,Dial(SIP/carrier/${EXTEN:1},,To)",
            "[more]",
            "exten => 5,1,NoOp()",
        ],
        dials: None,
        problems: &[(Some(2), "dialplan_context_header")],
    },
    Case {
        what: "a Zap trunk of old",
        protocol: "Zap",
        globals: "TRUNK=Zap/g1",
        entry: &["exten => _91NXXNXXXXXX,1,Dial(${TRUNK}/${EXTEN:1},,To)"],
        dials: None,
        problems: &[(None, "protocol_left_out")],
    },
    Case {
        what: "Zap dialled by a SIP carrier",
        protocol: "SIP",
        globals: "TRUNK=Zap/g1",
        entry: &["exten => _91NXXNXXXXXX,1,Dial(${TRUNK}/${EXTEN:1},,To)"],
        dials: None,
        problems: &[(Some(1), "target_driver")],
    },
];

#[test]
fn carriers_of_the_field() {
    for case in CASES {
        let row = CarrierRow {
            carrier_id: "A".into(),
            protocol: case.protocol.into(),
            globals_string: case.globals.into(),
            dialplan_entry: case.entry.join("\n"),
            server_ip: EVERY_SERVER.into(),
            active: true,
            ..CarrierRow::default()
        };
        let table = read_carriers(&[row], &[], "192.0.2.5");
        let problems: Vec<_> = table
            .problems
            .iter()
            .map(|problem| (problem.line, problem.fault.code()))
            .collect();
        assert_eq!(problems, case.problems, "{}", case.what);
        let dials = table.carriers.first().zip(case.dials).map(|(carrier, (dialled, ..))| {
            let entry = carrier.entries.iter().find(|entry| {
                let pattern: Result<crate::asterisk_conf::Pattern, _> = entry.pattern.parse();
                pattern.is_ok_and(|pattern| pattern.matches(dialled))
            });
            let entry = entry.unwrap();
            (
                dialled,
                carrier.dial_string(&entry.format.apply(dialled).unwrap()),
                entry.after,
            )
        });
        let expected = case
            .dials
            .map(|(dialled, dial_string, after)| (dialled, dial_string.to_owned(), after));
        assert_eq!(dials, expected, "{}", case.what);
        assert_eq!(table.carriers.is_empty(), case.dials.is_none(), "{}", case.what);
    }
}
