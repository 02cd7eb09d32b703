//! The state of what is read: of a key, of a model's keys together, and of the metrics across all models.

use std::collections::BTreeMap;

use chrono::Duration;
use faultline_core::model::{Metric, ModelKey, Time};

use super::{RETRIES, readings::Readings};
use crate::sources::metrics::series::{Key, Series};

/// When something was last asked, and how that went.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Polled {
    pub asked_at: Option<Time>,
    pub incomplete: bool,
    /// Incomplete answers in a row at `asked_at`.
    tries: u32,
}

impl Polled {
    pub(super) fn answered(&mut self, complete: bool, now: Time) {
        self.tries = if complete || self.asked_at != Some(now) { 0 } else { self.tries };
        self.tries += u32::from(!complete);
        self.asked_at = Some(now);
        self.incomplete = !complete;
    }

    /// Whether it was asked at `now`, and is not to be asked again for what was missing.
    pub(super) fn is_done(&self, now: Time) -> bool {
        self.asked_at == Some(now) && !(self.incomplete && self.tries <= RETRIES)
    }

    /// Whether so much time has passed, by half a poll more or less: polls are not that punctual.
    pub(super) fn is_due(&self, every: Duration, poll: Duration, now: Time) -> bool {
        !self.is_done(now) && (self.incomplete || self.asked_at.is_none_or(|at| now - at + poll / 2 >= every))
    }
}

/// One key.
#[derive(Debug)]
pub(super) struct KeyState {
    pub series: Vec<Series>,
    /// Whether ListMetrics showed it last time.
    pub listed: bool,
    /// Whether it did the time before.
    pub was_listed: bool,
    pub readings: Readings,
    pub polled: Polled,
    /// The newest minute with data.
    pub newest: Option<Time>,
}

impl KeyState {
    pub(super) fn new(start: Time, settle: Duration) -> Self {
        Self {
            series: Vec::new(),
            listed: true,
            was_listed: true,
            readings: Readings::new(start, settle),
            polled: Polled::default(),
            newest: None,
        }
    }
}

/// The keys of one model, which settle together: an estimate compares them minute by minute.
#[derive(Debug)]
pub(super) struct ScopeState {
    /// Every minute before this one is final in all keys, and was sent on as such.
    pub settled_until: Time,
    /// Invocations and errors lacked a minute that other metrics had: they no longer decide what is read.
    pub inference_distrusted: bool,
}

impl ScopeState {
    pub(super) const fn new(start: Time) -> Self {
        Self { settled_until: start, inference_distrusted: false }
    }
}

/// An error metric across all models.
#[derive(Debug)]
pub(super) struct Sentinel {
    pub series: Series,
    pub readings: Readings,
    pub polled: Polled,
}

impl Sentinel {
    pub(super) fn new(series: Series, start: Time, settle: Duration) -> Self {
        Self { series, readings: Readings::new(start, settle), polled: Polled::default() }
    }
}

/// The search for the models whose errors a sentinel shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search {
    pub searched_at: Time,
    /// Errors that no model accounted for afterwards; nothing until that is known.
    pub left: Option<f64>,
}

/// The keys of one model, or those of the whole cell.
pub(super) fn of_scope<'a>(
    keys: &'a BTreeMap<Key, KeyState>,
    model: &Option<ModelKey>,
) -> impl Iterator<Item = (&'a Key, &'a KeyState)> {
    let first = Key { model: model.clone(), metric: Metric::ALL[0] };
    let model = model.clone();
    keys.range(first..).take_while(move |(key, _)| key.model == model)
}

/// Moves on the time until which a scope is settled; returns the minutes that now are.
pub(super) fn settle(
    keys: &BTreeMap<Key, KeyState>,
    scopes: &mut BTreeMap<Option<ModelKey>, ScopeState>,
    model: &Option<ModelKey>,
) -> Vec<(Key, Time)> {
    let Some(scope) = scopes.get_mut(model) else { return Vec::new() };
    let listed = || of_scope(keys, model).filter(|(_, state)| state.listed);
    let until = listed().map(|(_, state)| state.readings.final_until()).min().unwrap_or(scope.settled_until);
    let settled = scope.settled_until..until.max(scope.settled_until);
    scope.settled_until = settled.end;
    listed()
        .flat_map(|(key, state)| state.readings.with_data(settled.clone()).map(|(minute, _)| (key.clone(), minute)))
        .collect()
}
