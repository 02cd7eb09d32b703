#![allow(clippy::unwrap_used, clippy::panic)]
//! The planner on a CloudWatch of a few series that is late, revises, answers in part and is asked at odd times.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use faultline_core::{
    model::{Cell, MetricPoint},
    price::PriceTable,
};
use proptest::prelude::*;

use super::*;
use crate::{
    ledger::{Change, Counter, Ledger},
    sources::metrics::series::{ERRORS, Series},
};

const METRICS: [Metric; 4] =
    [Metric::Invocations, Metric::InvocationServerErrors, Metric::InputTokenCount, Metric::InvocationLatency];
const MODELS: usize = 3;

fn start() -> Time {
    DateTime::from_timestamp(1_777_600_800, 0).unwrap()
}

fn minute(minute: i64) -> Time {
    start() + TimeDelta::minutes(minute)
}

fn settings() -> Settings {
    Settings {
        poll: TimeDelta::minutes(1),
        detail: TimeDelta::minutes(10),
        settle: TimeDelta::minutes(10),
        budget_usd_per_month: 1e6,
    }
}

fn model(number: usize) -> String {
    format!("vendor.model-{number}")
}

fn key(number: usize, metric: Metric) -> Key {
    Key { model: Some(ModelKey::parse(&model(number))), metric }
}

fn series(number: Option<usize>, metric: Metric) -> Series {
    let dimensions = number.map(|number| ("ModelId".to_owned(), model(number))).into_iter().collect();
    Series { name: metric.as_str().to_owned(), dimensions }
}

/// What a minute reads, from when on.
type Readings = Vec<(Time, f64)>;

/// What CloudWatch has, and will have.
#[derive(Debug, Clone, Default)]
struct Sky {
    minutes: BTreeMap<(Series, Time), Readings>,
    aggregates: bool,
}

impl Sky {
    fn put(&mut self, number: usize, metric: Metric, at: i64, readings: &[(i64, f64)]) {
        let readings: Readings = readings.iter().map(|(from, count)| (minute(*from), *count)).collect();
        self.minutes.insert((series(Some(number), metric), minute(at)), readings);
    }

    fn read(&self, series: &Series, at: Time, now: Time) -> f64 {
        if series.dimensions.is_empty() && self.aggregates {
            return (0..MODELS)
                .map(|number| Series {
                    dimensions: super::tests::series(Some(number), Metric::Invocations).dimensions,
                    ..series.clone()
                })
                .map(|own| self.read(&own, at, now))
                .sum();
        }
        let readings = self.minutes.get(&(series.clone(), at));
        readings.and_then(|readings| readings.iter().rfind(|(from, _)| *from <= now)).map_or(0.0, |(_, count)| *count)
    }

    fn answer(&self, request: &Request, now: Time, lacks: impl Fn(Time) -> bool) -> Vec<Answer> {
        let of = |asked: &Asked| {
            let mut answer = Answer { complete: true, ..Answer::default() };
            let mut at = request.range.start;
            while at < request.range.end {
                let count: f64 = asked.series.iter().map(|series| self.read(series, at, now)).sum();
                if lacks(at) {
                    answer.complete = false;
                } else if count > 0.0 {
                    let stats = MetricStats { sum: 10.0 * count, sample_count: count, ..MetricStats::default() };
                    answer.minutes.insert(at, stats);
                }
                at += MINUTE;
            }
            answer
        };
        request.asked.iter().map(of).collect()
    }

    fn catalogue(&self) -> Catalogue {
        let across = series(None, Metric::Invocations);
        Catalogue::of(self.minutes.keys().map(|(series, _)| series.clone()).chain(self.aggregates.then_some(across)))
    }

    fn keys(&self) -> impl Iterator<Item = (Key, Time, &Readings)> {
        self.minutes.iter().map(|((series, at), readings)| {
            let metric = Metric::parse(&series.name).unwrap();
            (Key { model: Some(ModelKey::parse(&series.dimensions[0].1)), metric }, *at, readings)
        })
    }
}

