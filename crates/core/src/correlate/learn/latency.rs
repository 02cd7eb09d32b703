//! How long a model takes, from the tokens it put out.
//!
//! Records seldom carry their latency, but a client that gave up after T seconds can only have lost a call that took
//! longer than T, which makes latency the strongest feature of matching. log(latency) is taken as normal around
//! log(a + b * output tokens), fitted robustly to the records that do carry it, and scaled by how slow their minute
//! was.

use std::collections::BTreeMap;

use super::{
    super::view::RecordView,
    normal::{above, density, median},
};

/// A call may stall whatever its length: no record is less likely than this to have outlasted a client's patience.
pub(in crate::correlate) const STALL: f64 = 3e-4;
/// What a record's latency and a client's clock may differ by, in seconds.
const TOLERANCE: f64 = 0.3;
/// What is assumed of a model nothing is known of: seconds to the first token, seconds per token, and the standard
/// deviation of the logarithm, wide.
const PRIOR: (f64, f64, f64) = (1.0, 0.02, 0.7);
/// How many samples the assumption counts for.
const PRIOR_WEIGHT: f64 = 4.0;
/// More samples than this make a fit slower, not better.
const MOST_SAMPLES: usize = 2_000;
/// Rounds of the fit.
const ROUNDS: usize = 25;

/// The law of one model.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::correlate) struct LatencyLaw {
    /// Seconds before the first token.
    pub(in crate::correlate) first: f64,
    /// Seconds per output token.
    pub(in crate::correlate) per_token: f64,
    /// Standard deviation of the logarithm.
    pub(in crate::correlate) sd: f64,
    /// How many records it was fitted to.
    pub(in crate::correlate) samples: u32,
    /// By minute of the run: how much slower than usual, as a logarithm.
    slowdown: BTreeMap<i64, f64>,
}

impl Default for LatencyLaw {
    fn default() -> Self {
        let (first, per_token, sd) = PRIOR;
        Self { first, per_token, sd, samples: 0, slowdown: BTreeMap::new() }
    }
}

