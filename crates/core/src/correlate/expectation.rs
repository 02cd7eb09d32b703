//! How many invocations that only clients saw fail were billed: an expected number with its variance.
//!
//! Single matches are hopeless at high traffic, but their sum is not. A record counts with b, the probability that it
//! was of a failed call: from the failure or the chain of attempts it may belong to, and from how likely it outlasted its
//! caller's patience, scaled for each caller so that the sum agrees with the larger of the two. The terms of the variance
//! and their coefficients were found by simulation: chance, the timeouts not being known exactly, and beliefs being wrong
//! together rather than one by one.

use std::collections::BTreeMap;

use super::beliefs::RecordBelief;
use crate::model::Time;

/// Inflation of the standard deviation by requests a minute: the busier, the less each belief is worth.
const INFLATION: [(f64, f64); 5] = [(10.0, 1.0), (60.0, 1.5), (300.0, 1.8), (1_000.0, 2.0), (5_000.0, 2.6)];
/// What is less likely than this adds nothing that matters.
const LEAST: f64 = 1e-4;

/// What is expected of the records of a scope beyond those known for certain.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Expectation {
    /// The sum of b.
    pub count: f64,
    /// Its standard deviation.
    pub sd: f64,
    /// Of the sum, those that no logged failure is of: earlier attempts that were tried again.
    pub hidden: f64,
    /// Dollars, for those with a price.
    pub cost_usd: f64,
    /// Records that AWS's own failures are matched to, as a sum of probabilities, and their dollars.
    pub of_aws: f64,
    /// Records that metered, whatever became of them.
    pub recorded: f64,
    /// When each record was, its b and its dollars; in the order of time, without the unlikely.
    pub by_time: Vec<(Time, f64, f64)>,
}

impl Expectation {
    /// From what is believed of every record, in a scope of so many requests a minute.
    pub(super) fn of(beliefs: &[RecordBelief], rate: f64) -> Self {
        let mut this = Self::default();
        let mut callers: BTreeMap<u32, Vec<&RecordBelief>> = BTreeMap::new();
        for belief in beliefs {
            this.recorded += if belief.tokens.total() > 0 { 1.0 } else { 0.0 };
            if !belief.confirmed && !belief.harmless {
                callers.entry(belief.caller).or_default().push(belief);
            }
        }
        let (mut chance, mut doubtful) = (0.0, 0.0);
        for records in callers.values() {
            let scale = scale(records);
            for belief in records {
                let b = believed(belief, scale) * (1.0 - (belief.matched - belief.matched_to_client).max(0.0));
                this.of_aws += (belief.matched - belief.matched_to_client).max(0.0);
                if b < LEAST {
                    continue;
                }
                this.count += b;
                this.hidden += (b - belief.matched_to_client).max(0.0);
                this.cost_usd += b * belief.cost_usd.unwrap_or(0.0);
                chance += b * (1.0 - b);
                if belief.patience_known && belief.outlasted < 0.97 {
                    doubtful += belief.outlasted;
                }
                this.by_time.push((belief.at, b, b * belief.cost_usd.unwrap_or(0.0)));
            }
        }
        this.by_time.sort_by_key(|(at, ..)| *at);
        let together = [0.15 * this.count, 0.35 * chance, 0.12 * doubtful];
        let variance = chance + 2.0 + together.iter().map(|term| term * term).sum::<f64>();
        this.sd = if this.count > 0.0 { variance.sqrt() * inflation(rate) } else { 0.0 };
        this
    }

    /// How many, and their dollars, in [start, end).
    pub(super) fn between(&self, start: Time, end: Time) -> (f64, f64) {
        let from = self.by_time.partition_point(|(at, ..)| *at < start);
        let until = self.by_time.partition_point(|(at, ..)| *at < end);
        self.by_time[from..until.max(from)].iter().fold((0.0, 0.0), |(n, cost), (_, b, usd)| (n + b, cost + usd))
    }
}

/// P(a failure or a chain of attempts is of the record).
fn linked(belief: &RecordBelief) -> f64 {
    1.0 - (1.0 - belief.matched_to_client) * (1.0 - belief.chained)
}

fn believed(belief: &RecordBelief, scale: f64) -> f64 {
    let linked = linked(belief);
    if !belief.patience_known || scale <= 0.0 {
        return linked;
    }
    let q = belief.outlasted * scale;
    linked + (1.0 - linked) * q / (q + 1.0 - belief.outlasted).max(1e-12)
}

/// How far one caller's records count for having outlasted its patience, so that the sum is the larger of what links
/// say and of what patience says.
fn scale(records: &[&RecordBelief]) -> f64 {
    let linked: f64 = records.iter().map(|belief| linked(belief)).sum();
    let outlasted: f64 = records.iter().filter(|b| b.patience_known).map(|b| b.outlasted).sum();
    if outlasted <= linked {
        return 0.0;
    }
    let sum = |scale: f64| records.iter().map(|belief| believed(belief, scale)).sum::<f64>();
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..30 {
        let middle = f64::midpoint(low, high);
        if sum(middle) < outlasted { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// Between the rates that were simulated, on the logarithm of the rate.
fn inflation(rate: f64) -> f64 {
    let position = INFLATION.iter().position(|(at, _)| *at >= rate);
    match position {
        Some(0) => INFLATION[0].1,
        None => INFLATION[INFLATION.len() - 1].1,
        Some(next) => {
            let ((from, low), (to, high)) = (INFLATION[next - 1], INFLATION[next]);
            low + (high - low) * (rate / from).ln() / (to / from).ln()
        }
    }
}

#[cfg(test)]
mod tests;
