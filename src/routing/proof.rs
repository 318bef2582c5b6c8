//! Proving the number of a route before any call takes it.

use super::number::{NumberError, ReadEntry, canonical, wire_number};
use super::plan::Rejection;
use super::planner::unproven;
use super::route::Route;
use super::table::{PlannedCarrier, RouteTable};
use crate::carrier::{CarrierId, NumberFormat};

/// The number that a route would send, shown on an example.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The entry carrier's pattern that the example comes from.
    pub pattern: String,
    /// A number that a campaign might dial.
    pub dialled: String,
    /// The same number without the campaign's dial prefix.
    pub canonical: String,
    /// The number that goes out through the backup.
    pub wire: String,
}

/// What a route does to the calls of one entry carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryProof {
    /// The entry carrier.
    pub entry: CarrierId,
    /// One example for each of its patterns whose number is certain; at least one.
    pub proofs: Vec<Proof>,
    /// Why the numbers of its other patterns are not: calls of these get no such backup.
    pub unproven: Vec<NumberError>,
}

impl RouteTable {
    /// What `route` does to the calls of `entry`, pattern by pattern.
    ///
    /// # Errors
    ///
    /// The reason why no pattern leads to a number that is certain.
    pub fn prove_route(&self, entry: &CarrierId, route: &Route) -> Result<EntryProof, Rejection> {
        let (format, campaign) = (route.number_format.as_deref(), route.campaign.as_deref());
        // Whether the route serves the entry at all is the table's own word; the patterns one by one are what people are shown.
        self.prove(entry, &route.carrier, format, campaign)?;
        let mut result = EntryProof {
            entry: entry.clone(),
            proofs: Vec::new(),
            unproven: Vec::new(),
        };
        for proof in self.prove_each(entry, &route.carrier, format, campaign)? {
            match proof {
                Ok(proof) => result.proofs.push(proof),
                Err(error) => result.unproven.push(error),
            }
        }
        Ok(result)
    }

    /// The number that a route from `entry` to `carrier` would send, on an example of the first pattern of the entry carrier
    /// for which it can be told. `format` and `campaign` are those of the route.
    ///
    /// # Errors
    ///
    /// The reason why no pattern leads to a number that is certain.
    pub fn prove(
        &self,
        entry: &CarrierId,
        carrier: &CarrierId,
        format: Option<&NumberFormat>,
        campaign: Option<&str>,
    ) -> Result<Proof, Rejection> {
        let mut first_rejection = None;
        for proof in self.prove_each(entry, carrier, format, campaign)? {
            match proof {
                Ok(proof) => return Ok(proof),
                Err(error) => {
                    first_rejection.get_or_insert(unproven(&error));
                }
            }
        }
        Err(first_rejection.unwrap_or_else(|| Rejection::NumberUnproven {
            reason: format!("carrier {entry} has no dialplan entry"),
        }))
    }

    /// [`RouteTable::prove`] for each pattern of the entry carrier.
    ///
    /// # Errors
    ///
    /// When one of the carriers is not in the table, or both are the same.
    fn prove_each(
        &self,
        entry: &CarrierId,
        carrier: &CarrierId,
        format: Option<&NumberFormat>,
        campaign: Option<&str>,
    ) -> Result<Vec<Result<Proof, NumberError>>, Rejection> {
        if entry == carrier {
            return Err(Rejection::OwnBackup);
        }
        let entry = self.carriers.get(entry).ok_or(Rejection::CarrierUnavailable)?;
        let carrier = self.carriers.get(carrier).ok_or(Rejection::CarrierUnavailable)?;
        let proofs = entry
            .entries
            .iter()
            .map(|pattern| self.prove_one(entry, pattern, carrier, format, campaign));
        Ok(proofs.collect())
    }