impl LatencyLaw {
    /// The law that a model's records teach.
    pub(in crate::correlate) fn learn<'a>(records: impl Iterator<Item = &'a RecordView> + Clone) -> Self {
        let exact = || records.clone().filter(|record| record.latency > 0.0);
        let known = exact().count();
        if known == 0 {
            return Self::default();
        }
        let samples: Vec<Sample> = exact().step_by(known.div_ceil(MOST_SAMPLES)).map(Sample::of).collect();
        let mut law = Self::fit(&samples);
        law.slow_down(&samples);
        law
    }

    /// Gauss-Newton on (log a, log b) with Huber's weights, drawn to the prior as if that were a few samples more.
    fn fit(samples: &[Sample]) -> Self {
        let (prior_first, prior_per_token, prior_sd) = PRIOR;
        let prior = [prior_first.ln(), prior_per_token.ln()];
        let mut log = prior;
        let mut sd = prior_sd;
        for _ in 0..ROUNDS {
            // Normal equations of two unknowns; the prior's pull first.
            let pull = sd * sd / PRIOR_WEIGHT;
            let (mut aa, mut ab, mut bb) = (pull, 0.0, pull);
            let (mut ya, mut yb) = (pull * (prior[0] - log[0]), pull * (prior[1] - log[1]));
            for sample in samples {
                let (first, rest) = (log[0].exp(), log[1].exp() * sample.output);
                let residual = sample.log_latency - (first + rest).ln();
                let weight = (1.5 * sd / residual.abs()).min(1.0);
                let (da, db) = (first / (first + rest), rest / (first + rest));
                aa += weight * da * da;
                ab += weight * da * db;
                bb += weight * db * db;
                ya += weight * da * residual;
                yb += weight * db * residual;
            }
            let determinant = aa * bb - ab * ab;
            if determinant <= 1e-12 {
                break;
            }
            let step = [(ya * bb - yb * ab) / determinant, (yb * aa - ya * ab) / determinant];
            log = [log[0] + step[0].clamp(-1.0, 1.0), log[1] + step[1].clamp(-1.0, 1.0)];
            let mut residuals: Vec<f64> = samples.iter().map(|sample| sample.residual(log).abs()).collect();
            let spread = 1.4826 * median(&mut residuals).unwrap_or(prior_sd);
            let n = count(samples.len());
            sd = drawn_to_prior(spread, n);
        }
        let samples = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        Self { first: log[0].exp(), per_token: log[1].exp(), sd, samples, slowdown: BTreeMap::new() }
    }

    /// What the fit leaves over, minute by minute; a minute with few samples is drawn to the usual.
    fn slow_down(&mut self, samples: &[Sample]) {
        let log = [self.first.ln(), self.per_token.ln()];
        let mut minutes: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
        for sample in samples {
            minutes.entry(sample.minute).or_default().push(sample.residual(log));
        }
        self.slowdown = minutes
            .into_iter()
            .filter_map(|(minute, mut residuals)| {
                let n = count(residuals.len());
                Some((minute, median(&mut residuals)? * n / (n + 5.0)))
            })
            .collect();
        let left = |sample: &Sample| sample.residual(log) - self.slowdown.get(&sample.minute).copied().unwrap_or(0.0);
        let mut left: Vec<f64> = samples.iter().map(|sample| left(sample).abs()).collect();
        let spread = 1.4826 * median(&mut left).unwrap_or(self.sd);
        self.sd = drawn_to_prior(spread, count(samples.len())).min(self.sd);
    }

    /// log(latency) of a record, on average.
    fn expected(&self, record: &RecordView) -> f64 {
        let slow = self.slowdown.get(&minute(record.at)).copied().unwrap_or_default();
        self.per_token.mul_add(f64::from(record.output), self.first).ln() + slow
    }

    /// P(the record's call took longer than `seconds`), at least [`STALL`]: 1 or [`STALL`] where the record tells
    /// its latency.
    pub(in crate::correlate) fn exceeds(&self, record: &RecordView, seconds: f64) -> f64 {
        let chance = match record.exact_latency() {
            Some(latency) => return certainly(latency, seconds),
            None if seconds <= 0.0 => 1.0,
            None => above((seconds.ln() - self.expected(record)) / self.sd),
        };
        chance.max(STALL)
    }

    /// P(the record's call kept its client waiting longer than `patience` seconds). A stream's client waits for its
    /// first byte only, of which its tokens tell nothing.
    pub(in crate::correlate) fn outlasts(&self, record: &RecordView, patience: f64) -> f64 {
        match (record.streams(), record.first_byte()) {
            (true, Some(first)) => certainly(first, patience),
            (true, None) => STALL,
            (false, _) => self.exceeds(record, patience),
        }
    }

    /// The density of the record's call ending so many seconds after it began.
    pub(in crate::correlate) fn ends_at(&self, record: &RecordView, seconds: f64) -> f64 {
        match record.exact_latency() {
            Some(latency) => density((seconds - latency) / TOLERANCE) / TOLERANCE,
            None if seconds <= 0.0 => 0.0,
            None => density((seconds.ln() - self.expected(record)) / self.sd) / (self.sd * seconds),
        }
    }

    /// The seconds within which its call all but certainly ended.
    pub(in crate::correlate) fn longest(&self, record: &RecordView) -> f64 {
        record.exact_latency().map_or_else(|| (self.expected(record) + 2.0 * self.sd).exp(), |latency| latency + 2.0)
    }

    /// The seconds a record's call took on average, exact where the record tells.
    pub(in crate::correlate) fn typical(&self, record: &RecordView) -> f64 {
        record.exact_latency().unwrap_or_else(|| (self.expected(record) + 0.5 * self.sd * self.sd).exp())
    }
}

/// A standard deviation that n samples showed, drawn to what is assumed without any.
fn drawn_to_prior(spread: f64, n: f64) -> f64 {
    let (.., prior) = PRIOR;
    ((n * spread * spread + PRIOR_WEIGHT * prior * prior / 4.0) / (n + PRIOR_WEIGHT)).sqrt().max(0.03)
}

/// Whether a wait that is known was longer than so many seconds: 1, or [`STALL`].
pub(in crate::correlate) fn certainly(waited: f64, seconds: f64) -> f64 {
    if waited >= seconds - TOLERANCE { 1.0 } else { STALL }
}

struct Sample {
    output: f64,
    log_latency: f64,
    minute: i64,
}

impl Sample {
    fn of(record: &RecordView) -> Self {
        Self {
            output: f64::from(record.output),
            log_latency: f64::from(record.latency).max(1e-3).ln(),
            minute: minute(record.at),
        }
    }

    fn residual(&self, log: [f64; 2]) -> f64 {
        self.log_latency - (log[0].exp() + log[1].exp() * self.output).ln()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "minutes of a run are small")]
fn minute(at: f64) -> i64 {
    (at / 60.0).floor() as i64
}

#[expect(clippy::cast_precision_loss, reason = "sample counts are far below 2^52")]
fn count(n: usize) -> f64 {
    n as f64
}
