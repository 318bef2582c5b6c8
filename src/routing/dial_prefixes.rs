//! The dial prefixes of the campaigns, and which of them a call was dialled with.

use std::collections::HashMap;

/// Dial prefix by campaign; `None` for a campaign that has none.
#[derive(Debug, Default)]
pub(super) struct DialPrefixes {
    of_campaign: HashMap<String, Option<String>>,
    /// The prefix of every campaign that has one, where they all have the same.
    agreed: Option<String>,
}

impl DialPrefixes {
    /// Takes the `dial_prefix` of each campaign as it stands in VICIdial, where `X` and nothing mean that there is none.
    pub(super) fn new(dial_prefixes: HashMap<String, String>) -> Self {
        let meaning = |prefix: String| (!prefix.is_empty() && !prefix.eq_ignore_ascii_case("X")).then_some(prefix);
        let of_campaign: HashMap<_, _> = dial_prefixes
            .into_iter()
            .map(|(campaign, prefix)| (campaign, meaning(prefix)))
            .collect();
        let mut prefixes = of_campaign.values().flatten();
        let first = prefixes.next();
        let agreed = first.filter(|first| prefixes.all(|other| other == *first)).cloned();
        Self { of_campaign, agreed }
    }

    /// The prefix of a call of this campaign; of a call that names none, the one that all campaigns agree on.
    pub(super) fn of_call(&self, campaign: Option<&str>) -> Option<&str> {
        match campaign {
            Some(campaign) => self.of_campaign.get(campaign)?.as_deref(),
            None => self.agreed.as_deref(),
        }
    }

    /// The prefixes that calls of any campaign may have, each once; `None` among them where a campaign has none.
    pub(super) fn of_campaigns(&self) -> Vec<Option<&str>> {
        let mut prefixes: Vec<_> = self.of_campaign.values().map(Option::as_deref).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        prefixes
    }
}
