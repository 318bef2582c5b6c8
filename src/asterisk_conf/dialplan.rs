//! The lines of a dialplan context: `exten => pattern,priority,Application(arguments)` and `same => …`.

use std::fmt;
use std::ops::Range;

use super::application::{Application, ApplicationError};
use super::comment::blank_comments;
use super::nesting::find_top_level;

/// The extension lines of a text, and the lines that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialplan {
    /// The extension lines, in order of the text.
    pub extensions: Vec<ExtensionLine>,
    /// The other lines; blank ones and comments aside.
    pub errors: Vec<DialplanError>,
}

/// One `exten` or `same` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionLine {
    /// The line, counted from 1.
    pub line: usize,
    /// The extension or pattern as written; a `same` line has that of the `exten` line above it.
    pub extension: String,
    /// When it runs, as written.
    pub priority: Priority,
    /// When it runs, as Asterisk counts; `None` for a hint, and for `n` or `s` with no line above to count from.
    pub step: Option<u32>,
    /// The label: `native` of `n(native)`.
    pub label: Option<String>,
    /// What runs.
    pub application: Application,
    /// Where the application stands in the line, in bytes.
    pub application_at: Range<usize>,
}

/// The second field of an `exten` line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// A number.
    Number(u32),
    /// `n` (0) or `n+2` (2): so many after the one that follows the line before.
    Next(u32),
    /// `s` (0) or `s+2` (2): so many after that of the line before.
    Same(u32),
    /// `hint`: no priority, the third field is a device.
    Hint,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}: {text:?}")]
pub struct DialplanError {
    /// The line, counted from 1.
    pub line: usize,
    /// The line as written.
    pub text: String,
    /// What is wrong with it.
    pub problem: DialplanProblem,
}

/// What is wrong with a dialplan line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialplanProblem {
    /// A `[context]` header: what follows belongs to another context.
    #[error("a context header")]
    ContextHeader,
    /// `#include` and its like.
    #[error("a directive")]
    Directive,
    /// No `=` or `=>`.
    #[error("no => in the line")]
    NoArrow,
    /// Neither `exten` nor `same`.
    #[error("{keyword:?} is neither exten nor same")]
    Keyword {
        /// The word before the arrow.
        keyword: String,
    },
    /// `same` without an `exten` line above it.
    #[error("same without an exten line above it")]
    SameFirst,
    /// Nothing before the first comma.
    #[error("the extension is missing")]
    NoExtension,
    /// The second field is no priority.
    #[error("{text:?} is no priority")]
    Priority {
        /// The field as written.
        text: String,
    },
    /// The third field is no application.
    #[error("{0}")]
    Application(#[from] ApplicationError),
}

impl DialplanProblem {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ContextHeader => "dialplan_context_header",
            Self::Directive => "dialplan_directive",
            Self::NoArrow => "dialplan_no_arrow",
            Self::Keyword { .. } => "dialplan_keyword",
            Self::SameFirst => "dialplan_same_first",
            Self::NoExtension => "dialplan_no_extension",
            Self::Priority { .. } => "dialplan_priority",
            Self::Application(error) => error.code(),
        }
    }
}

impl Dialplan {
    /// Reads the lines of one context. Fields are separated by `,` or the legacy `|`.
    pub fn parse(text: &str) -> Self {
        let code = blank_comments(text);
        let mut dialplan = Self::default();
        let mut above = Above::default();
        for (index, (line, written)) in code.split('\n').zip(text.split('\n')).enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            match ExtensionLine::parse(index + 1, line, &above) {
                Ok(read) => {
                    above = Above {
                        extension: Some(read.extension.clone()),
                        step: read.step.or(above.step),
                    };
                    dialplan.extensions.push(read);
                }
                Err(problem) => {
                    dialplan.errors.push(DialplanError {
                        line: index + 1,
                        text: written.trim_end().to_owned(),
                        problem,
                    });
                }
            }
        }
        dialplan
    }
}

/// What a line may take over from the line above it. Asterisk counts on across extensions.
#[derive(Default)]
struct Above {
    extension: Option<String>,
    step: Option<u32>,
}

impl ExtensionLine {
    /// Reads one line that has no comment.
    fn parse(number: usize, line: &str, above: &Above) -> Result<Self, DialplanProblem> {
        match line.trim_start().chars().next() {
            Some('[') => return Err(DialplanProblem::ContextHeader),
            Some('#') => return Err(DialplanProblem::Directive),
            Some(_) | None => {}
        }
        let (keyword, value) = line.split_once('=').ok_or(DialplanProblem::NoArrow)?;
        let mut fields = Fields {
            line,
            at: line.len() - value.strip_prefix('>').unwrap_or(value).len(),
        };
        let extension = match keyword.trim().to_ascii_lowercase().as_str() {
            "exten" => fields.next().to_owned(),
            "same" => above.extension.clone().ok_or(DialplanProblem::SameFirst)?,
            _ => {
                return Err(DialplanProblem::Keyword {
                    keyword: keyword.trim().to_owned(),
                });
            }
        };
        if extension.is_empty() {
            return Err(DialplanProblem::NoExtension);
        }
        let (priority, label) = parse_priority(fields.next())?;
        let application_at = fields.rest();
        let application = Application::parse(&line[application_at.clone()])?;
        Ok(Self {
            line: number,
            extension,
            priority,
            step: priority.step(above.step),
            label,
            application,
            application_at,
        })
    }
}

