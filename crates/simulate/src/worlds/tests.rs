#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap, HashSet};

use faultline_core::model::{Cause, ClientFailure, FailureKind, InvocationRecord, LogRef, Metric, MetricPoint};

use super::*;

fn records(world: &World) -> impl Iterator<Item = (Time, &InvocationRecord)> {
    world.observations.iter().filter_map(|(seen_at, observation)| match observation {
        Observation::Record(record) => Some((*seen_at, record)),
        _ => None,
    })
}

fn failures(world: &World) -> impl Iterator<Item = &ClientFailure> {
    world.observations.iter().filter_map(|(_, observation)| match observation {
        Observation::Failure(failure) => Some(failure),
        _ => None,
    })
}

/// The last reading of every minute of the metrics.
fn minutes(world: &World) -> HashMap<(Metric, Option<ModelKey>, Time), &MetricPoint> {
    let points = world.observations.iter().filter_map(|(_, observation)| match observation {
        Observation::Metric(point) => Some(((point.metric, point.model.clone(), point.minute), point)),
        _ => None,
    });
    points.collect()
}

#[test]
fn the_same_seed_is_the_same_world_and_another_is_another() {
    let world = |seed| World::draw(seed, 10.0, Scenario::Storm).observations;
    assert_eq!(world(2), world(2));
    assert_ne!(world(2), world(4));
}

#[test]
fn a_record_has_its_truth_and_is_seen_after_its_request_has_ended() {
    for scenario in Scenario::ALL {
        let world = World::draw(6, 10.0, scenario);
        let truth: HashMap<&str, &RequestTruth> = world.truth.iter().map(|t| (&*t.request_id, t)).collect();
        let mut seen = HashSet::new();
        for (seen_at, record) in records(&world) {
            let truth = truth[&*record.request_id];
            assert!(truth.has_record && seen.insert(&record.request_id));
            assert_eq!(record.at.timestamp(), truth.started_at.timestamp(), "floored to the second");
            assert_eq!((record.tokens, record.error_code.is_some()), (truth.tokens, truth.has_error_code));
            assert!(seen_at > truth.ended_at);
        }
        assert_eq!(seen.len(), world.truth.iter().filter(|t| t.has_record).count());
        assert!(world.observations.is_sorted_by_key(|(seen_at, _)| *seen_at));
    }
}

#[test]
fn every_line_tells_of_the_last_attempt_of_a_call_that_failed() {
    let world = World::draw_with(2, 60.0, Scenario::Storm, |knobs| knobs.retries = true);
    let told: HashSet<_> = failures(&world).map(|failure| failure.log.key()).collect();
    let of_truth: HashSet<_> = world.truth.iter().filter_map(|t| t.line.as_ref()).map(LogRef::key).collect();
    assert_eq!(told, of_truth);
    for attempt in world.truth.iter().filter(|t| t.line.is_some()) {
        assert!(attempt.call_failed && attempt.failed && attempt.retry_of.is_none());
    }
    for pair in world.truth.windows(2).filter(|pair| pair[0].is_hidden()) {
        assert_eq!(pair[0].retry_of.as_ref(), Some(&pair[1].request_id));
        assert_eq!(pair[0].call, pair[1].call);
        assert!(pair[0].failed && pair[0].line.is_none() && pair[1].started_at > pair[0].started_at);
    }
}

#[test]
fn what_is_joinable_is_named_by_an_id_on_both_sides_or_by_its_own_record() {
    let world = World::draw_with(2, 60.0, Scenario::Storm, |knobs| {
        (knobs.ids_told, knobs.own_ids, knobs.metered_server_errors) = (0.5, 0.3, 0.5);
    });
    let truth: HashMap<&str, &RequestTruth> = world.truth.iter().map(|t| (&*t.request_id, t)).collect();
    let named: HashSet<_> = failures(&world).filter_map(|failure| failure.text.request_id.clone()).collect();
    let own: HashSet<_> = failures(&world).filter_map(|failure| failure.text.own_id.clone()).collect();
    for (_, record) in records(&world).filter(|(_, record)| record.tokens.total() > 0) {
        let joins = named.contains(&*record.request_id)
            || record.error_code.is_some()
            || record.own_id.as_ref().is_some_and(|id| own.contains(&**id));
        assert_eq!(joins, truth[&*record.request_id].joinable, "{record:?}");
    }
    let joinable = world.truth.iter().filter(|t| t.joinable).count();
    assert!(joinable > 0 && joinable < world.truth.iter().filter(|t| t.billed_but_failed()).count());
}

