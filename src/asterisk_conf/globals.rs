//! Global variables of the dialplan: `NAME = value` lines, and their use as `${NAME}`.

use std::collections::BTreeMap;

use super::comment::blank_comments;

/// Global variables by name. Asterisk tells names apart by case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Globals(BTreeMap<String, String>);

/// A line of globals that is no `NAME = value`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {text:?} is no NAME = value")]
pub struct GlobalError {
    /// The line, counted from 1.
    pub line: usize,
    /// The line as written.
    pub text: String,
}

impl GlobalError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        "global_unreadable"
    }
}

/// Globals may name globals; a chain longer than this is a circle.
const EXPANSION_DEPTH: usize = 8;

impl Globals {
    /// Adds the `NAME = value` and `NAME => value` lines of a text and returns the lines that are neither. A later value of
    /// the same name replaces the earlier one.
    pub fn read(&mut self, text: &str) -> Vec<GlobalError> {
        let code = blank_comments(text);
        let mut errors = Vec::new();
        for (index, (line, written)) in code.split('\n').zip(text.split('\n')).enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let setting = line.split_once('=').map(|(name, value)| {
                let value = value.strip_prefix('>').unwrap_or(value);
                (name.trim(), value.trim())
            });
            match setting {
                Some((name, value)) if is_name(name) => {
                    self.0.insert(name.to_owned(), value.to_owned());
                }
                _ => errors.push(GlobalError {
                    line: index + 1,
                    text: written.trim_end().to_owned(),
                }),
            }
        }
        errors
    }

    /// The names, in order of the alphabet.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The value of a global, as written.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The text with every `${NAME}` of a known global replaced by its value. Other variables stay as they are, and so do
    /// globals that name themselves.
    pub fn expand(&self, text: &str) -> String {
        let mut expanded = text.to_owned();
        for _ in 0..EXPANSION_DEPTH {
            let next = self.expand_once(&expanded);
            if next == expanded {
                return expanded;
            }
            expanded = next;
        }
        text.to_owned()
    }

    fn expand_once(&self, text: &str) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            expanded.push_str(before);
            let (name, behind) = after.split_at(after.find(|it| !is_name_character(it)).unwrap_or(after.len()));
            match self.get(name).zip(behind.strip_prefix('}')) {
                Some((value, behind)) => {
                    expanded.push_str(value);
                    rest = behind;
                }
                None => {
                    expanded.push_str("${");
                    rest = after;
                }
            }
            // Text that keeps doubling names itself; the caller gets the original back.
            if expanded.len() > text.len() + 4096 {
                break;
            }
        }
        expanded.push_str(rest);
        expanded
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_name_character)
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    #[test]
    fn lines_are_read_with_and_without_spaces() {
        let mut globals = Globals::default();
        assert_eq!(
            globals.read("SIPTRUNK = SIP/ExampleSIP\nPJTRUNK=ExamplePJSIP\n\nWIZTRK => Wizard ; main\r\n"),
            []
        );
        assert_eq!(globals.get("SIPTRUNK"), Some("SIP/ExampleSIP"));
        assert_eq!(globals.get("PJTRUNK"), Some("ExamplePJSIP"));
        assert_eq!(globals.get("WIZTRK"), Some("Wizard"));
        assert_eq!(globals.get("siptrunk"), None);
    }

    /// A quarter of a million variables that are never closed: read once each, not to the end of the text each.
    #[test]
    fn what_is_never_closed_costs_its_own_length() {
        let text = "${A".repeat(250_000) + "}";
        let mut globals = Globals::default();
        globals.read("A = 1");
        assert_eq!(globals.expand(&text), "${A".repeat(249_999) + "1");
    }

    #[test]
    fn other_lines_are_named() {
        let mut globals = Globals::default();
        let errors = globals.read("A = 1\nnot a global\nB C = 2");
        assert_eq!(
            errors,
            [
                GlobalError {
                    line: 2,
                    text: "not a global".into()
                },
                GlobalError {
                    line: 3,
                    text: "B C = 2".into()
                }
            ]
        );
        assert_eq!(globals.get("A"), Some("1"));
    }

    #[test]
    fn known_globals_are_expanded_and_others_stay() {
        let mut globals = Globals::default();
        globals.read("HOST = main\nTRUNK = SIP/${HOST}");
        assert_eq!(
            globals.expand("${TRUNK}/${EXTEN:1},${CAMPDTO}"),
            "SIP/main/${EXTEN:1},${CAMPDTO}"
        );
    }

    #[test]
    fn circles_end() {
        let mut globals = Globals::default();
        globals.read("A = ${B}\nB = ${A}\nC = ${C}${C}");
        assert_eq!(globals.expand("${A}"), "${A}");
        assert_eq!(globals.expand("x${C}"), "x${C}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn arbitrary_text_never_panics(definitions in ".{0,60}", text in "[AB${}=\n ]{0,30}") {
            let mut globals = Globals::default();
            globals.read(&definitions);
            globals.read(&text);
            globals.read("A = ${B}x\nB=${A}${A}");
            globals.expand(&text);
        }
    }
}
