//! What to ask CloudWatch for now, given what is known, the clock and the budget. Pure: no AWS, no clock of its own.
//!
//! CloudWatch charges per metric requested, whatever the number of minutes. So the fewest metrics are asked, each for
//! all minutes that may still change:
//!
//! - *Sentinels*, the error metrics across all models, at every poll; where CloudWatch has none, the error metrics of
//!   each model that had traffic lately.
//! - *Details*, everything else, every few minutes; and of those only what can hold data: a model without Invocations
//!   and errors has no tokens and no latencies either, and a model without errors across all models has none of its own.
//! - Everything of a model at every poll while its errors show, out of a purse kept for it.
//!
//! `plan` is called until it asks nothing more: what one answer shows decides what the next asks.

mod keys;
mod pace;
mod readings;
mod requests;
mod schedule;
mod settling;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Duration, DurationRound};
use faultline_core::model::{Metric, MetricStats, ModelKey, Time};

pub use self::requests::{Asked, QUERIES_A_CALL, Request};
use self::{
    keys::{KeyState, ScopeState, Search, Sentinel},
    pace::{Pace, Purse, RoutineCosts},
    readings::MINUTE,
    schedule::Want,
};
use super::{
    series::{Catalogue, Key},
    statistics::{self, COST_PER_METRIC},
};

/// How often ListMetrics is asked again, in polls: five minutes, where a poll is one.
const POLLS_A_DISCOVERY: i32 = 5;
/// A page of ListMetrics holds so many metrics.
const METRICS_A_PAGE: usize = 500;
/// US dollars per call of ListMetrics (after a million free ones a month for the whole account).
pub const COST_PER_LISTING: f64 = 0.01 / 1000.0;
/// A partial answer is asked again at once so many times, then at the next poll.
const RETRIES: u32 = 2;
/// A series that ListMetrics did not show can have data that much before: new series are listed late.
const LISTED_LATE: Duration = Duration::minutes(30);

/// How a cell's metrics are polled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// From one poll to the next, where the budget allows it.
    pub poll: Duration,
    /// From one reading of the details to the next, where no errors show.
    pub detail: Duration,
    /// How old a minute must be to be taken as final, until it is known better.
    pub settle: Duration,
    /// What the polling may cost a month, in US dollars; above 0.
    pub budget_usd_per_month: f64,
}

/// A minute to be sent on.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Of which model, if of one.
    pub key: Key,
    /// The minute's start.
    pub minute: Time,
    /// What it read.
    pub stats: MetricStats,
    /// Whether it is final, and with it all that was read of its model in this minute.
    pub settled: bool,
}

/// What one request read of one key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// By minute. A minute without a datapoint is not there.
    pub minutes: BTreeMap<Time, MetricStats>,
    /// Whether it is all there is.
    pub complete: bool,
}

/// Everything known of a cell's metrics.
#[derive(Debug)]
pub struct Planner {
    settings: Settings,
    /// Where reading began.
    start: Time,
    keys: BTreeMap<Key, KeyState>,
    scopes: BTreeMap<Option<ModelKey>, ScopeState>,
    sentinels: BTreeMap<Metric, Sentinel>,
    /// The aggregates lacked errors that a model had: they are not relied on again.
    sentinels_distrusted: bool,
    /// The last search for the models whose errors the sentinels show, by metric.
    searches: BTreeMap<Metric, Search>,
    discovered_at: Option<Time>,
    listed: usize,
    pace: Pace,
    purse: Purse,
    extra: Purse,
    /// When something routine last could not be paid.
    unpaid_at: Option<Time>,
}

impl Planner {
    /// Begins at `start`, at `now`.
    pub fn new(settings: Settings, start: Time, now: Time) -> Self {
        let pace = normal_pace(&settings);
        Self {
            settings,
            start: floor_minute(start),
            keys: BTreeMap::new(),
            scopes: BTreeMap::new(),
            sentinels: BTreeMap::new(),
            sentinels_distrusted: false,
            searches: BTreeMap::new(),
            discovered_at: None,
            listed: 0,
            pace,
            purse: Purse::monthly(settings.budget_usd_per_month, now),
            extra: Purse::empty(now),
            unpaid_at: None,
        }
    }

