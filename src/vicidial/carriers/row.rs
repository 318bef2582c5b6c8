//! One row of the carrier table: its dialplan entry and its account block.

use std::collections::BTreeMap;

use super::super::carrier_problem::{CarrierFault, CarrierField, CarrierProblem};
use super::super::dial_line::{Dialling, mentions_dial};
use super::options::not_honoured;
use super::protocol::Protocol;
use super::{CarrierRow, TemplateRow};
use crate::asterisk_conf::{
    Account, Application, ChannelDriver, Dial, Dialplan, DialplanError, DialplanProblem, ExtensionLine, Globals,
    NumberExpression, Pattern, RegisteredAccount, Target, TargetError,
};
use crate::carrier::{AfterDial, Carrier, CarrierId, DialEntry, NumberFormat, Technology};

/// What VICIdial writes for a row without a template.
const NO_TEMPLATE: &str = "--NONE--";

/// What a row shares with the others.
pub(super) struct Surroundings<'a> {
    /// The globals of every row that VICIdial writes for this server.
    pub(super) globals: &'a Globals,
    /// Names of globals that stand in rows it does not write, with the row.
    pub(super) unwritten_globals: &'a BTreeMap<String, CarrierId>,
    pub(super) templates: &'a [TemplateRow],
}

/// Reads one row and collects what is wrong with it.
pub(super) struct RowReader<'a> {
    pub(super) row: &'a CarrierRow,
    pub(super) problems: Vec<CarrierProblem>,
}

/// What one `Dial()` line says.
struct DialLine {
    line: usize,
    target: Target,
    entry: DialEntry,
}

impl<'a> RowReader<'a> {
    pub(super) const fn new(row: &'a CarrierRow) -> Self {
        Self {
            row,
            problems: Vec::new(),
        }
    }

    pub(super) fn problem(&mut self, field: CarrierField, line: Option<usize>, fault: CarrierFault) {
        let carrier = CarrierId::from(self.row.carrier_id.as_str());
        self.problems.push(CarrierProblem {
            carrier,
            field,
            line,
            fault,
        });
    }

    /// The carrier, and what VICIdial writes into the channel driver's files for it.
    pub(super) fn read(&mut self, protocol: Protocol, surroundings: &Surroundings<'_>) -> Option<(Carrier, String)> {
        let account = self.read_account(surroundings.templates);
        let dial_lines = self.read_dialplan(surroundings);
        if self.is_left_out() {
            return None;
        }
        let carrier = match dial_lines.as_slice() {
            [] => self.without_dial_lines(protocol, &account.sections),
            [first, others @ ..] => Some(self.with_dial_lines(first, others)),
        };
        let mut carrier = carrier.filter(|_| !self.is_left_out())?;
        carrier.registrations = self.registrations(protocol, &account.sections);
        Some((carrier, format!("{}\n{}", self.row.registration_string, account.text)))
    }

    /// VICIdial writes the registration string for the old channel drivers only; PJSIP has sections for that.
    fn registrations(&self, protocol: Protocol, account: &Account) -> Vec<RegisteredAccount> {
        match protocol {
            Protocol::Sip | Protocol::Iax2 => RegisteredAccount::of_register_lines(&self.row.registration_string),
            Protocol::Pjsip | Protocol::PjsipWizard => RegisteredAccount::of_sections(account),
        }
    }

    fn is_left_out(&self) -> bool {
        self.problems.iter().any(|problem| problem.fault.leaves_out())
    }

    /// The account block with the contents of the row's template behind it.
    fn read_account(&mut self, templates: &[TemplateRow]) -> AccountBlock {
        let own = &self.row.account_entry;
        let text = match self.row.template_id.trim() {
            "" | NO_TEMPLATE => own.clone(),
            id => match templates
                .iter()
                .find(|row| row.template_id.trim().eq_ignore_ascii_case(id))
            {
                Some(template) => format!("{own}\n{}", template.template_contents),
                None => {
                    let fault = CarrierFault::TemplateMissing {
                        template_id: id.to_owned(),
                    };
                    self.problem(CarrierField::Template, None, fault);
                    own.clone()
                }
            },
        };
        let own_lines = own.split('\n').count();
        let sections = Account::parse(&text);
        for error in &sections.errors {
            let (field, line) = match error.line.checked_sub(own_lines) {
                None | Some(0) => (CarrierField::AccountEntry, error.line),
                Some(line) => (CarrierField::Template, line),
            };
            self.problem(field, Some(line), CarrierFault::Account(error.clone()));
        }
        AccountBlock { text, sections }
    }

