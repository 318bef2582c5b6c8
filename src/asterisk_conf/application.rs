//! An application with its arguments, as the last field of an `exten` line has it.

use std::fmt;

use super::nesting::find_top_level;

/// A dialplan application and the text of its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The name as written.
    pub name: String,
    /// Everything between the outer parentheses, verbatim; empty when there are none.
    pub arguments: String,
}

/// Why a text is no application.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplicationError {
    /// Nothing stands where the name belongs.
    #[error("no application")]
    NoName,
    /// An opening parenthesis is never closed.
    #[error("a closing parenthesis is missing")]
    Unclosed,
    /// Text after the closing parenthesis.
    #[error("text after the closing parenthesis: {text:?}")]
    TextAfter {
        /// The text.
        text: String,
    },
}

impl ApplicationError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoName => "application_no_name",
            Self::Unclosed => "application_unclosed",
            Self::TextAfter { .. } => "application_text_after",
        }
    }
}

impl Application {
    /// Reads `Name(arguments)`, `Name` or the legacy `Name,arguments` and `Name|arguments`.
    ///
    /// # Errors
    ///
    /// When there is no name, or the parentheses do not fit.
    pub fn parse(text: &str) -> Result<Self, ApplicationError> {
        let text = text.trim();
        let name_end = text.find(['(', ',', '|']).unwrap_or(text.len());
        let (name, rest) = text.split_at(name_end);
        let name = name.trim_end().to_owned();
        if name.is_empty() {
            return Err(ApplicationError::NoName);
        }
        let (arguments, after) = match rest.strip_prefix('(') {
            Some(inner) => inner.rsplit_once(')').ok_or(ApplicationError::Unclosed)?,
            None => (rest.strip_prefix([',', '|']).unwrap_or_default(), ""),
        };
        if arguments.matches('(').count() > arguments.matches(')').count() {
            return Err(ApplicationError::Unclosed);
        }
        if !after.trim().is_empty() {
            return Err(ApplicationError::TextAfter {
                text: after.trim().to_owned(),
            });
        }
        Ok(Self {
            name,
            arguments: arguments.to_owned(),
        })
    }

    /// Whether this is the application `name`; Asterisk does not care about case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The condition and the two arms of an `ExecIf(condition?application:application)`; the second arm may be missing.
    pub fn exec_if_arms(&self) -> Option<(&str, &str, Option<&str>)> {
        if !self.is("ExecIf") {
            return None;
        }
        let (condition, arms) = self.arguments.split_at(find_top_level(&self.arguments, '?')?);
        let arms = arms.strip_prefix('?')?;
        match find_top_level(arms, ':') {
            Some(colon) => Some((condition, &arms[..colon], Some(&arms[colon + 1..]))),
            None => Some((condition, arms, None)),
        }
    }
}

impl fmt::Display for Application {
    /// `Name(arguments)`; reading it back gives an equal application.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name, self.arguments)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn application(name: &str, arguments: &str) -> Result<Application, ApplicationError> {
        Ok(Application {
            name: name.into(),
            arguments: arguments.into(),
        })
    }

    #[test]
    fn parentheses_are_optional_and_may_nest() {
        assert_eq!(Application::parse("Hangup"), application("Hangup", ""));
        assert_eq!(Application::parse(" Hangup() "), application("Hangup", ""));
        assert_eq!(
            Application::parse("dial (a,L(1:2),b)"),
            application("dial", "a,L(1:2),b")
        );
        assert_eq!(Application::parse("Dial,SIP/a|20"), application("Dial", "SIP/a|20"));
        assert_eq!(Application::parse("Dial|SIP/a|20"), application("Dial", "SIP/a|20"));
    }

    #[test]
    fn broken_parentheses_are_named() {
        assert_eq!(Application::parse(""), Err(ApplicationError::NoName));
        assert_eq!(Application::parse("(a)"), Err(ApplicationError::NoName));
        assert_eq!(Application::parse("Dial(a"), Err(ApplicationError::Unclosed));
        assert_eq!(Application::parse("Dial(a,L(6)"), Err(ApplicationError::Unclosed));
        assert_eq!(Application::parse("Dial,a,L(6"), Err(ApplicationError::Unclosed));
        assert_eq!(Application::parse("Dial|a|L(6"), Err(ApplicationError::Unclosed));
        assert_eq!(
            Application::parse("Dial(a) b"),
            Err(ApplicationError::TextAfter { text: "b".into() })
        );
    }

    #[test]
    fn exec_if_has_a_condition_and_arms() {
        let application = Application::parse("ExecIf($[${X(a,b)}?1:2]?Set(A=b:c):NoOp(${EXTEN:1}))").unwrap();
        assert_eq!(
            application.exec_if_arms(),
            Some(("$[${X(a,b)}?1:2]", "Set(A=b:c)", Some("NoOp(${EXTEN:1})")))
        );
        let one_armed = Application::parse("execif(1?Hangup())").unwrap();
        assert_eq!(one_armed.exec_if_arms(), Some(("1", "Hangup()", None)));
        assert_eq!(Application::parse("Hangup()").unwrap().exec_if_arms(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_reads_back_equal(
            name in "[A-Za-z][A-Za-z0-9_ ]{0,10}[A-Za-z0-9_]",
            arguments in "([a-z0-9 ,|&?:/@\"=]|\\$\\{[A-Z:1]{1,6}\\}|\\([a-z,^]{0,5}\\)|\\$\\[1\\]){0,12}",
        ) {
            let application = Application { name, arguments };
            prop_assert_eq!(Application::parse(&application.to_string()), Ok(application));
        }

        #[test]
        fn what_is_read_reads_back_equal(text in "[A-Z][(),|a ]{0,12}") {
            if let Ok(application) = Application::parse(&text) {
                prop_assert_eq!(Application::parse(&application.to_string()), Ok(application));
            }
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,40}", other in "(ExecIf|[(),|?: é$\\[\\]]){0,20}") {
            for text in [text, other] {
                if let Ok(application) = Application::parse(&text) {
                    application.exec_if_arms();
                }
            }
        }
    }
}
