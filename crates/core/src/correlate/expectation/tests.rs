use chrono::DateTime;

use super::*;
use crate::model::Tokens;

fn belief(second: i64) -> RecordBelief {
    RecordBelief {
        at: DateTime::from_timestamp(second, 0).unwrap_or_default(),
        tokens: Tokens { input: 100, ..Tokens::default() },
        cost_usd: Some(0.01),
        matched: 0.0,
        matched_to_client: 0.0,
        chained: 0.0,
        outlasted: 0.0,
        patience_known: true,
        caller: 1,
        confirmed: false,
        harmless: false,
    }
}

fn of(beliefs: &[RecordBelief]) -> Expectation {
    Expectation::of(beliefs, 10.0)
}

#[test]
fn matches_and_chains_add_up_and_a_record_counts_once() {
    let matched = |p| RecordBelief { matched: p, matched_to_client: p, ..belief(0) };
    let sum = of(&[matched(0.9), matched(0.3), RecordBelief { chained: 0.5, ..matched(0.5) }]);
    assert!((sum.count - (0.9 + 0.3 + 0.75)).abs() < 1e-9, "{sum:?}");
    assert!((sum.hidden - 0.25).abs() < 1e-9, "what no logged failure is of: {sum:?}");
    assert!((sum.cost_usd - 0.0195).abs() < 1e-9, "{sum:?}");
}

#[test]
fn what_is_certain_either_way_is_not_expected() {
    let surely = RecordBelief { matched: 0.9, matched_to_client: 0.9, outlasted: 1.0, ..belief(0) };
    let sum = of(&[RecordBelief { confirmed: true, ..surely }, RecordBelief { harmless: true, ..surely }]);
    assert_eq!((sum.count, sum.sd, sum.recorded), (0.0, 0.0, 2.0));
}

#[test]
fn what_aws_failed_itself_is_left_to_the_metrics() {
    let sum = of(&[RecordBelief { matched: 0.8, ..belief(0) }]);
    assert_eq!(sum.count, 0.0);
    assert!((sum.of_aws - 0.8).abs() < 1e-9, "{sum:?}");
}

#[test]
fn a_callers_records_that_outlasted_its_patience_count_until_the_sums_agree() {
    let outlasted = |q| RecordBelief { outlasted: q, ..belief(0) };
    let sum = of(&[outlasted(0.9), outlasted(0.6), RecordBelief { matched: 0.5, matched_to_client: 0.5, ..belief(0) }]);
    assert!((sum.count - 1.5).abs() < 1e-6, "as many as outlasted it: {sum:?}");
    let unknown = |q| RecordBelief { patience_known: false, ..outlasted(q) };
    assert_eq!(of(&[unknown(0.9), unknown(0.6)]).count, 0.0, "nothing is known of how long it waits");
    let ended_well = |q| RecordBelief { matched: 0.9, matched_to_client: 0.9, ..outlasted(q) };
    let sum = of(&[ended_well(0.1), ended_well(0.1)]);
    assert!((sum.count - 1.8).abs() < 1e-6, "links say more than patience does: {sum:?}");
}

#[test]
fn the_interval_grows_with_doubt_and_with_traffic() {
    let sure: Vec<_> =
        (0..100).map(|at| RecordBelief { matched: 0.99, matched_to_client: 0.99, ..belief(at) }).collect();
    let unsure: Vec<_> =
        (0..200).map(|at| RecordBelief { matched: 0.495, matched_to_client: 0.495, ..belief(at) }).collect();
    assert!((of(&sure).count - of(&unsure).count).abs() < 1e-9);
    assert!(of(&unsure).sd > 1.5 * of(&sure).sd);
    assert!((Expectation::of(&sure, 300.0).sd - 1.8 * of(&sure).sd).abs() < 1e-9);
    let between = Expectation::of(&sure, 100.0).sd / of(&sure).sd;
    assert!(1.5 < between && between < 1.8, "{between}");
}

#[test]
fn a_run_of_minutes_has_its_share() {
    let beliefs: Vec<_> = (0..10).map(|at| RecordBelief { chained: 0.5, ..belief(at) }).collect();
    let at = |second| DateTime::from_timestamp(second, 0).unwrap_or_default();
    let (count, cost) = of(&beliefs).between(at(2), at(6));
    assert!((count - 2.0).abs() < 1e-9 && (cost - 0.02).abs() < 1e-9, "{count} {cost}");
}
