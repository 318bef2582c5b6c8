//! `crankback check`.

use std::path::Path;

use super::asterisk::{healthy_asterisk, nothing};
use super::dialer::{Dialer, assert_holds};

#[tokio::test(flavor = "multi_thread")]
async fn check_is_fine_when_all_is() {
    let dialer = Dialer::with_carriers(&healthy_asterisk().await).await;
    dialer.hand_over("PRIMARY");
    dialer.run("route add --entry PRIMARY --carrier BACKUP").expect(0);
    let checked = dialer.run("-o json check").expect(0).json();
    assert_eq!(checked["status"], "fine");
    let findings = checked["findings"].as_array().expect("findings");
    assert!(findings.iter().all(|finding| finding["level"] == "ok"), "{checked:#}");
    let of = |subject: &str| {
        let mut whats = findings.iter().filter(|finding| finding["subject"] == subject);
        whats
            .next()
            .and_then(|finding| finding["what"].as_str())
            .unwrap_or_default()
    };
    assert!(of("store").contains("crankback.db, schema "), "{checked:#}");
    assert_eq!(of("carriers"), "3 understood");
    assert_eq!(of("routes"), "1 proven");
    assert_eq!(of("dialplan entries"), "1 hand their calls to crankback");
    assert!(
        of("ari").ends_with("Asterisk 22.9.0, entity 02:fc:00:00:00:01"),
        "{checked:#}"
    );
    assert_eq!(of("daemon"), "connected as crankback");
    assert_eq!(of("endpoints"), "3 of 3 usable");
    assert_eq!(of("dialplan"), "loaded, this program's own edition");
    assert_eq!(of("ari.conf"), "channelvars shows SIP responses");
}

#[tokio::test]
async fn check_is_degraded_by_carriers_and_routes_and_an_asterisk_that_is_away() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    dialer.add_broken_carrier();
    dialer.sql(
        "INSERT INTO crankback_outbound_routes (id, entry_carrier_id, match_type, match_text, carrier_id, priority, weight, enabled) \
         VALUES (1, 'PRIMARY', 'any', '', 'BACKUP', 2, 1, 1), (2, 'PRIMARY', 'any', '', 'GONE', 2, 1, 1), \
                (3, 'PRIMARY', 'regex', '^1', 'BACKUP', 2, 1, 1), (4, 'PRIMARY', 'any', '', 'BARE', 2, 1, 0)",
    );
    let checked = dialer.run("check").expect(2);
    assert_eq!(checked.stderr, "");
    assert_holds(
        &checked.stdout,
        &[
            "ok       carriers: 3 understood",
            "WARNING  carrier BROKEN, dialplan_entry line 2: ",
            "WARNING  route 3: match type regex is not supported",
            "WARNING  route 2: GONE as a backup of PRIMARY is refused: ",
            "ok       routes: 1 proven",
            "WARNING  carrier PRIMARY: its dialplan entry does not hand its calls to crankback",
            "replace line 2 by\nexten => _91NXXNXXXXXX,2,ExecIf($[${DIALPLAN_EXISTS(crankback,s,1)}]?Gosub(",
            "WARNING  ari: http://127.0.0.1:1: ",
            "check that Asterisk runs",
        ],
    );
    assert!(
        !checked.stdout.contains("route 4"),
        "a disabled route needs no proof:\n{}",
        checked.stdout
    );
    assert!(checked.stdout.ends_with("\ndegraded\n"), "{}", checked.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_an_error() {
    let dialer = Dialer::with_carriers(&healthy_asterisk().await).await;
    let checked = dialer
        .run_with("check", &[("CRANKBACK_ARI__PASSWORD", "wrong")])
        .expect(1);
    assert_holds(
        &checked.stdout,
        &[
            "ERROR    ari: http://127.0.0.1:",
            "refused the ARI user or its password",
            "ari.username",
        ],
    );
    assert!(checked.stdout.ends_with("\nerror\n"), "{}", checked.stdout);
}

#[tokio::test]
async fn check_changes_nothing() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    dialer.run("check").expect(2);
    let names = |directory: &Path| {
        let mut names: Vec<_> = std::fs::read_dir(directory)
            .expect("is listed")
            .map(|file| file.expect("a file").file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(dialer.directory.path()), ["crankback.db", "crankback.toml"]);
}

#[tokio::test]
async fn another_application_name_than_the_dialplans_is_told() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    let checked = dialer.run_with("check", &[("CRANKBACK_ARI__APP", "other")]).expect(2);
    assert_holds(
        &checked.stdout,
        &["WARNING  ari.app: other, but the shipped dialplan sends calls to crankback"],
    );
}
