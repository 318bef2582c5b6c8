//! Asterisk's registrations with carriers, as witnesses of their health: its manager interface is asked again and again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing::{info, warn};

use super::tables::Tables;
use crate::ami::{self, Login, Registration, Seen, Standing};
use crate::carrier::{Carrier, CarrierId};
use crate::engine::HealthDesk;
use crate::health::{Report, Witness};

/// Asks Asterisk's manager interface and reports each carrier that it registers with; ends with the tables. Two bad answers in a
/// row count: a registration that was refused is known within two intervals, a registrar that keeps silent within three.
pub(super) async fn ask_asterisk(login: Login, every: Duration, tables: Tables, desk: HealthDesk) {
    let mut published = tables.subscribe();
    drop(tables);
    let (seen, mut words) = mpsc::channel(1);
    let address = login.address;
    tokio::spawn(ami::watch(login, every, seen));
    let mut asking = Asking::default();
    let mut is_away = false;
    loop {
        let word = tokio::select! {
            changed = published.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            word = words.recv() => word,
        };
        match word {
            Some(Seen::Registrations(registrations)) => {
                if std::mem::take(&mut is_away) {
                    info!(%address, "registrations are seen again");
                }
                let snapshot = Arc::clone(&published.borrow().snapshot);
                asking.report(&snapshot.carriers, &registrations, &desk).await;
            }
            Some(Seen::Away(error)) => {
                warn!(code = error.code(), %error, "registrations are not seen");
                is_away = true;
            }
            None => return,
        }
    }
}

/// The carriers whose registration was being asked for at the last look.
#[derive(Debug, Default)]
struct Asking(HashSet<CarrierId>);

impl Asking {
    async fn report(&mut self, carriers: &[Carrier], registrations: &[Registration], desk: &HealthDesk) {
        let asked_at = Instant::now();
        for carrier in carriers {
            let best = Registration::best(&carrier.registrations, registrations);
            let report = best.and_then(|best| self.opinion(&carrier.id, best.standing));
            if let Some(report) = report {
                let id = carrier.id.clone();
                desk.report(id, Witness::Registration, report, asked_at).await;
            }
        }
    }

    /// What a standing says. A driver that renews asks for a moment, one that nobody answers asks nearly all the time: only the
    /// second such look in a row is bad. A registration that Asterisk does not have says nothing: its files may just be
    /// rebuilt.
    fn opinion(&mut self, carrier: &CarrierId, standing: Standing) -> Option<Report> {
        match standing {
            Standing::Asking => (!self.0.insert(carrier.clone())).then_some(Report::Unavailable),
            Standing::Registered => {
                self.0.remove(carrier);
                Some(Report::Alive)
            }
            Standing::Lost => {
                self.0.remove(carrier);
                Some(Report::Unavailable)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_registration_that_keeps_asking_is_bad() {
        let carrier = CarrierId::from("A");
        let mut asking = Asking::default();
        let mut report = |standing| asking.opinion(&carrier, standing);
        assert_eq!(report(Standing::Asking), None, "it renews");
        assert_eq!(report(Standing::Registered), Some(Report::Alive));
        assert_eq!(report(Standing::Asking), None);
        assert_eq!(report(Standing::Asking), Some(Report::Unavailable));
        assert_eq!(report(Standing::Asking), Some(Report::Unavailable));
        assert_eq!(report(Standing::Lost), Some(Report::Unavailable));
        assert_eq!(report(Standing::Asking), None, "it begins anew");
    }
}
