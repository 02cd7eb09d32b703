use chrono::{DateTime, Duration};

use super::*;

/// What one simulated minute counts: requests that succeed, fail on AWS's side, and of these meter.
#[derive(Clone, Copy)]
struct World {
    successes: f64,
    failed: f64,
    billed: f64,
    accepted: bool,
    with_quota: bool,
}

const BILLED: World = World { successes: 40.0, failed: 6.0, billed: 4.0, accepted: false, with_quota: true };

fn minute(index: i64) -> Time {
    DateTime::UNIX_EPOCH + Duration::minutes(index)
}

/// Minutes in which failures come in minutes 20 to 30 of each hour that `hot` names.
fn minutes(world: World, hours: i64, hot: &[i64]) -> Vec<(Time, Counts)> {
    let counts = |index: i64| {
        let now = if (20..30).contains(&(index % 60)) && hot.contains(&(index / 60)) { 1.0 } else { 0.0 };
        let failed = world.failed * now;
        Counts {
            invocations: Some(world.successes + if world.accepted { failed } else { 0.0 }),
            successes: world.with_quota.then_some(world.successes),
            metered: Some(world.successes + world.billed * now),
            server_errors: failed,
            ..Counts::default()
        }
    };
    (0..hours * 60).map(|index| (minute(index), counts(index))).collect()
}

fn hour(world: World) -> Vec<(Time, Counts)> {
    minutes(world, 1, &[0])
}

fn of(kept: &[(Time, Counts)]) -> Estimate {
    estimate(
        kept,
        kept.first().map_or(minute(0), |(minute, _)| *minute),
        InvocationsCount::Auto,
        &InvocationLog::default(),
    )
}

#[test]
fn requests_that_metered_beyond_the_successes_are_counted_under_either_reading() {
    for (accepted, reading) in [(false, InvocationsCount::Successes), (true, InvocationsCount::Accepted)] {
        let estimate = of(&hour(World { accepted, ..BILLED }));
        assert_eq!((estimate.state, estimate.reading), (EstimateState::Calibrated, Some(reading)), "{estimate:?}");
        assert!((estimate.point - 40.0).abs() < 1e-9, "{estimate:?}");
        assert!(estimate.lower <= 40.0 && 40.0 <= estimate.upper && estimate.upper <= 60.0, "{estimate:?}");
        assert!(estimate.upper - estimate.lower <= 2.0, "{estimate:?}");
    }
}

#[test]
fn without_a_count_of_successes_the_reading_is_decided_by_what_metered_or_not_at_all() {
    let without = World { with_quota: false, ..BILLED };
    for (accepted, reading) in [(false, InvocationsCount::Successes), (true, InvocationsCount::Accepted)] {
        let decided = of(&hour(World { accepted, ..without }));
        assert_eq!((decided.state, decided.reading), (EstimateState::Calibrated, Some(reading)), "{decided:?}");
        assert!((decided.point - 40.0).abs() < 1e-9, "{decided:?}");
    }
    let undecided = of(&hour(World { failed: 0.5, billed: 0.4, ..without }));
    assert_eq!((undecided.state, undecided.reading), (EstimateState::Uncalibrated, None), "5 errors decide nothing");
    assert!(undecided.point == 0.0 && undecided.upper >= 5.0, "{undecided:?}");
    let all_billed = of(&hour(World { billed: 6.0, accepted: true, ..without }));
    assert_eq!(all_billed.reading, None, "a failure that metered is in both: {all_billed:?}");
}

#[test]
fn the_configuration_decides_where_the_metrics_cannot() {
    let kept = hour(World { failed: 0.5, billed: 0.4, with_quota: false, ..BILLED });
    let estimate = estimate(&kept, minute(0), InvocationsCount::Successes, &InvocationLog::default());
    assert_eq!(estimate.state, EstimateState::Calibrated, "{estimate:?}");
    assert!((estimate.point - 4.0).abs() < 1e-9, "{estimate:?}");
}

#[test]
fn invocations_that_fit_neither_reading_leave_the_scope_uncalibrated() {
    let mut kept = hour(BILLED);
    for (_, counts) in &mut kept[20..30] {
        counts.invocations = Some(40.0 + 3.0);
    }
    let estimate = of(&kept);
    assert_eq!((estimate.state, estimate.reading), (EstimateState::Uncalibrated, None), "{estimate:?}");
    assert!(estimate.reason.contains("neither"), "{estimate:?}");
}

#[test]
fn nothing_metered_beyond_the_successes_is_a_lower_bound_and_not_a_zero() {
    let estimate = of(&hour(World { billed: 0.0, ..BILLED }));
    assert_eq!(estimate.state, EstimateState::LowerBound, "{estimate:?}");
    assert!(estimate.lower == 0.0 && estimate.upper == 60.0, "{estimate:?}");
}

