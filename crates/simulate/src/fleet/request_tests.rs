#![allow(clippy::unwrap_used, clippy::panic)]

use faultline_core::model::Operation;

use super::*;
use crate::fleet::{
    FleetPlan,
    application::Pace,
    chance::{seconds_between, stream_of},
};

const STILL: Weather = Weather::STILL;

fn now() -> Time {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

/// An application whose answers take 100 s sharp, streamed or not.
fn slow(operation: Operation) -> Application {
    let application = FleetPlan::demo(1, now()).applications.remove(0);
    let pace = Pace { first: 10.0, per_token: 0.9, sd: 0.0 };
    Application { operation, pace, read_timeout: 60.0, max_attempts: 3, behind_nat: false, ..application }
}

fn play(application: &Application, weather: Weather, adjust: impl Fn(&mut Noise)) -> Vec<Vec<Attempt>> {
    let mut noise = FleetPlan::demo(1, now()).noise;
    adjust(&mut noise);
    let stage = Stage { application, noise: &noise, slowdown: 1.0, weather: |_| weather };
    let prompt = Prompt { input: 50, output: 100.0, output_sd: 0.0 };
    (0..40).map(|minute| stage.play(now(), prompt, &mut stream_of(5, minute, 0))).collect()
}

#[test]
fn a_client_that_waits_too_short_pays_for_every_attempt() {
    for attempts in play(&slow(Operation::Converse), STILL, |_| ()) {
        assert_eq!(attempts.len(), 3);
        for attempt in &attempts {
            assert_eq!(attempt.failure, Some(Failure::ReadTimeout));
            assert!(attempt.metered && attempt.exception().is_none());
            assert!((attempt.client_wait - 60.0).abs() < 1e-6 && (attempt.latency - 100.0).abs() < 1e-6);
        }
        for (pair, backoff) in attempts.windows(2).zip([1.0, 2.0]) {
            let pause = seconds_between(pair[0].left_at(), pair[1].started_at);
            assert!((0.0..=backoff).contains(&pause), "{pause}");
        }
    }
}

#[test]
fn a_stream_waits_for_its_first_token_only() {
    for attempts in play(&slow(Operation::ConverseStream), STILL, |_| ()) {
        assert_eq!(attempts.len(), 1);
        assert_eq!(attempts[0].failure, None);
    }
}

#[test]
fn a_nat_gateway_cuts_what_a_patient_client_would_have_got() {
    let pace = Pace { first: 10.0, per_token: 4.0, sd: 0.0 };
    let application = Application { pace, read_timeout: 900.0, behind_nat: true, ..slow(Operation::Converse) };
    for attempt in play(&application, STILL, |_| ()).into_iter().flatten() {
        assert_eq!(attempt.failure, Some(Failure::ResetBeforeAnswer));
        assert!((350.3..351.0).contains(&attempt.client_wait) && attempt.metered);
    }
}

#[test]
fn a_503_is_metered_at_the_share_set_and_a_429_never() {
    let unavailable = Weather { unavailable: 1.0, ..STILL };
    for share in [0.0, 1.0] {
        for attempt in
            play(&slow(Operation::Converse), unavailable, |noise| noise.metered_server_errors = share).iter().flatten()
        {
            assert_eq!(attempt.exception(), Some(BedrockException::ServiceUnavailableException));
            assert_eq!(attempt.metered, share > 0.5);
        }
    }
    let throttled = Weather { throttled: 1.0, ..STILL };
    for attempt in
        play(&slow(Operation::Converse), throttled, |noise| noise.metered_server_errors = 1.0).iter().flatten()
    {
        assert!(!attempt.metered && attempt.latency < 1.0);
    }
}

#[test]
fn what_a_stream_loses_midway_is_billed_and_not_retried() {
    let blip = Weather { network: 1.0, ..STILL };
    let calls = play(&slow(Operation::ConverseStream), blip, |noise| noise.resets_on_the_way_out = 0.0);
    let cut: Vec<_> =
        calls.iter().filter(|attempts| attempts.last().unwrap().failure == Some(Failure::ResetMidStream)).collect();
    assert!(!cut.is_empty());
    for last in cut.iter().map(|attempts| attempts.last().unwrap()) {
        assert!(last.metered && last.client_wait >= last.first_token && last.client_wait <= last.latency);
    }
    for attempts in &calls {
        let midway = attempts.iter().filter(|attempt| attempt.failure == Some(Failure::ResetMidStream)).count();
        assert!(midway <= 1);
    }
}

#[test]
fn what_never_reached_aws_is_not_metered() {
    let blip = Weather { network: 1.0, ..STILL };
    for attempt in play(&slow(Operation::Converse), blip, |noise| noise.resets_on_the_way_out = 1.0).iter().flatten() {
        assert!(!attempt.reached_aws && !attempt.metered);
        assert_eq!(attempt.failure, Some(Failure::ResetBeforeAnswer));
    }
}
