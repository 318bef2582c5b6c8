//! The known word that somebody who slipped probably meant.

/// The known word with the fewest edits from `word`, if those are few enough to be a slip.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.len() / 3).max(2);
    known
        .into_iter()
        // It takes as many edits at least.
        .filter(|candidate| word.len().abs_diff(candidate.len()) <= allowed)
        .map(|candidate| (edits(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance over bytes: the words are ASCII.
fn edits(left: &str, right: &str) -> usize {
    let mut previous: Vec<usize> = (0..=right.len()).collect();
    for (row, left_byte) in left.bytes().enumerate() {
        let mut current = vec![row + 1];
        for ((right_byte, above), diagonal) in right.bytes().zip(&previous[1..]).zip(&previous) {
            let substituted = diagonal + usize::from(left_byte != right_byte);
            let inserted = current.last().map_or(usize::MAX, |before| before + 1);
            current.push(substituted.min(inserted).min(above + 1));
        }
        previous = current;
    }
    previous.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_slip_meant_and_leaves_strangers_alone() {
        let known = ["next", "one_more", "stop"];
        for (word, meant) in [
            ("nxt", Some("next")),
            ("one_mroe", Some("one_more")),
            ("stpo", Some("stop")),
            ("banana", None),
        ] {
            assert_eq!(nearest(word, known), meant, "{word}");
        }
    }

    /// A slip of ten million characters is none, and is not compared letter by letter.
    #[test]
    fn a_word_of_another_length_costs_nothing() {
        assert_eq!(nearest(&"stop".repeat(2_500_000), ["next", "one_more", "stop"]), None);
    }

    #[test]
    fn edits_are_counted() {
        for (left, right, distance) in [
            ("", "abc", 3),
            ("abc", "abc", 0),
            ("gaurd", "guard", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(edits(left, right), distance, "{left} {right}");
        }
    }
}
