//! Whether this host can tell its own address: Asterisk asks for it with every call, and a name that only DNS could
//! resolve makes every call wait for DNS.

use super::Report;

/// Looks at the host's name and `/etc/hosts`.
pub(super) fn check() -> Report {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    findings(
        read("/proc/sys/kernel/hostname").trim(),
        &read("/etc/hosts"),
        &read("/etc/nsswitch.conf"),
    )
}

fn findings(hostname: &str, hosts: &str, name_services: &str) -> Report {
    let mut report = Report::default();
    // Without a name there is nothing to resolve.
    if hostname.is_empty() {
        return report;
    }
    if is_in_hosts(hostname, hosts) || resolves_itself(name_services) {
        report.ok("host", format_args!("{hostname} is known without DNS"));
    } else {
        let advice = format!("add `127.0.1.1 {hostname}` to /etc/hosts");
        let what = format!("its own name {hostname} is not in /etc/hosts: Asterisk asks DNS for it with every call");
        report.warning("host", what, Some(&advice));
    }
    report
}

fn is_in_hosts(hostname: &str, hosts: &str) -> bool {
    hosts.lines().any(|line| {
        let entry = line.split('#').next().unwrap_or_default();
        entry
            .split_whitespace()
            .skip(1)
            .any(|name| name.eq_ignore_ascii_case(hostname))
    })
}

/// systemd's `myhostname` answers for the host's own name.
fn resolves_itself(name_services: &str) -> bool {
    name_services
        .lines()
        .filter_map(|line| line.trim().strip_prefix("hosts:"))
        .any(|services| services.split_whitespace().any(|service| service == "myhostname"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Level;

    #[test]
    fn a_name_that_only_dns_knows_is_a_warning() {
        const NSS: &str = "passwd: files\nhosts: files dns\n";
        let cases = [
            ("dialer1", "127.0.0.1 localhost Dialer1 # vicidial\n", NSS, Level::Ok),
            (
                "dialer1",
                "127.0.0.1 localhost\n#127.0.1.1 dialer1\n",
                NSS,
                Level::Warning,
            ),
            ("dialer1", "127.0.1.1 dialer1.example dialer10\n", NSS, Level::Warning),
            ("dialer1", "dialer1\n", NSS, Level::Warning),
            ("dialer1", "", "hosts: files myhostname dns\n", Level::Ok),
        ];
        for (hostname, hosts, name_services, level) in cases {
            assert_eq!(findings(hostname, hosts, name_services).worst(), level, "{hosts:?}");
        }
        assert!(findings("", "", NSS).findings.is_empty());
    }
}
