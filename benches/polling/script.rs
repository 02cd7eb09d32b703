//! A scripted CloudWatch in virtual time, and what polling it costs: by the planner, and by asking for every metric at
//! every minute. Used by the bench and by the test that holds the planner to its bounds.
#![allow(dead_code, unreachable_pub, missing_debug_implementations)] // each user takes a part

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use faultline::sources::metrics::{
    Settings,
    planner::{Answer, Planner, Point, Request},
    series::{Catalogue, ERRORS, Key, Series},
};
use faultline_core::model::{Metric, MetricStats, ModelKey};
use rand::{RngExt, SeedableRng, rngs::StdRng};

pub type Time = DateTime<Utc>;

/// The ten metrics of each model.
pub const METRICS: [Metric; 10] = [
    Metric::Invocations,
    Metric::InvocationLatency,
    Metric::TimeToFirstToken,
    Metric::InvocationClientErrors,
    Metric::InvocationServerErrors,
    Metric::InvocationThrottles,
    Metric::InputTokenCount,
    Metric::OutputTokenCount,
    Metric::CacheReadInputTokens,
    Metric::EstimatedTPMQuotaUsage,
];

/// What happens in an account.
#[derive(Debug, Clone)]
pub struct Plan {
    pub models: usize,
    pub hours: i64,
    /// Whether CloudWatch has series across all models.
    pub aggregates: bool,
    /// Models whose callers now and then make a mistake, and how often in a minute.
    pub client_errors: (usize, f64),
    /// From which minute on which model has server errors, and for how many minutes.
    pub incidents: Vec<(i64, usize, i64)>,
    pub seed: u64,
}

impl Plan {
    /// A day of 20 active models: three incidents of a quarter of an hour to an hour, and callers who make mistakes.
    pub fn day(aggregates: bool) -> Self {
        let incidents = vec![(200, 3, 30), (611, 11, 15), (1_000, 7, 60)];
        Self { models: 20, hours: 24, aggregates, client_errors: (4, 0.01), incidents, seed: 7 }
    }
}

/// Samples of one minute that become visible together.
#[derive(Debug, Clone, Copy)]
struct Published {
    visible_at: Time,
    count: f64,
    sum: f64,
}

/// Everything that CloudWatch will ever have.
#[derive(Debug)]
pub struct Script {
    pub start: Time,
    pub end: Time,
    series: BTreeMap<Series, BTreeMap<Time, Vec<Published>>>,
    /// When each incident's first error becomes visible, and whose it is.
    pub incidents: Vec<(Key, Time, Time)>,
}

impl Script {
    pub fn new(plan: &Plan) -> Self {
        let start = DateTime::from_timestamp(1_777_600_800, 0).unwrap_or_default();
        let end = start + Duration::hours(plan.hours);
        let mut script = Self { start, end, series: BTreeMap::new(), incidents: Vec::new() };
        let mut rng = StdRng::seed_from_u64(plan.seed);
        for minute in 0..plan.hours * 60 {
            for model in 0..plan.models {
                let incident = plan
                    .incidents
                    .iter()
                    .find(|(from, of, minutes)| *of == model && (*from..*from + minutes).contains(&minute));
                let calls = f64::from(rng.random_range(4_u32..60));
                let failed = if incident.is_some() { f64::from(rng.random_range(1_u32..8)) } else { 0.0 };
                let mistaken = model < plan.client_errors.0 && rng.random_bool(plan.client_errors.1);
                for metric in METRICS {
                    let (count, each) = match metric {
                        Metric::InvocationServerErrors => (failed, 1.0),
                        Metric::InvocationClientErrors => (f64::from(u8::from(mistaken)), 1.0),
                        Metric::InvocationThrottles => (0.0, 1.0),
                        Metric::Invocations => (calls, 1.0),
                        _ => (calls, 700.0),
                    };
                    if count > 0.0 {
                        script.publish(plan, metric, model, start + Duration::minutes(minute), (count, each), &mut rng);
                    }
                }
            }
        }
        for (from, model, _) in plan.incidents.iter().filter(|(from, ..)| *from < plan.hours * 60) {
            let key = key(*model, Metric::InvocationServerErrors);
            let began = start + Duration::minutes(*from);
            let seen = script.series[&series(Some(*model), key.metric)].range(began..);
            let visible_at = seen.flat_map(|(_, published)| published).map(|p| p.visible_at).min();
            script.incidents.extend(visible_at.map(|at| (key, began, at)));
        }
        script
    }

