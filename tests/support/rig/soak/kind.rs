//! The kinds of call: what the carriers do with each, and how it ends for the dialer.

use std::time::Duration;

use super::super::super::asterisk::dialplan::{AUTO_DIAL_EXTENSION, CUSTOMER_EXTENSION};
use super::super::super::error::LabError;
use super::super::super::sip::{Answer, CancelReaction, FakeCarrier, NotSeen, Refusal, Script};
use super::super::{DIAL_TIMEOUT, Engine, Entry, Number, Rig, SOON};

/// One kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// 503, and the backup answers.
    Unavailable,
    /// The carrier says nothing; the backup answers.
    Silent,
    /// 486: nobody else is asked.
    Busy,
    /// 404: nobody else is asked.
    DeadNumber,
    /// Answered, and hung up by the called party soon.
    Short,
    /// Answered, and hung up by the called party later.
    Long,
    /// Answered, and hung up by the caller.
    CallerEnds,
    /// It rings until the caller hangs up.
    CallerGivesUp,
    /// The same, and the carrier answers the CANCEL with 200 to the INVITE.
    LateAnswer,
    /// 503 or an answer, as the carrier feels; the backup answers.
    Flapping,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Unavailable,
        Self::Silent,
        Self::Busy,
        Self::DeadNumber,
        Self::Short,
        Self::Long,
        Self::CallerEnds,
        Self::CallerGivesUp,
        Self::LateAnswer,
        Self::Flapping,
    ];

    /// One word for people and machines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Silent => "silent",
            Self::Busy => "busy",
            Self::DeadNumber => "dead_number",
            Self::Short => "short",
            Self::Long => "long",
            Self::CallerEnds => "caller_ends",
            Self::CallerGivesUp => "caller_gives_up",
            Self::LateAnswer => "late_answer",
            Self::Flapping => "flapping",
        }
    }

    /// The area code of its numbers.
    const fn area(self) -> &'static str {
        match self {
            Self::Unavailable => "401",
            Self::Silent => "402",
            Self::Busy => "403",
            Self::DeadNumber => "404",
            Self::Short => "405",
            Self::Long => "406",
            Self::CallerEnds => "407",
            Self::CallerGivesUp => "408",
            Self::LateAnswer => "409",
            Self::Flapping => "410",
        }
    }

    /// How its numbers begin on the wire.
    pub fn prefix(self) -> String {
        format!("1{}", self.area())
    }

    const fn entry(self) -> Entry {
        match self {
            Self::Flapping => Entry::OldDriver,
            Self::Unavailable
            | Self::Silent
            | Self::Busy
            | Self::DeadNumber
            | Self::Short
            | Self::Long
            | Self::CallerEnds
            | Self::CallerGivesUp
            | Self::LateAnswer => Entry::Primary,
        }
    }

    /// What the first carrier does with it; `refuses` counts for the flapping one.
    pub fn at_primary(self, refuses: bool) -> Script {
        match self {
            Self::Unavailable => Script::refuse(503),
            Self::Silent => Script::silence(),
            Self::Flapping if refuses => Script::refuse(503),
            Self::Busy
            | Self::DeadNumber
            | Self::Short
            | Self::Long
            | Self::CallerEnds
            | Self::CallerGivesUp
            | Self::LateAnswer
            | Self::Flapping => self.at_backup(),
        }
    }

    /// What the backup does with it.
    pub fn at_backup(self) -> Script {
        let rings = Script::new().trying().ringing();
        let answers = |talks: Duration| Answer::without_rtp().hang_up_after(talks);
        match self {
            Self::Busy => Script::new().trying().finally(Refusal::code(486)),
            Self::DeadNumber => Script::new().trying().finally(Refusal::code(404)),
            Self::Unavailable | Self::Silent | Self::Short | Self::Flapping => {
                rings.finally(answers(Duration::from_millis(300)))
            }
            Self::Long => rings.finally(answers(Duration::from_secs(8))),
            Self::CallerEnds => rings.finally(Answer::without_rtp()),
            Self::CallerGivesUp => rings,
            Self::LateAnswer => rings.on_cancel(CancelReaction::AnswerAnyway(Answer::without_rtp())),
        }
    }

    /// The DIALSTATUS that the dialer is told.
    const fn dialstatus(self) -> &'static str {
        match self {
            Self::Busy => "BUSY",
            Self::DeadNumber => "CHANUNAVAIL",
            Self::CallerGivesUp | Self::LateAnswer => "CANCEL",
            Self::Unavailable | Self::Silent | Self::Short | Self::Long | Self::CallerEnds | Self::Flapping => "ANSWER",
        }
    }

    /// Where the dialer's half waits once the call is answered: the one hangs up after two seconds, the other never.
    const fn waits_at(self) -> &'static str {
        match self {
            Self::Long => CUSTOMER_EXTENSION,
            Self::Unavailable
            | Self::Silent
            | Self::Busy
            | Self::DeadNumber
            | Self::Short
            | Self::CallerEnds
            | Self::CallerGivesUp
            | Self::LateAnswer
            | Self::Flapping => AUTO_DIAL_EXTENSION,
        }
    }

    /// Places one such call and waits for its end; what was not as it should be.
    pub async fn play(self, rig: &Rig, engine: Engine) -> Result<Option<String>, LabError> {
        let number = rig.number_in(self.entry(), self.area());
        let variables = [("CB_ENGINE", engine.as_str())];
        let call = rig
            .dialer
            .auto_dial_with(&number.dialled, DIAL_TIMEOUT, self.waits_at(), &variables)
            .await?;
        match self {
            Self::CallerGivesUp | Self::LateAnswer => {
                asked(rig, &number).await?;
                let half = rig.dialer.half_of(&call).await?;
                rig.asterisk.ami().hangup(&half.name).await?;
            }
            Self::Unavailable
            | Self::Silent
            | Self::Busy
            | Self::DeadNumber
            | Self::Short
            | Self::Long
            | Self::CallerEnds
            | Self::Flapping => {}
        }
        let end = rig.agi.wait_for_end(&call.code, DIAL_TIMEOUT + SOON).await?;
        let is_right = end.dialstatus == self.dialstatus();
        Ok((!is_right).then(|| format!("{}: {} {:?}", number.wire, end.dialstatus, end.hangup_cause)))
    }
}

/// Waits until one of the carriers has been asked for a number.
async fn asked(rig: &Rig, number: &Number) -> Result<(), LabError> {
    let at = |carrier: &'static str, asked: Result<_, NotSeen>| {
        asked
            .map(|_| ())
            .map_err(|error| LabError::Missing(format!("{carrier}, {}: {error}", number.wire)))
    };
    let has = |carrier: &FakeCarrier| carrier.has_call_to(&number.wire);
    tokio::select! {
        asked = rig.primary.wait_for(|_| has(&rig.primary), DIAL_TIMEOUT) => at("PRIMARY", asked),
        asked = rig.backup.wait_for(|_| has(&rig.backup), DIAL_TIMEOUT) => at("BACKUP", asked),
    }
}
