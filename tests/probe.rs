//! The prober against fake carriers, over real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/sip/mod.rs"]
mod sip;

#[path = "probe/over_tls.rs"]
mod over_tls;
#[path = "probe/servers.rs"]
mod servers;
#[path = "probe/watching.rs"]
mod watching;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crankback::asterisk_conf::Transport;
use crankback::health::Report;
use crankback::probe::{Outcome, ProbeTarget, ProbeTools, Resolve, ResolveError, Service, client_config, probe};
use futures_util::future::BoxFuture;
use sip::{FakeCarrier, Reply};

/// Names that a test made up: services by SRV name, addresses by host name.
#[derive(Default)]
struct Names {
    services: Vec<(String, Service)>,
    hosts: Vec<(String, IpAddr)>,
}

impl Resolve for Names {
    fn services<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<Service>, ResolveError>> {
        let found = self.services.iter().filter(|(owner, _)| owner == name);
        let found = found.map(|(_, service)| service.clone()).collect();
        Box::pin(std::future::ready(Ok(found)))
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>> {
        let found = self.hosts.iter().filter(|(owner, _)| owner == host);
        let found = found.map(|(_, address)| *address).collect();
        Box::pin(std::future::ready(Ok(found)))
    }
}

fn tools(names: Names) -> ProbeTools {
    ProbeTools {
        resolver: Arc::new(names),
        tls: client_config(&[]).expect("TLS is set up"),
    }
}

fn target(server: SocketAddr, transport: Transport) -> ProbeTarget {
    ProbeTarget {
        port: Some(server.port()),
        transport,
        ..ProbeTarget::new("A".into(), &server.ip().to_string())
    }
}

/// What a probe of this carrier finds, and its metrics word.
async fn found(carrier: &FakeCarrier, transport: Transport) -> (Report, &'static str) {
    let evidence = probe(&target(carrier.addr(), transport), &tools(Names::default()), 1).await;
    assert_eq!(evidence.carrier, "A".into());
    (evidence.report(), evidence.outcome.code())
}

#[tokio::test]
async fn any_response_but_503_means_alive() {
    let carrier = FakeCarrier::start("probed").await.expect("a free port");
    for transport in [Transport::Udp, Transport::Tcp] {
        for code in [200, 404, 405, 483, 500, 603] {
            carrier.set_options_reply(Reply::Code(code));
            assert_eq!(
                found(&carrier, transport).await,
                (Report::Alive, "answered"),
                "{code} over {transport:?}"
            );
        }
        carrier.set_options_reply(Reply::Code(503));
        assert_eq!(
            found(&carrier, transport).await,
            (Report::Unavailable, "unavailable"),
            "over {transport:?}"
        );
    }
    assert_eq!(carrier.stats().options, 14, "one request a probe");
}

#[tokio::test]
async fn which_responses_mean_alive_can_be_chosen() {
    let carrier = FakeCarrier::start("probed").await.expect("a free port");
    for transport in [Transport::Udp, Transport::Tcp] {
        for (alive, code, expected) in [
            ("2xx,404", 200, Report::Alive),
            ("2xx,404", 404, Report::Alive),
            ("2xx,404", 405, Report::Unavailable),
            ("!503,!404", 404, Report::Unavailable),
            ("!404", 503, Report::Alive),
        ] {
            carrier.set_options_reply(Reply::Code(code));
            let target = ProbeTarget {
                alive: alive.parse().expect("a list of codes"),
                ..target(carrier.addr(), transport)
            };
            let evidence = probe(&target, &tools(Names::default()), 1).await;
            assert_eq!(evidence.report(), expected, "{code} with {alive} over {transport:?}");
        }
    }
}

#[tokio::test]
async fn the_round_trip_is_measured() {
    let carrier = FakeCarrier::start("probed").await.expect("a free port");
    let evidence = probe(&target(carrier.addr(), Transport::Udp), &tools(Names::default()), 1).await;
    let Outcome::Answered { code, round_trip } = evidence.outcome else {
        panic!("not answered: {evidence:?}")
    };
    assert_eq!(code, 200);
    assert!(
        round_trip > Duration::ZERO && round_trip < Duration::from_secs(1),
        "{round_trip:?}"
    );
}

#[tokio::test]
async fn a_silent_carrier_is_asked_again_over_udp_and_once_over_tcp() {
    let carrier = FakeCarrier::start("silent").await.expect("a free port");
    carrier.set_options_reply(Reply::Silence);
    let (over_udp, over_tcp) = tokio::join!(found(&carrier, Transport::Udp), found(&carrier, Transport::Tcp));
    assert_eq!(over_udp, (Report::Unanswered, "unanswered"));
    assert_eq!(over_tcp, (Report::Unanswered, "unanswered"));
    assert_eq!(
        carrier.stats().options,
        4,
        "at 0, 0.5 and 1.5 s over UDP, once over TCP"
    );
}

#[tokio::test]
async fn nobody_listening_is_known_at_once() {
    let closed = FakeCarrier::closed_port().await.expect("a free port");
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        let began = std::time::Instant::now();
        let evidence = probe(&target(closed, transport), &tools(Names::default()), 1).await;
        assert_eq!(evidence.report(), Report::Unanswered, "over {transport:?}");
        assert_eq!(evidence.outcome.code(), "unreachable", "over {transport:?}");
        assert!(began.elapsed() < Duration::from_secs(1), "over {transport:?}");
    }
}

#[tokio::test]
async fn a_response_to_another_request_does_not_count() {
    let server = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
    let address = server.local_addr().expect("it is bound");
    let carrier = tokio::spawn(async move {
        let mut datagram = vec![0; 4_096];
        let mut requests = Vec::new();
        for copy in 0..2 {
            let (length, from) = server.recv_from(&mut datagram).await.expect("a request");
            let request = String::from_utf8_lossy(&datagram[..length]).into_owned();
            let ours = request.replacen("OPTIONS", "SIP/2.0 200 OK\r\nX-Request: OPTIONS", 1);
            let other = ours.replace("branch=z9hG4bK", "branch=z9hG4bKlate");
            let stale = ours.replace("Call-ID: ", "Call-ID: late");
            let trying = ours.replacen("SIP/2.0 200 OK", "SIP/2.0 100 Trying", 1);
            for reply in [other, stale, trying] {
                server.send_to(reply.as_bytes(), from).await.expect("it is sent");
            }
            if copy == 1 {
                let not_found = ours.replacen("SIP/2.0 200 OK", "SIP/2.0 404 Not Found", 1);
                server.send_to(not_found.as_bytes(), from).await.expect("it is sent");
            }
            requests.push(request);
        }
        requests
    });
    let evidence = probe(&target(address, Transport::Udp), &tools(Names::default()), 1).await;
    let Outcome::Answered { code, round_trip } = evidence.outcome else {
        panic!("not answered: {evidence:?}")
    };
    assert_eq!(code, 404);
    assert!(
        round_trip >= Duration::from_millis(450),
        "{round_trip:?}: only the copy was answered"
    );
    let requests = carrier.await.expect("the carrier saw both");
    assert_eq!(requests[0], requests[1], "a retransmission is the same request");
}
