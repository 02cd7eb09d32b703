//! What each minute last read, so that only changes travel on.

use std::collections::BTreeMap;

use chrono::Duration;
use faultline_core::model::{Cell, Metric, MetricPoint, MetricStats, ModelKey, Time};

/// One minute of one series, as CloudWatch answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Point {
    pub metric: Metric,
    pub model: Option<ModelKey>,
    pub minute: Time,
    pub stats: MetricStats,
}

impl Point {
    /// Whether its minute, as a whole, lies before `settled_before`.
    fn is_settled(&self, settled_before: Time) -> bool {
        self.minute + Duration::minutes(1) <= settled_before
    }

    pub(super) fn into_metric_point(self, cell: Cell, settled_before: Time) -> MetricPoint {
        let settled = self.is_settled(settled_before);
        MetricPoint { cell, model: self.model, metric: self.metric, minute: self.minute, stats: self.stats, settled }
    }
}

/// The minutes that may still change.
#[derive(Debug, Default)]
pub(super) struct Minutes(BTreeMap<(Time, Metric, Option<ModelKey>), (MetricStats, bool)>);

impl Minutes {
    /// The points that read differently from before, or have settled since. Points of one metric and model (an id
    /// and its ARN are two series) are added up first.
    pub(super) fn changed(&mut self, points: Vec<Point>, settled_before: Time) -> impl Iterator<Item = Point> {
        let mut summed: BTreeMap<(Time, Metric, Option<ModelKey>), MetricStats> = BTreeMap::new();
        for point in points {
            let key = (point.minute, point.metric, point.model);
            summed.entry(key).and_modify(|stats| *stats = added(*stats, point.stats)).or_insert(point.stats);
        }
        summed.into_iter().filter_map(move |((minute, metric, model), stats)| {
            let point = Point { metric, model: model.clone(), minute, stats };
            let settled = point.is_settled(settled_before);
            let before = self.0.insert((minute, metric, model), (stats, settled));
            (before != Some((stats, settled))).then_some(point)
        })
    }

    /// Forgets what is final.
    pub(super) fn forget_before(&mut self, position: Time) {
        self.0.retain(|(minute, ..), _| *minute >= position);
    }
}

/// Two series of one model in one minute. Percentiles do not add: the slower of the two is shown.
fn added(one: MetricStats, other: MetricStats) -> MetricStats {
    let max = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    };
    MetricStats {
        sum: one.sum + other.sum,
        sample_count: one.sample_count + other.sample_count,
        minimum: match (one.minimum, other.minimum) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        },
        p50: max(one.p50, other.p50),
        p90: max(one.p90, other.p90),
        p99: max(one.p99, other.p99),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};

    use super::*;

    fn minute(minute: u32) -> Time {
        Utc.with_ymd_and_hms(2026, 5, 1, 12, minute, 0).single().unwrap_or_default()
    }

    fn point(at: u32, sum: f64) -> Point {
        Point {
            metric: Metric::Invocations,
            model: Some(ModelKey::parse("amazon.nova-pro-v1:0")),
            minute: minute(at),
            stats: MetricStats { sum, sample_count: sum, ..MetricStats::default() },
        }
    }

    #[test]
    fn a_minute_travels_when_it_changes_and_once_more_when_it_settles() {
        let mut minutes = Minutes::default();
        let mut sums = |read: Vec<Point>, settled_before| -> Vec<f64> {
            minutes.changed(read, settled_before).map(|point| point.stats.sum).collect()
        };
        assert_eq!(sums(vec![point(1, 5.0)], minute(0)), [5.0]);
        assert!(sums(vec![point(1, 5.0)], minute(0)).is_empty(), "nothing changed");
        assert_eq!(sums(vec![point(1, 7.0)], minute(0)), [7.0], "revised upward");
        assert!(sums(vec![point(1, 7.0)], minute(1)).is_empty(), "the minute is not over at its start");
        assert_eq!(sums(vec![point(1, 7.0)], minute(2)), [7.0], "settled");
    }

    #[test]
    fn two_names_of_one_model_are_added_up() {
        let mut minutes = Minutes::default();
        let changed: Vec<_> = minutes.changed(vec![point(1, 5.0), point(1, 2.0)], minute(0)).collect();
        assert_eq!(changed, [point(1, 7.0)]);
    }
}
