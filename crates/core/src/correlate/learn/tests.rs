#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]

use super::*;
use crate::{
    correlate::view::{FailureView, RecordView, SuccessView},
    model::{FailureKind, Operation},
};

fn record(at: f64, output: u32, latency: f32) -> RecordView {
    RecordView {
        index: 0,
        at,
        model: 0,
        identity: 1,
        operation: Some(Operation::Converse),
        input: 100,
        cached: 0,
        output,
        latency,
        first_byte: f32::NAN,
        explained: false,
    }
}

fn failure(at: f64, kind: FailureKind) -> FailureView {
    FailureView {
        at,
        application: 0,
        stream: 0,
        kind,
        model: None,
        identity: None,
        operation: None,
        attempts: None,
        elapsed: None,
        input: None,
        joined: None,
        nameless: true,
    }
}

/// Latencies of 2 s + 0.03 s a token, spread by a tenth up and down, and one in twenty wild.
fn slow_model() -> Vec<RecordView> {
    (0..200_u32)
        .map(|n| {
            let output = 50 + (n * 37) % 900;
            let spread = [0.9, 1.0, 1.1][n as usize % 3];
            let wild = if n % 20 == 0 { 10.0 } else { 1.0 };
            record(f64::from(n), output, ((2.0 + 0.03 * f64::from(output)) * spread * wild) as f32)
        })
        .collect()
}

#[test]
fn the_latency_law_is_found_through_outliers() {
    let records = slow_model();
    let law = LatencyLaw::learn(records.iter());
    assert!((law.first - 2.0).abs() < 0.5 && (law.per_token - 0.03).abs() < 0.002, "{law:?}");
    assert!((0.05..0.25).contains(&law.sd), "{law:?}");
}

#[test]
fn a_long_answer_outlasts_a_timeout_and_a_short_one_only_by_a_stall() {
    let law = LatencyLaw::learn(slow_model().iter());
    let unknown = |output| record(500.0, output, f32::NAN);
    assert!(law.exceeds(&unknown(4_000), 60.0) > 0.99);
    assert!((law.exceeds(&unknown(100), 60.0) - STALL).abs() < 1e-9);
    assert!((law.exceeds(&record(0.0, 100, 61.0), 60.0) - 1.0).abs() < 1e-9, "told, so exact");
    assert!((law.exceeds(&record(0.0, 4_000, 59.0), 60.0) - STALL).abs() < 1e-9, "told, so exact");
}

#[test]
fn a_minute_in_which_everything_was_slow_is_told_from_a_usual_one() {
    let mut records = slow_model();
    for record in records.iter_mut().filter(|record| (60.0..120.0).contains(&record.at)) {
        record.latency *= 2.0;
    }
    let law = LatencyLaw::learn(records.iter());
    let at = |at| law.exceeds(&record(at, 1_000, f32::NAN), 45.0);
    assert!(at(90.0) > 0.8 && at(30.0) < 0.2, "{} {}", at(90.0), at(30.0));
}

#[test]
fn a_timeout_is_read_off_elapsed_times_whether_they_are_of_a_call_or_of_an_attempt() {
    let of = |elapsed: &[(f64, Option<u32>)]| Timeout::learn(elapsed).certain();
    assert_eq!(of(&[(60.02, None)]), Some(60.0));
    assert_eq!(of(&[(60.2, None), (183.4, None), (121.4, None)]), Some(60.0));
    assert_eq!(of(&[(93.4, Some(3)), (92.1, Some(3))]), Some(30.0));
    assert_eq!(of(&[(30.01, Some(3)), (30.05, Some(3))]), Some(30.0));
    assert_eq!(of(&[(37.04, None), (37.01, None), (37.02, None)]), Some(37.0), "nobody's default");
    assert_eq!(of(&[]), None);
    assert_eq!(Timeout::learn(&[]).likeliest(), 60.0);
}

#[test]
fn identity_and_operation_are_believed_from_two_joins_that_agree() {
    let records = [record(0.0, 1, 1.0), record(10.0, 1, 1.0), RecordView { identity: 2, ..record(20.0, 1, 1.0) }];
    let joined = |to: &[usize]| -> Vec<FailureView> {
        let of = |&n: &usize| FailureView { joined: Some(n), ..failure(30.0, FailureKind::Throttled) };
        to.iter().map(of).collect()
    };
    let learnt = |to: &[usize]| Learnt::of(&records, &joined(to), &[], 1).clients.remove(0);
    assert_eq!(learnt(&[0]).certain_identity(), None, "one is no proof");
    assert_eq!(learnt(&[0, 1]).certain_identity(), Some(1));
    assert_eq!(learnt(&[0, 1]).operation, Some(Operation::Converse));
    assert_eq!(learnt(&[0, 1, 2]).certain_identity(), None, "they disagree");
    let successes = [0, 1].map(|n| SuccessView { application: 0, joined: Some(n) });
    assert_eq!(Learnt::of(&records, &[], &successes, 1).clients[0].certain_identity(), Some(1));
}

#[test]
fn a_streams_clock_is_learnt_from_lines_that_name_their_request() {
    let records: Vec<_> = (0..9).map(|n| record(f64::from(n) * 10.0, 1, f32::NAN)).collect();
    let failures: Vec<_> = (0..9_usize)
        .map(|n| FailureView {
            // Started 0.0 to 0.8 s into its second, took 4 s, and the clock is 3 s ahead.
            at: n as f64 * 10.1 + 4.0 + 3.0,
            elapsed: Some(4.0),
            joined: Some(n),
            ..failure(0.0, FailureKind::ServiceUnavailable)
        })
        .collect();
    let clock = Learnt::of(&records, &failures, &[], 1).clocks[0];
    assert!((clock.ahead - 2.9).abs() < 0.2 && clock.known, "{clock:?}");
}

#[test]
fn weights_are_summed_over_spans() {
    let weighted = Weighted::new([(0.0, 1.0), (1.0, 2.0), (2.0, 4.0)].into_iter());
    assert_eq!(weighted.between(0.5, 2.0), 2.0);
    assert_eq!(weighted.count(0.0, 9.0), 3);
    assert_eq!(weighted.total(), 7.0);
    assert_eq!(weighted.positions(5.0, 9.0), (3, 3));
}

#[test]
fn the_largest_local_rate_leaves_its_own_out() {
    let times: Vec<f64> = (0..10).map(|n| f64::from(n) * 60.0).collect();
    assert!((largest_local(&times, 300.0, 1) - 9.0 / 600.0).abs() < 1e-12);
}
