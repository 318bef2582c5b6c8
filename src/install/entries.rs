//! A carrier's dialplan entry: what it becomes, and what it becomes again. Pure.

use crate::carrier::CarrierId;
use crate::store::OriginalRow;
use crate::vicidial::admin::{as_saved_on_screen, first_difference};
use crate::vicidial::carriers::{CarrierRow, options_for_dial_alone};
use crate::vicidial::dial_line::{WrapError, unwrap_dialplan_entry, wrap_dialplan_entry};

/// What is to be done with an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryChange {
    /// The carrier.
    pub carrier_id: String,
    /// Its `server_ip`.
    pub server_ip: String,
    /// The entry as it is.
    pub before: String,
    /// The entry as it will be; the same where only the original is to be kept or forgotten.
    pub after: String,
    /// The original to keep; `None`: what was kept is to be forgotten.
    pub original: Option<String>,
    /// `Dial()` options that only Asterisk's own `Dial()` honours: calls of this entry belong to the `agi` engine.
    pub options_for_dial: Vec<String>,
}

/// Why an entry is left as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// A `Dial()` line cannot be handed over.
    #[error("{0}")]
    Wrap(#[from] WrapError),
    /// Somebody changed the entry since it was installed.
    #[error(
        "carrier {carrier_id}, dialplan entry, line {line}: edited since it was installed, it reads {found:?} now: look at it, then \
         take it as it is with --adopt"
    )]
    Edited {
        /// The carrier.
        carrier_id: String,
        /// The first line that differs, from 1.
        line: usize,
        /// What stands there.
        found: String,
    },
}

impl EntryError {
    /// A stable word.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Wrap(error) => error.fault.code(),
            Self::Edited { .. } => "entry_edited",
        }
    }
}

/// What to do with an edit that somebody made since the entry was installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edits {
    /// Leave the entry alone and say so.
    Refuse,
    /// Keep the edit: the entry without our lines is the original from now on.
    Adopt,
}

/// What installing does; `None`: nothing.
pub(super) fn install(
    row: &CarrierRow,
    kept: Option<&OriginalRow>,
    edits: Edits,
) -> Result<Option<EntryChange>, EntryError> {
    let current = &row.dialplan_entry;
    let original = match kept {
        Some(kept) if is_as(current, &kept.installed) || is_as(current, &kept.original) => kept.original.clone(),
        Some(kept) if edits == Edits::Refuse => return Err(edited(row, kept)),
        // VICIdial's copy of a carrier brings the lines of the one that was copied.
        Some(_) | None => unwrap_dialplan_entry(current),
    };
    let installed = wrap_dialplan_entry(&CarrierId::from(row.carrier_id.as_str()), current)?;
    let is_kept = kept.is_some_and(|kept| kept.original == original && kept.installed == installed);
    if is_kept && *current == installed {
        return Ok(None);
    }
    Ok(Some(EntryChange {
        options_for_dial: options_for_dial_alone(current),
        original: Some(original),
        ..change(row, installed)
    }))
}

/// What uninstalling does.
pub(super) fn uninstall(row: &CarrierRow, kept: &OriginalRow, edits: Edits) -> Result<EntryChange, EntryError> {
    let current = &row.dialplan_entry;
    if is_as(current, &kept.installed) || is_as(current, &kept.original) {
        return Ok(change(row, kept.original.clone()));
    }
    match edits {
        Edits::Refuse => Err(edited(row, kept)),
        Edits::Adopt => Ok(change(row, unwrap_dialplan_entry(current))),
    }
}

fn change(row: &CarrierRow, after: String) -> EntryChange {
    EntryChange {
        carrier_id: row.carrier_id.clone(),
        server_ip: row.server_ip.clone(),
        before: row.dialplan_entry.clone(),
        after,
        original: None,
        options_for_dial: Vec::new(),
    }
}

/// Whether `current` is `text`, or what the screen makes of it when somebody saves it there as it is.
fn is_as(current: &str, text: &str) -> bool {
    current == text || current == as_saved_on_screen(text)
}

