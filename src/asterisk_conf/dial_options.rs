//! The options of `Dial()`: letters, some with an argument in parentheses.

use std::fmt;

/// One option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialOption {
    /// The letter; Asterisk tells upper from lower case.
    pub letter: char,
    /// What stands in the parentheses behind it, verbatim.
    pub argument: Option<String>,
}

/// Why the options of `Dial()` cannot be told apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialOptionsError {
    /// A variable holds options, and what it holds is known only while the call runs.
    #[error("a variable among the Dial options: {options:?}")]
    Variable {
        /// The options as written.
        options: String,
    },
    /// An argument is never closed.
    #[error("a closing parenthesis is missing in the Dial options: {options:?}")]
    Unclosed {
        /// The options as written.
        options: String,
    },
}

impl DialOptionsError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Variable { .. } => "dial_options_variable",
            Self::Unclosed { .. } => "dial_options_unclosed",
        }
    }
}

impl DialOption {
    /// Reads the third argument of `Dial()`. Blanks between options count for nothing, nor does a parenthesis that no option
    /// stands before, with what is in it.
    ///
    /// # Errors
    ///
    /// When a variable stands outside of any option's argument, or an argument is never closed.
    pub fn parse_all(options: &str) -> Result<Vec<Self>, DialOptionsError> {
        let mut read: Vec<Self> = Vec::new();
        let mut rest = options;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            if letter == '$' {
                return Err(DialOptionsError::Variable {
                    options: options.to_owned(),
                });
            }
            let argument = match rest.strip_prefix('(') {
                Some(inner) => {
                    let end = closing_parenthesis(inner).ok_or_else(|| DialOptionsError::Unclosed {
                        options: options.to_owned(),
                    })?;
                    rest = &inner[end + 1..];
                    Some(inner[..end].to_owned())
                }
                None => None,
            };
            if !letter.is_whitespace() && letter != '(' {
                read.push(Self { letter, argument });
            }
        }
        Ok(read)
    }
}

impl fmt::Display for DialOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.letter)?;
        match &self.argument {
            Some(argument) => write!(f, "({argument})"),
            None => Ok(()),
        }
    }
}

/// Where the parenthesis that was opened before `text` is closed.
fn closing_parenthesis(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn option(letter: char, argument: Option<&str>) -> DialOption {
        DialOption {
            letter,
            argument: argument.map(str::to_owned),
        }
    }

    #[test]
    fn letters_and_arguments_are_told_apart() {
        assert_eq!(DialOption::parse_all(""), Ok(vec![]));
        assert_eq!(
            DialOption::parse_all("To"),
            Ok(vec![option('T', None), option('o', None)])
        );
        assert_eq!(
            DialOption::parse_all("tL(60000:30000) U(sub^a(b)^${X})r()"),
            Ok(vec![
                option('t', None),
                option('L', Some("60000:30000")),
                option('U', Some("sub^a(b)^${X}")),
                option('r', Some("")),
            ])
        );
    }

    #[test]
    fn parentheses_that_belong_to_no_option_count_for_nothing() {
        let to = || Ok(vec![option('T', None), option('o', None)]);
        assert_eq!(DialOption::parse_all("T (x)o"), to());
        assert_eq!(DialOption::parse_all("(T (x)(o"), to());
    }

    #[test]
    fn what_cannot_be_told_apart_is_named() {
        let code = |options| DialOption::parse_all(options).map_err(|error| error.code());
        assert_eq!(code("T${MORE}"), Err("dial_options_variable"));
        assert_eq!(code("L(60(1)"), Err("dial_options_unclosed"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_reads_back_equal(
            options in proptest::collection::vec(
                ("[A-Za-z]", proptest::option::of("([a-z0-9:^,]|\\$\\{[A-Z]{1,3}\\}|\\([a-z]{0,3}\\)){0,5}")), 0..6,
            ),
        ) {
            let options: Vec<_> = options
                .into_iter()
                .filter_map(|(letter, argument)| Some(DialOption { letter: letter.chars().next()?, argument }))
                .collect();
            let written: String = options.iter().map(ToString::to_string).collect();
            prop_assert_eq!(DialOption::parse_all(&written), Ok(options));
        }

        #[test]
        fn what_is_read_reads_back_equal(text in "[TL() a]{0,12}") {
            if let Ok(options) = DialOption::parse_all(&text) {
                let written: String = options.iter().map(ToString::to_string).collect();
                prop_assert_eq!(DialOption::parse_all(&written), Ok(options));
            }
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,30}", other in "[TL(){}$ é]{0,15}") {
            let _ = DialOption::parse_all(&text);
            let _ = DialOption::parse_all(&other);
        }
    }
}
