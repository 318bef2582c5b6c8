//! The books: legs that are out, per carrier, and whether one more may go.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use crate::call::AdmissionRefusal;
use crate::carrier::CarrierId;

use super::budget::{self, Recent};
use super::limits::CarrierLimits;
use super::pace::Pace;

/// Which of its attempts a call makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptKind {
    /// No leg of the call was out before.
    First,
    /// A leg of the call was out and failed.
    Retry {
        /// When the first one was let out.
        first_at: Instant,
    },
}

/// The right to have one leg out; given back with [`Ledger::release`]. It cannot be copied, so nothing is given back twice.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a ticket that is not released keeps its place for ever"]
pub struct Ticket {
    carrier: CarrierId,
    given_at: Instant,
    at_limit: bool,
}

impl Ticket {
    /// The carrier.
    pub const fn carrier(&self) -> &CarrierId {
        &self.carrier
    }

    /// When it was given.
    pub const fn given_at(&self) -> Instant {
        self.given_at
    }

    /// The leg took the last place that the carrier allowed at that moment: that the carrier refuses it may be our own doing.
    pub const fn is_at_limit(&self) -> bool {
        self.at_limit
    }
}

/// What the books say of one carrier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarrierBooks {
    /// Legs that are out.
    pub legs_out: u32,
    /// What the carrier allows this dialer.
    pub limits: CarrierLimits,
    /// Legs that were not let out, by reason; those by [`AdmissionRefusal::RetryBudget`] are lost to the budget.
    pub refusals: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Default)]
struct Page {
    books: CarrierBooks,
    pace: Option<Pace>,
    retries: Recent,
}

/// The books of all carriers. One owner holds it; time is an argument.
#[derive(Debug, Default)]
pub struct Ledger {
    pages: HashMap<CarrierId, Page>,
    first_attempts: Recent,
    closed: bool,
}

impl Ledger {
    /// Lets one leg out, or says why not.
    ///
    /// # Errors
    /// The reason for which no leg may go out through this carrier now.
    pub fn admit(&mut self, carrier: &CarrierId, kind: AttemptKind, now: Instant) -> Result<Ticket, AdmissionRefusal> {
        let first_attempts = self.first_attempts.count(now);
        let page = self.pages.entry(carrier.clone()).or_default();
        let refusal = if self.closed {
            Some(AdmissionRefusal::ShuttingDown)
        } else {
            page.refusal(kind, first_attempts, now)
        };
        if let Some(refusal) = refusal {
            self.count(carrier, refusal);
            return Err(refusal);
        }
        page.books.legs_out += 1;
        if let Some(pace) = &mut page.pace {
            pace.count(now);
        }
        match kind {
            AttemptKind::First => self.first_attempts.add(now),
            AttemptKind::Retry { first_at } => {
                let bucket = self.first_attempts.bucket_of(first_at);
                page.retries.add_to(bucket.unwrap_or(now));
            }
        }
        Ok(Ticket {
            carrier: carrier.clone(),
            given_at: now,
            at_limit: page.is_at_limit(),
        })
    }

    /// Counts a leg that was not let out.
    pub fn count(&mut self, carrier: &CarrierId, refusal: AdmissionRefusal) {
        let page = self.pages.entry(carrier.clone()).or_default();
        *page.books.refusals.entry(refusal.code()).or_default() += 1;
    }

    /// Enters a leg that is out already: after a restart the books are made anew from the channels that are there. Limits
    /// do not apply to it; it counts for those that follow.
    pub fn adopt(&mut self, carrier: &CarrierId, now: Instant) -> Ticket {
        self.pages.entry(carrier.clone()).or_default().books.legs_out += 1;
        Ticket {
            carrier: carrier.clone(),
            given_at: now,
            at_limit: false,
        }
    }

    /// A leg is over.
    pub fn release(&mut self, ticket: Ticket) {
        if let Some(page) = self.pages.get_mut(&ticket.carrier) {
            page.books.legs_out = page.books.legs_out.saturating_sub(1);
        }
    }

    /// What the carriers allow this dialer; a carrier that is not in it has no limits. Legs that are out stay out, also above
    /// a lower limit.
    pub fn set_limits(&mut self, limits: &HashMap<CarrierId, CarrierLimits>) {
        for (carrier, page) in &mut self.pages {
            page.set_limits(limits.get(carrier).copied().unwrap_or_default());
        }
        for (carrier, limits) in limits {
            self.pages.entry(carrier.clone()).or_default().set_limits(*limits);
        }
    }

    /// Whether a carrier allows only so many legs at one time.
    pub fn limits_channels(&self, carrier: &CarrierId) -> bool {
        self.pages
            .get(carrier)
            .is_some_and(|page| page.books.limits.max_channels.is_some())
    }

    /// No further leg goes out.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Legs that are out through a carrier.
    pub fn legs_out(&self, carrier: &CarrierId) -> u32 {
        self.pages.get(carrier).map_or(0, |page| page.books.legs_out)
    }

    /// Legs that are out through all carriers.
    pub fn total(&self) -> u32 {
        self.pages.values().map(|page| page.books.legs_out).sum()
    }

    /// What the books say of each carrier, by carrier.
    pub fn books(&self) -> Vec<(CarrierId, CarrierBooks)> {
        let pages = self.pages.iter();
        let mut books: Vec<_> = pages
            .map(|(carrier, page)| (carrier.clone(), page.books.clone()))
            .collect();
        books.sort_by(|(left, _), (right, _)| left.cmp(right));
        books
    }
}

impl Page {
    fn refusal(&mut self, kind: AttemptKind, first_attempts: u32, now: Instant) -> Option<AdmissionRefusal> {
        let limits = self.books.limits;
        if limits.max_channels.is_some_and(|most| self.books.legs_out >= most) {
            return Some(AdmissionRefusal::ChannelLimit);
        }
        if let Some(pace) = &mut self.pace
            && !pace.allows(now)
        {
            return Some(AdmissionRefusal::CallsPerSecondLimit);
        }
        let is_over_budget = matches!(kind, AttemptKind::Retry { .. })
            && limits.is_unlimited()
            && !budget::allows(self.retries.count(now), first_attempts);
        is_over_budget.then_some(AdmissionRefusal::RetryBudget)
    }

    fn is_at_limit(&self) -> bool {
        let books = &self.books;
        books.limits.max_channels.is_some_and(|most| books.legs_out >= most)
            || self.pace.as_ref().is_some_and(Pace::is_used_up)
    }

    fn set_limits(&mut self, limits: CarrierLimits) {
        self.books.limits = limits;
        match (limits.max_calls_per_second, &mut self.pace) {
            (Some(per_second), Some(pace)) => pace.change(per_second),
            (Some(per_second), None) => self.pace = Some(Pace::new(per_second)),
            (None, _) => self.pace = None,
        }
    }
}
