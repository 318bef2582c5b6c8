//! A text without our blocks, which must be as they were written: whoever edited one would lose the edit. Pure.

use crate::asterisk_conf::{BlockError, blocks, unmerge};

/// `text` without our blocks; `written` is what was installed, where that is known.
pub(super) fn without_blocks(text: &str, written: Option<&str>) -> Result<String, BlockError> {
    let now = blocks(text)?;
    let written = written.map(blocks).transpose()?;
    let of_ours = |block: &&str| {
        written
            .as_ref()
            .is_none_or(|written| written.iter().any(|written| written.trim_end() == block.trim_end()))
    };
    if let Some(edited) = now.iter().find(|block| !of_ours(block)) {
        let at = text.find(edited).unwrap_or_default();
        let line = text[..at].matches('\n').count() + 1;
        let what = "crankback's block that begins here has been edited";
        return Err(BlockError { line, what });
    }
    unmerge(text)
}
