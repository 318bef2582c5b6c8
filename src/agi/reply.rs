//! What Asterisk answers to a command.

use std::borrow::Cow;

use super::Error;

/// A command that was carried out: `200 result=1 (value)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The number after `result=`. Its meaning is the command's; -1 is mostly a failure or a hangup.
    pub result: i32,
    /// What stands in parentheses, byte for byte.
    pub value: Option<Vec<u8>>,
}

impl Reply {
    /// The value as text; bytes that are not UTF-8 are replaced, no value is empty.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default())
    }
}

/// What one line from Asterisk is.
#[derive(Debug)]
pub(super) enum Line {
    /// The channel hung up; it is no answer.
    Hangup,
    /// `1xx`: the answer is still to come.
    Provisional,
    /// `520-…`: the first line of a usage text that ends with a `520 ` line.
    UsageBegins,
    /// The answer.
    Answer(Result<Reply, Error>),
}

/// The first words of the last line of a usage text.
pub(super) const USAGE_END: &[u8] = b"520 ";

impl Line {
    /// Reads one line.
    pub(super) fn parse(line: &[u8]) -> Self {
        let malformed = || Error::Malformed(String::from_utf8_lossy(line).chars().take(200).collect());
        if line == b"HANGUP" {
            return Self::Hangup;
        }
        match line {
            [b'1', b'0'..=b'9', b'0'..=b'9', b' ', ..] => Self::Provisional,
            [b'5', b'1', b'0', ..] => Self::Answer(Err(Error::UnknownCommand)),
            [b'5', b'1', b'1', ..] => Self::Answer(Err(Error::DeadChannel)),
            [b'5', b'2', b'0', b'-', ..] => Self::UsageBegins,
            [b'5', b'2', b'0', rest @ ..] => {
                Self::Answer(Err(Error::Usage(String::from_utf8_lossy(rest).trim().to_owned())))
            }
            _ => Self::Answer(success(line).ok_or_else(malformed)),
        }
    }
}

/// `200 result=<number>`, then perhaps a blank and ` (value)`, then perhaps ` endpos=<number>`.
fn success(line: &[u8]) -> Option<Reply> {
    let rest = line.strip_prefix(b"200 result=")?;
    let end = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
    let (number, rest) = rest.split_at(end);
    let result = std::str::from_utf8(number).ok()?.parse().ok()?;
    // A value may hold parentheses of its own: it ends with the last one of the line.
    let open = rest.iter().position(|&byte| byte == b'(');
    let close = rest.iter().rposition(|&byte| byte == b')');
    let value = match (open, close) {
        (Some(open), Some(close)) => rest.get(open + 1..close).map(<[u8]>::to_vec),
        (Some(_), None) | (None, Some(_) | None) => None,
    };
    Some(Reply { result, value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(line: &[u8]) -> Reply {
        let Line::Answer(answer) = Line::parse(line) else {
            panic!("{line:?} is no answer")
        };
        answer.expect("is no refusal")
    }

    fn reply(result: i32, value: Option<&[u8]>) -> Reply {
        Reply {
            result,
            value: value.map(<[u8]>::to_vec),
        }
    }

    #[test]
    fn reads_what_asterisk_writes() {
        for (line, expected) in [
            (&b"200 result=0"[..], reply(0, None)),
            (b"200 result=-1", reply(-1, None)),
            (b"200 result=-2", reply(-2, None)),
            (b"200 result=1 (CONGESTION)", reply(1, Some(b"CONGESTION"))),
            (b"200 result=1 ()", reply(1, Some(b""))),
            (
                b"200 result=1 (SIP 503 No (more) lines)",
                reply(1, Some(b"SIP 503 No (more) lines")),
            ),
            (b"200 result=1 (M\xfcller)", reply(1, Some(b"M\xfcller"))),
            (b"200 result=0 endpos=1200", reply(0, None)),
        ] {
            assert_eq!(answer(line), expected, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn tells_refusals_apart() {
        let error = |line: &[u8]| {
            let Line::Answer(answer) = Line::parse(line) else {
                panic!("{line:?} is no answer")
            };
            answer.expect_err("is a refusal").code()
        };
        assert_eq!(error(b"510 Invalid or unknown command"), "agi_unknown_command");
        assert_eq!(
            error(b"511 Command Not Permitted on a dead channel or intercept routine"),
            "agi_dead_channel"
        );
        assert_eq!(error(b"520 Invalid command syntax"), "agi_usage");
        assert!(matches!(
            Line::parse(b"520-Invalid command syntax.  Proper usage follows:"),
            Line::UsageBegins
        ));
        assert!(matches!(Line::parse(b"HANGUP"), Line::Hangup));
        assert!(matches!(Line::parse(b"100 Trying"), Line::Provisional));
        for line in [
            &b""[..],
            b"200",
            b"200 result=",
            b"200 result=x",
            b"HTTP/1.1 200 OK",
            b"\xff\xfe",
        ] {
            assert_eq!(error(line), "agi_malformed");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(4_573), ..ProptestConfig::default() })]

        #[test]
        fn no_line_is_too_strange(line in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Line::parse(&line);
        }

        #[test]
        fn a_value_comes_back_as_it_was(result in any::<i32>(), value in prop::collection::vec(any::<u8>(), 0..80)) {
            let line = [format!("200 result={result} (").as_bytes(), &value, b")"].concat();
            prop_assert_eq!(answer(&line), reply(result, Some(&value)));
        }
    }
}
