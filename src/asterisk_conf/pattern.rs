//! Dial patterns: what stands before the first comma of an `exten` line.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The characters that may stand at one position, one bit for each ASCII character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct CharacterSet(u128);

const X: CharacterSet = CharacterSet::range(b'0', b'9');
const Z: CharacterSet = CharacterSet::range(b'1', b'9');
const N: CharacterSet = CharacterSet::range(b'2', b'9');

impl CharacterSet {
    const EMPTY: Self = Self(0);

    const fn one(character: u8) -> Self {
        Self(1 << character)
    }

    /// Empty when `last` comes before `first`, as in Asterisk.
    const fn range(first: u8, last: u8) -> Self {
        let mut bits = 0;
        let mut character = first;
        while character <= last {
            bits |= 1 << character;
            character += 1;
        }
        Self(bits)
    }

    const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    const fn without(self, character: u8) -> Self {
        Self(self.0 & !(1 << character))
    }

    const fn contains(self, character: u8) -> bool {
        character < 128 && self.0 & (1 << character) != 0
    }

    const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// The only character of the set.
    fn literal(self) -> Option<char> {
        (self.count() == 1).then(|| self.first())
    }

    fn first(self) -> char {
        self.characters().next().unwrap_or('0')
    }

    fn characters(self) -> impl Iterator<Item = char> {
        (0..128_u8)
            .filter(move |character| self.contains(*character))
            .map(char::from)
    }

    /// Smaller sets first, then those with the lower characters.
    fn specificity(self, other: Self) -> Ordering {
        let differences = self.0 ^ other.0;
        let lowest_difference = differences & differences.wrapping_neg();
        self.count()
            .cmp(&other.count())
            .then_with(|| (self.first()).cmp(&other.first()))
            .then_with(|| (other.0 & lowest_difference).cmp(&(self.0 & lowest_difference)))
    }
}

/// How a pattern ends, in the order in which Asterisk prefers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum End {
    /// `.`: one or more characters of any kind.
    OneOrMore,
    /// `!`: anything, also nothing.
    Anything,
    /// The number ends with the pattern.
    Exact,
}

/// A dial pattern or a plain extension.
///
/// Two patterns are equal when they have the same shape, however they are written: `_[0-9]XX`, `_X-XX` and `_xxx` are one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    positions: Vec<CharacterSet>,
    end: End,
    /// The literal characters at the start, kept because every call asks for them.
    literal_prefix: String,
}

/// Why a text is no dial pattern that can be reasoned about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// Nothing is left once `_` and `-` are taken away.
    #[error("the pattern is empty")]
    Empty,
    /// `pattern/callerid`: the extension holds for some callers only.
    #[error("the pattern matches the caller id after the slash, which is not supported")]
    CallerIdMatch,
    /// Asterisk expands variables in extensions when it loads the dialplan.
    #[error("the pattern contains a variable")]
    Variable,
    /// `[` without `]`.
    #[error("[ without ] in the pattern")]
    UnclosedSet,
    /// A set that no digit can match.
    #[error("the pattern contains a set that nothing matches")]
    EmptySet,
    /// `.` or `!` before the end.
    #[error("{wildcard:?} stands before the end of the pattern")]
    WildcardNotLast {
        /// The wildcard.
        wildcard: char,
    },
    /// A character that no extension contains.
    #[error("character {character:?} in the pattern")]
    Character {
        /// The character.
        character: char,
    },
}

impl PatternError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Empty => "pattern_empty",
            Self::CallerIdMatch => "pattern_caller_id_match",
            Self::Variable => "pattern_variable",
            Self::UnclosedSet => "pattern_unclosed_set",
            Self::EmptySet => "pattern_empty_set",
            Self::WildcardNotLast { .. } => "pattern_wildcard_not_last",
            Self::Character { .. } => "pattern_character",
        }
    }
}

impl Pattern {
    fn new(positions: Vec<CharacterSet>, end: End) -> Self {
        let literal_prefix = positions.iter().map_while(|position| position.literal()).collect();
        Self {
            positions,
            end,
            literal_prefix,
        }
    }

    /// Whether a dialled extension matches; `-` in the extension counts for nothing, as in Asterisk.
    pub fn matches(&self, extension: &str) -> bool {
        let mut characters = extension.bytes().filter(|character| *character != b'-');
        for position in &self.positions {
            match characters.next() {
                Some(character) if position.contains(character) => {}
                _ => return false,
            }
        }
        match self.end {
            End::Exact => characters.next().is_none(),
            End::OneOrMore => characters.next().is_some(),
            End::Anything => true,
        }
    }

