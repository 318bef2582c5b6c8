//! `Dial()` options that a call through crankback goes without.

use crate::asterisk_conf::{DialOption, DialOptionsError};

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
