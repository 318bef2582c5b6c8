//! JSON decoding that says where it failed.

use serde::Deserialize;

/// Where a text failed to decode, and why.
pub(super) struct Failure {
    /// For example `channel.dialplan.priority`; `.` is the whole text.
    pub path: String,
    /// What was found there and what was wanted.
    pub reason: String,
}

/// Decodes `text`. The path is worked out only after a failure, so success costs nothing extra.
pub(super) fn decode<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| {
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
    })
}
