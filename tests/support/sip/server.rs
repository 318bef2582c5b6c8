//! The one task of a carrier: owns its calls and finds the call that a packet, timer or command belongs to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;

use super::board::{Board, Reply};
use super::call::{Call, Fate, Phase};
use super::digest::challenge;
use super::header::{NameAddr, transaction_key};
use super::message::{Message, StartLine};
use super::record::{Direction, Moment};
use super::reply::{respond, wire_for_responses};
use super::timers::{CallNumber, SipTimers, Timer, TimerQueue};
use super::transport::{Arrival, Transport, Wire};

/// To tag of responses that belong to no call.
const NO_CALL_TAG: &str = "0-none";

/// What the task reacts to, timers aside.
#[derive(Debug)]
pub(super) enum Input {
    Packet(Arrival),
    HangUp(String),
    HangUpAll,
}

impl From<Arrival> for Input {
    fn from(arrival: Arrival) -> Self {
        Self::Packet(arrival)
    }
}

/// What all calls of a carrier share.
#[derive(Debug)]
pub(super) struct House {
    pub(super) name: String,
    pub(super) address: SocketAddr,
    pub(super) board: Arc<Board>,
    pub(super) queue: TimerQueue,
    /// A port where media may arrive that nobody counts.
    pub(super) silent_media: SocketAddr,
}

impl House {
    pub(super) fn timers(&self) -> SipTimers {
        self.board.timers()
    }

    /// The carrier's own URI, its Contact.
    pub(super) fn uri(&self, transport: Transport) -> String {
        match transport {
            Transport::Udp => format!("sip:{}@{}", self.name, self.address),
            Transport::Tcp => format!("sip:{}@{};transport=tcp", self.name, self.address),
            Transport::Tls => format!("sip:{}@{};transport=tls", self.name, self.address),
        }
    }
}

#[derive(Debug)]
pub(super) struct Server {
    house: House,
    calls: HashMap<CallNumber, Call>,
    by_branch: HashMap<String, CallNumber>,
    by_call_id: HashMap<String, CallNumber>,
    last_number: CallNumber,
}

impl Server {
    pub(super) fn new(house: House) -> Self {
        Self {
            house,
            calls: HashMap::new(),
            by_branch: HashMap::new(),
            by_call_id: HashMap::new(),
            last_number: 0,
        }
    }

