//! One call: its INVITE server transaction (RFC 3261 section 17.2.1) and the script it plays.

use std::time::Duration;

use super::dialog::Dialog;
use super::digest::challenge;
use super::header::{NameAddr, user_of};
use super::media::CallMedia;
use super::message::{Message, StartLine};
use super::record::{CallRecord, Direction, Moment, Outcome, Packet};
use super::reply::respond;
use super::script::{Answer, CancelReaction, Final, Media, Refusal, Script, Step};
use super::sdp::AudioLine;
use super::server::House;
use super::stats::Stats;
use super::timers::{CallNumber, Due, Timer};
use super::transport::{Transport, Wire};

/// Pause between the copies of a final response that a script asks for.
const COPY_INTERVAL: Duration = Duration::from_millis(20);
/// A call that the script leaves pending is forgotten after this time: its caller is gone.
const LONGEST_PENDING: Duration = Duration::from_secs(300);

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No final response yet.
    Pending,
    /// 401 or 407 was sent: the caller may come back with credentials.
    Challenged,
    /// Another final code of 300 or more was sent.
    Refused,
    /// 200 was sent; the dialog is up.
    Answered,
    /// BYE went one way or the other.
    HungUp,
}

/// Whether the carrier's task keeps a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Keep,
    Forget,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) number: CallNumber,
    /// Our tag: the To tag of the caller's requests.
    pub(super) tag: String,
    /// Transaction keys of its INVITEs, the running one last.
    pub(super) branches: Vec<String>,
    pub(super) invite: Message,
    pub(super) wire: Wire,
    pub(super) phase: Phase,
    pub(super) awaits_ack: bool,
    pub(super) media: Option<CallMedia>,
    pub(super) dialog: Dialog,
    script: Script,
    next_step: usize,
    round: u32,
    last_response: Option<Message>,
    is_cancelled: bool,
    /// The only codec it speaks.
    codec: Option<u8>,
}

impl Call {
    /// Opens the books for a new INVITE. Nothing is answered before [`Call::play`].
    pub(super) fn open(
        number: CallNumber,
        branch: String,
        invite: Message,
        wire: Wire,
        received: Moment,
        house: &House,
    ) -> Self {
        let record = record_of(&invite, &wire, received);
        let script = house.board.script_for(&record.number);
        let dialog = Dialog::from_invite(&invite);
        let call = Self {
            number,
            tag: format!("{number}-{}", house.address.port()),
            branches: vec![branch],
            invite,
            wire,
            phase: Phase::Pending,
            awaits_ack: false,
            media: None,
            dialog,
            script,
            next_step: 0,
            round: 0,
            last_response: None,
            is_cancelled: false,
            codec: None,
        };
        house.board.open_record(number, record);
        house.board.count(|stats| {
            stats.invites += 1;
            stats.pending += 1;
            stats.remembered += 1;
        });
        call
    }

    pub(super) fn call_id(&self) -> &str {
        self.invite.header("Call-ID").unwrap_or_default()
    }

    /// Plays the script up to its next pause.
    pub(super) fn play(&mut self, house: &mut House) {
        while let Some(step) = self.script.steps.get(self.next_step).cloned() {
            self.next_step += 1;
            match step {
                Step::Wait(pause) => return self.set_timer(house, pause, Due::NextStep),
                Step::Provisional { code, media } => {
                    if let Err(code) = self.send_provisional(code, media, house) {
                        return self.refuse(Refusal::code(code), house);
                    }
                }
                Step::Challenge(code) if self.brings_credentials(code, house) => {}
                Step::Challenge(code) => return self.challenge(code, house),
                Step::NeedsCodec {
                    payload_type,
                    otherwise,
                } => {
                    if !self.is_offered(payload_type) {
                        return self.refuse(Refusal::code(otherwise), house);
                    }
                    self.codec = Some(payload_type);
                }
                Step::DislikesCodec {
                    payload_type,
                    otherwise,
                } => {
                    if self.is_offered(payload_type) {
                        return self.refuse(Refusal::code(otherwise), house);
                    }
                }
                Step::Final(Final::Refuse(refusal)) => return self.refuse(refusal, house),
                Step::Final(Final::Answer(answer)) => return self.answer(answer, house),
            }
        }
        let patience = match self.script.on_cancel {
            CancelReaction::Ignore => house.timers().give_up() + house.timers().t4,
            CancelReaction::Terminate | CancelReaction::AnswerAnyway(_) => LONGEST_PENDING,
        };
        self.set_timer(house, patience, Due::Forget);
    }

