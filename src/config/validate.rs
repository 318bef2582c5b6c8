//! From what is written to what the rooms get: required keys, files of secrets, values that must fit together.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::ami::Login;
use crate::ari::{self, Credentials, Endpoint};
use crate::carrier::CarrierId;
use crate::probe::{ProbeTarget, TargetError};

use super::document::{AmiDocument, AriDocument, Document, Password, ServerDocument, StoreDocument};
use super::error::{ConfigError, Problem};
use super::notify;
use super::settings::{
    AgiSettings, AmiSettings, AriSettings, AttemptsSettings, CallSettings, ControlSettings, HealthConfig,
    ProbeSettings, ServerSettings, Settings, StoreSettings,
};

/// `sun_path` holds 108 bytes with the final zero; the socket is made under a name that is 4 bytes longer (`.new`).
const SOCKET_PATH_LIMIT: usize = 103;

/// Turns the document into settings, or names everything that is wrong with it.
pub(super) fn settings(document: Document, path: &Path) -> Result<Settings, ConfigError> {
    let mut problems = Vec::new();
    let store = store(document.store, &mut problems);
    let server = server(document.server, &mut problems);
    let ari = ari(document.ari, &mut problems);
    let ami = ami(document.ami, &mut problems);
    agi(&document.agi, &mut problems);
    call(&document.call, &mut problems);
    attempts(&document.attempts, &mut problems);
    control(&document.control, &mut problems);
    let notify = notify::settings(document.notify, &mut problems);
    health(&document.health, &mut problems);
    probe(&document.probe, &mut problems);
    match (server, ari) {
        (Some(server), Some(ari)) if problems.is_empty() => Ok(Settings {
            store,
            server,
            ari,
            ami,
            agi: document.agi,
            engine: document.engine,
            call: document.call,
            attempts: document.attempts,
            control: document.control,
            notify,
            health: document.health,
            probe: document.probe,
            metrics: document.metrics,
            log: document.log,
        }),
        _ => Err(ConfigError::Invalid {
            path: path.to_owned(),
            problems,
        }),
    }
}

fn store(document: StoreDocument, problems: &mut Vec<Problem>) -> StoreSettings {
    let url = document.url.unwrap_or_else(|| StoreSettings::default().url);
    let ways = [
        url.has_password(),
        document.password.is_some(),
        document.password_file.is_some(),
    ];
    if ways.into_iter().filter(|way| *way).count() > 1 {
        let what = "more than one: keep it in store.url, store.password or store.password_file";
        problem(problems, "store.password", what);
        return StoreSettings { url };
    }
    let password = match (document.password, document.password_file) {
        (Some(password), _) => Some(password.0),
        (None, Some(file)) => password_file("store.password_file", &file, problems),
        (None, None) => None,
    };
    let Some(password) = password else {
        return StoreSettings { url };
    };
    match url.clone().with_password(password) {
        Some(url) => StoreSettings { url },
        None => {
            let what = "set, but a SQLite database has none: remove it, or give a mysql:// store.url";
            problem(problems, "store.password", what);
            StoreSettings { url }
        }
    }
}

fn server(document: ServerDocument, problems: &mut Vec<Problem>) -> Option<ServerSettings> {
    if document.ip.is_none() {
        problem(
            problems,
            "server.ip",
            "not set: give this dialer's server_ip as on VICIdial's Servers screen (VARserver_ip in /etc/astguiclient.conf)",
        );
    }
    if document.number > ServerSettings::MAXIMUM_NUMBER {
        problem(
            problems,
            "server.number",
            "must be 0 to 99: two digits of every leg's channel id",
        );
    }
    document.ip.map(|ip| ServerSettings {
        ip,
        number: document.number,
    })
}

fn ari(document: AriDocument, problems: &mut Vec<Problem>) -> Option<AriSettings> {
    let url = document.url.as_deref().unwrap_or(AriSettings::DEFAULT_URL);
    let endpoint = told(problems, "ari.url", Endpoint::parse(url));
    let app = document.app.unwrap_or_else(|| AriSettings::DEFAULT_APP.to_owned());
    if app.is_empty()
        || !app
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    {
        problem(
            problems,
            "ari.app",
            "must be made of letters, digits, `_`, `-` and `.`: it stands in the dialplan",
        );
    }
    let username = document.username.filter(|name| !name.is_empty());
    if username.is_none() {
        problem(
            problems,
            "ari.username",
            "not set: give the user of Asterisk's ari.conf",
        );
    }
    let password = password("ari", document.password, document.password_file, problems);
    if password
        .as_ref()
        .is_some_and(|password| password.expose_secret().is_empty())
    {
        problem(
            problems,
            "ari.password",
            "empty: Asterisk refuses a user without password",
        );
    }
    let credentials = told(problems, "ari.username", Credentials::new(&username?, password?));
    Some(AriSettings {
        endpoint: endpoint?,
        credentials: credentials?,
        app,
    })
}

fn ami(document: AmiDocument, problems: &mut Vec<Problem>) -> AmiSettings {
    let Some(user) = document.username.filter(|name| !name.is_empty()) else {
        if document.password.is_some() || document.password_file.is_some() {
            problem(
                problems,
                "ami.username",
                "not set: give a user of Asterisk's manager.conf",
            );
        }
        return AmiSettings { login: None };
    };
    let address = document.address.unwrap_or(AmiSettings::DEFAULT_ADDRESS);
    let secret = password("ami", document.password, document.password_file, problems);
    AmiSettings {
        login: secret.map(|secret| Login { address, user, secret }),
    }
}

