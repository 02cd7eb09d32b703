//! Runs of failures in a scope, why they happened, and what to do about it.
//!
//! Worked out anew from all signals of the last day whenever something changed: what is said depends on what was
//! observed and not on the order. A cell without failures costs nothing.

mod case;
mod client_request;
mod client_timeout;
mod detector;
mod model_error;
mod network;
mod routes;
mod segments;
mod series;
mod server_capacity;
mod signals;
mod throttling;

use std::{collections::BTreeMap, sync::Arc};

use chrono::Duration;

use self::{
    case::{Beside, Case},
    segments::Segment,
    series::{Series, SeriesOfScope},
    signals::{KEPT, Signals, Teller},
};
use super::{estimate::ErrorRecords, minutes::Minutes};
use crate::model::{
    Cause, Cell, ClientFailure, FailureKind, Incident, InvocationRecord, Metric, ModelKey, Scope, Time,
};

/// While much is observed, incidents are worked out no more often than this.
const PAUSE: Duration = Duration::seconds(10);

/// What an incident's invocations cost though they failed: how many there were, and dollars where there is a price.
pub(super) type Billed = (f64, Option<f64>);

/// The incidents of a cell.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    signals: Signals,
    changed: bool,
    worked_out: Option<Time>,
    /// What was said of each, by id.
    said: BTreeMap<String, Incident>,
}

impl Incidents {
    pub(super) fn add_failure(&mut self, failure: &ClientFailure) {
        self.changed |= self.signals.add_failure(failure);
    }

    pub(super) fn add_record(&mut self, record: &InvocationRecord) {
        self.changed |= self.signals.add_record(record);
    }

    /// Metrics say something new.
    pub(super) const fn metrics_changed(&mut self) {
        self.changed = true;
    }

    /// This application was seen to call this model.
    pub(super) fn learn(&mut self, application: &Arc<str>, model: &ModelKey) {
        self.signals.learn(application, model);
    }

    /// Incidents that began, went on, ended, or are taken back, since the last call. One that is taken back has no
    /// failures left.
    pub(super) fn advance(
        &mut self,
        cell: &Cell,
        minutes: &Minutes,
        now: Time,
        billed: impl Fn(&ModelKey, (Time, Time)) -> Billed,
    ) -> Vec<Incident> {
        let same_minute = self.worked_out.is_some_and(|at| at.timestamp() / 60 == now.timestamp() / 60);
        let too_soon = self.worked_out.is_some_and(|at| at <= now && now - at < PAUSE && at != now);
        if (!self.changed && same_minute) || too_soon {
            return Vec::new();
        }
        (self.changed, self.worked_out) = (false, Some(now));
        self.signals.prune(now);
        let found = if self.signals.is_empty() && !minutes.have_failures() {
            Vec::new()
        } else {
            self.work_out(cell, minutes, now, billed)
        };
        self.say(found, now)
    }

    /// What the records of a model's failed requests say of those that metered nothing, in [from, until).
    pub(super) fn error_records(&self, model: &ModelKey, from: Time, until: Time) -> ErrorRecords {
        let mut counted = ErrorRecords::default();
        let records = self.signals.between(from..until).map(|(_, signal)| signal);
        for signal in records.filter(|signal| signal.teller == Teller::Record && signal.model.as_ref() == Some(model)) {
            counted.all += 1.0;
            // Throttled requests are not among CloudWatch's errors.
            if !signal.metered && signal.kind != FailureKind::Throttled {
                counted.unmetered += 1.0;
            }
        }
        counted
    }

    /// Those of the window, and those that go on.
    pub(super) fn since(&self, since: Time) -> impl Iterator<Item = &Incident> {
        self.said.values().filter(move |incident| incident.ended_at.is_none_or(|ended_at| ended_at > since))
    }

