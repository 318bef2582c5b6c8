//! Whom a probe over TLS trusts.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

/// TLS cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("TLS for probes cannot be set up: {0}")]
pub struct TlsError(String);

impl TlsError {
    /// A stable word for metrics.
    pub const fn code(&self) -> &'static str {
        "probe_tls"
    }
}

/// Trusts what the system trusts, and the certificates given (a carrier's own authority). Certificates of the system that
/// cannot be read are left out.
///
/// # Errors
/// When a certificate that was given is none, or there is no cipher to use.
pub fn client_config(more: &[CertificateDer<'static>]) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in more {
        roots
            .add(certificate.clone())
            .map_err(|error| TlsError(error.to_string()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
