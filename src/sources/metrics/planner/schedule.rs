//! What is due, in rounds: what an earlier round showed decides what a later one asks.

use chrono::Duration;
use faultline_core::model::{Metric, ModelKey, Time};

use super::{
    Planner, floor_minute,
    keys::{KeyState, Search, of_scope},
    readings::{LOOK_BACK, MINUTE},
    requests::Asked,
};
use crate::sources::metrics::series::{ERRORS, Key};

/// A model's errors show when they are younger than this: CloudWatch is some minutes late.
const HOT: Duration = Duration::minutes(8);
/// A model is busy for so long after its last datapoint.
const BUSY: Duration = Duration::minutes(30);
/// A search that left errors unaccounted for is repeated after so many polls.
const POLLS_BETWEEN_SEARCHES: i32 = 3;
/// What need not be read, by what else was read, is read all the same so often: that is how a wrong inference is found.
const VERIFY_EVERY: Duration = Duration::hours(1);
/// From this age on, what one series has and another lacks is no matter of publishing.
const LATE: Duration = Duration::minutes(15);
/// What others are inferred from is remembered until they are verified, and some time more.
const REMEMBERED: Duration = Duration::minutes(100);
/// Calls that take longer are worth counting.
const TAIL_SECONDS: f64 = 60.0;

/// What is decided at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// Sentinels, or the errors of busy models; everything of models whose errors show.
    Errors,
    /// The errors of all models, where the sentinels show errors that no model is known to have.
    Search,
    /// What decides which details can hold data.
    Probes,
    /// The rest.
    Details,
}

pub(super) const ROUNDS: [Round; 4] = [Round::Errors, Round::Search, Round::Probes, Round::Details];

/// Something that is due.
#[derive(Debug)]
pub(super) struct Want {
    pub asked: Asked,
    /// Beyond the routine.
    pub is_extra: bool,
}

impl Planner {
    pub(super) fn wanted(&mut self, round: Round, now: Time, end: Time) -> Vec<Want> {
        match round {
            Round::Errors => self.sentinels_due(now, end).into_iter().chain(self.errors_due(now, end)).collect(),
            Round::Search => self.search(now, end),
            Round::Probes => self.details_due(now, end, |key| key.metric == Metric::Invocations || is_error(key)),
            Round::Details => self.details_due(now, end, |key| key.metric != Metric::Invocations && !is_error(key)),
        }
    }

    fn sentinels_due(&self, now: Time, end: Time) -> Vec<Want> {
        if !self.has_sentinels() {
            return Vec::new();
        }
        let due = self.sentinels.iter().filter(|(_, sentinel)| {
            let reads_on = sentinel.polled.asked_at == Some(now)
                && !sentinel.polled.incomplete
                && sentinel.readings.read_until() < end;
            reads_on || sentinel.polled.is_due(self.pace.poll, self.pace.poll, now)
        });
        due.map(|(metric, sentinel)| {
            let range = sentinel.readings.range(end);
            let series = vec![sentinel.series.clone()];
            let key = Key { model: None, metric: *metric };
            Want { is_extra: false, asked: Asked { key, series, tail: false, is_sentinel: true, range } }
        })
        .collect()
    }

    /// The errors of busy models where no sentinel watches them, and everything of models whose errors show.
    fn errors_due(&self, now: Time, end: Time) -> Vec<Want> {
        let mut wanted = Vec::new();
        for model in self.scopes.keys().filter(|model| model.is_some()) {
            let is_hot = self.is_hot(model, end);
            let is_busy = !self.has_sentinels() && self.is_busy(model, end);
            if !is_hot && !is_busy {
                continue;
            }
            for (key, state) in self.listed(model).filter(|(key, _)| is_hot || is_error(key)) {
                if state.polled.is_due(self.pace.poll, self.pace.poll, now) {
                    let is_routine = (is_busy && is_error(key)) || self.is_routine(state, now);
                    wanted.push(self.want(key, state, end, !is_routine));
                }
            }
        }
        wanted
    }

