//! The `Dial()` line of a carrier's dialplan entry: finding it, guarding it, and taking the guard off again.
//!
//! A guarded line hands the call to `[crankback]` on a dialer that has this context and dials natively, with the original
//! `Dial()` verbatim, on one that has not: a carrier row for `0.0.0.0` reaches every dialer of a cluster.

use std::ops::Range;

use crate::asterisk_conf::{Application, Dial, DialError, Dialplan, DialplanProblem, ExtensionLine};
use crate::carrier::{CarrierId, Technology};

/// The dialplan context that takes calls over.
const CONTEXT: &str = "crankback";

/// Why a `Dial()` line cannot be guarded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("carrier {carrier}, line {line}: {fault}: {text:?}")]
pub struct WrapError {
    /// The carrier whose line it is.
    pub carrier: CarrierId,
    /// The line, counted from 1.
    pub line: usize,
    /// The line as written.
    pub text: String,
    /// What stands in the way.
    pub fault: WrapFault,
}

/// What stands in the way of guarding a `Dial()` line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WrapFault {
    /// No line dials.
    #[error("no Dial() line")]
    NoDial,
    /// The line cannot be read, and it may dial.
    #[error("{0}")]
    Line(#[from] DialplanProblem),
    /// `Dial()` stands inside of another application.
    #[error("Dial() stands inside of {application}(): write it as a line of its own")]
    Inside {
        /// The application.
        application: String,
    },
    /// The arguments of `Dial()` cannot be read.
    #[error("{0}")]
    Dial(#[from] DialError),
    /// Several targets joined by `&` are one attempt for `Dial()` and none that could be failed over.
    #[error("several targets are dialled at once with &: the line stays native")]
    SeveralTargets,
    /// A second `Dial()` of the same extension is a failover written by hand.
    #[error("a second Dial() for {extension}: crankback does the failover, remove this line first")]
    SecondDial {
        /// The extension.
        extension: String,
    },
    /// The line dials through something that crankback places no legs with.
    #[error("{technology} is dialled: crankback places legs through PJSIP, SIP and IAX2")]
    Technology {
        /// The word before the first slash.
        technology: String,
    },
    /// Quotes and backslashes do not survive inside of `ExecIf()`.
    #[error("the line contains a double quote or a backslash")]
    Quotes,
    /// `Dial,target`: `ExecIf()` runs no application without parentheses, and Asterisk has not for years either.
    #[error("Dial without parentheses: write Dial(target,timeout,options) first")]
    NoParentheses,
    /// Brackets that do not fit would swallow what stands behind them.
    #[error("brackets that do not fit in the arguments of Dial()")]
    Brackets,
    /// `Dial()` with a fourth argument.
    #[error("Dial() with a URL")]
    Url,
    /// The carrier's id would break the line.
    #[error("the carrier id may hold letters, digits, - and _ only")]
    CarrierId,
}

impl WrapFault {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoDial => "wrap_no_dial",
            Self::Line(problem) => problem.code(),
            Self::Inside { .. } => "wrap_inside",
            Self::Dial(error) => error.code(),
            Self::SeveralTargets => "wrap_several_targets",
            Self::SecondDial { .. } => "wrap_second_dial",
            Self::Technology { .. } => "wrap_technology",
            Self::Quotes => "wrap_quotes",
            Self::NoParentheses => "wrap_no_parentheses",
            Self::Brackets => "wrap_brackets",
            Self::Url => "wrap_url",
            Self::CarrierId => "wrap_carrier_id",
        }
    }
}

/// How an application dials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dialling {
    /// It does not.
    No,
    /// `Dial(…)` itself.
    Plain(Application),
    /// Our guarded form; the `Dial(…)` is what stands in its false arm.
    Guarded(Application),
    /// `Dial(` stands somewhere in its arguments.
    Hidden,
}

