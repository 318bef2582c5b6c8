//! What is read, and what must hold of it.

use std::fmt::Debug;

use crankback::agi::{Limits, Session};
use crankback::ari::Event;
use crankback::asterisk_conf::{
    Account, Application, Dial, DialOption, Dialplan, Globals, NumberExpression, Pattern, Target as DialTarget,
};
use crankback::verdict::{Overrides, SipReply};

use crate::mutation::LONGEST_INPUT_BYTES;
use crate::probe;

/// One parser, or several that read the same.
pub struct Target {
    /// Its name, and that of its directory of seeds.
    pub name: &'static str,
    /// Words that mean something to it.
    pub words: &'static [&'static str],
    /// Inputs are cut to this length. Where it is less than [`LONGEST_INPUT_BYTES`], what is read is never longer than that,
    /// and more would take a build without optimisation too long.
    pub longest: usize,
    /// Reads an input; what does not hold.
    pub read: fn(&[u8]) -> Result<Reading, String>,
}

/// Whether an input meant anything: mutations of those that did go deeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It was understood.
    Sense,
    /// It was refused.
    Nonsense,
}

/// Every target.
pub const ALL: &[Target] = &[
    Target {
        name: "ari_event",
        words: &[
            "\"",
            "{",
            "}",
            "[",
            "]",
            ":",
            ",",
            "null",
            "true",
            "-1",
            "1e999",
            "\\u0000",
            "\\ud800",
            "\"type\":",
            "\"channel\":",
            "\"timestamp\":",
            "\"2026-02-30T25:61:61.999+9999\"",
            "\"cause\":",
            "\"StasisStart\"",
            "\"ChannelDestroyed\"",
            "\"Dial\"",
            "\"channelvars\":",
            "\u{e9}",
        ],
        longest: LONGEST_INPUT_BYTES,
        read: ari_event,
    },
    Target {
        name: "dialplan",
        words: &[
            "exten => ",
            "same => ",
            "same = n,",
            "n(",
            ")",
            "(",
            ",",
            "|",
            "${EXTEN:1}",
            "${",
            "}",
            "[",
            "]",
            "\n",
            ";",
            ";--",
            "--;",
            "\\;",
            "hint",
            "n+4294967295",
            "s+1",
            "Dial(",
            "AGI(",
            "ExecIf(",
            "\"",
            "\u{e9}",
            "_91X.",
        ],
        longest: LONGEST_INPUT_BYTES,
        read: dialplan,
    },
    Target {
        name: "account",
        words: &[
            "[", "]", "(!)", "(+)", "(", ")", "=", "=>", "\n", ";", ";--", "--;", "\\;", ",", "type=", "host",
            "\u{e9}", " ",
        ],
        longest: LONGEST_INPUT_BYTES,
        read: account,
    },
    Target {
        name: "globals",
        words: &[
            "=",
            "=>",
            "\n",
            "${",
            "}",
            "${A}",
            "A",
            "B=${A}${A}\n",
            "A=${B}${B}\n",
            ";",
            ";--",
            "--;",
            "\u{e9}",
        ],
        longest: LONGEST_INPUT_BYTES,
        read: globals,
    },
    Target {
        name: "dial",
        words: &[
            "Dial(",
            ")",
            "(",
            ",",
            "|",
            "&",
            "/",
            "@",
            ":",
            "${EXTEN:1}",
            "${EXTEN}",
            "${",
            "}",
            "$[",
            "]",
            "PJSIP/",
            "SIP/",
            "IAX2/",
            "sip:",
            "U(",
            "L(",
            "T",
            "o",
            "${EXTEN:99999999999999999999}",
            "\"",
            "\\,",
            "\u{e9}",
            "${A}",
        ],
        longest: LONGEST_INPUT_BYTES,
        read: dial,
    },
    Target {
        name: "pattern",
        words: &[
            "_", "X", "N", "Z", "[", "]", "-", "[0-9]", "[9-0]", ".", "!", "/", "${", "+", "*", "#", "1", "\u{e9}",
            "\t",
        ],
        longest: 256, // Asterisk cuts an extension to 79 bytes
        read: pattern,
    },
    Target {
        name: "sip_response",
        words: &[
            "SIP/2.0 ",
            "SIP ",
            "200 OK",
            "100",
            "699",
            "\r\n",
            "\r\n\r\n",
            ":",
            ";",
            "=",
            ",",
            "Via",
            "v",
            "CSeq: 1 OPTIONS",
            "Call-ID",
            "i",
            "branch=",
            "Content-Length: ",
            "l:",
            "18446744073709551615",
            "\u{e9}",
            "..",
        ],
        longest: LONGEST_INPUT_BYTES,
        read: sip_response,
    },
    Target {
        name: "agi",
        words: &[
            "agi_",
            ": ",
            ":",
            "\n",
            "\r\n",
            "\n\n",
            "agi_arg_1: ",
            "agi_uniqueid: ",
            "200 result=",
            "-1",
            " (",
            ")",
            "HANGUP\n",
            "510 ",
            "511 ",
            "520-",
            "520 ",
            "100 ",
            " endpos=",
            "\u{e9}",
        ],
        longest: LONGEST_INPUT_BYTES,
        read: agi,
    },
    Target {
        name: "overrides",
        words: &[
            "=",
            "\"",
            "next",
            "stop",
            "one_more",
            "/weak",
            "\n",
            "{",
            "}",
            "503",
            "5xx",
            "phrase:",
            "USER_BUSY",
            "definitive",
            "true",
            "action",
        ],
        longest: LONGEST_INPUT_BYTES,
        read: overrides,
    },
];

