//! The settings of each room, with their defaults.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::ami::Login;
use crate::ari::{self, Credentials, Endpoint};
use crate::health::HealthSettings;
use crate::notify::NotifySettings;
use crate::probe::{AliveReplies, ProbeTarget};
use crate::store::StoreUrl;

/// Everything that the configuration decides, one struct a room.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database.
    pub store: StoreSettings,
    /// Which dialer this is.
    pub server: ServerSettings,
    /// Asterisk's REST interface.
    pub ari: AriSettings,
    /// Asterisk's manager interface, where it is to be asked.
    pub ami: AmiSettings,
    /// The FastAGI server.
    pub agi: AgiSettings,
    /// Who places the legs of which calls.
    pub engine: EngineSettings,
    /// How a call is carried.
    pub call: CallSettings,
    /// How attempts go on record.
    pub attempts: AttemptsSettings,
    /// How operators reach the running daemon.
    pub control: ControlSettings,
    /// Who is told what happens to carriers.
    pub notify: NotifySettings,
    /// When carriers are passed over.
    pub health: HealthConfig,
    /// OPTIONS of our own to carriers.
    pub probe: ProbeSettings,
    /// Numbers for machines that watch.
    pub metrics: MetricsSettings,
    /// What is logged.
    pub log: LogSettings,
}

/// `[store]`: the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSettings {
    /// `url`: where the tables are, with the password of `url`, `password` or the first line of `password_file`.
    pub url: StoreUrl,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            url: StoreUrl::sqlite("/var/lib/crankback/crankback.db"),
        }
    }
}

/// `[server]`: which dialer this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// This dialer's `server_ip` in VICIdial: carriers of other servers are not read.
    pub ip: Ipv4Addr,
    /// Tells the dialers of one database apart, 0 to 99: two digits of every leg's channel id.
    pub number: u8,
}

impl ServerSettings {
    /// The greatest `number`.
    pub const MAXIMUM_NUMBER: u8 = 99;
}

/// `[ari]`: Asterisk's REST interface.
#[derive(Clone, Debug)]
pub struct AriSettings {
    /// `url`: where Asterisk's HTTP server listens.
    pub endpoint: Endpoint,
    /// `username`, with `password` or the first line of `password_file`.
    pub credentials: Credentials,
    /// The Stasis application that the dialplan names. One daemon, one name.
    pub app: String,
}

impl AriSettings {
    /// The default of `url`.
    pub const DEFAULT_URL: &str = "http://127.0.0.1:8088";
    /// The default of `app`.
    pub const DEFAULT_APP: &str = "crankback";

    /// The application through which the FastAGI engine watches the legs of `Dial()`. Each process has its own, so that one
    /// that is being replaced can watch its last calls.
    pub fn watching_app(&self) -> String {
        format!("{}-agi-{}", self.app, std::process::id())
    }

    /// The application that hears what Asterisk's qualify finds. Always the same name: a daemon that takes over goes on with its
    /// subscriptions.
    pub fn qualify_app(&self) -> String {
        format!("{}-watch", self.app)
    }

    /// What the ARI client needs, with its default limits.
    ///
    /// # Errors
    /// When `app` is no application name; settings that were loaded have a good one.
    pub fn connection(&self) -> Result<ari::Config, ari::ConfigError> {
        self.connection_as(&self.app)
    }

    /// The same for another application.
    ///
    /// # Errors
    /// When `app` is no application name.
    pub fn connection_as(&self, app: &str) -> Result<ari::Config, ari::ConfigError> {
        ari::Config::new(self.endpoint.clone(), self.credentials.clone(), app)
    }
}

/// `[ami]`: Asterisk's manager interface, which alone tells whether Asterisk's registrations stand.
#[derive(Clone, Debug)]
pub struct AmiSettings {
    /// `address`, `username`, and `password` or the first line of `password_file`; `None` without a username: nobody asks.
    pub login: Option<Login>,
}

impl AmiSettings {
    /// The default of `address`.
    pub const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5038);
}

/// `[agi]`: the FastAGI server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgiSettings {
    /// Where it listens, and where the dialplan is sent.
    pub listen: SocketAddr,
    /// Calls at once; one more is dialled natively.
    pub max_sessions: u32,
}

