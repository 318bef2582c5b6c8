//! Faults of our own configuration: wrong credentials, wrong prefix. No waiting heals them.

use super::hash::stable_hash;
use super::settings::HealthSettings;
use super::state::Because;

/// What points to a fault of our configuration for one carrier.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    wrong_numbers: Vec<u64>,
    config_faults: u32,
    error: Option<Because>,
}

impl Faults {
    /// The carrier refused a number as unknown or incomplete. The same number twice says nothing new.
    pub(super) fn wrong_number(&mut self, number: &str, settings: &HealthSettings) {
        self.config_faults = 0;
        let number = stable_hash(number);
        if self.wrong_numbers.contains(&number) || self.error.is_some() {
            return;
        }
        self.wrong_numbers.push(number);
        if self.wrong_numbers.len() >= settings.wrong_numbers {
            self.error = Some(Because::WrongNumbers {
                numbers: self.wrong_numbers.len(),
            });
        }
    }

    /// The carrier refused our credentials or the form of the call.
    pub(super) fn config_fault(&mut self, rule: &str, settings: &HealthSettings) {
        self.wrong_numbers.clear();
        self.config_faults += 1;
        if self.config_faults >= settings.config_faults {
            self.error = Some(Because::ConfigFaults {
                count: self.config_faults,
                last_rule: rule.to_owned(),
            });
        }
    }

    /// A call met something else than a wrong number or a fault of ours.
    pub(super) fn other_failure(&mut self) {
        self.wrong_numbers.clear();
        self.config_faults = 0;
    }

    /// A call came through.
    pub(super) fn good_call(&mut self) {
        *self = Self::default();
    }

    pub(super) fn restore(&mut self, error: Because) {
        self.error = Some(error);
    }

    pub(super) const fn error(&self) -> Option<&Because> {
        self.error.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_different_numbers_in_a_row_are_a_wrong_prefix() {
        let settings = HealthSettings::default();
        let mut faults = Faults::default();
        for number in 0..9 {
            for _ in 0..2 {
                faults.wrong_number(&number.to_string(), &settings);
            }
        }
        assert_eq!(faults.error(), None);
        faults.other_failure();
        for number in 0..10 {
            assert_eq!(faults.error(), None, "{number}");
            faults.wrong_number(&number.to_string(), &settings);
        }
        assert_eq!(faults.error(), Some(&Because::WrongNumbers { numbers: 10 }));
        faults.good_call();
        assert_eq!(faults.error(), None);
    }

    #[test]
    fn three_refusals_of_our_credentials_in_a_row_are_enough() {
        let settings = HealthSettings::default();
        let mut faults = Faults::default();
        faults.config_fault("sip_code", &settings);
        faults.config_fault("sip_code", &settings);
        faults.good_call();
        faults.config_fault("sip_code", &settings);
        faults.config_fault("sip_code", &settings);
        assert_eq!(faults.error(), None);
        faults.config_fault("sip_code", &settings);
        assert!(faults.error().is_some());
    }
}
