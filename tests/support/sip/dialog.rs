//! A call after its answer: what the dialog remembers, requests within it, and BYE in both directions
//! (RFC 3261 sections 12 to 15).

use std::time::Duration;

use super::call::{Call, Phase};
use super::header::{NameAddr, address_of, parameter};
use super::message::Message;
use super::record::{Direction, Moment, Outcome};
use super::reply::{respond, with_tag};
use super::server::House;
use super::timers::Due;
use super::transport::{Transport, Wire};

/// What a dialog needs beyond its INVITE.
#[derive(Debug)]
pub(super) struct Dialog {
    /// Contact of the caller: Request-URI of our BYE.
    remote_target: String,
    /// Record-Route values, in order.
    route_set: Vec<String>,
    /// When the script hangs up, counted from the ACK.
    pub(super) hang_up_after: Option<Duration>,
    /// The last re-INVITE's transaction key and the response to it.
    last_reinvite: Option<(String, Message)>,
    /// Our BYE and where it went, while it is not answered.
    open_bye: Option<(Message, Wire)>,
}

impl Dialog {
    pub(super) fn from_invite(invite: &Message) -> Self {
        let contact = NameAddr::parse(invite.header("Contact").unwrap_or_default());
        Self {
            remote_target: contact.uri.to_owned(),
            route_set: invite.headers_named("Record-Route").map(str::to_owned).collect(),
            hang_up_after: None,
            last_reinvite: None,
            open_bye: None,
        }
    }

    /// Adds to a response what makes it form a dialog: Record-Route and Contact.
    pub(super) fn join(&self, mut response: Message, house: &House, transport: Transport) -> Message {
        for route in &self.route_set {
            response = response.with("Record-Route", route.clone());
        }
        response
            .with("Contact", format!("<{}>", house.uri(transport)))
            .with("Allow", "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO")
    }

    /// First hop of a request of ours: the first loose route, else the remote target.
    fn next_hop(&self) -> &str {
        self.route_set
            .first()
            .map_or(self.remote_target.as_str(), |route| NameAddr::parse(route).uri)
    }
}

impl Call {
    /// The 200 was acknowledged.
    pub(super) fn established(&mut self, ack: &Message, house: &mut House) {
        if let Some(media) = &mut self.media {
            media.follow(&ack.body_text());
        }
        if let Some(talk_time) = self.dialog.hang_up_after {
            self.set_timer(house, talk_time, Due::HangUp);
        }
    }

    /// A further INVITE within the dialog: same SDP again, media follows the caller.
    pub(super) fn on_reinvite(&mut self, branch: String, request: &Message, wire: &Wire, house: &mut House) {
        if let Some((last, response)) = &self.dialog.last_reinvite
            && *last == branch
        {
            house.board.count(|stats| stats.invite_retransmissions += 1);
            self.send(response, house);
            return;
        }
        house.board.count(|stats| stats.reinvites += 1);
        let response = match (&mut self.media, self.phase) {
            (Some(media), Phase::Answered) => {
                media.follow(&request.body_text());
                let response = respond(request, wire, 200, None, Some(&self.tag));
                self.dialog
                    .join(response, house, wire.transport)
                    .with_sdp(media.describe())
            }
            (_, Phase::Pending) => respond(request, wire, 491, None, Some(&self.tag)),
            (_, Phase::Answered | Phase::Challenged | Phase::Refused | Phase::HungUp) => {
                respond(request, wire, 481, None, Some(&self.tag))
            }
        };
        if let Some(contact) = request.header("Contact") {
            self.dialog.remote_target = NameAddr::parse(contact).uri.to_owned();
        }
        self.send(&response, house);
        self.dialog.last_reinvite = Some((branch, response));
    }

    /// INFO, UPDATE and the like: accepted, without effect but for a new media address.
    pub(super) fn on_other_request(&mut self, request: &Message, wire: &Wire, house: &House) {
        let mut response = respond(request, wire, 200, None, Some(&self.tag));
        if let Some(media) = &mut self.media
            && !request.body.is_empty()
            && request.method() == "UPDATE"
        {
            media.follow(&request.body_text());
            response = response
                .with("Contact", format!("<{}>", house.uri(wire.transport)))
                .with_sdp(media.describe());
        }
        self.send(&response, house);
    }