    /// Whether ListMetrics is to be asked.
    pub fn is_discovery_due(&self, now: Time) -> bool {
        self.discovered_at.is_none_or(|at| now - at + self.pace.poll / 2 >= self.pace.discovery)
    }

    /// Whether the range to be read begins before the three hours that "recently active" covers.
    pub fn reads_far_back(&self, now: Time) -> bool {
        self.discovered_at.is_none() && now - self.start > readings::LONGEST_RANGE - LISTED_LATE
    }

    /// What ListMetrics showed.
    pub fn discovered(&mut self, listed: usize, catalogue: Catalogue, now: Time) {
        let before = self.discovered_at.replace(now);
        self.listed = listed;
        // What was not listed before had nothing to read until shortly before it was looked for.
        let start = before.map_or(self.start, |before| floor_minute(before - LISTED_LATE).max(self.start));
        for state in self.keys.values_mut() {
            state.listed = false;
        }
        for (metric, series) in catalogue.sentinels {
            let new = || Sentinel::new(series.clone(), start, self.settings.settle);
            self.sentinels.entry(metric).or_insert_with(new).series = series.clone();
        }
        for (key, series) in catalogue.keys {
            self.scopes.entry(key.model.clone()).or_insert_with(|| ScopeState::new(start));
            let state = self.keys.entry(key).or_insert_with(|| KeyState::new(start, self.settings.settle));
            if !state.was_listed {
                state.readings.skip_to(start);
            }
            (state.listed, state.series) = (true, series);
        }
        for state in self.keys.values_mut() {
            state.was_listed = state.listed;
        }
        let costs = self.routine_costs();
        self.pace = Pace::within(self.settings.budget_usd_per_month, &normal_pace(&self.settings), &costs);
        self.extra.set_income(self.pace.extra_usd_per_second);
        let pages = u32::try_from(listed.div_ceil(METRICS_A_PAGE).max(1)).unwrap_or(u32::MAX);
        // Discovery is paid for whatever the purse holds: without it nothing else has a use.
        self.purse.spend(COST_PER_LISTING * f64::from(pages));
    }

    /// What is to be asked now, most important first; nothing more once everything that is due was answered. Hand
    /// every request's answer to [`Planner::answered`] before the next call.
    pub fn plan(&mut self, now: Time) -> Vec<Request> {
        self.purse.fill(now);
        self.extra.fill(now);
        self.infer_empty();
        let end = floor_minute(now);
        for round in schedule::ROUNDS {
            let wanted = self.wanted(round, now, end);
            let paid = self.paid(wanted, now);
            if !paid.is_empty() {
                return requests::packed(paid);
            }
        }
        Vec::new()
    }

    /// What can be paid of what is wanted.
    fn paid(&mut self, wanted: Vec<Want>, now: Time) -> Vec<Asked> {
        let mut paid = Vec::new();
        // Before the first whole minute there is nothing to ask for.
        for want in wanted.into_iter().filter(|want| !want.asked.range.is_empty()) {
            let cost = COST_PER_METRIC * f64::from(want.asked.cost());
            // What goes beyond the routine is paid out of both.
            if want.is_extra && !self.extra.spend(cost) {
                continue;
            }
            let enough = self.purse.spend(cost);
            self.unpaid_at = if enough { self.unpaid_at } else { Some(now) };
            if enough {
                paid.push(want.asked);
            }
        }
        paid
    }

    /// Takes in what a request read, by the position of each key in it; returns what is to be sent on.
    pub fn answered(&mut self, request: &Request, answers: Vec<Answer>, now: Time) -> Vec<Point> {
        let mut touched = BTreeSet::new();
        let mut changed: BTreeMap<(Key, Time), bool> = BTreeMap::new();
        for (asked, answer) in request.asked.iter().zip(answers) {
            if asked.is_sentinel {
                if let Some(sentinel) = self.sentinels.get_mut(&asked.key.metric) {
                    sentinel.polled.answered(answer.complete, now);
                    sentinel.readings.take(&request.range, &answer.minutes, answer.complete, now);
                }
                continue;
            }
            let Some(state) = self.keys.get_mut(&asked.key) else { continue };
            state.polled.answered(answer.complete, now);
            let minutes = state.readings.take(&request.range, &answer.minutes, answer.complete, now);
            state.newest = state.newest.max(answer.minutes.last_key_value().map(|(minute, _)| *minute));
            let settled_until = self.scopes.get(&asked.key.model).map_or(self.start, |scope| scope.settled_until);
            for minute in minutes.into_iter().filter(|minute| state.readings.stats(*minute).is_some()) {
                changed.insert((asked.key.clone(), minute), minute < settled_until);
            }
            touched.insert(asked.key.model.clone());
        }
        self.distrust(changed.keys().cloned(), now);
        self.infer_empty();
        for model in touched {
            let settled = keys::settle(&self.keys, &mut self.scopes, &model);
            changed.extend(settled.into_iter().map(|minute| (minute, true)));
        }
        let points = changed.into_iter().filter_map(|((key, minute), settled)| {
            let stats = self.keys.get(&key)?.readings.stats(minute)?;
            Some(Point { key, minute, stats, settled })
        });
        let points = points.collect();
        self.forget(now);
        points
    }

