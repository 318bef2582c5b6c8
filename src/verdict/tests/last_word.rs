//! Which attempt the dialer is told of.

use super::*;

#[test]
fn a_definitive_answer_is_not_hidden_by_a_later_carriers_fault() {
    let hunting = overriding(&["486=next", "404=one_more"]);
    let not_about_the_number = CarrierPolicy {
        overrides: Overrides::parse("404 = { action = \"one_more\", definitive = false }").expect("an override"),
        ..CarrierPolicy::default()
    };
    let rang = at(Progress::Ringing, answer(480));
    let out_of_time = Evidence {
        ended_by: EndedBy::Us(AbandonReason::OutOfTime),
        sip: None,
        q850: None,
        ..at(Progress::None, answer(500))
    };
    let caller_gone = Evidence {
        ended_by: EndedBy::Caller,
        ..out_of_time.clone()
    };
    for (policy, attempts, expected) in [
        (&hunting, vec![answer(486), answer(503)], (DialStatus::Busy, Some(17))),
        (
            &hunting,
            vec![answer(404), answer(503)],
            (DialStatus::ChanUnavail, Some(1)),
        ),
        (
            &hunting,
            vec![answer(486), answer(503), answer(500)],
            (DialStatus::Busy, Some(17)),
        ),
        (&hunting, vec![answer(486), out_of_time], (DialStatus::Busy, Some(17))),
        (
            &hunting,
            vec![answer(486), answer(404)],
            (DialStatus::ChanUnavail, Some(1)),
        ),
        (&hunting, vec![answer(486), rang], (DialStatus::NoAnswer, Some(19))),
        (&hunting, vec![answer(486), caller_gone], (DialStatus::Cancel, None)),
        (&hunting, vec![answer(503), answer(486)], (DialStatus::Busy, Some(17))),
        (
            &hunting,
            vec![answer(500), answer(503)],
            (DialStatus::Congestion, Some(34)),
        ),
        (
            &hunting,
            vec![answer(486), at(Progress::Answered, answer(200))],
            (DialStatus::Answer, None),
        ),
        (
            &not_about_the_number,
            vec![answer(404), answer(503)],
            (DialStatus::Congestion, Some(34)),
        ),
    ] {
        let mut last_word = LastWord::default();
        assert_eq!(last_word.result(), None);
        for evidence in &attempts {
            last_word.hear(&judged(evidence, policy));
        }
        let told = last_word.into_result().map(|result| (result.dialstatus, result.cause));
        let codes: Vec<_> = attempts
            .iter()
            .map(|it| it.sip.as_ref().map(|reply| reply.code))
            .collect();
        assert_eq!(told, Some(expected), "{codes:?}");
    }
}

#[test]
fn an_answer_is_told_whatever_came_before_and_however_the_carrier_fakes() {
    let faking = CarrierPolicy {
        fakes_progress: true,
        ..overriding(&["486=next"])
    };
    let mut last_word = LastWord::default();
    last_word.hear(&judged(&answer(486), &faking));
    last_word.hear(&judged(&at(Progress::Answered, answer(200)), &faking));
    assert_eq!(last_word.result().map(|it| it.dialstatus), Some(DialStatus::Answer));
}

#[test]
fn busy_after_ringing_is_as_definitive_as_busy_at_once() {
    let declined = plainly(&at(Progress::Ringing, answer(486)));
    assert_eq!(
        (&*declined.rule, declined.finding),
        ("after_ringing", Finding::Definitive)
    );
}
