//! Totals with their bounds, by scope.
//!
//! The same arithmetic as the gauges', day by day: failures that only clients saw, plus the larger of what was found on
//! AWS's side and what the metrics of that day show there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::Duration;
use faultline_core::{
    correlate::{self, Correlator, EstimateState},
    model::{Cell, FailureKind, Metric, MetricPoint, Observation, Scope, Time},
};
use serde::Serialize;

use super::{Settings, breakdown::Breakdown};
use crate::ledger::{FailuresTally, FindingsTally, Usage};

const DAY: Duration = Duration::days(1);
/// Points of one cell and day are far below this.
const POINTS: usize = 10_000_000;

/// Findings, and what is expected beyond them.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Totals {
    /// The findings.
    #[serde(flatten)]
    pub found: Breakdown,
    /// Billed failures expected beyond the findings.
    pub estimated: f64,
    /// What those would cost at the mean of the findings; `None` where nothing is priced.
    pub estimated_cost_usd: Option<f64>,
    /// The least that the evidence allows.
    pub lower: f64,
    /// The most that the evidence allows.
    pub upper: f64,
}

/// The totals of one scope.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScopeTotals {
    /// Whose.
    pub account_id: Arc<str>,
    /// Where.
    pub aws_region: Arc<str>,
    /// Which model.
    pub model_id: Arc<str>,
    /// By which route.
    pub route: &'static str,
    /// The totals.
    #[serde(flatten)]
    pub totals: Totals,
    /// Days with errors whose metrics could not be used to estimate, and why.
    pub uncalibrated: Vec<(String, String)>,
}

/// What the metrics of a scope say of one day with errors.
struct MetricsSay {
    lower: f64,
    point: f64,
    upper: f64,
    state: EstimateState,
    reason: String,
}

/// A scope on one day.
#[derive(Default)]
struct OneDay {
    of_clients: f64,
    of_aws: f64,
    unjoined: f64,
}

/// Every scope with a finding, a failure or an error, the dearest first; and all together.
pub(super) fn totals(
    findings: &[FindingsTally],
    failures: &[FailuresTally],
    usage: &[Usage],
    settings: &Settings,
) -> (Totals, Vec<ScopeTotals>) {
    let metrics = metrics(usage, settings);
    let mut days: BTreeMap<(Scope, Time), OneDay> = BTreeMap::new();
    let mut found: BTreeMap<Scope, Breakdown> = BTreeMap::new();
    for tally in findings {
        let scope = Scope { cell: tally.cell.clone(), model: tally.model.clone() };
        let day = days.entry((scope.clone(), day_of(tally.at))).or_default();
        *(if seen_by_aws(&tally.failure) { &mut day.of_aws } else { &mut day.of_clients }) += float(tally.count);
        found.entry(scope).or_default().add(tally);
    }
    for tally in failures.iter().filter(|tally| may_have_been_billed(tally)) {
        let scope = Scope { cell: tally.cell.clone(), model: tally.model.clone() };
        let metered = metrics.contains_key(&(scope.clone(), tally.day));
        // Of what AWS saw, the day's metrics already tell.
        if !(metered && seen_by_aws(&tally.failure)) {
            days.entry((scope, tally.day)).or_default().unjoined += float(tally.count);
        }
    }
    for key in metrics.keys() {
        days.entry(key.clone()).or_default();
    }

    let mut scopes: BTreeMap<Scope, ScopeTotals> = BTreeMap::new();
    for ((scope, day), one) in days {
        let says = metrics.get(&(scope.clone(), day));
        let (lower, point, upper) = says.map_or((0.0, 0.0, 0.0), |says| (says.lower, says.point, says.upper));
        let of_scope = scopes.entry(scope.clone()).or_insert_with(|| ScopeTotals {
            totals: Totals { found: found.remove(&scope).unwrap_or_default(), ..Totals::default() },
            account_id: scope.cell.account_id,
            aws_region: scope.cell.region,
            model_id: scope.model.model_id,
            route: scope.model.route.as_str(),
            uncalibrated: Vec::new(),
        });
        of_scope.totals.estimated += (point - one.of_aws).max(0.0);
        of_scope.totals.lower += one.of_clients + one.of_aws.max(lower);
        of_scope.totals.upper += one.of_clients + one.of_aws.max(upper) + one.unjoined;
        if let Some(says) = says.filter(|says| says.state == EstimateState::Uncalibrated) {
            of_scope.uncalibrated.push((day.format("%Y-%m-%d").to_string(), says.reason.clone()));
        }
    }
    let mut all = Totals::default();
    for ScopeTotals { totals, .. } in scopes.values_mut() {
        let priced = totals.found.count() - totals.found.unpriced;
        if priced > 0 {
            totals.estimated_cost_usd = Some(totals.estimated * totals.found.cost_usd / float(priced));
        }
        all.estimated += totals.estimated;
        all.lower += totals.lower;
        all.upper += totals.upper;
        if let Some(cost) = totals.estimated_cost_usd {
            *all.estimated_cost_usd.get_or_insert(0.0) += cost;
        }
    }
    findings.iter().for_each(|tally| all.found.add(tally));
    let mut scopes: Vec<ScopeTotals> = scopes.into_values().collect();
    scopes.retain(|scope| scope.totals.upper > 0.0 || scope.totals.found.count() > 0);
    scopes.sort_by(|a, b| {
        let (a, b) = (&a.totals, &b.totals);
        b.found.cost_usd.total_cmp(&a.found.cost_usd).then(b.upper.total_cmp(&a.upper))
    });
    (all, scopes)
}

