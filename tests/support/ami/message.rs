//! The manager interface's text: blocks of `Key: value` lines.

use std::fmt::Write;

use super::super::error::LabError;

/// A response or an event. Keys may occur more than once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    fields: Vec<(String, String)>,
}

impl Message {
    /// Adds a line as it was received. Lines that are no field, such as the greeting, are left out.
    pub(super) fn add_line(&mut self, line: &str) {
        if let Some((key, value)) = line.split_once(':') {
            self.fields.push((key.to_owned(), value.trim_start().to_owned()));
        }
    }

    /// Whether no field has been added.
    pub(super) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The first field of this name (case does not matter); empty when there is none.
    pub fn get(&self, key: &str) -> &str {
        self.fields
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key))
            .map_or("", |(_, value)| value)
    }

    /// The event's name; empty for a response.
    pub fn event(&self) -> &str {
        self.get("Event")
    }

    /// The response, unless it says `Error`.
    pub(super) fn into_success(self, action: &str) -> Result<Self, LabError> {
        if self.get("Response") == "Error" {
            Err(self.into_error(action))
        } else {
            Ok(self)
        }
    }

    /// The response as the error that it is.
    pub(super) fn into_error(self, action: &str) -> LabError {
        LabError::Ami {
            action: action.to_owned(),
            message: self.get("Message").to_owned(),
        }
    }
}

/// An action to send.
#[derive(Clone, Debug)]
pub struct Action {
    name: &'static str,
    fields: String,
}

impl Action {
    /// An action without fields.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            fields: String::new(),
        }
    }

    /// Adds a field. Line ends would start a field of their own: they become blanks.
    #[must_use]
    pub fn field(mut self, key: &str, value: &str) -> Self {
        let value = value.replace(['\r', '\n'], " ");
        // Writing to a String cannot fail.
        let _ = write!(self.fields, "{key}: {value}\r\n");
        self
    }

    /// The action's name.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// What goes over the wire.
    pub(super) fn to_wire(&self, id: u64) -> String {
        format!("Action: {}\r\nActionID: {id}\r\n{}\r\n", self.name, self.fields)
    }
}