    /// Once per poll and metric: the errors of all models, when the sentinel shows more than they account for.
    fn search(&mut self, now: Time, end: Time) -> Vec<Want> {
        if !self.has_sentinels() {
            return Vec::new();
        }
        let mut wanted = Vec::new();
        for metric in ERRORS {
            let unaccounted = self.unaccounted(metric, end);
            match self.searches.get_mut(&metric) {
                Some(search) if search.searched_at == now => {
                    search.left.get_or_insert(unaccounted);
                    continue;
                }
                Some(search) => {
                    let more = unaccounted > search.left.unwrap_or(0.0) + 0.5;
                    let again = now - search.searched_at >= self.pace.poll * POLLS_BETWEEN_SEARCHES;
                    if unaccounted < 0.5 || !(more || again) {
                        continue;
                    }
                }
                None if unaccounted < 0.5 => continue,
                None => {}
            }
            let keys = self
                .keys
                .iter()
                .filter(|(key, state)| key.metric == metric && state.listed && !state.polled.is_done(now));
            wanted.extend(keys.map(|(key, state)| self.want(key, state, end, true)));
            self.searches.insert(metric, Search { searched_at: now, left: None });
        }
        wanted
    }

    /// The errors that a sentinel shows lately and no model is known to have had.
    fn unaccounted(&self, metric: Metric, end: Time) -> f64 {
        let Some(sentinel) = self.sentinels.get(&metric) else { return 0.0 };
        let lately = sentinel.readings.with_data(end - HOT..end);
        lately
            .map(|(minute, across)| {
                let own = self.keys.iter().filter(|(key, _)| key.metric == metric && key.model.is_some());
                let known: f64 = own.filter_map(|(_, state)| state.readings.stats(minute)).map(|stats| stats.sum).sum();
                (across.sum - known).max(0.0)
            })
            .sum()
    }

    fn details_due(&self, now: Time, end: Time, wanted: impl Fn(&Key) -> bool) -> Vec<Want> {
        let verify_every = VERIFY_EVERY.max(self.pace.detail * 6);
        let due = self.keys.iter().filter(|(key, state)| {
            if !state.listed || !wanted(key) {
                return false;
            }
            let polled = &state.polled;
            let reads_on = polled.asked_at == Some(now) && !polled.incomplete && state.readings.read_until() < end;
            let is_due = reads_on || polled.is_due(self.pace.detail, self.pace.poll, now);
            is_due && (self.may_hold_data(key, state, end) || polled.is_due(verify_every, self.pace.poll, now))
        });
        due.map(|(key, state)| self.want(key, state, end, false)).collect()
    }

    fn want(&self, key: &Key, state: &KeyState, end: Time, is_extra: bool) -> Want {
        let tail = key.metric == Metric::InvocationLatency && self.is_tail_worth_it(key, state, end);
        let range = state.readings.range(end);
        let asked = Asked { key: key.clone(), series: state.series.clone(), tail, is_sentinel: false, range };
        Want { asked, is_extra }
    }

    /// Where errors show, or calls take that long, how many do is worth one more metric.
    fn is_tail_worth_it(&self, key: &Key, state: &KeyState, end: Time) -> bool {
        let mut lately = state.readings.with_data(end - LOOK_BACK..end);
        self.is_hot(&key.model, end) || lately.any(|(_, stats)| stats.p99.is_some_and(|p99| p99 >= TAIL_SECONDS))
    }

    /// Whether the details are due anyway.
    fn is_routine(&self, state: &KeyState, now: Time) -> bool {
        state.polled.is_due(self.pace.detail, self.pace.poll, now)
    }

    fn is_hot(&self, model: &Option<ModelKey>, end: Time) -> bool {
        let errors = self.listed(model).filter(|(key, _)| is_error(key));
        errors.into_iter().any(|(_, state)| state.readings.with_data(end - HOT..end).next().is_some())
    }

    fn is_busy(&self, model: &Option<ModelKey>, end: Time) -> bool {
        self.listed(model).any(|(_, state)| {
            state.polled.asked_at.is_none() || state.newest.is_some_and(|newest| newest >= end - BUSY)
        })
    }

    fn listed(&self, model: &Option<ModelKey>) -> impl Iterator<Item = (&Key, &KeyState)> {
        of_scope(&self.keys, model).filter(|(_, state)| state.listed)
    }

