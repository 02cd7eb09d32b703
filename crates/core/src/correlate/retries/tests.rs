#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use super::*;
use crate::model::Operation;

/// A record of a caller that waits 60 s, with its latency told.
fn record(at: f64, input: u32, latency: f64) -> RecordView {
    RecordView {
        index: 0,
        at: at.floor(),
        model: 0,
        identity: 1,
        operation: Some(Operation::Converse),
        input,
        cached: 0,
        output: (latency / 0.02) as u32,
        latency: latency as f32,
        first_byte: f32::NAN,
        explained: false,
    }
}

fn failure(at: f64, kind: FailureKind, elapsed: f64) -> FailureView {
    FailureView {
        at,
        application: 0,
        stream: 0,
        kind,
        model: Some(0),
        identity: Some(1),
        operation: Some(Operation::Converse),
        attempts: None,
        elapsed: Some(elapsed),
        input: None,
        joined: None,
        nameless: true,
    }
}

/// An hour of a call every 20 s or so, each with a prompt of its own and an answer within 10 s.
fn usual() -> Vec<RecordView> {
    (0..180_u32)
        .map(|n| {
            let wobble = f64::from(n * 7919 % 17);
            record(f64::from(n) * 20.0 + wobble, 300 + n * 37 % 4_999, 3.0 + f64::from(n * 31 % 60) / 10.0)
        })
        .collect()
}

fn found(mut records: Vec<RecordView>, failures: &[FailureView]) -> (Vec<RecordView>, Vec<Chain>) {
    records.sort_by(|a, b| a.at.total_cmp(&b.at));
    let mut learnt = Learnt::of(&records, failures, &[], 1);
    let pairs = matching::matches(&records, failures, &mut learnt);
    let chains = find(&records, failures, &learnt, &pairs);
    (records, chains.into_iter().filter(|chain| chain.probability >= 0.8).collect())
}

/// The starts of the records and of those next to them.
fn starts((records, chains): &(Vec<RecordView>, Vec<Chain>)) -> Vec<(f64, f64)> {
    chains.iter().map(|chain| (records[chain.record].at, records[chain.next].at)).collect()
}

#[test]
fn attempts_that_outlasted_their_client_are_found_one_by_one_and_the_last_is_not() {
    let mut records = usual();
    // Three attempts of 60 s, then the client gives up.
    records.extend([record(1_000.3, 777, 95.0), record(1_060.9, 777, 90.0), record(1_122.2, 777, 99.0)]);
    let found = found(records, &[failure(1_182.3, FailureKind::ReadTimeout, 182.0)]);
    assert_eq!(starts(&found), [(1_000.0, 1_060.0), (1_060.0, 1_122.0)]);
    assert!(found.1.iter().all(|chain| chain.kind == FailureKind::ReadTimeout));
}

#[test]
fn a_call_that_went_well_in_the_end_shows_by_its_records_alone() {
    let mut records = usual();
    for start in [600.0, 1_400.0, 2_300.0] {
        let input = 7_000 + start as u32;
        records.extend([record(start + 0.4, input, 80.0), record(start + 61.2, input, 20.0)]);
    }
    let found = found(records, &[]);
    assert_eq!(starts(&found), [(600.0, 661.0), (1_400.0, 1_461.0), (2_300.0, 2_361.0)]);
}

#[test]
fn the_same_prompt_at_the_spacing_of_a_timeout_is_no_retry_if_the_answer_came_in_time() {
    let mut records = usual();
    for start in [600.0, 1_400.0, 2_300.0] {
        records.extend([record(start, 7_777, 4.0), record(start + 60.5, 7_777, 4.0)]);
    }
    assert_eq!(starts(&found(records, &[])), []);
}

#[test]
fn a_health_check_is_none_however_slow() {
    let mut records = usual();
    records.extend((0..60).map(|n| record(f64::from(n) * 60.5, 14, 75.0)));
    assert_eq!(starts(&found(records, &[])), []);
}

#[test]
fn a_prompt_that_comes_all_the_time_is_none() {
    let mut records = usual();
    records.extend((0..600_u32).map(|n| record(f64::from(n * 7919 % 3_600), 500, 65.0)));
    assert_eq!(starts(&found(records, &[])), []);
}

#[test]
fn a_repeated_prompt_is_a_cut_off_attempt_only_among_others() {
    let mut alone = usual();
    alone.extend([record(1_500.2, 9_001, 12.0), record(1_505.9, 9_001, 12.0)]);
    assert_eq!(starts(&found(alone.clone(), &[])), [], "somebody asked the same again");
    for n in 0..5_u32 {
        let start = 1_510.0 + f64::from(n) * 7.0;
        alone.extend([record(start, 9_100 + n, 12.0), record(start + 6.0, 9_100 + n, 12.0)]);
    }
    let lines = [1_512.0, 1_530.0].map(|at| failure(at, FailureKind::ConnectionReset, 4.0));
    let found = found(alone, &lines);
    assert_eq!(starts(&found).len(), 6, "{:?}", starts(&found));
    assert!(found.1.iter().all(|chain| chain.kind == FailureKind::ConnectionReset));
}

#[test]
fn a_record_that_a_success_line_names_was_not_tried_again() {
    let mut records = usual();
    let answered = RecordView { explained: true, ..record(1_000.3, 777, 95.0) };
    records.extend([answered, record(1_060.9, 777, 90.0)]);
    let found = found(records, &[failure(2_000.0, FailureKind::ReadTimeout, 60.0)]);
    assert_eq!(starts(&found), []);
}