#[test]
fn a_minute_is_read_again_until_it_has_settled_and_only_grows() {
    let world = World::draw(8, 60.0, Scenario::Quiet);
    let mut read: BTreeMap<_, (f64, bool)> = BTreeMap::new();
    for (seen_at, observation) in &world.observations {
        let Observation::Metric(point) = observation else { continue };
        let key = (point.metric, point.model.clone(), point.minute);
        let before = read.insert(key, (point.stats.sample_count, point.settled)).unwrap_or_default();
        assert!(point.stats.sample_count >= before.0 && (point.settled || !before.1));
        assert_eq!(point.settled, *seen_at >= point.minute + TimeDelta::minutes(11));
    }
    assert!(read.values().all(|(_, settled)| *settled));
}

#[test]
fn metrics_count_requests_as_the_knobs_say() {
    let sum = |world: &World, metric| -> f64 {
        minutes(world).values().filter(|point| point.metric == metric).map(|point| point.stats.sum).sum()
    };
    let samples = |world: &World, metric| -> f64 {
        minutes(world).values().filter(|point| point.metric == metric).map(|point| point.stats.sample_count).sum()
    };
    let of_aws = |t: &&RequestTruth| t.kind.is_some_and(FailureKind::seen_by_aws) && t.failed;
    let throttled = |t: &&RequestTruth| t.kind == Some(FailureKind::Throttled);
    for (counts, samples_of) in [
        (crate::fleet::CountsInvocations::Successes, TokenSamples::Metered),
        (crate::fleet::CountsInvocations::Accepted, TokenSamples::Metered),
        (crate::fleet::CountsInvocations::Accepted, TokenSamples::SuccessesOnly),
        (crate::fleet::CountsInvocations::Successes, TokenSamples::AlsoUnbilled),
    ] {
        let world = World::draw_with(2, 60.0, Scenario::Storm, |knobs| {
            (knobs.invocations, knobs.token_samples, knobs.metered_server_errors) = (counts, samples_of, 0.5);
        });
        let count = |keep: &dyn Fn(&&RequestTruth) -> bool| world.truth.iter().filter(keep).count() as f64;
        let refused = count(&|t| of_aws(t) && !throttled(t));
        let successes = sum(&world, Metric::Invocations)
            - if counts == crate::fleet::CountsInvocations::Accepted { refused } else { 0.0 };
        let billed = count(&|t| t.billed && of_aws(t));
        let errors = sum(&world, Metric::InvocationServerErrors) + sum(&world, Metric::InvocationClientErrors);
        assert_eq!(errors, refused);
        let beyond = samples(&world, Metric::InputTokenCount) - successes;
        let expected = match samples_of {
            TokenSamples::SuccessesOnly => 0.0,
            TokenSamples::AlsoUnbilled => refused,
            TokenSamples::Metered | TokenSamples::Zeros => billed,
        };
        assert_eq!(beyond, expected);
    }
}

#[test]
fn what_goes_wrong_fails_for_its_cause() {
    for (scenario, cause) in [
        (Scenario::Storm, Cause::ServerCapacity),
        (Scenario::LowLoadStorm, Cause::ServerCapacity),
        (Scenario::Throttling, Cause::Throttling),
        (Scenario::NetworkBlip, Cause::Network),
        (Scenario::NatIdle, Cause::Network),
        (Scenario::SlowModel, Cause::ClientTimeout),
        (Scenario::LongAnswers, Cause::ClientTimeout),
        (Scenario::ModelErrors, Cause::ModelError),
    ] {
        let world = World::draw(10, 60.0, scenario);
        let incident = &world.incidents[0];
        assert_eq!((incident.cause, incident.low_load), (Some(cause), scenario == Scenario::LowLoadStorm));
        let within = |t: &&RequestTruth| t.failed && incident.from <= t.started_at && t.started_at < incident.until;
        let (all, of_cause) = world
            .truth
            .iter()
            .filter(within)
            .fold((0, 0), |(all, of_cause), t| (all + 1, of_cause + i32::from(t.cause == Some(cause))));
        assert!(of_cause >= 8 && of_cause * 4 >= all * 3, "{scenario}: {of_cause} of {all}");
    }
}
