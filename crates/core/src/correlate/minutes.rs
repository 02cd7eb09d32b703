//! What CloudWatch said of each minute.

use std::collections::{BTreeMap, btree_map::Entry};

use chrono::Duration;

use crate::model::{Metric, MetricPoint, MetricStats, ModelKey, Time};

/// How long the counts of a minute are kept for calibration, and to know what is usual.
const HISTORY: Duration = Duration::hours(24);

/// A reading, and whether it is final.
type Reading = (MetricStats, bool);

/// What one minute of a scope counts. A series without a datapoint in a minute is absent, which is not 0 until the
/// reader knows that the minute was read.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Counts {
    /// Sum(Invocations).
    pub invocations: Option<f64>,
    /// SampleCount(EstimatedTPMQuotaUsage): requests that succeeded.
    pub successes: Option<f64>,
    /// SampleCount(InputTokenCount): requests that metered.
    pub metered: Option<f64>,
    /// SampleCount(OutputTokenCount).
    pub metered_output: Option<f64>,
    /// Whether a sample of InputTokenCount was 0.
    pub zero_samples: bool,
    /// Sum(InvocationServerErrors).
    pub server_errors: f64,
    /// Sum(InvocationClientErrors).
    pub client_errors: f64,
    /// Sum(InvocationThrottles).
    pub throttles: f64,
    /// Requests with a latency, and the sum of their seconds.
    pub latency: (f64, f64),
}

impl Counts {
    fn of(minute: &BTreeMap<Metric, Reading>, only_settled: bool) -> Self {
        let read =
            |metric| minute.get(&metric).filter(|(_, settled)| *settled || !only_settled).map(|(stats, _)| stats);
        let sum = |metric| read(metric).map(|stats| stats.sum);
        let samples = |metric| read(metric).map(|stats| stats.sample_count);
        let latency = read(Metric::InvocationLatency).map_or((0.0, 0.0), |stats| (stats.sample_count, stats.sum));
        Self {
            invocations: sum(Metric::Invocations),
            successes: samples(Metric::EstimatedTPMQuotaUsage),
            metered: samples(Metric::InputTokenCount),
            metered_output: samples(Metric::OutputTokenCount),
            zero_samples: read(Metric::InputTokenCount)
                .and_then(|stats| stats.minimum)
                .is_some_and(|least| least <= 0.0),
            server_errors: sum(Metric::InvocationServerErrors).unwrap_or(0.0),
            client_errors: sum(Metric::InvocationClientErrors).unwrap_or(0.0),
            throttles: sum(Metric::InvocationThrottles).unwrap_or(0.0),
            latency,
        }
    }

    /// Failures that AWS counts as its own or as the caller's.
    pub(super) const fn errors(&self) -> f64 {
        self.server_errors + self.client_errors
    }

    /// Whether any series has a datapoint.
    const fn is_empty(&self) -> bool {
        self.invocations.is_none()
            && self.successes.is_none()
            && self.metered.is_none()
            && self.errors() + self.throttles == 0.0
    }

    /// Of two readings of one minute the larger counts stand, as CloudWatch revises upward.
    fn raise(&mut self, other: &Self) {
        let max = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        };
        *self = Self {
            invocations: max(self.invocations, other.invocations),
            successes: max(self.successes, other.successes),
            metered: max(self.metered, other.metered),
            metered_output: max(self.metered_output, other.metered_output),
            zero_samples: self.zero_samples || other.zero_samples,
            server_errors: self.server_errors.max(other.server_errors),
            client_errors: self.client_errors.max(other.client_errors),
            throttles: self.throttles.max(other.throttles),
            latency: if other.latency.0 > self.latency.0 { other.latency } else { self.latency },
        };
    }
}

/// The minutes of one scope.
#[derive(Debug, Default)]
struct OfScope {
    /// Everything that is known of the minutes that the window or a revision can still need.
    recent: BTreeMap<Time, BTreeMap<Metric, Reading>>,
    /// The counts of the minutes before them, which are final.
    history: BTreeMap<Time, Counts>,
}

/// The latest reading of every minute of every scope.
#[derive(Debug, Default)]
pub(super) struct Minutes {
    scopes: BTreeMap<ModelKey, OfScope>,
    /// Invocation records that AWS delivered and those that it could not, by minute.
    deliveries: BTreeMap<Time, [f64; 2]>,
}

