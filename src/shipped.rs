//! The files that an Asterisk admin installs, compiled in: the only copies.

/// The dialplan.
pub(crate) const DIALPLAN: &str = include_str!("../asterisk/extensions-crankback.conf");
/// What `ari.conf` needs.
pub(crate) const ARI: &str = include_str!("../asterisk/ari.conf");
/// What `http.conf` needs.
pub(crate) const HTTP: &str = include_str!("../asterisk/http.conf");
/// What `manager.conf` needs.
pub(crate) const MANAGER: &str = include_str!("../asterisk/manager.conf");

/// The context of the dialplan that carriers' lines enter.
pub(crate) const CONTEXT: &str = "crankback";

/// How the extension begins that tells one edition of the dialplan from another; a digest of the rest of the file follows.
const EDITION: &str = "edition_";

/// The dialplan as VICIdial's screens take it: without its comments, which hold characters that the screens take out.
pub(crate) fn dialplan_for_screens() -> String {
    let lines = DIALPLAN.split_inclusive('\n');
    lines.filter(|line| !line.starts_with(';') && *line != "\n").collect()
}

/// The name of the extension that marks an edition.
pub(crate) fn edition(dialplan: &str) -> Option<&str> {
    let lines = dialplan.lines().filter_map(|line| line.strip_prefix("exten => "));
    lines
        .filter_map(|line| line.split(',').next())
        .find(|extension| extension.starts_with(EDITION))
}

/// Whether a text is an edition of the dialplan, of whatever release, that nobody has edited.
pub(crate) fn is_unedited(dialplan: &str) -> bool {
    edition(dialplan) == Some(mark(dialplan).as_str())
}

/// The mark that a dialplan should have: FNV-1a over every line but the one with the mark.
fn mark(dialplan: &str) -> String {
    let marked = format!("exten => {EDITION}");
    let lines = dialplan.lines().filter(|line| !line.starts_with(&marked));
    let digest = lines
        .flat_map(|line| line.bytes().chain([b'\n']))
        .fold(0x811c_9dc5, |hash: u32, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
    format!("{EDITION}{digest:08x}")
}

/// A text with the mark that it should have, in the place of the one that it has.
#[cfg(test)]
pub(crate) fn marked(dialplan: &str) -> String {
    edition(dialplan).map_or_else(String::new, |edition| dialplan.replace(edition, &mark(dialplan)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn screens_get_every_line_that_is_no_comment_and_no_character_that_they_take_out() {
        let text = dialplan_for_screens();
        let lines = |text: &str| {
            let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with(';'));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(lines(&text), lines(DIALPLAN));
        assert!(text.is_ascii() && !text.contains(['\\', '\'', '\r', ';']), "{text}");
        assert_eq!(edition(&text), edition(DIALPLAN), "`check` knows it");
    }

    #[test]
    fn the_mark_belongs_to_the_text() {
        let right = mark(DIALPLAN);
        assert_eq!(
            edition(DIALPLAN),
            Some(right.as_str()),
            "the dialplan was edited: write `exten => {right},1,Return()` into asterisk/extensions-crankback.conf"
        );
        assert!(is_unedited(DIALPLAN));
        assert!(!is_unedited(&DIALPLAN.replace("CANCEL", "BUSY")));
        assert!(!is_unedited("[crankback]\n"));
    }
}
