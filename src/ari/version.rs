//! Asterisk's version texts, and what each version can do.
//!
//! Abilities are read from the version once, at connect: an operation tried on a live call is no way to find out.

use std::cmp::Ordering;
use std::fmt;

/// The version that Asterisk reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    text: String,
    release: Release,
}

/// What the version text says about the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Release {
    /// `22.10.1`, or the release that a certified version was made from.
    Number { major: u16, minor: u16, patch: u16 },
    /// Built from the development branch: newer than every release known here.
    Development,
    /// The text says nothing usable: taken as the oldest.
    Unknown,
}

impl Version {
    /// Reads `22.10.1`, `16.28.0~dfsg-0+deb11u4`, `certified/18.9-cert5`, `certified-20.7-cert3` or `GIT-22-0a1b2c3`.
    ///
    /// It never fails: a text that it cannot read stands for an Asterisk with no newer abilities.
    pub fn parse(text: &str) -> Self {
        let release = if text.starts_with("GIT-master") {
            Release::Development
        } else {
            let number = ["certified/", "certified-", "GIT-"]
                .iter()
                .find_map(|prefix| text.strip_prefix(prefix));
            numbers(number.unwrap_or(text))
        };
        Self {
            text: text.to_owned(),
            release,
        }
    }

    /// The text as Asterisk gave it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The major version, for example 22; `None` for a development or unreadable version.
    pub const fn major(&self) -> Option<u16> {
        match self.release {
            Release::Number { major, .. } => Some(major),
            Release::Development | Release::Unknown => None,
        }
    }

    /// What this version can do.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities::of(self.release)
    }

    /// What an operator should know of this version.
    pub fn advisories(&self) -> Vec<Advisory> {
        let mut advisories = Vec::new();
        let major = match self.release {
            Release::Number { major, .. } => major,
            Release::Unknown => {
                advisories.push(Advisory::UNREADABLE);
                return advisories;
            }
            Release::Development => return advisories,
        };
        // 17, 19 and 21 were short-lived; 16 got its last fixes in October 2023, 18 and 21 in October 2025.
        if major < 16 {
            advisories.push(Advisory::UNSUPPORTED);
        } else if major < 20 || major == 21 {
            advisories.push(Advisory::END_OF_LIFE);
        }
        advisories
    }
}

/// Something about an Asterisk version that an operator should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advisory {
    /// A stable name.
    pub code: &'static str,
    /// What is so.
    pub what: &'static str,
    /// What to do about it.
    pub advice: &'static str,
}

impl Advisory {
    const UNREADABLE: Self = Self {
        code: "version_unreadable",
        what: "the version text says nothing: it is taken for the oldest, with every work-around in force",
        advice: "build Asterisk from a released version",
    };
    const UNSUPPORTED: Self = Self {
        code: "version_unsupported",
        what: "older than Asterisk 16, with which crankback was never tried",
        advice: "upgrade Asterisk to 20 or 22",
    };
    const END_OF_LIFE: Self = Self {
        code: "version_end_of_life",
        what: "end of life: it gets no more fixes, security fixes included",
        advice: "upgrade Asterisk to 20 or 22",
    };
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The leading `major.minor.patch` of a text; what is missing counts as 0.
fn numbers(text: &str) -> Release {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let mut parts = text[..end].split('.').map_while(|part| part.parse::<u16>().ok());
    match parts.next() {
        Some(major) => Release::Number {
            major,
            minor: parts.next().unwrap_or(0),
            patch: parts.next().unwrap_or(0),
        },
        None => Release::Unknown,
    }
}

/// What an Asterisk version can do, and which of its faults must be worked around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// `POST /channels/create` takes `variables`.
    pub create_variables: bool,
    /// `DELETE /channels/{id}` takes `reason_code`, a Q.850 cause; before, only the named `reason`s.
    pub hangup_reason_code: bool,
    /// `PUT /applications/{app}/eventFilter` exists.
    pub event_filter: bool,
    /// `addChannel` takes `inhibitConnectedLineUpdates`.
    pub inhibit_connected_line_updates: bool,
    /// Channels carry `protocol_id`, for SIP the Call-ID.
    pub protocol_id: bool,
    /// A command on a channel outside a bridge is carried out at once; before, it may wait 200 ms.
    pub fast_unbridged_commands: bool,
    /// `POST /channels/{id}/progress` exists.
    pub progress: bool,
    /// Hangup events carry `tech_cause`, for SIP the response code.
    pub tech_cause: bool,
    /// `tech_cause` is the code that the far end really sent; the first versions that have the field may invent it.
    pub tech_cause_exact: bool,
    /// `ChannelHangupRequest` always carries a cause.
    pub hangup_request_cause: bool,
    /// A leg whose `dial` timed out ends with cause 19 (no answer); before, with 16 (normal).
    pub dial_timeout_cause: bool,
    /// A leg whose `originate` timed out ends with cause 19 (no answer); before, with 0 (unknown).
    pub originate_timeout_cause: bool,
    /// A `Reason: Q.850` header in a SIP failure replaces the cause that belongs to the response code.
    pub reason_header_overrides_cause: bool,
    /// Setting a variable over ARI forbids the channel's dialplan every function that Asterisk calls dangerous.
    pub setvar_inhibits_functions: bool,
}

