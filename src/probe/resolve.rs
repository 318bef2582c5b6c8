//! From a target to the servers behind it, in the order in which they are tried (RFC 3263, RFC 2782).

use std::net::{IpAddr, SocketAddr};

use futures_util::future::BoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;

use super::draws::Draws;
use super::target::ProbeTarget;
use crate::asterisk_conf::Transport;

/// One server of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Lower is tried first.
    pub priority: u16,
    /// Share among those of the same priority.
    pub weight: u16,
    /// Its port.
    pub port: u16,
    /// Its host name.
    pub host: String,
}

/// DNS did not say where a target is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct ResolveError {
    /// The name that was asked for.
    pub name: String,
    /// What the resolver said.
    pub reason: String,
}

impl ResolveError {
    /// A stable word for metrics.
    pub const fn code(&self) -> &'static str {
        "unresolved"
    }
}

/// What the prober asks DNS. Tests bring their own.
pub trait Resolve: Send + Sync {
    /// The SRV records of a name; empty if it has none.
    ///
    /// # Errors
    /// When DNS cannot be asked.
    fn services<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Service>, ResolveError>>;

    /// The addresses of a host.
    ///
    /// # Errors
    /// When it has none or DNS cannot be asked.
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>>;
}

/// The servers that `/etc/resolv.conf` names, with a cache that keeps to the records' time to live.
#[derive(Clone)]
pub struct SystemResolver(TokioResolver);

impl std::fmt::Debug for SystemResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SystemResolver").finish_non_exhaustive()
    }
}

impl SystemResolver {
    /// Reads the system's configuration. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When `/etc/resolv.conf` cannot be read or understood.
    pub fn new() -> Result<Self, ResolveError> {
        let resolver = TokioResolver::builder_tokio().and_then(hickory_resolver::ResolverBuilder::build);
        resolver.map(Self).map_err(|error| failed("/etc/resolv.conf", &error))
    }
}

fn failed(name: &str, error: &impl ToString) -> ResolveError {
    ResolveError {
        name: name.to_owned(),
        reason: error.to_string(),
    }
}

impl Resolve for SystemResolver {
    fn services<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Service>, ResolveError>> {
        Box::pin(async move {
            let lookup = match self.0.srv_lookup(name).await {
                Ok(lookup) => lookup,
                Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
                Err(error) => return Err(failed(name, &error)),
            };
            let services = lookup.answers().iter().filter_map(|record| {
                let RData::SRV(srv) = &record.data else {
                    return None;
                };
                Some(Service {
                    priority: srv.priority,
                    weight: srv.weight,
                    port: srv.port,
                    host: srv.target.to_utf8(),
                })
            });
            Ok(services.collect())
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>> {
        Box::pin(async move {
            let lookup = self.0.lookup_ip(host).await.map_err(|error| failed(host, &error))?;
            Ok(lookup.iter().collect())
        })
    }
}

/// The port where neither the target nor DNS names one (RFC 3261, 19.1.2).
const fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp | Transport::Tcp => 5060,
        Transport::Tls => 5061,
    }
}

/// What stands before the domain in an SRV query (RFC 3263, 4.2).
const fn service(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "_sip._udp.",
        Transport::Tcp => "_sip._tcp.",
        Transport::Tls => "_sips._tcp.",
    }
}

/// The addresses of a target, in the order in which they are tried.
pub(super) async fn servers(
    target: &ProbeTarget,
    resolver: &dyn Resolve,
    draws: &mut Draws,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let default_port = default_port(target.transport);
    if let Ok(address) = target.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, target.port.unwrap_or(default_port))]);
    }
    // A port that is written down means a host, not a domain (RFC 3263, 4.2).
    let services = match target.port {
        Some(_) => Vec::new(),
        None => {
            let name = format!("{}{}", service(target.transport), target.host);
            resolver.services(&name).await?
        }
    };
    if services.is_empty() {
        let addresses = resolver.addresses(&target.host).await?;
        let port = target.port.unwrap_or(default_port);
        return Ok(addresses
            .into_iter()
            .map(|address| SocketAddr::new(address, port))
            .collect());
    }
    let mut servers = Vec::new();
    let mut last_error = None;
    for service in in_order(services, draws) {
        match resolver.addresses(&service.host).await {
            Ok(addresses) => servers.extend(
                addresses
                    .into_iter()
                    .map(|address| SocketAddr::new(address, service.port)),
            ),
            Err(error) => last_error = Some(error),
        }
    }
    match last_error {
        Some(error) if servers.is_empty() => Err(error),
        Some(_) | None => Ok(servers),
    }
}

