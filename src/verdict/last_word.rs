//! Which attempt of a call the dialer is told of.

use super::action::Finding;
use super::dialect::DialerResult;
use super::judge::Verdict;

/// What the dialer is told when the call ends now: the last attempt's true result, except that a definitive answer about the
/// number (busy, a dead number) is not hidden by a later carrier's fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastWord(Option<(Finding, DialerResult)>);

impl LastWord {
    /// Takes the next attempt's verdict into account.
    pub fn hear(&mut self, verdict: &Verdict) {
        let stands = self
            .0
            .as_ref()
            .is_some_and(|(earlier, _)| *earlier == Finding::Definitive && verdict.finding == Finding::Nothing);
        if !stands {
            self.0 = Some((verdict.finding, verdict.dialer.clone()));
        }
    }

    /// What the dialer is told; `None` while no attempt has ended.
    pub fn result(&self) -> Option<&DialerResult> {
        self.0.as_ref().map(|(_, result)| result)
    }

    /// The same, as the end of the call.
    pub fn into_result(self) -> Option<DialerResult> {
        self.0.map(|(_, result)| result)
    }
}
