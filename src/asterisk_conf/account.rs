//! Account blocks: `[section]` headers and `key = value` lines, as in `sip.conf`, `pjsip.conf` and `iax.conf`.

use std::fmt;

use super::comment::blank_comments;

/// The sections of an account block, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The sections, templates among them.
    pub sections: Vec<Section>,
    /// The lines that could not be read.
    pub errors: Vec<AccountError>,
}

/// One `[name]` with its settings. PJSIP uses the same name for several sections of different types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The name between the brackets.
    pub name: String,
    /// The line of the header, counted from 1.
    pub line: usize,
    /// `[name](!)`: only a pattern for others, no account.
    pub is_template: bool,
    /// `[name](base,other)`: the sections above that it takes settings over from.
    pub bases: Vec<String>,
    /// Its own settings, in order; keys may repeat. `[name](+)` adds to those of the section above with this name.
    pub settings: Vec<Setting>,
    /// The settings of its bases, in order; its own come before them.
    pub inherited: Vec<Setting>,
}

/// One `key = value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The line, counted from 1.
    pub line: usize,
    /// The key as written.
    pub key: String,
    /// The value, trimmed.
    pub value: String,
}

/// A line of an account block that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}: {text:?}")]
pub struct AccountError {
    /// The line, counted from 1.
    pub line: usize,
    /// The line as written.
    pub text: String,
    /// What is wrong with it.
    pub problem: AccountProblem,
}

/// What is wrong with a line of an account block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountProblem {
    /// `[` without `]`, nothing between them, or `(` without `)` behind them.
    #[error("broken section header")]
    Header,
    /// A setting before the first section.
    #[error("setting outside of any section")]
    OutsideSection,
    /// Neither header nor setting.
    #[error("neither [section] nor key = value")]
    Unreadable,
}

impl AccountProblem {
    /// A stable word for metrics and APIs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Header => "account_header",
            Self::OutsideSection => "account_outside_section",
            Self::Unreadable => "account_unreadable",
        }
    }
}

impl Account {
    /// Reads an account block.
    pub fn parse(text: &str) -> Self {
        let code = blank_comments(text);
        let mut account = Self::default();
        let mut open = None;
        for (index, (line, written)) in code.split('\n').zip(text.split('\n')).enumerate() {
            let number = index + 1;
            if let Err(problem) = account.read_line(number, line.trim(), &mut open) {
                account.errors.push(AccountError {
                    line: number,
                    text: written.trim_end().to_owned(),
                    problem,
                });
            }
        }
        account
    }

    /// `open` is the position of the section that settings go into.
    fn read_line(&mut self, number: usize, line: &str, open: &mut Option<usize>) -> Result<(), AccountProblem> {
        if line.is_empty() {
            return Ok(());
        }
        if let Some(header) = line.strip_prefix('[') {
            let (name, options) = header.split_once(']').ok_or(AccountProblem::Header)?;
            let name = name.trim();
            if name.is_empty() {
                return Err(AccountProblem::Header);
            }
            let options = match options.trim().strip_prefix('(') {
                Some(options) => options.split_once(')').ok_or(AccountProblem::Header)?.0,
                None => "",
            };
            *open = Some(self.open_section(name, number, options));
            return Ok(());
        }
        let (key, value) = line.split_once('=').ok_or(AccountProblem::Unreadable)?;
        let value = value.strip_prefix('>').unwrap_or(value);
        let section = open.and_then(|position| self.sections.get_mut(position));
        let section = section.ok_or(AccountProblem::OutsideSection)?;
        section.settings.push(Setting {
            line: number,
            key: key.trim().to_owned(),
            value: value.trim().to_owned(),
        });
        Ok(())
    }

    /// Opens the section of a header with `options`: `!`, `+`, `base,other` or nothing. Gives its position.
    fn open_section(&mut self, name: &str, line: usize, options: &str) -> usize {
        let words = || options.split(',').map(str::trim).filter(|word| !word.is_empty());
        let above = |name: &str| self.sections.iter().rposition(|section| section.name == name);
        if words().any(|word| word == "+")
            && let Some(position) = above(name)
        {
            return position;
        }
        let bases: Vec<String> = words()
            .filter(|word| !["!", "+"].contains(word))
            .map(str::to_owned)
            .collect();
        let inherited = bases
            .iter()
            .filter_map(|base| self.sections.get(above(base)?))
            .flat_map(|base| base.inherited.iter().chain(&base.settings).cloned());
        let section = Section {
            name: name.to_owned(),
            line,
            is_template: words().any(|word| word == "!"),
            inherited: inherited.collect(),
            bases,
            settings: Vec::new(),
        };
        self.sections.push(section);
        self.sections.len() - 1
    }

