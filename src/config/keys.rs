//! The names of all keys, taken from the structs themselves, and what to say about a name that is not among them.

use serde::Deserialize;
use serde::de::{Deserializer, Visitor, value::Error};

use crate::nearest::nearest;

use super::document::{AmiDocument, AriDocument, Document, ServerDocument, StoreDocument};
use super::notify::NotifyDocument;
use super::settings::{
    AgiSettings, AttemptsSettings, CallSettings, ControlSettings, EngineSettings, HealthConfig, LogSettings,
    MetricsSettings, ProbeSettings,
};

/// The sections.
pub(super) fn sections() -> &'static [&'static str] {
    fields_of::<Document>()
}

/// The keys of a section; empty for a section that does not exist.
pub(super) fn keys(section: &str) -> &'static [&'static str] {
    match section {
        "store" => fields_of::<StoreDocument>(),
        "server" => fields_of::<ServerDocument>(),
        "ari" => fields_of::<AriDocument>(),
        "ami" => fields_of::<AmiDocument>(),
        "agi" => fields_of::<AgiSettings>(),
        "engine" => fields_of::<EngineSettings>(),
        "call" => fields_of::<CallSettings>(),
        "attempts" => fields_of::<AttemptsSettings>(),
        "control" => fields_of::<ControlSettings>(),
        "notify" => fields_of::<NotifyDocument>(),
        "health" => fields_of::<HealthConfig>(),
        "probe" => fields_of::<ProbeSettings>(),
        "metrics" => fields_of::<MetricsSettings>(),
        "log" => fields_of::<LogSettings>(),
        _ => &[],
    }
}

/// What is wrong with `key` (`section.key`, or a section alone): unknown, with the nearest known name, or `message`.
pub(super) fn complaint(key: &str, message: &str) -> String {
    let (section, name) = key
        .split_once('.')
        .map_or((key, None), |(section, name)| (section, Some(name)));
    if !sections().contains(&section) {
        return unknown(section, "section", section, sections());
    }
    match name {
        Some(name) if !keys(section).contains(&name) => unknown(key, "key", name, keys(section)),
        _ => format!("{key}: {message}"),
    }
}

fn unknown(key: &str, kind: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(suggestion) => format!("{key}: unknown {kind}; did you mean `{suggestion}`?"),
        None => format!("{key}: unknown {kind}; known are {}", known.join(", ")),
    }
}

/// Asks a struct's `Deserialize` for the field names it would accept.
fn fields_of<T: for<'de> Deserialize<'de>>() -> &'static [&'static str] {
    struct Ask<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Ask<'_> {
        type Error = Error;

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Error> {
            *self.0 = fields;
            Err(serde::de::Error::custom("asked for the names only"))
        }

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(serde::de::Error::custom("not a struct"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    let mut fields: &'static [&'static str] = &[];
    let _names_only = T::deserialize(Ask(&mut fields));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_has_keys() {
        for section in sections() {
            assert!(
                !keys(section).is_empty(),
                "{section} has no keys: is it missing in keys()?"
            );
        }
    }

    #[test]
    fn a_slip_finds_its_key_and_a_stranger_gets_the_list() {
        assert_eq!(
            complaint("call.gaurd_ms", ""),
            "call.gaurd_ms: unknown key; did you mean `guard_ms`?"
        );
        assert_eq!(complaint("cal", ""), "cal: unknown section; did you mean `call`?");
        assert_eq!(
            complaint("log.colour", ""),
            "log.colour: unknown key; known are format, level"
        );
        assert_eq!(
            complaint("call.guard_ms", "must be a number"),
            "call.guard_ms: must be a number"
        );
    }
}
