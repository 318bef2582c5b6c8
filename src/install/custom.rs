//! VICIdial's own door for dialplan: what a server's custom dialplan entry becomes, and what it becomes again. Pure.
//!
//! VICIdial writes the entry into `[vicidial-auto-server-custom]` and begins the next context itself, so contexts of ours may
//! stand in it. Ours are a marked block behind what an administrator has there. Behind the block the context is opened once more in
//! which the text before it ended: lines that somebody adds below stay what they would be without us.

use super::blocks::without_blocks;
use crate::asterisk_conf::{Account, BlockError, at_end, blocks};
use crate::shipped;
use crate::store::{CustomDialplan, OriginalRow};
use crate::vicidial::admin::as_saved_on_screen;

/// The context in which VICIdial writes a server's entry.
const VICIDIAL_CONTEXT: &str = "vicidial-auto-server-custom";

/// What is to be done with a server's entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomChange {
    /// The server's address.
    pub server_ip: String,
    /// The entry as it is.
    pub before: String,
    /// The entry as it will be; the same where only the original is to be kept or forgotten.
    pub after: String,
    /// The original to keep; `None`: what was kept is to be forgotten.
    pub original: Option<String>,
}

/// Why a server's entry is left as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CustomError {
    /// Somebody edited our block.
    #[error(
        "server {server_ip}, custom dialplan entry, {error}; on the Servers screen, take the block out by hand, or put it back as it is \
         in crankback_originals"
    )]
    Block {
        /// The server.
        server_ip: String,
        /// What is wrong.
        error: BlockError,
    },
    /// Somebody put contexts of these names there.
    #[error(
        "server {server_ip}, custom dialplan entry: [crankback] stands there and is not crankback's own block: take it out on the \
         Servers screen, or leave it and install with --dialplan file"
    )]
    OtherContexts {
        /// The server.
        server_ip: String,
    },
}

impl CustomError {
    /// A stable word.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Block { .. } => "custom_dialplan_block_edited",
            Self::OtherContexts { .. } => "custom_dialplan_other_contexts",
        }
    }
}

/// Whether our block stands in an entry.
pub(super) fn is_installed(entry: &str) -> bool {
    blocks(entry).is_ok_and(|blocks| !blocks.is_empty())
}

/// What installing does; `None`: nothing.
pub(super) fn install(
    custom: &CustomDialplan,
    kept: Option<&OriginalRow>,
) -> Result<Option<CustomChange>, CustomError> {
    let original = original(custom, kept)?;
    if has_contexts(&original) {
        return Err(CustomError::OtherContexts {
            server_ip: custom.server_ip.clone(),
        });
    }
    // A block stays where it is: somebody may have added lines behind it.
    let block = blocks(&custom.entry).unwrap_or_default().into_iter().next();
    let after = match block.and_then(|block| {
        custom
            .entry
            .split_once(block)
            .map(|(before, after)| (block, before, after))
    }) {
        Some((block, before, after)) => {
            let new = at_end("", &lines(before));
            let ends = block.ends_with('\n');
            let new = if ends { new.as_str() } else { new.trim_end_matches('\n') };
            [before, new, after].concat()
        }
        None => at_end(&original, &lines(&original)),
    };
    let is_kept = kept.is_some_and(|kept| kept.original == original && kept.installed == after);
    if is_kept && custom.entry == after {
        return Ok(None);
    }
    Ok(Some(CustomChange {
        original: Some(original),
        ..change(custom, after)
    }))
}

/// What uninstalling does.
pub(super) fn uninstall(custom: &CustomDialplan, kept: &OriginalRow) -> Result<CustomChange, CustomError> {
    Ok(change(custom, original(custom, Some(kept))?))
}

/// The entry without our block; what was kept, byte for byte, where nobody has changed anything since.
fn original(custom: &CustomDialplan, kept: Option<&OriginalRow>) -> Result<String, CustomError> {
    let entry = &custom.entry;
    match kept {
        Some(kept) if *entry == kept.installed || *entry == as_saved_on_screen(&kept.installed) => {
            Ok(kept.original.clone())
        }
        Some(_) | None => {
            let written = kept.map(|kept| kept.installed.as_str());
            without_blocks(entry, written).map_err(|error| CustomError::Block {
                server_ip: custom.server_ip.clone(),
                error,
            })
        }
    }
}

fn change(custom: &CustomDialplan, after: String) -> CustomChange {
    CustomChange {
        server_ip: custom.server_ip.clone(),
        before: custom.entry.clone(),
        after,
        original: None,
    }
}