    /// Every minute before this one is final, of everything that is listed.
    pub fn position(&self) -> Time {
        let listed = self.keys.iter().filter(|(_, state)| state.listed).map(|(key, _)| &key.model);
        let scopes = listed.filter_map(|model| self.scopes.get(model));
        scopes.map(|scope| scope.settled_until).min().unwrap_or(self.start)
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        !self.keys.values().any(|state| state.listed)
    }

    /// How old a minute must be to be final, by the slowest series.
    pub fn settle_delay(&self) -> Duration {
        let listed = self.keys.values().filter(|state| state.listed && state.polled.asked_at.is_some());
        listed.map(|state| state.readings.delay()).max().unwrap_or(self.settings.settle)
    }

    /// The newest minute that has data.
    pub fn newest(&self) -> Option<Time> {
        self.keys.values().filter_map(|state| state.newest).max()
    }

    /// Keys whose last answer lacked something, also after it was asked again.
    pub fn incomplete(&self) -> usize {
        self.keys.values().filter(|state| state.listed && state.polled.incomplete).count()
    }

    /// From one poll to the next.
    pub const fn poll_every(&self) -> Duration {
        self.pace.poll
    }

    /// Whether the budget makes polling slower than configured.
    pub fn is_limited(&self, now: Time) -> bool {
        self.pace.limited || self.unpaid_at.is_some_and(|at| now - at < self.pace.detail)
    }

    /// How often errors and details are asked for.
    pub const fn intervals(&self) -> (Duration, Duration) {
        (self.pace.poll, self.pace.detail)
    }

    /// Whether one query per error metric watches all models.
    pub fn has_sentinels(&self) -> bool {
        !self.sentinels.is_empty() && !self.sentinels_distrusted
    }

    fn routine_costs(&self) -> RoutineCosts {
        let metrics = |keys: &mut dyn Iterator<Item = (&Key, &KeyState)>| -> f64 {
            let counted = keys.map(|(key, state)| statistics::cost(key.metric, false, state.series.len()));
            COST_PER_METRIC * f64::from(counted.sum::<u32>())
        };
        let listed = || self.keys.iter().filter(|(_, state)| state.listed);
        let is_error = |key: &Key| super::series::ERRORS.contains(&key.metric);
        let everything = metrics(&mut listed());
        let errors = metrics(&mut listed().filter(|(key, _)| is_error(key)));
        let pages = u32::try_from(self.listed.div_ceil(METRICS_A_PAGE).max(1)).unwrap_or(u32::MAX);
        let sentinels = COST_PER_METRIC * f64::from(u32::try_from(self.sentinels.len()).unwrap_or(u32::MAX));
        // Errors of a model are details where the sentinels watch: seldom asked, but room is kept for them.
        let (poll, detail) = if self.has_sentinels() { (sentinels, everything) } else { (errors, everything - errors) };
        RoutineCosts { poll, detail, everything, discovery: COST_PER_LISTING * f64::from(pages) }
    }
}

fn normal_pace(settings: &Settings) -> Pace {
    Pace {
        poll: settings.poll,
        detail: settings.detail.max(settings.poll),
        discovery: settings.poll * POLLS_A_DISCOVERY,
        extra_usd_per_second: 0.0,
        limited: false,
    }
}

/// The start of the minute that a time is in.
pub fn floor_minute(time: Time) -> Time {
    time.duration_trunc(MINUTE).unwrap_or(time)
}

#[cfg(test)]
mod tests;
