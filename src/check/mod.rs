//! Check: everything that calls depend on, looked at before they do.
//!
//! What it is for: an operator, the service manager and a monitoring system ask whether calls would go through, and get a
//! list of [`Finding`]s, good and bad, each with what is so and what to do about it.
//!
//! What it owns: which things are looked at, how bad each deviation is, and the advice. It changes nothing: not the store,
//! not the configuration, and in Asterisk it leaves nothing behind.
//!
//! What it must not know: how findings are printed, and the calls themselves.
//!
//! | file | idea |
//! |---|---|
//! | `finding` | one thing that was looked at, and the list of all |
//! | `tables` | the store, the carriers, the routes, the carriers' dialplan entries, VICIdial's table that is written |
//! | `asterisk` | the order in which an Asterisk is looked at; its version, the daemon beside us |
//! | `looking_glass` | a short-lived channel through which Asterisk's dialplan functions are read |
//! | `dialplan` | whether the dialplan that this program ships is the one that runs |
//! | `asterisk_settings` | `ari.conf`, `http.conf` and `pjsip.conf` |
//! | `engine` | whether the engine that places the legs suits this Asterisk |
//! | `endpoints` | whether Asterisk has each carrier's endpoint, and the transport that it names |
//! | `pjsip_object` | what `res_pjsip` has loaded |
//! | `registrations` | whether Asterisk's registrations with carriers stand |
//! | `host` | whether this host can tell its own address |

mod asterisk;
mod asterisk_settings;
pub(crate) mod dialplan;
mod endpoints;
mod engine;
mod finding;
mod host;
mod looking_glass;
mod pjsip_object;
mod registrations;
mod tables;

pub(crate) use asterisk_settings::{NEEDED_SESSIONS, NEEDED_WRITE_TIMEOUT_MS, needed_keep_alive_ms};
pub use finding::{Finding, Level, Report};
pub(crate) use looking_glass::{Blind, LookingGlass};

use crate::config::{ConfigError, Settings};

/// Looks at everything. Whatever is missing, the rest is looked at all the same.
pub async fn check(settings: &Result<Settings, ConfigError>) -> Report {
    let mut report = Report::default();
    match settings {
        Ok(settings) => {
            report.ok("config", "complete");
            let carriers = tables::check(settings, &mut report).await;
            report.extend(host::check());
            asterisk::check(settings, &carriers, &mut report).await;
            registrations::check(&settings.ami, &carriers, &mut report).await;
        }
        Err(error) => config(error, &mut report),
    }
    report
}

fn config(error: &ConfigError, report: &mut Report) {
    match error {
        ConfigError::Invalid { problems, .. } => {
            for problem in problems {
                report.error("config", problem, None);
            }
        }
        ConfigError::Unreadable { .. }
        | ConfigError::File { .. }
        | ConfigError::Environment { .. }
        | ConfigError::Combined { .. } => report.error("config", error, None),
    }
}
