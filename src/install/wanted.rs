//! What the files of an Asterisk need: the shipped files, with this dialer's users and addresses in them. Pure.

use secrecy::ExposeSecret;

use crate::asterisk_conf::{Account, Enough, IfThere, WantedSection, WantedSetting};
use crate::check::{NEEDED_SESSIONS, NEEDED_WRITE_TIMEOUT_MS, needed_keep_alive_ms};
use crate::config::{AmiSettings, AriSettings};
use crate::shipped;

/// The section of a user in the shipped files.
const USER: &str = "crankback";
/// How VICIdial's dialplan names the FastAGI server that takes its log of calls.
const CALL_LOG: &str = "/call_log";

/// `ari.conf`.
pub(super) fn ari(ari: &AriSettings) -> Vec<WantedSection> {
    let mut wanted = read(shipped::ARI);
    name_user(&mut wanted, ari.credentials.user());
    for setting in settings(&mut wanted) {
        match setting.key.as_str() {
            "enabled" => setting.enough = Enough::True,
            "websocket_write_timeout" => setting.enough = Enough::AtLeast(NEEDED_WRITE_TIMEOUT_MS),
            "channelvars" => setting.enough = Enough::Contains,
            "password_format" => setting.enough = Enough::Any,
            "password" => {
                setting.enough = Enough::SameSecret;
                setting.value = ari.credentials.password().expose_secret().to_owned();
            }
            _ => {}
        }
    }
    wanted
}

/// `http.conf`.
pub(super) fn http(ari: &AriSettings) -> Vec<WantedSection> {
    let mut wanted = read(shipped::HTTP);
    let place = ari.endpoint.plain_http();
    for setting in settings(&mut wanted) {
        match (setting.key.as_str(), &place) {
            ("enabled", _) => setting.enough = Enough::True,
            ("sessionlimit", _) => setting.enough = Enough::AtLeast(NEEDED_SESSIONS),
            ("session_keep_alive", _) => setting.enough = Enough::AtLeast(needed_keep_alive_ms()),
            // Other programs may be told of the address that is there.
            ("bindaddr", _) => setting.enough = Enough::Any,
            ("bindport", Some((_, port))) => setting.value = port.to_string(),
            ("bindport", None) => setting.enough = Enough::Any,
            _ => {}
        }
    }
    wanted
}

/// `manager.conf`; nothing without a login.
pub(super) fn manager(ami: &AmiSettings) -> Vec<WantedSection> {
    let Some(login) = ami.login.as_ref().filter(|login| login.address.ip().is_loopback()) else {
        return Vec::new();
    };
    let mut wanted = read(shipped::MANAGER);
    name_user(&mut wanted, &login.user);
    for setting in settings(&mut wanted) {
        if setting.key == "secret" {
            setting.enough = Enough::SameSecret;
            setting.value = login.secret.expose_secret().to_owned();
        } else {
            // A user that was there has the rights that somebody gave it, as VICIdial's `cron` has.
            setting.enough = Enough::Any;
        }
    }
    wanted
}

/// `[globals]` of `extensions.conf`: where VICIdial's own dialplan reports the end of calls, if it is VICIdial's.
pub(super) fn globals(dialplan: &str) -> Vec<WantedSection> {
    let Some(end) = dialplan.find(CALL_LOG) else {
        return Vec::new();
    };
    let Some(start) = dialplan[..end].rfind("agi://") else {
        return Vec::new();
    };
    let setting = WantedSetting {
        key: "CRANKBACK_VICIDIAL_LOG".to_owned(),
        value: dialplan[start..end + CALL_LOG.len()].to_owned(),
        enough: Enough::Any,
    };
    vec![WantedSection {
        name: "globals".to_owned(),
        settings: vec![setting],
        if_there: IfThere::Complete,
    }]
}

fn read(shipped: &str) -> Vec<WantedSection> {
    let sections = Account::parse(shipped).sections.into_iter();
    let wanted = sections.map(|section| WantedSection {
        if_there: match section.name == USER {
            true => IfThere::Compare,
            false => IfThere::Complete,
        },
        name: section.name,
        settings: section
            .settings
            .into_iter()
            .map(|setting| WantedSetting {
                key: setting.key,
                value: setting.value,
                enough: Enough::Same,
            })
            .collect(),
    });
    wanted.collect()
}

fn name_user(wanted: &mut [WantedSection], user: &str) {
    for section in wanted.iter_mut().filter(|section| section.name == USER) {
        user.clone_into(&mut section.name);
    }
}

fn settings(wanted: &mut [WantedSection]) -> impl Iterator<Item = &mut WantedSetting> {
    wanted.iter_mut().flat_map(|section| &mut section.settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_of_calls_is_where_vicidial_has_it() {
        let line = "exten => h,1,AGI(agi://10.0.0.9:4577/call_log--HVcauses--PRI)";
        assert_eq!(globals(line)[0].settings[0].value, "agi://10.0.0.9:4577/call_log");
        assert_eq!(globals("exten => h,1,NoOp()"), []);
    }

    #[test]
    fn every_setting_of_the_shipped_files_is_wanted() {
        let keys = |wanted: &[WantedSection]| -> Vec<String> {
            let settings = wanted.iter().flat_map(|section| &section.settings);
            settings.map(|setting| setting.key.clone()).collect()
        };
        let lines = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with(';') && line.contains('='));
            lines.count()
        };
        for text in [shipped::ARI, shipped::HTTP, shipped::MANAGER] {
            assert_eq!(keys(&read(text)).len(), lines(text));
        }
    }
}
