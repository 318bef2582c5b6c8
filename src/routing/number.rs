//! Numbers: the canonical number of a call, and the one that each carrier is sent.
//!
//! The canonical number is what was dialled without the campaign's dial prefix: phone code and number. A backup is sent
//! what an operator's format makes of it, or what the backup's own `Dial()` line provably would; otherwise nothing.

use crate::asterisk_conf::Pattern;
use crate::carrier::{AfterDial, Carrier, CarrierId, DialEntry, NumberFormat, NumberTooShort};

/// Why a number cannot be proven.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NumberError {
    /// Neither the campaign nor a dialplan line says what of the dialled number is dial prefix.
    #[error("no dial prefix is known for {dialled}: no pattern of the entry carrier matches it")]
    NoEntryPattern {
        /// What was dialled.
        dialled: String,
    },
    /// The entry carrier's `Dial()` line drops characters that its pattern leaves open.
    #[error("the entry carrier's pattern {pattern} does not tell which {strip} characters its Dial() drops")]
    OpenPrefix {
        /// The pattern.
        pattern: String,
        /// Characters dropped.
        strip: usize,
    },
    /// A format leaves nothing of the number.
    #[error(transparent)]
    TooShort(#[from] NumberTooShort),
    /// The backup has no dialplan entry to read its format from.
    #[error("carrier {carrier} has no dialplan entry to read its number format from")]
    NoFormat {
        /// The backup.
        carrier: CarrierId,
    },
    /// No pattern of the backup takes numbers of the same shape.
    #[error("carrier {carrier} has no pattern that ends like {shape}")]
    NoPatternFits {
        /// The backup.
        carrier: CarrierId,
        /// The shape of the canonical number.
        shape: String,
    },
    /// Patterns of the backup fit but lead to different numbers.
    #[error("the patterns of carrier {carrier} disagree: {first} or {other}")]
    PatternsDisagree {
        /// The backup.
        carrier: CarrierId,
        /// The number that one pattern leads to.
        first: String,
        /// The number that another one leads to.
        other: String,
    },
    /// A campaign's dial prefix and another source lead to different numbers.
    #[error(
        "{example} would go out as {first} or as {other}, depending on the campaign: name the campaign on the route"
    )]
    CampaignsDisagree {
        /// The dialled number that shows it.
        example: String,
        /// The number for one dial prefix.
        first: String,
        /// The number for another one.
        other: String,
    },
}

impl NumberError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoEntryPattern { .. } => "number_no_entry_pattern",
            Self::OpenPrefix { .. } => "number_open_prefix",
            Self::TooShort(error) => error.code(),
            Self::NoFormat { .. } => "number_no_format",
            Self::NoPatternFits { .. } => "number_no_pattern_fits",
            Self::PatternsDisagree { .. } => "number_patterns_disagree",
            Self::CampaignsDisagree { .. } => "number_campaigns_disagree",
        }
    }
}

/// A dial entry whose pattern is read once and asked by every call.
#[derive(Debug)]
pub(super) struct ReadEntry {
    pub(super) pattern: Pattern,
    format: NumberFormat,
    /// Characters that the `Dial()` line drops for good: `_91NXX` with `1${EXTEN:2}` drops one, since what is dropped and put
    /// back belongs to the number.
    dropped: usize,
    pub(super) after: AfterDial,
}

impl ReadEntry {
    /// `None` when the pattern cannot be read: such an entry proves nothing.
    pub(super) fn read(entry: &DialEntry) -> Option<Self> {
        let pattern: Pattern = entry.pattern.parse().ok()?;
        let format = entry.format.clone();
        let taken = pattern.literal_prefix().get(..format.strip).unwrap_or_default();
        let put_back = taken
            .bytes()
            .rev()
            .zip(format.prefix.bytes().rev())
            .take_while(|(taken, put)| taken == put);
        let dropped = format.strip - put_back.count();
        Some(Self {
            pattern,
            format,
            dropped,
            after: entry.after,
        })
    }