/// By priority; among the same priority drawn one after the other, each with its share of the weight that is left
/// (RFC 2782).
fn in_order(mut services: Vec<Service>, draws: &mut Draws) -> Vec<Service> {
    // Those without weight first, so that they too have a small chance.
    services.sort_by_key(|service| (service.priority, service.weight));
    let mut ordered = Vec::with_capacity(services.len());
    while let Some(priority) = services.first().map(|service| service.priority) {
        let group = services.partition_point(|service| service.priority == priority);
        let total: u64 = services[..group].iter().map(|service| u64::from(service.weight)).sum();
        let drawn = draws.below(total + 1);
        let mut sum = 0;
        let chosen = services[..group].iter().position(|service| {
            sum += u64::from(service.weight);
            sum >= drawn
        });
        ordered.push(services.remove(chosen.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DNS as a list.
    struct Zone {
        services: Vec<(&'static str, Service)>,
        hosts: Vec<(&'static str, [u8; 4])>,
    }

    impl Resolve for Zone {
        fn services<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Service>, ResolveError>> {
            let found = self.services.iter().filter(|(owner, _)| *owner == name);
            let found = found.map(|(_, service)| service.clone()).collect();
            Box::pin(std::future::ready(Ok(found)))
        }

        fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>> {
            let found = self.hosts.iter().filter(|(owner, _)| *owner == host);
            let found: Vec<IpAddr> = found.map(|(_, address)| IpAddr::from(*address)).collect();
            let answer = if found.is_empty() {
                Err(failed(host, &"no such host"))
            } else {
                Ok(found)
            };
            Box::pin(std::future::ready(answer))
        }
    }

    fn service(priority: u16, weight: u16, port: u16, host: &str) -> Service {
        Service {
            priority,
            weight,
            port,
            host: host.to_owned(),
        }
    }

    fn zone() -> Zone {
        Zone {
            services: vec![
                ("_sip._udp.example.net", service(20, 0, 5062, "c.example.net")),
                ("_sip._udp.example.net", service(10, 90, 5060, "a.example.net")),
                ("_sip._udp.example.net", service(10, 10, 5061, "b.example.net")),
                ("_sip._udp.broken.net", service(10, 10, 5061, "nowhere.example.net")),
            ],
            hosts: vec![
                ("a.example.net", [192, 0, 2, 1]),
                ("b.example.net", [192, 0, 2, 2]),
                ("c.example.net", [192, 0, 2, 3]),
                ("example.net", [192, 0, 2, 9]),
            ],
        }
    }

    async fn found(
        host: &str,
        port: Option<u16>,
        transport: Transport,
        seed: u64,
    ) -> Result<Vec<String>, &'static str> {
        let target = ProbeTarget {
            port,
            transport,
            ..ProbeTarget::new("A".into(), host)
        };
        let servers = servers(&target, &zone(), &mut Draws::new(seed)).await;
        servers
            .map(|servers| servers.iter().map(ToString::to_string).collect())
            .map_err(|error| error.code())
    }

    #[tokio::test]
    async fn srv_records_give_the_order_by_priority_and_weight() {
        let mut first_is_a = 0;
        for seed in 0..1_000 {
            let servers = found("example.net", None, Transport::Udp, seed)
                .await
                .expect("in the zone");
            assert_eq!(servers.len(), 3);
            assert_eq!(servers[2], "192.0.2.3:5062", "the lower priority comes last");
            first_is_a += u32::from(servers[0] == "192.0.2.1:5060");
        }
        assert!((850..950).contains(&first_is_a), "{first_is_a} of 1,000");
    }

    #[tokio::test]
    async fn a_port_an_address_and_a_domain_without_srv_need_no_srv() {
        let udp = Transport::Udp;
        let found_one = |text: &str| Ok(vec![text.to_owned()]);
        assert_eq!(
            found("example.net", Some(5080), udp, 1).await,
            found_one("192.0.2.9:5080")
        );
        assert_eq!(
            found("198.51.100.7", None, udp, 1).await,
            found_one("198.51.100.7:5060")
        );
        assert_eq!(
            found("2001:db8::1", None, Transport::Tls, 1).await,
            found_one("[2001:db8::1]:5061")
        );
        assert_eq!(
            found("example.net", None, Transport::Tcp, 1).await,
            found_one("192.0.2.9:5060")
        );
        assert_eq!(found("broken.net", None, udp, 1).await, Err("unresolved"));
        assert_eq!(found("unknown.net", None, udp, 1).await, Err("unresolved"));
    }
}
