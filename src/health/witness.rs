//! Witnesses: what probes say of a carrier, with hysteresis both ways.

use std::time::Instant;

use super::settings::HealthSettings;
use super::state::Because;

/// Who reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Witness {
    /// Our own OPTIONS.
    OwnProbe,
    /// Asterisk's qualify. Report what Asterisk holds each time that it is asked, not only its changes: the hysteresis counts
    /// reports.
    Qualify,
    /// Asterisk's registration with the carrier, reported like its qualify.
    Registration,
}

impl Witness {
    /// What it means when this witness calls the carrier down.
    const fn finding(self) -> Because {
        match self {
            Self::OwnProbe => Because::ProbeUnavailable,
            Self::Qualify => Because::AsteriskCannotReach,
            Self::Registration => Because::NotRegistered,
        }
    }
}

/// What a witness saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Alive: any SIP response but 503; reachable; registered.
    Alive,
    /// 503; unreachable; not registered.
    Unavailable,
    /// No response in time. From our own probes alone this never changes a state: many carriers answer no OPTIONS from a
    /// port that they do not know.
    Unanswered,
}

/// The reports of one witness.
#[derive(Clone, Copy, Debug, Default)]
struct Testimony {
    good_row: u32,
    bad_row: u32,
    unavailable: u32,
    /// So many bad reports in a row, of whatever kind, and not so many good ones since.
    is_failing: bool,
    /// So many `Unavailable` without `Alive` between them, and not so many good ones since.
    is_down: bool,
    last_answer: Option<Instant>,
    reports: u32,
}

impl Testimony {
    fn take(&mut self, report: Report, now: Instant, settings: &HealthSettings) {
        self.reports = self.reports.saturating_add(1);
        match report {
            Report::Alive => {
                self.good_row += 1;
                self.bad_row = 0;
                self.unavailable = 0;
                self.last_answer = Some(now);
                if self.good_row >= settings.reports_to_rise {
                    self.is_failing = false;
                    self.is_down = false;
                }
            }
            Report::Unavailable => {
                self.unavailable += 1;
                self.last_answer = Some(now);
                self.bad();
            }
            Report::Unanswered => self.bad(),
        }
        self.is_failing |= self.bad_row >= settings.reports_to_fall;
        self.is_down |= self.unavailable >= settings.reports_to_fall;
    }

    const fn bad(&mut self) {
        self.good_row = 0;
        self.bad_row += 1;
    }
}

/// All witnesses of one carrier.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Witnesses {
    own_probe: Testimony,
    qualify: Testimony,
    registration: Testimony,
    /// A witness that called the carrier down before a restart, and until when that holds without word from it.
    on_record: Option<(Witness, Instant)>,
}

impl Witnesses {
    /// What was on record before a restart holds until the witness has spoken for itself, and no longer than `until`.
    pub(super) fn restore(&mut self, because: &Because, until: Instant) {
        let witness = [Witness::OwnProbe, Witness::Qualify, Witness::Registration]
            .into_iter()
            .find(|witness| witness.finding() == *because);
        self.on_record = witness.map(|witness| (witness, until));
    }

    pub(super) fn take(&mut self, witness: Witness, report: Report, now: Instant, settings: &HealthSettings) {
        // Asterisk asks and waits itself: that it got no response is its finding that it cannot reach the carrier.
        let report = match (witness, report) {
            (Witness::Qualify | Witness::Registration, Report::Unanswered) => Report::Unavailable,
            (Witness::OwnProbe | Witness::Qualify | Witness::Registration, report) => report,
        };
        let testimony = match witness {
            Witness::OwnProbe => &mut self.own_probe,
            Witness::Qualify => &mut self.qualify,
            Witness::Registration => &mut self.registration,
        };
        testimony.take(report, now, settings);
        if testimony.reports >= settings.reports_to_fall.max(settings.reports_to_rise)
            && self.on_record.is_some_and(|(on_record, _)| on_record == witness)
        {
            self.on_record = None;
        }
    }

    /// Why the carrier is down, if a witness says so whose word counts.
    pub(super) fn down(&self, now: Instant) -> Option<Because> {
        let on_record = self.on_record.filter(|(_, until)| now < *until);
        let testimonies = [
            (Witness::Qualify, &self.qualify),
            (Witness::Registration, &self.registration),
            (Witness::OwnProbe, &self.own_probe),
        ];
        testimonies
            .into_iter()
            .find(|(witness, testimony)| {
                testimony.is_down || on_record.is_some_and(|(recorded, _)| recorded == *witness)
            })
            .map(|(witness, _)| witness.finding())
    }

    /// Whether a trial call could only fail: Asterisk would refuse it, or a carrier that answers OPTIONS does not now.
    pub(super) fn hold_trials(&self, now: Instant, settings: &HealthSettings) -> bool {
        let answers_options = self
            .own_probe
            .last_answer
            .is_some_and(|answer| now.saturating_duration_since(answer) <= settings.answers_options_for);
        self.down(now).is_some() || (answers_options && self.own_probe.is_failing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn witnesses(reports: &[(Witness, Report)], at: Instant) -> Witnesses {
        let mut witnesses = Witnesses::default();
        for (witness, report) in reports {
            witnesses.take(*witness, *report, at, &HealthSettings::default());
        }
        witnesses
    }

    #[test]
    fn two_reports_are_needed_both_ways() {
        use Report::{Alive, Unavailable};
        let now = Instant::now();
        let own = |reports: &[Report]| {
            let reports: Vec<_> = reports.iter().map(|report| (Witness::OwnProbe, *report)).collect();
            witnesses(&reports, now).down(now)
        };
        let down = Some(Because::ProbeUnavailable);
        assert_eq!(own(&[Unavailable]), None);
        assert_eq!(own(&[Unavailable, Alive, Unavailable]), None);
        assert_eq!(own(&[Unavailable, Unavailable]), down);
        assert_eq!(own(&[Unavailable, Report::Unanswered, Unavailable]), down);
        assert_eq!(own(&[Unavailable, Unavailable, Alive]), down);
        assert_eq!(own(&[Unavailable, Unavailable, Alive, Unavailable, Alive]), down);
        assert_eq!(own(&[Unavailable, Unavailable, Alive, Alive]), None);
    }

    #[test]
    fn silence_towards_our_own_probes_says_nothing_but_asterisks_finding_does() {
        let now = Instant::now();
        let silent = |witness| witnesses(&[(witness, Report::Unanswered); 9], now).down(now);
        assert_eq!(silent(Witness::OwnProbe), None);
        assert_eq!(silent(Witness::Qualify), Some(Because::AsteriskCannotReach));
        assert_eq!(silent(Witness::Registration), Some(Because::NotRegistered));
    }

    #[test]
    fn trials_wait_for_the_probes_of_a_carrier_that_answers_them() {
        let settings = HealthSettings::default();
        let now = Instant::now();
        let never_answered = [(Witness::OwnProbe, Report::Unanswered); 3];
        assert!(!witnesses(&never_answered, now).hold_trials(now, &settings));
        let mut answered_once = vec![(Witness::OwnProbe, Report::Alive)];
        answered_once.extend(never_answered);
        let holding = witnesses(&answered_once, now);
        assert!(holding.hold_trials(now, &settings));
        let much_later = now + settings.answers_options_for + Duration::from_secs(1);
        assert!(!holding.hold_trials(much_later, &settings), "it may answer no longer");
        answered_once.extend([(Witness::OwnProbe, Report::Alive); 2]);
        assert!(!witnesses(&answered_once, now).hold_trials(now, &settings));
    }
}
