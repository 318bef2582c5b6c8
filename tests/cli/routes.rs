//! `crankback route`.

use super::asterisk::nothing;
use super::dialer::{Dialer, assert_holds, dials};

#[tokio::test]
async fn a_backup_is_chosen_shown_and_taken_back() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    assert_holds(
        &dialer.run("route list").expect(0).stdout,
        &["no routes: every carrier stands alone"],
    );

    let added = dialer
        .run("route add --entry PRIMARY --carrier BACKUP --priority 3 --campaign TEST --prefix 1312")
        .expect(0);
    let first = added.stdout.lines().next().expect("a line");
    assert_eq!(first, "route 1: BACKUP backs up PRIMARY, priority 3");
    let json = dialer
        .run("-o json route add --entry PRIMARY --carrier BARE --strip 1 --add-prefix +44")
        .expect(0)
        .json();
    let example = &json["examples"][0];
    let dialled = example["dialled"].as_str().expect("an example");
    assert_eq!((dialled.len(), &dialled[..2]), (12, "91"));
    assert_eq!(example["wire_number"], format!("+44{}", &dialled[2..]));

    let list = dialer.run("route list").expect(0).stdout;
    let lines: Vec<String> = list
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let expected = [
        "ID ENTRY CAMPAIGN NUMBERS CARRIER PRIORITY SCHEDULE FORMAT ENABLED",
        "2 PRIMARY any any number BARE 2 always strip 1, add +44 yes",
        "1 PRIMARY TEST prefix 1312 BACKUP 3 always the carrier's own yes",
    ];
    assert_eq!(lines, expected);

    assert_eq!(dialer.run("route remove 1").expect(0).stdout, "route 1 removed\n");
    assert_holds(
        &dialer.run("route remove 1").refused(),
        &["no route has the id 1", "route list"],
    );
    assert_eq!(dialer.count_routes(), 1);
}

#[tokio::test]
async fn a_route_that_cannot_be_proven_is_refused_and_leaves_nothing() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    let cases = [
        (
            "--entry PRIMARY --carrier BARE",
            "BARE has no dialplan entry to read its number format from",
        ),
        ("--entry BARE --carrier BACKUP", "carrier BARE has no dialplan entry"),
        ("--entry PRIMARY --carrier PRIMARY", "PRIMARY as a backup of PRIMARY"),
        (
            "--entry PRIMARY --carrier BARE --strip 40",
            "dropping 40 characters leaves nothing",
        ),
        (
            "--entry PRIMARY --carrier BACKUP --campaign NONE",
            "unknown campaign NONE; these are TEST",
        ),
        (
            "--entry PRIMARY --carrier BACKUP --pattern _1[2",
            "\"_1[2\" is no pattern",
        ),
        (
            "--entry PRIMARY --carrier BACKUP --prefix 1x",
            "\"1x\" is no prefix of a number",
        ),
        (
            "--entry PRIMARY --carrier BACKUP --prefix 1 --pattern _1.",
            "cannot be used with",
        ),
        ("--entry PRIMARY --carrier BARE --add-prefix abc", "write digits"),
    ];
    for (arguments, expected) in cases {
        assert_holds(&dialer.run(&format!("route add {arguments}")).refused(), &[expected]);
        assert_eq!(dialer.count_routes(), 0, "{arguments}");
    }
}

#[tokio::test]
async fn a_route_may_hold_at_certain_times_only() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    let add = |schedule: &str| {
        let words = "route add --entry PRIMARY --carrier BACKUP --schedule";
        let words: Vec<&str> = words.split(' ').chain([schedule]).collect();
        dialer.run_words(&words, &[])
    };
    assert_holds(
        &add("mon-fri 08:00-20:00").refused(),
        &["no time zone", "Europe/Berlin"],
    );
    assert_eq!(dialer.count_routes(), 0);
    assert_holds(
        &add("MON-FRI  08:00-20:00 Europe/Berlin").expect(0).stdout,
        &["route 1: BACKUP backs up PRIMARY, priority 2, mon-fri 08:00-20:00 Europe/Berlin\n"],
    );
    assert_holds(
        &dialer.run("route list").expect(0).stdout,
        &["SCHEDULE", "mon-fri 08:00-20:00 Europe/Berlin"],
    );

    let explain = |at: &str| {
        let asked = format!("route explain 913125550100 --entry PRIMARY --at {at}");
        dialer.run(&asked).expect(0).stdout
    };
    // A Friday; Berlin is an hour ahead.
    assert_holds(
        &explain("2026-11-20T20:00[Europe/Berlin]"),
        &[
            ", 2026-11-20 19:00:00 UTC\n",
            "not BACKUP: route 1 holds at other times: mon-fri 08:00-20:00 Europe/Berlin",
            "1    PRIMARY",
        ],
    );
    assert_holds(&explain("2026-11-20T18:59Z"), &["2    BACKUP"]);
    assert_holds(
        &dialer.run("route explain 913125550100 --at tomorrow").refused(),
        &["for example 2026-11-21T18:00[Europe/Berlin]"],
    );
    // What another program wrote is passed over, named and never stands in for a route that always holds.
    dialer.sql("UPDATE crankback_outbound_routes SET schedule = 'office hours' WHERE id = 1");
    assert_holds(
        &dialer.run("route list").expect(0).stdout,
        &[
            "problem: route 1: \"hours\" is no time zone",
            "crankback route remove 1",
        ],
    );
}