impl Priority {
    fn step(self, above: Option<u32>) -> Option<u32> {
        match self {
            Self::Number(number) => Some(number),
            Self::Next(more) => above?.checked_add(1)?.checked_add(more),
            Self::Same(more) => above?.checked_add(more),
            Self::Hint => None,
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Next(0) => f.write_str("n"),
            Self::Next(more) => write!(f, "n+{more}"),
            Self::Same(0) => f.write_str("s"),
            Self::Same(more) => write!(f, "s+{more}"),
            Self::Hint => f.write_str("hint"),
        }
    }
}

impl fmt::Display for ExtensionLine {
    /// `exten => extension,priority(label),Application(arguments)`; reading it back gives the same meaning.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exten => {},{}", self.extension, self.priority)?;
        if let Some(label) = &self.label {
            write!(f, "({label})")?;
        }
        write!(f, ",{}", self.application)
    }
}

/// Walks over the separated fields of a line and knows where it stands.
struct Fields<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> &'a str {
        let rest = &self.line[self.at..];
        let separators = [find_top_level(rest, ','), find_top_level(rest, '|')];
        let end = separators.into_iter().flatten().min();
        self.at += end.map_or(rest.len(), |end| end + 1);
        rest[..end.unwrap_or(rest.len())].trim()
    }

    /// What is left, without the blanks around it.
    fn rest(self) -> Range<usize> {
        let rest = &self.line[self.at..];
        let start = self.at + rest.len() - rest.trim_start().len();
        start..start + rest.trim().len()
    }
}

