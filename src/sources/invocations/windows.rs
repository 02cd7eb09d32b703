//! Failures without an id can only be matched among all the records of their model around their time: which minutes of
//! the invocation log are read for that, each of them once soon and once when late records have arrived.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration};
use faultline_core::model::{ModelKey, Time};

use super::FailedCall;

/// Records follow their calls within seconds.
const DELIVERED: Duration = Duration::seconds(60);
/// So much beside a failure's own time tells how much unrelated traffic there is.
const BESIDE: Duration = Duration::minutes(1);
/// The most that is read as one.
const LONGEST: i64 = 30;

/// A stretch of the log, of one model or of all.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Window {
    /// The model's id without its route; `None` for every model.
    model_id: Option<String>,
    /// The minutes since 1970 it begins and ends at.
    minutes: (i64, i64),
    /// The keys of the failures it is read for; what is read of the model holds for each of them.
    pub models: Vec<Option<ModelKey>>,
}

impl Window {
    pub(super) const fn range(&self) -> (Time, Time) {
        (time_of(self.minutes.0), time_of(self.minutes.1))
    }

    /// The model's records, whatever its name's form and route.
    pub(super) fn pattern(&self) -> Option<String> {
        self.model_id.as_ref().map(|id| format!("{{ $.modelId = \"*{id}\" }}"))
    }
}

#[derive(Debug, Default)]
struct OfModel {
    keys: BTreeSet<ModelKey>,
    /// By minute since 1970.
    minutes: BTreeMap<i64, Readings>,
}

/// How often a minute was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readings {
    None,
    /// Before its late records had arrived.
    Early,
    Done,
}

/// The minutes that are wanted.
#[derive(Debug)]
pub(super) struct Windows {
    /// How late a record may arrive.
    overlap: Duration,
    horizon: Duration,
    wanted: BTreeMap<Option<String>, OfModel>,
}

impl Windows {
    pub(super) const fn new(overlap: Duration, horizon: Duration) -> Self {
        Self { overlap, horizon, wanted: BTreeMap::new() }
    }

    /// Wants the records that a failure could tell of, if nothing else names its record.
    pub(super) fn add(&mut self, call: &FailedCall) {
        if call.request_id.is_some() || call.own_id.is_some() {
            return;
        }
        let from = call.failed_at - call.reach.min(self.horizon) - BESIDE;
        let until = call.failed_at + BESIDE;
        let model = call.model.as_ref().filter(|model| is_safe(&model.model_id));
        let of_model = self.wanted.entry(model.map(|model| model.model_id.to_string())).or_default();
        of_model.keys.extend(model.cloned());
        for minute in minute_of(from)..=minute_of(until) {
            of_model.minutes.entry(minute).or_insert(Readings::None);
        }
    }

    /// Every record of `[from, until)` was read otherwise.
    pub(super) fn all_read(&mut self, (from, until): (Time, Time), now: Time) {
        let whole = minute_of(from + Duration::minutes(1) - Duration::milliseconds(1))..minute_of(until);
        for of_model in self.wanted.values_mut() {
            for (minute, readings) in of_model.minutes.range_mut(whole.start..whole.end.max(whole.start)) {
                *readings = read_at(*minute, now, self.overlap);
            }
        }
    }

    /// The next window to read, the oldest first.
    pub(super) fn due(&self, now: Time) -> Option<Window> {
        let everything = self.wanted.get(&None);
        let is_due = |minute: i64, readings: Readings| match readings {
            Readings::None => now >= time_of(minute + 1) + DELIVERED,
            Readings::Early => now >= time_of(minute + 1) + self.overlap,
            Readings::Done => false,
        };
        let first = |(model_id, of_model): (&Option<String>, &OfModel)| {
            // What is read of every model need not be read of one.
            let also_of_all =
                |minute: &i64| model_id.is_some() && everything.is_some_and(|all| all.minutes.contains_key(minute));
            let mut due = of_model
                .minutes
                .iter()
                .filter(|(minute, readings)| is_due(**minute, **readings) && !also_of_all(minute))
                .map(|(minute, _)| *minute);
            let begin = due.next()?;
            let end = due.zip(begin + 1..begin + LONGEST).take_while(|(minute, next)| minute == next).count();
            let minutes = (begin, begin + 1 + i64::try_from(end).unwrap_or(0));
            let models =
                if model_id.is_some() { of_model.keys.iter().cloned().map(Some).collect() } else { vec![None] };
            Some(Window { model_id: model_id.clone(), minutes, models })
        };
        self.wanted.iter().filter_map(first).min_by_key(|window| window.minutes)
    }

    /// A window was read at `now`, and what it held was sent.
    pub(super) fn done(&mut self, window: &Window, now: Time) {
        let overlap = self.overlap;
        if let Some(of_model) = self.wanted.get_mut(&window.model_id) {
            for minute in window.minutes.0..window.minutes.1 {
                of_model.minutes.insert(minute, read_at(minute, now, overlap));
            }
        }
        self.forget(now);
    }

    /// Forgets what no failure can still want.
    pub(super) fn forget(&mut self, now: Time) {
        let oldest = minute_of(now - self.horizon * 2 - self.overlap);
        self.wanted.retain(|_, of_model| {
            of_model.minutes.retain(|minute, readings| *minute >= oldest || *readings != Readings::Done);
            !of_model.minutes.is_empty()
        });
    }
}

