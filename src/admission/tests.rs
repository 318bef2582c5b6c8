//! The ledger from outside.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;

use crate::call::AdmissionRefusal;
use crate::carrier::CarrierId;

use super::{AttemptKind, CarrierLimits, Ledger, Ticket};

fn limits(max_channels: Option<u32>, max_calls_per_second: Option<u32>) -> CarrierLimits {
    CarrierLimits {
        max_channels,
        max_calls_per_second,
    }
}

fn ledger(of: &[(&CarrierId, CarrierLimits)]) -> Ledger {
    let mut ledger = Ledger::default();
    let limits: HashMap<_, _> = of
        .iter()
        .map(|(carrier, limits)| ((*carrier).clone(), *limits))
        .collect();
    ledger.set_limits(&limits);
    ledger
}

#[test]
fn counts_what_is_out_and_forgets_what_came_back() {
    let (a, b, now) = (CarrierId::from("A"), CarrierId::from("B"), Instant::now());
    let mut ledger = Ledger::default();
    let mut admit = |carrier| ledger.admit(carrier, AttemptKind::First, now).expect("no limits");
    let (first, second, third) = (admit(&a), admit(&a), admit(&b));
    assert_eq!((ledger.legs_out(&a), ledger.legs_out(&b), ledger.total()), (2, 1, 3));
    ledger.release(first);
    ledger.release(third);
    assert_eq!((ledger.legs_out(&a), ledger.legs_out(&b), ledger.total()), (1, 0, 1));
    ledger.close();
    let refused = ledger.admit(&a, AttemptKind::First, now);
    assert_eq!(refused, Err(AdmissionRefusal::ShuttingDown));
    ledger.release(second);
    assert_eq!(ledger.total(), 0);
}

#[test]
fn channels_and_pace_refuse_and_the_books_say_so() {
    let (a, b, now) = (CarrierId::from("A"), CarrierId::from("B"), Instant::now());
    let mut ledger = ledger(&[(&a, limits(Some(1), None)), (&b, limits(None, Some(1)))]);
    let first = ledger.admit(&a, AttemptKind::First, now).expect("one is free");
    assert!(first.is_at_limit() && *first.carrier() == a);
    let refused = ledger.admit(&a, AttemptKind::First, now);
    assert_eq!(refused, Err(AdmissionRefusal::ChannelLimit));
    let retry = AttemptKind::Retry { first_at: now };
    let _second = ledger.admit(&b, retry, now).expect("one a second");
    let refused = ledger.admit(&b, retry, now);
    assert_eq!(refused, Err(AdmissionRefusal::CallsPerSecondLimit));
    let books: HashMap<_, _> = ledger.books().into_iter().collect();
    assert_eq!(books[&a].refusals, [("channel_limit", 1)].into());
    assert_eq!(books[&b].refusals, [("calls_per_second_limit", 1)].into());
}

#[test]
fn a_backup_without_limits_gets_one_retry_for_each_call_and_twenty_more() {
    let (a, b, start) = (CarrierId::from("A"), CarrierId::from("B"), Instant::now());
    let mut ledger = Ledger::default();
    for _ in 0..30 {
        let ticket = ledger.admit(&a, AttemptKind::First, start).expect("no limits");
        ledger.release(ticket);
    }
    let mut retries = |now| {
        let retry = AttemptKind::Retry { first_at: now };
        let admitted = (0..100).map_while(|_| ledger.admit(&b, retry, now).ok());
        let tickets: Vec<Ticket> = admitted.collect();
        let count = tickets.len();
        for ticket in tickets {
            ledger.release(ticket);
        }
        count
    };
    assert_eq!(retries(start), 50);
    assert_eq!(retries(start + Duration::from_secs(10)), 20);
    let books: HashMap<_, _> = ledger.books().into_iter().collect();
    assert_eq!(books[&b].refusals, [("retry_budget", 2)].into());
}

#[test]
fn a_backup_with_limits_of_its_own_has_no_budget() {
    let (b, now) = (CarrierId::from("B"), Instant::now());
    let mut ledger = ledger(&[(&b, limits(Some(40), None))]);
    let tickets: Vec<_> = (0..40)
        .map(|_| {
            let retry = AttemptKind::Retry { first_at: now };
            ledger.admit(&b, retry, now).expect("below its limit")
        })
        .collect();
    assert_eq!(tickets.len(), 40);
}

#[test]
fn legs_that_were_there_before_count_for_those_that_follow() {
    let (a, now) = (CarrierId::from("A"), Instant::now());
    let mut ledger = ledger(&[(&a, limits(Some(2), None))]);
    let adopted: Vec<_> = (0..3).map(|_| ledger.adopt(&a, now)).collect();
    assert_eq!(ledger.legs_out(&a), 3, "they are out, whatever the limit");
    for (position, ticket) in adopted.into_iter().enumerate() {
        let refused = ledger.admit(&a, AttemptKind::First, now);
        assert_eq!(refused.is_err(), position < 2, "{position}");
        if let Ok(ticket) = refused {
            ledger.release(ticket);
        }
        ledger.release(ticket);
    }
    let ticket = ledger.admit(&a, AttemptKind::First, now).expect("none is out");
    assert!(!ticket.is_at_limit(), "one of two");
    ledger.release(ticket);
}

#[derive(Clone, Debug)]
enum Step {
    Admit(usize),
    /// Of the call with that first attempt.
    AdmitRetry(usize, usize),
    Adopt(usize),
    Release(usize),
    Wait(u64),
    Limits(usize, CarrierLimits),
}

