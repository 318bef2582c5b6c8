//! What operators said about carriers: rows in, words out.

use crate::carrier::CarrierId;
use crate::health::{OperatorSetting, OperatorWord, OperatorWords};
use crate::store::CarrierSettingsRow;

use super::carrier_settings::{SettingError, SettingProblem};

/// Reads the words; one that is not known is passed over, as if it were not there.
pub fn operator_words(rows: &[CarrierSettingsRow]) -> (OperatorWords, Vec<SettingProblem>) {
    let mut problems = Vec::new();
    let words = rows.iter().filter_map(|row| {
        let text = row.operator_state.as_deref()?;
        let carrier = CarrierId::from(row.carrier_id.as_str());
        let Some(word) = OperatorWord::from_word(text) else {
            problems.push(SettingProblem {
                carrier,
                setting: SettingProblem::OPERATOR_STATE,
                error: SettingError::OperatorState { word: text.to_owned() },
            });
            return None;
        };
        let setting = OperatorSetting {
            word,
            by: row.operator_by.clone().unwrap_or_default(),
            why: row.operator_reason.clone().unwrap_or_default(),
            since_ms: row.operator_since_ms.unwrap_or_default(),
            until_ms: row.operator_until_ms,
        };
        Some((carrier, setting))
    });
    (words.collect(), problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_unknown_ones_are_named_with_their_remedy() {
        let row = |carrier: &str, word: Option<&str>| CarrierSettingsRow {
            carrier_id: carrier.into(),
            operator_state: word.map(str::to_owned),
            operator_by: Some("uid:0 (root)".into()),
            operator_until_ms: Some(5),
            ..CarrierSettingsRow::default()
        };
        let rows = [row("A", Some("draining")), row("B", None), row("C", Some("asleep"))];
        let (words, problems) = operator_words(&rows);
        let expected = OperatorSetting {
            word: OperatorWord::Draining,
            by: "uid:0 (root)".into(),
            until_ms: Some(5),
            ..OperatorSetting::default()
        };
        assert_eq!(words, OperatorWords::from([("A".into(), expected)]));
        let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "carrier C, its own operator_state: unknown word \"asleep\"; known are enabled, disabled, draining and only; \
              correct it with `crankback carrier enable C`"
            ]
        );
    }
}