    pub(super) fn on_bye(&mut self, bye: &Message, wire: &Wire, house: &mut House) {
        let response = respond(bye, wire, 200, None, Some(&self.tag));
        match self.phase {
            Phase::Answered => {
                self.end_dialog(Outcome::HungUpByCaller, house);
                self.set_timer(house, house.timers().t4, Due::Forget);
                self.send_counted(&response, house, |stats| {
                    stats.active -= 1;
                    stats.byes_received += 1;
                });
            }
            Phase::Pending => {
                self.send_counted(&response, house, |stats| stats.byes_received += 1);
                let terminated = respond(&self.invite, &self.wire, 487, None, Some(&self.tag));
                self.send_refusal(terminated, Outcome::Cancelled, house);
            }
            Phase::Challenged | Phase::Refused | Phase::HungUp => self.send(&response, house),
        }
    }

    /// Hangs up; before the ACK only as soon as it comes (RFC 3261 section 15).
    pub(super) fn hang_up(&mut self, house: &mut House) {
        if self.phase != Phase::Answered {
            return;
        }
        if self.awaits_ack {
            self.dialog.hang_up_after = Some(Duration::ZERO);
            return;
        }
        self.end_dialog(Outcome::HungUpByCarrier, house);
        self.send_bye(house);
    }

    /// Ends an answered call and its media, and closes its record.
    pub(super) fn end_dialog(&mut self, outcome: Outcome, house: &House) {
        self.enter(Phase::HungUp);
        self.awaits_ack = false;
        self.media = None;
        self.note_end(outcome, house);
    }

    /// Sends BYE in a dialog whose record is closed.
    pub(super) fn send_bye(&mut self, house: &mut House) {
        let timers = house.timers();
        let bye = self.build_bye(house);
        let next_hop = address_of(self.dialog.next_hop()).unwrap_or(self.wire.peer);
        let wire = self.wire.towards(next_hop);
        house
            .board
            .note_packet(self.number, Direction::Sent, &bye, Moment::now());
        house.board.count(|stats| {
            stats.active -= 1;
            stats.byes_sent += 1;
        });
        wire.send(&bye);
        if wire.transport == Transport::Udp {
            self.set_timer(house, timers.t1, Due::RepeatBye(timers.t1));
        }
        self.dialog.open_bye = Some((bye, wire));
        self.set_timer(house, timers.give_up(), Due::Forget);
    }

    pub(super) fn repeat_bye(&mut self, interval: Duration, house: &mut House) {
        if let Some((bye, wire)) = &self.dialog.open_bye {
            house
                .board
                .note_packet(self.number, Direction::Sent, bye, Moment::now());
            wire.send(bye);
            let interval = house.timers().next_interval(interval);
            self.set_timer(house, interval, Due::RepeatBye(interval));
        }
    }

    /// A response to our BYE.
    pub(super) fn on_response(&mut self, response: &Message, house: &mut House) {
        let is_final = response.code().is_some_and(|code| code >= 200);
        if is_final && response.method() == "BYE" && self.dialog.open_bye.take().is_some() {
            self.set_timer(house, house.timers().t4, Due::Forget);
        }
    }

    fn build_bye(&self, house: &House) -> Message {
        let transport = self.wire.transport;
        let header = |name| self.invite.header(name).unwrap_or_default();
        let via = format!(
            "SIP/2.0/{} {};branch=z9hG4bK-bye-{};rport",
            transport.name(),
            house.address,
            self.tag
        );
        let mut bye = Message::request("BYE", &self.dialog.remote_target)
            .with("Via", via)
            .with("Max-Forwards", "70")
            .with("From", with_tag(header("To"), &self.tag))
            .with("To", header("From"))
            .with("Call-ID", header("Call-ID"))
            .with("CSeq", "1 BYE");
        for route in &self.dialog.route_set {
            bye = bye.with("Route", route.clone());
        }
        bye
    }
}
