//! `crankback carrier add`: a carrier from a description, shown first, then written.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::DeserializeOwned;

use crate::asterisk_conf::{AccountStyle, Transport};
use crate::config::Settings;
use crate::control::{self, AddOutcome, CarrierAdd, CarrierAddView, CarrierKind, Password, Query};

use super::super::ask;
use super::super::error::CliError;
use super::super::output::{Answer, effect};

pub(in crate::cli) const HELP: &str = "Without --yes nothing is written: what would be is shown. The carrier is staged: Asterisk gets its account within a \
minute or two, no route goes to it. A test call that is answered makes it active.

Examples:
  crankback carrier add SECOND --type sip_trunk --host sip.second.example
  crankback carrier add SECOND --type sip_trunk --host 198.51.100.7:5062 --codec ulaw --codec alaw --prefix +
  crankback carrier add SECOND --type register_trunk --host sip.second.example --user 5551000 --password-file /root/second.password
  crankback carrier add SECOND --type sip_trunk --host 198.51.100.7 --protocol SIP --pattern _81NXXNXXXXXX --strip 1
  crankback carrier add SECOND --type sip_trunk --host sip.second.example --transport tcp
  crankback carrier add SECOND --type sip_trunk --host dynamic --user SECOND
  crankback carrier add SECOND --type iax2 --host iax.second.example --user dialer
  crankback carrier add SECOND --type register_trunk --protocol IAX2 --host iax.second.example --user dialer
  crankback carrier test SECOND --number 13125550100";

#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// Its id on the Carriers screen, and the name of its account in Asterisk
    id: String,
    /// What it is: sip_trunk knows us by our address or a login, with register_trunk we register
    #[arg(long = "type", value_name = "TYPE", value_parser = word::<CarrierKind>(&["sip_trunk", "register_trunk", "iax2"]))]
    kind: CarrierKind,
    /// Where it is: a name or IPv4 address, with :port where it is not the usual one; dynamic: it registers with us
    #[arg(long, value_name = "HOST[:PORT]")]
    host: String,
    /// What carries its signalling
    #[arg(long, default_value = "udp", value_name = "TRANSPORT", value_parser = word::<Transport>(&["udp", "tcp", "tls"]))]
    transport: Transport,
    /// The section of pjsip.conf that is this transport [default: transport-tcp, transport-tls; for udp any]
    #[arg(long, value_name = "SECTION")]
    transport_section: Option<String>,
    /// The account that it knows us by; without one it knows our address. With --host dynamic it is the id: the name that it
    /// registers here under
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// A file whose first line is the password, - for standard input; without it you are asked
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// A codec, the best first; may be repeated [default: ulaw]
    #[arg(long = "codec", value_name = "CODEC")]
    codecs: Vec<String>,
    /// Drop so many characters from the front: of the dialled extension with --pattern, else of phone code + number
    #[arg(long, value_name = "CHARACTERS")]
    strip: Option<u32>,
    /// Put this before what is left
    #[arg(long, value_name = "DIGITS")]
    prefix: Option<String>,
    /// Extensions that shall be dialled through it; a backup needs none
    #[arg(long, value_name = "PATTERN")]
    pattern: Option<String>,
    /// The protocol on the Carriers screen [default: PJSIP, or IAX2 with --type iax2]
    #[arg(long, value_name = "PROTOCOL", value_parser = word::<AccountStyle>(&["PJSIP", "PJSIP_WIZ", "SIP", "IAX2"]))]
    protocol: Option<AccountStyle>,
    /// The context of calls that it sends, for example trunkinbound [default: one in which nothing can be dialled]
    #[arg(long, value_name = "CONTEXT")]
    context: Option<String>,
    /// For every dialer of the cluster (server 0.0.0.0)
    #[arg(long)]
    all_servers: bool,
    /// Whose network it is really: carriers of one group are no backups of each other
    #[arg(long, value_name = "NAME")]
    upstream_group: Option<String>,
    /// Write it
    #[arg(long)]
    yes: bool,
}