    /// Runs until the handle and all sockets are gone.
    pub(super) async fn run(mut self, mut inputs: mpsc::UnboundedReceiver<Input>) {
        loop {
            tokio::select! {
                input = inputs.recv() => match input {
                    Some(Input::Packet(arrival)) => self.on_arrival(arrival),
                    Some(Input::HangUp(call_id)) => self.hang_up(|call| call.call_id() == call_id),
                    Some(Input::HangUpAll) => self.hang_up(|_| true),
                    None => return,
                },
                timer = self.house.queue.next() => self.on_timer(timer),
            }
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        if let Some(call) = self.calls.get_mut(&timer.call)
            && call.on_timer(timer, &mut self.house) == Fate::Forget
        {
            self.forget(timer.call);
        }
    }

    fn forget(&mut self, number: CallNumber) {
        if let Some(call) = self.calls.remove(&number) {
            for branch in &call.branches {
                self.by_branch.remove(branch);
            }
            if self.by_call_id.get(call.call_id()) == Some(&number) {
                self.by_call_id.remove(call.call_id());
            }
            self.house.board.close_record(number);
            self.house.board.count(|stats| stats.remembered -= 1);
        }
    }

    fn hang_up(&mut self, is_meant: impl Fn(&Call) -> bool) {
        for call in self.calls.values_mut().filter(|call| is_meant(call)) {
            call.hang_up(&mut self.house);
        }
    }

    fn on_arrival(&mut self, arrival: Arrival) {
        let Arrival { wire, message, moment } = arrival;
        let Ok(message) = message else {
            self.house.board.count(|stats| stats.malformed += 1);
            return;
        };
        match &message.start {
            StartLine::Response { .. } => self.on_response(&message, moment),
            StartLine::Request { method, .. } => {
                let wire = wire_for_responses(&message, &wire);
                if wire.transport.is_stream() && ["OPTIONS", "REGISTER"].contains(&method.as_str()) {
                    self.house.board.count(|stats| stats.outside_by_stream += 1);
                }
                match method.as_str() {
                    "INVITE" => self.on_invite(message, wire, moment),
                    "ACK" => self.on_ack(&message, moment),
                    "CANCEL" => self.on_cancel(&message, &wire, moment),
                    "OPTIONS" => self.on_options(&message, &wire),
                    "REGISTER" => self.on_register(&message, &wire),
                    _ => self.on_request_within(&message, &wire, moment),
                }
            }
        }
    }

    fn on_invite(&mut self, invite: Message, wire: Wire, moment: Moment) {
        let branch = transaction_key(invite.header("Via").unwrap_or_default());
        if let Some((call, house)) = self.noted_call(self.by_branch.get(&branch).copied(), &invite, moment) {
            return call.on_invite_again(&branch, house);
        }
        if NameAddr::parse(invite.header("To").unwrap_or_default()).tag().is_some() {
            let number = self.number_by_tag(&invite, "To");
            return match self.noted_call(number, &invite, moment) {
                Some((call, house)) => call.on_reinvite(branch, &invite, &wire, house),
                None => self.refuse_unmatched(&invite, &wire),
            };
        }
        if let Some(number) = self.challenged_call(&invite) {
            if let Some((call, house)) = self.noted_call(Some(number), &invite, moment) {
                call.on_retry(branch.clone(), invite, wire, house);
                self.by_branch.insert(branch, number);
            }
            return;
        }
        self.open_call(branch, invite, wire, moment);
    }

    fn open_call(&mut self, branch: String, invite: Message, wire: Wire, moment: Moment) {
        self.last_number += 1;
        let number = self.last_number;
        let mut call = Call::open(number, branch.clone(), invite, wire, moment, &self.house);
        self.by_branch.insert(branch, number);
        self.by_call_id.insert(call.call_id().to_owned(), number);
        call.play(&mut self.house);
        self.calls.insert(number, call);
    }

    fn on_ack(&mut self, ack: &Message, moment: Moment) {
        let number = self.number_by_tag(ack, "To");
        if let Some((call, house)) = self.noted_call(number, ack, moment) {
            call.on_ack(ack, house);
        }
    }

    fn on_cancel(&mut self, cancel: &Message, wire: &Wire, moment: Moment) {
        let branch = transaction_key(cancel.header("Via").unwrap_or_default());
        match self.noted_call(self.by_branch.get(&branch).copied(), cancel, moment) {
            Some((call, house)) => call.on_cancel(cancel, house),
            None => self.refuse_unmatched(cancel, wire),
        }
    }

    fn on_request_within(&mut self, request: &Message, wire: &Wire, moment: Moment) {
        let number = self.number_by_tag(request, "To");
        match self.noted_call(number, request, moment) {
            Some((call, house)) if request.method() == "BYE" => call.on_bye(request, wire, house),
            Some((call, house)) => call.on_other_request(request, wire, house),
            None => self.refuse_unmatched(request, wire),
        }
    }

    fn on_response(&mut self, response: &Message, moment: Moment) {
        let number = self.number_by_tag(response, "From");
        if let Some((call, house)) = self.noted_call(number, response, moment) {
            call.on_response(response, house);
        }
    }

    fn on_options(&self, request: &Message, wire: &Wire) {
        self.house.board.count(|stats| {
            stats.options += 1;
            stats.options_over_tcp += u64::from(wire.transport == Transport::Tcp);
        });
        let reply = self.house.board.settings().options;
        self.answer_outside(request, wire, reply);
    }

    fn on_register(&self, request: &Message, wire: &Wire) {
        self.house.board.count(|stats| stats.registers += 1);
        let (reply, login) = {
            let settings = self.house.board.settings();
            (settings.register, settings.login.clone())
        };
        let Some(login) = login else {
            return self.answer_outside(request, wire, reply);
        };
        let mut answers = request.headers_named("Authorization");
        if answers.any(|answer| login.answers(answer, "REGISTER")) {
            self.house.board.count(|stats| stats.registers_with_login += 1);
            return self.answer_outside(request, wire, reply);
        }
        // The nonce of one registration: whoever comes back with it has read this challenge.
        let nonce = request.header("Call-ID").unwrap_or_default();
        let response = respond(request, wire, 401, None, Some(NO_CALL_TAG));
        wire.send(&response.with("WWW-Authenticate", challenge(&self.house.name, nonce)));
    }

    /// Answers a request outside of calls; a REGISTER finds its own Contact and Expires in the answer.
    fn answer_outside(&self, request: &Message, wire: &Wire, reply: Reply) {
        let (code, later) = match reply {
            Reply::Code(code) => (code, None),
            Reply::Late(code, later) => (code, Some(later)),
            Reply::Silence => return,
        };
        let mut response = respond(request, wire, code, None, Some(NO_CALL_TAG));
        if request.method() == "REGISTER" && code == 200 {
            for name in ["Contact", "Expires"] {
                for value in request.headers_named(name) {
                    response = response.with(name, value);
                }
            }
        }
        let Some(later) = later else {
            return wire.send(&response);
        };
        let wire = wire.clone();
        tokio::spawn(async move {
            tokio::time::sleep(later).await;
            wire.send(&response);
        });
    }

    fn refuse_unmatched(&self, request: &Message, wire: &Wire) {
        self.house.board.count(|stats| stats.unmatched += 1);
        wire.send(&respond(request, wire, 481, None, Some(NO_CALL_TAG)));
    }

    /// The call with that number, once the packet is in its record.
    fn noted_call(
        &mut self,
        number: Option<CallNumber>,
        message: &Message,
        moment: Moment,
    ) -> Option<(&mut Call, &mut House)> {
        let call = self.calls.get_mut(&number?)?;
        self.house
            .board
            .note_packet(call.number, Direction::Received, message, moment);
        Some((call, &mut self.house))
    }

    /// The call whose tag stands in To (of a request) or From (of a response).
    fn number_by_tag(&self, message: &Message, header: &str) -> Option<CallNumber> {
        let tag = NameAddr::parse(message.header(header)?).tag()?;
        let number = tag.split('-').next()?.parse().ok()?;
        let call = self.calls.get(&number)?;
        (call.tag == tag && Some(call.call_id()) == message.header("Call-ID")).then_some(number)
    }

    /// The challenged call that this INVITE brings credentials for.
    fn challenged_call(&self, invite: &Message) -> Option<CallNumber> {
        invite
            .header("Authorization")
            .or_else(|| invite.header("Proxy-Authorization"))?;
        let number = self.by_call_id.get(invite.header("Call-ID")?)?;
        let call = self.calls.get(number)?;
        (call.phase == Phase::Challenged).then_some(*number)
    }
}