impl Dialling {
    pub(super) fn of(application: &Application) -> Self {
        if application.is("Dial") {
            return Self::Plain(application.clone());
        }
        if let Some(dial) = guarded_dial(application).and_then(|native| Application::parse(native).ok()) {
            return Self::Guarded(dial);
        }
        if mentions_dial(&application.arguments) {
            Self::Hidden
        } else {
            Self::No
        }
    }
}

/// The native `Dial` of our guarded form, verbatim.
fn guarded_dial(application: &Application) -> Option<&str> {
    let (_, taken_over, native) = application.exec_if_arms()?;
    let taken_over = Application::parse(taken_over).ok()?;
    let is_ours = taken_over.is("Gosub") && taken_over.arguments.split(',').next().map(str::trim) == Some(CONTEXT);
    let is_dial = Application::parse(native?).is_ok_and(|native| native.is("Dial"));
    native.filter(|_| is_ours && is_dial)
}

/// Whether an application is our guarded form of `Dial`.
pub fn is_guarded(application: &Application) -> bool {
    guarded_dial(application).is_some()
}

pub(super) fn mentions_dial(text: &str) -> bool {
    text.to_ascii_lowercase().contains("dial(")
}

/// Turns a `Dial()` line into its guarded form; what stands before and behind the application is kept verbatim.
///
/// A line that is guarded already is guarded anew, for this carrier: VICIdial's copy of a carrier keeps the old id in it.
///
/// # Errors
///
/// When the line does not dial, or dials in a way that cannot be handed over; then the line must stay as it is.
pub fn wrap_dial_line(carrier: &CarrierId, line: &str) -> Result<String, WrapError> {
    // A `same` line is read with the extension of the line above it, whichever that is.
    let above = "exten => s,1,NoOp()\n";
    let wrapped = wrap_dialplan_entry(carrier, &format!("{above}{line}"));
    wrapped
        .map(|text| text[above.len()..].to_owned())
        .map_err(|error| WrapError { line: 1, ..error })
}

/// Guards every `Dial()` line of a dialplan entry; all other lines are kept byte for byte.
///
/// # Errors
///
/// When no line dials, or the first line that dials in a way that cannot be handed over. Nothing is half done.
pub fn wrap_dialplan_entry(carrier: &CarrierId, text: &str) -> Result<String, WrapError> {
    let lines: Vec<&str> = text.split('\n').collect();
    let fail = |line: usize, fault: WrapFault| WrapError {
        carrier: carrier.clone(),
        line,
        text: lines.get(line - 1).unwrap_or(&text).trim_end().to_owned(),
        fault,
    };
    let plain_id = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    if !carrier.as_str().chars().all(plain_id) {
        return Err(fail(1, WrapFault::CarrierId));
    }
    let dialplan = Dialplan::parse(text);
    if let Some(error) = dialplan.errors.iter().find(|error| mentions_dial(&error.text)) {
        return Err(fail(error.line, error.problem.clone().into()));
    }
    let mut replacements = Vec::new();
    let mut dialled: Vec<&str> = Vec::new();
    for extension in &dialplan.extensions {
        let written = lines
            .get(extension.line - 1)
            .and_then(|line| line.get(extension.application_at.clone()))
            .unwrap_or_default();
        let (dial, native) = match Dialling::of(&extension.application) {
            Dialling::No => continue,
            Dialling::Hidden => {
                let application = extension.application.name.clone();
                return Err(fail(extension.line, WrapFault::Inside { application }));
            }
            Dialling::Plain(dial) => (dial, written),
            Dialling::Guarded(dial) => (dial, guarded_dial(&extension.application).unwrap_or(written)),
        };
        if dialled.contains(&extension.extension.as_str()) {
            let extension_text = extension.extension.clone();
            return Err(fail(
                extension.line,
                WrapFault::SecondDial {
                    extension: extension_text,
                },
            ));
        }
        dialled.push(&extension.extension);
        let guarded = guard(carrier, &dial, native).map_err(|fault| fail(extension.line, fault))?;
        replacements.push((extension, guarded));
    }
    if replacements.is_empty() {
        return Err(fail(1, WrapFault::NoDial));
    }
    Ok(replace(&lines, &replacements))
}