    /// The INVITE came again: the last response goes out again.
    pub(super) fn on_invite_again(&mut self, branch: &str, house: &mut House) {
        house.board.count(|stats| stats.invite_retransmissions += 1);
        let is_running_one = self.branches.last().is_some_and(|running| running == branch);
        if let (true, Some(response)) = (is_running_one, self.last_response.clone()) {
            self.send_again(&response, house);
        }
    }

    /// The caller comes back after a challenge: the script starts over.
    pub(super) fn on_retry(&mut self, branch: String, invite: Message, wire: Wire, house: &mut House) {
        self.branches.push(branch);
        self.dialog = Dialog::from_invite(&invite);
        self.enter(Phase::Pending);
        self.awaits_ack = false;
        self.last_response = None;
        self.next_step = 0;
        house.board.note(self.number, |record| {
            record.headers.clone_from(&invite.headers);
            record.body = invite.body_text();
            record.outcome = None;
            record.ended = None;
        });
        house.board.count(|stats| {
            stats.auth_retries += 1;
            stats.pending += 1;
        });
        self.invite = invite;
        self.wire = wire;
        self.play(house);
    }

    pub(super) fn on_cancel(&mut self, cancel: &Message, house: &mut House) {
        if !self.is_cancelled {
            self.is_cancelled = true;
            house.board.count(|stats| stats.cancels += 1);
        }
        let is_pending = self.phase == Phase::Pending;
        if is_pending && self.script.on_cancel == CancelReaction::Ignore {
            return;
        }
        let accepted = respond(cancel, &self.wire, 200, None, Some(&self.tag));
        self.send(&accepted, house);
        if !is_pending {
            return;
        }
        match self.script.on_cancel {
            CancelReaction::Terminate => {
                let terminated = respond(&self.invite, &self.wire, 487, None, Some(&self.tag));
                self.send_refusal(terminated, Outcome::Cancelled, house);
            }
            CancelReaction::AnswerAnyway(answer) => self.answer(answer, house),
            CancelReaction::Ignore => {}
        }
    }

    pub(super) fn on_ack(&mut self, ack: &Message, house: &mut House) {
        if !self.awaits_ack || ack.cseq().0 != self.invite.cseq().0 {
            return;
        }
        self.awaits_ack = false;
        house.board.count(|stats| stats.acks += 1);
        match self.phase {
            Phase::Answered => self.established(ack, house),
            Phase::Challenged => self.set_timer(house, house.timers().give_up(), Due::Forget),
            Phase::Refused => self.set_timer(house, house.timers().t4, Due::Forget),
            Phase::Pending | Phase::HungUp => {}
        }
    }

    pub(super) fn on_timer(&mut self, timer: Timer, house: &mut House) -> Fate {
        if timer.round != self.round {
            return Fate::Keep;
        }
        match timer.due {
            Due::NextStep => self.play(house),
            Due::RepeatFinal(interval) => self.repeat_final(interval, house),
            Due::CopyFinal => self.copy_final(house),
            Due::NoAck => return self.give_up_on_ack(house),
            Due::HangUp => self.hang_up(house),
            Due::RepeatBye(interval) => self.repeat_bye(interval, house),
            Due::Forget => {
                self.fall_silent(house);
                return Fate::Forget;
            }
        }
        Fate::Keep
    }

