use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::asterisk_conf::{DialplanProblem, PatternError, TargetError};
use crate::carrier::{AfterDial, DialEntry, NumberFormat, Technology};

const OWN: &str = "192.0.2.5";

fn read(rows: &[CarrierRow]) -> CarrierTable {
    read_carriers(rows, &[], OWN)
}

fn row(id: &str, protocol: &str) -> CarrierRow {
    CarrierRow {
        carrier_id: id.into(),
        carrier_name: format!("{id} trunk"),
        template_id: "--NONE--".into(),
        protocol: protocol.into(),
        server_ip: OWN.into(),
        active: true,
        ..CarrierRow::default()
    }
}

fn dialling(id: &str, dialplan_entry: &str) -> CarrierRow {
    CarrierRow {
        dialplan_entry: dialplan_entry.into(),
        ..row(id, "SIP")
    }
}

/// Rows of the same make as the examples that VICIdial ships.
fn example_rows() -> Vec<CarrierRow> {
    let entry = |pattern: &str, dial: &str| {
        format!(
            "exten => {pattern},1,AGI(agi://127.0.0.1:4577/call_log)\n\
             exten => {pattern},2,{dial}\nexten => {pattern},3,Hangup\n"
        )
    };
    vec![
        CarrierRow {
            account_entry: "[ExampleSIP]\ntype = peer\nhost = 192.0.2.15\nqualify = yes\n".into(),
            globals_string: "SIPTRUNK = SIP/ExampleSIP".into(),
            dialplan_entry: entry("_91999NXXXXXX", "Dial(${SIPTRUNK}/${EXTEN:1},${CAMPDTO},To)"),
            ..row("SIPEX", "SIP")
        },
        CarrierRow {
            account_entry: "[ExamplePJSIP]\ntype = aor\ncontact = sip:192.0.2.15\n\n[ExamplePJSIP]\ntype = identify\n\
                match = 192.0.2.15\n\n[ExamplePJSIP]\ntype = endpoint\naors = ExamplePJSIP\n"
                .into(),
            globals_string: "PJTRUNK=ExamplePJSIP".into(),
            dialplan_entry: entry("_91999NXXXXXX", "Dial(PJSIP/${EXTEN:1}@${PJTRUNK},${CAMPDTO},To)"),
            ..row("PJSIPEX", "PJSIP")
        },
        CarrierRow {
            account_entry: "[ExamplePJSIPWIZ]\ntype = wizard\nremote_hosts = 192.0.2.15:5060\n".into(),
            globals_string: "WIZTRK=ExamplePJSIPWIZ".into(),
            dialplan_entry: entry("_91999NXXXXXX", "Dial(PJSIP/${EXTEN:1}@${WIZTRK},${CAMPDTO},To)"),
            ..row("WIZEX", "PJSIP_WIZ")
        },
        CarrierRow {
            account_entry: "[oldsip]\ntype = friend\nhost = dynamic\n".into(),
            globals_string: "OLDSIPTRUNK = SIP/oldsip".into(),
            dialplan_entry: entry("_71NXXNXXXXXX", "Dial(${OLDSIPTRUNK}/${EXTEN:2},,tTor)"),
            ..row("OLDSIP", "SIP")
        },
        CarrierRow {
            account_entry: "[testcarrier]\ntype = friend\nhost = dynamic\n".into(),
            globals_string: "TESTIAXTRUNK = IAX2/testcarrier".into(),
            dialplan_entry: entry("_71NXXNXXXXXX", "Dial(${TESTIAXTRUNK}/${EXTEN:2},${CAMPDTO},To)"),
            ..row("OLDIAX", "IAX2")
        },
    ]
}

fn only_fault(rows: &[CarrierRow]) -> (CarrierField, Option<usize>, CarrierFault) {
    let table = read(rows);
    assert_eq!(table.problems.len(), 1, "{:?}", table.problems);
    let problem = table.problems.into_iter().next().unwrap();
    assert_eq!(table.carriers.is_empty(), problem.fault.leaves_out(), "{problem}");
    (problem.field, problem.line, problem.fault)
}

