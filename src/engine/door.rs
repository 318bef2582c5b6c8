//! The door in front of every leg: a task that owns the admission ledger, and permits that give back what they took.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::admission::{AttemptKind, CarrierBooks, CarrierLimits, Ledger, Ticket};
use crate::call::AdmissionRefusal;
use crate::carrier::CarrierId;

type Mailbox = mpsc::UnboundedSender<Request>;

#[derive(Debug)]
enum Request {
    Admit {
        carrier: CarrierId,
        kind: AttemptKind,
        mailbox: Mailbox,
        answer: oneshot::Sender<Result<Permit, AdmissionRefusal>>,
    },
    Adopt {
        carrier: CarrierId,
        mailbox: Mailbox,
        answer: oneshot::Sender<Permit>,
    },
    Count(CarrierId, AdmissionRefusal),
    Release(Ticket),
    SetLimits(HashMap<CarrierId, CarrierLimits>),
    Close,
    BooksAreMade,
    Books(oneshot::Sender<Vec<(CarrierId, CarrierBooks)>>),
}

/// A handle on the task that owns the ledger. The mailbox is unbounded because a release must never wait or be lost; every
/// call has at most one request in it.
#[derive(Clone, Debug)]
pub struct Door {
    mailbox: Mailbox,
}

impl Door {
    /// Starts the task; it ends when the last handle and the last permit are gone.
    pub fn open() -> Self {
        Self::open_with(Desk::default(), Duration::ZERO)
    }

    /// The same where legs may be out already that the books do not have: until [`Door::books_are_made`], and no longer than
    /// `limit`, a leg through a carrier that limits its channels waits.
    pub fn open_before_the_books(limit: Duration) -> Self {
        let desk = Desk {
            waiting: Some(Vec::new()),
            ..Desk::default()
        };
        Self::open_with(desk, limit)
    }

    fn open_with(mut desk: Desk, limit: Duration) -> Self {
        let (mailbox, mut requests) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let wait_is_over = tokio::time::sleep(limit);
            tokio::pin!(wait_is_over);
            loop {
                tokio::select! {
                    request = requests.recv() => match request {
                        Some(request) => desk.serve(request),
                        None => return,
                    },
                    () = &mut wait_is_over, if desk.waiting.is_some() => desk.serve_who_waits(),
                }
            }
        });
        Self { mailbox }
    }

    /// Every leg that was out before is in the books.
    pub fn books_are_made(&self) {
        let _ = self.mailbox.send(Request::BooksAreMade);
    }

    /// Asks for one leg through a carrier.
    ///
    /// # Errors
    /// The reason for which it may not go out.
    pub async fn admit(&self, carrier: &CarrierId, kind: AttemptKind) -> Result<Permit, AdmissionRefusal> {
        let (answer, permit) = oneshot::channel();
        let request = Request::Admit {
            carrier: carrier.clone(),
            kind,
            mailbox: self.mailbox.clone(),
            answer,
        };
        self.mailbox.send(request).map_err(|_| AdmissionRefusal::ShuttingDown)?;
        permit.await.map_err(|_| AdmissionRefusal::ShuttingDown)?
    }

    /// Counts a leg that was not let out for a reason of somebody else's.
    pub fn count(&self, carrier: &CarrierId, refusal: AdmissionRefusal) {
        let _ = self.mailbox.send(Request::Count(carrier.clone(), refusal));
    }

    /// Enters a leg that is out already, found after a restart. `None` when the door's task is gone.
    pub async fn adopt(&self, carrier: &CarrierId) -> Option<Permit> {
        let (answer, permit) = oneshot::channel();
        let request = Request::Adopt {
            carrier: carrier.clone(),
            mailbox: self.mailbox.clone(),
            answer,
        };
        self.mailbox.send(request).ok()?;
        permit.await.ok()
    }

    /// What the carriers allow this dialer from now on; a carrier that is not in it has no limits.
    pub fn set_limits(&self, limits: HashMap<CarrierId, CarrierLimits>) {
        let _ = self.mailbox.send(Request::SetLimits(limits));
    }

    /// No further leg goes out.
    pub fn close(&self) {
        let _ = self.mailbox.send(Request::Close);
    }

    /// Legs that are out.
    pub async fn legs_out(&self) -> u32 {
        self.books().await.iter().map(|(_, books)| books.legs_out).sum()
    }

    /// Legs that are out through each carrier, by carrier; carriers with none are not in it.
    pub async fn legs_out_by_carrier(&self) -> Vec<(CarrierId, u32)> {
        let books = self.books().await.into_iter();
        books
            .map(|(carrier, books)| (carrier, books.legs_out))
            .filter(|(_, legs_out)| *legs_out > 0)
            .collect()
    }

    /// Legs, limits and refusals of each carrier, by carrier.
    pub async fn books(&self) -> Vec<(CarrierId, CarrierBooks)> {
        let (answer, books) = oneshot::channel();
        if self.mailbox.send(Request::Books(answer)).is_err() {
            return Vec::new();
        }
        books.await.unwrap_or_default()
    }
}

