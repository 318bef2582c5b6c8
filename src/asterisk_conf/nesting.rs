//! Separators that count only outside of brackets and quotes.

/// Splits at every `separator` that stands outside of `()`, `[]`, `{}` and double quotes.
///
/// Always yields at least one part; a closing bracket without an opening one is ordinary text.
pub fn split_top_level(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = find_top_level(rest, separator) {
        parts.push(&rest[..at]);
        rest = &rest[at + separator.len_utf8()..];
    }
    parts.push(rest);
    parts
}

/// The byte position of the first `wanted` that stands outside of `()`, `[]`, `{}` and double quotes.
pub fn find_top_level(text: &str, wanted: char) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quoted = false;
    for (at, character) in text.char_indices() {
        if depth == 0 && !quoted && character == wanted {
            return Some(at);
        }
        match character {
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_inside_brackets_and_quotes_do_not_count() {
        assert_eq!(
            split_top_level("SIP/a,20,L(60:20,x)$[1,2]${A,b}\"c,d\",u", ','),
            ["SIP/a", "20", "L(60:20,x)$[1,2]${A,b}\"c,d\"", "u"]
        );
    }

    #[test]
    fn a_stray_closing_bracket_is_text() {
        assert_eq!(split_top_level("a),b", ','), ["a)", "b"]);
    }

    #[test]
    fn empty_text_is_one_empty_part() {
        assert_eq!(split_top_level("", ','), [""]);
    }
}
