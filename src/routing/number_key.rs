//! What a number or a prefix begins with, as one integer: prefixes are found by comparing integers.

use std::fmt::{self, Write};

/// The first characters of a text, four bits each, the first in the highest; nothing behind the last.
///
/// Holds digits, `+`, `*` and `#`, at most sixteen of them, and ends before anything else. Two texts with the same key may
/// differ behind that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NumberKey(u64);

impl NumberKey {
    /// The most characters that a key holds.
    const CAPACITY: u32 = u64::BITS / 4;

    /// The key of as much of the text as a key holds.
    pub(super) fn of(text: &str) -> Self {
        let codes = text.bytes().map_while(code).zip(1..=Self::CAPACITY);
        Self(codes.fold(0, |key, (code, place)| key | code << (u64::BITS - 4 * place)))
    }

    /// The key of a text that it holds whole.
    pub(super) fn of_all(text: &str) -> Option<Self> {
        let key = Self::of(text);
        (key.length() as usize == text.len()).then_some(key)
    }

    /// How many characters it holds.
    pub(super) const fn length(self) -> u32 {
        // No character has the code 0, so that the last one ends the key.
        Self::CAPACITY - self.0.trailing_zeros() / 4
    }

    /// The key of the first `length` characters.
    pub(super) fn first(self, length: u32) -> Self {
        let dropped = 4 * Self::CAPACITY.saturating_sub(length);
        Self(self.0 & u64::MAX.checked_shl(dropped).unwrap_or(0))
    }
}

impl fmt::Display for NumberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut codes = (1..=self.length()).map(|place| self.0 >> (u64::BITS - 4 * place) & 0xF);
        codes.try_for_each(|code| f.write_char(character(code)))
    }
}

/// Four bits for what numbers are made of.
fn code(character: u8) -> Option<u64> {
    match character {
        b'0'..=b'9' => Some(u64::from(character - b'0') + 1),
        b'+' => Some(11),
        b'*' => Some(12),
        b'#' => Some(13),
        _ => None,
    }
}

/// The character that these four bits stand for.
fn character(code: u64) -> char {
    match code {
        11 => '+',
        12 => '*',
        13 => '#',
        digit => char::from(b'0' + digit as u8 - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_begins_with_the_keys_of_its_prefixes_and_with_no_other() {
        let number = NumberKey::of("+12125550100");
        for (prefix, is_one) in [
            ("", true),
            ("+1", true),
            ("+12125550100", true),
            ("1", false),
            ("+13", false),
        ] {
            let key = NumberKey::of(prefix);
            assert_eq!(number.first(key.length()) == key, is_one, "{prefix:?}");
        }
    }

    #[test]
    fn a_key_holds_what_fits() {
        let length = |text| NumberKey::of(text).length();
        assert_eq!(["", "0", "00", "*#+9", "12a4"].map(length), [0, 1, 2, 4, 2]);
        assert_eq!(length("12345678901234567890"), 16);
        assert_eq!(NumberKey::of("12345678901234567"), NumberKey::of("1234567890123456"));
        assert_eq!(NumberKey::of("123").first(9), NumberKey::of("123"));
    }
}
