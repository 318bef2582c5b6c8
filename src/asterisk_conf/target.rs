//! One target of `Dial()`: a channel driver, a peer, and the number that is asked for.

use super::nesting::find_top_level;

/// The channel drivers whose targets are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelDriver {
    /// `chan_sip`.
    Sip,
    /// `chan_pjsip`.
    Pjsip,
    /// `chan_iax2`.
    Iax2,
}

/// What is dialled through a peer: `SIP/number@peer`, `SIP/peer/number`, `PJSIP/number@peer`,
/// `PJSIP/peer/sip:number@host`, `IAX2/peer/number` or `IAX2/user:secret@host/number`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The channel driver.
    pub driver: ChannelDriver,
    /// The endpoint or peer; for IAX2 with user and secret where they are written.
    pub peer: String,
    /// The number.
    pub number: NumberExpression,
    /// The host of the request URI, where the target spells it out (`PJSIP/peer/sip:number@host`).
    pub uri_host: Option<String>,
}

/// What a target makes of the dialled extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberExpression {
    /// `prefix${EXTEN:strip}`.
    Extension {
        /// Put before the rest.
        prefix: String,
        /// Characters dropped from the front.
        strip: usize,
    },
    /// Always the same number, or one that is already expanded.
    Fixed(String),
}

/// Why a target is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Several targets joined by `&`.
    #[error("several targets are dialled at once with &")]
    Several,
    /// No `SIP/`, `PJSIP/` or `IAX2/` at the start.
    #[error("{word:?} is no channel driver that is understood (SIP, PJSIP, IAX2)")]
    Driver {
        /// The word before the first slash.
        word: String,
    },
    /// A variable that is neither `EXTEN` nor a known global.
    #[error("variable ${{{name}}} is not known")]
    Variable {
        /// What stands between the braces.
        name: String,
    },
    /// `${EXTEN:offset:length}`.
    #[error("${{EXTEN:{arguments}}} cuts the number to a length, which is not supported")]
    LengthForm {
        /// What stands after the first colon.
        arguments: String,
    },
    /// `${EXTEN:offset}` with an offset that is not a plain count.
    #[error("${{EXTEN:{offset}}} has an offset that is not a plain count")]
    Offset {
        /// The offset as written.
        offset: String,
    },
    /// Text after `${EXTEN}`.
    #[error("text after the dialled number: {text:?}")]
    TextAfterNumber {
        /// The text.
        text: String,
    },
    /// The target has no number.
    #[error("the target has no number")]
    NoNumber,
    /// The name of the peer is empty or contains something that no peer name does.
    #[error("{peer:?} is no peer name")]
    Peer {
        /// The name as written.
        peer: String,
    },
}

impl TargetError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Several => "target_several",
            Self::Driver { .. } => "target_driver",
            Self::Variable { .. } => "target_variable",
            Self::LengthForm { .. } => "target_length_form",
            Self::Offset { .. } => "target_offset",
            Self::TextAfterNumber { .. } => "target_text_after_number",
            Self::NoNumber => "target_no_number",
            Self::Peer { .. } => "target_peer",
        }
    }
}

impl Target {
    /// Reads one target. Globals must be expanded before; `${EXTEN}` is the only variable that may be left.
    ///
    /// # Errors
    ///
    /// When the target is none of the forms named at [`Target`].
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let text = text.trim();
        if find_top_level(text, '&').is_some() {
            return Err(TargetError::Several);
        }
        refuse_other_variables(text)?;
        let (word, resource) = split_at_slash(text).unwrap_or((text, ""));
        let driver = match word.to_ascii_uppercase().as_str() {
            "SIP" => ChannelDriver::Sip,
            "PJSIP" => ChannelDriver::Pjsip,
            "IAX2" => ChannelDriver::Iax2,
            _ => return Err(TargetError::Driver { word: word.to_owned() }),
        };
        let (peer, number, uri_host) = match (driver, split_at_slash(resource)) {
            (ChannelDriver::Pjsip, Some((peer, uri))) => {
                let address = uri.strip_prefix("sip:").or_else(|| uri.strip_prefix("sips:"));
                let (number, host) = address
                    .and_then(|address| address.rsplit_once('@'))
                    .ok_or(TargetError::NoNumber)?;
                (peer, number, Some(host_name(host)?))
            }
            (ChannelDriver::Sip | ChannelDriver::Iax2, Some((peer, number))) => (peer, number, None),
            (ChannelDriver::Sip | ChannelDriver::Pjsip, None) => {
                let (number, peer) = resource.rsplit_once('@').ok_or(TargetError::NoNumber)?;
                (peer, number, None)
            }
            (ChannelDriver::Iax2, None) => return Err(TargetError::NoNumber),
        };
        Ok(Self {
            driver,
            peer: host_name(peer)?,
            number: NumberExpression::parse(number)?,
            uri_host,
        })
    }
}

