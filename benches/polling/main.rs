//! What polling metrics costs, by what it is that makes it cheap: `cargo bench --bench polling`.
//!
//! A day of 20 active models with ten metrics each, scripted, in virtual time, polled by the planner itself.
#![allow(clippy::print_stdout, clippy::cast_precision_loss, missing_debug_implementations)]

mod script;

use chrono::Duration;
use faultline::sources::metrics::Settings;
use script::{Outcome, Plan, Script};

fn main() {
    println!("20 active models x 10 metrics, a day, one-minute polls; 105 minutes of incidents in it\n");
    println!(
        "{:<44} {:>12} {:>7} {:>9} {:>10} {:>14}",
        "", "metrics/day", "of all", "$/month", "calls/day", "detected after"
    );
    for aggregates in [true, false] {
        let plan = Plan::day(aggregates);
        let script = Script::new(&plan);
        let all = script::every_metric_every_minute(&script, plan.models);
        let base = all.metrics_requested as f64 / all.minutes_polled as f64;
        let place = if aggregates { "with series across all models" } else { "without series across all models" };
        line(&format!("every metric, every minute, {place}"), &all, &script, base);
        for (name, detail) in
            [("errors every minute, details every 5", 5), ("errors every minute, details every 10", 10)]
        {
            let (outcome, _) = script::planned(&script, settings(detail));
            line(name, &outcome, &script, base);
        }
        let (outcome, planner) = script::planned(&script, settings(10));
        let wrong = outcome.settled.iter().filter(|((key, minute), (_, stats))| {
            script.truth(key, *minute).is_some_and(|truth| truth.sample_count > stats.sample_count)
        });
        let ages = outcome.settled.iter().map(|((_, minute), (at, _))| (*at - *minute).num_seconds() - 60);
        let count = outcome.settled.len() as f64;
        println!(
            "  settled: {:.2} % changed later, {:.1} minutes old on average; delay learnt: {} minutes\n",
            100.0 * wrong.count() as f64 / count,
            ages.sum::<i64>() as f64 / count / 60.0,
            planner.settle_delay().num_minutes(),
        );
    }
}

fn settings(detail: i64) -> Settings {
    Settings {
        poll: Duration::minutes(1),
        detail: Duration::minutes(detail),
        settle: Duration::minutes(10),
        budget_usd_per_month: 1e9,
    }
}

fn line(name: &str, outcome: &Outcome, script: &Script, base: f64) {
    let a_minute = outcome.metrics_requested as f64 / outcome.minutes_polled as f64;
    let calls = outcome.calls as f64 / outcome.minutes_polled as f64;
    let delays = outcome.detection_delays(script);
    let slowest = delays.iter().max().map_or(-1, chrono::TimeDelta::num_seconds);
    println!(
        "{name:<44} {:>12.0} {:>7.3} {:>9.2} {:>10.0} {:>12} s",
        a_minute * 1440.0,
        a_minute / base,
        outcome.dollars_a_month(),
        calls * 1440.0,
        slowest,
    );
}
