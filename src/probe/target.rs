//! What is probed, how often, and how long an answer may take.

use std::time::Duration;

use crate::asterisk_conf::Transport;
use crate::carrier::CarrierId;

use super::replies::AliveReplies;

/// One carrier to be probed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTarget {
    /// The carrier that the evidence is about.
    pub carrier: CarrierId,
    /// A domain, a host name or an IP address (IPv6 without brackets).
    pub host: String,
    /// The port. `None`: DNS says it with the SRV records of a domain, or it is the transport's default.
    pub port: Option<u16>,
    /// The transport.
    pub transport: Transport,
    /// From one probe to the next, 2 to 300 s; each is moved by up to a tenth.
    pub interval: Duration,
    /// How long one server may take to answer; at most the interval.
    pub timeout: Duration,
    /// The replies that show that it is alive.
    pub alive: AliveReplies,
}

/// A target cannot be probed as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The interval is out of range.
    #[error("carrier {carrier}: a probe every {interval:?}; 2 to 300 s are possible")]
    Interval {
        /// The carrier.
        carrier: CarrierId,
        /// The interval.
        interval: Duration,
    },
    /// The timeout is zero or longer than the interval.
    #[error(
        "carrier {carrier}: a timeout of {timeout:?}; it must be more than 0 and at most the interval of {interval:?}"
    )]
    Timeout {
        /// The carrier.
        carrier: CarrierId,
        /// The timeout.
        timeout: Duration,
        /// The interval.
        interval: Duration,
    },
    /// The host would not stand in a SIP message.
    #[error("carrier {carrier}: {host:?} is no host name and no IP address")]
    Host {
        /// The carrier.
        carrier: CarrierId,
        /// The host.
        host: String,
    },
}

impl TargetError {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Interval { .. } => "probe_interval",
            Self::Timeout { .. } => "probe_timeout",
            Self::Host { .. } => "probe_host",
        }
    }
}

impl ProbeTarget {
    /// The interval where nothing else is set.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
    /// The timeout where nothing else is set.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);
    /// How often a carrier may be probed.
    pub const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(300);

    /// A target with the default interval and timeout, over UDP.
    pub fn new(carrier: CarrierId, host: &str) -> Self {
        Self {
            carrier,
            host: host.to_owned(),
            port: None,
            transport: Transport::Udp,
            interval: Self::DEFAULT_INTERVAL,
            timeout: Self::DEFAULT_TIMEOUT,
            alive: AliveReplies::default(),
        }
    }

    /// Whether it can be probed.
    ///
    /// # Errors
    /// What is out of range.
    pub fn validate(&self) -> Result<(), TargetError> {
        let carrier = || self.carrier.clone();
        if !Self::INTERVALS.contains(&self.interval) {
            return Err(TargetError::Interval {
                carrier: carrier(),
                interval: self.interval,
            });
        }
        if self.timeout.is_zero() || self.timeout > self.interval {
            return Err(TargetError::Timeout {
                carrier: carrier(),
                timeout: self.timeout,
                interval: self.interval,
            });
        }
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        if self.host.is_empty() || !self.host.chars().all(is_host) {
            return Err(TargetError::Host {
                carrier: carrier(),
                host: self.host.clone(),
            });
        }
        Ok(())
    }

    /// The host as it stands in a URI: IPv6 in brackets, the port where it was given.
    pub(super) fn uri_host(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        match self.port {
            Some(port) => format!("{host}:{port}"),
            None => host,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_looked_at_before_it_is_probed() {
        let target = ProbeTarget::new("A".into(), "sip.example.net");
        assert_eq!(target.validate(), Ok(()));
        let with = |change: fn(&mut ProbeTarget)| {
            let mut target = target.clone();
            change(&mut target);
            target.validate().map_err(|error| error.code())
        };
        assert_eq!(with(|t| t.interval = Duration::from_secs(1)), Err("probe_interval"));
        assert_eq!(with(|t| t.interval = Duration::from_secs(301)), Err("probe_interval"));
        assert_eq!(with(|t| t.timeout = Duration::from_secs(11)), Err("probe_timeout"));
        assert_eq!(with(|t| t.timeout = Duration::ZERO), Err("probe_timeout"));
        assert_eq!(with(|t| t.host = "a b\r\nEvil: 1".to_owned()), Err("probe_host"));
        assert_eq!(with(|t| t.host = "2001:db8::1".to_owned()), Ok(()));
    }
}
