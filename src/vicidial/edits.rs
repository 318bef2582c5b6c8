//! Edits of the carrier table: what calls use while Asterisk does not have an edited row yet, or nobody can understand it.
//!
//! VICIdial writes its configuration files within a minute of an edit and has Asterisk load them. Until then the last good
//! definition of a carrier serves. A row that an edit broke goes on with the last good one as well; a row that was taken away
//! or switched off is an operator's word and counts at once. Pure: what Asterisk has and what time it is are arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::carriers::CarrierTable;
use crate::carrier::{Carrier, CarrierId, Technology};

/// A peer that Asterisk's configuration must define before a carrier can be dialled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerName {
    /// `PJSIP`, `SIP` or `IAX2`.
    pub technology: &'static str,
    /// The name.
    pub peer: String,
}

impl PeerName {
    /// The peer of a carrier; `None` where its target is a host that no configuration names.
    pub fn of(carrier: &Carrier) -> Option<Self> {
        carrier.configured_peer().map(|peer| Self {
            technology: Technology::as_str(carrier.technology),
            peer: peer.to_owned(),
        })
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.technology, self.peer)
    }
}

/// How far Asterisk is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsteriskHas {
    /// VICIdial will write and load its files: what is in the table now is not in Asterisk yet.
    pub is_rebuild_due: bool,
    /// The peers that were asked for, and whether they are there. One that is not in it could not be asked for.
    pub peers: BTreeMap<PeerName, bool>,
}

/// Whether the row of a carrier is what calls use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EditState {
    /// It is.
    Active,
    /// The row was edited, or is new, and Asterisk does not have it yet.
    PendingReload {
        /// When the edit was first seen, milliseconds since 1970.
        since_ms: i64,
        /// What is missing.
        waits_for: WaitsFor,
    },
    /// The row cannot be understood since an edit.
    Broken {
        /// When that was first seen, milliseconds since 1970.
        since_ms: i64,
    },
}

impl EditState {
    /// A stable word for metrics and APIs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::PendingReload { .. } => "pending_reload",
            Self::Broken { .. } => "broken_edit",
        }
    }

    const fn since_ms(&self) -> Option<i64> {
        match self {
            Self::Active => None,
            Self::PendingReload { since_ms, .. } | Self::Broken { since_ms } => Some(*since_ms),
        }
    }
}

impl fmt::Display for EditState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active => f.write_str("active"),
            Self::PendingReload { waits_for, .. } => write!(f, "pending reload: {waits_for}"),
            Self::Broken { .. } => f.write_str("broken by an edit: the last good row serves"),
        }
    }
}

/// What a pending edit waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// VICIdial has not written its files.
    Rebuild,
    /// Asterisk does not have the peer.
    Peer(PeerName),
    /// Asterisk could not be asked for the peer.
    Answer(PeerName),
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rebuild => f.write_str("VICIdial has not written its files yet (servers.rebuild_conf_files is Y)"),
            Self::Peer(peer) => write!(f, "Asterisk has no endpoint {peer} yet"),
            Self::Answer(peer) => write!(f, "Asterisk could not be asked for endpoint {peer}"),
        }
    }
}

/// What calls use of one carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Definition {
    carrier: Carrier,
    /// As in [`CarrierTable::accounts`].
    account: String,
}