    /// The literal characters at the start: `91` of `_91NXX.`.
    pub fn literal_prefix(&self) -> &str {
        &self.literal_prefix
    }

    /// The number of positions, without a `.` or `!` at the end.
    pub fn length(&self) -> usize {
        self.positions.len()
    }

    /// Whether the pattern ends with `.` or `!`, so that nothing tells how long its numbers are.
    pub fn is_open_ended(&self) -> bool {
        self.end != End::Exact
    }

    /// The pattern without its first `count` positions; `None` when it has fewer, or when nothing would be left.
    pub fn tail(&self, count: usize) -> Option<Self> {
        let positions = self.positions.get(count..)?;
        (!positions.is_empty() || self.is_open_ended()).then(|| Self::new(positions.to_vec(), self.end))
    }

    /// The literal characters before `tail`, when the pattern is exactly those characters followed by the shape of `tail`.
    ///
    /// `_81NXX` before `NXX` is `81`; `_8XNXX` before `NXX` is nothing, since `8X` is not literal.
    pub fn literal_before(&self, tail: &Self) -> Option<&str> {
        let count = self.positions.len().checked_sub(tail.positions.len())?;
        let same_shape = self.end == tail.end && self.positions[count..] == tail.positions;
        (same_shape && self.literal_prefix.len() >= count).then(|| &self.literal_prefix[..count])
    }

    /// A number that the pattern matches, for people to look at: literals stay, a set gives its middle character, and an open
    /// end is filled up with `5550100`.
    pub fn example(&self) -> String {
        let mut example: String = self
            .positions
            .iter()
            .map(|position| {
                let middle = position.count() / 2;
                position
                    .characters()
                    .nth(middle as usize)
                    .unwrap_or_else(|| position.first())
            })
            .collect();
        if self.is_open_ended() {
            example.push_str("5550100");
        }
        example
    }

    /// Asterisk's order among patterns that match the same extension: the more specific one is less, and is the one that
    /// runs.
    pub fn compare_specificity(&self, other: &Self) -> Ordering {
        let common = self.positions.len().min(other.positions.len());
        self.positions[..common]
            .iter()
            .zip(&other.positions)
            .map(|(own, others)| own.specificity(*others))
            .find(|ordering| ordering.is_ne())
            // Where one pattern has a position left, the other one ends: a position is more specific than any end.
            .unwrap_or_else(|| other.positions.len().cmp(&self.positions.len()))
            .then_with(|| self.end.cmp(&other.end))
    }

    fn parse_plain(text: &str) -> Result<Self, PatternError> {
        let mut positions = Vec::new();
        for character in text.chars().filter(|character| *character != '-') {
            positions.push(literal(character)?);
        }
        if positions.is_empty() {
            Err(PatternError::Empty)
        } else {
            Ok(Self::new(positions, End::Exact))
        }
    }

    fn parse_pattern(text: &str) -> Result<Self, PatternError> {
        let mut positions = Vec::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            rest = &rest[character.len_utf8()..];
            match character {
                '-' => {}
                'X' | 'x' => positions.push(X),
                'Z' | 'z' => positions.push(Z),
                'N' | 'n' => positions.push(N),
                '.' | '!' if rest.chars().all(|after| after == '-') => {
                    return Ok(Self::new(
                        positions,
                        if character == '.' {
                            End::OneOrMore
                        } else {
                            End::Anything
                        },
                    ));
                }
                '/' => return Err(PatternError::CallerIdMatch),
                '.' | '!' if rest.contains('/') => return Err(PatternError::CallerIdMatch),
                '.' | '!' => return Err(PatternError::WildcardNotLast { wildcard: character }),
                '[' => {
                    let (set, after) = rest.split_once(']').ok_or(PatternError::UnclosedSet)?;
                    positions.push(parse_set(set)?);
                    rest = after;
                }
                _ => positions.push(literal(character)?),
            }
        }
        if positions.is_empty() {
            Err(PatternError::Empty)
        } else {
            Ok(Self::new(positions, End::Exact))
        }
    }
}

