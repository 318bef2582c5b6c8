//! E-mail: a notice as a short plain text.

use futures_util::future::BoxFuture;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Mailboxes, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{self, AsyncSmtpTransport};
use lettre::{AsyncTransport, Message, Tokio1Executor, message};
use secrecy::ExposeSecret;

use super::notice::Letter;
use super::outbox::{Channel, SendError};
use super::settings::{MailSettings, MailTls};

/// Sends e-mails.
pub(super) struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Mailboxes,
    target: String,
}

impl Mail {
    /// A way to the mail server; fails where TLS cannot be set up.
    pub(super) fn new(settings: &MailSettings) -> Result<Self, SendError> {
        let parameters =
            || TlsParameters::new(settings.host.clone()).map_err(|error| SendError::Final(error.to_string()));
        let tls = match settings.tls {
            MailTls::Off => Tls::None,
            MailTls::Starttls => Tls::Required(parameters()?),
            MailTls::Tls => Tls::Wrapper(parameters()?),
        };
        // The host's own name would have to be asked for; servers take any well-formed one.
        let hello = ClientId::Domain("crankback".to_owned());
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .hello_name(hello);
        if let Some((user, password)) = &settings.credentials {
            transport = transport.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self {
            transport: transport.build(),
            from: settings.from.clone(),
            to: settings.to.clone(),
            target: format!("{}:{}", settings.host, settings.port),
        })
    }

    fn message(&self, letter: &Letter) -> Result<Message, lettre::error::Error> {
        let builder: MessageBuilder = Message::builder()
            .from(self.from.clone())
            .mailbox(message::header::To::from(self.to.clone()))
            .subject(letter.subject.as_str())
            .header(ContentType::TEXT_PLAIN);
        builder.body(format!("{}\n\n{:#}\n", letter.subject, letter.json))
    }

    async fn mail(&self, letter: &Letter) -> Result<(), SendError> {
        let message = self
            .message(letter)
            .map_err(|error| SendError::Final(error.to_string()))?;
        let sent = self.transport.send(message).await;
        sent.map(drop).map_err(|error| judged(&error))
    }
}

/// A server that says 5xx, or that cannot be spoken to as we were told, will not take it later either.
fn judged(error: &smtp::Error) -> SendError {
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !why.contains(&cause_text) {
            why.push_str(": ");
            why.push_str(&cause_text);
        }
        source = cause.source();
    }
    if error.is_permanent() || error.is_client() {
        SendError::Final(why)
    } else {
        SendError::Passing(why)
    }
}

impl Channel for Mail {
    fn name(&self) -> &'static str {
        "mail"
    }

    fn target(&self) -> String {
        self.target.clone()
    }

    fn send<'a>(&'a self, letter: &'a Letter) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(self.mail(letter))
    }
}
