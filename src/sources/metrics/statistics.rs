//! Which statistics of a metric are asked for, and what that counts as.

use faultline_core::model::{Metric, MetricStats};

/// US dollars per metric requested of GetMetricData.
pub const COST_PER_METRIC: f64 = 0.01 / 1000.0;
/// So many statistics of one metric in one request are charged as one metric.
const STATISTICS_A_METRIC: u32 = 5;
const MILLISECONDS: f64 = 1000.0;

/// One statistic of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Statistic {
    Sum,
    SampleCount,
    Minimum,
    P50,
    P90,
    P99,
    Over60Seconds,
}

use Statistic::{Minimum, Over60Seconds, P50, P90, P99, SampleCount, Sum};

impl Statistic {
    const ALL: [Self; 7] = [Sum, SampleCount, Minimum, P50, P90, P99, Over60Seconds];

    /// Those of a metric: at most five, which are charged as one; with `tail`, latencies have a sixth.
    pub(super) const fn of(metric: Metric, tail: bool) -> &'static [Self] {
        match metric {
            Metric::InvocationLatency if tail => &[Sum, SampleCount, P50, P90, P99, Over60Seconds],
            Metric::InvocationLatency | Metric::TimeToFirstToken => &[Sum, SampleCount, P50, P90, P99],
            // A zero among the samples breaks the hypothesis that each sample is a request that was metered.
            Metric::InputTokenCount => &[Sum, SampleCount, Minimum],
            _ => &[Sum, SampleCount],
        }
    }

    /// As CloudWatch calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Sum => "Sum",
            SampleCount => "SampleCount",
            Minimum => "Minimum",
            P50 => "p50",
            P90 => "p90",
            P99 => "p99",
            Over60Seconds => "TC(60000:)",
        }
    }

    /// Its part of a query's id, which takes letters, digits and underscores.
    pub(super) const fn id(self) -> &'static str {
        match self {
            Sum => "sum",
            SampleCount => "count",
            Minimum => "min",
            P50 => "p50",
            P90 => "p90",
            P99 => "p99",
            Over60Seconds => "over60s",
        }
    }

    pub(super) fn of_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|statistic| statistic.id() == id)
    }

    pub(super) fn set(self, stats: &mut MetricStats, metric: Metric, value: f64) {
        let unit = if metric.is_latency() { MILLISECONDS } else { 1.0 };
        match self {
            Sum => stats.sum = value / unit,
            SampleCount => stats.sample_count = value,
            Minimum => stats.minimum = Some(value / unit),
            P50 => stats.p50 = Some(value / unit),
            P90 => stats.p90 = Some(value / unit),
            P99 => stats.p99 = Some(value / unit),
            Over60Seconds => stats.over_60_seconds = Some(value),
        }
    }
}

/// What asking for so many series of a metric counts as, in metrics requested.
pub(super) fn cost(metric: Metric, tail: bool, series: usize) -> u32 {
    let statistics = u32::try_from(Statistic::of(metric, tail).len()).unwrap_or(u32::MAX);
    statistics.div_ceil(STATISTICS_A_METRIC) * u32::try_from(series).unwrap_or(u32::MAX)
}

/// Two series of one model in one minute. Percentiles do not add: the slower of the two is shown.
pub(super) fn added(one: MetricStats, other: MetricStats) -> MetricStats {
    let both = |a: Option<f64>, b: Option<f64>, join: fn(f64, f64) -> f64| match (a, b) {
        (Some(a), Some(b)) => Some(join(a, b)),
        (a, b) => a.or(b),
    };
    MetricStats {
        sum: one.sum + other.sum,
        sample_count: one.sample_count + other.sample_count,
        minimum: both(one.minimum, other.minimum, f64::min),
        p50: both(one.p50, other.p50, f64::max),
        p90: both(one.p90, other.p90, f64::max),
        p99: both(one.p99, other.p99, f64::max),
        over_60_seconds: both(one.over_60_seconds, other.over_60_seconds, |a, b| a + b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_metric_counts_as_more_than_one_unless_its_tail_is_asked_for() {
        for metric in Metric::ALL {
            assert_eq!(cost(metric, false, 1), 1, "{metric}");
        }
        assert_eq!(cost(Metric::InvocationLatency, true, 3), 6);
    }

    #[test]
    fn a_statistic_is_known_again_by_its_id() {
        for statistic in Statistic::ALL {
            assert_eq!(Statistic::of_id(statistic.id()), Some(statistic));
        }
    }
}