    /// Moves on: timers of the phase before are void.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.round += 1;
    }

    pub(super) fn set_timer(&self, house: &mut House, after: Duration, due: Due) {
        let timer = Timer {
            call: self.number,
            round: self.round,
            due,
        };
        house.queue.set(after, timer);
    }

    /// Writes a packet into the record, then sends it.
    pub(super) fn send(&self, message: &Message, house: &House) {
        house
            .board
            .note_packet(self.number, Direction::Sent, message, Moment::now());
        self.wire.send(message);
    }

    /// The same with a change of the counters in between: whoever sees the count or the packet finds the record complete.
    pub(super) fn send_counted(&self, message: &Message, house: &House, change: impl FnOnce(&mut Stats)) {
        house
            .board
            .note_packet(self.number, Direction::Sent, message, Moment::now());
        house.board.count(change);
        self.wire.send(message);
    }

    fn send_provisional(&mut self, code: u16, media: Option<Media>, house: &mut House) -> Result<(), u16> {
        const TRYING: u16 = 100;
        let response = if code == TRYING {
            respond(&self.invite, &self.wire, code, None, None)
        } else {
            let response = respond(&self.invite, &self.wire, code, None, Some(&self.tag));
            let response = self.dialog.join(response, house, self.wire.transport);
            match media {
                Some(media) => response.with_sdp(self.describe_media(media, house)?),
                None => response,
            }
        };
        self.send(&response, house);
        self.last_response = Some(response);
        Ok(())
    }

    fn is_offered(&self, payload_type: u8) -> bool {
        AudioLine::parse(&self.invite.body_text()).is_some_and(|offer| offer.payload_types.contains(&payload_type))
    }

    fn brings_credentials(&self, code: u16, house: &House) -> bool {
        let name = if code == 407 {
            "Proxy-Authorization"
        } else {
            "Authorization"
        };
        let nonce = format!("nonce=\"{}\"", self.tag);
        let login = house.board.settings().login.clone();
        let mut answers = self.invite.headers_named(name);
        answers.any(|value| value.contains(&nonce) && login.as_ref().is_none_or(|login| login.answers(value, "INVITE")))
    }

    fn challenge(&mut self, code: u16, house: &mut House) {
        let name = if code == 407 {
            "Proxy-Authenticate"
        } else {
            "WWW-Authenticate"
        };
        let value = challenge(&house.name, &self.tag);
        let response = respond(&self.invite, &self.wire, code, None, Some(&self.tag)).with(name, value);
        self.enter(Phase::Challenged);
        self.note_end(Outcome::Refused(code), house);
        self.send_final(response, house, |stats| {
            stats.pending -= 1;
            stats.challenges += 1;
        });
    }

    fn refuse(&mut self, refusal: Refusal, house: &mut House) {
        let phrase = refusal.phrase.as_deref();
        let mut response = respond(&self.invite, &self.wire, refusal.code, phrase, Some(&self.tag));
        response.headers.extend(refusal.headers);
        self.send_refusal(response, Outcome::Refused(refusal.code), house);
    }

    pub(super) fn send_refusal(&mut self, response: Message, outcome: Outcome, house: &mut House) {
        self.enter(Phase::Refused);
        self.note_end(outcome, house);
        self.send_final(response, house, |stats| {
            stats.pending -= 1;
            stats.refused += 1;
        });
    }

    fn answer(&mut self, answer: Answer, house: &mut House) {
        let sdp = match self.describe_media(answer.media, house) {
            Ok(sdp) => sdp,
            Err(code) => return self.refuse(Refusal::code(code), house),
        };
        let response = respond(&self.invite, &self.wire, 200, None, Some(&self.tag));
        let response = self.dialog.join(response, house, self.wire.transport).with_sdp(sdp);
        self.dialog.hang_up_after = answer.hang_up_after;
        self.enter(Phase::Answered);
        house
            .board
            .note(self.number, |record| record.answered = Some(Moment::now()));
        self.send_final(response, house, |stats| {
            stats.pending -= 1;
            stats.answered += 1;
            stats.active += 1;
        });
    }

    fn describe_media(&mut self, media: Media, house: &House) -> Result<String, u16> {
        let mut open = match self.media.take() {
            Some(open) => open,
            None => {
                let offer = self.invite.body_text();
                CallMedia::open(self.number, &offer, self.codec, self.script.uses_rtp(), house)?
            }
        };
        open.play(media);
        let counters = open.counters();
        house.board.note(self.number, |record| record.rtp = counters);
        Ok(self.media.insert(open).describe())
    }

    /// Closes the record; the counters follow with the packet that ends the call.
    pub(super) fn note_end(&self, outcome: Outcome, house: &House) {
        house.board.note(self.number, |record| {
            record.outcome = Some(outcome);
            record.ended = Some(Moment::now());
        });
    }

    /// Sends a final response and sees to its repetition until the ACK: over UDP always, over TCP only a 200
    /// (RFC 3261 sections 13.3.1.4 and 17.2.1).
    fn send_final(&mut self, response: Message, house: &mut House, change: impl FnOnce(&mut Stats)) {
        let timers = house.timers();
        self.awaits_ack = true;
        self.send_counted(&response, house, change);
        self.last_response = Some(response);
        self.set_timer(house, timers.give_up(), Due::NoAck);
        if self.phase == Phase::Answered || self.wire.transport == Transport::Udp {
            self.set_timer(house, timers.t1, Due::RepeatFinal(timers.t1));
        }
        for copy in 1..self.script.final_copies {
            self.set_timer(house, COPY_INTERVAL * copy, Due::CopyFinal);
        }
    }

    fn repeat_final(&mut self, interval: Duration, house: &mut House) {
        if self.awaits_ack {
            self.copy_final(house);
            let interval = house.timers().next_interval(interval);
            self.set_timer(house, interval, Due::RepeatFinal(interval));
        }
    }

    fn copy_final(&self, house: &House) {
        if let Some(response) = &self.last_response {
            self.send_again(response, house);
        }
    }

    fn send_again(&self, response: &Message, house: &House) {
        let is_final = response.code().is_some_and(|code| code >= 200);
        self.send_counted(response, house, |stats| {
            stats.final_retransmissions += u64::from(is_final)
        });
    }

    fn give_up_on_ack(&mut self, house: &mut House) -> Fate {
        if !self.awaits_ack {
            return Fate::Keep;
        }
        self.awaits_ack = false;
        match self.phase {
            Phase::Answered => {
                self.end_dialog(Outcome::NeverAcknowledged, house);
                self.send_bye(house);
                Fate::Keep
            }
            Phase::Pending | Phase::Challenged | Phase::Refused | Phase::HungUp => Fate::Forget,
        }
    }

    /// The call is forgotten; if it never got a final response, that is its outcome.
    fn fall_silent(&self, house: &House) {
        if self.phase == Phase::Pending {
            self.note_end(Outcome::Silence, house);
            house.board.count(|stats| stats.pending -= 1);
        }
    }
}

fn record_of(invite: &Message, wire: &Wire, received: Moment) -> CallRecord {
    let number = match &invite.start {
        StartLine::Request { uri, .. } => user_of(uri),
        StartLine::Response { .. } => String::new(),
    };
    let from = NameAddr::parse(invite.header("From").unwrap_or_default());
    CallRecord {
        call_id: invite.header("Call-ID").unwrap_or_default().to_owned(),
        number,
        caller_number: user_of(from.uri),
        caller_name: from.display_name(),
        transport: wire.transport,
        peer: wire.peer,
        headers: invite.headers.clone(),
        body: invite.body_text(),
        packets: vec![Packet::new(invite, Direction::Received, received)],
        outcome: None,
        answered: None,
        ended: None,
        rtp: None,
    }
}