fn parse_priority(text: &str) -> Result<(Priority, Option<String>), DialplanProblem> {
    let unreadable = || DialplanProblem::Priority { text: text.to_owned() };
    let (priority, label) = match text.split_once('(') {
        Some((priority, label)) => (
            priority.trim(),
            Some(label.trim_end().strip_suffix(')').ok_or_else(unreadable)?),
        ),
        None => (text, None),
    };
    let offset = |text: &str| match text.strip_prefix('+') {
        Some(offset) => offset.trim().parse::<u32>().ok(),
        None => None,
    };
    let priority = match priority.to_ascii_lowercase().as_str() {
        "hint" => Some(Priority::Hint),
        "n" | "next" => Some(Priority::Next(0)),
        "s" | "same" => Some(Priority::Same(0)),
        word => match word.chars().next() {
            Some('n') => offset(&word[1..]).map(Priority::Next),
            Some('s') => offset(&word[1..]).map(Priority::Same),
            Some(_) => word.parse().ok().map(Priority::Number),
            None => None,
        },
    };
    Ok((
        priority.ok_or_else(unreadable)?,
        label.map(|label| label.trim().to_owned()),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    const ENTRY: &str = "\
; the main carrier
exten => _91NXXNXXXXXX,1,AGI(agi://127.0.0.1:4577/call_log)
exten=_91NXXNXXXXXX,n(native),Dial(SIP/${EXTEN:1}@main,${CAMPDTO},To) ; out
 same => n+2,Hangup
;-- exten => 1,1,NoOp()
exten => 2,1,NoOp() --;
EXTEN = 8[1,5]X,hint,SIP/100

exten => s,1|Dial,SIP/main/1|20|o
";

    #[test]
    fn lines_are_read_with_number_label_and_place() {
        let dialplan = Dialplan::parse(ENTRY);
        assert_eq!(dialplan.errors, []);
        let lines: Vec<_> = dialplan
            .extensions
            .iter()
            .map(|line| {
                (
                    line.line,
                    line.extension.as_str(),
                    line.priority,
                    line.application.name.as_str(),
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                (2, "_91NXXNXXXXXX", Priority::Number(1), "AGI"),
                (3, "_91NXXNXXXXXX", Priority::Next(0), "Dial"),
                (4, "_91NXXNXXXXXX", Priority::Next(2), "Hangup"),
                (7, "8[1,5]X", Priority::Hint, "SIP/100"),
                (9, "s", Priority::Number(1), "Dial"),
            ]
        );
        let dial = &dialplan.extensions[1];
        assert_eq!(dial.label.as_deref(), Some("native"));
        assert_eq!(dial.application.arguments, "SIP/${EXTEN:1}@main,${CAMPDTO},To");
        let written = ENTRY.lines().nth(2).unwrap();
        assert_eq!(
            &written[dial.application_at.clone()],
            "Dial(SIP/${EXTEN:1}@main,${CAMPDTO},To)"
        );
        assert_eq!(dialplan.extensions[4].application.arguments, "SIP/main/1|20|o");
    }

    #[test]
    fn unreadable_lines_are_named_and_the_others_stand() {
        let dialplan = Dialplan::parse(
            "same => n,Hangup()\n[other]\n#include more.conf\nwords\ninclude => x\nexten => ,1,NoOp()\nexten => 1,x,NoOp()\n\
             exten => 1,1\nexten => 1,1,Dial(SIP/a\nexten => 1,n)a,NoOp()\nexten => 1,1,NoOp()",
        );
        let problems: Vec<_> = dialplan
            .errors
            .iter()
            .map(|error| (error.line, error.problem.code()))
            .collect();
        assert_eq!(
            problems,
            [
                (1, "dialplan_same_first"),
                (2, "dialplan_context_header"),
                (3, "dialplan_directive"),
                (4, "dialplan_no_arrow"),
                (5, "dialplan_keyword"),
                (6, "dialplan_no_extension"),
                (7, "dialplan_priority"),
                (8, "application_no_name"),
                (9, "application_unclosed"),
                (10, "dialplan_priority"),
            ]
        );
        assert_eq!(dialplan.errors[1].to_string(), "line 2: a context header: \"[other]\"");
        assert_eq!(dialplan.extensions.len(), 1);
    }

    #[test]
    fn priorities_have_many_spellings() {
        let read = |text| parse_priority(text).map(|(priority, _)| priority).ok();
        assert_eq!(read("12"), Some(Priority::Number(12)));
        assert_eq!(read("N+3"), Some(Priority::Next(3)));
        assert_eq!(read("s"), Some(Priority::Same(0)));
        assert_eq!(read("s+1"), Some(Priority::Same(1)));
        assert_eq!(read("n-1"), None);
        assert_eq!(read(""), None);
        assert_eq!(parse_priority("n(a b)"), Ok((Priority::Next(0), Some("a b".into()))));
    }

    #[test]
    fn steps_count_as_asterisk_does() {
        let steps = |text| -> Vec<_> { Dialplan::parse(text).extensions.iter().map(|line| line.step).collect() };
        assert_eq!(
            steps(
                "exten => 1,1,A()\nexten => 1,n,B()\nexten => 1,n+2,C()\nexten => 2,n,D()\nexten => 2,s+1,E()\nsame => s,F()"
            ),
            [Some(1), Some(2), Some(5), Some(6), Some(7), Some(7)]
        );
        assert_eq!(
            steps("exten => 1,n,A()\nexten => 1,3,B()\nexten => 1,hint,SIP/1\nexten => 1,n,C()"),
            [None, Some(3), None, Some(4)]
        );
        assert_eq!(
            steps("exten => 1,4294967295,A()\nsame => n,B()"),
            [Some(u32::MAX), None]
        );
    }

    fn any_line() -> impl Strategy<Value = ExtensionLine> {
        let priority = prop_oneof![
            any::<u32>().prop_map(Priority::Number),
            any::<u32>().prop_map(Priority::Next),
            any::<u32>().prop_map(Priority::Same),
            Just(Priority::Hint),
        ];
        let label = proptest::option::of("[a-z][a-z0-9_-]{0,5}");
        let arguments = "([a-z0-9 ,&?:/@=]|\\$\\{[A-Z:1]{1,6}\\}|\\([a-z,^]{0,5}\\)){0,12}";
        ("_?[0-9XNZ.+*]{1,12}", priority, label, "[A-Z][a-z]{0,8}", arguments).prop_map(
            |(extension, priority, label, name, arguments)| ExtensionLine {
                line: 1,
                extension,
                priority,
                step: priority.step(None),
                label,
                application: Application { name, arguments },
                application_at: 0..0,
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_reads_back_equal(line in any_line()) {
            let mut read = Dialplan::parse(&line.to_string());
            prop_assert_eq!(&read.errors, &[]);
            prop_assert_eq!(read.extensions.len(), 1);
            read.extensions[0].application_at = 0..0;
            prop_assert_eq!(&read.extensions[0], &line);
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,80}", lines in "(exten => |same=>|[,|(){}n1s+;\\-\n\\[\\]é]){0,30}") {
            for text in [text, lines] {
                let dialplan = Dialplan::parse(&text);
                let written: Vec<_> = text.split('\n').collect();
                for line in dialplan.extensions {
                    prop_assert!(written[line.line - 1].get(line.application_at).is_some());
                }
            }
        }
    }
}
