//! Latency percentiles over a period, from those of its intervals.

use crate::ledger::Usage;

/// Percentiles in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Latency {
    /// The median of the intervals' medians.
    pub(super) p50: f64,
    /// What the intervals' 99th percentiles stay below for 99 % of the requests.
    pub(super) p99: f64,
}

/// Over all of these intervals of InvocationLatency, weighted by their requests. Percentiles of intervals do not add
/// up to those of a period: these err on the high side. `None` without any.
pub(super) fn of<'a>(intervals: impl Iterator<Item = &'a Usage> + Clone) -> Option<Latency> {
    let by = |percentile: fn(&Usage) -> Option<f64>, share| {
        let read = intervals.clone().filter_map(move |usage| Some((percentile(usage)?, usage.stats.sample_count)));
        quantile(read.collect(), share)
    };
    Some(Latency { p50: by(|usage| usage.stats.p50, 0.5)?, p99: by(|usage| usage.stats.p99, 0.99)? })
}

/// The value that `share` of the weight lies at or below.
fn quantile(mut values: Vec<(f64, f64)>, share: f64) -> Option<f64> {
    values.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let whole: f64 = values.iter().map(|(_, weight)| weight).sum();
    let mut below = 0.0;
    for (value, weight) in &values {
        below += weight;
        if below >= whole * share {
            return Some(*value);
        }
    }
    values.last().map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_goes_by_weight() {
        let values = vec![(9.0, 1.0), (1.0, 98.0), (5.0, 1.0)];
        assert_eq!(quantile(values.clone(), 0.5), Some(1.0));
        assert_eq!(quantile(values.clone(), 0.99), Some(5.0));
        assert_eq!(quantile(values, 1.0), Some(9.0));
        assert_eq!(quantile(vec![], 0.5), None);
    }
}
