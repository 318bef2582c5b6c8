//! Registrations: the account that Asterisk registers with a carrier, as its configuration writes it.

use super::account::{Account, Section};
use super::comment::blank_comments;

/// Who registers where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegisteredAccount {
    /// The user.
    pub user: String,
    /// The carrier's host without port, in small letters.
    pub host: String,
}

impl RegisteredAccount {
    /// Reads the `register =>` lines of `sip.conf` and `iax.conf`; others are passed over.
    ///
    /// Asterisk 16, `sip.conf.sample`: `register => [peer?][transport://]user[@domain][:secret[:authuser]]@host[:port][/extension][~expiry]`.
    pub fn of_register_lines(text: &str) -> Vec<Self> {
        let text = blank_comments(text);
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let values = lines.filter_map(|(key, value)| {
            let is_register = key.trim().eq_ignore_ascii_case("register");
            is_register.then(|| value.strip_prefix('>').unwrap_or(value).trim())
        });
        values.filter_map(Self::of_register_value).collect()
    }

    fn of_register_value(value: &str) -> Option<Self> {
        let value = value.split_once('?').map_or(value, |(_, rest)| rest);
        let value = value.split_once("://").map_or(value, |(_, rest)| rest);
        let (account, host) = value.rsplit_once('@')?;
        Self::new(account, host)
    }

    /// Reads the registrations of `pjsip.conf` (`type=registration`) and `pjsip_wizard.conf` (`sends_registrations=yes`).
    pub fn of_sections(account: &Account) -> Vec<Self> {
        account.accounts().flat_map(Self::of_section).collect()
    }

    fn of_section(section: &Section) -> Vec<Self> {
        match section.kind() {
            Some(kind) if kind.eq_ignore_ascii_case("registration") => {
                let uris = section.value("client_uri").zip(section.value("server_uri"));
                uris.and_then(|(client, server)| Self::of_uris(client, server))
                    .into_iter()
                    .collect()
            }
            Some(kind) if kind.eq_ignore_ascii_case("wizard") && is_yes(section.value("sends_registrations")) => {
                let user = section.value("outbound_auth/username").unwrap_or_default();
                let hosts = section.value("remote_hosts").unwrap_or_default();
                hosts
                    .split(',')
                    .filter_map(|host| Self::new(user, host.trim()))
                    .collect()
            }
            Some(_) | None => Vec::new(),
        }
    }

    /// The account of PJSIP's `client_uri` (`sip:user@host`) and `server_uri` (`sip:host:port`).
    pub fn of_uris(client: &str, server: &str) -> Option<Self> {
        let (user, _) = without_scheme(client).split_once('@')?;
        Self::new(user, without_scheme(server))
    }

    /// `account` may have `:secret` or `@domain` behind the user, `host` a port, an extension or parameters. `None` when one of
    /// them is empty.
    pub fn new(account: &str, host: &str) -> Option<Self> {
        let user = account.split([':', '@', ';']).next().unwrap_or_default();
        let host = host.split([':', '/', '~', ';', '?']).next().unwrap_or_default().trim();
        (!user.is_empty() && !host.is_empty()).then(|| Self {
            user: user.to_owned(),
            host: host.to_ascii_lowercase(),
        })
    }
}

/// Asterisk's words for true: `ast_true`.
fn is_yes(value: Option<&str>) -> bool {
    value.is_some_and(|value| {
        let words = ["yes", "true", "y", "t", "1", "on"];
        words.iter().any(|word| value.eq_ignore_ascii_case(word))
    })
}

/// A SIP URI from its user on: `"Name" <sip:user@host>` and `sips:user@host` become `user@host`. Configuration files write
/// a semicolon as `\;`.
fn without_scheme(uri: &str) -> &str {
    let uri = uri.split_once('<').map_or(uri, |(_, rest)| rest);
    let uri = uri.split(['>', '\\']).next().unwrap_or_default().trim();
    uri.strip_prefix("sips:")
        .or_else(|| uri.strip_prefix("sip:"))
        .unwrap_or(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(user: &str, host: &str) -> RegisteredAccount {
        RegisteredAccount {
            user: user.into(),
            host: host.into(),
        }
    }

    #[test]
    fn a_register_line_names_user_and_host() {
        let read = |line| RegisteredAccount::of_register_lines(line);
        for line in [
            "register => acct:secret@SIP.example",
            "register=acct@sip.example:5080/3125550100",
            "register => trunk?tcp://acct@dom.example:se@cret:authuser@sip.example:5061/in~300 ; comment",
        ] {
            assert_eq!(read(line), [account("acct", "sip.example")], "{line}");
        }
        assert!(read("; register => a:b@c\nregistertimeout = 20\nregister => nobody").is_empty());
    }

    #[test]
    fn sections_of_pjsip_name_user_and_host() {
        let read = |text: &str| RegisteredAccount::of_sections(&Account::parse(text));
        let registration = "[reg]\ntype = registration\nserver_uri = sip:SIP.example:5061\\;transport=tcp\n\
                            client_uri = sip:acct@dom.example\n[reg]\ntype=endpoint\n";
        assert_eq!(read(registration), [account("acct", "sip.example")]);
        let wizard = "[wiz]\ntype = wizard\nsends_registrations = yes\nremote_hosts = a.example:5060, b.example\n\
                      outbound_auth/username = acct\n";
        assert_eq!(
            read(wizard),
            [account("acct", "a.example"), account("acct", "b.example")]
        );
        assert!(read(&wizard.replace("= yes", "= no")).is_empty());
        assert!(read("[reg]\ntype = registration\nserver_uri = sip:a.example\n").is_empty());
    }
}