#[test]
fn the_shipped_examples_are_understood() {
    let tables: Vec<_> = example_rows().into_iter().map(|row| read(&[row])).collect();
    let read: Vec<_> = tables
        .iter()
        .map(|table| {
            assert_eq!(table.problems, []);
            let carrier = &table.carriers[0];
            let entry = &carrier.entries[0];
            (
                carrier.id.as_str(),
                carrier.technology,
                carrier.peer.as_str(),
                entry.pattern.as_str(),
                entry.format.strip,
            )
        })
        .collect();
    assert_eq!(
        read,
        [
            ("SIPEX", Technology::Sip, "ExampleSIP", "_91999NXXXXXX", 1),
            ("PJSIPEX", Technology::Pjsip, "ExamplePJSIP", "_91999NXXXXXX", 1),
            ("WIZEX", Technology::Pjsip, "ExamplePJSIPWIZ", "_91999NXXXXXX", 1),
            ("OLDSIP", Technology::Sip, "oldsip", "_71NXXNXXXXXX", 2),
            ("OLDIAX", Technology::Iax2, "testcarrier", "_71NXXNXXXXXX", 2),
        ]
    );
    assert_eq!(tables[0].carriers[0].name, "SIPEX trunk");
    assert_eq!(tables[0].carriers[0].entries[0].options, "To");
}

#[test]
fn carriers_come_in_the_order_in_which_vicidial_writes_them() {
    let mut rows = example_rows();
    rows.push(CarrierRow {
        carrier_id: "aSIP".into(),
        ..rows[3].clone()
    });
    let table = read(&rows);
    let ids: Vec<_> = table.carriers.iter().map(|carrier| carrier.id.as_str()).collect();
    assert_eq!(ids, ["OLDIAX", "aSIP", "OLDSIP", "SIPEX", "WIZEX", "PJSIPEX"]);
    // What an extension names is the carrier that Asterisk runs for it.
    let taken: Vec<_> = table.problems.iter().map(ToString::to_string).collect();
    let told = |carrier: &str, extension: &str, by: &str| {
        format!(
            "carrier {carrier}, dialplan_entry line 1: {extension} belongs to carrier {by}, which VICIdial writes first: \
             Asterisk skips this line and {by} gets the calls; give one of the two another dial prefix"
        )
    };
    assert_eq!(
        taken,
        [
            told("aSIP", "_71NXXNXXXXXX", "OLDIAX"),
            told("OLDSIP", "_71NXXNXXXXXX", "OLDIAX"),
            told("WIZEX", "_91999NXXXXXX", "SIPEX"),
            told("PJSIPEX", "_91999NXXXXXX", "SIPEX"),
        ]
    );
}

#[test]
fn an_extension_is_taken_however_it_is_written_and_also_by_a_carrier_that_is_left_out() {
    let rows = [
        dialling("A", "exten => _9[2-9]X,1,Dial(DAHDI/g1/${EXTEN})"),
        dialling(
            "B",
            "exten => _9NX,1,Dial(SIP/b/${EXTEN})\nexten => _9NX,2,Hangup()\nexten => _8.,1,Dial(SIP/b/${EXTEN})",
        ),
    ];
    let table = read(&rows);
    assert_eq!(table.carriers.len(), 1);
    assert!(table.is_left_out(&"A".into()) && !table.is_left_out(&"B".into()));
    let faults: Vec<_> = table
        .problems
        .iter()
        .map(|problem| (problem.line, problem.fault.code()))
        .collect();
    assert_eq!(faults, [(Some(1), "target_driver"), (Some(1), "extension_taken")]);
}

