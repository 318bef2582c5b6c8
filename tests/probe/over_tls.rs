//! Probes over TLS, against a carrier with a certificate of its own authority.

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::sip::Certificate;
use super::*;

/// A carrier that answers every request over TLS with 200, in two pieces.
async fn start(name: &str) -> (SocketAddr, CertificateDer<'static>, tokio::task::JoinHandle<()>) {
    let certificate = Certificate::of(name);
    let acceptor = certificate.acceptor();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = vec![0; 4_096];
            let length = stream.read(&mut request).await.expect("a request");
            let request = String::from_utf8_lossy(&request[..length]);
            assert!(request.contains("\r\nVia: SIP/2.0/TLS "), "{request}");
            let response = request.replacen("OPTIONS", "SIP/2.0 200 OK\r\nX-Request: OPTIONS", 1);
            let (first, second) = response.split_at(40);
            for piece in [first, second] {
                stream.write_all(piece.as_bytes()).await.expect("it is sent");
                stream.flush().await.expect("it is sent");
            }
        }
    });
    (address, certificate.der, task)
}

#[tokio::test]
async fn a_carrier_with_a_trusted_certificate_is_alive_and_another_one_is_not_reached() {
    let (address, certificate, carrier) = start("sip.example.net").await;
    let target = |host: &str| ProbeTarget {
        port: Some(address.port()),
        transport: Transport::Tls,
        ..ProbeTarget::new("A".into(), host)
    };
    let names = || Names {
        services: Vec::new(),
        hosts: ["sip.example.net", "other.example.net"]
            .map(|host| (host.to_owned(), address.ip()))
            .into(),
    };
    let trusting = ProbeTools {
        tls: client_config(&[certificate]).expect("it is trusted"),
        ..tools(names())
    };
    let found = probe(&target("sip.example.net"), &trusting, 1).await;
    assert_eq!(
        (found.report(), found.outcome.code()),
        (Report::Alive, "answered"),
        "{found:?}"
    );
    let wrong_name = probe(&target("other.example.net"), &trusting, 1).await;
    assert_eq!(wrong_name.outcome.code(), "unreachable", "{wrong_name:?}");
    let untrusted = probe(&target("sip.example.net"), &tools(names()), 1).await;
    assert_eq!(untrusted.outcome.code(), "unreachable", "{untrusted:?}");
    carrier.abort();
}

#[tokio::test]
async fn a_fake_carrier_speaks_tls() {
    let certificate = Certificate::of_loopback();
    let carrier = FakeCarrier::start_with_tls("TLS", certificate)
        .await
        .expect("it starts");
    let target = ProbeTarget {
        port: Some(carrier.addr().port()),
        transport: Transport::Tls,
        ..ProbeTarget::new("A".into(), "127.0.0.1")
    };
    let trusting = ProbeTools {
        tls: client_config(std::slice::from_ref(&certificate.der)).expect("it is trusted"),
        ..tools(Names::default())
    };
    let found = probe(&target, &trusting, 1).await;
    assert_eq!(found.report(), Report::Alive, "{found:?}");
    let stats = carrier.stats();
    assert_eq!(
        (stats.options, stats.outside_by_stream, stats.options_over_tcp),
        (1, 1, 0)
    );
}