/// One poll: what was asked, and what is sent on.
fn poll(planner: &mut Planner, sky: &Sky, now: Time, lacks: impl Fn(Time) -> bool) -> (Vec<Asked>, Vec<Point>) {
    if planner.is_discovery_due(now) {
        planner.discovered(10, sky.catalogue(), now);
    }
    ask(planner, sky, now, lacks)
}

fn ask(planner: &mut Planner, sky: &Sky, now: Time, lacks: impl Fn(Time) -> bool) -> (Vec<Asked>, Vec<Point>) {
    let (mut asked, mut sent) = (Vec::new(), Vec::new());
    for round in 0.. {
        assert!(round < 60, "plan asks without end");
        let requests = planner.plan(now);
        if requests.is_empty() {
            return (asked, sent);
        }
        for request in requests {
            let queries: usize = request.asked.iter().map(Asked::queries).sum();
            assert!(queries <= QUERIES_A_CALL && request.range.start < request.range.end, "{:?}", request.range);
            assert!(request.range.end <= floor_minute(now), "the running minute is never read: {:?}", request.range);
            sent.extend(planner.answered(&request, sky.answer(&request, now, &lacks), now));
            asked.extend(request.asked);
        }
    }
    unreachable!()
}

fn names(asked: &[Asked]) -> Vec<(String, &'static str)> {
    let name = |asked: &Asked| asked.key.model.as_ref().map_or_else(String::new, ModelKey::to_string);
    asked.iter().map(|asked| (name(asked), asked.key.metric.as_str())).collect()
}

/// Three models with traffic in every minute of an hour and a half, published two minutes late.
fn steady(aggregates: bool) -> Sky {
    let mut sky = Sky { aggregates, ..Sky::default() };
    for at in 0..180 {
        for number in 0..MODELS {
            for metric in METRICS.into_iter().filter(|metric| !ERRORS.contains(metric)) {
                sky.put(number, metric, at, &[(at + 3, 5.0)]);
            }
        }
    }
    sky
}

#[test]
fn a_quiet_poll_asks_three_sentinels_and_nothing_else() {
    let sky = steady(true);
    let mut planner = Planner::new(settings(), start(), minute(60));
    let everything = poll(&mut planner, &sky, minute(60), |_| false).0;
    assert_eq!(everything.len(), 3 + MODELS * 6, "at first all is read once");
    for at in 61..70 {
        let asked = poll(&mut planner, &sky, minute(at), |_| false).0;
        assert_eq!(asked.iter().filter(|asked| asked.is_sentinel).count(), 3);
        assert_eq!(asked.len(), 3, "{:?}", names(&asked));
    }
    let details = poll(&mut planner, &sky, minute(70), |_| false).0;
    assert_eq!(details.len(), 3 + MODELS * 3, "no errors across all models, so none of a model: {:?}", names(&details));
}

#[test]
fn a_sentinel_that_shows_errors_finds_their_model_in_the_same_poll_and_then_only_that_is_watched() {
    let mut sky = steady(true);
    for at in 63..75 {
        sky.put(1, Metric::InvocationServerErrors, at, &[(at + 2, 4.0)]);
    }
    let mut planner = Planner::new(settings(), start(), minute(60));
    for at in 60..65 {
        poll(&mut planner, &sky, minute(at), |_| false);
    }
    let (asked, sent) = poll(&mut planner, &sky, minute(65), |_| false);
    assert!(sent.iter().any(|point| point.key == key(1, Metric::InvocationServerErrors)), "{sent:?}");
    let searched =
        asked.iter().filter(|asked| !asked.is_sentinel && asked.key.metric == Metric::InvocationServerErrors);
    assert_eq!(searched.count(), MODELS);
    let others = |asked: &[Asked]| {
        let of_others = asked.iter().filter(|asked| !asked.is_sentinel && asked.key.model != key(1, METRICS[0]).model);
        of_others.map(|asked| asked.key.metric).collect::<BTreeSet<_>>()
    };
    assert_eq!(others(&asked), BTreeSet::from([Metric::InvocationServerErrors]), "only what shows is searched for");
    let asked = poll(&mut planner, &sky, minute(66), |_| false).0;
    assert!(others(&asked).is_empty(), "the model known accounts for it: {:?}", names(&asked));
    assert_eq!(asked.len(), 3 + 6, "everything of the one: {:?}", names(&asked));
    assert!(asked.iter().any(|asked| asked.tail), "calls above a minute are counted where errors show");
}

