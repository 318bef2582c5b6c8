//! The arguments of `Dial()`.

use std::fmt;

use super::nesting::{find_top_level, split_top_level};

/// What stands between the parentheses of `Dial(targets,timeout,options,URL)`, each argument verbatim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// The first argument: one target, or several joined by `&`.
    pub targets: String,
    /// The second argument, seconds; may be a variable, empty when it is not given.
    pub timeout: String,
    /// The dial options, empty when there are none.
    pub options: String,
    /// The URL for the called channel, empty when there is none.
    pub url: String,
}

/// Why `Dial()` arguments cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The first argument is empty.
    #[error("Dial() names nothing to dial")]
    NoTarget,
}

impl DialError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoTarget => "dial_no_target",
        }
    }
}

impl Dial {
    /// Reads the arguments. They are separated by `,`, or by the legacy `|` where no comma stands outside of brackets.
    ///
    /// # Errors
    ///
    /// When the first argument is empty.
    pub fn parse(arguments: &str) -> Result<Self, DialError> {
        let separator = if find_top_level(arguments, ',').is_some() {
            ','
        } else {
            '|'
        };
        let mut rest = Some(arguments);
        let mut next_argument = || {
            let text = rest?;
            match find_top_level(text, separator) {
                Some(at) => {
                    rest = Some(&text[at + 1..]);
                    Some(text[..at].trim())
                }
                None => {
                    rest = None;
                    Some(text.trim())
                }
            }
        };
        let mut argument = || next_argument().unwrap_or_default().to_owned();
        let (targets, timeout, options) = (argument(), argument(), argument());
        let url = rest.unwrap_or_default().trim().to_owned();
        if targets.is_empty() {
            Err(DialError::NoTarget)
        } else {
            Ok(Self {
                targets,
                timeout,
                options,
                url,
            })
        }
    }

    /// The targets, which are dialled all at once.
    pub fn targets(&self) -> Vec<&str> {
        split_top_level(&self.targets, '&')
    }
}

impl fmt::Display for Dial {
    /// The arguments with commas between them, without empty ones at the end; reading them back gives an equal `Dial`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments = [&self.targets, &self.timeout, &self.options, &self.url].map(String::as_str);
        f.write_str(arguments.join(",").trim_end_matches(','))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn dial(targets: &str, timeout: &str, options: &str, url: &str) -> Result<Dial, DialError> {
        Ok(Dial {
            targets: targets.into(),
            timeout: timeout.into(),
            options: options.into(),
            url: url.into(),
        })
    }

    #[test]
    fn commas_separate_and_missing_arguments_are_empty() {
        assert_eq!(
            Dial::parse("SIP/a/1,${CAMPDTO},To"),
            dial("SIP/a/1", "${CAMPDTO}", "To", "")
        );
        assert_eq!(Dial::parse("SIP/a/1"), dial("SIP/a/1", "", "", ""));
        assert_eq!(Dial::parse("SIP/a/1,,o"), dial("SIP/a/1", "", "o", ""));
        assert_eq!(
            Dial::parse("SIP/a/1, 20 , o,http://a,b"),
            dial("SIP/a/1", "20", "o", "http://a,b")
        );
    }

    #[test]
    fn commas_inside_brackets_belong_to_the_argument() {
        assert_eq!(
            Dial::parse("SIP/${FILTER(0-9,${EXTEN})}@a,20,U(sub,s,1)b(c^s^1(x,y))o"),
            dial("SIP/${FILTER(0-9,${EXTEN})}@a", "20", "U(sub,s,1)b(c^s^1(x,y))o", "")
        );
    }

    #[test]
    fn the_legacy_separator_is_a_bar() {
        assert_eq!(Dial::parse("SIP/a/1|55|o"), dial("SIP/a/1", "55", "o", ""));
    }

    #[test]
    fn several_targets_are_told_apart() {
        assert_eq!(
            Dial::parse("SIP/a/1&SIP/b/1,20").unwrap().targets(),
            ["SIP/a/1", "SIP/b/1"]
        );
    }

    #[test]
    fn nothing_to_dial_is_an_error() {
        assert_eq!(Dial::parse(" ,20"), Err(DialError::NoTarget));
        assert_eq!(Dial::parse(""), Err(DialError::NoTarget));
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_reads_back_equal(
            targets in "(PJSIP|SIP)/[0-9+]{0,3}\\$\\{EXTEN:1\\}@[a-z&/]{0,5}[a-z]", timeout in "(|[0-9]{1,2}|\\$\\{CAMPDTO\\})",
            options in "(|T?o(L\\(1:2,x\\))?(b\\(a\\^s\\^1\\))?)", url in "(|http://[a-z,]{0,5}[a-z])",
        ) {
            let dial = Dial { targets, timeout, options, url };
            prop_assert_eq!(Dial::parse(&dial.to_string()), Ok(dial));
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,40}", dialish in "[a&|,(){}$\\[\\]\" ]{0,20}") {
            let _ = Dial::parse(&text).map(|dial| dial.targets().len());
            let _ = Dial::parse(&dialish).map(|dial| dial.targets().len());
        }
    }
}
