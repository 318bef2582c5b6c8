//! The registrations of all channel drivers, in one form.

use crate::asterisk_conf::RegisteredAccount;

use super::error::Error;
use super::message::Message;
use super::session::Session;

/// One registration of Asterisk with a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Who is registered where.
    pub account: RegisteredAccount,
    /// How it stands.
    pub standing: Standing,
    /// The channel driver's own word for that, for example `Auth. Sent`.
    pub said: String,
}

/// How a registration stands; the better, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Refused, expired or given up.
    Lost,
    /// A request is out. `chan_sip` and `chan_iax2` say so for moments when they renew, and nearly all the time when nobody
    /// answers.
    Asking,
    /// Registered.
    Registered,
}

impl Standing {
    /// The words of `chan_sip` (`regstate2str`) and `chan_iax2`, and of `res_pjsip_outbound_registration`: Asterisk 16 and 22.
    fn of(word: &str) -> Self {
        match word {
            "Registered" => Self::Registered,
            "Request Sent" | "Auth. Sent" => Self::Asking,
            _ => Self::Lost,
        }
    }
}

impl Registration {
    /// The best registration of these accounts; `None` when Asterisk has none of them.
    pub fn best<'a>(accounts: &[RegisteredAccount], all: &'a [Self]) -> Option<&'a Self> {
        let own = all
            .iter()
            .filter(|registration| accounts.contains(&registration.account));
        own.max_by_key(|registration| registration.standing)
    }
}

impl Session {
    /// All registrations of this Asterisk. Drivers that are not loaded have none.
    ///
    /// # Errors
    /// When the connection breaks, no answer comes in 5 s, or the user may not ask that (it needs `system` or `reporting` in
    /// `write` of `manager.conf`). The session is of no use afterwards.
    pub async fn registrations(&mut self) -> Result<Vec<Registration>, Error> {
        let mut all = Vec::new();
        let pjsip = self.list("PJSIPShowRegistrationsOutbound").await?;
        all.extend(pjsip.iter().flatten().filter_map(of_pjsip));
        for question in ["SIPshowregistry", "IAXregistry"] {
            let rows = self.list(question).await?;
            all.extend(rows.iter().flatten().filter_map(of_registry));
        }
        Ok(all)
    }
}

/// `OutboundRegistrationDetail`: `ClientUri: sip:user@host`, `ServerUri: sip:host:port`.
fn of_pjsip(row: &Message) -> Option<Registration> {
    if row.get("Event") != "OutboundRegistrationDetail" {
        return None;
    }
    let account = RegisteredAccount::of_uris(row.get("ClientUri"), row.get("ServerUri"))?;
    Some(registration(account, row.get("Status")))
}

/// `RegistryEntry` of `chan_sip` and `chan_iax2`.
fn of_registry(row: &Message) -> Option<Registration> {
    if row.get("Event") != "RegistryEntry" {
        return None;
    }
    let account = RegisteredAccount::new(row.get("Username"), row.get("Host"))?;
    Some(registration(account, row.get("State")))
}

fn registration(account: RegisteredAccount, said: &str) -> Registration {
    Registration {
        account,
        standing: Standing::of(said),
        said: said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(lines: &[&str]) -> Message {
        let mut message = Message::default();
        lines.iter().for_each(|line| message.add_line(line.as_bytes()));
        message
    }

    #[test]
    fn the_drivers_words_become_one_form() {
        let expected = |standing, said: &str| Registration {
            account: RegisteredAccount::new("acct", "sip.example").unwrap(),
            standing,
            said: said.into(),
        };
        let pjsip = message(&[
            "Event: OutboundRegistrationDetail",
            "ServerUri: sip:SIP.example:5080;transport=tcp",
            "ClientUri: sip:acct@other.example",
            "Status: Rejected",
        ]);
        assert_eq!(of_pjsip(&pjsip), Some(expected(Standing::Lost, "Rejected")));
        let row = |state: &str| {
            message(&[
                "Event: RegistryEntry",
                "Host: sip.example",
                "Username: acct",
                &format!("State: {state}"),
            ])
        };
        assert_eq!(
            of_registry(&row("Registered")),
            Some(expected(Standing::Registered, "Registered"))
        );
        assert_eq!(
            of_registry(&row("Auth. Sent")),
            Some(expected(Standing::Asking, "Auth. Sent"))
        );
        assert_eq!(
            of_registry(&row("No Authentication")),
            Some(expected(Standing::Lost, "No Authentication"))
        );
    }

    #[test]
    fn the_best_of_a_carriers_registrations_counts() {
        let of = |host: &str, said: &str| registration(RegisteredAccount::new("acct", host).unwrap(), said);
        let all = [of("a", "Rejected"), of("b", "Request Sent"), of("c", "Registered")];
        let best = |hosts: &[&str]| {
            let accounts: Vec<_> = hosts
                .iter()
                .filter_map(|host| RegisteredAccount::new("acct", host))
                .collect();
            Registration::best(&accounts, &all).map(|registration| registration.standing)
        };
        assert_eq!(best(&["a", "c", "b"]), Some(Standing::Registered));
        assert_eq!(best(&["b", "a"]), Some(Standing::Asking));
        assert_eq!(best(&["a"]), Some(Standing::Lost));
        assert_eq!(best(&["d"]), None);
    }

    #[test]
    fn the_authentication_events_of_the_pjsip_list_are_passed_over() {
        assert_eq!(of_pjsip(&message(&["Event: AuthDetail", "Username: acct"])), None);
    }
}
