use std::time::Duration;

use super::*;
use crate::ari::Endpoint;
use crate::store::StoreUrl;

const REQUIRED: &str = "[server]\nip = \"10.0.0.7\"\n[ari]\nusername = \"crankback\"\npassword = \"hunter2\"\n";

fn load_text(text: &str, environment: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("crankback.toml");
    std::fs::write(&path, text).expect("the configuration is written");
    // Nothing of this machine counts, unless a test says so.
    let environment = [("CRANKBACK_ASTGUICLIENT", "")].iter().chain(environment).rev();
    let environment = environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load(&Source::File(path), environment)
}

fn complaint(text: &str, environment: &[(&str, &str)]) -> String {
    let error = load_text(text, environment).expect_err("must be refused");
    let text = error.to_string();
    match text.split_once("crankback.toml") {
        Some((_, rest)) => rest.to_owned(),
        None => text,
    }
}

#[test]
fn required_keys_alone_give_the_defaults() {
    let settings = load_text(REQUIRED, &[]).expect("is complete");
    assert_eq!(settings.store, StoreSettings::default());
    assert_eq!(settings.agi, AgiSettings::default());
    assert_eq!(settings.call, CallSettings::default());
    assert_eq!(settings.control, ControlSettings::default());
    assert_eq!(settings.health, HealthConfig::default());
    assert_eq!(settings.probe, ProbeSettings::default());
    assert_eq!(settings.metrics, MetricsSettings::default());
    assert_eq!(settings.log, LogSettings::default());
    assert_eq!(
        settings.ari.endpoint,
        Endpoint::parse("http://127.0.0.1:8088").expect("is an address")
    );
    assert_eq!(settings.ari.app, "crankback");
    settings.ari.connection().expect("is what the client takes");
}

