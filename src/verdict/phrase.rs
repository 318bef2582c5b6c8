//! Patterns for reason phrases.

use std::fmt;

/// Words that a carrier's reason phrase is searched for: in any case, whole words only, `*` for anything in between or to
/// loosen an end (`*funds*`), `$` for the end of the phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhrasePattern {
    text: String,
    /// What stands between the stars, in lower case. The first is empty where the pattern begins with a star, likewise the last.
    pieces: Vec<String>,
    at_end: bool,
}

impl PhrasePattern {
    /// Reads a pattern; `None` if it has no letter or digit, and so would match everything.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (body, at_end) = text.strip_suffix('$').map_or((text, false), |body| (body, true));
        body.contains(char::is_alphanumeric).then(|| Self {
            text: text.to_owned(),
            pieces: body.to_ascii_lowercase().split('*').map(str::to_owned).collect(),
            at_end,
        })
    }

    /// Whether the phrase holds the pattern.
    pub(super) fn matches(&self, phrase: &str) -> bool {
        let phrase = phrase.trim().to_ascii_lowercase();
        let Some((first, rest)) = self.pieces.split_first() else {
            return false;
        };
        phrase.char_indices().map(|(start, _)| start).any(|start| {
            phrase[start..].starts_with(first.as_str())
                && begins_word(&phrase, start, first)
                && self.goes_on(&phrase, start + first.len(), rest)
        })
    }

    /// Whether what follows `from` holds the pieces after the first, each behind a star.
    fn goes_on(&self, phrase: &str, mut from: usize, rest: &[String]) -> bool {
        let Some((last, between)) = rest.split_last() else {
            return self.may_end(phrase, from, self.pieces.first());
        };
        for piece in between {
            // The leftmost place leaves the most for what follows.
            match phrase[from..].find(piece.as_str()) {
                Some(found) => from += found + piece.len(),
                None => return false,
            }
        }
        if last.is_empty() {
            return true;
        }
        phrase[from..]
            .match_indices(last.as_str())
            .any(|(found, _)| self.may_end(phrase, from + found + last.len(), Some(last)))
    }

    fn may_end(&self, phrase: &str, end: usize, last: Option<&String>) -> bool {
        if self.at_end {
            return end == phrase.len();
        }
        let inside = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
        !(inside(last.and_then(|piece| piece.chars().next_back())) && inside(phrase[end..].chars().next()))
    }
}

fn begins_word(phrase: &str, start: usize, first: &str) -> bool {
    let inside = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
    !(inside(first.chars().next()) && inside(phrase[..start].chars().next_back()))
}

impl fmt::Display for PhrasePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_whole_words_in_any_case() {
        for (pattern, phrase, expected) in [
            ("channel limit", "User Channel Limit exceeded D1", true),
            ("channel limit", "subchannel limit", false),
            ("channel limit", "channel limits", false),
            ("D1$", "User channel limit exceeded D1", true),
            ("D1$", "Connection inactive D18", false),
            ("D1$", "D1 exceeded", false),
            ("D18", "Connection inactive D18", true),
            ("concurrent*", "Concurrently too much", true),
            ("*cps*", "limit 10CPS reached", true),
            ("*funds*", "Insufficient funds.", true),
            ("rate * exceeds", "Rate to destination exceeds", true),
            ("rate * exceeds", "Rate to destination exceedsit", false),
            ("rate * exceeds", "rate of 1 exceedsX, 2 exceeds", true),
            ("a*b*c", "a-c-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("max calls", "Größter max calls ß", true),
            ("dnc", "", false),
        ] {
            let found = PhrasePattern::parse(pattern).expect("a pattern").matches(phrase);
            assert_eq!(found, expected, "{pattern:?} in {phrase:?}");
        }
    }

    #[test]
    fn a_pattern_that_would_match_everything_is_none() {
        for text in ["", " ", "*", "$", "*-*"] {
            assert_eq!(PhrasePattern::parse(text), None, "{text:?}");
        }
    }
}
