//! Carriers with several servers behind one domain.

use super::*;

fn service(priority: u16, weight: u16, carrier: SocketAddr) -> (String, Service) {
    let service = Service {
        priority,
        weight,
        port: carrier.port(),
        host: "server.example.net".to_owned(),
    };
    ("_sip._udp.example.net".to_owned(), service)
}

fn names(services: Vec<(String, Service)>) -> Names {
    Names {
        services,
        hosts: vec![("server.example.net".to_owned(), IpAddr::from([127, 0, 0, 1]))],
    }
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_is_not_alive() {
    let down = FakeCarrier::closed_port().await.expect("a free port");
    let sick = FakeCarrier::start("sick").await.expect("a free port");
    sick.set_options_reply(Reply::Code(503));
    let (well, spare) = (
        FakeCarrier::start("well").await.expect("a free port"),
        FakeCarrier::start("spare").await.expect("a free port"),
    );
    let names = names(vec![
        service(4, 0, spare.addr()),
        service(1, 10, down),
        service(3, 0, well.addr()),
        service(2, 10, sick.addr()),
    ]);
    let evidence = probe(&ProbeTarget::new("A".into(), "example.net"), &tools(names), 1).await;
    assert_eq!(evidence.report(), Report::Alive);
    let asked: Vec<_> = evidence
        .servers
        .iter()
        .map(|(server, outcome)| (*server, outcome.code()))
        .collect();
    assert_eq!(
        asked,
        [
            (down, "unreachable"),
            (sick.addr(), "unavailable"),
            (well.addr(), "answered")
        ]
    );
    assert_eq!(spare.stats().options, 0, "one that is alive is enough");
}

#[tokio::test]
async fn a_carrier_whose_servers_are_all_sick_says_so() {
    let down = FakeCarrier::closed_port().await.expect("a free port");
    let sick = FakeCarrier::start("sick").await.expect("a free port");
    sick.set_options_reply(Reply::Code(503));
    let names = names(vec![service(1, 0, sick.addr()), service(2, 0, down)]);
    let evidence = probe(&ProbeTarget::new("A".into(), "example.net"), &tools(names), 1).await;
    assert_eq!(
        (evidence.report(), evidence.outcome.code()),
        (Report::Unavailable, "unavailable")
    );
}

#[tokio::test]
async fn a_domain_that_dns_does_not_know_is_no_answer() {
    let evidence = probe(
        &ProbeTarget::new("A".into(), "nowhere.example.net"),
        &tools(Names::default()),
        1,
    )
    .await;
    assert_eq!(
        (evidence.report(), evidence.outcome.code()),
        (Report::Unanswered, "unresolved")
    );
}
