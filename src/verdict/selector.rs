//! Which answers an override is about.

use std::fmt;

use super::cause_names::{cause_named, name_of_cause};
use super::phrase::PhrasePattern;

/// What stands before a phrase pattern.
const PHRASE: &str = "phrase:";

/// Which answers of a carrier an override is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// A final response whose reason phrase holds the pattern: `phrase:not sold here`.
    Phrase(PhrasePattern),
    /// One final SIP response, 300 to 699: `503`.
    Code(u16),
    /// A Q.850 cause, 1 to 127, by number or name: `34`, `NORMAL_CIRCUIT_CONGESTION`.
    Cause(u8),
    /// All final responses of a hundred, 3 to 6: `5xx`.
    Class(u8),
}

impl Selector {
    /// Reads what an operator wrote; `None` if it is none of the four.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(start) = text.get(..PHRASE.len())
            && start.eq_ignore_ascii_case(PHRASE)
        {
            return PhrasePattern::parse(&text[PHRASE.len()..]).map(Self::Phrase);
        }
        if let Ok(number) = text.parse::<u16>() {
            return match number {
                300..=699 => Some(Self::Code(number)),
                1..=127 => u8::try_from(number).ok().map(Self::Cause),
                _ => None,
            };
        }
        match text.as_bytes() {
            [class @ b'3'..=b'6', b'x' | b'X', b'x' | b'X'] => Some(Self::Class(class - b'0')),
            _ => cause_named(text).map(Self::Cause),
        }
    }

    /// The order in which the overrides of a carrier are asked: a phrase says more than a code, a code more than the cause that
    /// Asterisk made of it, a cause more than a class; a longer pattern more than a shorter one.
    pub(super) fn rank(&self) -> (u8, usize) {
        match self {
            Self::Phrase(pattern) => (0, usize::MAX - pattern.to_string().len()),
            Self::Code(_) => (1, 0),
            Self::Cause(_) => (2, 0),
            Self::Class(_) => (3, 0),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phrase(pattern) => write!(f, "{PHRASE}{pattern}"),
            Self::Code(code) => write!(f, "{code}"),
            Self::Cause(cause) => match name_of_cause(*cause) {
                Some(name) => f.write_str(name),
                None => write!(f, "{cause}"),
            },
            Self::Class(class) => write!(f, "{class}xx"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_codes_classes_causes_and_phrases_and_writes_them_back() {
        for (text, written) in [
            ("503", Some("503")),
            (" 5XX ", Some("5xx")),
            ("34", Some("NORMAL_CIRCUIT_CONGESTION")),
            ("normal_circuit_congestion", Some("NORMAL_CIRCUIT_CONGESTION")),
            ("36", Some("36")),
            ("Phrase: not sold*", Some("phrase:not sold*")),
            ("200", None),
            ("128", None),
            ("700", None),
            ("2xx", None),
            ("phrase:*", None),
            ("phrase", None),
            ("größer", None),
            ("", None),
        ] {
            let read = Selector::parse(text).map(|selector| selector.to_string());
            assert_eq!(read.as_deref(), written, "{text:?}");
        }
    }
}
