//! JSON decoding that says where it failed.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

/// Where a text failed to decode, and why.
pub(super) struct Failure {
    /// For example `channel.dialplan.priority`; `.` is the whole text.
    pub path: String,
    /// What was found there and what was wanted.
    pub reason: String,
}

/// Decodes `text`. The path is worked out only after a failure, so success costs nothing extra.
pub(super) fn decode<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| failure::<T>(text, &error))
}

/// Decodes those items of the list `text` that are to be kept. The others take no memory beyond their turn.
pub(super) fn decode_list<'a, T: Deserialize<'a>>(
    text: &'a str,
    keep: impl FnMut(&T) -> bool,
) -> Result<Vec<T>, Failure> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let list = List {
        keep,
        item: PhantomData,
    };
    let kept = list
        .deserialize(&mut deserializer)
        .and_then(|kept| deserializer.end().map(|()| kept));
    kept.map_err(|error| failure::<Vec<T>>(text, &error))
}

fn failure<'a, T: Deserialize<'a>>(text: &'a str, error: &serde_json::Error) -> Failure {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(error) => Failure {
            path: error.path().to_string(),
            reason: error.inner().to_string(),
        },
        // The value itself is sound: something follows it.
        Ok(_) => Failure {
            path: ".".to_owned(),
            reason: error.to_string(),
        },
    }
}

/// A list of which some items are kept.
struct List<T, K> {
    keep: K,
    item: PhantomData<T>,
}

impl<'a, T: Deserialize<'a>, K: FnMut(&T) -> bool> DeserializeSeed<'a> for List<T, K> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a, T: Deserialize<'a>, K: FnMut(&T) -> bool> Visitor<'a> for List<T, K> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut kept = Vec::new();
        while let Some(item) = items.next_element()? {
            if (self.keep)(&item) {
                kept.push(item);
            }
        }
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(text: &str) -> Result<Vec<u8>, String> {
        decode_list(text, |number| number % 2 == 0).map_err(|failure| failure.path)
    }

    #[test]
    fn a_list_gives_what_is_to_be_kept() {
        assert_eq!(even("[1, 2, 3, 4]"), Ok(vec![2, 4]));
        assert_eq!(even("[]"), Ok(vec![]));
    }

    #[test]
    fn a_broken_list_says_where() {
        assert_eq!(even("[2, 4, \"six\"]"), Err("[2]".to_owned()));
        assert_eq!(even("[2, 4] 6"), Err(".".to_owned()));
        assert_eq!(even("{}"), Err(".".to_owned()));
    }
}
