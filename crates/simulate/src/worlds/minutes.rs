//! CloudWatch's minutes of a world, as a poll every minute would read them: late, revised, and settled in the end.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use faultline_core::model::{Cell, Metric, MetricPoint, MetricStats, ModelKey, Observation, Time};
use rand::Rng;

use super::{Knobs, TokenSamples};
use crate::fleet::{
    Application,
    chance::{between, exponential, happens, minute_of, number, seconds},
    metrics::samples,
    request::Attempt,
};

/// Seconds from the end of a minute to CloudWatch counting most of its samples.
const DELAY: (f64, f64) = (40.0, 75.0);
/// Share of samples that come later still, by how many seconds on average, and at most.
const TAIL: (f64, f64, f64) = (0.05, 90.0, 1_500.0);
/// A minute is settled when it has been over for this many minutes.
const SETTLED_AFTER: i64 = 10;
/// It is read again for this many minutes.
const READ_FOR: i64 = 28;

/// When a sample becomes visible, and its value.
type Sample = (Time, f64);

/// The samples of every minute.
#[derive(Debug, Default)]
pub(super) struct Minutes {
    /// By model (none: across all), metric and minute.
    samples: BTreeMap<(Option<ModelKey>, Metric, i64), Vec<Sample>>,
}

impl Minutes {
    /// Takes AWS's samples of an attempt.
    pub(super) fn measure(
        &mut self,
        attempt: &Attempt,
        application: &Application,
        model: &ModelKey,
        knobs: &Knobs,
        rng: &mut impl Rng,
    ) {
        let mut taken = Vec::with_capacity(8);
        let mut seen = attempt.clone();
        let failed = attempt.exception().is_some();
        seen.metered = attempt.metered && !(failed && knobs.token_samples == TokenSamples::SuccessesOnly);
        samples(&seen, application.operation, knobs.invocations, &mut taken);
        if failed
            && !attempt.metered
            && attempt.reached_aws
            && !taken.iter().any(|(name, _)| *name == "InvocationThrottles")
        {
            match knobs.token_samples {
                TokenSamples::AlsoUnbilled => taken.push(("InputTokenCount", number(attempt.tokens.input))),
                TokenSamples::Zeros => taken.extend([("InputTokenCount", 0.0), ("OutputTokenCount", 0.0)]),
                TokenSamples::Metered | TokenSamples::SuccessesOnly => {}
            }
        }
        for (name, value) in taken {
            let Some(metric) = Metric::parse(name) else { continue };
            if metric == Metric::EstimatedTPMQuotaUsage && !knobs.quota_usage {
                continue;
            }
            // Latencies are in seconds inside the product.
            let value = if metric.is_latency() { value / 1000.0 } else { value };
            let at = attempt.ended_at() + seconds(between(rng, (-knobs.minute_slip, knobs.minute_slip)));
            self.add(Some(model.clone()), metric, at, value, rng);
        }
    }

    /// Counts a record that reached the log, or did not.
    pub(super) fn delivered(&mut self, at: Time, arrived: bool, rng: &mut impl Rng) {
        let metric = if arrived {
            Metric::ModelInvocationLogsCloudWatchDeliverySuccess
        } else {
            Metric::ModelInvocationLogsCloudWatchDeliveryFailure
        };
        self.add(None, metric, at, 1.0, rng);
    }

    fn add(&mut self, model: Option<ModelKey>, metric: Metric, at: Time, value: f64, rng: &mut impl Rng) {
        let minute = minute_of(at);
        let tail = if happens(rng, TAIL.0) { exponential(rng, TAIL.1).min(TAIL.2) } else { 0.0 };
        let visible_at = start_of(minute + 1) + seconds(between(rng, DELAY) + tail);
        self.samples.entry((model, metric, minute)).or_default().push((visible_at, value));
    }

    /// What a poll every minute reads: each minute when it changed, and once more when it settled.
    pub(super) fn read(self, cell: &Cell, observations: &mut Vec<(Time, Observation)>) {
        for ((model, metric, minute), mut taken) in self.samples {
            taken.sort_by_key(|(visible_at, _)| *visible_at);
            let mut before = None;
            for age in 1..=READ_FOR {
                let polled_at = start_of(minute + 1 + age) + TimeDelta::seconds(3);
                let visible = taken.partition_point(|(visible_at, _)| *visible_at <= polled_at);
                let settled = age >= SETTLED_AFTER;
                if visible == 0 || before == Some((visible, settled)) {
                    continue;
                }
                before = Some((visible, settled));
                let stats = statistics(metric, taken[..visible].iter().map(|(_, value)| *value));
                let (cell, model, minute) = (cell.clone(), model.clone(), start_of(minute));
                let point = MetricPoint { cell, model, metric, minute, stats, settled };
                observations.push((polled_at, Observation::Metric(point)));
            }
        }
    }
}

fn statistics(metric: Metric, values: impl Iterator<Item = f64>) -> MetricStats {
    let mut values: Vec<f64> = values.collect();
    let mut stats = MetricStats {
        sum: values.iter().sum(),
        sample_count: number(u64::try_from(values.len()).unwrap_or_default()),
        minimum: values.iter().copied().reduce(f64::min),
        ..MetricStats::default()
    };
    if metric.is_latency() {
        values.sort_by(f64::total_cmp);
        let quantile = |share: usize| values.get((values.len() * share / 100).min(values.len() - 1)).copied();
        (stats.p50, stats.p90, stats.p99) = (quantile(50), quantile(90), quantile(99));
    }
    stats
}

/// When a minute begins, counted since 1970.
fn start_of(minute: i64) -> Time {
    DateTime::from_timestamp(minute.saturating_mul(60), 0).unwrap_or(DateTime::UNIX_EPOCH)
}
