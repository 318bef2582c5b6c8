//! `crankback carrier`.

use serde_json::{Value, json};

use super::asterisk::nothing;
use super::dialer::{Dialer, assert_holds};

#[tokio::test]
async fn carriers_are_those_of_this_server_with_their_problems() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    dialer.add_broken_carrier();
    dialer.run("route add --entry PRIMARY --carrier BACKUP").expect(0);
    let list = dialer.run("carrier list").expect(0).stdout;
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines[0],
        [
            "ID", "STATE", "SINCE", "CHANNELS", "CPS", "ASR", "ACD", "PDD", "SHORT", "LAST", "RTT", "BACKUPS",
            "PROBLEMS", "WHY"
        ]
    );
    // What only a daemon knows has a dash.
    let unknown = |id: &'static str, backups: &'static str| {
        let mut line = vec![id];
        line.extend(["-"; 10]);
        line.extend([backups, "-", "the", "daemon", "is", "not", "running"]);
        line
    };
    assert_eq!(lines[1], unknown("BACKUP", "-"));
    assert_eq!(lines[2], unknown("BARE", "-"));
    assert_eq!(lines[3], unknown("PRIMARY", "BACKUP"));
    assert_eq!(lines.len(), 5, "{list}");
    assert_holds(
        &list,
        &[
            "problem: carrier BROKEN, dialplan_entry line 2: ",
            "DAHDI",
            "(carrier left out)",
        ],
    );

    let json = dialer.run("-o json carrier list").expect(0).json();
    assert_eq!(json["carriers"].as_array().map(Vec::len), Some(3));
    assert_eq!(json["carriers"][2]["backups"], json!(["BACKUP"]));
    assert_eq!(json["problems"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_carrier_is_shown_with_what_its_dial_line_does() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    let primary = dialer.run("carrier show PRIMARY").expect(0).stdout;
    assert_holds(
        &primary,
        &[
            "technology  PJSIP\n",
            "peer        primary\n",
            "_91NXXNXXXXXX: strip 1; Dial options \"To\"",
        ],
    );
    assert_holds(&dialer.run("carrier show BARE").expect(0).stdout, &["pattern     none"]);

    let slower = dialer
        .run_with("-o json carrier show PRIMARY", &[("CRANKBACK_CALL__GUARD_MS", "5500")])
        .expect(0)
        .json();
    assert_eq!(slower["guard_ms"], 5500);
    assert_eq!(
        slower["patterns"],
        json!([{ "pattern": "_91NXXNXXXXXX", "format": "strip 1", "options": "To" }])
    );
}

#[tokio::test]
async fn a_carrier_that_is_unknown_or_not_understood_is_told_why() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    dialer.add_broken_carrier();
    let unknown = |id: &str| {
        format!(
            "crankback: unknown carrier {id}: not among the active carriers of server 10.0.0.7 and of 0.0.0.0; \
             these are BACKUP, BARE, PRIMARY\n"
        )
    };
    for id in ["NOBODY", "ELSEWHERE", "INACTIVE"] {
        assert_eq!(dialer.run(&format!("carrier show {id}")).refused(), unknown(id));
        assert_eq!(
            dialer
                .run(&format!("route add --entry PRIMARY --carrier {id}"))
                .refused(),
            unknown(id)
        );
        assert_eq!(
            dialer
                .run(&format!("route add --entry {id} --carrier BACKUP"))
                .refused(),
            unknown(id)
        );
        assert_eq!(
            dialer
                .run(&format!("route explain 913125550100 --entry {id}"))
                .refused(),
            unknown(id)
        );
    }
    for command in [
        "carrier show BROKEN",
        "route add --entry BROKEN --carrier BACKUP",
        "route add --entry PRIMARY --carrier BROKEN",
    ] {
        let complaint = dialer.run(command).refused();
        assert_holds(
            &complaint,
            &["carrier BROKEN cannot be used:", "dialplan_entry line 2: ", "DAHDI"],
        );
    }
    assert_eq!(dialer.count_routes(), 0);

    let json = dialer.run("-o json carrier show NOBODY").refused();
    let json: Value = serde_json::from_str(&json).expect("errors are JSON for machines");
    assert_eq!(json["error"]["code"], "unknown_carrier");
}

#[test]
fn a_dialer_without_carriers_says_so() {
    let dialer = Dialer::configured(&nothing());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async { dialer.store().await.close().await });
    let list = dialer.run("carrier list").expect(0).stdout;
    assert_eq!(list, format!("no carriers for server 10.0.0.7 in {}\n", dialer.url()));
    assert_holds(
        &dialer.run("check").expect(2).stdout,
        &["WARNING  carriers: no active carrier for server 10.0.0.7"],
    );
    assert_holds(
        &dialer.run("route add --entry A --carrier B").refused(),
        &["unknown carrier B", "there are none"],
    );
}