/// A word that the wire knows by the same name.
fn word<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    words: &'static [&'static str],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words).try_map(|word| serde_json::from_value(serde_json::Value::String(word)))
}

impl Add {
    fn wanted(self) -> Result<CarrierAdd, CliError> {
        let password = match (&self.user, &self.password_file) {
            (None, _) => None,
            (Some(_), Some(file)) => Some(password_in(file)?),
            (Some(user), None) => Some(ask_for_password(user)?),
        };
        Ok(CarrierAdd {
            id: self.id,
            kind: self.kind,
            host: self.host,
            transport: self.transport,
            transport_section: self.transport_section,
            user: self.user,
            password: password.map(Password::from),
            codecs: self.codecs,
            strip: self.strip,
            prefix: self.prefix,
            pattern: self.pattern,
            protocol: self.protocol,
            context: self.context,
            all_servers: self.all_servers,
            upstream_group: self.upstream_group,
        })
    }
}

fn password_in(file: &PathBuf) -> Result<String, CliError> {
    let fault = |error| CliError::PasswordFile {
        path: file.clone(),
        error,
    };
    if file.as_os_str() == "-" {
        return first_line_of_input().map_err(fault);
    }
    let text = std::fs::read_to_string(file).map_err(fault)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Asks on the terminal, without showing what is typed.
fn ask_for_password(user: &str) -> Result<String, CliError> {
    if !io::stdin().is_terminal() {
        return Err(CliError::NoPassword);
    }
    eprint!("Password of {user}: ");
    let _it_is_asked_all_the_same = io::stderr().flush();
    let is_hidden = echo("-echo");
    let line = first_line_of_input();
    if is_hidden {
        echo("echo");
        eprintln!();
    }
    line.map_err(|error| CliError::PasswordFile {
        path: "-".into(),
        error,
    })
}

/// Lets the terminal show what is typed, or not.
fn echo(mode: &str) -> bool {
    let mut stty = Process::new("stty");
    stty.arg(mode).stdin(Stdio::inherit()).stderr(Stdio::null());
    stty.status().is_ok_and(|status| status.success())
}

fn first_line_of_input() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

pub(in crate::cli) async fn perform(arguments: Add, settings: &Settings) -> Result<Answer, CliError> {
    let is_written = arguments.yes;
    let wanted = arguments.wanted()?;
    let view: CarrierAddView = match is_written {
        true => ask::command(settings, control::Command::CarrierAdd(wanted)).await?,
        false => ask::query(settings, Query::CarrierAdd(wanted)).await?,
    };
    Ok(Answer::new(&view, text(&view)))
}

fn text(view: &CarrierAddView) -> String {
    let (id, row) = (&view.id, &view.row);
    let mut text = format!(
        "carrier {id}: protocol {}, server {}, active Y\n",
        row.protocol, row.server_ip
    );
    let columns = [
        ("registration string", &row.registration_string),
        ("account entry", &row.account_entry),
        ("dialplan entry", &row.dialplan_entry),
    ];
    for (name, value) in columns {
        if value.is_empty() {
            text.push_str(&format!("{name}: none\n"));
            continue;
        }
        text.push_str(&format!("{name}:\n"));
        for line in value.lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text.push_str(&format!("set beside it: {}\n", view.settings.join(" ")));
    for warning in &view.warnings {
        text.push_str(&format!("WARNING: {warning}\n"));
    }
    text.push_str(&match view.outcome {
        AddOutcome::Shown => "nothing is written yet: the same with --yes writes it".to_owned(),
        AddOutcome::Written(from_when) => format!(
            "written, staged{}; when Asterisk has it (a minute or two): crankback carrier test {id} --number NUMBER",
            effect(from_when)
        ),
        AddOutcome::AlreadyThere => "there already, exactly so: nothing to do".to_owned(),
    });
    text
}