impl Definition {
    /// Whether Asterisk needs to load nothing to go from one to the other.
    fn is_same_to_asterisk(&self, other: &Self) -> bool {
        let loaded = |definition: &Self| {
            let Carrier {
                technology,
                peer,
                uri_host,
                entries,
                ..
            } = definition.carrier.clone();
            (technology, peer, uri_host, entries, definition.account.clone())
        };
        loaded(self) == loaded(other)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ServedCarrier {
    id: CarrierId,
    /// `None`: new, and not in Asterisk yet.
    serving: Option<Definition>,
    state: EditState,
}

/// The carriers that calls use, and what became of the last edit of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServedCarriers(Vec<ServedCarrier>);

impl ServedCarriers {
    /// The first table that is read serves as it stands: there is nothing older to go on with.
    pub fn first(table: &CarrierTable) -> Self {
        let served = definitions(table).map(|definition| ServedCarrier {
            id: definition.carrier.id.clone(),
            serving: Some(definition),
            state: EditState::Active,
        });
        Self(served.collect())
    }

    /// The carriers to route by.
    pub fn carriers(&self) -> Vec<Carrier> {
        let serving = self.0.iter().filter_map(|served| served.serving.as_ref());
        serving.map(|definition| definition.carrier.clone()).collect()
    }

    /// Every carrier with what became of its last edit; new ones that Asterisk does not have yet among them.
    pub fn states(&self) -> impl Iterator<Item = (&CarrierId, &EditState)> {
        self.0.iter().map(|served| (&served.id, &served.state))
    }

    /// Whether Asterisk has to be asked again although no table changes.
    pub fn is_waiting(&self) -> bool {
        self.0
            .iter()
            .any(|served| matches!(served.state, EditState::PendingReload { .. }))
    }

    /// The peers that Asterisk must be asked for before [`Self::after`] can decide about `table`.
    pub fn peers_to_ask_for(&self, table: &CarrierTable) -> BTreeSet<PeerName> {
        definitions(table)
            .filter_map(|definition| self.new_peer(&definition))
            .collect()
    }

    /// What serves once `table` has been read.
    #[must_use]
    pub fn after(&self, table: &CarrierTable, asterisk: &AsteriskHas, now_ms: i64) -> Self {
        let mut next: Vec<ServedCarrier> = definitions(table)
            .map(|definition| self.next(definition, asterisk, now_ms))
            .collect();
        let broken = self.0.iter().filter(|served| table.is_left_out(&served.id));
        next.extend(broken.filter(|served| served.serving.is_some()).map(|served| {
            let since_ms = match &served.state {
                EditState::Broken { since_ms } => *since_ms,
                EditState::Active | EditState::PendingReload { .. } => now_ms,
            };
            ServedCarrier {
                state: EditState::Broken { since_ms },
                ..served.clone()
            }
        }));
        Self(next)
    }

    fn next(&self, row: Definition, asterisk: &AsteriskHas, now_ms: i64) -> ServedCarrier {
        let id = row.carrier.id.clone();
        let served = self.find(&id);
        let serving = served.and_then(|served| served.serving.as_ref());
        let is_edit = serving.is_none_or(|serving| !serving.is_same_to_asterisk(&row));
        let waits_for = match self.new_peer(&row) {
            _ if !is_edit => None,
            _ if asterisk.is_rebuild_due => Some(WaitsFor::Rebuild),
            Some(peer) => match asterisk.peers.get(&peer) {
                Some(true) => None,
                Some(false) => Some(WaitsFor::Peer(peer)),
                None => Some(WaitsFor::Answer(peer)),
            },
            None => None,
        };
        match waits_for {
            None => ServedCarrier {
                id,
                serving: Some(row),
                state: EditState::Active,
            },
            Some(waits_for) => {
                let since_ms = served.and_then(|served| served.state.since_ms()).unwrap_or(now_ms);
                ServedCarrier {
                    id,
                    serving: serving.cloned(),
                    state: EditState::PendingReload { since_ms, waits_for },
                }
            }
        }
    }

    /// The peer of a row, where it is another one than the carrier's calls use now.
    fn new_peer(&self, row: &Definition) -> Option<PeerName> {
        let serving = self.find(&row.carrier.id).and_then(|served| served.serving.as_ref());
        let used = serving.and_then(|serving| PeerName::of(&serving.carrier));
        PeerName::of(&row.carrier).filter(|peer| used.as_ref() != Some(peer))
    }

    fn find(&self, id: &CarrierId) -> Option<&ServedCarrier> {
        self.0.iter().find(|served| served.id == *id)
    }
}

fn definitions(table: &CarrierTable) -> impl Iterator<Item = Definition> {
    table.carriers.iter().map(|carrier| Definition {
        carrier: carrier.clone(),
        account: table.accounts.get(&carrier.id).cloned().unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vicidial::carriers::{CarrierRow, read_carriers};

    fn row(id: &str, target: &str) -> CarrierRow {
        CarrierRow {
            carrier_id: id.into(),
            carrier_name: id.into(),
            protocol: "PJSIP".into(),
            dialplan_entry: format!("exten => _9{}.,1,Dial({target},,To)", if id == "A" { '1' } else { '2' }),
            server_ip: "0.0.0.0".into(),
            active: true,
            ..CarrierRow::default()
        }
    }

    fn table(rows: &[CarrierRow]) -> CarrierTable {
        read_carriers(rows, &[], "192.0.2.5")
    }

    fn to(peer: &str) -> String {
        format!("PJSIP/${{EXTEN:1}}@{peer}")
    }

    fn has(is_rebuild_due: bool, peers: &[(&str, bool)]) -> AsteriskHas {
        let peers = peers.iter().map(|(peer, is_there)| {
            let name = PeerName {
                technology: "PJSIP",
                peer: (*peer).into(),
            };
            (name, *is_there)
        });
        AsteriskHas {
            is_rebuild_due,
            peers: peers.collect(),
        }
    }

    /// Carrier, peer that calls use, state.
    fn shown(served: &ServedCarriers) -> Vec<(String, Option<String>, EditState)> {
        let carriers = served.carriers();
        let peer = |id: &CarrierId| {
            let carrier = carriers.iter().find(|carrier| carrier.id == *id);
            carrier.map(|carrier| carrier.peer.clone())
        };
        served
            .states()
            .map(|(id, state)| (id.to_string(), peer(id), state.clone()))
            .collect()
    }

    fn one(served: &ServedCarriers) -> (Option<String>, EditState) {
        let mut shown = shown(served);
        assert_eq!(shown.len(), 1, "{shown:?}");
        let (_, peer, state) = shown.remove(0);
        (peer, state)
    }

    fn pending(since_ms: i64, waits_for: WaitsFor) -> EditState {
        EditState::PendingReload { since_ms, waits_for }
    }

    fn peer(name: &str) -> PeerName {
        PeerName {
            technology: "PJSIP",
            peer: name.into(),
        }
    }

    fn start() -> ServedCarriers {
        ServedCarriers::first(&table(&[row("A", &to("old"))]))
    }

    #[test]
    fn the_first_table_serves_as_it_stands() {
        assert_eq!(one(&start()), (Some("old".into()), EditState::Active));
        let same = start().after(&table(&[row("A", &to("old"))]), &has(true, &[]), 5);
        assert_eq!(same, start(), "an unchanged row waits for nothing");
    }

    #[test]
    fn an_edit_waits_for_the_rebuild_and_then_for_its_peer() {
        let edited = table(&[row("A", &to("new"))]);
        assert_eq!(start().peers_to_ask_for(&edited), BTreeSet::from([peer("new")]));
        let waiting = start().after(&edited, &has(true, &[("new", true)]), 5);
        assert_eq!(one(&waiting), (Some("old".into()), pending(5, WaitsFor::Rebuild)));
        assert!(waiting.is_waiting());
        let waiting = waiting.after(&edited, &has(false, &[("new", false)]), 6);
        assert_eq!(
            one(&waiting),
            (Some("old".into()), pending(5, WaitsFor::Peer(peer("new"))))
        );
        let waiting = waiting.after(&edited, &has(false, &[]), 7);
        assert_eq!(
            one(&waiting),
            (Some("old".into()), pending(5, WaitsFor::Answer(peer("new"))))
        );
        let loaded = waiting.after(&edited, &has(false, &[("new", true)]), 8);
        assert_eq!(one(&loaded), (Some("new".into()), EditState::Active));
        assert!(!loaded.is_waiting());
    }

    #[test]
    fn an_edit_that_is_taken_back_waits_no_more() {
        let waiting = start().after(&table(&[row("A", &to("new"))]), &has(true, &[]), 5);
        let back = waiting.after(&table(&[row("A", &to("old"))]), &has(true, &[]), 6);
        assert_eq!(back, start());
    }

    #[test]
    fn an_edit_with_the_same_peer_needs_only_the_rebuild() {
        let edited = CarrierRow {
            account_entry: "[old]\ntype = endpoint".into(),
            ..row("A", &to("old"))
        };
        let edited = table(&[edited]);
        assert_eq!(start().peers_to_ask_for(&edited), BTreeSet::new());
        let waiting = start().after(&edited, &has(true, &[]), 5);
        assert_eq!(one(&waiting), (Some("old".into()), pending(5, WaitsFor::Rebuild)));
        assert_eq!(one(&waiting.after(&edited, &has(false, &[]), 6)).1, EditState::Active);
    }

    #[test]
    fn a_name_is_no_business_of_asterisks() {
        let renamed = CarrierRow {
            carrier_name: "another name".into(),
            ..row("A", &to("old"))
        };
        let served = start().after(&table(&[renamed]), &has(true, &[]), 5);
        assert_eq!(
            (one(&served).1, served.carriers()[0].name.as_str()),
            (EditState::Active, "another name")
        );
    }

    #[test]
    fn a_broken_edit_goes_on_with_the_last_good_row() {
        let broken = table(&[row("A", "DAHDI/g1/${EXTEN}")]);
        let served = start()
            .after(&broken, &has(true, &[]), 5)
            .after(&broken, &has(false, &[]), 6);
        assert_eq!(one(&served), (Some("old".into()), EditState::Broken { since_ms: 5 }));
        let mended = served.after(&table(&[row("A", &to("new"))]), &has(false, &[("new", true)]), 7);
        assert_eq!(one(&mended), (Some("new".into()), EditState::Active));
        let never_good = ServedCarriers::default().after(&broken, &has(false, &[]), 5);
        assert_eq!(never_good, ServedCarriers::default());
    }

    #[test]
    fn a_global_that_is_gone_breaks_only_who_uses_it() {
        let user = row("A", "PJSIP/${EXTEN:1}@${PEER}");
        let owner = CarrierRow {
            globals_string: "PEER = shared".into(),
            ..row("B", &to("b"))
        };
        let served = ServedCarriers::first(&table(&[user.clone(), owner]));
        let served = served.after(&table(&[user, row("B", &to("b"))]), &has(false, &[]), 5);
        assert_eq!(
            shown(&served),
            [
                ("B".into(), Some("b".into()), EditState::Active),
                ("A".into(), Some("shared".into()), EditState::Broken { since_ms: 5 }),
            ]
        );
    }

    #[test]
    fn what_is_switched_off_is_gone_at_once() {
        let off = CarrierRow {
            active: false,
            ..row("A", &to("old"))
        };
        let external = CarrierRow {
            protocol: "EXTERNAL".into(),
            ..row("A", &to("old"))
        };
        for rows in [vec![], vec![off], vec![external]] {
            assert_eq!(
                start().after(&table(&rows), &has(true, &[]), 5),
                ServedCarriers::default()
            );
        }
    }

    #[test]
    fn a_new_carrier_serves_when_asterisk_has_it() {
        let both = table(&[row("A", &to("old")), row("B", &to("b"))]);
        assert_eq!(start().peers_to_ask_for(&both), BTreeSet::from([peer("b")]));
        let waiting = start().after(&both, &has(false, &[("b", false)]), 5);
        assert_eq!(
            shown(&waiting)[1],
            ("B".into(), None, pending(5, WaitsFor::Peer(peer("b"))))
        );
        let there = waiting.after(&both, &has(false, &[("b", true)]), 6);
        assert_eq!(shown(&there)[1], ("B".into(), Some("b".into()), EditState::Active));
    }

    #[test]
    fn a_host_that_no_configuration_names_is_not_asked_for() {
        let edited = CarrierRow {
            protocol: "IAX2".into(),
            ..row("A", "IAX2/user:secret@192.0.2.9/${EXTEN}")
        };
        let edited = table(&[edited]);
        assert_eq!(start().peers_to_ask_for(&edited), BTreeSet::new());
        let served = start().after(&edited, &has(false, &[]), 5);
        assert_eq!(one(&served).1, EditState::Active);
    }
}