#[test]
fn without_series_across_all_models_the_errors_of_busy_models_are_asked_each_poll_and_of_silent_ones_with_the_details()
{
    let mut sky = steady(false);
    sky.minutes.retain(|(series, at), _| series.dimensions[0].1 != model(2) || *at < minute(10));
    let mut planner = Planner::new(settings(), start(), minute(60));
    poll(&mut planner, &sky, minute(60), |_| false);
    let asked = poll(&mut planner, &sky, minute(61), |_| false).0;
    assert_eq!(asked.len(), 2 * ERRORS.len(), "{:?}", names(&asked));
    let asked = poll(&mut planner, &sky, minute(70), |_| false).0;
    let silent: Vec<_> = asked.iter().filter(|asked| asked.key.model == key(2, METRICS[0]).model).collect();
    assert_eq!(silent.len(), 4, "errors and Invocations, which hold nothing: {:?}", names(&asked));
}

#[test]
fn aggregates_that_lack_what_a_model_has_are_not_relied_on_again() {
    let mut sky = steady(true);
    let mut planner = Planner::new(settings(), start(), minute(60));
    // The aggregate is listed, but does not hold this.
    sky.put(0, Metric::InvocationServerErrors, 65, &[(66, 2.0)]);
    let blind = Sky { aggregates: false, ..sky.clone() };
    let mut seen = false;
    for at in 60..140 {
        if planner.is_discovery_due(minute(at)) {
            planner.discovered(10, sky.catalogue(), minute(at));
        }
        seen |= poll(&mut planner, &blind, minute(at), |_| false).1.iter().any(|point| point.stats.sample_count == 2.0);
        if at == 61 {
            assert!(planner.has_sentinels());
        }
    }
    assert!(seen, "verified within the hour");
    assert!(!planner.has_sentinels());
    let asked = poll(&mut planner, &blind, minute(140), |_| false).0;
    assert_eq!(asked.iter().filter(|asked| ERRORS.contains(&asked.key.metric)).count(), MODELS * ERRORS.len());
}

#[test]
fn a_partial_answer_is_asked_again_twice_at_once_and_then_at_the_next_poll() {
    let sky = steady(false);
    let mut planner = Planner::new(settings(), start(), minute(60));
    poll(&mut planner, &sky, minute(60), |_| false);
    let asked = poll(&mut planner, &sky, minute(61), |at| at == minute(58)).0;
    assert_eq!(asked.len(), 3 * MODELS * ERRORS.len(), "{:?}", names(&asked));
    assert_eq!(planner.incomplete(), MODELS * ERRORS.len());
    let asked = poll(&mut planner, &sky, minute(62), |_| false).0;
    assert_eq!((asked.len(), planner.incomplete()), (MODELS * ERRORS.len(), 0));
}

#[test]
fn a_model_that_is_listed_late_is_read_from_before_it_was_listed_and_an_idle_one_is_not_read() {
    let sky = steady(false);
    let of = |numbers: &[usize]| {
        let listed = sky.minutes.keys().map(|(series, _)| series.clone());
        Catalogue::of(listed.filter(|series| numbers.iter().any(|number| series.dimensions[0].1 == model(*number))))
    };
    let mut planner = Planner::new(settings(), start(), minute(60));
    planner.discovered(10, of(&[0]), minute(60));
    ask(&mut planner, &sky, minute(60), |_| false);
    planner.discovered(10, of(&[0, 1]), minute(65));
    let asked = ask(&mut planner, &sky, minute(65), |_| false).0;
    let late = asked.iter().find(|asked| asked.key == key(1, Metric::Invocations)).unwrap();
    assert!(late.range.start <= minute(31), "{late:?}");
    planner.discovered(10, of(&[1]), minute(66));
    let asked = ask(&mut planner, &sky, minute(90), |_| false).0;
    assert!(asked.iter().all(|asked| asked.key.model != key(0, METRICS[0]).model), "{:?}", names(&asked));
    assert!(planner.position() > minute(60), "what is idle does not hold the cursor: {}", planner.position());
}

