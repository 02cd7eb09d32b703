#![allow(clippy::unwrap_used)]

use std::collections::{HashMap, HashSet};

use chrono::{TimeZone, Utc};
use faultline_core::model::Cause;
use serde_json::Value;

use super::*;

fn now() -> Time {
    Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).unwrap()
}

fn past(seed: u64) -> (Fleet, Vec<Emission>) {
    let start = now() - FleetPlan::PAST;
    let mut fleet = Fleet::new(FleetPlan::demo(seed, now()), start);
    let mut emissions = Vec::new();
    fleet.advance(now(), &mut emissions);
    (fleet, emissions)
}

#[test]
fn a_seed_is_one_account_and_another_seed_another() {
    assert_eq!(past(1).0.truth(), past(1).0.truth());
    assert_ne!(past(1).0.truth(), past(2).0.truth());
}

#[test]
fn it_does_not_matter_in_which_steps_time_is_advanced() {
    let start = now() - Duration::minutes(40);
    let whole = {
        let (mut fleet, mut emissions) = (Fleet::new(FleetPlan::demo(1, now()), start), Vec::new());
        fleet.advance(now(), &mut emissions);
        (emissions, fleet.truth().to_vec())
    };
    let (mut fleet, mut emissions) = (Fleet::new(FleetPlan::demo(1, now()), start), Vec::new());
    let mut at = start;
    while at < now() {
        at += Duration::milliseconds(7_919);
        fleet.advance(at.min(now()), &mut emissions);
    }
    let key = |emission: &Emission| format!("{emission:?}");
    let mut parts: Vec<_> = emissions.iter().map(key).collect();
    let mut all: Vec<_> = whole.0.iter().map(key).collect();
    parts.sort();
    all.sort();
    assert_eq!(parts, all);
    assert_eq!(fleet.truth().len(), whole.1.len());
}

#[test]
fn what_was_metered_has_a_record_with_its_tokens_unless_it_was_lost() {
    let (fleet, emissions) = past(1);
    let records: HashMap<String, Value> = emissions
        .iter()
        .filter_map(|emission| match emission {
            Emission::Log { group, message, .. } if **group == *INVOCATION_GROUP => {
                let record: Value = serde_json::from_str(message).unwrap();
                Some((record["requestId"].as_str().unwrap().to_owned(), record))
            }
            _ => None,
        })
        .collect();
    let lost = fleet.truth().iter().filter(|request| request.record_lost).count();
    assert!(lost > 0 && records.len() + lost == fleet.truth().len());
    for request in fleet.truth().iter().filter(|request| !request.record_lost) {
        let record = &records[&request.request_id];
        let tokens = record["input"]["inputTokenCount"].as_u64();
        assert_eq!(tokens, request.verdict.metered.then_some(request.tokens.input), "{record}");
    }
}

#[test]
fn the_metrics_add_up_to_the_truth() {
    let (fleet, emissions) = past(1);
    let count = |name: &str| {
        emissions
            .iter()
            .filter(|emission| matches!(emission, Emission::Sample { metric, .. } if *metric == name))
            .count()
    };
    let truth = |test: fn(&RequestTruth) -> bool| fleet.truth().iter().filter(|request| test(request)).count();
    assert_eq!(count("InputTokenCount"), truth(|request| request.verdict.metered));
    assert_eq!(count("Invocations"), truth(|request| request.verdict.aws_error.is_none()));
    assert_eq!(count("EstimatedTPMQuotaUsage"), count("Invocations"));
    assert_eq!(count("InvocationThrottles"), truth(|request| request.verdict.aws_error == Some(429)));
    assert_eq!(count("InvocationServerErrors"), truth(|request| request.verdict.aws_error.is_some_and(|s| s >= 500)));
}

#[test]
fn request_ids_stand_in_a_log_exactly_where_the_real_client_prints_them() {
    let (fleet, emissions) = past(1);
    let applications: HashMap<&str, Client> =
        FleetPlan::demo(1, now()).applications.iter().map(|app| (app.log_group, app.client)).collect();
    let ids: HashSet<&str> = fleet.truth().iter().map(|request| request.request_id.as_str()).collect();
    let mut printed: HashMap<String, usize> = HashMap::new();
    for emission in &emissions {
        let Emission::Log { group, message, .. } = emission else { continue };
        let Some(client) = applications.get(group.as_ref()) else { continue };
        if message.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').any(|word| ids.contains(word)) {
            *printed.entry(format!("{client:?}")).or_default() += 1;
        }
        assert!(!message.contains("synthetic"), "no prompt and no answer is in an application's log: {message}");
    }
    let mut clients: Vec<_> = printed.keys().map(String::as_str).collect();
    clients.sort_unstable();
    assert_eq!(clients, ["Go", "Java", "JavaFramework", "Node", "Rust"], "and in no Python client's");
}

#[test]
fn the_demos_past_has_an_incident_of_every_cause_and_one_within_the_last_hour() {
    let (fleet, _) = past(1);
    let failed: Vec<_> =
        fleet.truth().iter().filter(|request| request.call_failed && request.verdict.failure.is_some()).collect();
    for cause in [Cause::ServerCapacity, Cause::Throttling, Cause::ClientTimeout, Cause::Network, Cause::ModelError] {
        let count = failed.iter().filter(|request| request.verdict.cause == Some(cause)).count();
        assert!(count >= 3, "{cause}: {count}");
    }
    let recent = now() - Duration::hours(1);
    let billed = failed.iter().filter(|request| request.start > recent && request.verdict.metered).count();
    assert!(billed >= 10, "{billed}");
    let hidden = fleet.truth().iter().filter(|request| request.retry_of.is_some() && request.verdict.metered).count();
    assert!(hidden >= 10, "earlier attempts were billed too: {hidden}");
}
