//! Where a carrier's SIP server is and how it knows us, as its account block says: what a probe needs.

use crate::asterisk_conf::{Account, Section, Transport};
use crate::carrier::{Carrier, Technology};

/// A carrier's SIP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipServer {
    /// A domain, a host name or an IP address (IPv6 without brackets).
    pub host: String,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// The transport.
    pub transport: Transport,
    /// How the carrier knows us.
    pub knows_us_by: KnownBy,
}

/// How a carrier knows whose calls come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBy {
    /// By our IP address: it will take an OPTIONS from any port of ours.
    Address,
    /// By credentials or a registration: an OPTIONS from a port that it does not know may go unanswered.
    Credentials,
}

/// The server of a carrier; `account` is what VICIdial writes into the channel driver's files for it. `None`: it speaks no
/// SIP, it registers with us, or the block does not say where it is.
pub fn sip_server(carrier: &Carrier, account: &str) -> Option<SipServer> {
    let block = Account::parse(account);
    let peer = block.accounts().find(|section| {
        let is_pattern = section.kind().is_some_and(|kind| kind.eq_ignore_ascii_case("aor"));
        section.name == carrier.peer && !is_pattern
    });
    let mut server = match carrier.technology {
        Technology::Iax2 => return None,
        Technology::Sip => match peer {
            Some(peer) => of_peer(peer)?,
            None => parse_host(carrier.peer.rsplit('@').next().unwrap_or_default(), Transport::Udp)?,
        },
        Technology::Pjsip => of_endpoint(&block, &carrier.peer)?,
    };
    if let Some(host) = &carrier.uri_host {
        let stated = parse_host(host, server.transport)?;
        server = SipServer {
            knows_us_by: server.knows_us_by,
            ..stated
        };
    }
    let registers = account.lines().any(|line| line.trim_start().starts_with("register"));
    let sections = || block.accounts();
    let is_true = |value: &str| ["yes", "true", "on", "1"].contains(&value.to_ascii_lowercase().as_str());
    let has = |key: &str| sections().any(|section| section.value(key).is_some_and(|value| !value.is_empty()));
    let says_yes = |key: &str| sections().any(|section| section.value(key).is_some_and(is_true));
    let has_credentials = registers
        || ["secret", "remotesecret", "outbound_auth", "outbound_auth/username"]
            .into_iter()
            .any(has)
        || ["sends_auth", "sends_registrations"].into_iter().any(says_yes)
        || block.first_of_type("registration").is_some();
    if has_credentials {
        server.knows_us_by = KnownBy::Credentials;
    }
    Some(server)
}

/// A peer of `sip.conf`.
fn of_peer(peer: &Section) -> Option<SipServer> {
    let first_transport = peer.value("transport").and_then(|list| list.split(',').next());
    let transport = first_transport.map_or(Transport::Udp, named_transport);
    let mut server = parse_host(peer.value("host")?, transport)?;
    server.port = peer.value("port").and_then(|port| port.parse().ok()).or(server.port);
    Some(server)
}

/// An endpoint of `pjsip.conf` with its aor, or a wizard of `pjsip_wizard.conf`.
fn of_endpoint(block: &Account, peer: &str) -> Option<SipServer> {
    let is_of = |section: &&Section, kind: &str| section.kind().is_some_and(|own| own.eq_ignore_ascii_case(kind));
    let section = |kind: &str, name: &str| {
        let mut sections = block.accounts();
        sections.find(|section| is_of(section, kind) && section.name == name)
    };
    if let Some(wizard) = section("wizard", peer) {
        let transport = wizard.value("endpoint/transport").or_else(|| wizard.value("transport"));
        let host = wizard.value("remote_hosts")?.split(',').next()?;
        return parse_uri(host, transport.map_or(Transport::Udp, named_transport));
    }
    let endpoint = section("endpoint", peer);
    let aors = endpoint.and_then(|endpoint| endpoint.value("aors")).unwrap_or(peer);
    let aor = aors.split(',').find_map(|name| section("aor", name.trim()));
    let transport = endpoint.and_then(|endpoint| endpoint.value("transport"));
    let contact = aor?.value("contact")?.split(',').next()?;
    parse_uri(contact, transport.map_or(Transport::Udp, named_transport))
}

/// A transport by its name in a setting: `tls`, `tcp`, or a section such as `transport-tcp`.
fn named_transport(name: &str) -> Transport {
    let name = name.to_ascii_lowercase();
    if name.contains("tls") {
        Transport::Tls
    } else if name.contains("tcp") {
        Transport::Tcp
    } else {
        Transport::Udp
    }
}

