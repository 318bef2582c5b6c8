//! What Asterisk says first: `agi_name: value` lines up to an empty one.

use std::borrow::Cow;

use super::Error;

/// The channel as Asterisk introduced it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prelude {
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Prelude {
    /// Takes one line in.
    pub(super) fn push(&mut self, line: &[u8]) -> Result<(), Error> {
        let malformed = || Error::Malformed(String::from_utf8_lossy(line).into_owned());
        let colon = line.iter().position(|&byte| byte == b':').ok_or_else(malformed)?;
        let (name, value) = line.split_at(colon);
        let name = name.strip_prefix(b"agi_").ok_or_else(malformed)?;
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        self.fields.push((name.to_vec(), value.to_vec()));
        Ok(())
    }

    /// How many lines it had.
    pub(super) const fn len(&self) -> usize {
        self.fields.len()
    }

    /// A field by its name without `agi_`, for example `uniqueid`.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        let field = self.fields.iter().find(|(known, _)| known == name.as_bytes());
        field.map(|(_, value)| value.as_slice())
    }

    /// The same as text; bytes that are not UTF-8 are replaced, a missing field is empty.
    pub fn text(&self, name: &str) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes(name).unwrap_or_default())
    }

    /// A caller id field as text; Asterisk writes `unknown` for none.
    pub fn caller_id(&self, name: &str) -> String {
        let text = self.text(name);
        if text == "unknown" {
            String::new()
        } else {
            text.into_owned()
        }
    }

    /// The path of the request: `dial` of `agi://host/dial`.
    pub fn script(&self) -> Cow<'_, str> {
        self.text("network_script")
    }

    /// The arguments given to `AGI()` after the address, in order.
    pub fn arguments(&self) -> Vec<String> {
        (1..)
            .map_while(|n| self.bytes(&format!("arg_{n}")))
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .collect()
    }
}