    /// Without a campaign on the route, calls of every campaign and calls without one come along: all must agree.
    fn prove_one(
        &self,
        entry: &PlannedCarrier,
        pattern: &ReadEntry,
        carrier: &PlannedCarrier,
        format: Option<&NumberFormat>,
        campaign: Option<&str>,
    ) -> Result<Proof, NumberError> {
        let example = pattern.pattern.example();
        let prove = |prefix: Option<&str>| {
            let canonical = canonical(&example, prefix, &entry.entries)?;
            let wire = wire_number(&canonical, format, &carrier.carrier, &carrier.entries)?;
            let (pattern, dialled) = (pattern.pattern.to_string(), example.clone());
            Ok(Proof {
                pattern,
                dialled,
                canonical: canonical.number,
                wire,
            })
        };
        if let Some(campaign) = campaign {
            return prove(self.dial_prefixes.of_call(Some(campaign)));
        }
        let first = prove(self.dial_prefixes.of_call(None))?;
        let fitting = self.dial_prefixes.of_campaigns().into_iter();
        for prefix in fitting.filter(|prefix| prefix.is_none_or(|prefix| example.starts_with(prefix))) {
            let other = prove(prefix)?;
            if other.wire != first.wire {
                return Err(NumberError::CampaignsDisagree {
                    example,
                    first: first.wire,
                    other: other.wire,
                });
            }
        }
        Ok(first)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::fixtures::{carrier, carriers, format, prefixes};
    use super::*;

    #[test]
    fn a_proof_shows_the_number_that_a_call_would_send() {
        let table = RouteTable::build(carriers(), vec![], HashMap::new());
        let prove = |carrier: &str, format: Option<NumberFormat>| {
            table.prove(&"MAIN".into(), &carrier.into(), format.as_ref(), None)
        };
        let proof = prove("B8", None).unwrap();
        assert_eq!(
            proof,
            Proof {
                pattern: "_91NXXNXXXXXX".into(),
                dialled: "916556555555".into(),
                canonical: "16556555555".into(),
                wire: "6556555555".into()
            }
        );
        assert_eq!(prove("BARE", Some(format(0, "+"))).unwrap().wire, "+16556555555");
        assert_eq!(prove("BARE", None).unwrap_err().code(), "number_unproven");
        assert_eq!(
            prove("BARE", Some(format(20, ""))).unwrap_err().code(),
            "number_unproven"
        );
        assert_eq!(prove("GONE", None), Err(Rejection::CarrierUnavailable));
        assert_eq!(prove("MAIN", None), Err(Rejection::OwnBackup));
        let from_bare = table.prove(&"BARE".into(), &"B8".into(), None, None);
        assert_eq!(from_bare.unwrap_err().code(), "number_unproven");
    }

    #[test]
    fn a_proof_is_refused_when_campaigns_lead_to_different_numbers() {
        let table = RouteTable::build(
            vec![
                carrier("MAIN", &[("_91NXXNXXXXXX", 1, "")]),
                carrier("BARE", &[]),
                carrier("B8", &[("_81NXXNXXXXXX", 1, "")]),
            ],
            vec![],
            prefixes(&[("LONG", "91"), ("SHORT", "9")]),
        );
        let prove = |carrier: &str, format: Option<NumberFormat>, campaign| {
            table.prove(&"MAIN".into(), &carrier.into(), format.as_ref(), campaign)
        };
        let refused = prove("BARE", Some(format(0, "")), None).unwrap_err().to_string();
        assert!(refused.contains("16556555555 or as 6556555555"), "{refused}");
        assert_eq!(
            prove("BARE", Some(format(0, "")), Some("LONG")).unwrap().wire,
            "6556555555"
        );
        assert_eq!(
            prove("BARE", Some(format(0, "")), Some("SHORT")).unwrap().wire,
            "16556555555"
        );
        assert_eq!(
            prove("B8", None, None).unwrap().wire,
            "16556555555",
            "its own line gives one number for all"
        );
    }

    #[test]
    fn a_campaign_without_prefix_counts_among_those_that_must_agree() {
        let prove = |campaigns: &[(&str, &str)]| {
            let carriers = vec![carrier("MAIN", &[("_91NXXNXXXXXX", 2, "")]), carrier("BARE", &[])];
            let table = RouteTable::build(carriers, vec![], prefixes(campaigns));
            let proof = table.prove(&"MAIN".into(), &"BARE".into(), Some(&format(0, "")), None);
            proof.map(|proof| proof.wire)
        };
        assert_eq!(prove(&[]).unwrap(), "6556555555", "only the Dial line is left to ask");
        assert_eq!(
            prove(&[("A", "9"), ("B", "9")]).unwrap(),
            "16556555555",
            "calls without campaign follow"
        );
        let refused = prove(&[("A", "9"), ("B", "X")]).unwrap_err().to_string();
        assert!(refused.contains("16556555555 or as 6556555555"), "{refused}");
    }
}
