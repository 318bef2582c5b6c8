//! A trunk as sections and settings.

use super::{AccountStyle, Authorisation, Login, Transport, Trunk, TrunkHost};
use crate::asterisk_conf::{Account, Section, Setting};

/// How often Asterisk asks whether the other end is there, in seconds. It is what finds a dead trunk before a call does, so it
/// is more frequent than Asterisk's own 60 of `chan_sip`, and stays far from what carriers take for an attack.
const QUALIFY_SECONDS: &str = "15";
/// How long a registration holds, in seconds.
const EXPIRATION_SECONDS: &str = "300";

/// Sections as they are added; line numbers follow.
struct Block {
    account: Account,
    line: usize,
}

impl Block {
    const fn new() -> Self {
        let account = Account {
            sections: Vec::new(),
            errors: Vec::new(),
        };
        Self { account, line: 0 }
    }

    fn section<'a>(&mut self, name: &str, settings: impl IntoIterator<Item = (&'a str, String)>) {
        self.line += 1;
        let header = self.line;
        let settings = settings.into_iter().map(|(key, value)| {
            self.line += 1;
            Setting {
                line: self.line,
                key: key.to_owned(),
                value,
            }
        });
        let settings = settings.collect();
        self.account.sections.push(Section {
            name: name.to_owned(),
            line: header,
            is_template: false,
            bases: Vec::new(),
            settings,
            inherited: Vec::new(),
        });
    }
}

type Settings<'a> = Vec<(&'a str, String)>;

impl Trunk {
    /// The account block. [`Trunk::check`] says whether Asterisk reads from it what was meant.
    pub fn account(&self) -> Account {
        match self.style {
            AccountStyle::Pjsip => self.pjsip(),
            AccountStyle::PjsipWizard => self.wizard(),
            AccountStyle::Sip => self.sip(),
            AccountStyle::Iax2 => self.iax2(),
        }
    }

    /// The `register =>` line; PJSIP has a section for that.
    pub fn registration(&self) -> Option<String> {
        let Authorisation::Registration(Login { user, password }) = &self.authorisation else {
            return None;
        };
        let host = &self.host;
        match self.style {
            AccountStyle::Pjsip | AccountStyle::PjsipWizard => None,
            AccountStyle::Sip => {
                let transport = self.transport.as_str();
                Some(format!("register => {transport}://{user}:{password}@{host}"))
            }
            AccountStyle::Iax2 => Some(format!("register => {user}:{password}@{host}")),
        }
    }