fn edited(row: &CarrierRow, kept: &OriginalRow) -> EntryError {
    let (line, found) = first_difference(&kept.installed, &row.dialplan_entry);
    EntryError::Edited {
        carrier_id: row.carrier_id.clone(),
        line,
        found: found.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;
    use crate::store::OriginalKind;

    const ENTRY: &str = "; main\r\nexten => _91NXX,1,AGI(agi://127.0.0.1:4577/call_log)\r\n\
        exten => _91NXX,n,Dial(SIP/main/${EXTEN:1},,To)\r\n same => n,Hangup\n";

    fn row(entry: &str) -> CarrierRow {
        CarrierRow {
            carrier_id: "MAIN".into(),
            server_ip: "10.0.0.1".into(),
            dialplan_entry: entry.into(),
            ..CarrierRow::default()
        }
    }

    /// The row and what is kept of it after a change.
    fn made(change: EntryChange) -> (CarrierRow, Option<OriginalRow>) {
        let kept = change.original.map(|original| OriginalRow {
            kind: OriginalKind::Carrier,
            name: change.carrier_id.clone(),
            original,
            installed: change.after.clone(),
            at_ms: 0,
            actor: String::new(),
        });
        (row(&change.after), kept)
    }

    fn installed(entry: &str) -> (CarrierRow, OriginalRow) {
        let (row, kept) = made(install(&row(entry), None, Edits::Refuse).unwrap().unwrap());
        (row, kept.unwrap())
    }

    #[test]
    fn an_entry_is_installed_once_and_put_back() {
        let (row, kept) = installed(ENTRY);
        assert!(
            row.dialplan_entry
                .contains("Gosub(crankback,s,1(MAIN,${EXTEN},SIP/main/${EXTEN:1},,To))")
        );
        assert_eq!(install(&row, Some(&kept), Edits::Refuse), Ok(None));
        assert_eq!(uninstall(&row, &kept, Edits::Refuse).unwrap().after, ENTRY);
    }

    #[test]
    fn what_the_screen_takes_out_when_it_saves_is_no_edit() {
        let (mut row, kept) = installed(ENTRY);
        row.dialplan_entry = row.dialplan_entry.replace('\r', "");
        assert_eq!(uninstall(&row, &kept, Edits::Refuse).unwrap().after, ENTRY);
    }

    #[test]
    fn an_edit_is_named_and_kept_on_request() {
        let (mut row, kept) = installed(ENTRY);
        row.dialplan_entry = row.dialplan_entry.replace("; main", "; main 2");
        for error in [
            install(&row, Some(&kept), Edits::Refuse).unwrap_err(),
            uninstall(&row, &kept, Edits::Refuse).unwrap_err(),
        ] {
            let text = error.to_string();
            assert!(
                text.starts_with("carrier MAIN, dialplan entry, line 1: edited"),
                "{text}"
            );
        }
        let edited = ENTRY.replace("; main", "; main 2");
        let adopted = install(&row, Some(&kept), Edits::Adopt).unwrap().unwrap();
        assert_eq!(adopted.original.as_deref(), Some(edited.as_str()));
        assert_eq!(adopted.after, row.dialplan_entry, "the row is not written");
        assert_eq!(uninstall(&row, &kept, Edits::Adopt).unwrap().after, edited);
    }

    #[test]
    fn an_original_that_was_put_back_by_hand_is_installed_again() {
        let (_, kept) = installed(ENTRY);
        let again = install(&row(ENTRY), Some(&kept), Edits::Refuse).unwrap().unwrap();
        assert_eq!(made(again).1, Some(kept));
    }

    #[test]
    fn a_copied_carrier_gets_its_own_id_and_an_original_without_lines_of_ours() {
        let (mut copy, _) = installed(ENTRY);
        copy.carrier_id = "COPY".into();
        let change = install(&copy, None, Edits::Refuse).unwrap().unwrap();
        assert!(change.after.contains("Gosub(crankback,s,1(COPY,"), "{}", change.after);
        assert_eq!(change.original.as_deref(), Some(ENTRY));
    }

    #[test]
    fn options_that_only_dial_honours_are_told_and_stay_verbatim() {
        let entry = "exten => _91.,1,Dial(SIP/a/${EXTEN:1},60,L(60000:30000)U(sub^1)o)";
        let change = install(&row(entry), None, Edits::Refuse).unwrap().unwrap();
        assert_eq!(change.options_for_dial, ["L(60000:30000)", "U(sub^1)"]);
        assert!(
            change.after.contains("60,L(60000:30000)U(sub^1)o)):Dial("),
            "{}",
            change.after
        );
    }

    #[test]
    fn what_cannot_be_handed_over_is_refused_by_name() {
        let error = install(&row("exten => _9.,1,Dial(SIP/a&SIP/b)"), None, Edits::Refuse).unwrap_err();
        assert_eq!(error.code(), "wrap_several_targets");
        assert!(
            error.to_string().starts_with("carrier MAIN, line 1: several targets"),
            "{error}"
        );
    }

    fn any_entry() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            Just("; a comment".to_owned()),
            Just(String::new()),
            Just("exten => _91NXX,1,AGI(agi://127.0.0.1:4577/call_log)".to_owned()),
            "exten ?=> ?_[1-9]X{1,3},(n|2),[dD]ial\\((SIP|PJSIP)/(a/)?\\$\\{EXTEN(:1)?\\}(@b)?[,|](\\$\\{CAMPDTO\\}|30)?[,|]To?\\)( ; x)?",
            " same => ?n\\(go\\),Dial\\(\\$\\{TRUNK\\}/1\\$\\{EXTEN:2\\},,tToL\\(6:3\\)\\)",
            "exten => _[1-9]X,3,(Hangup|Set\\(__AMDMINLEN=7\\))",
        ];
        proptest::collection::vec((line, "\r?\n"), 0..8)
            .prop_map(|lines| lines.into_iter().map(|(line, end)| line + &end).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn installing_is_undone_and_done_once(entry in any_entry()) {
            let Ok(Some(change)) = install(&row(&entry), None, Edits::Refuse) else {
                return Ok(());
            };
            let lines = |text: &str| text.split('\n').map(str::to_owned).collect::<Vec<_>>();
            let untouched = lines(&entry).into_iter().zip(lines(&change.after));
            for (before, after) in untouched.filter(|(before, _)| !before.to_ascii_lowercase().contains("dial(")) {
                prop_assert_eq!(before, after);
            }
            let (installed, kept) = made(change);
            let kept = kept.expect("an original is kept");
            prop_assert_eq!(install(&installed, Some(&kept), Edits::Refuse), Ok(None));
            prop_assert_eq!(uninstall(&installed, &kept, Edits::Refuse).unwrap().after, entry.clone());
            prop_assert_eq!(uninstall(&installed, &kept, Edits::Adopt).unwrap().after, entry.clone());
            // Without what was kept, the lines of ours come off all the same.
            prop_assert_eq!(unwrap_dialplan_entry(&installed.dialplan_entry), entry);
        }
    }
}
