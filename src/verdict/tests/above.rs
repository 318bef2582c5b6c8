//! The rules above every table, one by one.

use super::*;

#[test]
fn after_183_only_an_early_server_failure_moves_on_and_only_where_that_is_chosen() {
    let chosen = CarrierPolicy {
        failover_after_183: FailoverAfter183::IfServerFailure,
        ..CarrierPolicy::default()
    };
    for (policy, progress, code, milliseconds, expected) in [
        (&chosen, Progress::Media, 503, 2_999, Action::Next),
        (&chosen, Progress::Media, 503, 3_000, Action::Stop),
        (&chosen, Progress::Media, 501, 100, Action::Stop),
        (&chosen, Progress::Media, 403, 100, Action::Stop),
        (&chosen, Progress::Ringing, 503, 100, Action::Stop),
        (&CarrierPolicy::default(), Progress::Media, 503, 100, Action::Stop),
    ] {
        let evidence = Evidence {
            elapsed: Duration::from_millis(milliseconds),
            ..at(progress, answer(code))
        };
        let verdict = judged(&evidence, policy);
        assert_eq!(verdict.action, expected, "{code} after {progress:?}, {milliseconds} ms");
    }
}

#[test]
fn a_carrier_that_fakes_progress_never_rang() {
    let faking = CarrierPolicy {
        fakes_progress: true,
        ..CarrierPolicy::default()
    };
    for progress in [Progress::Ringing, Progress::Media] {
        let rang = at(progress, answer(408));
        assert_eq!(plainly(&rang).action, Action::Stop);
        let verdict = judged(&rang, &faking);
        assert_eq!((verdict.action, &*verdict.rule), (Action::Next, "sip_408"));
    }
}

#[test]
fn a_leg_whose_end_nobody_saw_moves_on_only_if_it_cannot_have_been_answered() {
    for (progress, elapsed_ms, refused, expected) in [
        (Progress::None, 1_300, false, Action::Stop),
        (Progress::None, 1_300, true, Action::Stop),
        (Progress::None, 300, false, Action::Next),
        (Progress::None, 300, true, Action::Next),
        (Progress::Ringing, 300, false, Action::Stop),
    ] {
        let unseen = Evidence {
            ended_by: EndedBy::Unseen,
            elapsed: Duration::from_millis(elapsed_ms),
            sip: None,
            q850: None,
            refused,
            ..at(progress, answer(500))
        };
        assert_eq!(plainly(&unseen).action, expected, "{progress:?} after {elapsed_ms} ms");
    }
}

#[test]
fn silence_and_a_carrier_out_of_reach_move_on_and_count_against_it() {
    let silent = Evidence {
        ended_by: EndedBy::Us(AbandonReason::NoResponse),
        sip: None,
        q850: None,
        ..at(Progress::None, answer(500))
    };
    let refused = Evidence {
        refused: true,
        ended_by: EndedBy::Carrier,
        ..silent.clone()
    };
    for (evidence, rule) in [(silent, "no_response"), (refused, "refused")] {
        let verdict = plainly(&evidence);
        assert_eq!((verdict.action, verdict.health), (Action::Next, Health::Strong));
        assert_eq!(&*verdict.rule, rule);
    }
}