#[test]
fn what_was_seen_hours_ago_calibrates_a_window_in_which_it_cannot_be_seen() {
    let kept = minutes(BILLED, 5, &[0]);
    let now = estimate(&kept, minute(240), InvocationsCount::Auto, &InvocationLog::default());
    assert_eq!((now.state, now.point, now.upper), (EstimateState::Calibrated, 0.0, 0.0), "{now:?}");

    let mut quiet_then_unbilled = minutes(BILLED, 5, &[0, 4]);
    for (_, counts) in &mut quiet_then_unbilled[240..] {
        counts.metered = Some(40.0);
    }
    let now = estimate(&quiet_then_unbilled, minute(240), InvocationsCount::Auto, &InvocationLog::default());
    assert_eq!((now.state, now.point), (EstimateState::Calibrated, 0.0), "a zero that is known: {now:?}");
    assert!(now.upper <= 1.0, "{now:?}");
}

#[test]
fn a_token_metric_that_does_not_count_requests_is_not_believed() {
    let mut kept = hour(BILLED);
    for (_, counts) in &mut kept[..10] {
        counts.metered = Some(80.0);
    }
    assert_eq!(of(&kept).state, EstimateState::Uncalibrated);

    let mut kept = hour(BILLED);
    kept[3].1.zero_samples = true;
    let estimate = of(&kept);
    assert_eq!((estimate.state, estimate.upper), (EstimateState::Uncalibrated, 60.0), "{estimate:?}");
}

#[test]
fn a_bias_too_small_for_ten_minutes_shows_in_the_quiet_ones_together() {
    let mut kept = minutes(BILLED, 5, &[0]);
    for (_, counts) in kept.iter_mut().step_by(12) {
        counts.metered = counts.metered.map(|metered| metered + 1.0);
    }
    let estimate = of(&kept);
    assert_eq!(estimate.state, EstimateState::Uncalibrated, "{estimate:?}");
}

#[test]
fn requests_that_slip_over_a_minutes_border_widen_the_interval_and_decide_nothing() {
    let mut kept = hour(BILLED);
    // Every third minute two samples of tokens are counted a minute later than their success.
    for index in (0..57).step_by(3) {
        kept[index].1.metered = kept[index].1.metered.map(|metered| metered - 2.0);
        kept[index + 1].1.metered = kept[index + 1].1.metered.map(|metered| metered + 2.0);
    }
    let estimate = of(&kept);
    assert_eq!(estimate.state, EstimateState::Calibrated, "{estimate:?}");
    assert!(estimate.lower < 38.0 && estimate.upper > 42.0, "{estimate:?}");
}

#[test]
fn a_datapoint_that_is_missing_is_not_a_zero() {
    let mut kept = hour(BILLED);
    for (_, counts) in &mut kept[25..27] {
        counts.metered = None;
    }
    let estimate = of(&kept);
    assert_eq!(estimate.state, EstimateState::Calibrated, "{estimate:?}");
    assert!((estimate.point - 32.0).abs() < 1e-9, "{estimate:?}");
    assert!(estimate.upper >= 40.0 && estimate.reason.contains("12 of these"), "{estimate:?}");
}

#[test]
fn a_model_without_token_metrics_or_settled_minutes_is_uncalibrated() {
    assert_eq!(of(&[]).state, EstimateState::Uncalibrated);
    let mut kept = hour(BILLED);
    for (_, counts) in &mut kept {
        counts.metered = None;
    }
    let estimate = of(&kept);
    assert_eq!((estimate.state, estimate.upper), (EstimateState::Uncalibrated, 60.0), "{estimate:?}");
}

fn log(unmetered: f64, all: f64) -> InvocationLog {
    let records = ErrorRecords { unmetered, all };
    InvocationLog { kept: records, window: records, complete: true, loss: 0.0 }
}

#[test]
fn samples_of_requests_that_are_not_billed_show_where_records_have_no_tokens() {
    let kept = hour(World { billed: 6.0, ..BILLED });
    let trusting = estimate(&kept, minute(0), InvocationsCount::Auto, &InvocationLog::default());
    assert_eq!(trusting.state, EstimateState::Calibrated, "metrics alone cannot tell: {trusting:?}");
    let knowing = estimate(&kept, minute(0), InvocationsCount::Auto, &log(20.0, 30.0));
    assert_eq!((knowing.state, knowing.lower), (EstimateState::Uncalibrated, 0.0), "{knowing:?}");
    assert_eq!((knowing.point, knowing.upper), (40.0, 40.0), "60 errors, 20 of them without tokens: {knowing:?}");
}

#[test]
fn where_metrics_are_blind_the_records_without_tokens_say_how_many_metered() {
    let kept = hour(World { billed: 0.0, ..BILLED });
    let blind = estimate(&kept, minute(0), InvocationsCount::Auto, &log(50.0, 55.0));
    assert_eq!(blind.state, EstimateState::LowerBound, "{blind:?}");
    assert_eq!((blind.lower, blind.point, blind.upper), (0.0, 10.0, 10.0), "{blind:?}");
    let unread = InvocationLog { complete: false, ..log(50.0, 55.0) };
    let blind = estimate(&kept, minute(0), InvocationsCount::Auto, &unread);
    assert_eq!((blind.point, blind.upper), (0.0, 10.0), "a log that is not complete only bounds: {blind:?}");
    let lossy = InvocationLog { loss: 0.1, ..log(45.0, 50.0) };
    let blind = estimate(&kept, minute(0), InvocationsCount::Auto, &lossy);
    assert!((blind.point - 10.0).abs() < 1e-9, "45 records stand for 50 requests: {blind:?}");
}
