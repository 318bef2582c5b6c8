//! Every attempt that can be, and every policy: the rules above hold.

use proptest::prelude::*;

use super::*;

const TECHNOLOGIES: [Technology; 3] = [Technology::Pjsip, Technology::Sip, Technology::Iax2];
const SOURCES: [Source; 3] = [Source::Received, Source::Local, Source::Unknown];
const PROGRESS: [Progress; 5] = [
    Progress::None,
    Progress::Trying,
    Progress::Ringing,
    Progress::Media,
    Progress::Answered,
];
const ENDS: [EndedBy; 9] = [
    EndedBy::Carrier,
    EndedBy::Caller,
    EndedBy::Dialer,
    EndedBy::Unseen,
    EndedBy::Us(AbandonReason::NoResponse),
    EndedBy::Us(AbandonReason::NoProgress),
    EndedBy::Us(AbandonReason::OutOfTime),
    EndedBy::Us(AbandonReason::CallerGone),
    EndedBy::Us(AbandonReason::LateAnswer),
];

#[test]
fn every_attempt_has_a_verdict_and_no_rule_above_the_tables_is_broken() {
    let replies = std::iter::once(None).chain((300..=699).map(Some));
    let causes = std::iter::once(None).chain((1..=127).map(Some));
    let answers = replies
        .map(|code| (code, code.and_then(cause_of_code)))
        .chain(causes.map(|cause| (None, cause)));
    let policies = [
        CarrierPolicy::default(),
        CarrierPolicy {
            fakes_progress: true,
            ..CarrierPolicy::default()
        },
        overriding(&[
            "3xx=next",
            "4xx=next",
            "5xx=next",
            "6xx=next",
            "17=next",
            "16=next",
            "phrase:x=next",
        ]),
    ];
    for (code, q850) in answers {
        for technology in TECHNOLOGIES {
            for source in SOURCES {
                for progress in PROGRESS {
                    for ended_by in ENDS {
                        let evidence = Evidence {
                            sip: code.map(|code| SipReply {
                                code,
                                phrase: "x".to_owned(),
                            }),
                            q850,
                            source,
                            progress,
                            ended_by,
                            technology,
                            ..answer(500)
                        };
                        for policy in &policies {
                            check(&evidence, policy, &judged(&evidence, policy));
                        }
                    }
                }
            }
        }
    }
}

fn check(evidence: &Evidence, policy: &CarrierPolicy, verdict: &Verdict) {
    let moves_on = verdict.action.moves_on();
    assert!(!(moves_on && evidence.ended_by_caller()), "caller gone: {evidence:?}");
    assert!(
        !(moves_on && evidence.progress == Progress::Answered),
        "answered: {evidence:?}"
    );
    let rang = evidence.progress >= Progress::Ringing && !policy.fakes_progress;
    assert!(!(moves_on && rang), "after ringing: {evidence:?}");
    let out_of_time = evidence.ended_by == EndedBy::Us(AbandonReason::OutOfTime);
    assert!(!(moves_on && out_of_time), "no time left: {evidence:?}");
    assert!(!verdict.why.is_empty() && !verdict.rule.is_empty(), "{evidence:?}");
    assert_ne!(
        verdict.action,
        Action::RepairAndRetry,
        "nothing is repaired unasked: {evidence:?}"
    );
    if evidence.final_reply().is_some() || evidence.q850.is_some() {
        assert_ne!(&*verdict.rule, "no_cause", "{evidence:?}");
    }
    if evidence.progress != Progress::Answered {
        assert_ne!(verdict.dialer.dialstatus, DialStatus::Answer, "{evidence:?}");
    }
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    let reply = prop::option::of((100_u16..700, "[ -~]{0,40}"))
        .prop_map(|reply| reply.map(|(code, phrase)| SipReply { code, phrase }));
    (
        reply,
        prop::option::of(any::<u8>()),
        prop::sample::select(SOURCES.to_vec()),
        prop::sample::select(PROGRESS.to_vec()),
        prop::sample::select(ENDS.to_vec()),
        any::<bool>(),
        0_u64..40_000,
        prop::sample::select(TECHNOLOGIES.to_vec()),
    )
        .prop_map(
            |(sip, q850, source, progress, ended_by, refused, elapsed_ms, technology)| Evidence {
                sip,
                q850,
                source,
                progress,
                ended_by,
                refused,
                elapsed: Duration::from_millis(elapsed_ms),
                technology,
                retry_after: None,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_can_be_set_for_a_carrier_breaks_a_rule_above(
        evidence in any_evidence(),
        faking in any::<bool>(),
        preset in prop::option::of(prop::sample::select(vec!["telnyx", "commio", "didww", "wholesale"])),
        action in prop::sample::select(Action::ALL.to_vec()),
        at_our_limit in any::<bool>(),
    ) {
        let all = ["3xx", "4xx", "5xx", "6xx", "phrase:e*"].map(|answer| format!("{answer}={}", action.as_str()));
        let policy = CarrierPolicy {
            fakes_progress: faking,
            preset: preset.map(|name| Rulebook::built_in().preset(name).expect("a preset")),
            ..overriding(&all.each_ref().map(String::as_str))
        };
        let rules = Rulebook::built_in();
        let circumstances = Circumstances { policy: &policy, rules, at_our_limit };
        let explanation = explain(&evidence, &circumstances);
        let verdict = judge(&evidence, &circumstances);
        check_random(&evidence, &policy, &verdict);
        prop_assert_eq!(&explanation.verdict, &verdict);
        let first = explanation.opinions.first().expect("an opinion");
        prop_assert_eq!((&first.rule, first.action), (&verdict.rule, verdict.action));
        prop_assert!(explanation.opinions.is_sorted_by_key(|opinion| opinion.authority));
        // An empty book, which stands in for one that cannot be read, still keeps the rules above.
        let empty = Rulebook::default();
        check_random(&evidence, &policy, &judge(&evidence, &Circumstances { rules: &empty, ..circumstances }));
    }
}

fn check_random(evidence: &Evidence, policy: &CarrierPolicy, verdict: &Verdict) {
    let reached = evidence.progress >= Progress::Ringing && !policy.fakes_progress;
    if evidence.ended_by_caller() || evidence.progress == Progress::Answered || reached {
        assert_eq!(verdict.action, Action::Stop, "{evidence:?}");
    }
}
