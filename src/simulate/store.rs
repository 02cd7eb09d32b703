//! What the simulated AWS holds for one account and region, and when each thing becomes visible.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::DateTime;
use faultline_core::model::Time;

use super::Emission;

/// A metric and its dimensions, in CloudWatch's order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesKey {
    /// CloudWatch's name.
    pub metric: String,
    /// Names and values.
    pub dimensions: Vec<(String, String)>,
}

/// One sample: when it becomes visible, and its value.
type Sample = (Time, f64);

/// One log event as stored.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// Its stream.
    pub stream: Arc<str>,
    /// Unique in the account, the same in every run.
    pub event_id: String,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// When it begins to be returned.
    pub visible_at: Time,
    /// Its text.
    pub message: Arc<str>,
}

#[derive(Debug, Default)]
struct Group {
    streams: BTreeSet<Arc<str>>,
    /// By time, then by the order of writing.
    events: BTreeMap<(i64, u64), StoredEvent>,
}

/// An account's metrics and logs in one region.
#[derive(Debug, Default)]
pub struct Store {
    /// By series, then by minute (seconds since 1970).
    series: BTreeMap<SeriesKey, BTreeMap<i64, Vec<Sample>>>,
    groups: BTreeMap<Arc<str>, Group>,
    written: u64,
    dimension_sets: DimensionSets,
}

/// Under which dimension sets a model's metrics are shown, besides its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DimensionSets {
    /// Across all models, without dimensions.
    pub across_all_models: bool,
    /// By service tier.
    pub service_tiers: bool,
}

impl DimensionSets {
    /// The sets of dimensions a sample is counted under.
    fn of(self, own: Vec<(String, String)>) -> Vec<Vec<(String, String)>> {
        let [(name, model)] = &own[..] else { return vec![own] };
        let tier = |name: &str| (name.to_owned(), "default".to_owned());
        let tiers = vec![(name.clone(), model.clone()), tier("ResolvedServiceTier"), tier("ServiceTier")];
        let mut sets = Vec::new();
        sets.extend(self.across_all_models.then(Vec::new));
        sets.extend(self.service_tiers.then_some(tiers));
        sets.push(own);
        sets
    }
}

impl Store {
    /// Takes in what the fleet made.
    pub fn apply(&mut self, emission: Emission) {
        match emission {
            Emission::Log { group, stream, at, visible_at, message } => {
                self.written += 1;
                let timestamp = at.timestamp_millis();
                let event = StoredEvent {
                    stream: Arc::clone(&stream),
                    event_id: format!("{timestamp:020}{:036}", self.written),
                    timestamp,
                    visible_at,
                    message: message.into(),
                };
                let group = self.groups.entry(group).or_default();
                group.streams.insert(stream);
                group.events.insert((timestamp, self.written), event);
            }
            Emission::Sample { metric, dimensions, at, value, visible_at } => {
                let dimensions = dimensions.iter().map(|(name, value)| ((*name).to_owned(), value.to_string()));
                let minute = at.timestamp().div_euclid(60) * 60;
                for dimensions in self.dimension_sets.of(dimensions.collect()) {
                    let key = SeriesKey { metric: metric.to_owned(), dimensions };
                    self.series.entry(key).or_default().entry(minute).or_default().push((visible_at, value));
                }
            }
        }
    }

    /// From now on, samples are counted under these dimension sets too.
    pub const fn show(&mut self, dimension_sets: DimensionSets) {
        self.dimension_sets = dimension_sets;
    }

    /// Makes a log group that nothing was written to yet.
    pub fn create_group(&mut self, name: &str) {
        self.groups.entry(name.into()).or_default();
    }

    /// The series with a sample that is visible at `now` and, if given, not older than `since`.
    pub fn series(&self, now: Time, since: Option<Time>) -> impl Iterator<Item = &SeriesKey> {
        let from = since.map_or(i64::MIN, |since| since.timestamp());
        self.series.iter().filter_map(move |(key, minutes)| {
            let visible = |samples: &Vec<Sample>| samples.iter().any(|(at, _)| *at <= now);
            minutes.range(from..).any(|(_, samples)| visible(samples)).then_some(key)
        })
    }

    /// The minutes of a series in `[from, until)` with what is visible of them at `now`, oldest first. Minutes without
    /// a visible sample are not there.
    pub fn minutes(&self, key: &SeriesKey, (from, until): (i64, i64), now: Time) -> Vec<(i64, Vec<f64>)> {
        let minutes = self.series.get(key).into_iter().flat_map(|minutes| minutes.range(from..until));
        minutes
            .map(|(minute, samples)| {
                let visible = samples.iter().filter(|(at, _)| *at <= now).map(|(_, value)| *value);
                (*minute, visible.collect::<Vec<_>>())
            })
            .filter(|(_, values)| !values.is_empty())
            .collect()
    }

    /// Every log group's name.
    pub fn groups(&self) -> impl Iterator<Item = &Arc<str>> {
        self.groups.keys()
    }

    /// The streams of a group, if there is one.
    pub fn streams(&self, group: &str) -> Option<impl Iterator<Item = &Arc<str>>> {
        Some(self.groups.get(group)?.streams.iter())
    }

    /// The events of a group with `from <= timestamp <= until` in milliseconds that are visible at `now`, in order;
    /// nothing if there is no such group.
    pub fn events(
        &self,
        group: &str,
        (from, until): (i64, i64),
        now: Time,
    ) -> Option<impl Iterator<Item = &StoredEvent>> {
        let events = &self.groups.get(group)?.events;
        let range = (from <= until).then(|| events.range((from, 0)..=(until, u64::MAX)));
        let events = range.into_iter().flatten().map(|(_, event)| event);
        Some(events.filter(move |event| event.visible_at <= now))
    }
}

/// One statistic of a minute's samples, as GetMetricData names it; `None` for one it does not know.
pub fn statistic(name: &str, values: &[f64]) -> Option<f64> {
    #[allow(clippy::cast_precision_loss)] // a minute has thousands of samples at most
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    match name {
        "Sum" => Some(sum),
        "SampleCount" => Some(count),
        "Average" => Some(sum / count),
        "Minimum" => values.iter().copied().reduce(f64::min),
        "Maximum" => values.iter().copied().reduce(f64::max),
        _ if name.starts_with("TC(") => trimmed_count(name, values),
        _ => {
            let percent: f64 = name.strip_prefix('p')?.parse().ok().filter(|p| (0.0..=100.0).contains(p))?;
            let mut sorted = values.to_vec();
            sorted.sort_by(f64::total_cmp);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within the slice by construction
            let rank = ((percent / 100.0 * count).ceil() as usize).clamp(1, sorted.len().max(1));
            sorted.get(rank - 1).copied()
        }
    }
}

/// `TC(low:high)`: the samples above `low` and up to `high`, either of which may be left out.
fn trimmed_count(name: &str, values: &[f64]) -> Option<f64> {
    let (low, high) = name.strip_prefix("TC(")?.strip_suffix(')')?.split_once(':')?;
    let bound = |text: &str, open: f64| if text.is_empty() { Some(open) } else { text.parse().ok() };
    let (low, high): (f64, f64) = (bound(low, f64::NEG_INFINITY)?, bound(high, f64::INFINITY)?);
    #[allow(clippy::cast_precision_loss)] // a minute has thousands of samples at most
    let count = values.iter().filter(|value| low < **value && **value <= high).count() as f64;
    Some(count)
}

/// Milliseconds since 1970 as a time.
pub(super) fn time(milliseconds: i64) -> Time {
    DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()
}