/// The task's own side.
#[derive(Debug, Default)]
struct Desk {
    ledger: Ledger,
    /// Who waits for the books to be made; `None` once they are.
    waiting: Option<Vec<Request>>,
}

impl Desk {
    fn serve(&mut self, request: Request) {
        match request {
            Request::Admit { ref carrier, .. } if self.ledger.limits_channels(carrier) => match &mut self.waiting {
                Some(waiting) => waiting.push(request),
                None => serve(&mut self.ledger, request),
            },
            Request::BooksAreMade => self.serve_who_waits(),
            Request::Close => {
                serve(&mut self.ledger, request);
                self.serve_who_waits();
            }
            Request::Admit { .. }
            | Request::Adopt { .. }
            | Request::Count(..)
            | Request::Release(_)
            | Request::SetLimits(_)
            | Request::Books(_) => serve(&mut self.ledger, request),
        }
    }

    fn serve_who_waits(&mut self) {
        for request in self.waiting.take().into_iter().flatten() {
            serve(&mut self.ledger, request);
        }
    }
}

/// Permits travel as guards: one that nobody takes any more gives its place back by itself.
fn serve(ledger: &mut Ledger, request: Request) {
    match request {
        Request::Admit {
            carrier,
            kind,
            mailbox,
            answer,
        } => {
            let verdict = ledger.admit(&carrier, kind, Instant::now());
            let _ = answer.send(verdict.map(|ticket| Permit::new(ticket, mailbox)));
        }
        Request::Adopt {
            carrier,
            mailbox,
            answer,
        } => {
            let _ = answer.send(Permit::new(ledger.adopt(&carrier, Instant::now()), mailbox));
        }
        Request::Count(carrier, refusal) => ledger.count(&carrier, refusal),
        Request::Release(ticket) => ledger.release(ticket),
        Request::SetLimits(limits) => ledger.set_limits(&limits),
        Request::Close => ledger.close(),
        Request::BooksAreMade => {}
        Request::Books(answer) => {
            let _ = answer.send(ledger.books());
        }
    }
}

/// The right to have one leg out; dropping it gives the place back exactly once.
#[derive(Debug)]
pub struct Permit {
    ticket: Option<Ticket>,
    mailbox: Mailbox,
}

impl Permit {
    const fn new(ticket: Ticket, mailbox: Mailbox) -> Self {
        Self {
            ticket: Some(ticket),
            mailbox,
        }
    }

    /// When the leg was let out.
    pub fn given_at(&self) -> Option<Instant> {
        self.ticket.as_ref().map(Ticket::given_at)
    }