#[test]
fn three_days_are_caught_up_in_one_poll_with_everything_and_in_order() {
    let mut sky = Sky::default();
    for at in (0..72 * 60).step_by(7) {
        sky.put(0, Metric::Invocations, at, &[(at, 3.0)]);
        sky.put(0, Metric::InputTokenCount, at, &[(at, 3.0)]);
    }
    let now = minute(72 * 60);
    let mut planner = Planner::new(settings(), start(), now);
    let sent = poll(&mut planner, &sky, now, |_| false).1;
    let read: BTreeSet<_> = sent.iter().map(|point| (point.key.clone(), point.minute)).collect();
    assert_eq!(read.len(), sky.minutes.len());
    assert!(planner.position() > now - TimeDelta::minutes(30), "{}", planner.position());
}

prop_compose! {
    /// A minute's readings: when each begins to be read, in minutes after its start, and how many samples.
    fn readings(falls: bool)(
        late in 1_i64..9, first in 1_u32..20, changes in prop::collection::vec((1_i64..8, -5_i32..10), 0..3),
    ) -> Vec<(i64, f64)> {
        let (mut from, mut count) = (late, f64::from(first));
        let mut readings = vec![(from, count)];
        for (later, by) in changes {
            from += later;
            let by = f64::from(by);
            count = (count + if falls { by } else { by.abs() }).max(1.0);
            readings.push((from, count));
        }
        readings
    }
}

prop_compose! {
    fn sky(falls: bool)(
        aggregates in any::<bool>(),
        minutes in prop::collection::vec((0..MODELS, 0..METRICS.len(), 0_i64..80, readings(falls)), 1..120),
    ) -> Sky {
        let mut sky = Sky { aggregates, ..Sky::default() };
        // A request of any kind counts in Invocations or in an error.
        for (number, metric, at, readings) in minutes {
            let at_once: Vec<_> = readings.iter().map(|(from, count)| (at + from, *count)).collect();
            sky.put(number, METRICS[metric], at, &at_once);
            sky.put(number, Metric::Invocations, at, &at_once);
        }
        sky
    }
}

/// When polls happen, in seconds after the one before, and which minutes their answers lack.
fn polls() -> impl Strategy<Value = Vec<(i64, Option<i64>)>> {
    let lacks = prop_oneof![3 => Just(None), 1 => (0_i64..80).prop_map(Some)];
    prop::collection::vec((prop_oneof![8 => 20_i64..150, 1 => 150_i64..1200], lacks), 10..60)
}

