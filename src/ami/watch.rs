//! Asks for the registrations again and again, over a connection that is made anew when it breaks.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::error::Error;
use super::registrations::Registration;
use super::session::{Login, Session};

/// What one question brought.
#[derive(Debug)]
pub enum Seen {
    /// All registrations.
    Registrations(Vec<Registration>),
    /// No answer. It is told once, until an answer comes again.
    Away(Error),
}

/// Asks every `every` until nobody listens any more. A connection that broke is made anew with the next question.
pub async fn watch(login: Login, every: Duration, seen: mpsc::Sender<Seen>) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut session = None;
    let mut is_away = false;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = seen.closed() => return,
        }
        let word = match ask(&login, session.take()).await {
            Ok((open, registrations)) => {
                session = Some(open);
                is_away = false;
                Seen::Registrations(registrations)
            }
            Err(_) if is_away => continue,
            Err(error) => {
                is_away = true;
                Seen::Away(error)
            }
        };
        if seen.send(word).await.is_err() {
            return;
        }
    }
}

async fn ask(login: &Login, session: Option<Session>) -> Result<(Session, Vec<Registration>), Error> {
    let mut session = match session {
        Some(session) => session,
        None => Session::open(login).await?,
    };
    let registrations = session.registrations().await?;
    Ok((session, registrations))
}
