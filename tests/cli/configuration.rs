//! What the configuration may get wrong, and how that is told.

use super::asterisk::nothing;
use super::dialer::{Dialer, PASSWORD, assert_holds, crankback};

#[test]
fn a_missing_file_is_named() {
    let missing = crankback(&["--config", "/nonexistent/crankback.toml", "carrier", "list"], &[]).refused();
    assert_eq!(
        missing,
        "crankback: cannot read the configuration /nonexistent/crankback.toml: No such file or directory (os error 2); \
         name another with --config\n"
    );
}

#[test]
fn a_slip_in_a_key_is_told_with_its_line_and_the_right_key() {
    let dialer = Dialer::configured(&nothing());
    dialer.append_config("[call]\ngaurd_ms = 3000\n");
    let path = dialer.config_path();
    let expected = format!(
        "crankback: {}:12:1: call.gaurd_ms: unknown key; did you mean `guard_ms`?\n",
        path.display()
    );
    for command in ["carrier list", "route list", "route add --carrier X", "run"] {
        assert_eq!(dialer.run(command).refused(), expected, "{command}");
    }
    let checked = dialer.run("check").expect(1);
    assert_holds(
        &checked.stdout,
        &["ERROR", ":12:1: call.gaurd_ms: unknown key; did you mean `guard_ms`?"],
    );
}

#[test]
fn a_password_of_the_wrong_type_is_not_repeated() {
    let dialer = Dialer::configured(&nothing());
    dialer.write_config(&format!("[ari]\npassword = [\"{PASSWORD}\"]\n"));
    assert_holds(&dialer.run("check").expect(1).stdout, &[":2:12: ari.password: "]);
    dialer.write_config(&format!("[ari]\npassword = {PASSWORD}\n"));
    assert_holds(&dialer.run("check").expect(1).stdout, &[":2:12: not valid TOML: "]);
}

#[test]
fn every_missing_key_is_told_at_once() {
    let dialer = Dialer::configured(&nothing());
    dialer.write_config("");
    let complaint = dialer.run("route list").refused();
    assert_holds(
        &complaint,
        &[
            "cannot work:\n  server.ip: not set",
            "\n  ari.username: not set",
            "\n  ari.password: not set",
        ],
    );
    let checked = dialer.run("check").expect(1).stdout;
    assert_holds(
        &checked,
        &[
            "ERROR    config: server.ip: not set",
            "ERROR    config: ari.password: not set",
        ],
    );
}

#[tokio::test]
async fn the_environment_alone_configures() {
    let dialer = Dialer::with_carriers(&nothing()).await;
    let url = dialer.url().to_string();
    let environment = [
        ("CRANKBACK_STORE__URL", url.as_str()),
        ("CRANKBACK_SERVER__IP", "10.0.0.8"),
        ("CRANKBACK_ARI__USERNAME", "crankback"),
        ("CRANKBACK_ARI__PASSWORD", PASSWORD),
    ];
    dialer.write_config("");
    let carriers = dialer.run_with("carrier list", &environment).expect(0);
    assert_holds(&carriers.stdout, &["ELSEWHERE", "BACKUP"]);
    assert!(!carriers.stdout.contains("PRIMARY"), "{}", carriers.stdout);

    let named_by_environment = [("CRANKBACK_CONFIG", "/nonexistent/by-environment.toml")];
    assert_holds(
        &crankback(&["route", "list"], &named_by_environment).refused(),
        &["/nonexistent/by-environment.toml"],
    );
}