impl Default for AgiSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4573)),
            max_sessions: 2_000,
        }
    }
}

/// `[call]`: how a call is carried.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallSettings {
    /// `guard_ms`: nothing at all came back from a carrier for so long: move on.
    #[serde(rename = "guard_ms", deserialize_with = "milliseconds")]
    pub guard: Duration,
    /// `progress_ms`: a carrier that said 100 Trying neither rings nor sends media for so long: move on.
    #[serde(rename = "progress_ms", deserialize_with = "milliseconds")]
    pub progress: Duration,
    /// `default_time_left_s`: what a call may take when the dialer told no limit.
    #[serde(rename = "default_time_left_s", deserialize_with = "seconds")]
    pub default_time_left: Duration,
    /// `safety_margin_ms`: taken off the dialer's limit, so that we end before it does.
    #[serde(rename = "safety_margin_ms", deserialize_with = "milliseconds")]
    pub safety_margin: Duration,
    /// `minimum_attempt_ms`: with less time left than this no further attempt starts.
    #[serde(rename = "minimum_attempt_ms", deserialize_with = "milliseconds")]
    pub minimum_attempt: Duration,
    /// `setup_s`: all attempts together may take so long until one rings; whatever is out then is the last.
    #[serde(rename = "setup_s", deserialize_with = "seconds")]
    pub setup: Duration,
    /// Attempts that one call may make, the first and repaired ones included.
    pub max_attempts: u8,
    /// Whether media before the answer reaches the caller.
    pub early_media: EarlyMedia,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            guard: Duration::from_secs(4),
            progress: Duration::from_secs(12),
            default_time_left: Duration::from_secs(30),
            safety_margin: Duration::from_secs(1),
            minimum_attempt: Duration::from_secs(6),
            setup: Duration::from_secs(20),
            max_attempts: 3,
            early_media: EarlyMedia::Auto,
        }
    }
}

/// `[engine]`: who places the legs of which calls. A carrier's own setting goes before it for calls that enter by its dialplan
/// line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSettings {
    /// Of all calls that no other key is for.
    pub default: Engine,
    /// Of calls that an agent dials (VICIdial's M): a talk of an hour must outlive a restart of the daemon.
    pub manual: Engine,
    /// Of an agent's three-way calls and transfers (VICIdial's DC).
    pub three_way: Engine,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            default: Engine::Stasis,
            manual: Engine::Agi,
            three_way: Engine::Agi,
        }
    }
}

/// Who places the legs of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// ARI: the caller enters our Stasis application.
    Stasis,
    /// FastAGI: Asterisk's own `Dial()`, one attempt after the other.
    Agi,
}

impl Engine {
    /// One word, the same in the configuration, in the store and in the dialplan.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stasis => "stasis",
            Self::Agi => "agi",
        }
    }

    /// The engine of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Stasis, Self::Agi]
            .into_iter()
            .find(|engine| engine.as_str() == word)
    }
}

/// Whether media before the answer reaches the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarlyMedia {
    /// Where the caller can hear it.
    Auto,
    /// Never.
    Never,
}

/// `[attempts]`: how attempts go on record.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttemptsSettings {
    /// The directory that holds attempts until the store has them; an absolute path.
    pub spool: PathBuf,
}

impl Default for AttemptsSettings {
    fn default() -> Self {
        Self {
            spool: PathBuf::from("/var/lib/crankback/spool"),
        }
    }
}

/// `[control]`: how operators reach the running daemon.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ControlSettings {
    /// The unix socket; an absolute path.
    pub socket: PathBuf,
}

impl Default for ControlSettings {
    fn default() -> Self {
        Self {
            socket: PathBuf::from("/run/crankback/control.sock"),
        }
    }
}

