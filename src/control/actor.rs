//! Who asks.

use std::fmt;

/// Who asks, as it goes on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor(String);

impl Actor {
    /// A user of this machine, by the id that the kernel vouches for and the name that belongs to it.
    pub fn user(uid: u32, name: Option<&str>) -> Self {
        Self(match name {
            Some(name) => format!("uid:{uid} ({name})"),
            None => format!("uid:{uid}"),
        })
    }

    /// The text that goes on record: `uid:1000 (alice)`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_told_by_id_and_name() {
        assert_eq!(Actor::user(1000, Some("alice")).as_str(), "uid:1000 (alice)");
        assert_eq!(Actor::user(70_000, None).to_string(), "uid:70000");
    }
}
