//! Carriers that would fail together: a backup behind the same upstream as its primary is none.

use std::collections::HashMap;
use std::fmt;
use std::net::Ipv4Addr;

use crate::asterisk_conf::Account;
use crate::carrier::CarrierId;
use crate::store::CarrierSettingsRow;

/// Where each carrier's other end is, as far as its row says, and whose network an operator says that it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstreams {
    hosts: HashMap<CarrierId, Vec<String>>,
    groups: HashMap<CarrierId, String>,
}

/// What two carriers share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharedUpstream {
    /// An operator put both into one group.
    Group(String),
    /// Both are at one host.
    Host(String),
    /// Both are in one network of 256 addresses, given by its first.
    Network(Ipv4Addr),
}

impl fmt::Display for SharedUpstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => write!(f, "the upstream group {group}"),
            Self::Host(host) => write!(f, "the host {host}"),
            Self::Network(network) => write!(f, "the network {network}/24"),
        }
    }
}

impl Upstreams {
    /// Reads them from the account blocks and the operator's settings.
    pub(super) fn new(accounts: &HashMap<CarrierId, String>, settings: &[CarrierSettingsRow]) -> Self {
        let hosts = accounts.iter().map(|(id, text)| (id.clone(), hosts_of(text)));
        let groups = settings.iter().filter_map(|row| {
            let group = row.upstream_group.as_deref()?.trim().to_lowercase();
            Some((CarrierId::from(row.carrier_id.as_str()), group))
        });
        Self {
            hosts: hosts.collect(),
            groups: groups.collect(),
        }
    }

    /// The same with a carrier that is not in the tables yet.
    #[must_use]
    pub fn with(mut self, carrier: &CarrierId, account: &str, group: Option<&str>) -> Self {
        self.hosts.insert(carrier.clone(), hosts_of(account));
        if let Some(group) = group {
            self.groups.insert(carrier.clone(), group.trim().to_lowercase());
        }
        self
    }

    /// What two carriers share, the surest sign first. Names are compared as written: nothing is asked of DNS.
    pub fn shared(&self, one: &CarrierId, other: &CarrierId) -> Option<SharedUpstream> {
        if one == other {
            return None;
        }
        let group = self
            .groups
            .get(one)
            .filter(|group| self.groups.get(other) == Some(*group));
        if let Some(group) = group {
            return Some(SharedUpstream::Group(group.clone()));
        }
        let (ours, theirs) = (self.hosts.get(one)?, self.hosts.get(other)?);
        if let Some(host) = ours.iter().find(|host| theirs.contains(host)) {
            return Some(SharedUpstream::Host(host.clone()));
        }
        let networks = |hosts: &[String]| hosts.iter().filter_map(|host| network_of(host)).collect::<Vec<_>>();
        let theirs = networks(theirs);
        let network = networks(ours).into_iter().find(|network| theirs.contains(network));
        network.map(SharedUpstream::Network)
    }

    /// Every other carrier that shares something with one, by carrier.
    pub fn sharing_with(&self, one: &CarrierId) -> Vec<(CarrierId, SharedUpstream)> {
        let others = self.hosts.keys().chain(self.groups.keys());
        let mut sharing: Vec<_> = others
            .filter_map(|other| Some((other.clone(), self.shared(one, other)?)))
            .collect();
        sharing.sort_by(|(left, _), (right, _)| left.cmp(right));
        sharing.dedup_by(|(left, _), (right, _)| left == right);
        sharing
    }
}

/// The hosts of an account block, without scheme, user, port and parameters.
fn hosts_of(account: &str) -> Vec<String> {
    let block = Account::parse(account);
    let hosts = block.hosts().into_iter().map(|text| {
        let text = text.rsplit('@').next().unwrap_or_default();
        let text = text
            .strip_prefix("sips:")
            .or_else(|| text.strip_prefix("sip:"))
            .unwrap_or(text);
        let host = text.split([':', ';', '\\', '/', '>']).next().unwrap_or_default();
        host.trim().to_ascii_lowercase()
    });
    let mut hosts: Vec<String> = hosts.filter(|host| !host.is_empty() && host != "dynamic").collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// The network of 256 addresses that an address is in, by its first. Loopback is everybody's own.
fn network_of(host: &str) -> Option<Ipv4Addr> {
    let address: Ipv4Addr = host.parse().ok()?;
    let [a, b, c, _] = address.octets();
    (!address.is_loopback()).then(|| Ipv4Addr::new(a, b, c, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstreams(carriers: &[(&str, &str, Option<&str>)]) -> Upstreams {
        carriers
            .iter()
            .fold(Upstreams::default(), |upstreams, (id, account, group)| {
                upstreams.with(&CarrierId::from(*id), account, *group)
            })
    }

    #[test]
    fn host_network_and_group_are_found() {
        let upstreams = upstreams(&[
            (
                "A",
                "register => u:p@SIP.one.example\n[a]\ntype = peer\nhost = sip.one.example\nport = 5070",
                None,
            ),
            (
                "B",
                "[b]\ntype = aor\ncontact = sip:sip.ONE.example:5080",
                Some("Big Wholesale"),
            ),
            (
                "C",
                "[c]\ntype = wizard\nremote_hosts = 192.0.2.10:5060,198.51.100.1",
                None,
            ),
            ("D", "[d]\ntype = peer\nhost = 192.0.2.200", Some("big wholesale ")),
            ("E", "[e]\ntype = friend\nhost = dynamic", None),
            ("F", "[f]\ntype = peer\nhost = dynamic", None),
        ]);
        let shared = |one: &str, other: &str| {
            let (one, other) = (CarrierId::from(one), CarrierId::from(other));
            assert_eq!(upstreams.shared(&one, &other), upstreams.shared(&other, &one));
            upstreams.shared(&one, &other).map(|shared| shared.to_string())
        };
        assert_eq!(shared("A", "B").as_deref(), Some("the host sip.one.example"));
        assert_eq!(shared("C", "D").as_deref(), Some("the network 192.0.2.0/24"));
        assert_eq!(shared("B", "D").as_deref(), Some("the upstream group big wholesale"));
        assert_eq!(shared("A", "C"), None);
        assert_eq!(shared("A", "A"), None);
        assert_eq!(shared("E", "F"), None);
        let of_d = upstreams.sharing_with(&CarrierId::from("D"));
        let of_d: Vec<_> = of_d.iter().map(|(carrier, _)| carrier.as_str()).collect();
        assert_eq!(of_d, ["B", "C"]);
    }
}