/// What the metrics say of every scope on every day with errors: the correlator's own estimate, over that day.
fn metrics(usage: &[Usage], settings: &Settings) -> BTreeMap<(Scope, Time), MetricsSay> {
    let errors = [Metric::InvocationServerErrors, Metric::InvocationClientErrors];
    let with_errors: BTreeSet<(&Cell, Time)> = usage
        .iter()
        .filter(|usage| usage.stats.sum > 0.0 && errors.contains(&usage.metric))
        .map(|usage| (&usage.cell, day_of(usage.start)))
        .collect();
    let mut points: BTreeMap<(&Cell, Time), Vec<&Usage>> = BTreeMap::new();
    for usage in usage {
        let key = (&usage.cell, day_of(usage.start));
        if with_errors.contains(&key) {
            points.entry(key).or_default().push(usage);
        }
    }
    let mut says = BTreeMap::new();
    for ((cell, day), points) in points {
        let set_up = correlate::Settings {
            window: DAY,
            horizon: Duration::minutes(30),
            invocations_count: settings.invocations_count,
            cap: POINTS,
        };
        let mut correlator = Correlator::new(cell.clone(), set_up, Arc::clone(&settings.prices));
        for usage in points {
            correlator.observe(&Observation::Metric(MetricPoint {
                cell: cell.clone(),
                model: usage.model.clone(),
                metric: usage.metric,
                minute: usage.start,
                stats: usage.stats,
                settled: true,
            }));
        }
        drop(correlator.advance(day + DAY));
        for scope in correlator.summary(day + DAY).scopes.into_iter().filter(|scope| scope.upper > 0.0) {
            let say = MetricsSay {
                lower: scope.lower,
                point: scope.estimated,
                upper: scope.upper,
                state: scope.state,
                reason: scope.state_reason,
            };
            says.insert((scope.scope, day), say);
        }
    }
    says
}

/// Failures that no record was joined to and that may each have been billed. Throttled and refused requests never
/// reached the model.
fn may_have_been_billed(tally: &FailuresTally) -> bool {
    let kind = kind(&tally.failure);
    let reached = !matches!(kind, Some(FailureKind::Throttled | FailureKind::ConnectError | FailureKind::Rejected));
    reached && !matches!(tally.outcome.as_deref(), Some("billed" | "not_billed"))
}

fn seen_by_aws(failure: &str) -> bool {
    kind(failure).is_none_or(FailureKind::seen_by_aws)
}

pub(super) fn kind(failure: &str) -> Option<FailureKind> {
    FailureKind::ALL.into_iter().find(|kind| kind.as_str() == failure)
}

pub(super) fn day_of(time: Time) -> Time {
    time - Duration::milliseconds(time.timestamp_millis().rem_euclid(DAY.num_milliseconds()))
}

/// Counts are far below 2^52.
#[allow(clippy::cast_precision_loss)]
pub(super) const fn float(count: u64) -> f64 {
    count as f64
}
