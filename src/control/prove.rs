//! Whether the number that a route would send is certain, for one entry carrier or for all.

use crate::carrier::{Carrier, CarrierId};
use crate::routing::{NumberError, Proof, Route};
use crate::snapshot::Snapshot;

use super::error::Error;

/// What a route does to the calls of one entry carrier.
#[derive(Debug)]
pub(crate) struct EntryProof {
    /// The entry carrier.
    pub entry: CarrierId,
    /// One example for each of its patterns whose number is certain; at least one.
    pub proofs: Vec<Proof>,
    /// Why the numbers of its other patterns are not: calls of these get no such backup.
    pub unproven: Vec<NumberError>,
}

/// Proves `route` for its entry carrier or, where it is for any, for every carrier that calls can come from.
///
/// # Errors
/// When there is an entry carrier none of whose patterns leads to a number that is certain.
pub(crate) fn route(snapshot: &Snapshot, route: &Route) -> Result<Vec<EntryProof>, Error> {
    match &route.entry {
        Some(entry) => Ok(vec![for_entry(snapshot, route, entry)?]),
        None => {
            let sends_calls = |carrier: &&Carrier| !carrier.entries.is_empty() && carrier.id != route.carrier;
            let proofs: Result<Vec<_>, _> = snapshot
                .carriers
                .iter()
                .filter(sends_calls)
                .map(|entry| for_entry(snapshot, route, &entry.id))
                .collect();
            proofs.and_then(|proofs| {
                if proofs.is_empty() {
                    Err(Error::NoEntry)
                } else {
                    Ok(proofs)
                }
            })
        }
    }
}

fn for_entry(snapshot: &Snapshot, route: &Route, entry: &CarrierId) -> Result<EntryProof, Error> {
    let (format, campaign) = (route.number_format.as_ref(), route.campaign.as_deref());
    let refused = |rejection| Error::Unproven {
        entry: entry.clone(),
        carrier: route.carrier.clone(),
        rejection,
    };
    // Whether the route is provable at all is the table's own word; the patterns one by one are what people are shown.
    snapshot
        .table
        .prove(entry, &route.carrier, format, campaign)
        .map_err(refused)?;
    let each = snapshot
        .table
        .prove_each(entry, &route.carrier, format, campaign)
        .map_err(refused)?;
    let mut result = EntryProof {
        entry: entry.clone(),
        proofs: Vec::new(),
        unproven: Vec::new(),
    };
    for proof in each {
        match proof {
            Ok(proof) => result.proofs.push(proof),
            Err(error) => result.unproven.push(error),
        }
    }
    Ok(result)
}
