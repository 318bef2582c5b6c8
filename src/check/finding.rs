//! One thing that was looked at, and the list of all.

use std::fmt;

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    #[default]
    Ok,
    /// It works, and could work better.
    Advice,
    /// Calls go through, but not as they should: no failover for some of them, or native dialling.
    Warning,
    /// Needs a person before crankback can work.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at: `config`, `store`, `carrier PRIMARY`, `route 3`, `ari`, `http.conf`.
    pub subject: String,
    /// What was seen.
    pub what: String,
    /// What to do about it; `None` where nothing is to be done, or where `what` says it already.
    pub advice: Option<String>,
}

impl fmt::Display for Finding {
    /// The subject once: what is wrong with a carrier or a route often begins with its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.what.starts_with(&self.subject) {
            write!(f, "{}: ", self.subject)?;
        }
        f.write_str(&self.what)?;
        match &self.advice {
            Some(advice) => write!(f, "; {advice}"),
            None => Ok(()),
        }
    }
}

/// Everything that was looked at, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
}

impl Report {
    /// The worst level among the findings.
    pub fn worst(&self) -> Level {
        self.findings
            .iter()
            .map(|finding| finding.level)
            .max()
            .unwrap_or_default()
    }

    pub(crate) fn ok(&mut self, subject: impl Into<String>, what: impl fmt::Display) {
        self.push(Level::Ok, subject.into(), &what, None);
    }

    pub(crate) fn advise(&mut self, subject: impl Into<String>, what: impl fmt::Display, advice: &str) {
        self.push(Level::Advice, subject.into(), &what, Some(advice));
    }

    pub(crate) fn warning(&mut self, subject: impl Into<String>, what: impl fmt::Display, advice: Option<&str>) {
        self.push(Level::Warning, subject.into(), &what, advice);
    }

    pub(crate) fn error(&mut self, subject: impl Into<String>, what: impl fmt::Display, advice: Option<&str>) {
        self.push(Level::Error, subject.into(), &what, advice);
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.findings.extend(other.findings);
    }

    fn push(&mut self, level: Level, subject: String, what: &dyn fmt::Display, advice: Option<&str>) {
        self.findings.push(Finding {
            level,
            subject,
            what: what.to_string(),
            advice: advice.map(str::to_owned),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_counts() {
        let mut report = Report::default();
        assert_eq!(report.worst(), Level::Ok);
        report.error("ari", "refused", None);
        report.warning("http.conf", "small", None);
        report.ok("config", "complete");
        assert_eq!(report.worst(), Level::Error);
    }

    #[test]
    fn a_subject_is_said_once() {
        let mut report = Report::default();
        report.warning("route 3", "route 3: no such carrier", Some("remove it"));
        report.warning("http.conf", "sessionlimit is 100", None);
        let texts: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            ["route 3: no such carrier; remove it", "http.conf: sessionlimit is 100"]
        );
    }
}