/// The password of a user that needs one: written as it is, or in a file.
fn password(
    section: &'static str,
    password: Option<Password>,
    file: Option<PathBuf>,
    problems: &mut Vec<Problem>,
) -> Option<SecretString> {
    let key = format!("{section}.password");
    if password.is_none() && file.is_none() {
        let variable = key.to_ascii_uppercase().replace('.', "__");
        let what = format!("not set: give {key}, {key}_file or CRANKBACK_{variable}");
        problem(problems, key, what);
        return None;
    }
    secret(&key, password, file, problems)
}

/// A secret that stands under `key` itself or in a file of its own.
pub(super) fn secret(
    key: &str,
    written: Option<Password>,
    file: Option<PathBuf>,
    problems: &mut Vec<Problem>,
) -> Option<SecretString> {
    match (written, file) {
        (Some(_), Some(_)) => {
            let what = format!("set together with {key}_file: keep one of them");
            problem(problems, key.to_owned(), what);
            None
        }
        (Some(written), None) => Some(written.0),
        (None, Some(file)) => password_file(format!("{key}_file"), &file, problems),
        (None, None) => None,
    }
}

fn told<T>(problems: &mut Vec<Problem>, key: &'static str, result: Result<T, ari::ConfigError>) -> Option<T> {
    result.map_err(|error| problem(problems, key, error.to_string())).ok()
}

fn password_file(key: impl Into<Cow<'static, str>>, file: &Path, problems: &mut Vec<Problem>) -> Option<SecretString> {
    match std::fs::read_to_string(file) {
        Ok(text) => Some(SecretString::from(text.lines().next().unwrap_or_default())),
        Err(error) => {
            let what = format!("cannot read {}: {error}; check the path and its rights", file.display());
            problem(problems, key, what);
            None
        }
    }
}

fn agi(agi: &AgiSettings, problems: &mut Vec<Problem>) {
    if agi.listen.port() == 0 || agi.listen.ip().is_unspecified() {
        let what = "not an address and port that Asterisk can be sent to, for example 127.0.0.1:4573";
        problem(problems, "agi.listen", what);
    }
    if agi.max_sessions == 0 {
        problem(problems, "agi.max_sessions", "0: every call would be dialled natively");
    }
}

fn call(call: &CallSettings, problems: &mut Vec<Problem>) {
    if call.guard < Duration::from_millis(500) {
        let what = "less than 500: a healthy carrier may need that long for its first answer";
        problem(problems, "call.guard_ms", what);
    }
    if call.progress < call.guard {
        problem(
            problems,
            "call.progress_ms",
            "less than call.guard_ms: the progress timer runs longer than the guard",
        );
    }
    if call.setup <= call.guard {
        let what = "not longer than call.guard_ms: no carrier that keeps silent could be given up for another";
        problem(problems, "call.setup_s", what);
    }
    if call.max_attempts == 0 {
        problem(problems, "call.max_attempts", "0: a call needs at least one attempt");
    }
    if call.default_time_left < call.minimum_attempt + call.safety_margin {
        problem(
            problems,
            "call.default_time_left_s",
            "shorter than call.minimum_attempt_ms and call.safety_margin_ms together: no attempt could start",
        );
    }
}

fn attempts(attempts: &AttemptsSettings, problems: &mut Vec<Problem>) {
    if !attempts.spool.is_absolute() {
        let what = "must be an absolute path, for example \"/var/lib/crankback/spool\"";
        problem(problems, "attempts.spool", what);
    }
}

fn control(control: &ControlSettings, problems: &mut Vec<Problem>) {
    if !control.socket.is_absolute() {
        let what = "not an absolute path: daemon and command line must mean the same file";
        problem(problems, "control.socket", what);
    } else if control.socket.as_os_str().len() > SOCKET_PATH_LIMIT {
        let what = format!("longer than {SOCKET_PATH_LIMIT} bytes: the system takes no longer path for a socket");
        problem(problems, "control.socket", what);
    }
}

fn health(health: &HealthConfig, problems: &mut Vec<Problem>) {
    let second = Duration::from_secs(1);
    let a_second_at_least = [
        ("health.window_s", health.window),
        ("health.first_back_off_s", health.first_back_off),
        ("health.trial_interval_s", health.trial_interval),
    ];
    for (key, time) in a_second_at_least {
        if time < second {
            problem(problems, key, "0: give 1 or more");
        }
    }
    if health.longest_back_off < health.first_back_off {
        let what = "less than health.first_back_off_s: back-offs only grow";
        problem(problems, "health.longest_back_off_s", what);
    }
    if !(10..=100).contains(&health.open_at_percent) {
        let what = "must be 10 to 100: below that, what is normal for a carrier would count as failure";
        problem(problems, "health.open_at_percent", what);
    }
}

fn probe(probe: &ProbeSettings, problems: &mut Vec<Problem>) {
    let target = ProbeTarget {
        interval: probe.interval,
        timeout: probe.timeout,
        ..ProbeTarget::new(CarrierId::from("any"), "any")
    };
    match target.validate() {
        Ok(()) | Err(TargetError::Host { .. }) => {}
        Err(TargetError::Interval { .. }) => problem(problems, "probe.interval_s", "must be 2 to 300"),
        Err(TargetError::Timeout { .. }) => {
            problem(
                problems,
                "probe.timeout_ms",
                "must be more than 0 and at most probe.interval_s",
            );
        }
    }
}

pub(super) fn problem(problems: &mut Vec<Problem>, key: impl Into<Cow<'static, str>>, what: impl Into<String>) {
    problems.push(Problem {
        key: key.into(),
        what: what.into(),
    });
}