    /// Most of a minute's samples come one to two and a half minutes after its end; in a fifth of the minutes some come
    /// later, up to a quarter of an hour.
    fn publish(
        &mut self,
        plan: &Plan,
        metric: Metric,
        model: usize,
        minute: Time,
        (count, each): (f64, f64),
        rng: &mut StdRng,
    ) {
        let ended = minute + Duration::minutes(1);
        let first = ended + Duration::seconds(rng.random_range(60..150));
        let late = if rng.random_bool(0.2) { (count / 4.0).ceil().min(count) } else { 0.0 };
        let tail = -f64::ln(rng.random_range(0.000_5_f64..1.0)) * 120.0;
        #[allow(clippy::cast_possible_truncation)] // some minutes
        let later = first + Duration::seconds((60.0 + tail) as i64);
        for (visible_at, count) in [(first, count - late), (later, late)] {
            let places = [Some(model), None];
            for place in places.into_iter().filter(|place| count > 0.0 && (place.is_some() || plan.aggregates)) {
                let minutes = self.series.entry(series(place, metric)).or_default();
                minutes.entry(minute).or_default().push(Published { visible_at, count, sum: count * each });
            }
        }
    }

    fn stats(&self, series: &Series, minute: Time, now: Time) -> Option<MetricStats> {
        let published = self.series.get(series)?.get(&minute)?.iter().filter(|p| p.visible_at <= now);
        let (count, sum) = published.fold((0.0, 0.0), |(count, sum), p| (count + p.count, sum + p.sum));
        (count > 0.0).then(|| MetricStats { sum, sample_count: count, ..MetricStats::default() })
    }

    /// What ListMetrics shows: the series with a datapoint in the last three hours, a quarter of an hour late.
    pub fn listed(&self, now: Time) -> Vec<Series> {
        let shown = now - Duration::hours(3)..now - Duration::minutes(15);
        let listed = self.series.iter().filter(|(_, minutes)| minutes.range(shown.clone()).next().is_some());
        listed.map(|(series, _)| series.clone()).collect()
    }

    pub fn answer(&self, request: &Request, now: Time) -> Vec<Answer> {
        let of = |series: &Series| {
            let mut minutes = BTreeMap::new();
            let mut minute = request.range.start;
            while minute < request.range.end {
                minutes.extend(self.stats(series, minute, now).map(|stats| (minute, stats)));
                minute += Duration::minutes(1);
            }
            Answer { minutes, complete: true }
        };
        // In this script every key has one series.
        request.asked.iter().map(|asked| of(&asked.series[0])).collect()
    }

    /// What a minute came to in the end.
    pub fn truth(&self, key: &Key, minute: Time) -> Option<MetricStats> {
        let model = key.model.as_ref()?.model_id.rsplit('-').next()?.parse().ok()?;
        self.stats(&series(Some(model), key.metric), minute, self.end + Duration::days(1))
    }

    /// Every key and minute with data, up to a time.
    pub fn all_until(&self, until: Time) -> BTreeMap<(Key, Time), MetricStats> {
        let keys = (0..).take_while(|model| self.series.contains_key(&series(Some(*model), Metric::Invocations)));
        let keys = keys.flat_map(|model| METRICS.map(|metric| (model, metric)));
        let minutes = |(model, metric): (usize, Metric)| {
            let minutes = self.series.get(&series(Some(model), metric)).into_iter().flatten();
            let minutes: Vec<_> = minutes.filter(|(minute, _)| **minute < until).map(|(minute, _)| *minute).collect();
            minutes.into_iter().filter_map(move |minute| {
                let key = key(model, metric);
                Some(((key.clone(), minute), self.truth(&key, minute)?))
            })
        };
        keys.flat_map(minutes).collect()
    }
}