#[test]
fn a_template_is_read_behind_the_account() {
    let templates = [TemplateRow {
        template_id: "friendly".into(),
        template_contents: "type = friend\nrubbish\n[second]\ntype = peer".into(),
    }];
    let with = |template_id: &str| {
        let row = CarrierRow {
            account_entry: "[trunk]\nhost = 192.0.2.9".into(),
            template_id: template_id.into(),
            ..row("A", "SIP")
        };
        read_carriers(&[row], &templates, OWN)
    };
    let faults = |table: &CarrierTable| -> Vec<_> {
        let faults = table.problems.iter();
        faults
            .map(|problem| (problem.field, problem.line, problem.fault.code()))
            .collect()
    };
    for none in ["", "--NONE--"] {
        let table = with(none);
        assert_eq!((table.carriers[0].peer.as_str(), faults(&table)), ("trunk", vec![]));
    }
    let table = with("Friendly");
    assert_eq!(table.carriers[0].peer, "trunk");
    assert_eq!(
        faults(&table),
        [
            (CarrierField::Template, Some(2), "account_unreadable"),
            (CarrierField::AccountEntry, None, "several_accounts"),
        ]
    );
    assert!(table.accounts[&"A".into()].contains("host = 192.0.2.9\ntype = friend"));
    let table = with("GONE");
    assert_eq!(faults(&table), [(CarrierField::Template, None, "template_missing")]);
    assert_eq!(table.carriers.len(), 1);
}

#[test]
fn the_peer_of_an_account_is_what_can_be_dialled() {
    let peer = |protocol: &str, account: &str| {
        let row = CarrierRow {
            account_entry: account.into(),
            ..row("A", protocol)
        };
        let table = read(&[row]);
        table.carriers.first().map(|carrier| carrier.peer.clone())
    };
    let two = "[in]\ntype = user\n[out]\ntype = Friend\n";
    for protocol in ["SIP", "IAX2"] {
        assert_eq!(peer(protocol, two).as_deref(), Some("out"));
        assert_eq!(
            peer(protocol, "[in]\ntype = user\n[out](base-elsewhere)\n").as_deref(),
            Some("out")
        );
        assert_eq!(peer(protocol, "[in]\ntype = user\n"), None);
    }
    let inherited = "[base](!)\ntype = endpoint\n[a]\ntype = aor\n[trunk](base)\naors = a\n";
    assert_eq!(peer("PJSIP", inherited).as_deref(), Some("trunk"));
    assert_eq!(peer("PJSIP", "[trunk](base-elsewhere)\n"), None);
}

#[test]
fn the_line_after_dial_is_that_of_the_next_priority() {
    let after = |entry: &str| read(&[dialling("A", entry)]).carriers[0].entries[0].after;
    let dial = "Dial(SIP/a/${EXTEN})";
    for hangs_up in [
        format!("exten => _9X.,1,{dial}\nexten => _9X.,n,Hangup"),
        format!("exten => _9X.,3,Hangup()\nexten => _9X.,1,NoOp()\nexten => _9X.,2,{dial}"),
        format!("exten => _9X.,1,{dial}\nexten => _8X.,1,NoOp()\nexten => _9[0-9].,2,hangup(16)"),
        format!("exten => _9X.,1,{dial}\nsame => n(done),Hangup()\nexten => _9X.,2,NoOp()"),
    ] {
        assert_eq!(after(&hangs_up), AfterDial::HangsUp, "{hangs_up}");
    }
    for goes_on in [
        format!("exten => _9X.,1,{dial}"),
        format!("exten => _9X.,1,{dial}\nexten => _9X.,n,NoOp()\nexten => _9X.,n,Hangup()"),
        format!("exten => _9X.,1,{dial}\nexten => _9X.,3,Hangup()"),
        format!("exten => _9X.,1,{dial}\nexten => _9X.,n+1,Hangup()"),
        format!("exten => _9X.,1,{dial}\nexten => _8X.,2,Hangup()"),
        format!("exten => _9X.,1,{dial}\nexten => _8X.,1,NoOp()\nexten => _9X.,s,Hangup()"),
    ] {
        assert_eq!(after(&goes_on), AfterDial::GoesOn, "{goes_on}");
    }
}