impl NumberExpression {
    /// Reads `1${EXTEN:2}`, `${EXTEN}`, `+${EXTEN:1}` or a number without any variable.
    ///
    /// # Errors
    ///
    /// When there is another variable, a length, a negative offset, or text after the number.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        if text.is_empty() {
            return Err(TargetError::NoNumber);
        }
        let Some((prefix, rest)) = text.split_once("${") else {
            return match text.find(|character: char| !is_number_character(character)) {
                Some(at) => Err(TargetError::TextAfterNumber {
                    text: text[at..].to_owned(),
                }),
                None => Ok(Self::Fixed(text.to_owned())),
            };
        };
        let (variable, after) = rest
            .split_once('}')
            .ok_or_else(|| TargetError::Variable { name: rest.to_owned() })?;
        let strip = match variable.strip_prefix("EXTEN") {
            Some("") => 0,
            Some(arguments) => parse_offset(arguments)?,
            None => {
                return Err(TargetError::Variable {
                    name: variable.to_owned(),
                });
            }
        };
        if !after.is_empty() {
            return Err(TargetError::TextAfterNumber { text: after.to_owned() });
        }
        if !prefix.chars().all(is_number_character) {
            return Err(TargetError::TextAfterNumber {
                text: prefix.to_owned(),
            });
        }
        Ok(Self::Extension {
            prefix: prefix.to_owned(),
            strip,
        })
    }
}

/// `arguments` starts with the colon.
fn parse_offset(arguments: &str) -> Result<usize, TargetError> {
    let Some(offset) = arguments.strip_prefix(':') else {
        return Err(TargetError::Variable {
            name: format!("EXTEN{arguments}"),
        });
    };
    if offset.contains(':') {
        return Err(TargetError::LengthForm {
            arguments: offset.to_owned(),
        });
    }
    let plain_count = !offset.is_empty() && offset.bytes().all(|digit| digit.is_ascii_digit());
    plain_count
        .then(|| offset.parse().ok())
        .flatten()
        .ok_or_else(|| TargetError::Offset {
            offset: offset.to_owned(),
        })
}

/// Says which variable stands in the way, before the text around it makes no sense.
fn refuse_other_variables(text: &str) -> Result<(), TargetError> {
    for (at, _) in text.match_indices('$') {
        let expression = &text[at..];
        let inner = expression.strip_prefix("${").unwrap_or(expression);
        // A variable within it has its own turn.
        let head = &inner[..inner.find(['}', '$']).unwrap_or(inner.len())];
        if !expression.starts_with("${") || !(head == "EXTEN" || head.starts_with("EXTEN:")) {
            let name = &inner[..find_top_level(inner, '}').unwrap_or(inner.len())];
            return Err(TargetError::Variable { name: name.to_owned() });
        }
    }
    Ok(())
}

fn split_at_slash(text: &str) -> Option<(&str, &str)> {
    let at = find_top_level(text, '/')?;
    Some((&text[..at], &text[at + 1..]))
}

fn host_name(text: &str) -> Result<String, TargetError> {
    let valid = !text.is_empty()
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "-_.:@[]+%".contains(character));
    if valid {
        Ok(text.to_owned())
    } else {
        Err(TargetError::Peer { peer: text.to_owned() })
    }
}