/// The first release of each long-term branch that has a feature; `None` where it never came.
struct Since {
    v16: Option<(u16, u16)>,
    v18: Option<(u16, u16)>,
    v20: Option<(u16, u16)>,
    v22: Option<(u16, u16)>,
}

impl Since {
    /// In no release of 16 or 18.
    const fn v20_v22(v20: (u16, u16), v22: (u16, u16)) -> Self {
        Self {
            v16: None,
            v18: None,
            v20: Some(v20),
            v22: Some(v22),
        }
    }

    /// In every release from 18.0 on.
    const fn v18() -> Self {
        Self::with_v16(None)
    }

    /// In every release from 18.0 on, and in 16 from the given release on.
    const fn with_v16(v16: Option<(u16, u16)>) -> Self {
        Self {
            v16,
            v18: Some((0, 0)),
            v20: Some((0, 0)),
            v22: Some((0, 0)),
        }
    }

    fn includes(&self, release: Release) -> bool {
        let (major, minor, patch) = match release {
            Release::Number { major, minor, patch } => (major, minor, patch),
            Release::Development => return true,
            Release::Unknown => return false,
        };
        let first = |since: Option<(u16, u16)>, minor: u16| {
            since.is_some_and(|since| since.cmp(&(minor, patch)) != Ordering::Greater)
        };
        // A standard branch (17, 19, 21, 23) was cut from the long-term branch before it and released in step with it,
        // so its releases count as that branch's releases of the same month.
        match major {
            0..=15 => false,
            16 => first(self.v16, minor),
            17 => first(self.v16, minor + 6),
            18 => first(self.v18, minor),
            19 => first(self.v18, minor + 8),
            20 => first(self.v20, minor),
            21 => first(self.v20, minor + 5),
            22 => first(self.v22, minor),
            23 => first(self.v22, minor + 6),
            24.. => self.v22.is_some(),
        }
    }
}

