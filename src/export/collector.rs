//! The collector behind `/metrics`: renders the current snapshot, whole, at each scrape. No handle outlives one, so
//! nothing can be forgotten to be removed.

use std::collections::BTreeMap;

use faultline_core::{
    correlate::{CellSummary, EstimateState, ScopeSummary},
    model::{Cause, Cell, Evidence, Incident, Scope, Time},
};
use prometheus::{
    Registry, TextEncoder,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use super::{
    Exporter, Published,
    families::Families,
    metrics::{self, MetricDef},
};
use crate::{
    aws::meter::CallOutcome,
    ledger::Counter,
    pipeline::status::{SourceState, SourceStatus},
};

/// The content type of the text format.
pub(super) const TEXT_FORMAT: &str = prometheus::TEXT_FORMAT;

/// The page Prometheus scrapes.
pub(super) fn text(exporter: &Exporter) -> prometheus::Result<String> {
    let registry = Registry::new();
    registry.register(Box::new(Snapshot::new(exporter.clone())?))?;
    TextEncoder::new().encode_to_string(&registry.gather())
}

struct Snapshot {
    exporter: Exporter,
    descriptions: Vec<Desc>,
}

impl Snapshot {
    fn new(exporter: Exporter) -> prometheus::Result<Self> {
        let describe = |def: &&MetricDef| {
            let labels = def.labels.iter().map(|label| (*label).to_owned()).collect();
            Desc::new(def.name.to_owned(), def.help.to_owned(), labels, std::collections::HashMap::new())
        };
        let descriptions = metrics::ALL.iter().map(describe).collect::<prometheus::Result<_>>()?;
        Ok(Self { exporter, descriptions })
    }
}

impl Collector for Snapshot {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = Families::default();
        let published = self.exporter.published();
        for cell in &published.summaries {
            of_cell(&mut families, cell);
        }
        of_ledger(&mut families, &published);
        let shared = &self.exporter.0;
        let mut missed: BTreeMap<Cell, u64> = BTreeMap::new();
        for status in shared.board.all() {
            of_source(&mut families, &status);
            *missed.entry(status.cell).or_default() += status.missed_events;
        }
        for (cell, events) in missed {
            families.add(&metrics::LOG_EVENTS_MISSED_TOTAL, &[&cell.account_id, &cell.region], float(events));
        }
        for (api, used) in shared.meter.all() {
            for outcome in CallOutcome::ALL {
                families.add(&metrics::API_CALLS_TOTAL, &[api, outcome.as_str()], float(used.calls[outcome as usize]));
            }
            families.add(&metrics::API_COST_TOTAL, &[api], used.cost_usd);
        }
        let ledger_errors = shared.ledger_errors.load(std::sync::atomic::Ordering::Relaxed);
        families.add(&metrics::LEDGER_ERRORS_TOTAL, &[], float(ledger_errors));
        if let Some(budget) = shared.monthly_budget_usd {
            families.add(&metrics::MONTHLY_BUDGET, &[], budget);
        }
        families.add(&metrics::BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
        families.into_families()
    }
}

/// The counters; those that are the sum and the count of a summary go together.
fn of_ledger(families: &mut Families, published: &Published) {
    let scopes = published.summaries.iter().flat_map(|cell| &cell.scopes);
    let unpriced: Vec<[&str; 4]> = scopes.filter(|scope| !scope.priced).map(|scope| place(&scope.scope)).collect();
    let mut sums: BTreeMap<(&'static str, &[String]), (f64, f64)> = BTreeMap::new();
    for row in published.counters.iter() {
        let def = definition(row.counter);
        let labels: Vec<&str> = row.labels.iter().map(String::as_str).collect();
        match row.counter {
            Counter::LatencySum | Counter::TimeToFirstTokenSum => {
                sums.entry((def.name, &row.labels)).or_default().0 = row.value;
            }
            Counter::LatencyCount | Counter::TimeToFirstTokenCount => {
                sums.entry((def.name, &row.labels)).or_default().1 = row.value;
            }
            // A price that is not known is no price of $0.
            Counter::BilledFailedCost | Counter::Cost if unpriced.iter().any(|place| labels.starts_with(place)) => {}
            _ => families.add(def, &labels, row.value),
        }
    }
    for scope in published.summaries.iter().flat_map(|cell| &cell.scopes) {
        let place = place(&scope.scope);
        let labels = place.map(str::to_owned);
        for (def, newest) in
            [(&metrics::LATENCY, scope.latency), (&metrics::TIME_TO_FIRST_TOKEN, scope.time_to_first_token)]
        {
            let so_far = sums.get(&(def.name, &labels[..])).copied();
            if newest.is_some() || so_far.is_some() {
                families.add_summary(def, &place, newest, so_far.unwrap_or_default());
            }
        }
    }
}

/// The labels of every scope.
fn place(scope: &Scope) -> [&str; 4] {
    [&scope.cell.account_id, &scope.cell.region, &scope.model.model_id, scope.model.route.as_str()]
}

fn of_cell(families: &mut Families, cell: &CellSummary) {
    let place = [&*cell.cell.account_id, &*cell.cell.region];
    let unpriced = cell.scopes.iter().filter(|scope| !scope.priced && !scope.scope.model.is_unknown()).count();
    families.add(&metrics::UNPRICED_MODELS, &place, float(unpriced as u64));
    families.add(&metrics::EVICTED_TOTAL, &place, float(cell.evicted));
    for scope in &cell.scopes {
        of_scope(families, scope);
        let incidents: Vec<_> = cell.incidents.iter().filter(|incident| incident.scope == scope.scope).collect();
        of_incidents(families, &scope.scope, &incidents);
    }
}

fn of_scope(families: &mut Families, summary: &ScopeSummary) {
    let place = place(&summary.scope);
    let mut add = |def, own: &str, value| families.add(def, &[&place[..], &[own]].concat(), value);
    let grades = [
        (Evidence::Confirmed, float(summary.confirmed.count), Some(summary.confirmed.cost_usd)),
        (Evidence::Probable, float(summary.probable.count), Some(summary.probable.cost_usd)),
        (Evidence::Estimated, summary.estimated, summary.estimated_cost_usd),
    ];
    for (evidence, count, cost) in grades {
        add(&metrics::BILLED_FAILED, evidence.as_str(), count);
        if let Some(cost) = cost.filter(|_| summary.priced) {
            add(&metrics::BILLED_FAILED_COST, evidence.as_str(), cost);
        }
    }
    for (evidence, retries) in [
        (Evidence::Confirmed, float(summary.confirmed.retries)),
        (Evidence::Probable, float(summary.probable.retries)),
        (Evidence::Estimated, summary.estimated_retries),
    ] {
        add(&metrics::BILLED_FAILED_RETRIES, evidence.as_str(), retries);
    }
    add(&metrics::BILLED_FAILED_BOUND, "lower", summary.lower);
    add(&metrics::BILLED_FAILED_BOUND, "upper", summary.upper);
    for state in EstimateState::ALL {
        add(&metrics::ESTIMATE_STATE, state.as_str(), if state == summary.state { 1.0 } else { 0.0 });
    }
    families.add(&metrics::CLIENT_FAILURES_PENDING, &place, float(summary.pending));
}

/// Every cause has its 0, so that an alert sees it rise; scores are only of incidents that go on.
fn of_incidents(families: &mut Families, scope: &Scope, incidents: &[&Incident]) {
    let place = place(scope);
    let open = || incidents.iter().filter(|incident| incident.ended_at.is_none());
    for cause in Cause::ALL {
        let labels = [&place[..], &[cause.as_str()]].concat();
        let active = open().any(|incident| incident.cause == cause);
        families.add(&metrics::INCIDENT_ACTIVE, &labels, if active { 1.0 } else { 0.0 });
        let scores = open().flat_map(|incident| &incident.scores).filter(|(of, _)| *of == cause);
        if let Some(score) = scores.map(|(_, score)| *score).reduce(f64::max) {
            families.add(&metrics::INCIDENT_CAUSE_SCORE, &labels, score);
        }
    }
}

fn of_source(families: &mut Families, status: &SourceStatus) {
    let place = [&*status.cell.account_id, &*status.cell.region, status.kind.as_str()];
    families.add(&metrics::SOURCE_UP, &place, if status.state.is_up() { 1.0 } else { 0.0 });
    families.add(&metrics::SOURCE_RESTARTS_TOTAL, &place, float(status.restarts));
    let mut time = |def, time: Option<Time>| {
        if let Some(time) = time {
            #[allow(clippy::cast_precision_loss)] // milliseconds since 1970 are far below 2^52
            families.add(def, &place, time.timestamp_millis() as f64 / 1000.0);
        }
    };
    time(&metrics::SOURCE_LAST_SUCCESS, status.last_success);
    time(&metrics::SOURCE_NEWEST_DATA, status.newest_data);
    if let Some(seconds) = status.settle_seconds {
        families.add(&metrics::SOURCE_SETTLE, &place, seconds);
    }
    for state in SourceState::ALL {
        let holds = if state == status.state { 1.0 } else { 0.0 };
        families.add(&metrics::SOURCE_STATE, &[&place[..], &[state.as_str()]].concat(), holds);
    }
    if let Some(budget) = status.budget {
        families.add(&metrics::API_BUDGET, &place[..2], budget.usd_per_month);
        families.add(&metrics::API_BUDGET_LIMITED, &place[..2], if budget.limited { 1.0 } else { 0.0 });
    }
}

/// How a counter of the ledger is shown.
pub(super) const fn definition(counter: Counter) -> &'static MetricDef {
    match counter {
        Counter::BilledFailedInvocations => &metrics::BILLED_FAILED_TOTAL,
        Counter::BilledFailedTokens => &metrics::BILLED_FAILED_TOKENS_TOTAL,
        Counter::BilledFailedCost => &metrics::BILLED_FAILED_COST_TOTAL,
        Counter::ClientFailures => &metrics::CLIENT_FAILURES_TOTAL,
        Counter::ClientFailuresConcluded => &metrics::CLIENT_FAILURES_CONCLUDED_TOTAL,
        Counter::Invocations => &metrics::INVOCATIONS_TOTAL,
        Counter::InvocationErrors => &metrics::INVOCATION_ERRORS_TOTAL,
        Counter::Tokens => &metrics::TOKENS_TOTAL,
        Counter::Cost => &metrics::COST_TOTAL,
        Counter::LogDeliveryFailures => &metrics::LOG_DELIVERY_FAILURES_TOTAL,
        Counter::LatencySum | Counter::LatencyCount => &metrics::LATENCY,
        Counter::TimeToFirstTokenSum | Counter::TimeToFirstTokenCount => &metrics::TIME_TO_FIRST_TOKEN,
    }
}

/// Counts are far below 2^52.
#[allow(clippy::cast_precision_loss)]
const fn float(count: u64) -> f64 {
    count as f64
}