    /// The digits that the `Dial()` line drops, where the pattern spells them out.
    fn dial_prefix(&self) -> Result<&str, NumberError> {
        let strip = self.format.strip;
        if self.pattern.literal_prefix().len() < strip {
            return Err(NumberError::OpenPrefix {
                pattern: self.pattern.to_string(),
                strip,
            });
        }
        Ok(&self.pattern.literal_prefix()[..self.dropped])
    }
}

/// The canonical number of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Canonical {
    pub(super) number: String,
    dial_prefix_length: usize,
    /// The shape of such numbers; known when a pattern of the entry carrier matched.
    shape: Option<Pattern>,
}

/// The entry that Asterisk would run for a dialled extension: the most specific one that matches.
pub(super) fn matching_entry<'a>(entries: &'a [ReadEntry], dialled: &str) -> Option<&'a ReadEntry> {
    entries
        .iter()
        .filter(|entry| entry.pattern.matches(dialled))
        .min_by(|first, second| first.pattern.compare_specificity(&second.pattern))
}

/// Takes the dial prefix off a dialled extension: the campaign's where it is known and fits, otherwise the one that the
/// entry carrier's own `Dial()` line drops.
pub(super) fn canonical(
    dialled: &str,
    campaign_prefix: Option<&str>,
    entries: &[ReadEntry],
) -> Result<Canonical, NumberError> {
    let entry = matching_entry(entries, dialled);
    let campaign_prefix =
        campaign_prefix.filter(|prefix| dialled.strip_prefix(prefix).is_some_and(|number| !number.is_empty()));
    let dial_prefix = match (campaign_prefix, entry) {
        (Some(prefix), _) => prefix,
        (None, Some(entry)) => entry.dial_prefix()?,
        (None, None) => {
            return Err(NumberError::NoEntryPattern {
                dialled: dialled.to_owned(),
            });
        }
    };
    let dial_prefix_length = dial_prefix.chars().count();
    let number = NumberFormat {
        strip: dial_prefix_length,
        prefix: String::new(),
    }
    .apply(dialled)?;
    let shape = entry.and_then(|entry| entry.pattern.tail(dial_prefix_length));
    Ok(Canonical {
        number,
        dial_prefix_length,
        shape,
    })
}

/// The number that goes out through a backup.
pub(super) fn wire_number(
    canonical: &Canonical,
    route_format: Option<&NumberFormat>,
    carrier: &Carrier,
    entries: &[ReadEntry],
) -> Result<String, NumberError> {
    match route_format.or(carrier.number_format.as_ref()) {
        Some(format) => Ok(format.apply(&canonical.number)?),
        None => derived_wire_number(canonical, carrier, entries),
    }
}

/// What the backup's own `Dial()` line would send, had the number been dialled with the backup's own dial prefix.
fn derived_wire_number(canonical: &Canonical, carrier: &Carrier, entries: &[ReadEntry]) -> Result<String, NumberError> {
    if entries.is_empty() {
        return Err(NumberError::NoFormat {
            carrier: carrier.id.clone(),
        });
    }
    let Some(shape) = &canonical.shape else {
        return Err(NumberError::NoEntryPattern {
            dialled: canonical.number.clone(),
        });
    };
    let mut proven: Option<String> = None;
    for entry in entries {
        let Some(own_prefix) = own_dial_prefix(entry, shape, canonical.dial_prefix_length) else {
            continue;
        };
        let wire = entry.format.apply(&format!("{own_prefix}{}", canonical.number))?;
        match proven {
            Some(first) if first != wire => {
                return Err(NumberError::PatternsDisagree {
                    carrier: carrier.id.clone(),
                    first,
                    other: wire,
                });
            }
            Some(_) | None => proven = Some(wire),
        }
    }
    proven.ok_or_else(|| NumberError::NoPatternFits {
        carrier: carrier.id.clone(),
        shape: shape.to_string(),
    })
}

