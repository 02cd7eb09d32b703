#![allow(clippy::unwrap_used, clippy::panic)]
// Times here are small positive numbers of seconds.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use super::*;
use crate::{
    correlate::learn::Learnt,
    model::{FailureKind, Operation},
};

const WAITED: f64 = 60.0;

fn record(at: f64, output: u32) -> RecordView {
    RecordView {
        index: 0,
        at: at.floor(),
        model: 0,
        identity: 1,
        operation: Some(Operation::Converse),
        // No two prompts are of one length.
        input: 500 + (at * 10.0) as u32,
        cached: 0,
        output,
        latency: f32::NAN,
        first_byte: f32::NAN,
        explained: false,
    }
}

fn timeout(at: f64) -> FailureView {
    FailureView {
        at,
        application: 0,
        stream: 0,
        kind: FailureKind::ReadTimeout,
        model: Some(0),
        identity: Some(1),
        operation: None,
        attempts: Some(1),
        elapsed: Some(WAITED + 0.05),
        input: None,
        joined: None,
        nameless: true,
    }
}

/// One call a second of about 300 tokens for 20 minutes; every fourth record tells its latency, which is 1 s and
/// 0.02 s a token.
fn busy() -> Vec<RecordView> {
    (0..1_200_u32)
        .map(|n| {
            let output = 200 + (n * 37) % 200;
            let told = n % 4 == 0;
            let latency = if told { (1.0 + 0.02 * f64::from(output)) as f32 } else { f32::NAN };
            RecordView { latency, explained: told, ..record(f64::from(n) + 0.3, output) }
        })
        .collect()
}

/// The same with a record in place of the one at its second.
fn busy_with(others: &[RecordView]) -> Vec<RecordView> {
    let mut records = busy();
    for other in others {
        records[other.at as usize] = *other;
    }
    records
}

/// The matches of the failures: positions of records with their probabilities, likeliest first.
fn matched(records: &[RecordView], failures: &[FailureView]) -> Vec<Vec<(usize, f64)>> {
    let mut learnt = Learnt::of(records, failures, &[], 1);
    let mut found = vec![Vec::new(); failures.len()];
    for pair in matches(records, failures, &mut learnt) {
        found[pair.failure].push((pair.record, pair.probability));
    }
    for of in &mut found {
        of.sort_by(|a, b| b.1.total_cmp(&a.1));
    }
    found
}

/// The example of docs/how-it-decides.md.
#[test]
fn a_timeout_is_of_the_long_call_that_began_its_patience_before_it() {
    let records = busy_with(&[record(600.4, 4_000)]);
    let found = matched(&records, &[timeout(660.45)]);
    let (best, probability) = found[0][0];
    assert_eq!(best, 600);
    assert!((0.985..0.9999).contains(&probability), "{found:?}");
    let others: f64 = found[0].iter().skip(1).map(|(_, probability)| probability).sum();
    assert!(others < 0.01, "{found:?}");
}

#[test]
fn where_no_call_was_long_enough_none_is_named() {
    let found = matched(&busy(), &[timeout(660.45)]);
    assert!(found[0].iter().all(|(_, probability)| *probability < 0.5), "{found:?}");
}

#[test]
fn what_is_explained_otherwise_is_nobodys() {
    let records = busy_with(&[RecordView { explained: true, ..record(600.4, 4_000) }]);
    let found = matched(&records, &[timeout(660.45)]);
    assert!(found[0].iter().all(|(record, _)| *record != 600), "{found:?}");
}

#[test]
fn two_failures_of_one_moment_share_two_records_and_never_one() {
    let records = busy_with(&[record(600.3, 4_000), record(601.3, 4_000)]);
    let found = matched(&records, &[timeout(660.8), timeout(660.9)]);
    let of_record = |wanted| -> f64 {
        found.iter().flatten().filter(|(record, _)| *record == wanted).map(|(_, probability)| probability).sum()
    };
    assert!(of_record(600) > 0.9 && of_record(600) < 1.05, "{found:?}");
    assert!(of_record(601) > 0.9 && of_record(601) < 1.05, "{found:?}");
}