    /// The usual backup: an account, and no prefix of its own to be dialled by.
    fn without_dial_lines(&mut self, protocol: Protocol, account: &Account) -> Option<Carrier> {
        let has_extensions = !Dialplan::parse(&self.row.dialplan_entry).extensions.is_empty();
        if has_extensions {
            self.problem(CarrierField::DialplanEntry, None, CarrierFault::NoDialLine);
            return None;
        }
        match protocol.peers(account) {
            Ok(peers) => {
                let [peer, others @ ..] = peers.as_slice() else {
                    return None;
                };
                if !others.is_empty() {
                    let fault = CarrierFault::SeveralAccounts {
                        used: (*peer).to_owned(),
                        others: others.join(", "),
                    };
                    self.problem(CarrierField::AccountEntry, None, fault);
                }
                Some(self.carrier(protocol.technology(), peer))
            }
            Err(fault) => {
                self.problem(CarrierField::AccountEntry, None, fault);
                None
            }
        }
    }

    fn with_dial_lines(&mut self, first: &DialLine, others: &[DialLine]) -> Carrier {
        let DialLine { target, entry, .. } = first;
        let mut carrier = self.carrier(technology(target.driver), &target.peer);
        carrier.uri_host.clone_from(&target.uri_host);
        carrier.entries.push(entry.clone());
        for DialLine {
            line,
            target: other,
            entry,
        } in others
        {
            let same_peer =
                (target.driver, &target.peer, &target.uri_host) == (other.driver, &other.peer, &other.uri_host);
            if !same_peer {
                let fault = CarrierFault::SeveralPeers {
                    first: shown(target),
                    other: shown(other),
                };
                self.problem(CarrierField::DialplanEntry, Some(*line), fault);
            }
            carrier.entries.push(entry.clone());
        }
        carrier
    }

    fn carrier(&self, technology: Technology, peer: &str) -> Carrier {
        let mut carrier = Carrier::new(self.row.carrier_id.as_str().into(), technology, peer);
        carrier.name.clone_from(&self.row.carrier_name);
        carrier
    }

    fn read_dialplan(&mut self, surroundings: &Surroundings<'_>) -> Vec<DialLine> {
        let dialplan = Dialplan::parse(&self.row.dialplan_entry);
        for error in dialplan.errors {
            let DialplanError { line, text, problem } = error;
            let fault = if problem == DialplanProblem::ContextHeader {
                CarrierFault::ContextHeader { text }
            } else if mentions_dial(&text) {
                CarrierFault::DialLine { problem, text }
            } else {
                CarrierFault::Line { problem, text }
            };
            self.problem(CarrierField::DialplanEntry, Some(line), fault);
        }
        let mut dialling: Vec<(&ExtensionLine, Application)> = Vec::new();
        for extension in &dialplan.extensions {
            match Dialling::of(&extension.application) {
                Dialling::No => {}
                Dialling::Hidden => {
                    let application = extension.application.name.clone();
                    let fault = CarrierFault::HiddenDial { application };
                    self.problem(CarrierField::DialplanEntry, Some(extension.line), fault);
                }
                Dialling::Plain(dial) | Dialling::Guarded(dial) => dialling.push((extension, dial)),
            }
        }
        let mut dial_lines = Vec::new();
        for (extension, dial) in &dialling {
            if dialling.iter().any(|(other, _)| runs_before(other, extension)) {
                let fault = CarrierFault::SecondDial {
                    extension: extension.extension.clone(),
                };
                self.problem(CarrierField::DialplanEntry, Some(extension.line), fault);
                continue;
            }
            let after = after_dial(extension, &dialplan.extensions);
            match self.read_dial_line(extension, after, &dial.arguments, surroundings) {
                Ok(read) => dial_lines.push(read),
                Err(fault) => self.problem(CarrierField::DialplanEntry, Some(extension.line), fault),
            }
        }
        dial_lines
    }