#[test]
fn the_annotated_example_names_every_key_with_its_default() {
    let text = include_str!("../../examples/crankback.toml");
    // Where VICIdial's file does not say it, somebody must.
    let settings = load_text(text, &[("CRANKBACK_SERVER__IP", "127.0.0.1")]).expect("the example must load");
    assert_eq!(settings.store, StoreSettings::default());
    assert_eq!(settings.agi, AgiSettings::default());
    assert_eq!(settings.call, CallSettings::default());
    assert_eq!(settings.control, ControlSettings::default());
    assert_eq!(settings.health, HealthConfig::default());
    assert_eq!(settings.probe, ProbeSettings::default());
    assert_eq!(settings.metrics, MetricsSettings::default());
    assert_eq!(settings.log, LogSettings::default());
    assert_eq!(
        settings.ari.endpoint,
        Endpoint::parse(AriSettings::DEFAULT_URL).expect("is an address")
    );
    assert_eq!(settings.ari.app, AriSettings::DEFAULT_APP);
    for section in keys::sections() {
        let start = text
            .find(&format!("\n[{section}]"))
            .unwrap_or_else(|| panic!("[{section}] is not in the example"));
        let body = text[start + 2..].split("\n[").next().unwrap_or_default();
        for key in keys::keys(section) {
            let named = body.lines().any(|line| {
                line.trim_start_matches("# ")
                    .strip_prefix(key)
                    .is_some_and(|rest| rest.starts_with(" = "))
            });
            assert!(named, "{section}.{key} is not in the example");
        }
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = format!("{REQUIRED}[call]\nguard_ms = 3000\nmax_attempts = 2\n");
    let environment = [
        ("CRANKBACK_CALL__GUARD_MS", "2500"),
        ("CRANKBACK_ARI__PASSWORD", "12345"),
        ("CRANKBACK_LOG__FORMAT", "json"),
        ("CRANKBACK_STORE__URL", "sqlite:///srv/crankback.db"),
        ("CRANKBACK_CONFIG", "/elsewhere"),
        ("PATH", "/bin"),
    ];
    let settings = load_text(&text, &environment).expect("is complete");
    assert_eq!(settings.call.guard, Duration::from_millis(2500));
    assert_eq!(settings.call.max_attempts, 2);
    assert_eq!(settings.log.format, LogFormat::Json);
    assert_eq!(settings.store.url.to_string(), "sqlite:///srv/crankback.db");
}

#[test]
fn wrong_variables_are_named() {
    let cases = [
        (
            "CRANKBACK_CALL__GAURD_MS",
            "1",
            "call.gaurd_ms: unknown key; did you mean `guard_ms`?",
        ),
        (
            "CRANKBACK_CAL__GUARD_MS",
            "1",
            "cal: unknown section; did you mean `call`?",
        ),
        (
            "CRANKBACK_ARI_PASSWORD",
            "x",
            "two underscores part section and key; did you mean `CRANKBACK_ARI__PASSWORD`?",
        ),
    ];
    for (variable, value, expected) in cases {
        assert_eq!(
            complaint(REQUIRED, &[(variable, value)]),
            format!("environment variable {variable}: {expected}"),
            "{variable}"
        );
    }
    let wrong_type = complaint(REQUIRED, &[("CRANKBACK_CALL__GUARD_MS", "soon")]);
    assert!(
        wrong_type.contains("CRANKBACK_CALL__GUARD_MS: call.guard_ms: invalid type"),
        "{wrong_type}"
    );
}

#[test]
fn wrong_lines_are_named_with_line_and_column() {
    let cases = [
        (
            "[call]\nmax_attempts = 2\ngaurd_ms = 1\n",
            ":8:1: call.gaurd_ms: unknown key; did you mean `guard_ms`?",
        ),
        (
            "[cal]\nguard_ms = 1\n",
            ":6:2: cal: unknown section; did you mean `call`?",
        ),
        (
            "[call]\nguard_ms = \"4s\"\n",
            ":7:12: call.guard_ms: invalid type: string \"4s\", expected u32",
        ),
        (
            "[log]\nlevel = \"loud\"\n",
            ":7:9: log.level: unknown variant `loud`, expected one of `error`,",
        ),
        ("[store]\nurl = \"crankback.db\"\n", ":7:7: store.url: "),
        ("[store]\nurl = \n", ":7:7: not valid TOML"),
    ];
    for (text, expected) in cases {
        let complaint = complaint(&format!("{REQUIRED}{text}"), &[]);
        assert!(complaint.starts_with(expected), "{complaint}\nexpected {expected}");
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let text = "[ari]\nurl = \"ftp://pbx\"\napp = \"a,b\"\n[call]\nmax_attempts = 0\nguard_ms = 20000\n[control]\nsocket = \"control.sock\"\n";
    let ConfigError::Invalid { problems, .. } = load_text(text, &[]).expect_err("is wrong") else {
        panic!("must be a list of problems")
    };
    let keys: Vec<&str> = problems.iter().map(|problem| &*problem.key).collect();
    let expected = [
        "server.ip",
        "ari.url",
        "ari.app",
        "ari.username",
        "ari.password",
        "call.progress_ms",
        "call.setup_s",
        "call.max_attempts",
        "control.socket",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn a_password_file_stands_for_the_password() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("secret");
    std::fs::write(&file, "from-the-file\n").expect("is written");
    let text = format!(
        "[server]\nip = \"10.0.0.7\"\n[ari]\nusername = \"u\"\npassword_file = \"{}\"\n",
        file.display()
    );
    load_text(&text, &[]).expect("is complete");

    let both = complaint(&format!("{text}password = \"x\"\n"), &[]);
    assert!(
        both.contains("ari.password: set together with ari.password_file"),
        "{both}"
    );
    std::fs::write(&file, "\n").expect("is emptied");
    let empty = complaint(&text, &[]);
    assert!(empty.contains("ari.password: empty"), "{empty}");
    std::fs::remove_file(&file).expect("is removed");
    let missing = complaint(&text, &[]);
    assert!(missing.contains("ari.password_file: cannot read"), "{missing}");
}

#[test]
fn a_secret_is_never_repeated() {
    let settings = load_text(REQUIRED, &[]).expect("is complete");
    assert!(!format!("{settings:?}").contains("hunter2"));
    let head = "[server]\nip = \"10.0.0.7\"\n[ari]\nusername = \"u\"\n";
    for line in [
        "password = 4711",
        "password = 47.11",
        "password = hunter2",
        "password = \"hunter2",
        "password = [\"hunter2\"]",
        "password = { a = \"hunter2\" }",
        "url = \"http://u:hunter2@127.0.0.1:8088\"\npassword = \"x\"",
    ] {
        let error = load_text(&format!("{head}{line}\n"), &[]).expect_err("must be refused");
        let told = format!("{error} {error:?}");
        assert!(
            !told.contains("hunter2") && !told.contains("4711") && !told.contains("47.11"),
            "{line}: {told}"
        );
    }
}

#[test]
fn a_secret_under_a_misspelt_name_is_not_repeated_either() {
    for (variable, told) in [
        ("CRANKBACK_ARI__PASWORD", "did you mean `password`?"),
        ("CRANKBACK_ARI_PASSWORD", "did you mean `CRANKBACK_ARI__PASSWORD`?"),
        ("CRANKBACK_ARY__PASSWORD", "did you mean `ari`?"),
    ] {
        let error = load_text(REQUIRED, &[(variable, "hunter3")]).expect_err("must be refused");
        let text = format!("{error} {error:?}");
        assert!(text.contains(told) && !text.contains("hunter3"), "{text}");
    }
    let in_file = complaint(&format!("{REQUIRED}pasword = \"hunter3\"\n"), &[]);
    assert_eq!(in_file, ":6:1: ari.pasword: unknown key; did you mean `password`?");
}

#[test]
fn a_named_file_must_be_there_but_the_default_may_be_missing() {
    let missing = load(&Source::File("/nonexistent/crankback.toml".into()), []).expect_err("is missing");
    assert_eq!(missing.code(), "config_unreadable");
    assert!(missing.to_string().contains("/nonexistent/crankback.toml"));
}

#[test]
fn metrics_listen_is_an_address_or_off() {
    let with = |listen: &str| format!("{REQUIRED}[metrics]\nlisten = {listen}\n");
    let listen = |text: &str| load_text(&with(text), &[]).expect("is complete").metrics.listen;
    assert_eq!(listen("\"off\""), Listen::Off);
    assert_eq!(
        listen("\"0.0.0.0:9000\""),
        Listen::At("0.0.0.0:9000".parse().expect("is an address"))
    );
    let complaint = complaint(&with("\"8780\""), &[]);
    assert!(
        complaint.contains("metrics.listen: \"8780\" is no address"),
        "{complaint}"
    );
}

#[test]
fn the_stores_password_comes_from_one_place_and_is_never_printed() {
    use secrecy::ExposeSecret;

    const SECRET: &str = "hunter3-is-secret";
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("password");
    std::fs::write(&file, format!("{SECRET}\n")).expect("is written");
    let url = |account: &str| format!("{REQUIRED}[store]\nurl = \"mysql://{account}@db/asterisk\"\n");
    let from_file = format!("{}password_file = \"{}\"\n", url("cron"), file.display());
    let sources = [
        (url(&format!("cron:{SECRET}")), vec![]),
        (format!("{}password = \"{SECRET}\"\n", url("cron")), vec![]),
        (from_file.clone(), vec![]),
        (url("cron"), vec![("CRANKBACK_STORE__PASSWORD", SECRET)]),
    ];
    for (text, environment) in &sources {
        let settings = load_text(text, environment).expect("is complete");
        match &settings.store.url {
            StoreUrl::MariaDb(address) => assert_eq!(address.password.expose_secret(), SECRET, "{text}"),
            other @ StoreUrl::Sqlite(_) => panic!("{other}"),
        }
        let printed = format!("{} {settings:?}", settings.store.url);
        assert!(!printed.contains(SECRET), "{printed}");
    }

    let other = [("CRANKBACK_STORE__URL", "mysql://custom:other@db/asterisk")];
    let other = load_text(&from_file, &other).expect("is the environment's");
    assert_eq!(
        other.store.url,
        "mysql://custom:other@db/asterisk".parse().expect("is a url")
    );

    let file = [("CRANKBACK_STORE__URL", "sqlite:///srv/crankback.db")];
    let file = load_text(&from_file, &file).expect("needs no password");
    assert_eq!(file.store.url, StoreUrl::sqlite("/srv/crankback.db"));

    let twice = complaint(&format!("{from_file}password = \"{SECRET}\"\n"), &[]);
    assert!(twice.contains("store.password: more than one"), "{twice}");
    let sqlite = complaint(REQUIRED, &[("CRANKBACK_STORE__PASSWORD", SECRET)]);
    assert!(
        sqlite.contains("store.password: set, but a SQLite database has none"),
        "{sqlite}"
    );
    let wrong = complaint(&url(&format!("cron:{SECRET}@x:y")), &[]);
    assert!(wrong.contains("store.url: must be sqlite://"), "{wrong}");
    let missing = complaint(&format!("{}password_file = \"/nonexistent\"\n", url("cron")), &[]);
    assert!(
        missing.contains("store.password_file: cannot read /nonexistent"),
        "{missing}"
    );
    for text in [twice, sqlite, wrong, missing] {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn notices_go_where_the_configuration_says() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "hunter2\n").expect("is written");
    let text = format!(
        "{REQUIRED}[notify]\nmin_interval_s = 5\nwebhook_url = \"https://hooks.example.com/T0KEN\"\nwebhook_secret_file = {secret:?}\n\
         mail_host = \"mail.example.com\"\nmail_tls = \"tls\"\nmail_user = \"cb\"\nmail_password = \"hunter2\"\n\
         mail_from = \"Crankback <cb@example.com>\"\nmail_to = \"a@example.com, B <b@example.com>\"\n"
    );
    let settings = load_text(&text, &[("CRANKBACK_NOTIFY__MIN_INTERVAL_S", "7")])
        .expect("is complete")
        .notify;
    let mail = settings.mail.as_ref().expect("is set");
    assert_eq!(settings.minimum_interval, Duration::from_secs(7));
    assert_eq!((mail.port, mail.to.iter().count()), (465, 2));
    let shown = format!("{settings:?} {settings:#?}");
    assert!(shown.contains("hooks.example.com"), "{shown}");
    assert!(!shown.contains("hunter2") && !shown.contains("T0KEN"), "{shown}");
    let none = load_text(REQUIRED, &[]).expect("is complete").notify;
    assert!(none.webhook.is_none() && none.mail.is_none());
}

#[test]
fn notices_that_could_not_be_sent_are_refused_without_showing_a_secret() {
    let mail = "mail_host = \"mail.example.com\"\nmail_from = \"cb@example.com\"\nmail_to = \"a@example.com\"\n";
    for (keys, told) in [
        (
            "webhook_url = \"https://a.example/T0KEN\"\n".to_owned(),
            "notify.webhook_secret: not set",
        ),
        (
            "webhook_url = \"ftp://a.example/T0KEN\"\nwebhook_secret = \"hunter2\"\n".to_owned(),
            "notify.webhook_url: it must start with",
        ),
        (
            "webhook_url = \"https://a.example/T0KEN\"\nwebhook_secret = \"\"\n".to_owned(),
            "notify.webhook_secret: empty",
        ),
        (
            "webhook_url = \"https://a.example/T0KEN\"\nwebhook_secret = \"hunter2\"\nwebhook_secret_file = \"/x\"\n"
                .to_owned(),
            "notify.webhook_secret: set together with notify.webhook_secret_file",
        ),
        ("mail_to = \"a@example.com\"\n".to_owned(), "notify.mail_host: not set"),
        (
            "mail_host = \"mail.example.com\"\n".to_owned(),
            "notify.mail_from: not set",
        ),
        (
            mail.replace("a@example.com", "nobody"),
            "notify.mail_to: \"nobody\" is no e-mail address",
        ),
        (
            format!("{mail}mail_password = \"hunter2\"\n"),
            "notify.mail_user: not set",
        ),
        (format!("{mail}mail_user = \"cb\"\n"), "notify.mail_password: not set"),
        (
            format!("{mail}mail_tls = \"off\"\nmail_user = \"cb\"\nmail_password = \"hunter2\"\n"),
            "notify.mail_tls: off",
        ),
        (format!("{mail}mail_tls = \"ssl\"\n"), "notify.mail_tls: "),
        (
            format!("{mail}mail_hots = \"x\"\n"),
            "notify.mail_hots: unknown key; did you mean `mail_host`?",
        ),
    ] {
        let complaint = complaint(&format!("{REQUIRED}[notify]\n{keys}"), &[]);
        assert!(complaint.contains(told), "{told:?} is missing in {complaint}");
        assert!(
            !complaint.contains("hunter2") && !complaint.contains("T0KEN"),
            "{complaint}"
        );
    }
}

#[test]
fn what_vicidial_knows_stands_in_for_what_nobody_has_set() {
    const KNOWN: &str = "# VICIdial\nPATHlogs => /var/log/astguiclient\nVARserver_ip => 10.0.0.9\nVARDB_server => 10.0.0.1\n\
        VARDB_database => asterisk\nVARDB_user => cron\nVARDB_pass => 1234 ; daily\nVARDB_custom_user => custom\nVARDB_port => 3307\n";
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("astguiclient.conf");
    std::fs::write(&path, KNOWN).expect("is written");
    let path = path.to_str().expect("is text");
    let loaded = |text: &str, environment: &[(&str, &str)]| {
        let file = [("CRANKBACK_ASTGUICLIENT", path)];
        load_text(text, &[&file, environment].concat()).expect("is complete")
    };
    const USER: &str = "[ari]\nusername = \"crankback\"\npassword = \"hunter2\"\n";
    let settings = loaded(USER, &[]);
    assert_eq!(settings.server.ip.to_string(), "10.0.0.9");
    let with_password: StoreUrl = "mysql://cron:1234@10.0.0.1:3307/asterisk".parse().expect("is a url");
    assert_eq!(settings.store.url, with_password);

    // What somebody has set goes before it, and takes no password from it.
    let text = format!("[server]\nip = \"10.0.0.7\"\n[store]\nurl = \"mysql://other@db/asterisk\"\n{USER}");
    let settings = loaded(&text, &[]);
    assert_eq!(settings.server.ip.to_string(), "10.0.0.7");
    assert!(!settings.store.url.has_password());
    let custom = [("CRANKBACK_STORE__URL", "mysql://custom:pw@10.0.0.1/asterisk")];
    assert_eq!(loaded(USER, &custom).store.url, custom[0].1.parse().expect("is a url"));
    let unreadable = load_text(USER, &[("CRANKBACK_ASTGUICLIENT", "/nonexistent")]);
    assert!(
        unreadable
            .expect_err("says what is missing")
            .to_string()
            .contains("server.ip: not set")
    );
}