    /// The first section, templates aside, whose `type` is `kind`.
    pub fn first_of_type(&self, kind: &str) -> Option<&Section> {
        self.accounts()
            .find(|section| section.kind().is_some_and(|own| own.eq_ignore_ascii_case(kind)))
    }

    /// The sections that are accounts: no templates and no `[general]`.
    pub fn accounts(&self) -> impl Iterator<Item = &Section> {
        self.sections
            .iter()
            .filter(|section| !section.is_template && !section.name.eq_ignore_ascii_case("general"))
    }

    /// Every host that the block names, in order: the values of `host`, `contact`, `remote_hosts`, `server_uri` and
    /// `match`, as written. A list of hosts gives several.
    pub fn hosts(&self) -> Vec<&str> {
        const HOST_KEYS: [&str; 5] = ["host", "contact", "remote_hosts", "server_uri", "match"];
        self.accounts()
            .flat_map(|section| section.inherited.iter().chain(&section.settings))
            .filter(|setting| HOST_KEYS.iter().any(|key| setting.key.eq_ignore_ascii_case(key)))
            .flat_map(|setting| setting.value.split(','))
            .map(str::trim)
            .filter(|host| !host.is_empty())
            .collect()
    }
}

impl Section {
    /// The last value of a key, its own before an inherited one; Asterisk does not care about case.
    pub fn value(&self, key: &str) -> Option<&str> {
        let settings = self.settings.iter().rev().chain(self.inherited.iter().rev());
        let setting = settings
            .into_iter()
            .find(|setting| setting.key.eq_ignore_ascii_case(key))?;
        Some(&setting.value)
    }

    /// The `type` of the section.
    pub fn kind(&self) -> Option<&str> {
        self.value("type")
    }
}