    fn read_dial_line(
        &mut self,
        extension: &ExtensionLine,
        after: AfterDial,
        arguments: &str,
        surroundings: &Surroundings<'_>,
    ) -> Result<DialLine, CarrierFault> {
        let pattern = &extension.extension;
        pattern.parse::<Pattern>().map_err(|error| CarrierFault::Pattern {
            extension: pattern.clone(),
            error,
        })?;
        let dial = Dial::parse(arguments).map_err(CarrierFault::Dial)?;
        let target = surroundings.target(&dial.targets)?;
        let format = match &target.number {
            NumberExpression::Extension { prefix, strip } => NumberFormat {
                strip: *strip,
                prefix: prefix.clone(),
            },
            NumberExpression::Fixed(number) => return Err(CarrierFault::FixedNumber { number: number.clone() }),
        };
        let lost = match not_honoured(&surroundings.globals.expand(&dial.options)) {
            Ok(lost) if lost.is_empty() => None,
            Ok(lost) => Some(CarrierFault::OptionsNotHonoured {
                options: lost.join(" "),
            }),
            Err(error) => Some(CarrierFault::DialOptions(error)),
        };
        let url = (!dial.url.is_empty()).then(|| CarrierFault::UrlNotHonoured { url: dial.url.clone() });
        for fault in lost.into_iter().chain(url) {
            self.problem(CarrierField::DialplanEntry, Some(extension.line), fault);
        }
        Ok(DialLine {
            line: extension.line,
            target,
            entry: DialEntry {
                pattern: pattern.clone(),
                format,
                options: dial.options,
                after,
            },
        })
    }
}

/// A row's account block with its template.
struct AccountBlock {
    text: String,
    sections: Account,
}

impl Surroundings<'_> {
    /// Reads a target with its globals expanded; a variable that is left is no global of this server.
    fn target(&self, text: &str) -> Result<Target, CarrierFault> {
        Target::parse(&self.globals.expand(text)).map_err(|error| {
            if let TargetError::Variable { name } = &error
                && is_global_name(name)
            {
                return CarrierFault::UnknownGlobal {
                    name: name.clone(),
                    set_by: self.unwritten_globals.get(name).cloned(),
                };
            }
            CarrierFault::Target(error)
        })
    }
}

fn is_global_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether both are of one extension and Asterisk runs `other` first. What it never runs comes last.
fn runs_before(other: &ExtensionLine, line: &ExtensionLine) -> bool {
    let place = |line: &ExtensionLine| (line.step.unwrap_or(u32::MAX), line.line);
    same_extension(other, line) && place(other) < place(line)
}

/// The shape counts, not the spelling.
fn same_extension(left: &ExtensionLine, right: &ExtensionLine) -> bool {
    let pattern = |line: &ExtensionLine| line.extension.parse::<Pattern>().ok();
    left.extension == right.extension
        || pattern(left).is_some_and(|pattern_of_left| Some(pattern_of_left) == pattern(right))
}

/// What the line does that Asterisk runs after `Dial()`: that of the next priority, wherever it stands.
fn after_dial(dial_line: &ExtensionLine, lines: &[ExtensionLine]) -> AfterDial {
    let next_step = dial_line.step.and_then(|step| step.checked_add(1));
    let next = lines
        .iter()
        .find(|line| line.step.is_some() && line.step == next_step && same_extension(line, dial_line));
    match next.is_some_and(|line| line.application.is("Hangup")) {
        true => AfterDial::HangsUp,
        false => AfterDial::GoesOn,
    }
}

const fn technology(driver: ChannelDriver) -> Technology {
    match driver {
        ChannelDriver::Sip => Technology::Sip,
        ChannelDriver::Pjsip => Technology::Pjsip,
        ChannelDriver::Iax2 => Technology::Iax2,
    }
}

/// A target for people.
fn shown(target: &Target) -> String {
    let carrier = Carrier::new("".into(), technology(target.driver), &target.peer);
    format!("{}/{}", carrier.technology, carrier.shown_peer())
}
