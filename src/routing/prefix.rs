//! What the numbers of a route start with.

use std::fmt;

use super::number_key::NumberKey;

/// Characters that numbers start with. There may be a hundred thousand prefixes: one of up to sixteen characters is an integer,
/// and nothing is allocated for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Prefix(Form);

/// A text always has the same form, so that equal prefixes are equal values.
#[derive(Clone, PartialEq, Eq)]
enum Form {
    Key(NumberKey),
    /// What no key holds.
    Text(Box<str>),
}

impl Prefix {
    /// Whether a number starts with it.
    pub fn starts(&self, number: &str) -> bool {
        match &self.0 {
            Form::Key(key) => NumberKey::of(number).first(key.length()) == *key,
            Form::Text(text) => number.starts_with(&**text),
        }
    }

    /// The key of its first characters.
    pub(super) fn key(&self) -> NumberKey {
        match &self.0 {
            Form::Key(key) => *key,
            Form::Text(text) => NumberKey::of(text),
        }
    }
}

impl From<&str> for Prefix {
    fn from(text: &str) -> Self {
        Self(NumberKey::of_all(text).map_or_else(|| Form::Text(text.into()), Form::Key))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Key(key) => write!(f, "{key}"),
            Form::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ones_and_long_ones_read_back_and_start_their_numbers() {
        for text in [
            "0",
            "+44",
            "*#1234567890+",
            "1234567890123456",
            "12345678901234567",
            "12a",
        ] {
            let prefix = Prefix::from(text);
            assert_eq!(prefix.to_string(), text);
            assert_eq!(prefix.key(), NumberKey::of(text));
            assert!(prefix.starts(text) && prefix.starts(&format!("{text}0")), "{text}");
            assert!(
                !prefix.starts(&text[..text.len() - 1]) && !prefix.starts(&format!("9{text}")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_short_one_takes_no_more_room_than_a_boxed_text() {
        assert_eq!(size_of::<Prefix>(), size_of::<Box<str>>());
    }
}