/// `[health]`: when carriers are passed over, and how they come back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthConfig {
    /// Whether calls follow the states of carriers.
    pub steering: Steering,
    /// `window_s`: how far back failed calls count.
    #[serde(rename = "window_s", deserialize_with = "seconds")]
    pub window: Duration,
    /// Share of failed calls in the window at which a carrier counts as failed.
    pub open_at_percent: u8,
    /// `first_back_off_s`: a carrier that failed is left alone for so long; doubled each time that it fails again.
    #[serde(rename = "first_back_off_s", deserialize_with = "seconds")]
    pub first_back_off: Duration,
    /// `longest_back_off_s`: the longest of these.
    #[serde(rename = "longest_back_off_s", deserialize_with = "seconds")]
    pub longest_back_off: Duration,
    /// `trial_interval_s`: after that, one trial call in so long.
    #[serde(rename = "trial_interval_s", deserialize_with = "seconds")]
    pub trial_interval: Duration,
}

impl Default for HealthConfig {
    fn default() -> Self {
        let health = HealthSettings::default();
        Self {
            steering: Steering::Acts,
            window: health.window,
            open_at_percent: 50,
            first_back_off: health.first_back_off,
            longest_back_off: health.longest_back_off,
            trial_interval: health.trial_interval,
        }
    }
}

impl HealthConfig {
    /// What the board of carriers goes by.
    pub fn settings(&self) -> HealthSettings {
        HealthSettings {
            window: self.window,
            shed_from: f64::from(self.open_at_percent) / 200.0,
            open_at: f64::from(self.open_at_percent) / 100.0,
            first_back_off: self.first_back_off,
            longest_back_off: self.longest_back_off,
            trial_interval: self.trial_interval,
            ..HealthSettings::default()
        }
    }
}

/// Whether calls follow the states of carriers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steering {
    /// Calls go where health sends them.
    #[default]
    Acts,
    /// States are kept and shown, and calls go as if every carrier were well. The operator's word holds all the same.
    Watches,
}

/// `[probe]`: OPTIONS of our own, to carriers that know us by our IP address and take SIP over UDP, and to those that an
/// operator wants probed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeSettings {
    /// Whether any are sent.
    pub options: OwnOptions,
    /// `interval_s`: from one to the next.
    #[serde(rename = "interval_s", deserialize_with = "seconds")]
    pub interval: Duration,
    /// `timeout_ms`: no answer for so long is none.
    #[serde(rename = "timeout_ms", deserialize_with = "milliseconds")]
    pub timeout: Duration,
    /// Which replies show that a carrier is alive.
    pub alive: AliveReplies,
}

impl Default for ProbeSettings {
    fn default() -> Self {
        Self {
            options: OwnOptions::On,
            interval: ProbeTarget::DEFAULT_INTERVAL,
            timeout: ProbeTarget::DEFAULT_TIMEOUT,
            alive: AliveReplies::default(),
        }
    }
}

/// Whether OPTIONS of our own are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnOptions {
    /// To every carrier that they fit.
    On,
    /// To none but those that an operator wants probed.
    Off,
}

impl OwnOptions {
    /// The word in the configuration, in the store and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }

    /// The choice of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::On, Self::Off].into_iter().find(|choice| choice.as_str() == word)
    }
}

/// `[metrics]`: numbers for machines that watch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSettings {
    /// Where `GET /metrics` is answered.
    pub listen: Listen,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        Self {
            listen: Listen::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 8780))),
        }
    }
}

/// An address to listen at, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// There.
    At(SocketAddr),
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At).map_err(|_| {
            let complaint = format!("{text:?} is no address with a port, such as \"127.0.0.1:8780\", and not \"off\"");
            serde::de::Error::custom(complaint)
        })
    }
}

/// `[log]`: what is logged, to standard error.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// One line of text or one JSON object an event.
    pub format: LogFormat,
    /// The least important level that is written.
    pub level: LogLevel,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: LogLevel::Info,
        }
    }
}

/// The shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one object a line.
    Json,
}

/// The least important level that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Something failed and a person should look.
    Error,
    /// Something is not as it should be; the daemon copes.
    Warn,
    /// What happened, one line a call or less.
    Info,
    /// Every decision.
    Debug,
    /// Every message.
    Trace,
}

fn milliseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u32::deserialize(deserializer).map(|value| Duration::from_millis(value.into()))
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u32::deserialize(deserializer).map(|value| Duration::from_secs(value.into()))
}