/// Our contexts, behind a text.
fn lines(before: &str) -> String {
    let sections = Account::parse(before).sections;
    let open = sections.last().map_or(VICIDIAL_CONTEXT, |section| &section.name);
    format!("{}[{open}]\n", shipped::dialplan_for_screens())
}

fn has_contexts(text: &str) -> bool {
    Account::parse(text)
        .sections
        .iter()
        .any(|section| section.name == shipped::CONTEXT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OriginalKind;

    fn custom(entry: &str) -> CustomDialplan {
        CustomDialplan {
            server_id: "dialer1".into(),
            server_ip: "10.0.0.1".into(),
            entry: entry.into(),
            is_offered: true,
        }
    }

    /// The server's entry and what is kept of it after a change.
    fn made(change: CustomChange) -> (CustomDialplan, Option<OriginalRow>) {
        let kept = change.original.map(|original| OriginalRow {
            kind: OriginalKind::Server,
            name: change.server_ip.clone(),
            original,
            installed: change.after.clone(),
            at_ms: 0,
            actor: String::new(),
        });
        (custom(&change.after), kept)
    }

    fn installed(entry: &str) -> (CustomDialplan, OriginalRow) {
        let (custom, kept) = made(install(&custom(entry), None).unwrap().expect("a change"));
        (custom, kept.expect("an original"))
    }

    const OWN: &str = "exten => 77,1,Answer()\r\n[mine]\r\nexten => 88,1,Answer()";

    #[test]
    fn what_stood_there_stays_and_comes_back_byte_for_byte() {
        for entry in ["", OWN, "exten => 77,1,Answer()\n", "\n"] {
            let (custom, kept) = installed(entry);
            assert!(custom.entry.starts_with(entry));
            assert_eq!(kept.original, entry);
            assert_eq!(install(&custom, Some(&kept)), Ok(None), "a second time changes nothing");
            assert_eq!(uninstall(&custom, &kept).unwrap().after, entry);
            // Saved on the screen without a change.
            let saved = CustomDialplan {
                entry: as_saved_on_screen(&custom.entry),
                ..custom
            };
            assert_eq!(uninstall(&saved, &kept).unwrap().after, entry);
        }
    }

    #[test]
    fn lines_below_ours_stand_in_the_context_that_they_would_stand_in() {
        assert!(
            installed("")
                .0
                .entry
                .contains("\n[vicidial-auto-server-custom]\n; crankback ends")
        );
        assert!(installed(OWN).0.entry.ends_with("\n[mine]\n; crankback ends"));
    }

    #[test]
    fn an_edit_around_our_block_stays_and_one_inside_is_refused() {
        let (custom, kept) = installed(OWN);
        let edited = CustomDialplan {
            entry: format!("{}\nexten => 99,1,Answer()\n", custom.entry.replace("77", "66")),
            ..custom.clone()
        };
        let again = install(&edited, Some(&kept)).unwrap().expect("the original is new");
        assert_eq!(again.after, edited.entry, "nothing is written");
        let without = format!("{}\nexten => 99,1,Answer()\n", OWN.replace("77", "66"));
        assert_eq!(again.original.as_deref(), Some(without.as_str()));
        assert_eq!(uninstall(&edited, &kept).unwrap().after, without);

        let inside = CustomDialplan {
            entry: custom.entry.replace("CANCEL", "BUSY"),
            ..custom
        };
        for error in [
            install(&inside, Some(&kept)).unwrap_err(),
            uninstall(&inside, &kept).unwrap_err(),
        ] {
            assert_eq!(error.code(), "custom_dialplan_block_edited");
            assert!(
                error
                    .to_string()
                    .starts_with("server 10.0.0.1, custom dialplan entry, line 4"),
                "{error}"
            );
        }
    }

    #[test]
    fn an_older_edition_is_replaced_where_it_stands() {
        let (custom, kept) = installed(OWN);
        let older = |text: &str| text.replace("CANCEL", "NOANSWER");
        let was = OriginalRow {
            installed: older(&kept.installed),
            ..kept
        };
        let below = CustomDialplan {
            entry: format!("{}\nexten => 99,1,Answer()\n", older(&custom.entry)),
            ..custom.clone()
        };
        let change = install(&below, Some(&was)).unwrap().expect("a newer edition");
        assert_eq!(change.after, format!("{}\nexten => 99,1,Answer()\n", custom.entry));
    }

    #[test]
    fn contexts_of_somebody_else_are_not_doubled() {
        let error = install(&custom("[crankback]\nexten => s,1,Return()\n"), None).unwrap_err();
        assert_eq!(error.code(), "custom_dialplan_other_contexts");
    }
}
