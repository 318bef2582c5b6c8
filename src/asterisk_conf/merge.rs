//! Settings added to a configuration file that is there already, in marked blocks that can be taken out again.
//!
//! What stands in the file stays byte for byte: a setting that it has is left and named where it is not enough, and only what it
//! lacks is added. Taking the blocks out gives the text as it was.

use super::account::{Account, Section};

const BEGINS: &str = "; crankback begins: `crankback conf uninstall` takes these lines out";
const ENDS: &str = "; crankback ends";

/// What a section of a file needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedSection {
    /// The name between the brackets.
    pub name: String,
    /// What it needs, in order.
    pub settings: Vec<WantedSetting>,
    /// What to do where the section is there already.
    pub if_there: IfThere,
}

/// What to do with a section that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfThere {
    /// Add what it lacks.
    Complete,
    /// Add nothing: somebody made this user, and a line more would change what it may. What it says is compared all the same.
    Compare,
}

/// A setting that a section needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedSetting {
    /// The key.
    pub key: String,
    /// The value where the section has none.
    pub value: String,
    /// Which values do as well.
    pub enough: Enough,
}

/// Which value of a setting will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enough {
    /// Any: it is there, and somebody chose it.
    Any,
    /// Exactly the wanted one.
    Same,
    /// Exactly the wanted one, and neither is ever repeated in a message.
    SameSecret,
    /// What Asterisk takes for yes.
    True,
    /// A number that is not less than this.
    AtLeast(u64),
    /// The wanted text, among others.
    Contains,
}

/// A file with what was missing added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The text.
    pub text: String,
    /// What was left as it is, though it is not enough.
    pub left: Vec<LeftSetting>,
}

/// A setting that was left as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: [{section}] {key} = {found}: left as it is, crankback needs {wanted}")]
pub struct LeftSetting {
    /// The line, from 1.
    pub line: usize,
    /// The section.
    pub section: String,
    /// The key.
    pub key: String,
    /// The value that stands there; no secret.
    pub found: String,
    /// What would be enough.
    pub wanted: String,
}

/// A block of ours that is no longer as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct BlockError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl BlockError {
    /// A stable word.
    pub const fn code(&self) -> &'static str {
        "conf_block"
    }
}

/// Adds to `text` what it lacks of `wanted`. Adding twice is adding once.
pub fn merge(text: &str, wanted: &[WantedSection]) -> Merged {
    let mut merged = Merged {
        text: text.to_owned(),
        left: Vec::new(),
    };
    let before = Account::parse(text);
    for section in wanted {
        let here: Vec<&Section> = before.sections.iter().filter(|it| it.name == section.name).collect();
        let lines = missing(&here, section, &mut merged.left);
        if lines.is_empty() || (section.if_there == IfThere::Compare && !here.is_empty()) {
            continue;
        }
        let now = Account::parse(&merged.text);
        let header = now
            .sections
            .iter()
            .find(|it| it.name == section.name && !it.is_template);
        merged.text = match header {
            Some(header) => insert(&merged.text, after_line(&merged.text, header.line), &lines),
            None => at_end(&merged.text, &[format!("[{}]\n", section.name), lines].concat()),
        };
    }
    merged
}

/// The lines of `section` that nothing in `here` says.
fn missing(here: &[&Section], section: &WantedSection, left: &mut Vec<LeftSetting>) -> String {
    let mut lines = String::new();
    for setting in &section.settings {
        let settings = here
            .iter()
            .flat_map(|section| section.settings.iter().chain(&section.inherited));
        let mut said = settings
            .filter(|said| said.key.eq_ignore_ascii_case(&setting.key))
            .peekable();
        let Some(first) = said.peek().copied() else {
            lines.push_str(&format!("{} = {}\n", setting.key, setting.value));
            continue;
        };
        if said.any(|said| setting.is_enough(&said.value)) {
            continue;
        }
        let is_secret = setting.enough == Enough::SameSecret;
        left.push(LeftSetting {
            line: first.line,
            section: section.name.clone(),
            key: setting.key.clone(),
            found: if is_secret {
                "(not shown)".to_owned()
            } else {
                first.value.clone()
            },
            wanted: setting.needed(),
        });
    }
    lines
}

impl WantedSetting {
    fn is_enough(&self, found: &str) -> bool {
        match self.enough {
            Enough::Any => true,
            Enough::Same => found.eq_ignore_ascii_case(&self.value),
            Enough::SameSecret => found == self.value,
            Enough::True => ["yes", "true", "y", "t", "1", "on"].contains(&found.to_ascii_lowercase().as_str()),
            Enough::AtLeast(least) => found.parse::<u64>().is_ok_and(|found| found >= least),
            Enough::Contains => found.contains(&self.value),
        }
    }

    fn needed(&self) -> String {
        match self.enough {
            Enough::Any | Enough::Same | Enough::True => self.value.clone(),
            Enough::SameSecret => "the one of crankback.toml".to_owned(),
            Enough::AtLeast(least) => format!("{least} or more, better {}", self.value),
            Enough::Contains => format!(
                "{} in it, after a comma or in the place of an earlier one of crankback's",
                self.value
            ),
        }
    }
}

/// Adds lines to the end of a file, in a block.
pub fn at_end(text: &str, lines: &str) -> String {
    insert(text, text.len(), lines)
}

/// Where the line after `line` (from 1) begins.
fn after_line(text: &str, line: usize) -> usize {
    let ends = text.match_indices('\n').nth(line.saturating_sub(1));
    ends.map_or(text.len(), |(at, _)| at + 1)
}

