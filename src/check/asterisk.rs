//! The order in which an Asterisk is looked at: can it be reached, which is it, is the daemon there, how is it set up.

use super::Report;
use super::looking_glass::{Blind, LookingGlass};
use super::{asterisk_settings, dialplan, endpoints, engine};
use crate::ari::{self, AsteriskInfo, Client};
use crate::carrier::Carrier;
use crate::config::{AriSettings, Settings};

const REFUSED: &str = "check ari.url, ari.username and the password";

/// Looks at everything that Asterisk shows.
///
/// An Asterisk that is away is a warning (calls are dialled natively, and it may come back by itself); one that refuses us
/// is an error.
pub(super) async fn check(settings: &Settings, carriers: &[Carrier], report: &mut Report) {
    application(&settings.ari, report);
    let endpoint = &settings.ari.endpoint;
    let config = match settings.ari.connection() {
        Ok(config) => config,
        Err(error) => return report.error("ari", error, None),
    };
    let asked = async {
        let client = Client::new(&config)?;
        let info = client.asterisk().info().await?;
        Ok::<_, ari::Error>((client, info))
    };
    let (client, info) = match asked.await {
        Ok(answer) => answer,
        Err(error) => {
            let what = format!("{endpoint}: {error}");
            return match error {
                ari::Error::NotSent { .. } => {
                    let advice = "check that Asterisk runs, that its http.conf is enabled, and ari.url";
                    report.warning("ari", what, Some(advice));
                }
                ari::Error::OutcomeUnknown { .. } => {
                    let advice = "is Asterisk frozen, or does something else listen there?";
                    report.warning("ari", what, Some(advice));
                }
                ari::Error::Unauthorized { .. }
                | ari::Error::Status { .. }
                | ari::Error::Decode { .. }
                | ari::Error::Setup { .. } => report.error("ari", what, Some(REFUSED)),
            };
        }
    };
    let AsteriskInfo { version, entity_id, .. } = &info;
    report.ok(
        "ari",
        format_args!("{endpoint}: Asterisk {version}, entity {entity_id}"),
    );
    for advisory in version.advisories() {
        report.warning("version", advisory.what, Some(advisory.advice));
    }
    engine::check(settings.engine, version, report);
    if let Err(error) = look(settings, &client, &info, carriers, report).await {
        let what = format!("{endpoint}: {error}");
        report.warning("ari", what, Some("the rest could not be looked at: run check again"));
    }
}

async fn look(
    settings: &Settings,
    client: &Client,
    info: &AsteriskInfo,
    carriers: &[Carrier],
    report: &mut Report,
) -> Result<(), ari::Error> {
    daemon(&settings.ari, client, report).await?;
    endpoints::check(client, carriers, report).await?;
    let Ok(config) = settings.ari.connection() else {
        return Ok(());
    };
    match LookingGlass::open(config).await {
        Ok(glass) => {
            let looked = async {
                dialplan::check(&glass, report).await?;
                asterisk_settings::check(&glass, client, info, report).await
            };
            let looked = looked.await;
            glass.shut().await;
            looked
        }
        Err(Blind::ReadOnlyUser) => {
            let what = "the user may only read: crankback cannot place a call";
            report.error(
                "ari.conf",
                what,
                Some("remove read_only from the user, then `asterisk -rx 'module reload res_ari.so'`"),
            );
            Ok(())
        }
        Err(Blind::Refused(error)) => Err(error),
        Err(Blind::NoEvents(why)) => {
            let what = format!("events cannot be received: {why}");
            report.warning(
                "ari",
                what,
                Some("check sessionlimit in http.conf and that res_ari_events.so is loaded"),
            );
            Ok(())
        }
    }
}

/// Whether the dialplan's callers come to the daemon of these settings.
fn application(settings: &AriSettings, report: &mut Report) {
    const OF_DIALPLAN: &str = AriSettings::DEFAULT_APP;
    if settings.app != OF_DIALPLAN {
        let what = format!(
            "{}, but the shipped dialplan sends calls to {OF_DIALPLAN}",
            settings.app
        );
        let advice = "leave it out, unless your copy of the dialplan names it";
        report.warning("ari.app", what, Some(advice));
    }
}

/// Whether a daemon serves the application. One that died while calls were up may still look connected.
async fn daemon(settings: &AriSettings, client: &Client, report: &mut Report) -> Result<(), ari::Error> {
    let app = &settings.app;
    match client.applications().get(app).await {
        Ok(_) => report.ok("daemon", format_args!("connected as {app}")),
        Err(ari::Error::Status { code: 404, .. }) => {
            let what = format!("none is connected as {app}: calls are dialled natively");
            report.warning("daemon", what, Some("start it: `systemctl start crankback`"));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}