fn key(model: usize, metric: Metric) -> Key {
    Key { model: Some(ModelKey::parse(&name(model))), metric }
}

fn name(model: usize) -> String {
    format!("vendor.model-{model}")
}

fn series(model: Option<usize>, metric: Metric) -> Series {
    let dimensions = model.map(|model| ("ModelId".to_owned(), name(model))).into_iter().collect();
    Series { name: metric.as_str().to_owned(), dimensions }
}

/// What polling a script came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub metrics_requested: u64,
    pub calls: u64,
    pub minutes_polled: i64,
    /// The largest reading of each minute that was sent on.
    pub read: BTreeMap<(Key, Time), MetricStats>,
    /// When each minute was first sent on as settled, with what it then read.
    pub settled: BTreeMap<(Key, Time), (Time, MetricStats)>,
    /// When each key was first sent on with data since a time.
    first_sent: BTreeMap<Key, Vec<(Time, Time)>>,
}

impl Outcome {
    pub fn dollars_a_month(&self) -> f64 {
        #[allow(clippy::cast_precision_loss)] // some hundred thousand
        let a_minute = self.metrics_requested as f64 / self.minutes_polled as f64;
        a_minute * 60.0 * 24.0 * 30.0 * 0.01 / 1000.0
    }

    /// From an incident's first visible error to its being sent on.
    pub fn detection_delays(&self, script: &Script) -> Vec<Duration> {
        let delay = |(key, began, visible_at): &(Key, Time, Time)| {
            let sent = self.first_sent.get(key)?.iter().find(|(minute, _)| minute >= began)?.1;
            Some(sent - *visible_at)
        };
        script.incidents.iter().filter_map(delay).collect()
    }

    fn sent(&mut self, points: Vec<Point>, now: Time) {
        for Point { key, minute, stats, settled } in points {
            if settled {
                self.settled.entry((key.clone(), minute)).or_insert((now, stats));
            }
            if ERRORS.contains(&key.metric) {
                self.first_sent.entry(key.clone()).or_default().push((minute, now));
            }
            let known = self.read.entry((key, minute)).or_insert(stats);
            if stats.sample_count >= known.sample_count {
                *known = stats;
            }
        }
    }
}

/// When polls happen: a minute after the other, not at its border.
fn polls(script: &Script) -> impl Iterator<Item = Time> {
    let first = script.start + Duration::hours(1) + Duration::seconds(17);
    let end = script.end;
    (0..).map(move |poll| first + Duration::minutes(poll)).take_while(move |now| *now < end)
}

/// The planner's polling.
pub fn planned(script: &Script, settings: Settings) -> (Outcome, Planner) {
    let mut outcome = Outcome::default();
    let start = script.start + Duration::hours(1);
    let mut planner = Planner::new(settings, script.start, start);
    for now in polls(script) {
        outcome.minutes_polled += 1;
        if planner.is_discovery_due(now) {
            let listed = script.listed(now);
            planner.discovered(listed.len(), Catalogue::of(listed), now);
        }
        loop {
            let requests = planner.plan(now);
            if requests.is_empty() {
                break;
            }
            for request in requests {
                outcome.calls += 1;
                outcome.metrics_requested += u64::from(request.metrics());
                let points = planner.answered(&request, script.answer(&request, now), now);
                outcome.sent(points, now);
            }
        }
    }
    (outcome, planner)
}

/// Every metric of every model, every minute, with enough of the past to see late samples: each sample is read by the
/// first poll after it became visible.
pub fn every_metric_every_minute(script: &Script, models: usize) -> Outcome {
    let mut outcome = Outcome::default();
    for now in polls(script) {
        outcome.minutes_polled += 1;
        outcome.calls += 1;
        outcome.metrics_requested += (models * METRICS.len()) as u64;
        for (key, began, visible_at) in &script.incidents {
            if *visible_at <= now {
                outcome.first_sent.entry(key.clone()).or_default().push((*began, now));
            }
        }
    }
    outcome
}
