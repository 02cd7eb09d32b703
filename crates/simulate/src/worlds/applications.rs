//! Who calls in a world, and how each of them behaves and logs.

use std::sync::Arc;

use chrono::TimeDelta;
use faultline_core::model::Operation;
use rand::{Rng, RngExt, seq::IndexedRandom};

use super::{Knobs, Scenario, knobs::weighted};
use crate::fleet::{
    Application, Backoff, ClientLibrary, HealthCheck, Pace, Size, Templates,
    chance::{between, count, happens},
};

pub(super) const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
pub(super) const SECOND_MODEL: &str = "amazon.nova-pro-v1:0";
/// A NAT gateway forgets a connection after 350 s: only a more patient client sees it happen.
const NAT_PATIENCE: [f64; 2] = [600.0, 900.0];

/// Whether elapsed seconds in a client's text are of the call or of its last attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elapsed {
    /// It does not say.
    Untold,
    /// Of the last attempt.
    OfAttempt,
    /// Of the call, from its first attempt.
    OfCall,
}

/// What an application's log tells of a failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Telling {
    /// Whether the daemon is configured with its identity.
    pub identity: bool,
    /// Whether it names the model.
    pub model: bool,
    /// Whether it names the operation.
    pub operation: bool,
    /// Whether it counts attempts.
    pub attempts: bool,
    /// Whether it names the request id of an answered failure.
    pub request_id: bool,
    /// What its elapsed seconds are.
    pub elapsed: Elapsed,
    /// Seconds each of its log streams is ahead, and the standard deviation from line to line.
    pub clocks: Vec<f64>,
    /// Standard deviation of a line's time around that.
    pub clock_sd: f64,
}

/// An application, how it logs, and how many times its usual latency its client waits.
pub(super) struct Caller {
    pub(super) application: Application,
    pub(super) telling: Telling,
    pub(super) patience: f64,
}

/// The callers of a world: the first is the one that timeouts and NAT gateways strike, and never streams.
pub(super) fn draw(knobs: &Knobs, scenario: Scenario, rpm: f64, rng: &mut impl Rng) -> Vec<Caller> {
    let mut weights: Vec<f64> = (0..knobs.applications).map(|_| between(rng, (0.4, 2.0))).collect();
    weights[0] += 1.0;
    let last = knobs.applications - 1;
    let on_second = |index| knobs.second_model && index == last;
    let total: f64 = (0..knobs.applications).filter(|&i| !on_second(i)).map(|i| weights[i]).sum();
    (0..knobs.applications)
        .map(|index| {
            let model = if on_second(index) { SECOND_MODEL } else { MODEL };
            caller(index, model, rpm * weights[index] / total, knobs, scenario, rng)
        })
        .collect()
}

