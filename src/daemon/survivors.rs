//! Calls that outlive the process that began them: `Dial()` carries them on, and VICIdial keeps the customers that it took.
//! Nothing is done to them. They stay on record as open, and keep their places at the carriers, until their channels end.

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::ari::{self, Channel, ChannelState};
use crate::call::{Input, LegEvent, LegId};
use crate::carrier::CarrierId;
use crate::engine::agi::{LegEnd, Seen, Sidecar};
use crate::engine::{CallIdentity, Door, LiveReporter, LiveState, LiveView, Permit, TakenLeg, now};
use crate::spool::Spool;
use crate::store::AttemptRow;

use super::records::answered;

/// What a survivor needs.
#[derive(Clone, Debug)]
pub(super) struct Survivors {
    pub(super) ari: ari::Client,
    pub(super) sidecar: Sidecar,
    pub(super) door: Door,
    /// Who keeps the places of customers whom the dialer took.
    pub(super) taken: mpsc::UnboundedSender<TakenLeg>,
    pub(super) live: LiveView,
    pub(super) spool: Spool,
    /// Cancelled when the daemon goes: the next one finds them again.
    pub(super) leaving: CancellationToken,
    /// Told of each survivor that is gone without an answer.
    pub(super) gone: Arc<Notify>,
}

/// What an attempt is that is open on record.
enum Find<'a> {
    /// Its leg is up.
    Up(&'a Channel),
    /// Its leg may be on its way.
    OnItsWay,
    /// Nothing is left of it.
    Gone,
}

impl Survivors {
    /// Looks for the channels of attempts that are open on record and known to no call here, and follows those that are there:
    /// from now on the live view has them.
    pub(super) async fn look(&self, open: Vec<AttemptRow>) -> Result<(), ari::Error> {
        if open.is_empty() {
            return Ok(());
        }
        let channels = self.ari.channels().list().await?;
        for row in open {
            let leg = match self.find(&row, &channels).await? {
                Find::Up(leg) => Some(leg),
                Find::OnItsWay => None,
                Find::Gone => {
                    debug!(call = row.call_id, n = row.n, "nothing is left of an attempt");
                    continue;
                }
            };
            let caller = channels.iter().find(|channel| channel.id == row.call_id);
            let call_code = caller.or(leg).map(|channel| channel.caller.name.clone());
            let survivor = self.enter(row, call_code.unwrap_or_default(), leg.is_some()).await;
            let (all, leg) = (self.clone(), leg.map(|leg| leg.id.clone()));
            tokio::spawn(async move {
                tokio::select! {
                    () = all.leaving.cancelled() => {}
                    () = all.follow(survivor, leg) => {}
                }
            });
        }
        Ok(())
    }

    /// The channels of trunks that are up, with the time at which each was made, milliseconds since 1970.
    pub(super) async fn legs_up(&self) -> Result<Vec<(String, i64)>, ari::Error> {
        let is_on_a_trunk =
            |channel: &Channel| channel.state == ChannelState::Up && !channel.name.starts_with("Local/");
        let on_trunks = self.ari.channels().list_where(is_on_a_trunk).await?.into_iter();
        let with_time = |channel: Channel| {
            let made_ms = channel.creationtime.as_ref()?.epoch_milliseconds()?;
            Some((channel.id, made_ms))
        };
        Ok(on_trunks.filter_map(with_time).collect())
    }

    /// Enters the legs of attempts that are over, and whose channels are up, into the books of their carriers until they end.
    pub(super) async fn keep_places(&self, attempts: Vec<AttemptRow>) {
        for attempt in attempts {
            let (carrier, channel) = (attempt.carrier_id, attempt.channel_id);
            info!(
                carrier,
                channel, "a customer keeps its place whom the dialer took from another process"
            );
            let Some(permit) = self.door.adopt(&CarrierId::from(carrier.as_str())).await else {
                return;
            };
            let leg = TakenLeg {
                channel_id: channel,
                permit,
            };
            let _daemon_goes_down = self.taken.send(leg);
        }
    }

    /// Whoever was out when this process began has a place in the books.
    pub(super) fn all_are_found(&self) {
        self.door.books_are_made();
    }

    /// A survivor is gone that was never seen answered.
    pub(super) async fn one_is_gone(&self) {
        self.gone.notified().await;
    }

