//! `Dial()` options that a call through crankback goes without.

use super::super::dial_line::Dialling;
use crate::asterisk_conf::{Dial, DialOption, DialOptionsError, Dialplan};

/// What the stasis engine does as `Dial()` would, or what makes no difference to a dialer's call: `o` (the caller's id on the
/// leg), `r` and `R` (ringing), `g` (go on when the called party hangs up), `i` and `I` (no forwarding, no connected line
/// updates), `T` and `t` (transfers by DTMF: VICIdial's agents transfer through the manager interface).
const HONOURED: &str = "TtorRgiI";

/// The options of a `Dial()` line that are not honoured, as written. An argument is: `o(number)` is not `o`.
pub(super) fn not_honoured(options: &str) -> Result<Vec<String>, DialOptionsError> {
    let options = DialOption::parse_all(options)?;
    let lost = options.iter().filter(|option| {
        !HONOURED.contains(option.letter) || option.argument.as_ref().is_some_and(|it| !it.is_empty())
    });
    Ok(lost.map(ToString::to_string).collect())
}

/// The options of a dialplan entry's `Dial()` lines that only Asterisk's own `Dial()` honours, as written; all options of a line
/// where they cannot be told apart before the call.
pub fn options_for_dial_alone(dialplan_entry: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in Dialplan::parse(dialplan_entry).extensions {
        let dial = match Dialling::of(&line.application) {
            Dialling::Plain(dial) | Dialling::Guarded(dial) => dial,
            Dialling::No | Dialling::Hidden => continue,
        };
        if let Ok(dial) = Dial::parse(&dial.arguments) {
            found.extend(not_honoured(&dial.options).unwrap_or_else(|_| vec![dial.options.clone()]));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_makes_a_difference_is_told() {
        let none: [&str; 0] = [];
        for harmless in ["", "To", "tTorRgiI", "r()"] {
            assert_eq!(not_honoured(harmless).unwrap(), none, "{harmless}");
        }
        assert_eq!(
            not_honoured("TL(60000:30000)mo(5550100)U(sub^1)r(us)h").unwrap(),
            ["L(60000:30000)", "m", "o(5550100)", "U(sub^1)", "r(us)", "h"]
        );
        assert_eq!(not_honoured("T${MORE}").unwrap_err().code(), "dial_options_variable");
    }
}
