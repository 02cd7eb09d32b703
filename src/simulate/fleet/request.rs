//! The life of one call: its attempts, how each ends, and what it leaves behind on either side.

use chrono::Duration;
use faultline_core::model::{FailureKind, Time, Tokens};
use rand::{Rng, RngExt};
use rand_distr::{Distribution, LogNormal, Poisson};

use super::{Application, FleetPlan, Mechanism, RequestTruth, Verdict, aws_view, texts};
use crate::simulate::Emission;

/// Calls fail this often without any incident.
const BACKGROUND_SHARE: f64 = 0.001;
/// An answer takes log-normally long around `BASE_SECONDS + SECONDS_A_TOKEN * output tokens`.
const BASE_SECONDS: f64 = 0.9;
const SECONDS_A_TOKEN: f64 = 0.012;
const LATENCY_SPREAD: f64 = 0.2;
/// How much longer a slow answer takes.
const SLOW_FACTOR: f64 = 9.0;
/// When a NAT gateway forgets an idle connection, and the longest wait before SDKs try again.
const NAT_IDLE_SECONDS: f64 = 350.0;
const LONGEST_BACKOFF_SECONDS: f64 = 20.0;

/// When an application's calls of one minute start.
pub(super) fn starts(application: &Application, minute: Time, rng: &mut impl Rng) -> Vec<Time> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a Poisson number is whole and not negative
    let count = Poisson::new(application.calls_a_minute).map_or(0, |poisson| poisson.sample(rng) as u32);
    (0..count).map(|_| minute + Duration::milliseconds(rng.random_range(0..60_000))).collect()
}

/// One attempt as both sides see it.
pub(super) struct Attempt {
    pub request_id: String,
    pub start: Time,
    /// When the client knew; AWS may have gone on.
    pub client_end: Time,
    /// When AWS was done.
    pub aws_end: Time,
    pub first_token: Time,
    pub tokens: Tokens,
    pub verdict: Verdict,
    pub own_id: Option<String>,
}

/// Makes the call that starts at `start`.
pub(super) fn call(
    plan: &FleetPlan,
    application: &Application,
    start: Time,
    rng: &mut impl Rng,
    emit: &mut Vec<Emission>,
    truth: &mut Vec<RequestTruth>,
) {
    let tokens = tokens(application, rng);
    let own_id = application.own_ids.then(|| format!("call-{:08x}", rng.random::<u32>()));
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut at = start;
    for number in 0..application.attempts.max(1) {
        let attempt = attempt(plan, application, at, tokens, own_id.clone(), rng);
        let failure = attempt.verdict.failure;
        let end = attempt.client_end;
        attempts.push(attempt);
        if failure.is_none_or(|kind| !is_retried(kind)) {
            break;
        }
        // Full jitter over a doubling range, as the SDKs' standard mode waits.
        let backoff = (rng.random::<f64>() * f64::from(1_u32 << number.min(10))).min(LONGEST_BACKOFF_SECONDS);
        at = end + seconds(backoff);
    }

    let failed = attempts.last().is_some_and(|attempt| attempt.verdict.failure.is_some());
    let lost: Vec<bool> = attempts.iter().map(|_| rng.random_bool(plan.record_loss)).collect();
    for (attempt, lost) in attempts.iter().zip(&lost) {
        aws_view::emit(plan, application, attempt, *lost, rng, emit);
    }
    texts::emit(plan, application, &attempts, rng, emit);
    let followers = attempts.iter().skip(1).map(|next| Some(next.request_id.clone())).chain([None]);
    truth.extend(attempts.iter().zip(followers).zip(lost).map(|((attempt, retry_of), record_lost)| RequestTruth {
        request_id: attempt.request_id.clone(),
        application: application.name,
        model_id: application.model_id,
        start: attempt.start,
        end: attempt.client_end,
        tokens: attempt.tokens,
        verdict: attempt.verdict,
        call_failed: failed,
        retry_of,
        record_lost,
    }));
}

