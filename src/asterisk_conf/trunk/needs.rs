//! What a trunk needs outside of its account block.

use super::{AccountStyle, Transport, Trunk, TrunkHost};

impl Trunk {
    /// What must stand elsewhere, or be done by the other end, before the block carries a call; for people.
    pub fn needs(&self) -> Vec<String> {
        self.transport_needs().into_iter().chain(self.host_needs()).collect()
    }

    fn transport_needs(&self) -> Option<String> {
        let protocol = self.transport.as_str();
        match self.style {
            AccountStyle::Pjsip | AccountStyle::PjsipWizard => {
                let section = self.named_transport()?;
                let certificate = match self.transport {
                    Transport::Udp | Transport::Tcp => "",
                    Transport::Tls => {
                        ", method = tlsv1_2, cert_file and priv_key_file; with ca_list_file and verify_server = yes it checks the \
                         carrier's certificate"
                    }
                };
                Some(format!(
                    "pjsip.conf needs the transport [{section}]: type = transport, protocol = {protocol}, bind = 0.0.0.0{certificate}. \
                     Without it calls go out over UDP. Asterisk 16 takes a new transport in only when it starts"
                ))
            }
            AccountStyle::Sip => match self.transport {
                Transport::Udp => None,
                Transport::Tcp => Some("sip.conf needs tcpenable = yes in [general]; without it calls go out over UDP".to_owned()),
                Transport::Tls => Some(
                    "sip.conf needs tlsenable = yes in [general], with tlscertfile; and tlscafile, by which it checks the \
                     carrier's certificate, or tlsdontverifyserver = yes; without it calls go out over UDP"
                        .to_owned(),
                ),
            },
            AccountStyle::Iax2 => None,
        }
    }

    fn host_needs(&self) -> Option<String> {
        (self.host == TrunkHost::Dynamic).then(|| {
            format!(
                "nothing can be sent to it before it has registered: it must register here as {}, with this password",
                self.name
            )
        })
    }
}
