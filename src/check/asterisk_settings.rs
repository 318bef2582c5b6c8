//! What crankback needs of `ari.conf`, `http.conf`, `asterisk.conf` and `pjsip.conf`.

use reqwest::Method;

use super::Report;
use super::looking_glass::LookingGlass;
use super::pjsip_object;
use crate::ari::{self, Client, Limits, Operation};
use crate::shipped;

/// The edit that makes SIP codes visible; the line itself is in the shipped `ari.conf`.
const SHOW_REPLIES: &str =
    "copy the channelvars line of the shipped ari.conf, then `asterisk -rx 'module reload res_ari.so'`";
/// Asterisk's default of `websocket_write_timeout` in `ari.conf`, in milliseconds.
const DEFAULT_WRITE_TIMEOUT_MS: u64 = 100;
/// What lets a consumer pause (a full disk, a busy host) without losing its events.
pub(crate) const NEEDED_WRITE_TIMEOUT_MS: u64 = 1_000;
/// Asterisk's default of `sessionlimit` in `http.conf`.
const DEFAULT_SESSIONS: u64 = 100;
/// Crankback alone takes up to 64 requests and a websocket; the agents' web phones take one session each.
pub(crate) const NEEDED_SESSIONS: u64 = 200;
/// Asterisk's default of `session_keep_alive` in `http.conf`, in milliseconds.
const DEFAULT_KEEP_ALIVE_MS: u64 = 15_000;

/// What `session_keep_alive` of `http.conf` must be at least, in milliseconds: longer than our side keeps an idle connection.
pub(crate) fn needed_keep_alive_ms() -> u64 {
    let idle = Limits::default().pool_idle_timeout.as_millis();
    u64::try_from(idle).unwrap_or(u64::MAX).saturating_add(1)
}

/// Looks at all of them.
pub(super) async fn check(
    glass: &LookingGlass,
    client: &Client,
    info: &ari::AsteriskInfo,
    report: &mut Report,
) -> Result<(), ari::Error> {
    match glass.shows_replies() {
        Some(entry) if shipped::ARI.contains(entry) => report.ok("ari.conf", "channelvars shows SIP responses"),
        Some(_) => {
            let what = "channelvars shows SIP responses by another line than the shipped one, which costs every call of this \
                        Asterisk much less";
            report.advise("ari.conf", what, SHOW_REPLIES);
        }
        None => {
            let what = "channelvars does not show SIP responses: crankback decides by hangup causes alone, \
                        and the dialer's carrier log has no SIP codes";
            report.warning("ari.conf", what, Some(SHOW_REPLIES));
        }
    }
    // ARI answers, so the file says that it is enabled; if that cannot be read, nothing can.
    if glass.setting("ari.conf", "general", "enabled").await?.is_none() {
        let what = "cannot be read through Asterisk: neither can http.conf and asterisk.conf";
        report.warning(
            "ari.conf",
            what,
            Some("load func_config.so, or compare them with the shipped files"),
        );
    } else {
        numbers(glass, report).await?;
        inhibited_functions(glass, info, report).await?;
    }
    pjsip(client, report).await
}

async fn numbers(glass: &LookingGlass, report: &mut Report) -> Result<(), ari::Error> {
    let number = async |file: &str, key: &str, default: u64| {
        let text = glass.setting(file, "general", key).await?;
        Ok::<u64, ari::Error>(text.and_then(|text| text.trim().parse().ok()).unwrap_or(default))
    };
    let write_timeout = number("ari.conf", "websocket_write_timeout", DEFAULT_WRITE_TIMEOUT_MS).await?;
    if write_timeout < NEEDED_WRITE_TIMEOUT_MS {
        let what =
            format!("websocket_write_timeout is {write_timeout} ms: a daemon that pauses for so long loses its events");
        let advice = "set it to 5000, then `asterisk -rx 'module reload res_ari.so'`";
        report.warning("ari.conf", what, Some(advice));
    } else {
        report.ok("ari.conf", format_args!("websocket_write_timeout {write_timeout} ms"));
    }
    let sessions = number("http.conf", "sessionlimit", DEFAULT_SESSIONS).await?;
    if sessions < NEEDED_SESSIONS {
        let what = format!("sessionlimit is {sessions}: under load Asterisk closes connections at once");
        let advice = "set it to 400, then `asterisk -rx 'module reload http'`";
        report.warning("http.conf", what, Some(advice));
    } else {
        report.ok("http.conf", format_args!("sessionlimit {sessions}"));
    }
    let keep_alive = number("http.conf", "session_keep_alive", DEFAULT_KEEP_ALIVE_MS).await?;
    let needed = needed_keep_alive_ms();
    if keep_alive < needed {
        let what = format!("session_keep_alive is {keep_alive} ms: requests meet connections that Asterisk is closing");
        let advice = format!("set it to 60000, at least {needed}, then `asterisk -rx 'module reload http'`");
        report.warning("http.conf", what, Some(&advice));
    } else {
        report.ok("http.conf", format_args!("session_keep_alive {keep_alive} ms"));
    }
    Ok(())
}

/// See [`ari::Capabilities::setvar_inhibits_functions`]; `live_dangerously` lifts it.
async fn inhibited_functions(
    glass: &LookingGlass,
    info: &ari::AsteriskInfo,
    report: &mut Report,
) -> Result<(), ari::Error> {
    if !info.capabilities.setvar_inhibits_functions {
        return Ok(());
    }
    let lifted = glass.setting("asterisk.conf", "options", "live_dangerously").await?;
    let is_lifted = lifted.is_some_and(|text| ["yes", "true", "y", "t", "1", "on"].contains(&text.trim()));
    let version = &info.version;
    if is_lifted {
        report.ok("asterisk.conf", "live_dangerously is on");
    } else {
        let what = format!(
            "Asterisk {version} forbids the dialplan of a channel DB() writes, SHELL() and CURL() once a variable was \
             set over ARI, as crankback does"
        );
        let advice = "if your carriers' entries or h extensions use these after the call, set live_dangerously = yes in \
                      [options] and restart Asterisk; else nothing is to be done";
        report.warning("asterisk.conf", what, Some(advice));
    }
    Ok(())
}

/// What `res_pjsip` has loaded. A `[global]` section of another name cannot be found.
async fn pjsip(client: &Client, report: &mut Report) -> Result<(), ari::Error> {
    const KEY: &str = "taskprocessor_overload_trigger";
    let global = match pjsip_object::settings(client, "global", "global").await? {
        Some(settings) => settings,
        None if !has_module(client, "res_pjsip.so").await? => return Ok(()),
        None => Vec::new(),
    };
    match pjsip_object::value(&global, KEY) {
        Some(value @ ("pjsip_only" | "none")) => report.ok("pjsip.conf", format_args!("{KEY} {value}")),
        Some(_) | None => {
            let what = format!("{KEY} is global: any overloaded part of Asterisk makes it refuse SIP calls");
            let advice = format!(
                "set {KEY} = pjsip_only in [global] (type = global), then `asterisk -rx 'module reload res_pjsip.so'`"
            );
            report.warning("pjsip.conf", what, Some(&advice));
        }
    }
    Ok(())
}

async fn has_module(client: &Client, name: &str) -> Result<bool, ari::Error> {
    let operation = Operation {
        name: "get module",
        target: name,
    };
    let path = ["asterisk", "modules", name];
    match client.request(operation, Method::GET, &path).execute().await {
        Ok(()) => Ok(true),
        Err(ari::Error::Status { code: 404 | 409, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
