//! A certificate that signs itself, and what a server needs to show it.

use std::sync::{Arc, LazyLock};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate with its key.
#[derive(Clone)]
pub struct Certificate {
    /// The certificate, and what trusts it.
    pub der: CertificateDer<'static>,
    /// Certificate and key, as Asterisk reads them from one file.
    pub pem: String,
    acceptor: TlsAcceptor,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Certificate").finish_non_exhaustive()
    }
}

impl Certificate {
    /// The one of 127.0.0.1, the same as long as the process lives: whoever is to trust it is told before it is shown.
    pub fn of_loopback() -> &'static Self {
        static OF_LOOPBACK: LazyLock<Certificate> = LazyLock::new(|| Certificate::of("127.0.0.1"));
        &OF_LOOPBACK
    }

    /// A new one of a host, by name or address.
    pub fn of(host: &str) -> Self {
        let signing_key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new([host.to_owned()]).expect("a host");
        // chan_sip looks for an address in the common name alone.
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, host);
        let certificate = parameters.self_signed(&signing_key).expect("a certificate");
        let der = certificate.der().clone();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("its key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_no_client_auth()
            .with_single_cert(vec![der.clone()], key)
            .expect("a certificate and its key");
        // chan_sip (Asterisk 16) waits for SIP behind a ticket that it reads before it wrote anything, and writes nothing then.
        config.send_tls13_tickets = 0;
        Self {
            der,
            pem: certificate.pem() + &signing_key.serialize_pem(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    /// Shows it to whoever connects.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }
}
