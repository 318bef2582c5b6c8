//! Admission: one door for every leg.
//!
//! It owns the books of what is out through each carrier and answers whether one more leg may go. It must not know calls,
//! channels, tasks or the clock. There are no limits yet; the books are kept so that limits only have to be compared.

use std::collections::HashMap;

use crate::call::AdmissionRefusal;
use crate::carrier::CarrierId;

/// The books: legs that are out, per carrier.
#[derive(Debug, Default)]
pub struct Ledger {
    out: HashMap<CarrierId, u32>,
    closed: bool,
}

impl Ledger {
    /// Lets one leg out, or says why not. Every `Ok` must be given back with [`Ledger::release`] exactly once.
    ///
    /// # Errors
    /// The reason for which no leg may go out through this carrier now.
    pub fn admit(&mut self, carrier: &CarrierId) -> Result<(), AdmissionRefusal> {
        if self.closed {
            return Err(AdmissionRefusal::ShuttingDown);
        }
        *self.out.entry(carrier.clone()).or_default() += 1;
        Ok(())
    }

    /// A leg that was let out is over.
    pub fn release(&mut self, carrier: &CarrierId) {
        if let Some(out) = self.out.get_mut(carrier) {
            *out = out.saturating_sub(1);
            if *out == 0 {
                self.out.remove(carrier);
            }
        }
    }

    /// No further leg goes out.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Legs that are out through a carrier.
    pub fn legs_out(&self, carrier: &CarrierId) -> u32 {
        self.out.get(carrier).copied().unwrap_or(0)
    }

    /// Legs that are out through each carrier, by carrier; carriers with none are not in it.
    pub fn books(&self) -> Vec<(CarrierId, u32)> {
        let mut books: Vec<_> = self.out.iter().map(|(carrier, out)| (carrier.clone(), *out)).collect();
        books.sort();
        books
    }

    /// Legs that are out through all carriers.
    pub fn total(&self) -> u32 {
        self.out.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_out_and_forgets_what_came_back() {
        let (a, b) = (CarrierId::from("A"), CarrierId::from("B"));
        let mut ledger = Ledger::default();
        for carrier in [&a, &a, &b] {
            ledger.admit(carrier).expect("the door is open");
        }
        assert_eq!((ledger.legs_out(&a), ledger.legs_out(&b), ledger.total()), (2, 1, 3));
        assert_eq!(ledger.books(), [(a.clone(), 2), (b.clone(), 1)]);
        ledger.release(&a);
        ledger.release(&b);
        ledger.release(&b);
        assert_eq!((ledger.legs_out(&a), ledger.legs_out(&b), ledger.total()), (1, 0, 1));
        ledger.close();
        assert_eq!(ledger.admit(&a), Err(AdmissionRefusal::ShuttingDown));
    }
}