fn caller(
    index: usize,
    model: &str,
    calls_per_minute: f64,
    knobs: &Knobs,
    scenario: Scenario,
    rng: &mut impl Rng,
) -> Caller {
    let name: Arc<str> = format!("app-{index}").into();
    let struck_by_nat = index == 0 && scenario == Scenario::NatIdle;
    let read_timeout = if struck_by_nat {
        NAT_PATIENCE.choose(rng).copied().unwrap_or(900.0)
    } else {
        weighted(
            &[
                (60.0, 9),
                (120.0, 4),
                (300.0, 3),
                (30.0, 2),
                (20.0, 1),
                (90.0, 1),
                (180.0, 1),
                (45.0, 1),
                (75.0, 1),
                (25.0, 1),
            ],
            rng,
        )
    };
    let patience = if struck_by_nat { between(rng, (6.0, 10.0)) } else { between(rng, (4.0, 11.0)) };
    let streams = index > 0 && happens(rng, 0.35);
    // A stream waits for its first token only: its answers are of any length.
    let usual: f64 = if streams { between(rng, (4.0, 15.0)) } else { read_timeout / patience };
    let first = between(rng, (0.4, 1.2)).min(usual / 3.0);
    let per_token = between(rng, (0.008, 0.02));
    let output = ((usual - first) / per_token).max(20.0);
    let cached_prefix = (knobs.caching && happens(rng, 0.7)).then(|| rng.random_range(1_024..12_000));
    let input = Size { median: between(rng, (200.0, 4_000.0)), sd: between(rng, (0.4, 0.9)), max: 60_000.0 };
    // Not so often that it would be most of the traffic.
    let seldom = [10, 30, 60, 300].into_iter().filter(|every| 60.0 / f64::from(*every) < 0.3 * calls_per_minute);
    let seldom: Vec<i32> = seldom.collect();
    let health_check = happens(rng, knobs.health_checks).then(|| HealthCheck {
        every: TimeDelta::seconds(seldom.choose(rng).copied().unwrap_or(600).into()),
        input: rng.random_range(8..40),
        output: rng.random_range(1..6),
    });
    let operation = match (streams, happens(rng, 0.7)) {
        (true, true) => Operation::ConverseStream,
        (true, false) => Operation::InvokeModelWithResponseStream,
        (false, true) => Operation::Converse,
        (false, false) => Operation::InvokeModel,
    };
    let application = Application {
        log_group: format!("/ecs/{name}").into(),
        log_streams: (0..rng.random_range(1..=3)).map(|stream| format!("{name}/{stream}").into()).collect(),
        name,
        model_id: model.into(),
        calls_by_arn: false,
        operation,
        library: ClientLibrary::Boto3Plain,
        calls_per_minute,
        input,
        output: Size { median: output, sd: between(rng, (0.25, 0.55)), max: output * 12.0 },
        cached_prefix,
        pace: Pace { first, per_token, sd: knobs.latency_sd },
        read_timeout,
        max_attempts: if knobs.retries { weighted(&[(1, 2), (3, 5), (5, 3)], rng) } else { 1 },
        backoff: backoff(knobs, rng),
        answer_sd: between(rng, (0.05, 0.25)),
        templates: (knobs.templates > 0.0).then(|| Templates {
            share: knobs.templates,
            inputs: (0..4).map(|_| count(between(rng, (0.5, 2.0)) * input.median)).collect(),
        }),
        calls_again: if happens(rng, 0.5) { knobs.calls_again } else { 0.0 },
        behind_nat: struck_by_nat || happens(rng, 0.3),
        sends_own_id: happens(rng, knobs.own_ids),
        health_check,
        clock_skew: 0.0,
    };
    let elapsed = match (happens(rng, knobs.elapsed_told), happens(rng, 0.5)) {
        (false, _) => Elapsed::Untold,
        (true, true) => Elapsed::OfCall,
        (true, false) => Elapsed::OfAttempt,
    };
    let skew = |rng: &mut _| knobs.clock_sd * between(rng, (-1.7, 1.7));
    let telling = Telling {
        identity: happens(rng, knobs.identity_known),
        model: happens(rng, knobs.call_told),
        operation: happens(rng, knobs.call_told),
        attempts: happens(rng, 0.5),
        request_id: happens(rng, knobs.ids_told),
        elapsed,
        clocks: application.log_streams.iter().map(|_| skew(rng)).collect(),
        clock_sd: between(rng, (0.01, 0.2)),
    };
    Caller { application, telling, patience }
}

fn backoff(knobs: &Knobs, rng: &mut impl Rng) -> Backoff {
    if !knobs.other_backoffs {
        return Backoff::Standard;
    }
    let others = [Backoff::FullJitter(0.1), Backoff::FullJitter(1.0), Backoff::Exponential(1.0)];
    let fixed = [Backoff::Exponential(0.5), Backoff::Fixed(1.0), Backoff::Fixed(5.0)];
    others.into_iter().chain(fixed).collect::<Vec<_>>().choose(rng).copied().unwrap_or(Backoff::Standard)
}
