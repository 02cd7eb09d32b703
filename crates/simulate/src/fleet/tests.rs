#![allow(clippy::unwrap_used, clippy::panic)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use faultline_core::model::{Cause, FailureKind, Tokens};
use serde_json::Value;

use super::*;

fn now() -> Time {
    "2026-11-24T12:34:56Z".parse().unwrap()
}

/// The demo's past and a while of its life, advanced in these steps.
fn play(seed: u64, past: TimeDelta, step: TimeDelta) -> (Fleet, Vec<Emission>) {
    let mut fleet = Fleet::new(FleetPlan::demo(seed, now()), now() - past);
    let mut emissions = Vec::new();
    let until = now() + TimeDelta::minutes(7);
    let mut at = now() - past;
    while at < until {
        at = (at + step).min(until);
        fleet.advance(at, &mut emissions);
    }
    (fleet, emissions)
}

/// All of it, played once for every test that only looks.
fn whole() -> &'static (Fleet, Vec<Emission>) {
    static WHOLE: LazyLock<(Fleet, Vec<Emission>)> = LazyLock::new(|| play(7, DEMO_PAST, TimeDelta::hours(24)));
    &WHOLE
}

/// Records by request id.
fn records(emissions: &[Emission]) -> BTreeMap<String, Value> {
    emissions
        .iter()
        .filter_map(|emission| match emission {
            Emission::Log { group, message, .. } if &**group == INVOCATION_GROUP => {
                let record: Value = serde_json::from_str(message).unwrap();
                Some((record["requestId"].as_str().unwrap().to_owned(), record))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn the_same_seed_plays_the_same_and_another_does_not() {
    let hour = TimeDelta::hours(1);
    let (a, b, c) = (play(7, hour, hour), play(7, hour, hour), play(8, hour, hour));
    assert!(a.1 == b.1 && a.0.truth() == b.0.truth());
    assert!(a.1 != c.1);
}

#[test]
fn how_time_is_cut_changes_nothing() {
    let hour = TimeDelta::hours(1);
    let whole = play(7, hour, TimeDelta::hours(24));
    for step in [TimeDelta::milliseconds(1_700), TimeDelta::seconds(60), TimeDelta::seconds(601)] {
        let cut = play(7, hour, step);
        assert!(cut.1 == whole.1, "{step}");
        assert!(cut.0.truth() == whole.0.truth(), "{step}");
    }
}

#[test]
fn a_later_start_plays_the_same_from_there_on() {
    let (early, _) = play(7, TimeDelta::hours(1), TimeDelta::hours(24));
    let (late, _) = play(7, TimeDelta::minutes(29), TimeDelta::hours(24));
    let from = late.truth().first().unwrap().started_at;
    let calls = |fleet: &Fleet| {
        let ids = fleet.truth().iter().filter(|t| t.started_at >= from).map(|t| t.request_id.to_string());
        ids.collect::<BTreeSet<_>>()
    };
    assert!(calls(&late).is_subset(&calls(&early)));
}

#[test]
fn only_what_starts_before_until_is_emitted() {
    let mut fleet = Fleet::new(FleetPlan::demo(7, now()), now() - TimeDelta::minutes(3));
    let mut emissions = Vec::new();
    let until = now() - TimeDelta::seconds(77);
    fleet.advance(until, &mut emissions);
    let first_attempts = |fleet: &Fleet| fleet.truth().len();
    let held = first_attempts(&fleet);
    assert!(held > 0);
    fleet.advance(until, &mut emissions);
    fleet.advance(until - TimeDelta::minutes(1), &mut emissions);
    assert_eq!(first_attempts(&fleet), held, "going nowhere, or back, plays nothing");
}

#[test]
fn what_is_visible_has_happened_and_live_records_come_soon() {
    let (_, emissions) = whole();
    for emission in emissions {
        let (Emission::Log { at, visible_at, .. } | Emission::Sample { at, visible_at, .. }) = emission;
        assert!(visible_at >= at);
        if let Emission::Log { group, .. } = emission
            && &**group == INVOCATION_GROUP
            && *at >= now()
        {
            let delay = chance::seconds_between(*at, *visible_at);
            assert!((3.0..=15.0).contains(&delay), "{delay}");
        }
    }
}

#[test]
fn every_attempt_that_reached_aws_has_its_record_unless_it_was_lost() {
    let (fleet, emissions) = whole();
    let records = records(emissions);
    let expected: BTreeSet<_> =
        fleet.truth().iter().filter(|t| t.has_record).map(|t| t.request_id.to_string()).collect();
    assert!(expected.iter().eq(records.keys()));
    let lost = fleet.truth().iter().filter(|t| t.reached_aws && !t.has_record).count();
    assert!(lost > 0 && lost * 50 < fleet.truth().len(), "{lost}");
    for truth in fleet.truth().iter().filter(|t| t.has_record) {
        let record = &records[&*truth.request_id];
        let count = |side: &str, field: &str| record[side][field].as_u64().unwrap_or(0);
        let tokens = Tokens {
            input: count("input", "inputTokenCount"),
            output: count("output", "outputTokenCount"),
            cache_read: count("input", "cacheReadInputTokenCount"),
            cache_write: count("input", "cacheWriteInputTokenCount"),
        };
        assert_eq!(tokens, truth.tokens);
        assert_eq!(tokens.total() > 0, truth.metered);
        assert_eq!(record["errorCode"].as_str(), truth.error_code);
        assert_eq!(record["modelId"].as_str(), Some(&*truth.model_id));
        assert_eq!(record["timestamp"], truth.started_at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        let role = format!("arn:aws:sts::111122223333:assumed-role/{}/", truth.application);
        assert!(record["identity"]["arn"].as_str().unwrap().starts_with(&role));
    }
}

#[test]
fn metrics_add_up_to_the_truth() {
    let (fleet, emissions) = whole();
    let mut sums: BTreeMap<(&str, Option<String>), (u64, f64)> = BTreeMap::new();
    for emission in emissions {
        if let Emission::Sample { metric, dimensions, value, .. } = emission {
            let model = dimensions.first().map(|(_, model)| model.to_string());
            let (samples, sum) = sums.entry((metric, model)).or_default();
            *samples += 1;
            *sum += value;
        }
    }
    let sum_of = |metric, model: &str| sums.get(&(metric, Some(model.to_owned()))).copied().unwrap_or_default();
    for info in fleet.plan().applications() {
        let model = &*info.model_id;
        // An ARN ends in the profile's id.
        let truth: Vec<_> = fleet.truth().iter().filter(|t| t.reached_aws && t.model_id.ends_with(model)).collect();
        let total = |of: fn(&RequestTruth) -> u64| truth.iter().map(|t| of(t)).sum::<u64>();
        let refused = |kind| truth.iter().filter(|t| t.kind == Some(kind)).count() as u64;
        let answered = |t: &&&RequestTruth| {
            let kind = t.kind;
            kind.is_none_or(|kind| !kind.seen_by_aws())
        };
        let successes = truth.iter().filter(answered).count() as u64;
        let throttled = refused(FailureKind::Throttled);
        assert_eq!(sum_of("InputTokenCount", model).0, total(|t| t.metered.into()), "{model}");
        assert_eq!(sum_of("InputTokenCount", model).1, number(total(|t| t.tokens.input)), "{model}");
        assert_eq!(sum_of("OutputTokenCount", model).1, number(total(|t| t.tokens.output)), "{model}");
        assert_eq!(sum_of("CacheReadInputTokens", model).1, number(total(|t| t.tokens.cache_read)), "{model}");
        assert_eq!(sum_of("EstimatedTPMQuotaUsage", model).0, successes, "{model}");
        assert_eq!(sum_of("InvocationLatency", model).0, successes, "{model}");
        assert_eq!(sum_of("Invocations", model).0, truth.len() as u64 - throttled, "{model}");
        assert_eq!(sum_of("InvocationThrottles", model).0, throttled, "{model}");
        let server = refused(FailureKind::ServiceUnavailable)
            + refused(FailureKind::InternalError)
            + refused(FailureKind::StreamError);
        assert_eq!(sum_of("InvocationServerErrors", model).0, server, "{model}");
        assert_eq!(sum_of("InvocationClientErrors", model).0, refused(FailureKind::ModelError), "{model}");
    }
    let delivered = sums[&("ModelInvocationLogsCloudWatchDeliverySuccess", None)].0;
    assert_eq!(delivered, fleet.truth().iter().filter(|t| t.has_record).count() as u64);
}

#[test]
fn the_demo_has_its_incidents() {
    let (fleet, _) = whole();
    let billed = |from: Time, until: Time, cause: Cause, application: &str| {
        let failed =
            fleet.truth().iter().filter(|t| from <= t.started_at && t.started_at < until && t.cause == Some(cause));
        let failed = failed.filter(|t| {
            t.application.contains(application)
                && (t.billed || cause == Cause::Throttling || cause == Cause::ModelError)
        });
        failed.count()
    };
    let plan = fleet.plan();
    for (name, cause, application, at_least) in [
        ("503 storm", Cause::ServerCapacity, "web-assistant", 30),
        ("throttling", Cause::Throttling, "catalog-enricher", 100),
        ("read timeout too low", Cause::ClientTimeout, "ticket-summarizer", 60),
        ("network blip", Cause::Network, "", 20),
        ("model errors", Cause::ModelError, "content-moderation", 8),
        ("low-load 503", Cause::ServerCapacity, "contract-review", 10),
        ("503 storm of the last hour", Cause::ServerCapacity, "", 60),
    ] {
        let incident = plan.incidents.iter().find(|incident| incident.name == name).unwrap();
        assert!(incident.until < now());
        let seen = billed(incident.from, incident.until, cause, application);
        assert!(seen >= at_least, "{name}: {seen}");
    }
    assert!(billed(now() - DEMO_PAST, now(), Cause::Network, "report-writer") > 10, "NAT");
}

#[test]
fn the_last_hour_and_the_first_minutes_hold_failures_that_join_by_request_id_and_were_billed() {
    let (fleet, _) = whole();
    let joinable = |from: Time, until: Time| {
        let of_window = fleet.truth().iter().filter(|t| from <= t.started_at && t.started_at < until);
        of_window.filter(|t| t.id_in_text && t.has_record && t.billed_but_failed()).count()
    };
    let last_hour = joinable(now() - TimeDelta::minutes(59), now());
    assert!(last_hour >= 5, "{last_hour}");
    let first_minute = joinable(now(), now() + TimeDelta::seconds(60));
    assert!(first_minute >= 1, "{first_minute}");
}

#[test]
fn hidden_retries_are_billed_and_named_by_the_next_attempt() {
    let (fleet, _) = whole();
    let by_id: BTreeMap<_, _> = fleet.truth().iter().map(|t| (&t.request_id, t)).collect();
    let mut hidden = 0;
    for truth in fleet.truth() {
        if let Some(next) = &truth.retry_of {
            let next = by_id[next];
            assert!(truth.failed && truth.logged_at.is_none() && next.started_at >= truth.left_at);
            assert_eq!(next.application, truth.application);
            hidden += u32::from(truth.billed && truth.kind == Some(FailureKind::ReadTimeout));
        } else {
            assert_eq!(truth.failed, truth.logged_at.is_some());
        }
    }
    assert!(hidden > 40, "{hidden}");
}

#[test]
fn traffic_is_what_a_demo_can_show() {
    let (fleet, emissions) = whole();
    let calls = fleet.truth().iter().filter(|t| t.retry_of.is_none()).count() as f64;
    let per_minute = calls / (367.0);
    assert!((60.0..120.0).contains(&per_minute), "{per_minute}");
    let groups: BTreeSet<_> = fleet.plan().applications().into_iter().map(|info| info.log_group).collect();
    assert!(groups.len() >= 5);
    assert!(emissions.iter().all(|emission| match emission {
        Emission::Log { group, .. } => &**group == INVOCATION_GROUP || groups.contains(group),
        Emission::Sample { .. } => true,
    }));
}

#[test]
fn whatever_the_seed_and_the_hour_a_demo_shows_something_soon() {
    for (seed, hours) in [(1, 0), (2, 5), (3, 10), (42, 15), (99, 20)] {
        let now = now() + TimeDelta::hours(hours);
        let start = now - TimeDelta::minutes(40);
        let mut fleet = Fleet::new(FleetPlan::demo(seed, now), start);
        fleet.advance(now + TimeDelta::minutes(1), &mut Vec::new());
        let joinable = |t: &&RequestTruth| t.id_in_text && t.has_record && t.billed_but_failed();
        let (past, live): (Vec<_>, Vec<_>) = fleet.truth().iter().filter(joinable).partition(|t| t.started_at < now);
        assert!(past.len() >= 4, "seed {seed}: {} in the last hour", past.len());
        let soon = live.iter().filter(|t| t.logged_at.is_some_and(|at| at < now + TimeDelta::seconds(75))).count();
        assert!(soon >= 1, "seed {seed}: {soon} of {} live", live.len());
    }
}

#[test]
fn invocations_count_successes_or_all_that_was_accepted() {
    let invocations = |counts| {
        let mut plan = FleetPlan::demo(7, now());
        plan.noise.invocations = counts;
        let mut fleet = Fleet::new(plan, now() - TimeDelta::minutes(35));
        let mut emissions = Vec::new();
        fleet.advance(now() - TimeDelta::minutes(25), &mut emissions);
        let counted = |e: &&Emission| matches!(e, Emission::Sample { metric, .. } if *metric == "Invocations");
        let throttled = |t: &&RequestTruth| t.kind == Some(FailureKind::Throttled);
        let truth = fleet.truth().iter().filter(|t| t.reached_aws && !throttled(t));
        let (refused, answered): (Vec<_>, Vec<_>) = truth.partition(|t| t.kind.is_some_and(FailureKind::seen_by_aws));
        (emissions.iter().filter(counted).count(), answered.len(), refused.len())
    };
    let (counted, answered, refused) = invocations(CountsInvocations::Accepted);
    assert!(refused > 50);
    assert_eq!(counted, answered + refused);
    let (counted, answered, _) = invocations(CountsInvocations::Successes);
    assert_eq!(counted, answered);
}

#[test]
fn bodies_now_and_then_look_like_records_and_never_reach_an_application_s_log() {
    let (_, emissions) = whole();
    let (mut in_text, mut in_json) = (0, 0);
    for emission in emissions {
        let Emission::Log { group, message, .. } = emission else { continue };
        assert!(!message.is_empty());
        if &**group == INVOCATION_GROUP {
            in_text += usize::from(message.contains(r#"\"inputTokenCount\": 5"#));
            in_json += usize::from(message.contains(r#""inputTokenCount": 5"#));
        } else {
            for filler in record::FILLER {
                assert!(!message.contains(filler), "{message}");
            }
        }
    }
    assert!(in_text > 0 && in_json > 0, "{in_text} {in_json}");
}

#[test]
fn a_traceback_is_one_event_for_one_application_and_many_for_another() {
    let (_, emissions) = whole();
    let tracebacks = |wanted: &str| {
        let of_group = emissions.iter().filter_map(move |emission| match emission {
            Emission::Log { group, message, .. } if &**group == wanted => Some(message.clone()),
            _ => None,
        });
        of_group.filter(|message| message.contains("Traceback (most recent call last):")).collect::<Vec<_>>()
    };
    let (one, many) = (tracebacks("/ecs/chat-api"), tracebacks("/aws/lambda/ticket-summarizer"));
    assert!(!one.is_empty() && one.iter().all(|message| message.lines().count() > 10));
    assert!(!many.is_empty() && many.iter().all(|message| message.lines().count() == 1));
}