/// Anything that was understood makes sense.
fn made_sense(understood: bool) -> Result<Reading, String> {
    Ok(if understood { Reading::Sense } else { Reading::Nonsense })
}

fn same<T: PartialEq + Debug>(what: &str, read: T, written: T) -> Result<(), String> {
    if read == written {
        Ok(())
    } else {
        Err(format!("{what} reads back as {read:?}, it was {written:?}"))
    }
}

fn ari_event(input: &[u8]) -> Result<Reading, String> {
    let text = String::from_utf8_lossy(input);
    let event = Event::decode(&text);
    if let Err(error) = &event {
        same("the error's code", error.code().is_empty(), false)?;
    }
    let is_known = matches!(&event, Ok(event) if !matches!(event, Event::Other { .. }));
    made_sense(is_known)
}

fn dialplan(input: &[u8]) -> Result<Reading, String> {
    let text = String::from_utf8_lossy(input);
    let dialplan = Dialplan::parse(&text);
    let lines: Vec<&str> = text.split('\n').collect();
    for error in &dialplan.errors {
        same(
            "a line that is complained of",
            (1..=lines.len()).contains(&error.line),
            true,
        )?;
    }
    for line in &dialplan.extensions {
        let written = lines
            .get(line.line - 1)
            .and_then(|text| text.get(line.application_at.clone()));
        same("the place of an application", written.is_some(), true)?;
    }
    made_sense(!dialplan.extensions.is_empty())
}

fn account(input: &[u8]) -> Result<Reading, String> {
    let account = Account::parse(&String::from_utf8_lossy(input));
    // Lines that add to a section or take over from another one are written out in their place, so the second writing counts.
    let written = Account::parse(&account.to_string());
    let again = Account::parse(&written.to_string());
    same("an account", &again.sections, &written.sections)?;
    for section in account.accounts() {
        let _ = (section.kind(), section.value("host"));
    }
    let _ = (account.hosts(), account.first_of_type("endpoint"));
    made_sense(!account.sections.is_empty())
}

fn globals(input: &[u8]) -> Result<Reading, String> {
    let text = String::from_utf8_lossy(input);
    let mut globals = Globals::default();
    let errors = globals.read(&text);
    let longest = text.len() + 70_000;
    for line in text.lines().take(16) {
        let expanded = globals.expand(line);
        same("the length of an expansion", expanded.len() <= longest * 2, true)?;
    }
    made_sense(errors.is_empty() && globals.names().next().is_some())
}