/// Takes the guard off every guarded line of a dialplan entry; all other lines are kept byte for byte.
pub fn unwrap_dialplan_entry(text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let dialplan = Dialplan::parse(text);
    let replacements: Vec<_> = dialplan
        .extensions
        .iter()
        .filter_map(|extension| Some((extension, guarded_dial(&extension.application)?.to_owned())))
        .collect();
    replace(&lines, &replacements)
}

/// The guarded form of one `Dial`; `native` is the same as it was written.
fn guard(carrier: &CarrierId, dial: &Application, native: &str) -> Result<String, WrapFault> {
    let Dial {
        targets,
        timeout,
        options,
        url,
    } = Dial::parse(&dial.arguments)?;
    if dial.arguments.contains(['"', '\\']) {
        return Err(WrapFault::Quotes);
    }
    if Dial::parse(&dial.arguments)?.targets().len() > 1 {
        return Err(WrapFault::SeveralTargets);
    }
    if !url.is_empty() {
        return Err(WrapFault::Url);
    }
    // A target that starts with a variable is known only once the globals are.
    let technology = targets.split('/').next().unwrap_or_default();
    if !technology.contains('$') && technology.parse::<Technology>().is_err() {
        return Err(WrapFault::Technology {
            technology: technology.to_owned(),
        });
    }
    if !native[dial.name.len()..].trim_start().starts_with('(') {
        return Err(WrapFault::NoParentheses);
    }
    let guarded = format!(
        "ExecIf($[${{DIALPLAN_EXISTS({CONTEXT},s,1)}}]?\
         Gosub({CONTEXT},s,1({carrier},${{EXTEN}},{targets},{timeout},{options})):{native})"
    );
    let reads_back = Application::parse(&guarded).is_ok_and(|guarded| guarded_dial(&guarded) == Some(native));
    if reads_back {
        Ok(guarded)
    } else {
        Err(WrapFault::Brackets)
    }
}

