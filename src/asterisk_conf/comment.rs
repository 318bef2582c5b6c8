//! Comments of Asterisk's configuration files.

/// The text with every comment overwritten by spaces, so that byte positions and line numbers stay what they were.
///
/// Comments are `;` to the end of the line (`\;` is a plain semicolon) and nested `;--` … `--;` blocks (`;---` starts no
/// block).
pub(super) fn blank_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut block_depth = 0_usize;
    let mut rest = text;
    let mut previous = '\n';
    while let Some(character) = rest.chars().next() {
        let opens_block = rest.starts_with(";--") && !rest.starts_with(";---");
        let escaped = previous == '\\' && block_depth == 0;
        let comment_length = if opens_block && !escaped {
            block_depth += 1;
            3
        } else if block_depth > 0 && rest.starts_with("--;") {
            block_depth -= 1;
            3
        } else if block_depth > 0 && character != '\n' {
            character.len_utf8()
        } else if character == ';' && !escaped {
            rest.find('\n').unwrap_or(rest.len())
        } else {
            0
        };
        if comment_length > 0 {
            code.extend(std::iter::repeat_n(' ', comment_length));
            rest = &rest[comment_length..];
            previous = ' ';
        } else {
            code.push(character);
            rest = &rest[character.len_utf8()..];
            previous = character;
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    #[test]
    fn a_semicolon_starts_a_comment_unless_escaped() {
        assert_eq!(blank_comments("a ; b\nc \\; d"), "a    \nc \\; d");
    }

    #[test]
    fn block_comments_nest_and_span_lines() {
        assert_eq!(
            blank_comments("a ;-- b\nc ;-- d --; e\n--; ;"),
            "a      \n             \n     "
        );
    }

    #[test]
    fn a_dashed_rule_is_an_ordinary_comment() {
        assert_eq!(blank_comments(";------\nexten"), "       \nexten");
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn lengths_and_lines_are_kept(text in "[a;\\-\\\\\n é]{0,40}") {
            let code = blank_comments(&text);
            prop_assert_eq!(code.len(), text.len());
            prop_assert_eq!(code.matches('\n').count(), text.matches('\n').count());
        }
    }
}