#[test]
fn the_dial_that_asterisk_runs_first_is_the_carriers() {
    let table = read(&[dialling(
        "A",
        "exten => _9X.,3,Dial(DAHDI/g1/${EXTEN})\nexten => _9X.,2,Dial(SIP/a/${EXTEN:1})\nexten => _9X.,1,NoOp()",
    )]);
    assert_eq!(
        (table.carriers[0].peer.as_str(), table.carriers[0].entries.len()),
        ("a", 1)
    );
    assert_eq!(
        (
            table.problems[0].line,
            table.problems[0].fault.code(),
            table.problems.len()
        ),
        (Some(1), "second_dial", 1)
    );
}

#[test]
fn a_backup_without_dialplan_is_its_account() {
    let mut rows = example_rows();
    for row in &mut rows {
        row.dialplan_entry = "; dialled by crankback only\n".into();
    }
    rows[0]
        .account_entry
        .insert_str(0, "[general]\nallowguest = no\n[base](!)\ntype = peer\n");
    let table = read(&rows);
    assert_eq!(table.problems, []);
    let peers: Vec<_> = table
        .carriers
        .iter()
        .map(|carrier| (carrier.peer.as_str(), carrier.technology))
        .collect();
    assert_eq!(
        peers,
        [
            ("testcarrier", Technology::Iax2),
            ("oldsip", Technology::Sip),
            ("ExampleSIP", Technology::Sip),
            ("ExamplePJSIPWIZ", Technology::Pjsip),
            ("ExamplePJSIP", Technology::Pjsip)
        ]
    );
    assert!(table.carriers.iter().all(|carrier| carrier.entries.is_empty()));
}

#[test]
fn rows_of_other_servers_and_inactive_rows_do_not_count() {
    let dial = "exten => _9X.,1,Dial(SIP/a/${EXTEN:1})";
    let rows = [
        CarrierRow {
            server_ip: "192.0.2.6".into(),
            ..dialling("OTHER", dial)
        },
        CarrierRow {
            active: false,
            ..dialling("OFF", dial)
        },
        CarrierRow {
            server_ip: "0.0.0.0".into(),
            ..dialling("ALL", "exten => _8X.,1,Dial(SIP/a/${EXTEN:1})")
        },
        dialling("OWN", dial),
    ];
    let table = read(&rows);
    let ids: Vec<_> = table.carriers.iter().map(|carrier| carrier.id.as_str()).collect();
    assert_eq!((ids, table.problems), (vec!["ALL", "OWN"], vec![]));
}

#[test]
fn globals_of_other_rows_count_and_those_of_inactive_rows_do_not() {
    let user = dialling("USER", "exten => _9X.,1,Dial(${SIPTRUNK}/${EXTEN:1})");
    let owner = CarrierRow {
        globals_string: "SIPTRUNK = SIP/shared".into(),
        ..dialling("OWNER", "")
    };
    let owner = CarrierRow {
        account_entry: "[own]\ntype = peer".into(),
        ..owner
    };
    let table = read(&[user.clone(), owner.clone()]);
    assert_eq!(table.carriers[1].peer, "shared");
    let fault = only_fault(&[user, CarrierRow { active: false, ..owner }]);
    let expected = CarrierFault::UnknownGlobal {
        name: "SIPTRUNK".into(),
        set_by: Some("OWNER".into()),
    };
    assert_eq!(fault, (CarrierField::DialplanEntry, Some(1), expected));
}

#[test]
fn several_patterns_are_several_entries() {
    let table = read(&[dialling(
        "A",
        "exten => _91NXXNXXXXXX,1,AGI(agi://127.0.0.1:4577/call_log)\n same => n,Dial(SIP/1${EXTEN:2}@a,20,o)\n\
             exten => _9011.,1,Dial(SIP/a/+${EXTEN:4}|30)",
    )]);
    assert_eq!(table.problems, []);
    let entry = |pattern: &str, strip, prefix: &str, options: &str| DialEntry {
        pattern: pattern.into(),
        format: NumberFormat {
            strip,
            prefix: prefix.into(),
        },
        options: options.into(),
        after: AfterDial::GoesOn,
    };
    assert_eq!(
        table.carriers[0].entries,
        [entry("_91NXXNXXXXXX", 2, "1", "o"), entry("_9011.", 4, "+", "")]
    );
}

