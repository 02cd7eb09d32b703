//! Which failed calls were billed, how sure that is, and what they cost.
//!
//! A pure state machine per cell: observations in, findings and conclusions out. What it finds depends on the set
//! of observations, not on their order or on how often each is shown: findings are worked out anew from what is
//! known of a request whenever something new is known of it.

mod beliefs;
mod blocks;
mod caller;
mod combine;
mod coverage;
mod estimate;
mod expectation;
mod incidents;
mod join;
mod learn;
mod matching;
mod minutes;
mod probable;
mod retries;
mod summary;
mod totals;
mod view;
mod views;

use std::{collections::BTreeSet, sync::Arc};

use chrono::Duration;

pub use blocks::Match;
pub use estimate::InvocationsCount;
pub use summary::{AwsSide, CellSummary, Conclusion, EstimateState, ScopeSummary, Tally};

use self::{
    incidents::Incidents,
    join::Joins,
    minutes::Minutes,
    totals::{Sources, Totals},
};
use crate::{
    model::{Cell, Finding, Incident, ModelKey, Observation, Time},
    price::PriceTable,
};

/// How a correlator is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the summary looks back over.
    pub window: Duration,
    /// How long a record may follow its failure before the failure is concluded without it.
    pub horizon: Duration,
    /// What CloudWatch's Invocations counts.
    pub invocations_count: InvocationsCount,
    /// The most failures and records kept; the oldest go first, counted.
    pub cap: usize,
}

impl Settings {
    /// How long observations are kept: what the window or a late record can still need.
    fn retention(&self) -> Duration {
        self.window.max(self.horizon * 2) + Duration::minutes(10)
    }
}

/// What time and observations have led to since the last call.
#[derive(Debug, Default, PartialEq)]
pub struct Advance {
    /// New findings, and those that a late observation changed (their revision has grown).
    pub findings: Vec<Finding>,
    /// Client failures whose outcome is now known.
    pub concluded: Vec<Conclusion>,
    /// Incidents that began, went on or ended (their revision has grown).
    pub incidents: Vec<Incident>,
}

/// The correlator of one cell.
#[derive(Debug)]
pub struct Correlator {
    cell: Cell,
    settings: Settings,
    prices: Arc<PriceTable>,
    joins: Joins,
    minutes: Minutes,
    incidents: Incidents,
    totals: Totals,
}

impl Correlator {
    /// One that knows nothing yet.
    pub fn new(cell: Cell, settings: Settings, prices: Arc<PriceTable>) -> Self {
        Self {
            cell,
            settings,
            prices,
            joins: Joins::default(),
            minutes: Minutes::default(),
            incidents: Incidents::default(),
            totals: Totals::default(),
        }
    }

    /// Takes in one observation. Those of other cells are none of its business.
    pub fn observe(&mut self, observation: &Observation) {
        match observation {
            Observation::Failure(failure) if failure.cell == self.cell => {
                self.joins.add_failure(failure);
                self.incidents.add_failure(failure);
            }
            Observation::Record(record) if record.cell == self.cell => {
                self.joins.add_record(record);
                self.incidents.add_record(record);
            }
            Observation::Metric(point) if point.cell == self.cell && self.minutes.add(point) => {
                self.totals.metrics_changed();
                self.incidents.metrics_changed();
            }
            Observation::Success(success) if success.cell == self.cell => self.joins.add_success(success),
            Observation::RecordsRead(read) if read.cell == self.cell => self.joins.add_stretch(read),
            _ => {}
        }
    }

    /// Concludes what can be concluded at `now`, which never goes back.
    pub fn advance(&mut self, now: Time) -> Advance {
        self.joins.see(now);
        self.joins.match_due(now, self.settings.horizon);
        let mut advance = Advance {
            findings: self.joins.findings(&self.cell, &self.prices),
            concluded: self.joins.conclude(now, self.settings.horizon),
            incidents: Vec::new(),
        };
        for finding in &advance.findings {
            if let Some(application) = &finding.application {
                self.incidents.learn(application, &finding.scope.model);
            }
        }
        let oldest = now - self.settings.retention();
        self.joins.prune(oldest, now, self.settings.cap);
        self.minutes.prune(oldest);
        let (incidents, since) = (&mut self.incidents, now - self.settings.window);
        let sources = Sources {
            cell: &self.cell,
            settings: &self.settings,
            joins: &self.joins,
            minutes: &self.minutes,
            prices: &self.prices,
        };
        self.totals.advance(sources, incidents, now);
        let billed = |model: &ModelKey, range: (Time, Time)| {
            let inputs = self.totals.inputs(sources, model, since);
            combine::billed(&inputs, range, inputs.estimate.between(range))
        };
        advance.incidents = incidents.advance(&self.cell, &self.minutes, now, billed);
        advance
    }

    /// The state of every scope over the window that ends at `now`.
    pub fn summary(&self, now: Time) -> CellSummary {
        let since = now - self.settings.window;
        let mut models: BTreeSet<&ModelKey> = self.minutes.models().collect();
        models.extend(self.joins.models());
        let scopes =
            models.into_iter().map(|model| combine::scope(&self.totals.inputs(self.sources(), model, since))).collect();
        CellSummary {
            cell: self.cell.clone(),
            at: now,
            window: self.settings.window,
            scopes,
            incidents: self.incidents.since(since).cloned().collect(),
            evicted: self.joins.evicted(),
        }
    }

    /// Every failure without an id that was matched, with the records it may be of: what its findings and the expected
    /// sums rest on.
    pub fn matches(&self) -> impl Iterator<Item = Match<'_>> {
        self.joins.matches()
    }

    fn sources(&self) -> Sources<'_> {
        Sources {
            cell: &self.cell,
            settings: &self.settings,
            joins: &self.joins,
            minutes: &self.minutes,
            prices: &self.prices,
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