    /// The leg took the last place that the carrier allowed: that the carrier refuses it may be our own doing.
    pub fn is_at_limit(&self) -> bool {
        self.ticket.as_ref().is_some_and(Ticket::is_at_limit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let _ = self.mailbox.send(Request::Release(ticket));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::admission::AttemptKind::First;

    fn channels(carrier: &CarrierId, max_channels: u32) -> HashMap<CarrierId, CarrierLimits> {
        let limits = CarrierLimits {
            max_channels: Some(max_channels),
            max_calls_per_second: None,
        };
        HashMap::from([(carrier.clone(), limits)])
    }

    #[tokio::test]
    async fn a_dropped_permit_gives_its_place_back_once() {
        let door = Door::open();
        let carrier = CarrierId::from("A");
        let first = door.admit(&carrier, First).await.expect("the door is open");
        let first_at = first.given_at().expect("it is held");
        let retry = AttemptKind::Retry { first_at };
        let second = door.admit(&carrier, retry).await.expect("the door is open");
        assert_eq!(door.legs_out().await, 2);
        assert_eq!(door.legs_out_by_carrier().await, [(carrier.clone(), 2)]);
        drop(first);
        assert_eq!(door.legs_out().await, 1);
        door.close();
        assert_eq!(
            door.admit(&carrier, First).await.map(|_| ()),
            Err(AdmissionRefusal::ShuttingDown)
        );
        drop(second);
        assert_eq!(door.legs_out().await, 0);
    }

    #[tokio::test]
    async fn a_permit_that_nobody_waits_for_any_more_comes_back() {
        let door = Door::open();
        let carrier = CarrierId::from("A");
        // Polled once: the request is in the mailbox, then the one who asked goes away.
        let mut asking = Box::pin(door.admit(&carrier, First));
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(asking.as_mut().poll(context))).await;
        assert!(polled.is_pending());
        // The answer to a later request shows that the permit was sent.
        door.books().await;
        drop(asking);
        assert_eq!(door.legs_out().await, 0);
    }

    /// Polled once, what is asked for is in the mailbox.
    async fn is_pending<F: Future>(asking: &mut std::pin::Pin<Box<F>>) -> bool {
        std::future::poll_fn(|context| std::task::Poll::Ready(asking.as_mut().poll(context).is_pending())).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_holds_for_legs_that_are_found_after_a_restart() {
        let door = Door::open_before_the_books(Duration::from_secs(5));
        let (limited, other) = (CarrierId::from("A"), CarrierId::from("B"));
        door.set_limits(channels(&limited, 1));
        assert!(door.admit(&other, First).await.is_ok(), "it has no limit");
        let mut asking = Box::pin(door.admit(&limited, First));
        assert!(is_pending(&mut asking).await);
        let _found = door.adopt(&limited).await.expect("the door is open");
        assert!(is_pending(&mut asking).await, "more may be found");
        door.books_are_made();
        assert_eq!(asking.await.map(|_| ()), Err(AdmissionRefusal::ChannelLimit));
        assert!(door.admit(&other, First).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_for_the_books() {
        let door = Door::open_before_the_books(Duration::from_secs(5));
        let carrier = CarrierId::from("A");
        door.set_limits(channels(&carrier, 1));
        assert!(door.admit(&carrier, First).await.is_ok());

        let door = Door::open_before_the_books(Duration::from_secs(5));
        door.set_limits(channels(&carrier, 1));
        let mut asking = Box::pin(door.admit(&carrier, First));
        assert!(is_pending(&mut asking).await);
        door.close();
        assert_eq!(asking.await.map(|_| ()), Err(AdmissionRefusal::ShuttingDown));
    }

    #[tokio::test]
    async fn legs_found_after_a_restart_take_their_places() {
        let door = Door::open();
        let carrier = CarrierId::from("A");
        door.set_limits(channels(&carrier, 1));
        let adopted = door.adopt(&carrier).await.expect("the door is open");
        let refused = door.admit(&carrier, First).await.map(|_| ());
        assert_eq!(refused, Err(AdmissionRefusal::ChannelLimit));
        drop(adopted);
        assert!(door.admit(&carrier, First).await.is_ok());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_calls_at_once_never_exceed_the_limit() {
        const LIMIT: u32 = 7;
        let door = Door::open();
        let carrier = CarrierId::from("A");
        door.set_limits(channels(&carrier, LIMIT));
        let (held, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let (door, carrier) = (door.clone(), carrier.clone());
            let (held, most) = (Arc::clone(&held), Arc::clone(&most));
            calls.spawn(async move {
                for _ in 0..50 {
                    if let Ok(permit) = door.admit(&carrier, First).await {
                        let now_held = held.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now_held, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                        held.fetch_sub(1, Ordering::SeqCst);
                        drop(permit);
                    }
                }
            });
        }
        while let Some(call) = calls.join_next().await {
            call.expect("the call ends by itself");
        }
        let most = most.load(Ordering::SeqCst);
        assert!((2..=LIMIT).contains(&most), "{most} at once");
        assert_eq!(door.legs_out().await, 0);
    }
}