#[test]
fn input_tokens_in_the_line_tell_two_calls_apart() {
    let records = busy_with(&[record(600.2, 4_000), record(601.2, 4_000)]);
    let told = |position: usize| FailureView { input: Some(u64::from(records[position].input)), ..timeout(660.8) };
    for position in [600, 601] {
        let found = matched(&records, &[told(position)]);
        assert!(found[0][0].0 == position && found[0][0].1 > 0.97, "{found:?}");
    }
}

#[test]
fn of_two_long_calls_a_later_attempt_is_the_one_after_the_same_prompt() {
    let again = record(600.2, 4_000);
    let first = RecordView { at: 539.0, input: again.input, ..record(539.0, 4_000) };
    let records = busy_with(&[first, again, record(601.2, 4_000)]);
    let failure = FailureView { attempts: Some(2), elapsed: None, ..timeout(660.8) };
    let others = [timeout(100.45), timeout(200.45)];
    let found = matched(&records, &[others[0], others[1], failure]);
    assert!(found[2][0].0 == 600 && found[2][0].1 > 0.8, "{:?}", found[2]);
    let once = FailureView { attempts: Some(1), ..failure };
    let found = matched(&records, &[others[0], others[1], once]);
    let of_later = found[2].iter().find(|(record, _)| *record == 600).map_or(0.0, |(_, probability)| *probability);
    assert!(of_later < 0.8, "with a single attempt the same prompt before is chance: {:?}", found[2]);
}

#[test]
fn a_clock_that_is_ahead_is_found_from_what_it_points_to() {
    let times = [200.0, 350.0, 500.0, 650.0, 800.0, 950.0];
    let calls: Vec<RecordView> = times.iter().map(|at| record(at + 0.5, 4_000)).collect();
    // Two seconds ahead, and nothing tells.
    let failures: Vec<FailureView> = times.iter().map(|at| timeout(at + 0.5 + WAITED + 2.0)).collect();
    let records = busy_with(&calls);
    let mut learnt = Learnt::of(&records, &failures, &[], 1);
    let pairs = matches(&records, &failures, &mut learnt);
    assert!((learnt.clocks[0].ahead - 2.0).abs() < 0.5, "{:?}", learnt.clocks);
    assert!(pairs.iter().filter(|pair| pair.probability > 0.9).count() == times.len(), "{pairs:?}");
}

#[test]
fn a_reset_is_of_a_call_that_was_running() {
    let records = busy_with(&[record(600.2, 4_000)]);
    // Only the long call still runs 30 s after its start; every other takes 5 to 9 s.
    let reset = FailureView { kind: FailureKind::ConnectionReset, elapsed: Some(30.0), ..timeout(630.25) };
    let found = matched(&records, &[reset]);
    assert!(found[0][0].0 == 600 && found[0][0].1 > 0.9, "{found:?}");
}

#[test]
fn another_caller_and_another_model_are_never_matched() {
    let foreign = RecordView { identity: 2, ..record(600.4, 4_000) };
    let other_model = RecordView { model: 1, ..record(599.9, 4_000) };
    let records = busy_with(&[foreign, other_model]);
    let failures = [timeout(660.45)];
    let mut learnt = Learnt::of(&records, &failures, &[], 2);
    let pairs = matches(&records, &failures, &mut learnt);
    assert!(pairs.iter().all(|pair| pair.record != 600 && pair.record != 599), "{pairs:?}");
}

#[test]
fn propagation_agrees_with_counting_every_assignment() {
    // Failures a and b; records 0 and 1. By hand: nothing 1; a0 3, a1 1, b0 2; together a1 b0 2.
    let of = |failure, records: &[(usize, f64)]| propagate::Candidates {
        failure,
        records: records.to_vec(),
        ..propagate::Candidates::default()
    };
    let found = propagate::probabilities(&[of(0, &[(0, 3.0), (1, 1.0)]), of(1, &[(0, 2.0)])]);
    let sum = 1.0 + 3.0 + 1.0 + 2.0 + 2.0;
    let exact = [vec![3.0 / sum, (1.0 + 2.0) / sum], vec![(2.0 + 2.0) / sum]];
    for (found, exact) in found.iter().flatten().zip(exact.iter().flatten()) {
        assert!((found - exact).abs() < 1e-3, "{found} is not {exact}");
    }
}