#[test]
fn the_guarded_form_reads_like_the_line_it_came_from() {
    let plain = "exten => _91NXX,n,Dial(PJSIP/${EXTEN:1}@peer,${CAMPDTO},To)";
    let guarded = super::super::dial_line::wrap_dial_line(&"A".into(), plain).unwrap();
    assert_ne!(guarded, plain);
    let table = read(&[dialling("A", &guarded)]);
    assert_eq!(table, read(&[dialling("A", plain)]));
    assert_eq!(table.carriers[0].peer, "peer");
}

#[test]
fn faults_that_leave_the_carrier_out() {
    let target = |error| CarrierFault::Target(error);
    let cases = [
        (
            "exten => _9X.,1,NoOp()\nexten => _9X.,2,Dial(SIP/a/1&SIP/b/1)",
            Some(2),
            target(TargetError::Several),
        ),
        (
            "exten => _9X.,1,Dial(SIP/a/${EXTEN:1:10})",
            Some(1),
            target(TargetError::LengthForm {
                arguments: "1:10".into(),
            }),
        ),
        (
            "exten => _9X.,1,Dial(DAHDI/g1/${EXTEN:1})",
            Some(1),
            target(TargetError::Driver { word: "DAHDI".into() }),
        ),
        (
            "exten => _9X.,1,Dial(SIP/a/100)",
            Some(1),
            CarrierFault::FixedNumber { number: "100".into() },
        ),
        (
            "exten => _9X./100,1,Dial(SIP/a/${EXTEN})",
            Some(1),
            CarrierFault::Pattern {
                extension: "_9X./100".into(),
                error: PatternError::CallerIdMatch,
            },
        ),
        (
            "exten => _8X.,1,Dial(SIP/a/${EXTEN})\nexten => _9X.,1,Dial(SIP/b/${EXTEN})",
            Some(2),
            CarrierFault::SeveralPeers {
                first: "SIP/a".into(),
                other: "SIP/b".into(),
            },
        ),
        ("exten => _9X.,1,Goto(lcr,${EXTEN},1)", None, CarrierFault::NoDialLine),
        (
            "[more]\nexten => _9X.,1,Dial(SIP/a/${EXTEN})",
            Some(1),
            CarrierFault::ContextHeader { text: "[more]".into() },
        ),
    ];
    for (entry, line, fault) in cases {
        assert!(fault.leaves_out());
        assert_eq!(
            only_fault(&[dialling("A", entry)]),
            (CarrierField::DialplanEntry, line, fault),
            "{entry}"
        );
    }
    let broken = only_fault(&[dialling(
        "A",
        "exten => _8X.,1,Dial(SIP/a/${EXTEN})\nexten => _9X.,1,Dial(SIP/a",
    )]);
    assert_eq!((broken.1, broken.2.leaves_out()), (Some(2), true));
}

#[test]
fn protocols_without_configuration_are_named() {
    for protocol in ["Zap", "EXTERNAL"] {
        let fault = CarrierFault::ProtocolLeftOut {
            protocol: protocol.into(),
        };
        assert_eq!(only_fault(&[row("A", protocol)]), (CarrierField::Protocol, None, fault));
    }
    assert_eq!(only_fault(&[row("A", "H323")]).2.code(), "protocol_unknown");
}

#[test]
fn an_account_without_peer_is_named() {
    for protocol in ["SIP", "PJSIP", "PJSIP_WIZ", "IAX2"] {
        let (field, line, fault) = only_fault(&[row("A", protocol)]);
        assert_eq!(
            (field, line, fault.code()),
            (CarrierField::AccountEntry, None, "no_peer")
        );
    }
}