fn literal(character: char) -> Result<CharacterSet, PatternError> {
    match character {
        '/' => Err(PatternError::CallerIdMatch),
        '$' => Err(PatternError::Variable),
        _ if character.is_ascii_graphic() => Ok(CharacterSet::one(character as u8)),
        _ => Err(PatternError::Character { character }),
    }
}

fn parse_set(text: &str) -> Result<CharacterSet, PatternError> {
    for character in text.chars() {
        literal(character)?;
    }
    let mut set = CharacterSet::EMPTY;
    let mut rest = text.as_bytes();
    loop {
        rest = match *rest {
            [] => break,
            [first, b'-', last, ref after @ ..] => {
                set = set.union(CharacterSet::range(first, last));
                after
            }
            [character, ref after @ ..] => {
                set = set.union(CharacterSet::one(character));
                after
            }
        };
    }
    // Asterisk skips `-` in what was dialled, so a dash in a set never matches; a range may also reach over characters that
    // no set can name and nobody dials.
    let set = b"-$/]".iter().fold(set, |set, character| set.without(*character));
    if set == CharacterSet::EMPTY {
        Err(PatternError::EmptySet)
    } else {
        Ok(set)
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    /// Reads a pattern (`_91NXXNXXXXXX`) or, without the underscore, a plain extension.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        match text.strip_prefix('_') {
            Some(pattern) => Self::parse_pattern(pattern),
            None => Self::parse_plain(text),
        }
    }
}