impl fmt::Display for Account {
    /// Sections and settings, a line each; reading them back gives equal sections.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for section in &self.sections {
            let marks = section.is_template.then_some("!").into_iter();
            let options: Vec<&str> = marks.chain(section.bases.iter().map(String::as_str)).collect();
            match options.as_slice() {
                [] => writeln!(f, "[{}]", section.name)?,
                options => writeln!(f, "[{}]({})", section.name, options.join(","))?,
            }
            for setting in &section.settings {
                writeln!(f, "{} = {}", setting.key, setting.value)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    const PJSIP: &str = "\
[general]
language = en

[base](!)
type = endpoint
[trunk]
type=aor
contact = sip:192.0.2.10:5060
[trunk]
type => identify
match = 192.0.2.10, 192.0.2.11
[trunk](base)
Type = Endpoint
aors = trunk
allow = ulaw
allow = alaw
";

    #[test]
    fn sections_keep_their_order_and_types() {
        let account = Account::parse(PJSIP);
        assert_eq!(account.errors, []);
        let names: Vec<_> = account
            .accounts()
            .map(|section| (section.name.as_str(), section.kind()))
            .collect();
        assert_eq!(
            names,
            [
                ("trunk", Some("aor")),
                ("trunk", Some("identify")),
                ("trunk", Some("Endpoint"))
            ]
        );
        let endpoint = account.first_of_type("endpoint").unwrap();
        assert_eq!((endpoint.line, endpoint.value("allow")), (12, Some("alaw")));
    }

    #[test]
    fn hosts_come_from_every_key_that_names_them() {
        assert_eq!(
            Account::parse(PJSIP).hosts(),
            ["sip:192.0.2.10:5060", "192.0.2.10", "192.0.2.11"]
        );
        assert_eq!(
            Account::parse("[w]\ntype = wizard\nremote_hosts = a:5060,b\n").hosts(),
            ["a:5060", "b"]
        );
    }

    #[test]
    fn settings_are_inherited_and_added_to() {
        let account = Account::parse(
            "[base](!)\ntype = peer\nhost = base\n[more](!,base)\nqualify = yes\n[own](more)\nhost = own\n[other](base)\n\
             [own](+)\nport = 5070\n[lost](nowhere)",
        );
        assert_eq!(account.errors, []);
        let own = &account.sections[2];
        assert_eq!(
            (own.kind(), own.value("host"), own.value("qualify"), own.value("port")),
            (Some("peer"), Some("own"), Some("yes"), Some("5070"))
        );
        assert_eq!(account.first_of_type("peer").unwrap().name, "own");
        assert_eq!(account.sections[3].value("host"), Some("base"));
        assert_eq!(
            (account.sections[4].name.as_str(), account.sections[4].kind()),
            ("lost", None)
        );
        assert_eq!(account.hosts(), ["base", "own", "base"]);
    }

    #[test]
    fn the_options_of_a_header_end_at_the_first_closing_parenthesis() {
        let account = Account::parse("[x]((!)(\n[y](!)(z)\n[z](!\n");
        let sections: Vec<_> = account
            .sections
            .iter()
            .map(|it| (it.name.as_str(), it.is_template))
            .collect();
        assert_eq!(sections, [("x", false), ("y", true)]);
        assert_eq!(account.sections[0].bases, ["(!"]);
        assert_eq!(Account::parse(&account.to_string()).sections, account.sections);
        let errors: Vec<_> = account.errors.iter().map(|error| (error.line, error.problem)).collect();
        assert_eq!(errors, [(3, AccountProblem::Header)]);
    }

    /// What an admin wrote stands in the sections or among the errors, line for line, when it is written again.
    #[test]
    fn nothing_of_a_row_is_lost() {
        const ROWS: [&str; 4] = [
            PJSIP,
            "[ExampleSIP]\r\ntype=peer\r\ncontext = trunkinbound\r\nhost = 10.10.10.15\r\ninsecure = port,invite\r\n\
             disallow=all\r\nallow=ulaw\r\nallow=g729\r\ndtmfmode = auto\r\n",
            "[wiz]\ntype = wizard\nremote_hosts = 10.10.10.15:5060,sip.example\nendpoint/allow = !all,ulaw\n\
             outbound_auth/password = a=b>c\n a comment without its semicolon\n",
            "[main](+)\nport = 5070\n[main](!)\nqualify=yes\n[own](main)\nsecret = x\nhost=dynamic",
        ];
        let normal = |text: &str| {
            let lines = text
                .lines()
                .map(|line| line.replace("=>", "=").replace(' ', "").trim().to_owned());
            let mut lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
            lines.sort();
            lines
        };
        for row in ROWS {
            let account = Account::parse(row);
            let unread: Vec<_> = account.errors.iter().map(|error| error.text.as_str()).collect();
            let again = format!("{account}{}", unread.join("\n"));
            let written = normal(&row.replace("](+)", "]"));
            assert_eq!(normal(&again), written);
        }
    }

    fn any_account() -> impl Strategy<Value = Account> {
        let setting = ("[a-z][a-z/_]{0,8}", "([a-z0-9][a-z0-9:@.,=>/ -]{0,10}[a-z0-9])?");
        let section = (
            "[A-Za-z0-9_-]{1,8}",
            any::<bool>(),
            proptest::collection::vec("[a-c]", 0..3),
            proptest::collection::vec(setting, 0..4),
        );
        proptest::collection::vec(section, 0..5).prop_map(|sections| {
            let mut account = Account::default();
            let mut line = 0;
            for (name, is_template, bases, settings) in sections {
                line += 1;
                let marks = if is_template { "!," } else { "" };
                let position = account.open_section(&name, line, &format!("{marks}{}", bases.join(",")));
                for (key, value) in settings {
                    line += 1;
                    account.sections[position].settings.push(Setting { line, key, value });
                }
            }
            account
        })
    }

    #[test]
    fn broken_lines_are_named_and_the_others_stand() {
        let account = Account::parse("host = early\n[broken\n[]\nwords only\n[ok]\nhost = a\nmore words");
        let problems: Vec<_> = account.errors.iter().map(|error| (error.line, error.problem)).collect();
        assert_eq!(
            problems,
            [
                (1, AccountProblem::OutsideSection),
                (2, AccountProblem::Header),
                (3, AccountProblem::Header),
                (4, AccountProblem::Unreadable),
                (7, AccountProblem::Unreadable)
            ]
        );
        assert_eq!(account.hosts(), ["a"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_reads_back_equal(account in any_account()) {
            prop_assert_eq!(Account::parse(&account.to_string()), account);
        }

        #[test]
        fn arbitrary_text_never_panics(text in "[\\[\\]a=>(!);\n -]{0,60}", other in ".{0,60}") {
            Account::parse(&text).hosts();
            Account::parse(&other).first_of_type("endpoint");
        }
    }
}
