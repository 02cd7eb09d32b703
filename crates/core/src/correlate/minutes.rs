//! What CloudWatch said of each minute.

use std::collections::{BTreeMap, btree_map::Entry};

use crate::model::{Metric, MetricPoint, MetricStats, ModelKey, Time};

/// One minute of one scope, by metric.
pub(super) type MinuteOfScope = BTreeMap<Metric, MetricStats>;

/// A reading, and whether it is final.
type Reading = (MetricStats, bool);

/// The latest reading of every minute of every scope.
#[derive(Debug, Default)]
pub(super) struct Minutes(BTreeMap<ModelKey, BTreeMap<Time, BTreeMap<Metric, Reading>>>);

impl Minutes {
    /// Takes in a reading; true if it says something new. CloudWatch revises upward: of two readings of a minute the
    /// larger is the later one, in whatever order they come.
    pub(super) fn add(&mut self, point: &MetricPoint) -> bool {
        let Some(model) = &point.model else { return false };
        let minute = self.0.entry(model.clone()).or_default().entry(point.minute).or_default();
        match minute.entry(point.metric) {
            Entry::Vacant(entry) => {
                entry.insert((point.stats, point.settled));
                true
            }
            Entry::Occupied(mut entry) => {
                let (stats, settled) = *entry.get();
                let size = |stats: &MetricStats| (stats.sample_count, stats.sum);
                let later = if size(&point.stats) > size(&stats) { point.stats } else { stats };
                let changed = (later, settled || point.settled) != (stats, settled);
                entry.insert((later, settled || point.settled));
                changed
            }
        }
    }

    /// Every model with a minute.
    pub(super) fn models(&self) -> impl Iterator<Item = &ModelKey> {
        self.0.keys()
    }

    /// The settled minutes of a scope since a time, oldest first.
    pub(super) fn settled(&self, model: &ModelKey, since: Time) -> Vec<(Time, MinuteOfScope)> {
        let minutes = self.0.get(model).into_iter().flat_map(|minutes| minutes.range(since..));
        minutes
            .map(|(minute, metrics)| {
                let settled = metrics.iter().filter(|(_, (_, settled))| *settled);
                (*minute, settled.map(|(metric, (stats, _))| (*metric, *stats)).collect())
            })
            .filter(|(_, metrics): &(Time, MinuteOfScope)| !metrics.is_empty())
            .collect()
    }

    /// The end of the newest settled minute of a scope.
    pub(super) fn settled_until(&self, model: &ModelKey) -> Option<Time> {
        let minutes = self.0.get(model)?;
        let settled = minutes.iter().rev().find(|(_, metrics)| metrics.values().any(|(_, settled)| *settled));
        settled.map(|(minute, _)| *minute + chrono::Duration::minutes(1))
    }

    /// The newest reading of a metric of a scope since a time.
    pub(super) fn newest(&self, model: &ModelKey, metric: Metric, since: Time) -> Option<MetricStats> {
        self.0.get(model)?.range(since..).rev().find_map(|(_, metrics)| metrics.get(&metric)).map(|(stats, _)| *stats)
    }

    /// Forgets minutes before `oldest`. A model stays known: its scope does not come and go.
    pub(super) fn prune(&mut self, oldest: Time) {
        for minutes in self.0.values_mut() {
            *minutes = minutes.split_off(&oldest);
        }
    }
}