impl Capabilities {
    fn of(release: Release) -> Self {
        let has = |since: Since| since.includes(release);
        Self {
            create_variables: has(Since::with_v16(Some((11, 0)))),
            hangup_reason_code: has(Since::v18()),
            event_filter: has(Since::with_v16(Some((3, 0)))),
            inhibit_connected_line_updates: has(Since::v18()),
            protocol_id: has(Since {
                v18: Some((13, 0)),
                ..Since::with_v16(Some((27, 0)))
            }),
            fast_unbridged_commands: has(Since {
                v18: Some((25, 0)),
                ..Since::v20_v22((10, 0), (0, 0))
            }),
            progress: has(Since::v20_v22((16, 0), (6, 0))),
            tech_cause: has(Since::v20_v22((17, 0), (7, 0))),
            tech_cause_exact: has(Since::v20_v22((19, 0), (9, 0))),
            hangup_request_cause: has(Since::v20_v22((14, 0), (4, 0))),
            dial_timeout_cause: has(Since::v20_v22((14, 0), (4, 0))),
            originate_timeout_cause: has(Since::v20_v22((18, 0), (8, 0))),
            reason_header_overrides_cause: !has(Since::v20_v22((18, 0), (8, 0))),
            setvar_inhibits_functions: has(Since::v20_v22((20, 1), (10, 1))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities(text: &str) -> Capabilities {
        Version::parse(text).capabilities()
    }

    #[test]
    fn version_texts() {
        for (text, major, minor, patch) in [
            ("22.10.1", 22, 10, 1),
            ("22.10.1+dfsg+~cs6.17.60671434-1", 22, 10, 1),
            ("16.28.0~dfsg-0+deb11u4", 16, 28, 0),
            ("certified/18.9-cert5", 18, 9, 0),
            ("certified-20.7-cert3", 20, 7, 0),
            ("18.9-cert5", 18, 9, 0),
            ("GIT-22-0a1b2c3d", 22, 0, 0),
            ("GIT-20.5.0-deadbeef", 20, 5, 0),
            ("23.4.1-rc1", 23, 4, 1),
        ] {
            assert_eq!(
                Version::parse(text).release,
                Release::Number { major, minor, patch },
                "{text}"
            );
        }
        assert_eq!(Version::parse("GIT-master-0a1b2c3d").release, Release::Development);
        for text in ["", "UNKNOWN__and_probably_unsupported", "SVN-trunk-r1", "99999999.1"] {
            assert_eq!(Version::parse(text).release, Release::Unknown, "{text}");
        }
    }

    #[test]
    fn the_two_versions_of_the_lab() {
        let old = capabilities("16.28.0~dfsg-0+deb11u4");
        assert!(old.create_variables && old.event_filter && old.protocol_id && old.reason_header_overrides_cause);
        assert!(!old.hangup_reason_code && !old.inhibit_connected_line_updates && !old.fast_unbridged_commands);
        assert!(!old.progress && !old.tech_cause && !old.hangup_request_cause && !old.setvar_inhibits_functions);

        let new = capabilities("22.10.1");
        assert!(new.create_variables && new.event_filter && new.protocol_id && !new.reason_header_overrides_cause);
        assert!(new.hangup_reason_code && new.inhibit_connected_line_updates && new.fast_unbridged_commands);
        assert!(new.progress && new.tech_cause && new.tech_cause_exact && new.hangup_request_cause);
        assert!(new.dial_timeout_cause && new.originate_timeout_cause && new.setvar_inhibits_functions);
    }

    #[test]
    fn features_begin_with_the_release_that_brought_them() {
        type Flag = fn(&Capabilities) -> bool;
        let edges: [(Flag, &str, &str); 12] = [
            (|c| c.create_variables, "16.10.0", "16.11.0"),
            (|c| c.event_filter, "16.2.1", "16.3.0"),
            (|c| c.hangup_reason_code, "17.9.4", "18.0.0"),
            (|c| c.protocol_id, "18.12.1", "18.13.0"),
            (|c| c.fast_unbridged_commands, "18.24.0", "18.25.0"),
            (|c| c.fast_unbridged_commands, "20.9.3", "20.10.0"),
            (|c| c.progress, "22.5.2", "22.6.0"),
            (|c| c.tech_cause, "20.16.0", "20.17.0"),
            (|c| c.tech_cause_exact, "22.8.2", "22.9.0"),
            (|c| c.setvar_inhibits_functions, "22.10.0", "22.10.1"),
            (|c| c.setvar_inhibits_functions, "23.4.0", "23.4.1"),
            (|c| c.fast_unbridged_commands, "21.4.0", "21.5.0"),
        ];
        for (flag, before, from) in edges {
            assert!(!flag(&capabilities(before)), "{before}");
            assert!(flag(&capabilities(from)), "{from}");
        }
    }

    #[test]
    fn operators_are_told_of_old_versions() {
        let codes = |text: &str| -> Vec<&str> {
            let advisories = Version::parse(text).advisories();
            advisories.iter().map(|advisory| advisory.code).collect()
        };
        const OLD: &str = "version_end_of_life";
        for (text, expected) in [
            ("13.38.3", vec!["version_unsupported"]),
            ("16.28.0~dfsg-0+deb11u4", vec![OLD]),
            ("18.26.4", vec![OLD]),
            ("20.20.1", vec![]),
            ("21.12.0", vec![OLD]),
            ("22.10.1", vec![]),
            ("certified-20.7-cert3", vec![]),
            ("GIT-master-0a1b2c3d", vec![]),
            ("?", vec!["version_unreadable"]),
        ] {
            assert_eq!(codes(text), expected, "{text}");
        }
    }

    #[test]
    fn an_unreadable_version_has_nothing_and_the_development_branch_everything() {
        assert_eq!(capabilities("?"), capabilities("13.38.3"));
        assert!(!capabilities("?").event_filter);
        assert!(capabilities("GIT-master-0a1b2c3d").progress && capabilities("24.0.0").progress);
    }
}