/// After the polls given, an hour of ordinary ones: by then everything has settled.
fn times(polls: &[(i64, Option<i64>)], begin: Time) -> Vec<(Time, Option<Time>)> {
    let mut now = begin;
    let mut times = Vec::new();
    for (later, lacks) in polls {
        now += TimeDelta::seconds(*later);
        times.push((now, lacks.map(minute)));
    }
    let done = now.max(minute(110));
    times.extend((1..=80).map(|poll| (done + TimeDelta::minutes(poll), None)));
    times
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_the_polls_every_minute_is_sent_as_it_came_to_be_and_settles(sky in sky(false), polls in polls()) {
        let mut planner = Planner::new(settings(), start(), start());
        let mut largest: BTreeMap<(Key, Time), f64> = BTreeMap::new();
        let mut settled: BTreeSet<(Key, Time)> = BTreeSet::new();
        let mut position = planner.position();
        for (now, lacks) in times(&polls, start()) {
            for point in poll(&mut planner, &sky, now, |at| Some(at) == lacks).1 {
                let at = (point.key, point.minute);
                prop_assert!(point.settled || !settled.contains(&at), "settled minutes stay settled");
                if point.settled {
                    settled.insert(at.clone());
                }
                let known = largest.entry(at).or_default();
                *known = known.max(point.stats.sample_count);
            }
            prop_assert!(planner.position() >= position || planner.position() >= start(), "the cursor");
            position = position.max(planner.position());
        }
        let truth: BTreeMap<_, _> =
            sky.keys().map(|(key, at, readings)| ((key, at), readings.last().unwrap().1)).collect();
        prop_assert_eq!(&largest, &truth);
        prop_assert_eq!(settled.len(), truth.len());
    }

    #[test]
    fn revisions_downward_lose_nothing_and_add_nothing_beyond_what_was_shown(sky in sky(true), polls in polls()) {
        let mut planner = Planner::new(settings(), start(), start());
        let mut largest: BTreeMap<(Key, Time), f64> = BTreeMap::new();
        for (now, lacks) in times(&polls, start()) {
            for point in poll(&mut planner, &sky, now, |at| Some(at) == lacks).1 {
                let known = largest.entry((point.key, point.minute)).or_default();
                *known = known.max(point.stats.sample_count);
            }
        }
        for (key, at, readings) in sky.keys() {
            let most = readings.iter().map(|(_, count)| *count).fold(0.0, f64::max);
            let sent = largest.get(&(key, at)).copied().unwrap_or_default();
            prop_assert!(readings.last().unwrap().1 <= sent && sent <= most, "{sent} of {readings:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Of what is sent, the ledger may lose the end when the daemon is killed: cursors with it.
    #[test]
    fn counters_go_on_after_restarts_without_jump_or_gap(
        sky in sky(false), polls in polls(), restarts in prop::collection::btree_set(0_usize..60, 0..4), lost in 0_usize..30,
    ) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ledger.db");
        let prices = Arc::new(PriceTable::builtin());
        let cell = Cell::new("111122223333", "us-east-1");
        let open = || Ledger::open(&path, start(), Arc::clone(&prices)).unwrap();
        let mut ledger = open();
        let mut planner = Planner::new(settings(), start(), start());
        let mut cursor = start();
        let mut counted = 0.0;
        for (index, (now, lacks)) in times(&polls, start()).into_iter().enumerate() {
            let killed = restarts.contains(&index);
            let mut points = poll(&mut planner, &sky, now, |at| Some(at) == lacks).1;
            if killed {
                points.truncate(points.len().saturating_sub(lost));
            } else {
                cursor = cursor.max(planner.position());
            }
            let metric_point = |Point { key, minute, stats, settled }| MetricPoint {
                cell: cell.clone(), model: key.model, metric: key.metric, minute, stats, settled,
            };
            ledger.commit(&Change { points: points.into_iter().map(metric_point).collect(), ..Change::default() }).unwrap();
            let now_counted = invocations(&ledger);
            prop_assert!(now_counted >= counted, "a counter never falls");
            counted = now_counted;
            if killed {
                drop(ledger);
                ledger = open();
                prop_assert!((invocations(&ledger) - counted).abs() < 1e-9, "a restart is no jump");
                let begin = (cursor - TimeDelta::minutes(30)).min(now - TimeDelta::hours(1)).max(start());
                planner = Planner::new(settings(), begin, now);
            }
        }
        let truth = sky.keys().filter(|(key, ..)| key.metric == Metric::Invocations);
        let truth: f64 = truth.map(|(_, _, readings)| 10.0 * readings.last().unwrap().1).sum();
        prop_assert!((counted - truth).abs() < 1e-6, "{counted} of {truth}");
    }
}

fn invocations(ledger: &Ledger) -> f64 {
    ledger.counters().iter().filter(|row| row.counter == Counter::Invocations).map(|row| row.value).sum()
}