/// What stands before the number in a pattern of the backup, when the pattern ends with the shape of the number.
///
/// Behind `.` anything may follow, so a leading `81` may be a dial prefix of two digits as well as `8` and a phone code. An
/// open pattern counts only when its `Dial()` drops exactly what is taken for the prefix, and as much as on the entry side.
fn own_dial_prefix<'a>(entry: &'a ReadEntry, shape: &Pattern, entry_prefix_length: usize) -> Option<&'a str> {
    let prefix = entry.pattern.literal_before(shape)?;
    let drops_prefix = [entry.format.strip, entry.dropped].contains(&prefix.len());
    let unambiguous = drops_prefix && prefix.len() == entry_prefix_length;
    (!shape.is_open_ended() || unambiguous).then_some(prefix)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;
    use crate::carrier::Technology;

    fn format(strip: usize, prefix: &str) -> NumberFormat {
        NumberFormat {
            strip,
            prefix: prefix.into(),
        }
    }

    fn entries(patterns: &[(&str, usize, &str)]) -> Vec<ReadEntry> {
        patterns
            .iter()
            .map(|(pattern, strip, prefix)| {
                let entry = DialEntry {
                    pattern: (*pattern).into(),
                    format: format(*strip, prefix),
                    options: String::new(),
                    after: AfterDial::GoesOn,
                };
                ReadEntry::read(&entry).unwrap()
            })
            .collect()
    }

    fn number(
        dialled: &str,
        campaign_prefix: Option<&str>,
        patterns: &[(&str, usize, &str)],
    ) -> Result<String, NumberError> {
        canonical(dialled, campaign_prefix, &entries(patterns)).map(|canonical| canonical.number)
    }

    /// The wire number of a backup without an operator's format.
    fn derived(
        dialled: &str,
        campaign_prefix: Option<&str>,
        entry: &[(&str, usize, &str)],
        backup: &[(&str, usize, &str)],
    ) -> Result<String, NumberError> {
        let canonical = canonical(dialled, campaign_prefix, &entries(entry)).unwrap();
        wire_number(
            &canonical,
            None,
            &Carrier::new("B".into(), Technology::Sip, "b"),
            &entries(backup),
        )
    }

    #[test]
    fn the_campaigns_prefix_comes_first() {
        let line = &[("_91NXXNXXXXXX", 2, "")];
        assert_eq!(number("912125550100", Some("9"), line).unwrap(), "12125550100");
        assert_eq!(number("912125550100", None, line).unwrap(), "2125550100");
        assert_eq!(
            number("912125550100", Some("8"), line).unwrap(),
            "2125550100",
            "the prefix does not fit"
        );
        assert_eq!(
            number("912125550100", Some("9"), &[]).unwrap(),
            "12125550100",
            "no pattern is needed"
        );
        assert_eq!(
            number("9", Some("9"), &[("9", 0, "")]).unwrap(),
            "9",
            "a prefix alone is no number"
        );
    }

    #[test]
    fn without_a_campaign_the_dial_line_tells_the_prefix() {
        assert_eq!(
            number("12125550100", None, &[("_1NXXNXXXXXX", 0, "")]).unwrap(),
            "12125550100"
        );
        assert_eq!(
            number("912125550100", None, &[("_91NXXNXXXXXX", 1, "")]).unwrap(),
            "12125550100"
        );
        assert_eq!(
            number("9912125550100", None, &[("_991NXXNXXXXXX", 2, "")]).unwrap(),
            "12125550100"
        );
        assert_eq!(
            number("92125550100", None, &[("_9NXXNXXXXXX", 1, "1")]).unwrap(),
            "2125550100"
        );
        assert_eq!(
            number("9+442071838750", None, &[("_9+X.", 1, "")]).unwrap(),
            "+442071838750"
        );
    }

    #[test]
    fn digits_that_are_dropped_and_put_back_belong_to_the_number() {
        assert_eq!(
            number("912125550100", None, &[("_91NXXNXXXXXX", 2, "1")]).unwrap(),
            "12125550100"
        );
        assert_eq!(
            number("912125550100", None, &[("_91NXXNXXXXXX", 2, "+1")]).unwrap(),
            "12125550100"
        );
        assert_eq!(
            number("912125550100", None, &[("_91NXXNXXXXXX", 2, "77")]).unwrap(),
            "2125550100"
        );
    }

    #[test]
    fn the_most_specific_pattern_counts() {
        let lines = &[("_9X.", 0, ""), ("_91NXXNXXXXXX", 1, "")];
        assert_eq!(number("912125550100", None, lines).unwrap(), "12125550100");
        assert_eq!(number("9445550100", None, lines).unwrap(), "9445550100");
    }

    #[test]
    fn an_unknown_prefix_is_an_error() {
        assert_eq!(
            number("912125550100", None, &[("_8X.", 1, "")]).unwrap_err().code(),
            "number_no_entry_pattern"
        );
        assert_eq!(
            number("912125550100", None, &[("_X.", 1, "")]),
            Err(NumberError::OpenPrefix {
                pattern: "_X.".into(),
                strip: 1
            })
        );
        assert_eq!(
            number("99", None, &[("99", 2, "")]).unwrap_err().code(),
            "number_too_short"
        );
    }

    #[test]
    fn a_backups_own_line_is_applied_behind_its_own_prefix() {
        let entry = &[("_91NXXNXXXXXX", 1, "")];
        let wire = |backup: &[_]| derived("912125550100", None, entry, backup).unwrap();
        assert_eq!(wire(&[("_81NXXNXXXXXX", 1, "")]), "12125550100");
        assert_eq!(wire(&[("_81NXXNXXXXXX", 2, "")]), "2125550100");
        assert_eq!(wire(&[("_81NXXNXXXXXX", 1, "+")]), "+12125550100");
        assert_eq!(wire(&[("_1NXXNXXXXXX", 0, "")]), "12125550100", "no prefix");
        assert_eq!(
            wire(&[("_881NXXNXXXXXX", 2, "")]),
            "12125550100",
            "a prefix of two digits"
        );
        assert_eq!(
            wire(&[("_881NXXNXXXXXX", 0, "")]),
            "8812125550100",
            "the carrier wants its prefix"
        );
        assert_eq!(
            wire(&[("_8-1-[2-9]XX-NXXXXXX", 1, "")]),
            "12125550100",
            "the shape counts, not the spelling"
        );
    }

    #[test]
    fn ten_digit_entries_reach_eleven_digit_backups() {
        let entry = &[("_9NXXNXXXXXX", 1, "")];
        assert_eq!(
            derived("92125550100", None, entry, &[("_81NXXNXXXXXX", 1, "")]).unwrap(),
            "12125550100"
        );
        assert_eq!(
            derived("92125550100", None, entry, &[("_8NXXNXXXXXX", 1, "1")]).unwrap(),
            "12125550100"
        );
        assert_eq!(
            derived("92125550100", None, entry, &[("_8NXXNXXXXXX", 1, "")]).unwrap(),
            "2125550100"
        );
        let stripped = &[("_91NXXNXXXXXX", 2, "")];
        assert_eq!(
            derived("912125550100", None, stripped, &[("_81NXXNXXXXXX", 1, "")]).unwrap(),
            "12125550100"
        );
        assert_eq!(
            derived("912125550100", Some("9"), stripped, &[("_81NXXNXXXXXX", 1, "")]).unwrap(),
            "12125550100"
        );
    }

    #[test]
    fn plus_numbers_stay_as_they_are() {
        let entry = &[("_9+1NXXNXXXXXX", 1, "")];
        assert_eq!(
            derived("9+12125550100", None, entry, &[("_8+1NXXNXXXXXX", 1, "")]).unwrap(),
            "+12125550100"
        );
        assert_eq!(
            derived("9+12125550100", None, entry, &[("_8+1NXXNXXXXXX", 2, "")]).unwrap(),
            "12125550100"
        );
    }

    #[test]
    fn what_is_not_proven_is_not_sent() {
        let code = |entry: &[_], backup: &[_]| derived("912125550100", None, entry, backup).unwrap_err().code();
        let entry = &[("_91NXXNXXXXXX", 1, "")];
        assert_eq!(code(entry, &[]), "number_no_format");
        assert_eq!(code(entry, &[("_8NXXNXXXXXX", 1, "")]), "number_no_pattern_fits");
        assert_eq!(code(entry, &[("_8X.", 1, "")]), "number_no_pattern_fits");
        assert_eq!(code(entry, &[("_XX1NXXNXXXXXX", 2, "")]), "number_no_pattern_fits");
        assert_eq!(
            code(entry, &[("_81NXXNXXXXXX", 1, ""), ("_71NXXNXXXXXX", 2, "")]),
            "number_patterns_disagree"
        );
        let agreeing = &[("_81NXXNXXXXXX", 1, ""), ("_71NXXNXXXXXX", 1, "")];
        assert_eq!(derived("912125550100", None, entry, agreeing).unwrap(), "12125550100");
        let canonical = canonical("912125550100", Some("9"), &[]).unwrap();
        let backup = Carrier::new("B".into(), Technology::Sip, "b");
        let error = wire_number(&canonical, None, &backup, &entries(agreeing)).unwrap_err();
        assert_eq!(error.code(), "number_no_entry_pattern");
    }

    #[test]
    fn open_patterns_prove_only_what_is_unambiguous() {
        let wire = |entry: &[_], backup: &[_]| derived("912125550100", None, entry, backup);
        assert_eq!(wire(&[("_9.", 1, "")], &[("_8.", 1, "")]).unwrap(), "12125550100");
        assert_eq!(wire(&[("_91.", 1, "")], &[("_81.", 1, "")]).unwrap(), "12125550100");
        assert_eq!(wire(&[("_91.", 2, "")], &[("_81.", 2, "+1")]).unwrap(), "+12125550100");
        assert_eq!(wire(&[("_91.", 1, "")], &[("_81.", 2, "+1")]).unwrap(), "+12125550100");
        let code = |entry: &[_], backup: &[_]| wire(entry, backup).unwrap_err().code();
        assert_eq!(
            code(&[("_9.", 1, "")], &[("_81.", 1, "")]),
            "number_no_pattern_fits",
            "would double the phone code"
        );
        assert_eq!(
            code(&[("_91.", 2, "")], &[("_8.", 1, "")]),
            "number_no_pattern_fits",
            "would lose the phone code"
        );
        assert_eq!(code(&[("_9.", 1, "")], &[("_8!", 1, "")]), "number_no_pattern_fits");
    }

    #[test]
    fn an_operators_format_applies_to_the_canonical_number() {
        let canonical = canonical("912125550100", None, &entries(&[("_91NXXNXXXXXX", 1, "")])).unwrap();
        let mut backup = Carrier::new("B".into(), Technology::Sip, "b");
        backup.number_format = Some(format(1, ""));
        let own = entries(&[("_81NXXNXXXXXX", 1, "")]);
        assert_eq!(wire_number(&canonical, None, &backup, &own).unwrap(), "2125550100");
        assert_eq!(
            wire_number(&canonical, Some(&format(0, "+")), &backup, &own).unwrap(),
            "+12125550100"
        );
        assert_eq!(
            wire_number(&canonical, Some(&format(11, "")), &backup, &own)
                .unwrap_err()
                .code(),
            "number_too_short"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_format_is_applied_or_refused(dialled in ".{0,15}", prefix in ".{0,3}", strip in 0_usize..20, pattern in "_[0-9XN]{0,6}[.!]?") {
            let Ok(pattern) = pattern.parse::<Pattern>() else { return Ok(()) };
            let entry = DialEntry { pattern: pattern.to_string(), format: format(strip, &prefix), options: String::new(), after: AfterDial::GoesOn };
            let own = [ReadEntry::read(&entry).unwrap()];
            let backup = Carrier::new("B".into(), Technology::Sip, "b");
            if let Ok(canonical) = canonical(&dialled, Some(&prefix), &own) {
                prop_assert!(dialled.ends_with(&canonical.number));
                let _ = wire_number(&canonical, None, &backup, &own);
                let _ = wire_number(&canonical, Some(&format(strip, &prefix)), &backup, &own);
            }
        }
    }
}