fn read_at(minute: i64, now: Time, overlap: Duration) -> Readings {
    if now >= time_of(minute + 1) + overlap { Readings::Done } else { Readings::Early }
}

const fn minute_of(time: Time) -> i64 {
    time.timestamp().div_euclid(60)
}

const fn time_of(minute: i64) -> Time {
    match DateTime::from_timestamp(minute * 60, 0) {
        Some(time) => time,
        None => DateTime::UNIX_EPOCH,
    }
}

/// Whether a model's id may become part of a filter pattern.
fn is_safe(id: &str) -> bool {
    !id.is_empty() && id.len() <= 256 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::{TimeZone, Utc};

    use super::*;

    const OVERLAP: Duration = Duration::minutes(10);

    fn at(minute: i64) -> Time {
        Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).unwrap() + Duration::minutes(minute)
    }

    fn call(model: Option<&str>, failed_at: Time, reach: Duration) -> FailedCall {
        FailedCall { request_id: None, own_id: None, model: model.map(ModelKey::parse), failed_at, reach }
    }

    fn minutes(window: &Window) -> (i64, i64) {
        let (from, until) = window.range();
        ((from - at(0)).num_minutes(), (until - at(0)).num_minutes())
    }

    #[test]
    fn a_minute_is_read_once_soon_and_once_when_late_records_are_there_however_many_failures_want_it() {
        let mut windows = Windows::new(OVERLAP, Duration::minutes(30));
        for _ in 0..100 {
            windows.add(&call(Some("us.a.b"), at(20), Duration::minutes(2)));
        }
        let mut read = Vec::new();
        for now in 20..60 {
            while let Some(window) = windows.due(at(now)) {
                assert_eq!(window.pattern().as_deref(), Some(r#"{ $.modelId = "*a.b" }"#));
                assert_eq!(window.models, [Some(ModelKey::parse("us.a.b"))]);
                windows.done(&window, at(now));
                read.push((now, minutes(&window)));
            }
        }
        let mut times = BTreeMap::<i64, usize>::new();
        for (_, (from, until)) in &read {
            (*from..*until).for_each(|minute| *times.entry(minute).or_default() += 1);
        }
        assert_eq!(times, (17..22).map(|minute| (minute, 2)).collect(), "{read:?}");
        assert!(read[0].0 <= 21, "soon: {read:?}");
    }

    #[test]
    fn after_downtime_a_window_is_read_once() {
        let mut windows = Windows::new(OVERLAP, Duration::minutes(30));
        windows.add(&call(Some("a.b"), at(0), Duration::minutes(2)));
        let window = windows.due(at(100)).unwrap();
        assert_eq!(minutes(&window), (-3, 2));
        windows.done(&window, at(100));
        assert_eq!(windows.due(at(100)), None);
        assert!(windows.wanted.is_empty(), "and forgotten");
    }

    #[test]
    fn a_failure_of_no_model_wants_the_records_of_all_and_those_of_one_are_not_read_besides() {
        let mut windows = Windows::new(OVERLAP, Duration::minutes(30));
        windows.add(&call(None, at(0), Duration::minutes(1)));
        windows.add(&call(Some("a.b"), at(0), Duration::minutes(1)));
        let window = windows.due(at(30)).unwrap();
        assert_eq!((window.pattern(), window.models.as_slice()), (None, &[None][..]));
        windows.done(&window, at(30));
        assert_eq!(windows.due(at(30)), None);
    }

    #[test]
    fn a_call_reaches_back_no_further_than_the_horizon_and_a_window_is_bounded() {
        let mut windows = Windows::new(OVERLAP, Duration::minutes(120));
        windows.add(&call(Some("a.b"), at(0), Duration::hours(5)));
        let mut read = Vec::new();
        while let Some(window) = windows.due(at(300)) {
            read.push(minutes(&window));
            windows.done(&window, at(300));
        }
        assert_eq!(read[0].0, -121);
        assert!(read.iter().all(|(from, until)| until - from <= LONGEST), "{read:?}");
        assert!(read.windows(2).all(|pair| pair[0].1 == pair[1].0), "{read:?}");
    }

    #[test]
    fn what_was_read_with_everything_else_is_not_read_again() {
        let mut windows = Windows::new(OVERLAP, Duration::minutes(30));
        windows.add(&call(Some("a.b"), at(0), Duration::minutes(1)));
        windows.all_read((at(-10), at(1) + Duration::seconds(30)), at(30));
        assert_eq!(minutes(&windows.due(at(30)).unwrap()), (1, 2), "but what was read in part is");
    }

    #[test]
    fn a_failure_with_an_id_and_a_name_that_breaks_a_pattern_want_no_models_window() {
        let mut windows = Windows::new(OVERLAP, Duration::minutes(30));
        windows.add(&FailedCall { request_id: Some("r".into()), ..call(Some("a.b"), at(0), Duration::zero()) });
        assert_eq!(windows.due(at(60)), None);
        windows.add(&call(Some("a\" || x"), at(0), Duration::zero()));
        assert_eq!(windows.due(at(60)).unwrap().pattern(), None);
    }
}