/// Digits, and what carriers put before them: `+`, `*`, `#`, letters and dashes of technical prefixes.
fn is_number_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "+*#-_.".contains(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    /// Half a million characters: read once, not once for each variable.
    #[test]
    fn variables_that_are_never_closed_cost_their_own_length() {
        for variable in ["${EXTEN:(", "${EXTEN:${EXTEN:"] {
            let error = Target::parse(&format!("SIP/{}@a", variable.repeat(50_000))).unwrap_err();
            assert_eq!(error.code(), "target_variable");
        }
    }

    fn extension(prefix: &str, strip: usize) -> NumberExpression {
        NumberExpression::Extension {
            prefix: prefix.into(),
            strip,
        }
    }

    fn target(driver: ChannelDriver, peer: &str, number: NumberExpression) -> Result<Target, TargetError> {
        Ok(Target {
            driver,
            peer: peer.into(),
            number,
            uri_host: None,
        })
    }

    #[test]
    fn every_form_is_read() {
        use ChannelDriver::{Iax2, Pjsip, Sip};
        assert_eq!(
            Target::parse("SIP/${EXTEN:1}@peer"),
            target(Sip, "peer", extension("", 1))
        );
        assert_eq!(
            Target::parse("sip/peer/${EXTEN}"),
            target(Sip, "peer", extension("", 0))
        );
        assert_eq!(
            Target::parse("PJSIP/1${EXTEN:2}@peer"),
            target(Pjsip, "peer", extension("1", 2))
        );
        assert_eq!(
            Target::parse("IAX2/peer/+${EXTEN:1}"),
            target(Iax2, "peer", extension("+", 1))
        );
        assert_eq!(
            Target::parse("IAX2/user:secret@192.0.2.1/${EXTEN:2}"),
            target(Iax2, "user:secret@192.0.2.1", extension("", 2))
        );
        assert_eq!(
            Target::parse("SIP/peer/12125550100"),
            target(Sip, "peer", NumberExpression::Fixed("12125550100".into()))
        );
        assert_eq!(
            Target::parse("PJSIP/peer/sip:${EXTEN:1}@192.0.2.1:5070"),
            Ok(Target {
                driver: Pjsip,
                peer: "peer".into(),
                number: extension("", 1),
                uri_host: Some("192.0.2.1:5070".into())
            })
        );
    }

    #[test]
    fn refusals_have_names() {
        let error = |text: &str| Target::parse(text).unwrap_err();
        assert_eq!(error("SIP/a/1&SIP/b/1"), TargetError::Several);
        assert_eq!(
            error("DAHDI/g1/${EXTEN:1}"),
            TargetError::Driver { word: "DAHDI".into() }
        );
        assert_eq!(
            error("${TRUNK}/${EXTEN:1}"),
            TargetError::Variable { name: "TRUNK".into() }
        );
        assert_eq!(
            error("SIP/${FILTER(0-9,${EXTEN})}@a"),
            TargetError::Variable {
                name: "FILTER(0-9,${EXTEN})".into()
            }
        );
        assert_eq!(
            error("SIP/${EXTEN:1:10}@a"),
            TargetError::LengthForm {
                arguments: "1:10".into()
            }
        );
        assert_eq!(
            error("SIP/${EXTEN:-10}@a"),
            TargetError::Offset { offset: "-10".into() }
        );
        assert_eq!(
            error("SIP/${EXTEN:99999999999999999999}@a"),
            TargetError::Offset {
                offset: "99999999999999999999".into()
            }
        );
        assert_eq!(
            error("SIP/${EXTEN:1}99@a"),
            TargetError::TextAfterNumber { text: "99".into() }
        );
        assert_eq!(
            error("SIP/${EXTENSION}@a"),
            TargetError::Variable {
                name: "EXTENSION".into()
            }
        );
        assert_eq!(error("SIP/peer"), TargetError::NoNumber);
        assert_eq!(error("PJSIP/peer"), TargetError::NoNumber);
        assert_eq!(error("IAX2/peer"), TargetError::NoNumber);
        assert_eq!(error("SIP/${EXTEN}@"), TargetError::Peer { peer: String::new() });
        assert_eq!(error("SIP/${EXTEN}@a b"), TargetError::Peer { peer: "a b".into() });
        assert_eq!(
            error("IAX2/peer/${EXTEN}@context"),
            TargetError::TextAfterNumber {
                text: "@context".into()
            }
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,40}", rest in "[$/{}:@EXTN0-9+\\[(&,)]{0,30}") {
            let _ = Target::parse(&text);
            for driver in ["SIP/", "PJSIP/", "IAX2/", "PJSIP/peer/sip:"] {
                let _ = Target::parse(&format!("{driver}{rest}"));
            }
        }

        #[test]
        fn what_was_written_is_what_is_read(prefix in "[0-9+*#]{0,4}", strip in 0_usize..20, peer in "[A-Za-z][A-Za-z0-9_.-]{0,14}") {
            let read = Target::parse(&format!("PJSIP/{prefix}${{EXTEN:{strip}}}@{peer}")).unwrap();
            prop_assert_eq!(read.peer, peer);
            prop_assert_eq!(read.number, extension(&prefix, strip));
        }
    }
}