#[tokio::test]
async fn the_same_route_is_not_added_twice() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    dialer.run("route add --entry PRIMARY --carrier BACKUP").expect(0);
    assert_holds(
        &dialer
            .run("route add --entry PRIMARY --carrier BACKUP --priority 9")
            .refused(),
        &["route 1 says the same"],
    );
    dialer
        .run("route add --entry PRIMARY --carrier BACKUP --pattern _1800.")
        .expect(0);
    assert_eq!(dialer.count_routes(), 2);
}

#[tokio::test]
async fn a_route_for_any_entry_must_hold_for_all() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    let added = dialer.run("route add --carrier BARE --strip 0").expect(0).stdout;
    assert_holds(
        &added,
        &[
            "BARE backs up every carrier",
            "BACKUP _81NXXNXXXXXX: 81",
            "PRIMARY _91NXXNXXXXXX: 91",
        ],
    );
    assert_holds(
        &dialer.run("-o json route explain 813125550100").expect(0).stdout,
        &["\"carrier\": \"BARE\""],
    );

    dialer.carrier("SHORT", "10.0.0.7", "Y", &dials("_4NXXXXXX", "short"));
    let complaint = dialer.run("route add --carrier BACKUP").refused();
    assert_holds(&complaint, &["BACKUP as a backup of SHORT: wire number unknown"]);
}

#[tokio::test]
async fn a_call_is_explained_carrier_by_carrier() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    dialer.run("route add --entry PRIMARY --carrier BACKUP").expect(0);
    dialer
        .run("route add --entry PRIMARY --carrier BARE --strip 1 --campaign TEST")
        .expect(0);
    dialer
        .run("route add --entry PRIMARY --carrier BARE --strip 0 --prefix 44")
        .expect(0);
    dialer.sql(
        "INSERT INTO crankback_outbound_routes (id, entry_carrier_id, match_type, match_text, carrier_id, priority, weight, enabled) \
         VALUES (9, 'PRIMARY', 'any', '', 'GONE', 5, 1, 1)",
    );
    let json = dialer.run("-o json route explain 913125550100").expect(0).json();
    assert_eq!(json["entry"], "PRIMARY");
    assert_eq!(json["pattern"], "_91NXXNXXXXXX");
    let told = |key: &str, fields: [&str; 2]| -> Vec<(String, String)> {
        let rows = json[key].as_array().expect("a list").iter();
        rows.map(|row| (row[fields[0]].to_string(), row[fields[1]].to_string()))
            .collect()
    };
    let pair = |left: &str, right: &str| (format!("{left:?}"), format!("{right:?}"));
    let candidates = [
        pair("PRIMARY", "PJSIP/13125550100@primary"),
        pair("BACKUP", "PJSIP/13125550100@backup"),
    ];
    assert_eq!(told("candidates", ["carrier", "dial_string"]), candidates);
    let rejected = [
        pair("BARE", "other_campaign"),
        pair("BARE", "number_not_matched"),
        pair("GONE", "carrier_unavailable"),
    ];
    assert_eq!(told("rejected", ["carrier", "code"]), rejected);

    let text = dialer
        .run("route explain 913125550100 --campaign TEST")
        .expect(0)
        .stdout;
    assert_holds(
        &text,
        &[
            "913125550100 enters through PRIMARY (_91NXXNXXXXXX), campaign TEST",
            "PJSIP/3125550100@bare      route 2, priority 2",
            "not BARE: route 3 does not match the number",
            "not GONE: carrier is not active or could not be read from the carrier table",
        ],
    );
}

#[tokio::test]
async fn a_number_that_no_carrier_dials_is_told() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    assert_holds(
        &dialer.run("route explain 5550100").refused(),
        &["matches no dialplan entry of any carrier"],
    );
    let complaint = dialer.run("route explain 913125550100 --entry BACKUP").refused();
    assert_holds(
        &complaint,
        &["matches no dialplan entry of carrier BACKUP", "dial prefix included"],
    );
    let complaint = dialer.run("route explain 913125550100 --campaign NONE").refused();
    assert_holds(&complaint, &["unknown campaign NONE"]);
}

#[tokio::test]
async fn every_pattern_of_the_entry_is_proven_or_named() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    let lines = dials("_91NXXNXXXXXX", "primary") + &dials("_9011.", "primary");
    dialer.sql(&format!(
        "UPDATE vicidial_server_carriers SET dialplan_entry = '{lines}' WHERE carrier_id = 'PRIMARY'"
    ));
    let added = dialer
        .run("route add --entry PRIMARY --carrier BACKUP")
        .expect(0)
        .stdout;
    assert_holds(
        &added,
        &[
            "PRIMARY _91NXXNXXXXXX: 91",
            "PRIMARY: carrier BACKUP has no pattern that ends like _011.; such calls do not go on to BACKUP",
        ],
    );
    let json = dialer
        .run("-o json route add --entry PRIMARY --carrier BARE --strip 0")
        .expect(0)
        .json();
    let patterns: Vec<_> = json["examples"]
        .as_array()
        .expect("examples")
        .iter()
        .map(|it| &it["pattern"])
        .collect();
    assert_eq!(patterns, ["_91NXXNXXXXXX", "_9011."]);
    assert_eq!(json["unproven"].as_array().map(Vec::len), Some(0));
}

#[tokio::test]
async fn a_rejection_tells_what_to_type() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    let refused = dialer.run("route add --entry PRIMARY --carrier BARE").refused();
    assert_holds(&refused, &["set --strip or --add-prefix on the route"]);
}
