//! Calls that outlive the process that began them: `Dial()` carries them on, and VICIdial keeps the customers that it took.
//! Nothing is done to them. They stay on record as open, and keep their places at the carriers, until their channels end.

use std::collections::{HashMap, HashSet};

use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::ari::{self, Channel, ChannelState};
use crate::call::LegId;
use crate::carrier::CarrierId;
use crate::engine::agi::{LegEnd, Sidecar};
use crate::engine::{CallIdentity, Door, LiveState, LiveView, now};
use crate::spool::Spool;
use crate::store::AttemptRow;

use super::records::answered;

/// What a survivor needs.
#[derive(Clone, Debug)]
pub(super) struct Survivors {
    pub(super) ari: ari::Client,
    pub(super) sidecar: Sidecar,
    pub(super) door: Door,
    pub(super) live: LiveView,
    pub(super) spool: Spool,
    /// Cancelled when the daemon goes: the next one finds them again.
    pub(super) leaving: CancellationToken,
}

/// What becomes of an attempt that is open on record.
enum Find<'a> {
    /// Its leg is up.
    Up(&'a Channel),
    /// Its leg may be on its way.
    OnItsWay,
    /// Nothing is left of it.
    Gone,
}

impl Survivors {
    /// Looks for the channels of attempts that are open on record and known to no call here; follows those that are answered.
    /// The calls of those that are not answered and not over.
    pub(super) async fn look(&self, open: Vec<AttemptRow>) -> Result<HashSet<String>, ari::Error> {
        let mut undecided = HashSet::new();
        if open.is_empty() {
            return Ok(undecided);
        }
        let channels = self.ari.channels().list().await?;
        let by_id: HashMap<&str, &Channel> = channels.iter().map(|channel| (channel.id.as_str(), channel)).collect();
        for row in open {
            match self.find(&row, &by_id).await? {
                Find::Up(leg) => self.follow(row, leg, by_id.values().copied()).await,
                Find::OnItsWay => {
                    undecided.insert(row.call_id);
                }
                Find::Gone => debug!(call = row.call_id, n = row.n, "nothing is left of an attempt"),
            }
        }
        Ok(undecided)
    }

    async fn find<'a>(&self, row: &AttemptRow, channels: &HashMap<&str, &'a Channel>) -> Result<Find<'a>, ari::Error> {
        if let Some(&leg) = channels.get(row.channel_id.as_str()) {
            return Ok(if leg.state == ChannelState::Up {
                Find::Up(leg)
            } else {
                Find::OnItsWay
            });
        }
        // The leg of a Dial() that was not answered when its process went is on record without a channel.
        let caller = channels.get(row.call_id.as_str());
        let is_dialling = caller.is_some_and(|caller| caller.dialplan.app_name == "Dial");
        if !is_dialling || !row.channel_id.is_empty() {
            return Ok(Find::Gone);
        }
        let asked = self.ari.channels();
        if asked.get_variable(&row.call_id, "CB_BY_DIAL").await?.as_deref() != Some("agi") {
            // That Dial() is plain Dial(), which came after the attempt.
            return Ok(Find::Gone);
        }
        let name = asked.get_variable(&row.call_id, "DIALEDPEERNAME").await?;
        let leg = channels.values().find(|channel| name.as_ref() == Some(&channel.name));
        Ok(leg.map_or(Find::OnItsWay, |&leg| Find::Up(leg)))
    }

    async fn follow(&self, row: AttemptRow, leg: &Channel, mut channels: impl Iterator<Item = &Channel>) {
        info!(
            call = row.call_id,
            leg = leg.name,
            carrier = row.carrier_id,
            "a call goes on that another process began"
        );
        let end = self.sidecar.end_of(&leg.id);
        let carrier = CarrierId::from(row.carrier_id.as_str());
        let place = self.door.adopt(&carrier).await;
        let caller = channels.find(|channel| channel.id == row.call_id);
        let identity = CallIdentity {
            call_id: row.call_id.clone(),
            caller_channel: row.caller_channel.clone(),
            call_code: caller.unwrap_or(leg).caller.name.clone(),
            dialled: row.number.clone(),
            entry: CarrierId::from(row.entry_carrier.as_str()),
            campaign: row.campaign.clone(),
        };
        let state = LiveState::Connected;
        let shown = self
            .live
            .begin_resumed(identity, row.started_ms, carrier, LegId(row.n), state);
        let row = AttemptRow {
            channel_id: leg.id.clone(),
            ..answered(row)
        };
        let _kept = self.spool.keep(row.clone());
        let (spool, leaving) = (self.spool.clone(), self.leaving.clone());
        tokio::spawn(async move {
            let end = tokio::select! {
                () = leaving.cancelled() => return,
                end = end => end,
            };
            let q850_cause = match end {
                LegEnd::Seen(cause) => cause.map(u16::from),
                LegEnd::Unseen => None,
            };
            let ended = AttemptRow {
                ended_ms: Some(now().wall_ms),
                q850_cause,
                ..row
            };
            let _kept = spool.keep(ended);
            drop((place, shown));
        });
    }
}
