//! What polling costs and finds, held against asking for every metric at every minute: a scripted CloudWatch in
//! virtual time, the planner itself.
#![allow(clippy::unwrap_used, clippy::panic, missing_debug_implementations)]

#[path = "../benches/polling/script.rs"]
mod script;

use chrono::Duration;
use faultline::sources::metrics::Settings;
use script::{Plan, Script, every_metric_every_minute, planned};

fn settings() -> Settings {
    Settings {
        poll: Duration::minutes(1),
        detail: Duration::minutes(10),
        settle: Duration::minutes(10),
        budget_usd_per_month: 1e9,
    }
}

/// The part of the metrics requested that remains, with equal data in the end.
fn part(aggregates: bool) -> f64 {
    let plan = Plan { hours: 8, incidents: vec![(130, 3, 30), (300, 7, 15)], ..Plan::day(aggregates) };
    let script = Script::new(&plan);
    let all = every_metric_every_minute(&script, plan.models);
    let (few, _) = planned(&script, settings());

    let read_by_then = script.end - Duration::minutes(50);
    let truth = script.all_until(read_by_then);
    assert!(truth.len() > 50_000, "{}", truth.len());
    let wrong = truth.iter().filter(|(minute, stats)| few.read.get(*minute) != Some(*stats));
    let wrong: Vec<_> = wrong.take(3).map(|(at, stats)| (at, stats, few.read.get(at))).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(few.read.keys().all(|(key, _)| key.model.is_some()), "nothing is sent on that is of no model");

    let delays = few.detection_delays(&script);
    assert_eq!(delays.len(), 2);
    assert!(delays == all.detection_delays(&script), "found by the next poll: {delays:?}");

    let settled = few.settled.iter();
    let wrong = settled
        .filter(|((key, minute), (_, stats))| script.truth(key, *minute).unwrap().sample_count > stats.sample_count);
    assert!(wrong.count() * 200 <= few.settled.len(), "settled too early");
    let overdue = truth.keys().find(|minute| !few.settled.contains_key(*minute));
    assert_eq!(overdue, None, "everything settles within fifty minutes");

    f64::from(u32::try_from(few.metrics_requested).unwrap()) / f64::from(u32::try_from(all.metrics_requested).unwrap())
}

#[test]
fn with_series_across_all_models_an_eighth_of_the_metrics_finds_the_same() {
    let part = part(true);
    assert!(part <= 0.15, "{part}");
}

#[test]
fn without_them_two_fifths_do() {
    let part = part(false);
    assert!(part <= 0.4, "{part}");
}

#[test]
fn a_budget_is_kept_from_the_first_poll_on_and_loses_nothing() {
    let plan = Plan { hours: 8, ..Plan::day(true) };
    let script = Script::new(&plan);
    let settings = Settings { budget_usd_per_month: 3.0, ..settings() };
    let (slow, planner) = planned(&script, settings);
    assert!(planner.is_limited(script.end));
    // A day's budget may be spent at once, and a third of a day's comes in.
    let spent = f64::from(u32::try_from(slow.metrics_requested).unwrap()) * 0.01 / 1000.0;
    assert!(spent <= 3.0 / 30.0 * 1.34, "{spent}");
    let truth = script.all_until(script.end - Duration::hours(3));
    let missing = truth.iter().find(|(minute, stats)| slow.read.get(*minute) != Some(*stats));
    assert_eq!(missing, None, "read later, not never");
}
