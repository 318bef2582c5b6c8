//! Reason phrases and the patterns that they are searched for.

use std::fmt;

/// A reason phrase, made ready once for all patterns.
#[derive(Debug)]
pub(super) struct Phrase {
    /// In lower case, without blanks around it.
    text: String,
    letters: Letters,
}

impl Phrase {
    pub(super) fn new(text: &str) -> Self {
        let text = text.trim().to_ascii_lowercase();
        let letters = Letters::of(&text);
        Self { text, letters }
    }
}

/// Which of the letters a to z a text has, one bit each. What lacks a letter of a pattern cannot hold the pattern: that rules
/// most patterns out without a search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Letters(u32);

impl Letters {
    /// Those of a text in lower case.
    fn of(text: &str) -> Self {
        let letters = text.bytes().filter(u8::is_ascii_lowercase);
        Self(letters.fold(0, |letters, letter| letters | 1 << (letter - b'a')))
    }

    const fn has_all(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }
}

/// Words that a carrier's reason phrase is searched for: in any case, whole words only, `*` for anything in between or to
/// loosen an end (`*funds*`), `$` for the end of the phrase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhrasePattern {
    text: String,
    /// What stands between the stars, in lower case. The first is empty where the pattern begins with a star, likewise the last.
    pieces: Vec<String>,
    letters: Letters,
    at_end: bool,
}

impl PhrasePattern {
    /// Reads a pattern; `None` if it has no letter or digit, and so would match everything.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (body, at_end) = text.strip_suffix('$').map_or((text, false), |body| (body, true));
        let body = body.to_ascii_lowercase();
        body.contains(char::is_alphanumeric).then(|| Self {
            text: text.to_owned(),
            pieces: body.split('*').map(str::to_owned).collect(),
            letters: Letters::of(&body),
            at_end,
        })
    }

    /// Whether the phrase holds the pattern.
    pub(super) fn matches(&self, phrase: &Phrase) -> bool {
        phrase.letters.has_all(self.letters) && self.is_found_in(&phrase.text)
    }

    fn is_found_in(&self, phrase: &str) -> bool {
        let Some((first, rest)) = self.pieces.split_first() else {
            return false;
        };
        phrase.char_indices().map(|(start, _)| start).any(|start| {
            phrase[start..].starts_with(first.as_str())
                && begins_word(phrase, start, first)
                && self.goes_on(phrase, start + first.len(), rest)
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
    use super::super::Rulebook;
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
            let found = PhrasePattern::parse(pattern)
                .expect("a pattern")
                .matches(&Phrase::new(phrase));
            assert_eq!(found, expected, "{pattern:?} in {phrase:?}");
        }
    }

    #[test]
    fn letters_rule_out_only_what_a_search_would_not_find() {
        let patterns = ["*", "", "$", "*$"].map(|end| format!("D1 é-Zz*q{end}"));
        let built_in = Rulebook::built_in()
            .phrases
            .iter()
            .flat_map(|row| row.answers.split(", "));
        let texts: Vec<&str> = built_in.chain(patterns.iter().map(String::as_str)).collect();
        let (mut found, mut ruled_out) = (0, 0);
        for pattern in texts.iter().filter_map(|text| PhrasePattern::parse(text)) {
            for text in &texts {
                let phrase = Phrase::new(&format!("Sorry: {}, call {text}", text.replace(['*', '$'], "")));
                assert_eq!(
                    pattern.matches(&phrase),
                    pattern.is_found_in(&phrase.text),
                    "{pattern} in {phrase:?}"
                );
                found += usize::from(pattern.matches(&phrase));
                ruled_out += usize::from(!phrase.letters.has_all(pattern.letters));
            }
        }
        assert!(found > 0 && ruled_out > 0, "{found} found, {ruled_out} ruled out");
    }

    #[test]
    fn a_pattern_that_would_match_everything_is_none() {
        for text in ["", " ", "*", "$", "*-*"] {
            assert_eq!(PhrasePattern::parse(text), None, "{text:?}");
        }
    }
}