    fn work_out(
        &self,
        cell: &Cell,
        minutes: &Minutes,
        now: Time,
        billed: impl Fn(&ModelKey, (Time, Time)) -> Billed,
    ) -> Vec<Incident> {
        let mut scopes: BTreeMap<ModelKey, SeriesOfScope> = BTreeMap::new();
        for model in minutes.models() {
            let series = scopes.entry(model.clone()).or_default();
            minutes.all(model, now - KEPT).for_each(|(at, counts)| series.count(at, &counts));
        }
        let only = scopes.keys().next().filter(|_| scopes.len() == 1).cloned();
        let unknown = ModelKey::unknown();
        for (at, signal) in self.signals.all() {
            let model = self.signals.model_of(signal, only.as_ref()).unwrap_or(&unknown);
            match scopes.get_mut(model) {
                Some(series) => series.tell(at, signal.kind, signal.teller),
                None => scopes.entry(model.clone()).or_default().tell(at, signal.kind, signal.teller),
            }
        }
        let runs: Vec<(ModelKey, Vec<Segment>)> =
            scopes.iter_mut().map(|(model, series)| (model.clone(), series.runs(now))).collect();
        let mut incidents = Vec::new();
        for (model, runs) in runs {
            for run in runs {
                let scope = Scope { cell: cell.clone(), model: model.clone() };
                let Some(series) = scopes.get(&model) else { continue };
                let signals = self.signals.between(run.start..run.end).map(|(_, signal)| signal);
                let own =
                    signals.filter(|signal| self.signals.model_of(signal, only.as_ref()).unwrap_or(&unknown) == &model);
                let mut case = Case::gather(scope, (run.start, run.end), series, own);
                case.beside = beside(&scopes, &model, (run.start, run.end));
                let latency = || minutes.readings(&model, Metric::InvocationLatency, run.start..run.end);
                case.slowest = latency().filter_map(|(_, stats)| stats.p99).reduce(f64::max);
                incidents.push(incident(&case, &run, billed(&model, (run.start, run.end))));
            }
        }
        incidents
    }

    fn say(&mut self, found: Vec<Incident>, now: Time) -> Vec<Incident> {
        let mut news = Vec::new();
        let mut said = BTreeMap::new();
        for mut incident in found {
            let before = self.said.remove(&incident.id);
            if let Some(before) = &before {
                incident.revision = before.revision;
            }
            if before.as_ref() != Some(&incident) {
                incident.revision += u32::from(before.is_some());
                news.push(incident.clone());
            }
            said.insert(incident.id.clone(), incident);
        }
        for (_, before) in std::mem::replace(&mut self.said, said) {
            // What is too old to be worked out again stays as it was said last.
            if before.started_at >= now - KEPT + Duration::minutes(2) {
                news.push(taken_back(before));
            }
        }
        news
    }
}

/// The same model over other routes, in the same minutes.
fn beside(scopes: &BTreeMap<ModelKey, SeriesOfScope>, model: &ModelKey, (start, end): (Time, Time)) -> Vec<Beside> {
    let others = scopes.iter().filter(|(other, _)| other.model_id == model.model_id && other.route != model.route);
    others
        .map(|(other, series)| {
            let inside = series.minutes.range(start..end);
            let (requests, failures) = inside.fold((0.0, 0.0), |(requests, failures), (_, minute)| {
                let failed = minute.failures[Series::Server as usize] + minute.failures[Series::Throttle as usize];
                (requests + minute.requests, failures + failed)
            });
            Beside { route: other.route, requests, failures }
        })
        .collect()
}

fn incident(case: &Case, run: &Segment, (billed_failed, cost_usd): Billed) -> Incident {
    let diagnosis = detector::diagnose(case);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of failures")]
    let failures = case.failures().round().max(1.0) as u64;
    Incident {
        id: Incident::id_of(&case.scope, case.start),
        scope: case.scope.clone(),
        started_at: case.start,
        ended_at: (!run.open).then_some(case.end),
        cause: diagnosis.cause,
        score: diagnosis.scores.first().map_or(0.0, |(_, score)| *score),
        scores: diagnosis.scores,
        low_load: diagnosis.cause == Cause::ServerCapacity && server_capacity::is_low_load(case),
        failures,
        billed_failed,
        cost_usd,
        evidence: diagnosis.evidence,
        remedy: diagnosis.remedy,
        revision: 0,
    }
}

/// Later observations have moved it: it is told of under another beginning, or not at all.
fn taken_back(incident: Incident) -> Incident {
    Incident {
        ended_at: Some(incident.started_at),
        failures: 0,
        billed_failed: 0.0,
        cost_usd: None,
        evidence: "Later observations took it back.".into(),
        revision: incident.revision + 1,
        ..incident
    }
}

#[cfg(test)]
mod tests;