/// A block at `at`. Behind a line that has no end the block has none either: that is how it is told apart later.
fn insert(text: &str, at: usize, lines: &str) -> String {
    let (before, after) = text.split_at(at);
    if before.is_empty() || before.ends_with('\n') {
        format!("{before}{BEGINS}\n{lines}{ENDS}\n{after}")
    } else {
        format!("{before}\n{BEGINS}\n{lines}{ENDS}{after}")
    }
}

/// The blocks of a text.
///
/// # Errors
/// A block without an end, or an end without a beginning.
pub fn blocks(text: &str) -> Result<Vec<&str>, BlockError> {
    Ok(places(text)?.into_iter().map(|place| &text[place]).collect())
}

/// Takes the blocks out.
///
/// # Errors
/// A block without an end, or an end without a beginning.
pub fn unmerge(text: &str) -> Result<String, BlockError> {
    let mut without = text.to_owned();
    // One after the other: where the last one goes, the end of the line before it may go with it.
    while let Some(place) = places(&without)?.pop() {
        let start = match without[place.clone()].ends_with('\n') {
            true => place.start,
            // The end of the line before was ours.
            false => place.start.saturating_sub(1),
        };
        without.replace_range(start..place.end, "");
    }
    Ok(without)
}

fn places(text: &str) -> Result<Vec<std::ops::Range<usize>>, BlockError> {
    let mut places = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let number = index + 1;
        let end = at + line.len();
        match (line.trim_end(), open) {
            (BEGINS, None) => open = Some((at, number)),
            (ENDS, Some((start, _))) => {
                places.push(start..end);
                open = None;
            }
            (BEGINS, Some(_)) => {
                let what = "a block of crankback begins inside of another";
                return Err(BlockError { line: number, what });
            }
            (ENDS, None) => {
                let what = "the first line of crankback's block is missing";
                return Err(BlockError { line: number, what });
            }
            _ => {}
        }
        at = end;
    }
    match open {
        None => Ok(places),
        Some((_, line)) => {
            let what = "the last line of crankback's block is missing";
            Err(BlockError { line, what })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn setting(key: &str, value: &str, enough: Enough) -> WantedSetting {
        WantedSetting {
            key: key.into(),
            value: value.into(),
            enough,
        }
    }

    fn http() -> Vec<WantedSection> {
        let settings = vec![
            setting("enabled", "yes", Enough::True),
            setting("bindport", "8088", Enough::Any),
            setting("sessionlimit", "400", Enough::AtLeast(200)),
        ];
        let general = WantedSection {
            name: "general".into(),
            settings,
            if_there: IfThere::Complete,
        };
        let user = WantedSection {
            name: "crankback".into(),
            settings: vec![
                setting("password", "hunter2", Enough::SameSecret),
                setting("password_format", "plain", Enough::Any),
            ],
            if_there: IfThere::Compare,
        };
        vec![general, user]
    }

    #[test]
    fn only_what_is_missing_is_added() {
        let text = "; mine\n[general] ; web phones\nENABLED=true\nbindport = 8089\n\n[other]\nsessionlimit = 1\n";
        let merged = merge(text, &http());
        assert_eq!(merged.left, []);
        let block = |lines: &str| format!("{BEGINS}\n{lines}{ENDS}\n");
        assert_eq!(
            merged.text,
            format!(
                "; mine\n[general] ; web phones\n{}ENABLED=true\nbindport = 8089\n\n[other]\nsessionlimit = 1\n{}",
                block("sessionlimit = 400\n"),
                block("[crankback]\npassword = hunter2\npassword_format = plain\n"),
            )
        );
        assert_eq!(unmerge(&merged.text).unwrap(), text);
        assert_eq!(merge(&merged.text, &http()), merged);
    }

    #[test]
    fn what_is_not_enough_is_left_and_named_without_secrets() {
        let text = "[general]\nenabled=no\nbindport=1\nsessionlimit = 100\n[crankback]\npassword = other\n";
        let merged = merge(text, &http());
        assert_eq!(merged.text, text);
        let told: Vec<String> = merged.left.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "line 2: [general] enabled = no: left as it is, crankback needs yes",
                "line 4: [general] sessionlimit = 100: left as it is, crankback needs 200 or more, better 400",
                "line 6: [crankback] password = (not shown): left as it is, crankback needs the one of crankback.toml",
            ]
        );
    }

    #[test]
    fn a_file_that_ends_within_a_line_gets_its_end_back() {
        for text in ["", "[general]", "[general]\n", "a = 1\n[general]\nenabled = yes"] {
            let merged = merge(text, &http());
            assert_ne!(merged.text, text);
            assert_eq!(unmerge(&merged.text).unwrap(), text);
        }
    }

    #[test]
    fn a_block_that_lost_a_line_is_named() {
        let merged = merge("[general]\n", &http()).text;
        let error = |text: &str| unmerge(text).unwrap_err().to_string();
        assert_eq!(
            error(&merged.replacen(&format!("{ENDS}\n"), "", 2)),
            "line 6: a block of crankback begins inside of another"
        );
        assert_eq!(
            error(&merged.replacen(&format!("{BEGINS}\n"), "", 1)),
            "line 5: the first line of crankback's block is missing"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_added_can_be_taken_out_and_is_added_once(
            text in "(\\[general\\]|\\[crankback\\]\\(!\\)|\\[(other|crankback)\\]|enabled ?= ?(no|yes)|bindport=1|password=x|;-- \\[other\\] --;|[ ;a\\\\\r\n]){0,14}"
        ) {
            let merged = merge(&text, &http());
            prop_assert_eq!(unmerge(&merged.text).unwrap(), text);
            prop_assert_eq!(&merge(&merged.text, &http()).text, &merged.text);
            let twice = at_end(&merged.text, "#include x\n");
            prop_assert_eq!(blocks(&twice).unwrap().len(), blocks(&merged.text).unwrap().len() + 1);
        }
    }
}