impl Minutes {
    /// Takes in a reading; true if it says something new. CloudWatch revises upward: of two readings of a minute the
    /// larger is the later one, in whatever order they come.
    pub(super) fn add(&mut self, point: &MetricPoint) -> bool {
        let delivered = match point.metric {
            Metric::ModelInvocationLogsCloudWatchDeliverySuccess => Some(0),
            Metric::ModelInvocationLogsCloudWatchDeliveryFailure => Some(1),
            _ => None,
        };
        if let Some(which) = delivered {
            let known = &mut self.deliveries.entry(point.minute).or_default()[which];
            let before = *known;
            *known = known.max(point.stats.sum);
            return *known > before;
        }
        let Some(model) = &point.model else { return false };
        let scope = self.scopes.entry(model.clone()).or_default();
        match scope.recent.entry(point.minute).or_default().entry(point.metric) {
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
        self.scopes.keys()
    }

    /// The settled minutes of a scope since a time, oldest first, history included: those up to the newest minute whose
    /// metered requests or invocations are final. Errors are often read sooner than the rest, and a minute of which
    /// only they are known is not settled.
    pub(super) fn settled(&self, model: &ModelKey, since: Time) -> Vec<(Time, Counts)> {
        let Some(scope) = self.scopes.get(model) else { return Vec::new() };
        let until = self.settled_until(model).unwrap_or(since);
        let history = scope.history.range(since..).map(|(minute, counts)| (*minute, *counts));
        let recent = scope.recent.range(since..).take_while(move |(minute, _)| **minute < until);
        let recent = recent.map(|(minute, metrics)| (*minute, Counts::of(metrics, true)));
        let mut settled: Vec<_> = history.chain(recent).filter(|(_, counts)| !counts.is_empty()).collect();
        // A restart may read minutes again that are history by now.
        settled.sort_by_key(|(minute, _)| *minute);
        settled.dedup_by(|later, first| {
            let same = later.0 == first.0;
            if same {
                first.1.raise(&later.1);
            }
            same
        });
        settled
    }

    /// The end of the newest settled minute of a scope.
    pub(super) fn settled_until(&self, model: &ModelKey) -> Option<Time> {
        let scope = self.scopes.get(model)?;
        let is_final = |metrics: &BTreeMap<Metric, Reading>, metric| metrics.get(&metric).is_some_and(|(_, s)| *s);
        let newest =
            scope.recent.iter().rev().find(|(_, metrics)| {
                is_final(metrics, Metric::InputTokenCount) || is_final(metrics, Metric::Invocations)
            });
        let newest = newest.map(|(minute, _)| minute).or_else(|| scope.history.keys().next_back());
        newest.map(|minute| *minute + Duration::minutes(1))
    }

    /// The minutes of a scope since a time as they read now, settled or not, history included.
    pub(super) fn all(&self, model: &ModelKey, since: Time) -> impl Iterator<Item = (Time, Counts)> {
        let scope = self.scopes.get(model);
        let history = scope.into_iter().flat_map(move |scope| scope.history.range(since..));
        let recent = scope.into_iter().flat_map(move |scope| scope.recent.range(since..));
        let recent = recent.map(|(minute, metrics)| (*minute, Counts::of(metrics, false)));
        history.map(|(minute, counts)| (*minute, *counts)).chain(recent)
    }

    /// Whether any minute that is kept counts a failure.
    pub(super) fn have_failures(&self) -> bool {
        let failed = |counts: &Counts| counts.errors() + counts.throttles > 0.0;
        self.scopes.keys().any(|model| self.all(model, Time::MIN_UTC).any(|(_, counts)| failed(&counts)))
    }

    /// The newest reading of a metric of a scope since a time.
    pub(super) fn newest(&self, model: &ModelKey, metric: Metric, since: Time) -> Option<MetricStats> {
        let recent = self.scopes.get(model)?.recent.range(since..).rev();
        recent.filter_map(|(_, metrics)| metrics.get(&metric)).map(|(stats, _)| *stats).next()
    }

    /// Every reading of a metric of a scope in a range of minutes.
    pub(super) fn readings(
        &self,
        model: &ModelKey,
        metric: Metric,
        range: std::ops::Range<Time>,
    ) -> impl Iterator<Item = (Time, MetricStats)> {
        let recent = self.scopes.get(model).into_iter().flat_map(move |scope| scope.recent.range(range.clone()));
        recent.filter_map(move |(minute, metrics)| metrics.get(&metric).map(|(stats, _)| (*minute, *stats)))
    }

    /// Requests a minute of a scope since a time.
    pub(super) fn rate(&self, model: &ModelKey, since: Time) -> f64 {
        let (mut minutes, mut requests) = (0.0, 0.0);
        for (_, counts) in self.all(model, since) {
            minutes += 1.0;
            requests +=
                [counts.invocations, counts.successes, counts.metered].into_iter().flatten().fold(0.0, f64::max);
        }
        requests / f64::max(minutes, 1.0)
    }

    /// Errors since a time in minutes that have not settled.
    pub(super) fn unsettled_errors(&self, model: &ModelKey, since: Time) -> f64 {
        let from = self.settled_until(model).map_or(since, |until| until.max(since));
        self.all(model, from).map(|(_, counts)| counts.errors()).sum()
    }

    /// Invocation records that AWS delivered since a time, and those that it could not.
    pub(super) fn deliveries(&self, since: Time) -> (f64, f64) {
        let minutes = self.deliveries.range(since..).map(|(_, counts)| counts);
        minutes.fold((0.0, 0.0), |(delivered, lost), [ok, failed]| (delivered + ok, lost + failed))
    }

    /// Keeps of the minutes before `oldest` the counts alone, and forgets those that are too old for that. A model
    /// stays known: its scope does not come and go.
    pub(super) fn prune(&mut self, oldest: Time) {
        self.deliveries = self.deliveries.split_off(&oldest);
        for scope in self.scopes.values_mut() {
            let recent = scope.recent.split_off(&oldest);
            for (minute, metrics) in std::mem::replace(&mut scope.recent, recent) {
                // Older than any revision: final, whether it was said to be or not.
                let counts = Counts::of(&metrics, false);
                scope.history.entry(minute).and_modify(|known| known.raise(&counts)).or_insert(counts);
            }
            while scope.history.first_key_value().is_some_and(|(minute, _)| *minute < oldest - HISTORY) {
                scope.history.pop_first();
            }
        }
    }
}
