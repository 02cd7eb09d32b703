//! What every scope's total rests on, worked out once a minute: the metrics' estimate and what is believed of records.

use std::collections::BTreeMap;

use chrono::Duration;

use super::{
    Settings,
    combine::{self, Inputs},
    estimate::{self, Estimate, InvocationLog},
    expectation::Expectation,
    incidents::Incidents,
    join::Joins,
    minutes::Minutes,
};
use crate::{
    model::{Cell, ModelKey, Time},
    price::PriceTable,
};

/// What is believed of records is worked out again after a minute, and one more for every so many records.
const RECORDS_A_MINUTE: usize = 50_000;
/// Records of the newest minutes may still come.
const ARRIVING: Duration = Duration::minutes(2);

/// One scope.
#[derive(Debug)]
struct OfScope {
    estimate: Estimate,
    log: InvocationLog,
}

/// Every scope of a cell.
#[derive(Debug)]
pub(super) struct Totals {
    scopes: BTreeMap<ModelKey, OfScope>,
    expected: BTreeMap<ModelKey, Expectation>,
    /// The minute the estimates were made in; another minute is another window.
    estimated_in: Option<i64>,
    expected_at: Option<Time>,
    /// What is known of a scope of which nothing is.
    unknown: OfScope,
    nothing: Expectation,
}

impl Default for Totals {
    fn default() -> Self {
        let estimate = Estimate::unknown("CloudWatch has shown no metrics of this model.");
        Self {
            scopes: BTreeMap::new(),
            expected: BTreeMap::new(),
            estimated_in: None,
            expected_at: None,
            unknown: OfScope { estimate, log: InvocationLog::default() },
            nothing: Expectation::default(),
        }
    }
}

/// What totals are worked out from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources<'a> {
    pub cell: &'a Cell,
    pub settings: &'a Settings,
    pub joins: &'a Joins,
    pub minutes: &'a Minutes,
    pub prices: &'a PriceTable,
}

impl Totals {
    /// Metrics say something new.
    pub(super) const fn metrics_changed(&mut self) {
        self.estimated_in = None;
    }

    /// Works out what is due at `now`.
    pub(super) fn advance(&mut self, sources: Sources<'_>, incidents: &Incidents, now: Time) {
        let Sources { cell, settings, joins, minutes, prices } = sources;
        let since = now - settings.window;
        let minute = now.timestamp().div_euclid(60);
        let new_minute = self.estimated_in != Some(minute);
        let pause = Duration::minutes(i64::try_from(1 + joins.record_count() / RECORDS_A_MINUTE).unwrap_or(1));
        if self.expected_at.is_none_or(|at| now - at >= pause || now < at) {
            self.expected_at = Some(now);
            self.expected.clear();
            if joins.may_have_losses() {
                let price = |model: &ModelKey| prices.lookup(model, &cell.region);
                for (model, beliefs) in joins.beliefs_since(since, price) {
                    let rate = minutes.rate(&model, since);
                    self.expected.insert(model, Expectation::of(&beliefs, rate));
                }
            }
        }
        if !new_minute {
            return;
        }
        self.estimated_in = Some(minute);
        for model in minutes.models() {
            let scope = self.of_scope(model, sources, incidents, since);
            self.scopes.insert(model.clone(), scope);
        }
    }

    fn of_scope(&self, model: &ModelKey, sources: Sources<'_>, incidents: &Incidents, since: Time) -> OfScope {
        let Sources { settings, joins, minutes, .. } = sources;
        let kept = minutes.settled(model, Time::MIN_UTC);
        let settled_until = minutes.settled_until(model).unwrap_or(since);
        let first = kept.first().map_or(since, |(minute, _)| *minute);
        let from = since.max(first);
        let expected = self.expected.get(model).unwrap_or(&self.nothing);
        let before = self.scopes.get(model).map(|scope| &scope.estimate);
        let succeeded = before.and_then(|estimate| estimate.successes.map(|s| s + estimate.point));
        let complete = joins.has_read(model, from, settled_until - ARRIVING);
        let log = InvocationLog {
            kept: incidents.error_records(model, first, settled_until - ARRIVING),
            window: incidents.error_records(model, from, settled_until - ARRIVING),
            complete,
            loss: combine::loss(minutes.deliveries(since), expected.recorded, succeeded.filter(|_| complete)),
        };
        let estimate = estimate::estimate(&kept, since, settings.invocations_count, &log);
        OfScope { estimate, log }
    }

    /// What the total of a scope rests on.
    pub(super) fn inputs<'a>(&'a self, sources: Sources<'a>, model: &'a ModelKey, since: Time) -> Inputs<'a> {
        let scope = self.scopes.get(model).unwrap_or(&self.unknown);
        Inputs {
            cell: sources.cell,
            model,
            joins: sources.joins,
            minutes: sources.minutes,
            estimate: &scope.estimate,
            expectation: self.expected.get(model).unwrap_or(&self.nothing),
            price: sources.prices.lookup(model, &sources.cell.region),
            since,
            loss: scope.log.loss,
            has_log: sources.joins.has_log(),
            fully_read: scope.log.complete,
        }
    }
}
