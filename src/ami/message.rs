//! The manager interface's text: blocks of `Key: value` lines, an empty line after each.

/// A response or an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    fields: Vec<(String, String)>,
}

impl Message {
    /// Adds a line. Bytes that are no UTF-8 are replaced: nothing that is compared holds any. A line that is no field, such as
    /// the greeting, is left out.
    pub(super) fn add_line(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        if let Some((key, value)) = line.split_once(':') {
            self.fields.push((key.to_owned(), value.trim().to_owned()));
        }
    }

    /// The first field of this name, whatever its case; empty when there is none.
    pub(super) fn get(&self, key: &str) -> &str {
        let field = self.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        field.map_or("", |(_, value)| value)
    }

    /// Whether it is a response that refuses.
    pub(super) fn is_refusal(&self) -> bool {
        self.get("Response").eq_ignore_ascii_case("Error")
    }

    /// Whether it is the event behind the last one of a list.
    pub(super) fn is_end_of_list(&self) -> bool {
        self.get("EventList").eq_ignore_ascii_case("Complete")
    }
}

/// An action as it goes over the wire. Line ends in a value would start a field of their own and become blanks.
pub(super) fn action(name: &str, id: u64, fields: &[(&str, &str)]) -> String {
    let mut text = format!("Action: {name}\r\nActionID: {id}\r\n");
    for (key, value) in fields {
        let value = value.replace(['\r', '\n'], " ");
        text.extend([key, ": ", value.as_str(), "\r\n"]);
    }
    text.push_str("\r\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_whatever_their_case() {
        let mut message = Message::default();
        message.add_line(b"Asterisk Call Manager/5.0.2");
        assert_eq!(message, Message::default());
        message.add_line(b"Response: Error\r");
        message.add_line(b"Message: Permission \xff denied: no");
        assert_eq!(message.get("message"), "Permission \u{fffd} denied: no");
        assert_eq!(message.get("Event"), "");
        assert!(message.is_refusal() && !message.is_end_of_list());
    }

    #[test]
    fn a_value_stays_one_field() {
        let text = action("Login", 7, &[("Username", "cron\r\nAction: Shutdown")]);
        assert_eq!(
            text,
            "Action: Login\r\nActionID: 7\r\nUsername: cron  Action: Shutdown\r\n\r\n"
        );
    }
}