impl fmt::Display for Pattern {
    /// The shortest way to write the shape; reading it back gives an equal pattern.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.end == End::Exact
            && self.literal_prefix.len() == self.positions.len()
            && !self.literal_prefix.starts_with('_');
        if plain {
            return f.write_str(&self.literal_prefix);
        }
        f.write_str("_")?;
        for position in &self.positions {
            match (*position, position.literal()) {
                (X, _) => f.write_str("X")?,
                (Z, _) => f.write_str("Z")?,
                (N, _) => f.write_str("N")?,
                (_, Some(special @ ('X' | 'x' | 'Z' | 'z' | 'N' | 'n' | '.' | '!' | '['))) => {
                    write!(f, "[{special}]")?;
                }
                (_, Some(literal)) => write!(f, "{literal}")?,
                (set, None) => write!(f, "[{}]", set.characters().collect::<String>())?,
            }
        }
        match self.end {
            End::OneOrMore => f.write_str("."),
            End::Anything => f.write_str("!"),
            End::Exact => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn letters_stand_for_their_digits() {
        let north_american = pattern("_91NXXNXXXXXX");
        assert!(north_american.matches("912125550100"));
        assert!(!north_american.matches("911125550100"), "1 is no N");
        assert!(!north_american.matches("91212555010"), "too short");
        assert!(!north_american.matches("9121255501000"), "too long");
        assert!(pattern("_Z").matches("1") && !pattern("_Z").matches("0"));
        assert!(pattern("_znx").matches("120") && !pattern("_znx").matches("110"));
    }

    #[test]
    fn open_ends_match_what_asterisk_matches() {
        assert!(!pattern("_9011.").matches("9011"));
        assert!(pattern("_9011.").matches("90114"));
        assert!(pattern("_9011!").matches("9011"));
        assert!(pattern("_.").matches("x"));
    }

    #[test]
    fn sets_hold_ranges_and_single_characters() {
        let set = pattern("_[1-35*#a]X");
        for extension in ["10", "20", "30", "50", "*0", "#0", "a0"] {
            assert!(set.matches(extension), "{extension}");
        }
        assert!(!set.matches("40") && !set.matches("-0") && !set.matches("A0"));
    }

    #[test]
    fn dashes_count_for_nothing() {
        assert!(pattern("_1-NXX-NXX").matches("1-234-567"));
        assert_eq!(pattern("_1-NXX-NXX"), pattern("_1NXXNXX"));
        assert_eq!(pattern("18-00"), pattern("1800"));
    }

    #[test]
    fn equal_shapes_are_equal_however_written() {
        assert_eq!(pattern("_[0-9][1-9][2-9][7]"), pattern("_XZN7"));
        assert_eq!(pattern("_911"), pattern("911"));
        assert_ne!(pattern("_9."), pattern("_9!"));
    }

    #[test]
    fn plain_extensions_are_literal() {
        assert!(pattern("8368").matches("8368"));
        assert!(!pattern("NXX").matches("212"));
        assert!(pattern("NXX").matches("NXX"));
    }

    #[test]
    fn prefixes_and_tails() {
        assert_eq!(pattern("_91NXX.").literal_prefix(), "91");
        assert_eq!(pattern("_91NXX").tail(1), Some(pattern("_1NXX")));
        assert_eq!(pattern("_91").tail(2), None);
        assert_eq!(pattern("_91.").tail(2), Some(pattern("_.")));
        assert_eq!(pattern("_91.").tail(3), None);
        assert_eq!(pattern("_81NXX").literal_before(&pattern("_NXX")), Some("81"));
        assert_eq!(pattern("_NXX").literal_before(&pattern("_NXX")), Some(""));
        assert_eq!(pattern("_8XNXX").literal_before(&pattern("_NXX")), None);
        assert_eq!(pattern("_8NXX").literal_before(&pattern("_NXX.")), None);
    }

    #[test]
    fn refusals_have_names() {
        let error = |text: &str| text.parse::<Pattern>().unwrap_err();
        assert_eq!(error(""), PatternError::Empty);
        assert_eq!(error("_"), PatternError::Empty);
        assert_eq!(error("_91NXX/2125551212"), PatternError::CallerIdMatch);
        assert_eq!(error("_9./2125551212"), PatternError::CallerIdMatch);
        assert_eq!(error("100/2125551212"), PatternError::CallerIdMatch);
        assert_eq!(error("_${PREFIX}X."), PatternError::Variable);
        assert_eq!(error("_9[${SET}]"), PatternError::Variable);
        assert_eq!(error("_9[1/2]"), PatternError::CallerIdMatch);
        assert_eq!(error("_9[12"), PatternError::UnclosedSet);
        assert_eq!(error("_9[]"), PatternError::EmptySet);
        assert_eq!(error("_9[9-1]"), PatternError::EmptySet);
        assert_eq!(error("_9.1"), PatternError::WildcardNotLast { wildcard: '.' });
        assert_eq!(error("_9 1"), PatternError::Character { character: ' ' });
        assert_eq!(error("_9é"), PatternError::Character { character: 'é' });
    }

    #[test]
    fn the_more_specific_pattern_comes_first() {
        let mut patterns = ["_.", "_9!", "_9.", "_9X.", "_91NXX", "_9ZNXX", "_91XXX", "_9[15]NXX"].map(pattern);
        patterns.sort_by(Pattern::compare_specificity);
        assert_eq!(
            patterns.map(|pattern| pattern.to_string()),
            ["_91NXX", "_91XXX", "_9[15]NXX", "_9ZNXX", "_9X.", "_9.", "_9!", "_."]
        );
    }

    #[test]
    fn examples_match_their_pattern() {
        assert_eq!(pattern("_91NXXNXXXXXX").example(), "916556555555");
        assert_eq!(pattern("_9011.").example(), "90115550100");
    }

    fn any_pattern() -> impl Strategy<Value = Pattern> {
        let position = prop_oneof![
            Just(X),
            Just(Z),
            Just(N),
            "[!-~]{1,6}".prop_filter_map("no ] in a set", |set| {
                if set.contains(']') { None } else { parse_set(&set).ok() }
            }),
            "[0-9A-Za-z+*#_]".prop_filter_map("one character", |text| literal(text.chars().next()?).ok()),
        ];
        let end = prop_oneof![Just(End::Exact), Just(End::OneOrMore), Just(End::Anything)];
        (proptest::collection::vec(position, 1..14), end).prop_map(|(positions, end)| Pattern::new(positions, end))
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_reads_back_equal(pattern in any_pattern()) {
            let written = pattern.to_string();
            prop_assert_eq!(written.parse::<Pattern>(), Ok(pattern), "{}", written);
        }

        #[test]
        fn an_example_always_matches(pattern in any_pattern()) {
            prop_assert!(pattern.matches(&pattern.example()));
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,30}", dialled in ".{0,30}") {
            if let Ok(pattern) = text.parse::<Pattern>() {
                pattern.matches(&dialled);
                for count in 0..4 {
                    let _ = pattern.tail(count).map(|tail| pattern.literal_before(&tail).map(str::len));
                }
            }
        }

        #[test]
        fn pattern_like_text_never_panics(text in "_?[0-9XNZ.!/\\[\\]$-]{0,12}") {
            let _ = text.parse::<Pattern>().map(|pattern| pattern.to_string());
        }
    }
}
