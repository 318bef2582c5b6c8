//! How often each rule was put to the test.

use std::fmt;

macro_rules! rules {
    ($($rule:ident: $what:literal,)*) => {
        /// A situation in which a rule forbids or demands something.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Rule { $(#[doc = $what] $rule,)* }

        const RULES: &[(Rule, &str)] = &[$((Rule::$rule, $what),)*];
    };
}

rules! {
    CallerGoneWhileTrying: "caller gone with a leg out",
    CallerGoneWhileAdmitting: "caller gone while the door is asked",
    CallerGoneWhileTalking: "caller gone after the answer",
    AfterCallerGone: "input that would have moved the call on, after the caller was gone",
    AnsweredOnce: "end of an answered leg with carriers left",
    RangStops: "failure after ringing with carriers, attempts and time left",
    FakedProgressMovesOn: "failure after ringing of a carrier that fakes it, moved on",
    EarlyFailureAfterMediaMovesOn: "server failure soon after 183, moved on by policy",
    UnseenEndStops: "end that nobody saw, with carriers, attempts and time left",
    MovesOn: "failure that moved on",
    OneMore: "failure that allowed one more",
    OneMoreWasTheLast: "no further attempt after the one more",
    VerdictStops: "verdict that stops, with carriers, attempts and time left",
    AttemptsExhausted: "no attempt left, but carriers",
    TimeExhausted: "too little time left, but carriers and attempts",
    FirstAttemptGoesOutLate: "first attempt with less than the minimum left",
    RefusedAtTheDoor: "refused at the door, next carrier asked",
    NoCircuit: "every leg refused for a limit",
    HandedBack: "nothing dialled, back to plain Dial()",
    LateAnswer: "answer of a settled leg",
    SettledLegSpeaks: "other event of a settled leg",
    AnswerTwice: "second answer of the answered leg",
    TakenWhileTrying: "leg taken before its answer was seen",
    Taken: "answered leg taken",
    TakenLegSpeaks: "event of a taken leg",
    GuardAsks: "guard fired, the leg is asked",
    GuardMovesOn: "silent leg left for the next carrier",
    LastCandidateKeepsItsTime: "silent leg kept: nothing to move on to",
    ProgressMovesOn: "leg without progress left for the next carrier",
    EngineLostHoldsTimers: "guard or progress limit while the engine was lost",
    EngineBackAsks: "engine back, guard made up for",
    LimitEnds: "the dialer's own limit ended an unanswered call",
    SetUpTimeExhausted: "set-up time over, but carriers, attempts and time of the dialer left",
    RingLimitEnds: "ringing for as long as the carrier may, with something left to move on to",
    EngineLostHoldsRingLimit: "ring limit while the engine was lost",
    RepairedAtOnce: "refused request repaired, out again at once",
    RepairedAfterAPause: "refused request out again after its pause",
    PauseOutlastsTheTime: "no time left when the pause was over",
    RepairRefusedAtTheDoor: "repaired request refused at the door",
    RepairedOnceIsEnough: "repairable refusal of a carrier that was repaired before",
    NoAttemptForARepair: "repairable refusal with no attempt left",
    NoRepairAfterRinging: "repairable refusal after ringing",
    TakenLegAnswers: "answer of a leg that the dialer took",
    DefinitiveStands: "busy or dead number kept over a later carrier's fault",
    AfterTheEnd: "input after the call had its result",
}

/// Counts by rule.
#[derive(Clone, Debug)]
pub struct Tally([u64; RULES.len()]);

impl Default for Tally {
    fn default() -> Self {
        Self([0; RULES.len()])
    }
}

impl Tally {
    /// Once more.
    pub const fn count(&mut self, rule: Rule) {
        self.0[rule as usize] += 1;
    }

    /// Once more, if so.
    pub const fn count_if(&mut self, holds: bool, rule: Rule) {
        if holds {
            self.count(rule);
        }
    }

    /// The sum of both.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// Rules that were hardly put to the test.
    pub fn rarer_than(&self, least: u64) -> Vec<Rule> {
        let rare = RULES.iter().filter(|(rule, _)| self.0[*rule as usize] < least);
        rare.map(|(rule, _)| *rule).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rule, what) in RULES {
            writeln!(f, "{:>9}  {what}", self.0[*rule as usize])?;
        }
        Ok(())
    }
}