fn attempt(
    plan: &FleetPlan,
    application: &Application,
    start: Time,
    tokens: Tokens,
    own_id: Option<String>,
    rng: &mut impl Rng,
) -> Attempt {
    let hit = plan.incidents_at(start, application.name).find(|incident| rng.random_bool(incident.share));
    let mechanism = hit.map(|incident| incident.mechanism).or_else(|| {
        let background = [Mechanism::Capacity, Mechanism::Reset, Mechanism::Internal];
        rng.random_bool(BACKGROUND_SHARE).then(|| background[rng.random_range(0..background.len())])
    });
    #[allow(clippy::cast_precision_loss)] // token counts are far below 2^52
    let mean = BASE_SECONDS + SECONDS_A_TOKEN * tokens.output as f64;
    let slow = if mechanism == Some(Mechanism::Slow) { SLOW_FACTOR } else { 1.0 };
    let latency = LogNormal::new(mean.ln(), LATENCY_SPREAD).map_or(mean, |law| law.sample(rng)) * slow;
    let metered = rng.random_bool(plan.metered_share);
    let streaming = application.operation.is_streaming();

    // How it fails, the status AWS answers with, whether it is metered, and after how long the client and AWS are done.
    let (failure, aws_error, metered, client, aws) = match mechanism {
        Some(Mechanism::Capacity) => {
            let queued = 0.5 + 4.0 * rng.random::<f64>();
            (Some(FailureKind::ServiceUnavailable), Some(503), metered, queued, queued)
        }
        Some(Mechanism::Internal) => (Some(FailureKind::InternalError), Some(500), metered, latency, latency),
        Some(Mechanism::Throttling) => (Some(FailureKind::Throttled), Some(429), false, 0.05, 0.05),
        Some(Mechanism::ModelError) => (Some(FailureKind::ModelError), Some(424), false, latency, latency),
        // AWS answers in full, and counts a success; nobody hears it.
        Some(Mechanism::Reset) => {
            let at = latency * (0.1 + 0.8 * rng.random::<f64>());
            (Some(FailureKind::ConnectionReset), None, true, at, latency)
        }
        Some(Mechanism::NatIdle) => (Some(FailureKind::ConnectionReset), None, true, NAT_IDLE_SECONDS + 0.3, latency),
        // A stream is only given up when its first token is late.
        _ if latency > application.read_timeout && !streaming => {
            (Some(FailureKind::ReadTimeout), None, true, application.read_timeout, latency)
        }
        _ => (None, None, true, latency, latency),
    };
    let cause = failure.map(|_| mechanism.unwrap_or(Mechanism::Slow).cause());
    Attempt {
        request_id: request_id(rng),
        start,
        client_end: start + seconds(client),
        aws_end: start + seconds(aws),
        first_token: start + seconds((latency * 0.15).max(0.2)),
        tokens,
        verdict: Verdict { failure, cause, aws_error, metered },
        own_id,
    }
}

/// What SDKs try again; a 424 is theirs to keep, and a stream that broke is its caller's.
const fn is_retried(kind: FailureKind) -> bool {
    !matches!(kind, FailureKind::ModelError)
}

fn tokens(application: &Application, rng: &mut impl Rng) -> Tokens {
    let mut draw = |(median, spread): (f64, f64)| {
        let drawn = LogNormal::new(median.ln(), spread).map_or(median, |law| law.sample(rng));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // positive and small
        let tokens = drawn.round().clamp(1.0, 100_000.0) as u64;
        tokens
    };
    let (input, output) = (draw(application.input_tokens), draw(application.output_tokens));
    let cache_read = if application.caches { input / 2 } else { 0 };
    Tokens { input: input - cache_read, output, cache_read, cache_write: 0 }
}

fn request_id(rng: &mut impl Rng) -> String {
    let (high, low) = (rng.random::<u64>(), rng.random::<u64>());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 50),
        low & 0xffff_ffff_ffff
    )
}

/// Seconds, to the microsecond.
pub(super) fn seconds(seconds: f64) -> Duration {
    #[allow(clippy::cast_possible_truncation)] // minutes at most
    let microseconds = (seconds * 1e6) as i64;
    Duration::microseconds(microseconds)
}