fn step() -> impl Strategy<Value = Step> {
    let some_limits = (proptest::option::of(0..6_u32), proptest::option::of(0..6_u32));
    prop_oneof![
        4 => (0..3_usize).prop_map(Step::Admit),
        4 => (0..3_usize, 0..1_000_usize).prop_map(|(carrier, call)| Step::AdmitRetry(carrier, call)),
        1 => (0..3_usize).prop_map(Step::Adopt),
        4 => (0..20_usize).prop_map(Step::Release),
        3 => (0..700_u64).prop_map(Step::Wait),
        1 => (0..3_usize, some_limits).prop_map(|(carrier, (channels, pace))| Step::Limits(carrier, limits(channels, pace))),
    ]
}

proptest! {
    #[test]
    fn never_one_leg_above_a_limit(steps in vec(step(), 1..400)) {
        let carriers = ["A", "B", "C"].map(CarrierId::from);
        let start = Instant::now();
        let mut elapsed = Duration::ZERO;
        let mut ledger = Ledger::default();
        let mut in_force = HashMap::new();
        let mut tickets = Vec::new();
        let mut out = [0_u32; 3];
        // Legs of each carrier since its pace was last changed.
        let mut sent: [VecDeque<Duration>; 3] = Default::default();
        let mut firsts = Vec::new();
        let mut retries: [Vec<Duration>; 3] = Default::default();
        for step in steps {
            match step {
                Step::Wait(milliseconds) => elapsed += Duration::from_millis(milliseconds),
                Step::Limits(carrier, limits) => {
                    let before = in_force.insert(carriers[carrier].clone(), limits);
                    if before.and_then(|before: CarrierLimits| before.max_calls_per_second).is_none() {
                        sent[carrier].clear();
                    }
                    ledger.set_limits(&in_force);
                }
                Step::Adopt(carrier) => {
                    tickets.push((carrier, ledger.adopt(&carriers[carrier], start + elapsed)));
                    out[carrier] += 1;
                }
                Step::Release(position) => {
                    if position < tickets.len() {
                        let (carrier, ticket) = tickets.swap_remove(position);
                        ledger.release(ticket);
                        out[carrier] -= 1;
                    }
                }
                Step::Admit(carrier) | Step::AdmitRetry(carrier, _) => {
                    let call = if let Step::AdmitRetry(_, call) = step { Some(call) } else { None };
                    let first = call.and_then(|call| firsts.get(call % firsts.len().max(1)).copied());
                    let kind = first.map_or(AttemptKind::First, |first| AttemptKind::Retry { first_at: start + first });
                    let limits = in_force.get(&carriers[carrier]).copied().unwrap_or_default();
                    let recent = |at: &&Duration| elapsed - **at < Duration::from_secs(1);
                    if let Ok(ticket) = ledger.admit(&carriers[carrier], kind, start + elapsed) {
                        out[carrier] += 1;
                        tickets.push((carrier, ticket));
                        sent[carrier].push_back(elapsed);
                        prop_assert!(limits.max_channels.is_none_or(|most| out[carrier] <= most));
                        let in_a_second = sent[carrier].iter().filter(recent).count();
                        prop_assert!(limits.max_calls_per_second.is_none_or(|most| in_a_second <= most as usize));
                        // Counting goes by half seconds, so what is 9.5 s old or older may be forgotten already.
                        let within = |at: &&Duration, ms| elapsed - **at < Duration::from_millis(ms);
                        match first {
                            None => firsts.push(elapsed),
                            Some(first) if within(&&first, 9_500) => retries[carrier].push(first),
                            Some(first) if within(&&first, 10_000) => {}
                            Some(_) => retries[carrier].push(elapsed),
                        }
                        if first.is_some() && limits.is_unlimited() {
                            let allowed = 20 + firsts.iter().filter(|at| within(at, 10_000)).count();
                            let had = retries[carrier].iter().filter(|at| within(at, 9_500)).count();
                            prop_assert!(had <= allowed, "{had} retries, {allowed} allowed");
                        }
                    }
                }
            }
            for (carrier, id) in carriers.iter().enumerate() {
                prop_assert_eq!(ledger.legs_out(id), out[carrier]);
            }
        }
        for (_, ticket) in tickets {
            ledger.release(ticket);
        }
        prop_assert_eq!(ledger.total(), 0);
    }

    /// However unevenly calls come and however late they fail, within what the budget remembers.
    #[test]
    fn the_first_retry_of_a_call_is_never_lost_to_the_budget(
        calls in vec((0..12_u32, 0..400_u64, 0..9_000_u64), 1..200),
    ) {
        let (a, b, start) = (CarrierId::from("A"), CarrierId::from("B"), Instant::now());
        let mut ledger = Ledger::default();
        let mut events = Vec::new();
        let mut at_ms = 0;
        for (burst, pause_ms, fails_after_ms) in calls {
            at_ms += if pause_ms < 380 { pause_ms / 20 } else { pause_ms * 30 };
            for _ in 0..burst {
                events.push((at_ms, None));
                events.push((at_ms + fails_after_ms, Some(at_ms)));
            }
        }
        events.sort_unstable();
        for (at_ms, first_ms) in events {
            let moment = |ms| start + Duration::from_millis(ms);
            let (carrier, kind) = match first_ms {
                None => (&a, AttemptKind::First),
                Some(first_ms) => (&b, AttemptKind::Retry { first_at: moment(first_ms) }),
            };
            let ticket = ledger.admit(carrier, kind, moment(at_ms));
            prop_assert!(ticket.is_ok(), "{kind:?} after {at_ms} ms: {ticket:?}");
            ledger.release(ticket.expect("just looked at"));
        }
    }
}