#[test]
fn faults_that_the_carrier_serves_with() {
    let good = "exten => _9X.,1,Dial(SIP/a/${EXTEN})\n";
    let second = CarrierFault::SecondDial {
        extension: "_9X.".into(),
    };
    let cases = [
        (format!("{good}exten => _9X.,n,Dial(SIP/b/${{EXTEN}})"), second),
        (
            format!("{good}exten => _9X.,n,ExecIf($[1]?Dial(SIP/b/1))"),
            CarrierFault::HiddenDial {
                application: "ExecIf".into(),
            },
        ),
        (
            format!("{good}rubbish"),
            CarrierFault::Line {
                problem: DialplanProblem::NoArrow,
                text: "rubbish".into(),
            },
        ),
    ];
    for (entry, fault) in cases {
        assert_eq!(
            only_fault(&[dialling("A", &entry)]),
            (CarrierField::DialplanEntry, Some(2), fault)
        );
    }
    let globals = CarrierRow {
        globals_string: "rubbish".into(),
        ..dialling("A", good)
    };
    assert_eq!(only_fault(&[globals]).2.code(), "global_unreadable");
    let account = CarrierRow {
        account_entry: "[a]\nrubbish".into(),
        ..dialling("A", good)
    };
    let (field, line, fault) = only_fault(&[account]);
    assert_eq!(
        (field, line, fault.code()),
        (CarrierField::AccountEntry, Some(2), "account_unreadable")
    );
}

#[test]
fn an_endpoint_that_follows_redirections_is_named() {
    let own = "[trunk]\ntype = aor\n[trunk]\ntype = endpoint\nredirect_method = uri_pjsip\n";
    let with = |protocol: &str, account_entry: &str| CarrierRow {
        account_entry: account_entry.into(),
        ..row("A", protocol)
    };
    let method = |method: &str| CarrierFault::FollowsRedirections { method: method.into() };
    assert_eq!(
        only_fault(&[with("PJSIP", own)]),
        (CarrierField::AccountEntry, Some(5), method("uri_pjsip"))
    );
    let wizard = "[w]\ntype = wizard\nremote_hosts = 192.0.2.1\nendpoint/Redirect_Method = uri_core";
    assert_eq!(
        only_fault(&[with("PJSIP_WIZ", wizard)]),
        (CarrierField::AccountEntry, Some(4), method("uri_core"))
    );
    for (protocol, harmless) in [
        ("PJSIP", own.replace("uri_pjsip", "USER")),
        ("SIP", own.replace("endpoint", "peer")),
    ] {
        let table = read(&[with(protocol, &harmless)]);
        assert_eq!(table.problems, [], "{protocol} {harmless}");
        assert_eq!(table.carriers.len(), 1);
    }
    let template = TemplateRow {
        template_id: "SHARED".into(),
        template_contents: "qualify_frequency = 30\nredirect_method = uri_core".into(),
    };
    let templated = CarrierRow {
        template_id: "SHARED".into(),
        ..with("PJSIP", "[trunk]\ntype = endpoint")
    };
    let table = read_carriers(&[templated], &[template], OWN);
    assert_eq!(
        table
            .problems
            .iter()
            .map(|problem| (problem.field, problem.line))
            .collect::<Vec<_>>(),
        [(CarrierField::Template, Some(2))]
    );
    assert_eq!(table.carriers.len(), 1, "it serves");
}

#[test]
fn a_problem_says_where_it_is_and_what_follows() {
    let table = read(&[dialling("MAIN", "exten => _9X.,1,Dial(SIP/a/1&SIP/b/1)")]);
    assert_eq!(
        table.problems[0].to_string(),
        "carrier MAIN, dialplan_entry line 1: several targets are dialled at once with & (carrier left out)"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_rows_never_panic(
        dialplan_entry in "(exten => _9X\\.,1,|Dial\\(SIP/|\\$\\{EXTEN:1\\}|@a|[,|&()\n]|.){0,20}",
        account_entry in ".{0,40}", globals_string in ".{0,20}",
    ) {
        read(&[CarrierRow { dialplan_entry, account_entry, globals_string, ..row("A", "PJSIP") }]);
    }
}