    /// Whether there is a minute still to be read in which, by what else was read, this key can have data.
    fn may_hold_data(&self, key: &Key, state: &KeyState, end: Time) -> bool {
        let mut minute = state.readings.final_until();
        while minute < end {
            if state.readings.stats(minute).is_some() || self.witnessed_empty(key, minute) != Some(true) {
                return true;
            }
            minute += MINUTE;
        }
        false
    }

    /// Whether other series say that a minute of this key has no data. Nothing where no other series tells.
    fn witnessed_empty(&self, key: &Key, minute: Time) -> Option<bool> {
        let model = key.model.as_ref()?;
        if is_error(key) {
            let sentinel = self.sentinels.get(&key.metric).filter(|_| self.has_sentinels())?;
            return sentinel.readings.is_empty(minute);
        }
        let scope = self.scopes.get(&key.model)?;
        if key.metric == Metric::Invocations || scope.inference_distrusted {
            return None;
        }
        let of = |metric| self.keys.get(&Key { model: Some(model.clone()), metric }).filter(|state| state.listed);
        if !of(Metric::Invocations)?.readings.is_empty(minute)? {
            return Some(false);
        }
        for metric in ERRORS {
            let own = of(metric)?.readings.is_empty(minute);
            let across = self.sentinels.get(&metric).filter(|_| self.has_sentinels());
            if !own.or_else(|| across?.readings.is_empty(minute))? {
                return Some(false);
            }
        }
        Some(true)
    }

    /// Lets minutes be final that need not be read, because others that are final say that they hold nothing.
    pub(super) fn infer_empty(&mut self) {
        let keys: Vec<Key> = self.keys.iter().filter(|(_, state)| state.listed).map(|(key, _)| key.clone()).collect();
        // Errors first: the details rest on them.
        let (errors, others): (Vec<Key>, Vec<Key>) = keys.into_iter().partition(is_error);
        for key in errors.into_iter().chain(others) {
            let Some(until) = self.witnesses_final_until(&key) else { continue };
            let from = self.keys[&key].readings.final_until();
            let mut empty = from;
            while empty < until && self.witnessed_empty(&key, empty) == Some(true) {
                empty += MINUTE;
            }
            if let Some(state) = self.keys.get_mut(&key).filter(|_| empty > from) {
                state.readings.advance_over_empty(empty);
            }
        }
    }

    fn witnesses_final_until(&self, key: &Key) -> Option<Time> {
        let model = key.model.as_ref()?;
        if is_error(key) {
            return Some(self.sentinels.get(&key.metric).filter(|_| self.has_sentinels())?.readings.final_until());
        }
        let of = |metric| Some(self.keys.get(&Key { model: Some(model.clone()), metric })?.readings.final_until());
        let invocations = of(Metric::Invocations).filter(|_| key.metric != Metric::Invocations)?;
        ERRORS.into_iter().try_fold(invocations, |until, metric| Some(until.min(of(metric)?)))
    }

    /// A series that has, late, what those it was inferred from lack: they are not relied on again.
    pub(super) fn distrust(&mut self, changed: impl Iterator<Item = (Key, Time)>, now: Time) {
        let late = floor_minute(now) - LATE;
        for (key, minute) in changed.filter(|(_, minute)| *minute < late) {
            if self.witnessed_empty(&key, minute) != Some(true) {
                continue;
            }
            if is_error(&key) {
                self.sentinels_distrusted = true;
            } else if let Some(scope) = self.scopes.get_mut(&key.model) {
                scope.inference_distrusted = true;
            }
        }
    }

    /// Forgets what is final everywhere and will not be read again.
    pub(super) fn forget(&mut self, now: Time) {
        let remembered = floor_minute(now) - REMEMBERED;
        let mut errors_final = remembered;
        for (key, state) in &mut self.keys {
            let settled = self.scopes.get(&key.model).map_or(remembered, |scope| scope.settled_until);
            let is_witness = is_error(key) || key.metric == Metric::Invocations;
            state.readings.forget_before(if is_witness { settled.min(remembered) } else { settled });
            if state.listed && is_error(key) {
                errors_final = errors_final.min(state.readings.final_until());
            }
        }
        for sentinel in self.sentinels.values_mut() {
            sentinel.readings.forget_before(errors_final);
        }
    }
}

fn is_error(key: &Key) -> bool {
    ERRORS.contains(&key.metric)
}
