//! Whether a carrier's last good test call still says anything: its settings may have changed since.

use crate::carrier::Carrier;
use crate::store::CarrierSettingsRow;

/// What is known of the test calls of a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tested {
    /// None was answered.
    Never,
    /// The last was answered with the settings that the carrier has now.
    Good {
        /// When, milliseconds since 1970.
        at_ms: i64,
    },
    /// The settings have changed since the last that was answered: a test is due.
    Due {
        /// When it was answered, milliseconds since 1970.
        at_ms: i64,
    },
}

/// Stands for everything that decides whether a call through the carrier can work: its peer and account, and its number format.
/// The account holds secrets; nothing of them can be read from these 64 bits.
pub(super) fn digest(carrier: &Carrier, account: &str) -> String {
    let Carrier {
        technology,
        peer,
        uri_host,
        number_format,
        ..
    } = carrier;
    let text = format!("{technology}/{peer}/{uri_host:?}/{number_format:?}\n{account}");
    // FNV-1a: the same in every edition of this program, in contrast to the standard library's.
    let digest = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{digest:016x}")
}

impl Tested {
    pub(super) fn of(row: Option<&CarrierSettingsRow>, digest: &str) -> Self {
        let tested = row.and_then(|row| Some((row.tested_ms?, row.tested_digest.as_deref()?)));
        match tested {
            None => Self::Never,
            Some((at_ms, then)) if then == digest => Self::Good { at_ms },
            Some((at_ms, _)) => Self::Due { at_ms },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carrier::{NumberFormat, Technology};

    #[test]
    fn a_change_of_account_or_format_makes_a_test_due() {
        let mut carrier = Carrier::new("A".into(), Technology::Pjsip, "a");
        let before = digest(&carrier, "[a]\nhost = b");
        let row = CarrierSettingsRow {
            tested_ms: Some(7),
            tested_digest: Some(before.clone()),
            ..CarrierSettingsRow::default()
        };
        assert_eq!(Tested::of(Some(&row), &before), Tested::Good { at_ms: 7 });
        assert_eq!(Tested::of(None, &before), Tested::Never);
        let edited = digest(&carrier, "[a]\nhost = c");
        assert_eq!(Tested::of(Some(&row), &edited), Tested::Due { at_ms: 7 });
        carrier.name = "another".into();
        assert_eq!(digest(&carrier, "[a]\nhost = b"), before);
        carrier.number_format = Some(NumberFormat::default());
        assert_ne!(digest(&carrier, "[a]\nhost = b"), before);
    }
}
