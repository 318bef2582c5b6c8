//! Which engine a call goes to: the dialplan decides by what it was told here, before anybody knows the call's route.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use reqwest::Method;

use crate::ari::{Client, Error, Operation};
use crate::carrier::CarrierId;
use crate::config::{Engine, EngineSettings};

/// Which engine carries which calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineChoice {
    /// By the kind of call.
    pub kinds: EngineSettings,
    /// By the carrier whose dialplan line sends the call; goes before its kind.
    pub entries: BTreeMap<CarrierId, Engine>,
    /// Where FastAGI listens; without it every call enters Stasis.
    pub agi: Option<SocketAddr>,
}

impl EngineChoice {
    /// Sets the global variables that `[crankback]` of the dialplan reads. Asterisk forgets them when it restarts, or reloads with
    /// `clearglobalvars`; until they are set again calls enter Stasis.
    ///
    /// # Errors
    /// What the first request met that failed.
    pub async fn tell(&self, ari: &Client) -> Result<(), Error> {
        for (name, value) in self.globals() {
            set_global(ari, name, &value).await?;
        }
        Ok(())
    }

    /// CB_AGI comes last: a call must know whether it goes there before it can.
    fn globals(&self) -> [(&'static str, String); 5] {
        [
            ("CB_ENGINE_OF_ENTRIES", self.entries_text()),
            ("CB_ENGINE_OF_MANUAL", self.kinds.manual.as_str().to_owned()),
            ("CB_ENGINE_OF_THREE_WAY", self.kinds.three_way.as_str().to_owned()),
            ("CB_ENGINE_OF_OTHERS", self.kinds.default.as_str().to_owned()),
            ("CB_AGI", self.agi.map(|agi| agi.to_string()).unwrap_or_default()),
        ]
    }

    /// `/PRIMARY=agi/OTHER=stasis/`.
    fn entries_text(&self) -> String {
        let entries = self.entries.iter();
        let entries = entries.map(|(carrier, engine)| format!("{carrier}={}/", engine.as_str()));
        format!("/{}", entries.collect::<String>())
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.agi.is_none() {
            return f.write_str("stasis, because FastAGI does not listen");
        }
        let EngineSettings {
            default,
            manual,
            three_way,
        } = self.kinds;
        let [default, manual, three_way] = [default, manual, three_way].map(Engine::as_str);
        write!(f, "{default}, manual {manual}, three-way {three_way}")?;
        for (carrier, engine) in &self.entries {
            write!(f, ", from {carrier} {}", engine.as_str())?;
        }
        Ok(())
    }
}

async fn set_global(ari: &Client, name: &str, value: &str) -> Result<(), Error> {
    let operation = Operation {
        name: "set global variable",
        target: name,
    };
    let request = ari.request(operation, Method::POST, &["asterisk", "variable"]);
    request.query("variable", name).query("value", value).execute().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialplan_is_told_kinds_and_entries() {
        let choice = EngineChoice {
            kinds: EngineSettings::default(),
            entries: BTreeMap::from([("B-2".into(), Engine::Stasis), ("A".into(), Engine::Agi)]),
            agi: Some(SocketAddr::from(([127, 0, 0, 1], 4573))),
        };
        let told: Vec<String> = choice.globals().iter().map(|(_, value)| value.clone()).collect();
        assert_eq!(told, ["/A=agi/B-2=stasis/", "agi", "agi", "stasis", "127.0.0.1:4573"]);
        assert_eq!(
            choice.to_string(),
            "stasis, manual agi, three-way agi, from A agi, from B-2 stasis"
        );
    }

    #[test]
    fn without_fast_agi_every_call_enters_stasis() {
        let choice = EngineChoice {
            kinds: EngineSettings::default(),
            entries: BTreeMap::new(),
            agi: None,
        };
        let globals = choice.globals();
        assert_eq!(globals.last(), Some(&("CB_AGI", String::new())));
        assert_eq!(globals[0].1, "/", "no carrier stands in it");
    }
}
