//! Whether the engine that places the legs is the better one for this Asterisk.

use super::Report;
use crate::ari::Version;
use crate::config::{Engine, EngineSettings};

const ADVICE: &str = "set default = \"agi\" in [engine], or upgrade Asterisk to 18.25, 20.10, 22 or later";

/// Looks at the engine of most calls. Both carry every call on every version, so this is never more than advice.
pub(super) fn check(engines: EngineSettings, version: &Version, report: &mut Report) {
    let is_slow = !version.capabilities().fast_unbridged_commands;
    let EngineSettings {
        default,
        manual,
        three_way,
    } = engines;
    let told = format!(
        "{}, manual {}, three-way {}",
        default.as_str(),
        manual.as_str(),
        three_way.as_str()
    );
    match default {
        Engine::Stasis if is_slow => {
            let what = format!(
                "{told}; on Asterisk {} agi is the better default: with stasis each command on a channel outside a bridge may wait \
                 200 ms, and a call starts and fails over that much later",
                version.as_str()
            );
            report.advise("engine", what, ADVICE);
        }
        Engine::Stasis | Engine::Agi => report.ok("engine", told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Level;

    fn level(default: Engine, version: &str) -> Level {
        let mut report = Report::default();
        let engines = EngineSettings {
            default,
            ..EngineSettings::default()
        };
        check(engines, &Version::parse(version), &mut report);
        report.worst()
    }

    #[test]
    fn slow_versions_get_advice_and_no_more() {
        for version in ["16.28.0~dfsg-0+deb11u4", "18.24.0", "20.9.3"] {
            assert_eq!(level(Engine::Stasis, version), Level::Advice, "{version}");
            assert_eq!(level(Engine::Agi, version), Level::Ok, "{version}");
        }
        for version in ["18.25.0", "20.10.0", "22.10.1"] {
            assert_eq!(level(Engine::Stasis, version), Level::Ok, "{version}");
        }
    }
}
