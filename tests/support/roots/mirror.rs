//! The Debian mirror that this machine's apt already uses: the one most likely to be reachable.

use std::fs;
use std::path::PathBuf;

const DEFAULT: &str = "http://deb.debian.org/debian";

/// The first Debian mirror in apt's source lists, else Debian's own.
pub fn of_this_machine() -> String {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    files.sort();
    files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .find_map(|text| first_debian_mirror(&text))
        .unwrap_or_else(|| DEFAULT.to_owned())
}

/// Both styles at once: `deb [options] URI suite component…` and the field `URIs: URI…`.
fn first_debian_mirror(sources: &str) -> Option<String> {
    sources
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with("deb ") || line.starts_with("URIs:"))
        .flat_map(str::split_whitespace)
        // Security and third-party archives have other last segments; Ubuntu's archive has no `sid`.
        .find(|word| word.contains("://") && word.trim_end_matches('/').ends_with("/debian"))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #[allow(unused_imports, reason = "a test target without the test harness drops the tests")]
    use super::first_debian_mirror;

    #[test]
    fn reads_both_styles_and_skips_other_archives() {
        let one_line = "# deb http://commented.example/debian sid main\n\
                        deb http://security.debian.org/debian-security bookworm-security main\n\
                        deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian/ bookworm main\n";
        assert_eq!(
            first_debian_mirror(one_line).as_deref(),
            Some("http://mirror.example/debian/")
        );

        let fields = "Types: deb\n# http://snapshot.example/archive/debian\nURIs: https://deb.debian.org/debian\nSuites: bookworm\n";
        assert_eq!(
            first_debian_mirror(fields).as_deref(),
            Some("https://deb.debian.org/debian")
        );

        assert_eq!(
            first_debian_mirror("deb http://archive.ubuntu.com/ubuntu noble main\n"),
            None
        );
    }
}