#[tokio::test]
async fn what_is_set_about_a_carrier_is_shown_and_decides_its_verdicts() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    let set = dialer
        .run("carrier set PRIMARY guard_ms=2500 verdict:503=stop fakes_progress=yes max_cps=5")
        .expect(0);
    assert_holds(
        &set.stdout,
        &["guard_ms=2500", "verdict:503=stop", "fakes_progress=yes", "max_cps=5"],
    );
    let shown = dialer.run("carrier show PRIMARY").expect(0).stdout;
    assert_holds(&shown, &["2500 ms", "verdict:503=stop"]);
    let of = |arguments: &str| {
        let view = dialer
            .run(&format!("verdict explain {arguments} -o json"))
            .expect(0)
            .json();
        (view["action"].clone(), view["authority"].clone())
    };
    assert_eq!(of("503 --carrier PRIMARY"), (json!("stop"), json!("override")));
    assert_eq!(of("503 --carrier BACKUP"), (json!("next"), json!("default")));
    assert_eq!(
        of("500 --after 180 --carrier PRIMARY"),
        (json!("next"), json!("default"))
    );

    dialer.run("carrier set PRIMARY verdict:503= guard_ms=").expect(0);
    assert_eq!(of("503 --carrier PRIMARY"), (json!("next"), json!("default")));
    assert_holds(
        &dialer.run("carrier show PRIMARY").expect(0).stdout,
        &["4000 ms", "max_cps=5"],
    );
    for (arguments, complaint) in [
        ("PRIMARY gaurd_ms=3000", "did you mean guard_ms?"),
        ("PRIMARY verdict:503=stpo", "no action \"stpo\" (did you mean stop?)"),
        ("NOBODY guard_ms=3000", "unknown carrier NOBODY"),
    ] {
        assert_holds(&dialer.run(&format!("carrier set {arguments}")).refused(), &[complaint]);
    }
}

#[tokio::test]
async fn an_operator_takes_a_carrier_out_and_brings_it_back() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    dialer.run("route add --entry PRIMARY --carrier BACKUP").expect(0);
    let said = dialer
        .run("carrier disable PRIMARY --reason maintenance --for 2h")
        .expect(0)
        .stdout;
    assert!(said.starts_with("carrier PRIMARY: disabled until 20"), "{said}");
    assert!(!said.contains("WARNING"), "{said}");
    let shown = dialer.run("carrier show PRIMARY").expect(0).stdout;
    assert_holds(&shown, &["operator    disabled since 20", ": maintenance, until 20"]);
    let list = dialer.run("carrier list").expect(0).stdout;
    assert_holds(&list, &["PRIMARY  disabled", ": maintenance, until 20"]);
    let explained = dialer
        .run("route explain 913125550100 --entry PRIMARY")
        .expect(0)
        .stdout;
    assert_holds(&explained, &["disabled by the operator"]);

    let said = dialer.run("carrier drain BACKUP --reason ends").expect(0).stdout;
    assert_holds(
        &said,
        &[
            "carrier BACKUP: draining\n",
            "WARNING: calls of BACKUP have no carrier left\n",
            "WARNING: calls of PRIMARY have no carrier left\n",
        ],
    );
    let json = dialer
        .run("-o json carrier only BACKUP --reason alone")
        .expect(0)
        .json();
    assert_eq!(
        (&json["operator"]["word"], &json["effect"], &json["left_without"]),
        (&json!("only"), &json!("at_start"), &json!([]))
    );
    let said = dialer.run("carrier enable PRIMARY").expect(0).stdout;
    assert_eq!(said, "carrier PRIMARY: enabled\n");

    for (arguments, complaint) in [
        ("disable PRIMARY", "--reason"),
        ("disable PRIMARY --reason x --for 0s", "--for takes 1s to 365d"),
        ("disable PRIMARY --reason x --for 366d", "--for takes 1s to 365d"),
        ("disable PRIMARY --reason x --for 10", "10m"),
        ("drain PRIMRY --reason x", "did you mean PRIMARY?"),
        ("enable PRIMARY --for 1h", "--for"),
    ] {
        let refused = dialer.run(&format!("carrier {arguments}")).expect(1).stderr;
        assert!(refused.contains(complaint), "{arguments}: {refused}");
    }
}