/// `sip:user@host:port;transport=tcp`, or `host:port` alone.
fn parse_uri(uri: &str, transport: Transport) -> Option<SipServer> {
    let uri = uri.trim();
    let (is_secure, rest) = match uri.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sips") => (true, rest),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sip") => (false, rest),
        Some(_) | None => (false, uri),
    };
    let mut parts = rest.split([';', '\\']).map(str::trim).filter(|part| !part.is_empty());
    let address = parts.next()?;
    let named = parts.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.eq_ignore_ascii_case("transport").then_some(value)
    });
    let transport = match named {
        Some(name) => named_transport(name),
        None if is_secure => Transport::Tls,
        None => transport,
    };
    parse_host(address.rsplit('@').next()?, transport)
}

/// `host`, `host:port`, `[2001:db8::1]:port`.
fn parse_host(text: &str, transport: Transport) -> Option<SipServer> {
    let text = text.trim();
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            Some(_) | None => (text, None),
        },
    };
    if host.is_empty() || host.eq_ignore_ascii_case("dynamic") {
        return None;
    }
    Some(SipServer {
        host: host.to_owned(),
        port: port.map(str::parse).transpose().ok()?,
        transport,
        knows_us_by: KnownBy::Address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(technology: Technology, peer: &str, account: &str) -> Option<(String, Option<u16>, Transport, KnownBy)> {
        let carrier = Carrier::new("A".into(), technology, peer);
        let server = sip_server(&carrier, account)?;
        Some((server.host, server.port, server.transport, server.knows_us_by))
    }

    fn at(host: &str, port: Option<u16>) -> Option<(String, Option<u16>, Transport, KnownBy)> {
        Some((host.to_owned(), port, Transport::Udp, KnownBy::Address))
    }

    #[test]
    fn an_endpoint_is_where_its_aor_says() {
        let account = "\n[other]\ntype=aor\ncontact=sip:192.0.2.9\n[t]\ntype=aor\ncontact=sip:u@192.0.2.1:5070\n[t]\n\
                       type=endpoint\naors=t\n";
        assert_eq!(read(Technology::Pjsip, "t", account), at("192.0.2.1", Some(5070)));
        let with = |more: &str| read(Technology::Pjsip, "t", &format!("{account}{more}"));
        assert_eq!(with("outbound_auth=x\n").map(|read| read.3), Some(KnownBy::Credentials));
        assert_eq!(
            with("transport=transport-tls\n").map(|read| read.2),
            Some(Transport::Tls)
        );
        assert_eq!(
            with("[r]\ntype=registration\n").map(|read| read.3),
            Some(KnownBy::Credentials)
        );
        let ipv6 = "[t]\ntype=aor\ncontact=sip:[2001:db8::1]:5060\\;transport=tcp\n";
        assert_eq!(
            read(Technology::Pjsip, "t", ipv6),
            Some(("2001:db8::1".to_owned(), Some(5060), Transport::Tcp, KnownBy::Address))
        );
    }

    #[test]
    fn a_wizard_is_where_its_first_host_is() {
        let account = "[w]\ntype=wizard\nremote_hosts=sip.example.net:5061,192.0.2.1\nsends_auth=no\n";
        assert_eq!(read(Technology::Pjsip, "w", account), at("sip.example.net", Some(5061)));
        let sends = account.replace("sends_auth=no", "sends_auth=yes");
        assert_eq!(
            read(Technology::Pjsip, "w", &sends).map(|read| read.3),
            Some(KnownBy::Credentials)
        );
    }

    #[test]
    fn a_peer_is_its_host_or_is_one() {
        let account = "[p]\ntype=peer\nhost=192.0.2.1\nport=5062\n";
        assert_eq!(read(Technology::Sip, "p", account), at("192.0.2.1", Some(5062)));
        assert_eq!(read(Technology::Sip, "192.0.2.7:5065", ""), at("192.0.2.7", Some(5065)));
        assert_eq!(read(Technology::Sip, "p", "[p]\ntype=friend\nhost=dynamic\n"), None);
        let registers = format!("register => u:s@192.0.2.1\n{account}");
        assert_eq!(
            read(Technology::Sip, "p", &registers).map(|read| read.3),
            Some(KnownBy::Credentials)
        );
        assert_eq!(read(Technology::Iax2, "p", account), None);
    }

    #[test]
    fn the_dial_lines_own_host_counts() {
        let mut carrier = Carrier::new("A".into(), Technology::Pjsip, "t");
        carrier.uri_host = Some("192.0.2.3:5080".into());
        let account = "[t]\ntype=aor\ncontact=sip:192.0.2.1\n";
        let server = sip_server(&carrier, account).expect("its host is known");
        assert_eq!((server.host.as_str(), server.port), ("192.0.2.3", Some(5080)));
    }
}
