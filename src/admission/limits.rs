//! What a carrier allows, and the part of it that is this dialer's.

use std::net::Ipv4Addr;

/// What a carrier allows us. `None` is no limit, 0 is no call at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarrierLimits {
    /// Legs at the same time.
    pub max_channels: Option<u32>,
    /// New legs in any one second.
    pub max_calls_per_second: Option<u32>,
}

impl CarrierLimits {
    /// Whether anything is limited. The retry budget stands in where nothing is.
    pub const fn is_unlimited(&self) -> bool {
        self.max_channels.is_none() && self.max_calls_per_second.is_none()
    }

    /// The part of one dialer among those that use the carrier.
    pub fn share(&self, own: Ipv4Addr, active: &[Ipv4Addr]) -> Self {
        let part = |limit| share_of_limit(limit, own, active);
        Self {
            max_channels: self.max_channels.map(part),
            max_calls_per_second: self.max_calls_per_second.map(part),
        }
    }
}

/// A limit divided among the active dialers that use the carrier; what does not divide goes to the lowest `server_ip`. A
/// dialer that is not in the list counts itself in. The parts of dialers that see the same list add up to the limit.
pub fn share_of_limit(limit: u32, own: Ipv4Addr, active: &[Ipv4Addr]) -> u32 {
    let mut servers: Vec<Ipv4Addr> = active.iter().copied().chain([own]).collect();
    servers.sort_unstable();
    servers.dedup();
    let count = u32::try_from(servers.len()).unwrap_or(u32::MAX);
    let rest = if servers.first() == Some(&own) {
        limit % count
    } else {
        0
    };
    limit / count + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(192, 0, 2, last)
    }

    #[test]
    fn the_parts_add_up_and_the_rest_goes_to_the_lowest_address() {
        for count in 1..=7_u8 {
            let servers: Vec<_> = (1..=count).rev().map(server).collect();
            for limit in [0, 1, 2, 5, 30, 1_000] {
                let parts: Vec<_> = servers
                    .iter()
                    .map(|own| share_of_limit(limit, *own, &servers))
                    .collect();
                assert_eq!(parts.iter().sum::<u32>(), limit, "{limit} among {count}");
                assert_eq!(parts.iter().max(), parts.last(), "{limit} among {count}");
            }
        }
        assert_eq!(share_of_limit(10, server(10), &[server(9), server(20), server(9)]), 3);
        assert_eq!(share_of_limit(10, server(9), &[server(10), server(20)]), 4);
        assert_eq!(share_of_limit(10, server(9), &[]), 10);
    }

    #[test]
    fn no_limit_has_no_parts() {
        let limits = CarrierLimits {
            max_channels: Some(5),
            max_calls_per_second: None,
        };
        let share = limits.share(server(1), &[server(1), server(2)]);
        assert_eq!((share.max_channels, share.max_calls_per_second), (Some(3), None));
        assert!(!limits.is_unlimited() && CarrierLimits::default().is_unlimited());
    }
}