    fn pjsip(&self) -> Account {
        let name = self.name.as_str();
        let mut block = Block::new();
        let aor: Settings<'_> = match &self.host {
            TrunkHost::At { .. } => vec![("contact", format!("sip:{}", self.host))],
            TrunkHost::Dynamic => vec![("max_contacts", "1".into()), ("remove_existing", "yes".into())],
        };
        let qualify = ("qualify_frequency", QUALIFY_SECONDS.to_owned());
        block.section(name, of_type("aor").chain(aor).chain([qualify]));
        let endpoint = of_type("endpoint").chain(self.pjsip_endpoint());
        let auth = match &self.host {
            TrunkHost::At { .. } => "outbound_auth",
            TrunkHost::Dynamic => "auth",
        };
        let login = self.login().map(|_| (auth, name.to_owned()));
        block.section(name, endpoint.chain([("aors", name.to_owned())]).chain(login));
        if let Some(Login { user, password }) = self.login() {
            let settings = [
                ("auth_type", "userpass".into()),
                ("username", user.clone()),
                ("password", password.clone()),
            ];
            block.section(name, of_type("auth").chain(settings));
        }
        if let TrunkHost::At { host, .. } = &self.host {
            let settings = [("endpoint", name.to_owned()), ("match", host.clone())];
            block.section(name, of_type("identify").chain(settings));
        }
        if let Authorisation::Registration(login) = &self.authorisation {
            let settings = [
                ("server_uri", format!("sip:{}", self.host)),
                ("client_uri", format!("sip:{}@{}", login.user, self.host)),
                ("outbound_auth", name.to_owned()),
                ("contact_user", login.user.clone()),
            ];
            let settings = of_type("registration").chain(settings).chain(self.pjsip_transport());
            block.section(
                name,
                settings.chain(REGISTRATION.map(|(key, value)| (key, value.to_owned()))),
            );
        }
        block.account
    }

    fn wizard(&self) -> Account {
        let yes_or_no = |flag: bool| if flag { "yes" } else { "no" }.to_owned();
        let is_dynamic = self.host == TrunkHost::Dynamic;
        let registers = matches!(self.authorisation, Authorisation::Registration(_));
        let has_login = self.login().is_some();
        let mut settings: Vec<(String, String)> = Vec::new();
        let mut put = |key: &str, value: String| settings.push((key.to_owned(), value));
        put("type", "wizard".into());
        if !is_dynamic {
            put("remote_hosts", self.host.to_string());
        }
        put("sends_registrations", yes_or_no(registers));
        put("accepts_registrations", yes_or_no(is_dynamic));
        put("sends_auth", yes_or_no(has_login && !is_dynamic));
        put("accepts_auth", yes_or_no(has_login && is_dynamic));
        if let Some(Login { user, password }) = self.login() {
            let direction = if is_dynamic { "inbound_auth" } else { "outbound_auth" };
            put(&format!("{direction}/username"), user.clone());
            put(&format!("{direction}/password"), password.clone());
        }
        put("aor/qualify_frequency", QUALIFY_SECONDS.to_owned());
        if is_dynamic {
            put("aor/max_contacts", "1".into());
            put("aor/remove_existing", "yes".into());
        }
        for (key, value) in self.pjsip_endpoint() {
            put(&format!("endpoint/{key}"), value);
        }
        if let Authorisation::Registration(login) = &self.authorisation {
            put("registration/contact_user", login.user.clone());
            for (key, value) in self.pjsip_transport() {
                put(&format!("registration/{key}"), value);
            }
            // The wizard sets endpoint and outbound_auth itself.
            for (key, value) in REGISTRATION {
                put(&format!("registration/{key}"), value.to_owned());
            }
        }
        let mut block = Block::new();
        let settings = settings.iter().map(|(key, value)| (key.as_str(), value.clone()));
        block.section(&self.name, settings);
        block.account
    }

    fn pjsip_endpoint(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let settings = [
            ("direct_media", "no"),
            ("rtp_symmetric", "yes"),
            ("rewrite_contact", "no"),
            ("send_pai", "yes"),
        ];
        let fixed = settings.into_iter().map(|(key, value)| (key, value.to_owned()));
        self.context_and_codecs().chain(self.pjsip_transport()).chain(fixed)
    }

    /// The name of a transport section. It is enough: Asterisk 16 and 22 send calls, registrations and their own OPTIONS by it, and
    /// need no `;transport=tcp` in URIs, which VICIdial's screen would break.
    fn pjsip_transport(&self) -> impl Iterator<Item = (&'static str, String)> + use<> {
        self.named_transport().map(|section| ("transport", section)).into_iter()
    }

    /// The transport's section, where one is named.
    pub(super) fn named_transport(&self) -> Option<String> {
        let usual = match self.transport {
            Transport::Udp => None,
            Transport::Tcp => Some("transport-tcp"),
            Transport::Tls => Some("transport-tls"),
        };
        self.transport_section.clone().or(usual.map(str::to_owned))
    }

    fn sip(&self) -> Account {
        let mut settings = of_type("peer").collect::<Settings<'_>>();
        settings.extend(self.host_and_port());
        settings.push(("transport", self.transport.as_str().to_owned()));
        settings.push(("insecure", "port,invite".into()));
        match (&self.host, self.login()) {
            (_, None) => {}
            (TrunkHost::At { .. }, Some(Login { user, password })) => {
                settings.push(("defaultuser", user.clone()));
                settings.push(("remotesecret", password.clone()));
            }
            (TrunkHost::Dynamic, Some(Login { user, password })) => {
                settings.push(("defaultuser", user.clone()));
                settings.push(("secret", password.clone()));
            }
        }
        settings.extend(self.context_and_codecs());
        let fixed = [
            ("directmedia", "no"),
            ("dtmfmode", "rfc2833"),
            ("sendrpid", "pai"),
            ("trustrpid", "no"),
            ("qualify", "yes"),
            ("qualifyfreq", QUALIFY_SECONDS),
        ];
        settings.extend(fixed.map(|(key, value)| (key, value.to_owned())));
        let mut block = Block::new();
        block.section(&self.name, settings);
        block.account
    }

    fn iax2(&self) -> Account {
        let mut settings = of_type("peer").collect::<Settings<'_>>();
        settings.extend(self.host_and_port());
        if let Some(Login { user, password }) = self.login() {
            settings.push(("username", user.clone()));
            settings.push(("secret", password.clone()));
            settings.push(("auth", "md5".into()));
        }
        settings.extend(self.context_and_codecs());
        let fixed = [("transfer", "no"), ("trunk", "no"), ("qualify", "yes")];
        settings.extend(fixed.map(|(key, value)| (key, value.to_owned())));
        let mut block = Block::new();
        block.section(&self.name, settings);
        block.account
    }

    fn host_and_port(&self) -> Settings<'static> {
        match &self.host {
            TrunkHost::Dynamic => vec![("host", "dynamic".into())],
            TrunkHost::At { host, port } => {
                let port = port.map(|port| ("port", port.to_string()));
                [("host", host.clone())].into_iter().chain(port).collect()
            }
        }
    }

    fn context_and_codecs(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let first = [("context", self.context.clone()), ("disallow", "all".to_owned())];
        first
            .into_iter()
            .chain(self.codecs.iter().map(|codec| ("allow", codec.clone())))
    }

    const fn login(&self) -> Option<&Login> {
        match &self.authorisation {
            Authorisation::Address => None,
            Authorisation::Login(login) | Authorisation::Registration(login) => Some(login),
        }
    }
}

/// A registration that is refused or unanswered is tried again for as long as the trunk is there: left alone, Asterisk gives up
/// after ten attempts, and at once after a refusal.
const REGISTRATION: [(&str, &str); 5] = [
    ("expiration", EXPIRATION_SECONDS),
    ("retry_interval", "20"),
    ("forbidden_retry_interval", "60"),
    ("fatal_retry_interval", "60"),
    ("max_retries", "10000"),
];

fn of_type(kind: &str) -> impl Iterator<Item = (&'static str, String)> + use<> {
    [("type", kind.to_owned())].into_iter()
}
