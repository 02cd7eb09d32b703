//! What differs from world to world beside what goes wrong: how AWS counts, what logs tell, how clients behave.

use rand::{Rng, RngExt, seq::IndexedRandom};

use crate::fleet::{
    CountsInvocations,
    chance::{between, happens},
};

/// Which requests leave a sample of InputTokenCount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSamples {
    /// Every request that was metered: the product's hypothesis.
    Metered,
    /// Successful requests only, though failed ones are billed too.
    SuccessesOnly,
    /// Failed requests too, also those that are not billed.
    AlsoUnbilled,
    /// Failed requests that are not billed leave a sample of 0.
    Zeros,
}

/// How long records take to appear.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DelayLaw {
    /// Uniform, 5 to 60 s.
    Uniform,
    /// Lognormal: median 15 s, now and then minutes.
    Lognormal,
    /// In batches, every 60 s.
    Batches,
}

/// What differs from world to world.
#[derive(Debug, Clone, PartialEq)]
pub struct Knobs {
    /// How many applications call.
    pub applications: usize,
    /// Whether some of them call another model.
    pub second_model: bool,
    /// What Invocations counts.
    pub invocations: CountsInvocations,
    /// Whether EstimatedTPMQuotaUsage exists.
    pub quota_usage: bool,
    /// Which requests leave a token sample.
    pub token_samples: TokenSamples,
    /// Share of 503s and 500s that are metered, and billed.
    pub metered_server_errors: f64,
    /// Share of those whose record carries the errorCode beside the tokens.
    pub metered_errors_with_code: f64,
    /// Share of records that never reach the log.
    pub lost_records: f64,
    /// Seconds by which a sample may be counted away from the end of its request.
    pub minute_slip: f64,
    /// Whether records carry the latency.
    pub latency_in_records: bool,
    /// How late records appear.
    pub delay_law: DelayLaw,
    /// Whether clients log the request ids of successes.
    pub success_ids: bool,
    /// Whether clients log input tokens of failures.
    pub input_tokens_told: bool,
    /// Odds that an application's identity is configured.
    pub identity_known: f64,
    /// Odds that an application's text names model and operation.
    pub call_told: f64,
    /// Odds that an application's text tells how long the call took.
    pub elapsed_told: f64,
    /// Odds that an application logs the request ids of answered failures.
    pub ids_told: f64,
    /// Odds that an application sends an id of its own, and logs it.
    pub own_ids: f64,
    /// Standard deviation of the clocks of log streams, in seconds.
    pub clock_sd: f64,
    /// Standard deviation of the logarithm of latency around what output tokens explain: 0.2, or 0.5 where weak.
    pub latency_sd: f64,
    /// Share of answers that stall.
    pub stalls: f64,
    /// Whether backoffs follow other laws than the usual one.
    pub other_backoffs: bool,
    /// Whether applications cache prompts.
    pub caching: bool,
    /// Share of calls with a prompt that comes again and again.
    pub templates: f64,
    /// Odds that an application has a health check.
    pub health_checks: f64,
    /// Odds that an application calls again what has failed.
    pub calls_again: f64,
    /// Whether clients retry at all.
    pub retries: bool,
}

impl Knobs {
    pub(super) fn draw(rng: &mut impl Rng) -> Self {
        let samples = [(TokenSamples::Metered, 14), (TokenSamples::SuccessesOnly, 2)];
        let samples = [samples[0], samples[1], (TokenSamples::AlsoUnbilled, 2), (TokenSamples::Zeros, 2)];
        let delays = [(DelayLaw::Uniform, 12), (DelayLaw::Lognormal, 5), (DelayLaw::Batches, 3)];
        let pick = |rng: &mut _, values: &[f64]| values.choose(rng).copied().unwrap_or_default();
        Self {
            applications: rng.random_range(2..=5),
            second_model: happens(rng, 0.2),
            invocations: if happens(rng, 0.5) { CountsInvocations::Accepted } else { CountsInvocations::Successes },
            quota_usage: happens(rng, 0.7),
            token_samples: weighted(&samples, rng),
            metered_server_errors: pick(rng, &[0.0, 0.1, 0.3, 0.5, 0.5, 0.8, 1.0]),
            metered_errors_with_code: pick(rng, &[0.0, 0.4, 1.0]),
            lost_records: pick(rng, &[0.0, 0.0, 0.005, 0.02, 0.05]),
            minute_slip: pick(rng, &[0.0, 0.5, 2.0]),
            latency_in_records: happens(rng, 0.5),
            delay_law: weighted(&delays, rng),
            success_ids: happens(rng, 0.2),
            input_tokens_told: happens(rng, 0.25),
            identity_known: pick(rng, &[0.0, 0.6, 1.0]),
            call_told: pick(rng, &[0.3, 0.8, 1.0]),
            elapsed_told: pick(rng, &[0.3, 0.8, 1.0]),
            ids_told: pick(rng, &[0.0, 0.3, 0.7]),
            own_ids: pick(rng, &[0.0, 0.0, 0.15]),
            clock_sd: pick(rng, &[0.05, 0.3, 1.0]),
            latency_sd: if happens(rng, 0.15) { 0.5 } else { 0.2 },
            stalls: pick(rng, &[0.0, 0.0003, 0.001]),
            other_backoffs: happens(rng, 0.25),
            caching: happens(rng, 0.25),
            templates: pick(rng, &[0.0, 0.0, 0.1, 0.4]),
            health_checks: between(rng, (0.0, 0.6)),
            calls_again: pick(rng, &[0.0, 0.0, 0.5]),
            retries: happens(rng, 0.85),
        }
    }
}

/// One of these, by their weights.
pub(super) fn weighted<T: Copy>(choices: &[(T, u32)], rng: &mut impl Rng) -> T {
    let total: u32 = choices.iter().map(|(_, weight)| weight).sum();
    let mut drawn = rng.random_range(0..total.max(1));
    for &(choice, weight) in choices {
        if drawn < weight {
            return choice;
        }
        drawn -= weight;
    }
    choices[0].0
}
