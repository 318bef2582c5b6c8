//! Whether Asterisk's registrations with carriers stand, which only its manager interface tells.

use super::Report;
use crate::ami::{self, Registration, Session, Standing};
use crate::carrier::Carrier;
use crate::config::AmiSettings;

const NOT_ASKED: &str =
    "give [ami] a user of manager.conf with `write = system`, and a lost registration is seen before a call is";

/// Asks the manager interface, when there is a login for it, and looks for the registration of every carrier that has one.
pub(super) async fn check(settings: &AmiSettings, carriers: &[Carrier], report: &mut Report) {
    let registering = || carriers.iter().filter(|carrier| !carrier.registrations.is_empty());
    let Some(login) = &settings.login else {
        let count = registering().count();
        if count > 0 {
            let what = format!("not set up, but Asterisk registers with {count} of the carriers");
            report.warning("ami", what, Some(NOT_ASKED));
        }
        return;
    };
    let asked = async { Session::open(login).await?.registrations().await };
    match asked.await {
        Ok(registrations) => {
            report.ok(
                "ami",
                format_args!("{}: {} registrations", login.address, registrations.len()),
            );
            registering().for_each(|carrier| registration(carrier, &registrations, report));
        }
        Err(error) => unanswered(&error, report),
    }
}

fn registration(carrier: &Carrier, registrations: &[Registration], report: &mut Report) {
    let subject = format!("carrier {}", carrier.id);
    match Registration::best(&carrier.registrations, registrations) {
        Some(Registration {
            standing: Standing::Registered,
            ..
        }) => {}
        Some(Registration { said, .. }) => {
            let what = format!("Asterisk is not registered with it: {said}");
            report.warning(
                subject,
                what,
                Some("look at its user, password and host, and at Asterisk's log"),
            );
        }
        None => {
            let what = "Asterisk does not have its registration";
            let advice = "has VICIdial rebuilt its files and reloaded Asterisk?";
            report.warning(subject, what, Some(advice));
        }
    }
}

/// Calls need no manager interface: one that is away is a warning, one that refuses us is a mistake of the configuration.
fn unanswered(error: &ami::Error, report: &mut Report) {
    match error {
        ami::Error::Connection { .. } | ami::Error::Silent { .. } | ami::Error::TooLong { .. } => {
            let advice = "check that Asterisk runs, that its manager.conf is enabled, and ami.address";
            report.warning("ami", error, Some(advice));
        }
        ami::Error::Stranger { .. } => report.error("ami", error, Some("check ami.address")),
        ami::Error::Login { .. } => {
            let advice = "check ami.username, the password, and the user's `permit` in manager.conf";
            report.error("ami", error, Some(advice));
        }
        ami::Error::Forbidden { .. } => {
            report.error("ami", error, Some("add `system` to the user's `write` in manager.conf"));
        }
    }
}