    async fn find<'a>(&self, row: &AttemptRow, channels: &'a [Channel]) -> Result<Find<'a>, ari::Error> {
        let with_id = |id: &str| channels.iter().find(|channel| channel.id == id);
        if let Some(leg) = with_id(&row.channel_id) {
            return Ok(match leg.state == ChannelState::Up {
                true => Find::Up(leg),
                false => Find::OnItsWay,
            });
        }
        // The leg of a Dial() that was not answered when its process went is on record without a channel.
        let is_dialling = with_id(&row.call_id).is_some_and(|caller| caller.dialplan.app_name == "Dial");
        if !is_dialling || !row.channel_id.is_empty() {
            return Ok(Find::Gone);
        }
        let asked = self.ari.channels();
        if asked.get_variable(&row.call_id, "CB_BY_DIAL").await?.as_deref() != Some("agi") {
            // That is plain Dial(), which came after the attempt.
            return Ok(Find::Gone);
        }
        let name = asked.get_variable(&row.call_id, "DIALEDPEERNAME").await?;
        let leg = channels.iter().find(|channel| name.as_ref() == Some(&channel.name));
        Ok(leg.map_or(Find::OnItsWay, Find::Up))
    }

    /// Enters a survivor into the books.
    async fn enter(&self, row: AttemptRow, call_code: String, is_up: bool) -> Survivor {
        info!(
            call = row.call_id,
            carrier = row.carrier_id,
            is_up,
            "a call goes on that another process began"
        );
        let carrier = CarrierId::from(row.carrier_id.as_str());
        let place = self.door.adopt(&carrier).await;
        let identity = CallIdentity {
            call_id: row.call_id.clone(),
            caller_channel: row.caller_channel.clone(),
            call_code,
            dialled: row.number.clone(),
            entry: CarrierId::from(row.entry_carrier.as_str()),
            campaign: row.campaign.clone(),
        };
        let state = match is_up {
            true => LiveState::Connected,
            false => LiveState::Trying,
        };
        let shown = self
            .live
            .begin_resumed(identity, row.started_ms, carrier, LegId(row.n), state);
        Survivor {
            row,
            shown,
            _place: place,
        }
    }

    /// Follows a survivor to its end.
    async fn follow(&self, mut survivor: Survivor, leg: Option<String>) {
        let leg = match leg {
            Some(leg) => Some(leg),
            None => self.answer(&survivor.row).await,
        };
        let Some(leg) = leg else {
            drop(survivor);
            self.gone.notify_one();
            return;
        };
        let end = self.sidecar.end_of(&leg);
        let answered = AttemptRow {
            channel_id: leg,
            ..answered(survivor.row)
        };
        let connected = Input::Leg(LegId(answered.n), LegEvent::Connected);
        survivor.shown.sees(&connected);
        let _kept = self.spool.keep(answered.clone());
        let q850_cause = match end.await {
            LegEnd::Seen(cause) => cause.map(u16::from),
            LegEnd::Unseen => None,
        };
        let _kept = self.spool.keep(AttemptRow {
            ended_ms: Some(now().wall_ms),
            q850_cause,
            ..answered
        });
    }

    /// Waits for the answer of a leg that is on its way: its channel. `None` when there is no more to wait for.
    async fn answer(&self, row: &AttemptRow) -> Option<String> {
        let mut caller_ends = std::pin::pin!(self.sidecar.end_of(&row.call_id));
        let mut watch = self.sidecar.watch(&row.call_id);
        watch.ready().await;
        loop {
            // What came before the watch, or while it was interrupted.
            let channels = self.ari.channels().list().await;
            match self.find(row, &channels.ok()?).await.ok()? {
                Find::Up(leg) => return Some(leg.id.clone()),
                Find::OnItsWay => {}
                Find::Gone => return None,
            }
            loop {
                let seen = tokio::select! {
                    _ = &mut caller_ends => return None,
                    seen = watch.next() => seen,
                };
                match seen {
                    Seen::Leg(leg) => match leg.status.as_str() {
                        "ANSWER" => return Some(leg.channel),
                        "RINGING" | "PROGRESS" | "PROCEEDING" => {}
                        // It has ended; or another Dial() has begun, which it must have ended before.
                        _ => return None,
                    },
                    Seen::Lost | Seen::Sight(_) => {}
                    Seen::Back => break,
                }
            }
        }
    }
}

/// An attempt of a process that is gone, in the books of this one.
struct Survivor {
    row: AttemptRow,
    shown: LiveReporter,
    _place: Option<Permit>,
}