fn dial(input: &[u8]) -> Result<Reading, String> {
    let text = String::from_utf8_lossy(input);
    let mut understood = false;
    let mut arguments = text.clone().into_owned();
    if let Ok(application) = Application::parse(&text) {
        same(
            "an application",
            Application::parse(&application.to_string()),
            Ok(application.clone()),
        )?;
        let _ = application.exec_if_arms();
        arguments = application.arguments;
    }
    if let Ok(dial) = Dial::parse(&arguments) {
        let _ = DialOption::parse_all(&dial.options);
        for target in dial.targets() {
            understood |= DialTarget::parse(target).is_ok();
        }
    }
    let _ = NumberExpression::parse(&text);
    if let Ok(options) = DialOption::parse_all(&text) {
        let written: String = options.iter().map(ToString::to_string).collect();
        same("options", DialOption::parse_all(&written), Ok(options))?;
    }
    made_sense(understood)
}

fn pattern(input: &[u8]) -> Result<Reading, String> {
    let text = String::from_utf8_lossy(input);
    let (written, dialled) = text.split_once('\n').unwrap_or((&text, "12125550100"));
    let Ok(pattern) = written.parse::<Pattern>() else {
        return made_sense(false);
    };
    same("a pattern", pattern.to_string().parse(), Ok(pattern.clone()))?;
    let example = pattern.example();
    same("the example's match", pattern.matches(&example), true)?;
    same(
        "a pattern against itself",
        pattern.compare_specificity(&pattern),
        std::cmp::Ordering::Equal,
    )?;
    let _ = (pattern.matches(dialled), pattern.length(), pattern.is_open_ended());
    if let Some(tail) = pattern.tail(pattern.length() / 2) {
        same("the length of a tail", tail.length() <= pattern.length(), true)?;
        let _ = pattern.literal_before(&tail);
    }
    if let Ok(other) = dialled.parse::<Pattern>() {
        let there = pattern.compare_specificity(&other);
        same(
            "an order the other way round",
            other.compare_specificity(&pattern),
            there.reverse(),
        )?;
    }
    made_sense(true)
}

fn sip_response(input: &[u8]) -> Result<Reading, String> {
    let text = String::from_utf8_lossy(input);
    let code = probe::response_code(&text);
    same(
        "the range of a code",
        code.is_none_or(|code| (100..700).contains(&code)),
        true,
    )?;
    let (whole, overrun) = probe::heads(std::iter::once(input));
    if input.len() < 2_048 {
        let (pieces, overrun_in_pieces) = probe::heads(input.chunks(7));
        same("a stream in pieces", (&pieces, overrun_in_pieces), (&whole, overrun))?;
    }
    let reply = text.lines().find_map(SipReply::parse);
    if let Some(reply) = &reply {
        same("a reply", SipReply::parse(&reply.to_string()).as_ref(), Some(reply))?;
    }
    made_sense(code.is_some() || reply.is_some())
}

fn agi(input: &[u8]) -> Result<Reading, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let stream = tokio::io::join(input, tokio::io::sink());
        let Ok((prelude, mut session)) = Session::open(stream, Limits::default()).await else {
            return made_sense(false);
        };
        let _ = (prelude.script(), prelude.arguments(), prelude.caller_id("callerid"));
        // Every reply takes at least a byte, so the replies come to an end.
        for _ in 0..=input.len() {
            if session.evaluate("${DIALSTATUS}").await.is_err() {
                return made_sense(true);
            }
        }
        Err("replies without an end".to_owned())
    })
}

fn overrides(input: &[u8]) -> Result<Reading, String> {
    let text = String::from_utf8_lossy(input);
    let parsed = Overrides::parse(&text);
    let _ = Overrides::from_assignments(text.lines());
    if let Err(error) = &parsed {
        same("the error's code", error.code().is_empty(), false)?;
    }
    made_sense(parsed.is_ok_and(|overrides| !overrides.is_empty()))
}