fn replace(lines: &[&str], replacements: &[(&ExtensionLine, String)]) -> String {
    let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    for (extension, application) in replacements {
        let Range { start, end } = extension.application_at.clone();
        if let Some(line) = lines.get_mut(extension.line - 1) {
            line.replace_range(start..end, application);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;
    use crate::asterisk_conf::ApplicationError;

    const GUARDED: &str = "exten => _91NXXNXXXXXX,n,ExecIf($[${DIALPLAN_EXISTS(crankback,s,1)}]?\
        Gosub(crankback,s,1(MAIN,${EXTEN},PJSIP/${EXTEN:1}@peer,${CAMPDTO},To)):\
        Dial(PJSIP/${EXTEN:1}@peer,${CAMPDTO},To))";

    fn main() -> CarrierId {
        "MAIN".into()
    }

    fn fault(line: &str) -> WrapFault {
        wrap_dial_line(&main(), line).unwrap_err().fault
    }

    #[test]
    fn a_line_is_guarded_and_nothing_else_changes() {
        let line = "exten => _91NXXNXXXXXX,n,Dial(PJSIP/${EXTEN:1}@peer,${CAMPDTO},To)";
        assert_eq!(wrap_dial_line(&main(), line).unwrap(), GUARDED);
        assert_eq!(
            wrap_dial_line(&main(), " same=>n(go),dial(${SIPTRUNK}/${EXTEN:1},55) ; out\r").unwrap(),
            " same=>n(go),ExecIf($[${DIALPLAN_EXISTS(crankback,s,1)}]?\
             Gosub(crankback,s,1(MAIN,${EXTEN},${SIPTRUNK}/${EXTEN:1},55,)):dial(${SIPTRUNK}/${EXTEN:1},55)) ; out\r"
        );
    }

    #[test]
    fn a_guarded_line_is_guarded_once_and_follows_its_carrier() {
        assert_eq!(wrap_dial_line(&main(), GUARDED).unwrap(), GUARDED);
        assert_eq!(
            wrap_dial_line(&"COPY".into(), GUARDED).unwrap(),
            GUARDED.replace("MAIN", "COPY")
        );
    }

    #[test]
    fn a_whole_entry_keeps_its_other_lines() {
        let entry = "; main\r\nexten => _91NXX,1,AGI(agi://127.0.0.1:4577/call_log)\r\n\
            exten => _91NXX,2,Dial(SIP/main/${EXTEN:1},,To)\r\n\tgarbage\r\nexten => _91NXX,3,Hangup\r\n\
            exten => _9011.,1,Dial(SIP/main/${EXTEN:1}|30)\n";
        let wrapped = wrap_dialplan_entry(&main(), entry).unwrap();
        let changed: Vec<_> = entry
            .split('\n')
            .zip(wrapped.split('\n'))
            .enumerate()
            .filter(|(_, (a, b))| a != b)
            .collect();
        assert_eq!(changed.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [2, 5]);
        assert!(wrapped.contains("Gosub(crankback,s,1(MAIN,${EXTEN},SIP/main/${EXTEN:1},,To)):Dial("));
        assert!(wrapped.contains("Gosub(crankback,s,1(MAIN,${EXTEN},SIP/main/${EXTEN:1},30,)):Dial("));
        assert_eq!(unwrap_dialplan_entry(&wrapped), entry);
    }

    #[test]
    fn what_cannot_be_handed_over_stays_and_is_named() {
        assert_eq!(fault("exten => 1,1,Hangup()"), WrapFault::NoDial);
        assert_eq!(fault(""), WrapFault::NoDial);
        assert_eq!(
            fault("exten => 1,1,Dial(SIP/a/1&SIP/b/1,20)"),
            WrapFault::SeveralTargets
        );
        assert_eq!(fault("exten => 1,1,Dial(SIP/a/1,20,o,http://x)"), WrapFault::Url);
        assert_eq!(fault("exten => 1,1,Dial(SIP/a/1,20,A(\"x\"))"), WrapFault::Quotes);
        assert_eq!(fault("exten => 1,1,Dial(,20)"), WrapFault::Dial(DialError::NoTarget));
        assert_eq!(
            fault("exten => 1,1,Dial(DAHDI/g1/1)"),
            WrapFault::Technology {
                technology: "DAHDI".into()
            }
        );
        assert_eq!(
            fault("exten => 1,1,ExecIf($[1]?Dial(SIP/a/1))"),
            WrapFault::Inside {
                application: "ExecIf".into()
            }
        );
        assert_eq!(
            fault("exten => 1,1,Dial(SIP/a/1"),
            WrapFault::Line(DialplanProblem::Application(ApplicationError::Unclosed))
        );
        assert_eq!(fault("exten => 1,1,Dial,SIP/a/1|20|o"), WrapFault::NoParentheses);
        assert_eq!(fault("exten => 1,1,Dial(SIP/a/${EXTEN:1,20,o)"), WrapFault::Brackets);
        let bad_id = wrap_dial_line(&"A,B".into(), "exten => 1,1,Dial(SIP/a/1)").unwrap_err();
        assert_eq!(bad_id.fault, WrapFault::CarrierId);
    }

    #[test]
    fn a_hand_written_failover_is_named_with_its_line() {
        let entry = "exten => _9.,1,Dial(SIP/a/${EXTEN:1},20)\nexten => _9.,n,Dial(SIP/b/${EXTEN:1},20)";
        let error = wrap_dialplan_entry(&main(), entry).unwrap_err();
        assert_eq!((error.line, error.fault.code()), (2, "wrap_second_dial"));
        assert_eq!(
            error.to_string(),
            "carrier MAIN, line 2: a second Dial() for _9.: crankback does the failover, remove this line first: \
             \"exten => _9.,n,Dial(SIP/b/${EXTEN:1},20)\""
        );
    }

    fn any_dial_line() -> impl Strategy<Value = String> {
        let target = prop_oneof![
            Just("SIP/${EXTEN:1}@main"),
            Just("${TRUNK}/${EXTEN:2}"),
            Just("PJSIP/main/sip:1${EXTEN:1}@192.0.2.1:5060"),
            Just("IAX2/user:secret@192.0.2.1/${EXTEN}"),
        ];
        let rest = "(|,|, 20 |,\\$\\{CAMPDTO\\},To|\\|55\\|o|,,tL\\(1:2\\)U\\(s\\^a\\)  )";
        (
            "(exten => |exten=>|  EXTEN =)_9X\\., ?(1|n|n\\(go\\)), {0,2}",
            "(Dial|DIAL|dial)",
            target,
            rest,
            "(| |\r| ; out \\(x|\t;é)",
        )
            .prop_map(|(start, name, target, rest, end)| format!("{start}{name}({target}{rest}){end}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn unwrapping_restores_what_was_wrapped(
            peer in "[A-Za-z]{1,8}", timeout in "(|[0-9]{1,2}|\\$\\{CAMPDTO\\})", options in "(|To|L\\(1:2\\)b\\(a\\^s,1\\))",
            indent in "[ \t]{0,2}", comment in "(| ; .{0,10})",
        ) {
            let line = format!("{indent}exten => _9X.,n,Dial(SIP/{peer}/${{EXTEN:1}},{timeout},{options}){comment}");
            let wrapped = wrap_dial_line(&main(), &line).unwrap();
            prop_assert_ne!(&wrapped, &line);
            prop_assert_eq!(unwrap_dialplan_entry(&wrapped), line);
        }

        #[test]
        fn every_other_byte_of_an_entry_is_kept(
            lines in proptest::collection::vec(
                prop_oneof![
                    2 => any_dial_line(),
                    1 => "exten => _[0-9]X\\.,n,(NoOp|Set|AGI)\\([a-z0-9=/:]{0,8}\\)[ \t\r]{0,2}",
                    1 => "[ \t]{0,3};[^\n]{0,12}",
                    1 => "[a-z=> \té\r]{0,10}",
                ],
                0..8,
            ),
            end in "(\n|\r\n|)",
        ) {
            // One Dial() for an extension, or the entry is refused.
            let numbered = lines.iter().enumerate().map(|(n, line)| line.replace("_9", &format!("_9{n}")));
            let entry = numbered.collect::<Vec<_>>().join("\n") + &end;
            match wrap_dialplan_entry(&main(), &entry) {
                Ok(wrapped) => {
                    for (before, after) in entry.split('\n').zip(wrapped.split('\n')) {
                        prop_assert_eq!(before == after, !mentions_dial(before), "{}", before);
                    }
                    prop_assert_eq!(unwrap_dialplan_entry(&wrapped), entry);
                    prop_assert_eq!(wrap_dialplan_entry(&main(), &wrapped), Ok(wrapped));
                }
                Err(error) => prop_assert_eq!(error.fault, WrapFault::NoDial),
            }
        }

        #[test]
        fn unwrapping_arbitrary_text_keeps_it(text in "(exten => 1,1,|ExecIf\\(|Dial\\(|Gosub\\(other|[a,|&(){}\n?:é]){0,20}") {
            prop_assert_eq!(unwrap_dialplan_entry(&text), text);
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,60}", lines in "(exten => 1,1,|Dial\\(|SIP/a/1|[,|&(){}\n?:\"]){0,20}") {
            let _ = wrap_dialplan_entry(&main(), &text);
            let _ = wrap_dialplan_entry(&main(), &lines);
            unwrap_dialplan_entry(&lines);
        }
    }
}
