//! What the daemon knows of its carriers at one moment, brought together from those who know.

use std::collections::HashMap;

use crate::carrier::CarrierId;
use crate::control::CarrierNow;
use crate::engine::{Door, HealthDesk};

use super::figures::CarrierFigures;

/// Asks all of them; carriers that nothing happened to are missing.
pub(super) async fn now(health: &HealthDesk, door: &Door, figures: &CarrierFigures) -> HashMap<CarrierId, CarrierNow> {
    let (reports, legs, mut figures) = tokio::join!(health.reports(), door.legs_out_by_carrier(), figures.figures());
    let mut carriers: HashMap<CarrierId, CarrierNow> = HashMap::new();
    for (carrier, report) in reports {
        let now = CarrierNow {
            state: report.class.state,
            since_ms: Some(report.since_ms),
            because: report.class.because,
            channels: 0,
            figures: figures.remove(&carrier).unwrap_or_default(),
            timeline: report.timeline.changes().cloned().collect(),
            operator: report.operator,
        };
        carriers.insert(carrier, now);
    }
    for (carrier, figures) in figures {
        carriers.entry(carrier).or_default().figures = figures;
    }
    for (carrier, legs) in legs {
        carriers.entry(carrier).or_default().channels = legs;
    }
    carriers
}
