//! The counters that only ever grow, kept in the ledger so that a restart goes on from them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use faultline_core::model::{Cell, Evidence, FailureKind, ModelKey, Outcome, Route, Scope};
use rusqlite::{Connection, Transaction};

use super::LedgerError;

/// The evidence grades a single finding can have.
const NAMED_GRADES: [Evidence; 2] = [Evidence::Confirmed, Evidence::Probable];
pub(super) const TOKEN_KINDS: [&str; 4] = ["input", "output", "cache_read", "cache_write"];
pub(super) const ERROR_CLASSES: [&str; 3] = ["server", "client", "throttle"];

/// A counter of `/metrics` that the ledger keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // each is documented where its help text is
pub enum Counter {
    BilledFailedInvocations,
    BilledFailedTokens,
    BilledFailedCost,
    ClientFailures,
    ClientFailuresConcluded,
    Invocations,
    InvocationErrors,
    Tokens,
    Cost,
    LogDeliveryFailures,
    LatencySum,
    LatencyCount,
    TimeToFirstTokenSum,
    TimeToFirstTokenCount,
}

impl Counter {
    /// Every counter.
    pub const ALL: [Self; 14] = [
        Self::BilledFailedInvocations,
        Self::BilledFailedTokens,
        Self::BilledFailedCost,
        Self::ClientFailures,
        Self::ClientFailuresConcluded,
        Self::Invocations,
        Self::InvocationErrors,
        Self::Tokens,
        Self::Cost,
        Self::LogDeliveryFailures,
        Self::LatencySum,
        Self::LatencyCount,
        Self::TimeToFirstTokenSum,
        Self::TimeToFirstTokenCount,
    ];

    /// The metric's name; of the sum and the count of a summary, each apart.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BilledFailedInvocations => "bedrock_billed_failed_invocations_total",
            Self::BilledFailedTokens => "bedrock_billed_failed_tokens_total",
            Self::BilledFailedCost => "bedrock_billed_failed_cost_usd_total",
            Self::ClientFailures => "bedrock_client_failures_total",
            Self::ClientFailuresConcluded => "bedrock_client_failures_concluded_total",
            Self::Invocations => "bedrock_invocations_total",
            Self::InvocationErrors => "bedrock_invocation_errors_total",
            Self::Tokens => "bedrock_tokens_total",
            Self::Cost => "bedrock_cost_usd_total",
            Self::LogDeliveryFailures => "bedrock_log_delivery_failures_total",
            Self::LatencySum => "bedrock_invocation_latency_seconds_sum",
            Self::LatencyCount => "bedrock_invocation_latency_seconds_count",
            Self::TimeToFirstTokenSum => "bedrock_time_to_first_token_seconds_sum",
            Self::TimeToFirstTokenCount => "bedrock_time_to_first_token_seconds_count",
        }
    }
}

/// One series of a counter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CounterKey {
    counter: Counter,
    /// Account, region, and for a scope model and route; then the counter's own labels.
    labels: Vec<String>,
}

/// One series and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct CounterRow {
    /// Which counter.
    pub counter: Counter,
    /// The values of its labels, in the order they are declared in.
    pub labels: Vec<String>,
    /// How much.
    pub value: f64,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Counters {
    values: BTreeMap<CounterKey, f64>,
    rows: Arc<Vec<CounterRow>>,
}

/// What one transaction adds; nothing of it counts before the transaction is through.
#[derive(Debug, Default)]
pub(super) struct Growth(BTreeMap<CounterKey, f64>);

impl Growth {
    /// A counter of a scope grows. By 0, it is born.
    pub(super) fn of_scope(&mut self, counter: Counter, scope: &Scope, own: &[&str], by: f64) {
        let place = [&scope.cell.account_id, &scope.cell.region, &scope.model.model_id];
        let mut labels: Vec<String> = place.into_iter().map(|label| label.to_string()).collect();
        labels.push(scope.model.route.to_string());
        self.add(counter, labels, own, by);
    }

    /// A counter of a whole cell grows.
    pub(super) fn of_cell(&mut self, counter: Counter, cell: &Cell, by: f64) {
        self.add(counter, vec![cell.account_id.to_string(), cell.region.to_string()], &[], by);
    }

    fn add(&mut self, counter: Counter, mut labels: Vec<String>, own: &[&str], by: f64) {
        labels.extend(own.iter().map(|label| (*label).to_owned()));
        *self.0.entry(CounterKey { counter, labels }).or_insert(0.0) += by;
    }

    /// The series whose label sets can appear in this scope, at 0, so that their first increase is seen as one. Not
    /// the product of all values: findings are born under the grade they nearly always have.
    pub(super) fn born(&mut self, scope: &Scope) {
        let mut zero = |counter, own: &[&str]| self.of_scope(counter, scope, own, 0.0);
        for kind in FailureKind::ALL.into_iter().filter(|kind| *kind != FailureKind::Rejected) {
            zero(Counter::BilledFailedInvocations, &[Evidence::Confirmed.as_str(), kind.as_str()]);
        }
        for grade in NAMED_GRADES {
            zero(Counter::BilledFailedCost, &[grade.as_str()]);
        }
        for kind in TOKEN_KINDS {
            zero(Counter::Tokens, &[kind]);
            zero(Counter::BilledFailedTokens, &[Evidence::Confirmed.as_str(), kind]);
        }
        for class in ERROR_CLASSES {
            zero(Counter::InvocationErrors, &[class]);
        }
        for outcome in Outcome::ALL {
            zero(Counter::ClientFailuresConcluded, &[outcome.as_str()]);
        }
        zero(Counter::Invocations, &[]);
        zero(Counter::Cost, &[]);
    }

    /// Writes the new values into the transaction.
    pub(super) fn write(&self, transaction: &Transaction<'_>) -> Result<(), LedgerError> {
        let mut statement = transaction.prepare_cached(
            "INSERT INTO counters VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = value + excluded.value",
        )?;
        for (key, by) in &self.0 {
            statement.execute((key.counter.name(), serde_json::to_string(&key.labels)?, by))?;
        }
        Ok(())
    }
}

impl Counters {
    pub(super) fn load(connection: &Connection) -> Result<Self, LedgerError> {
        let mut statement = connection.prepare("SELECT name, labels, value FROM counters")?;
        let mut values = BTreeMap::new();
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let (name, labels, value): (String, String, f64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            // A counter that a newer patch release wrote and this one does not know is left alone.
            let Some(counter) = Counter::ALL.into_iter().find(|counter| counter.name() == name) else { continue };
            values.insert(CounterKey { counter, labels: serde_json::from_str(&labels)? }, value);
        }
        let mut counters = Self { values, rows: Arc::default() };
        counters.publish();
        Ok(counters)
    }

    /// The transaction is through: what it added counts.
    pub(super) fn grow(&mut self, growth: Growth) {
        if growth.0.is_empty() {
            return;
        }
        for (key, by) in growth.0 {
            *self.values.entry(key).or_insert(0.0) += by;
        }
        self.publish();
    }

    pub(super) fn rows(&self) -> Arc<Vec<CounterRow>> {
        Arc::clone(&self.rows)
    }

    /// The scopes that have counters.
    pub(super) fn scopes(&self) -> BTreeSet<Scope> {
        let of_scopes = self.values.keys().filter(|key| key.counter == Counter::Invocations);
        of_scopes
            .filter_map(|key| {
                let [account, region, model_id, route] = &key.labels[..] else { return None };
                let route = Route::ALL.into_iter().find(|known| known.as_str() == route)?;
                let model = ModelKey { model_id: model_id.as_str().into(), route };
                Some(Scope { cell: Cell::new(account, region), model })
            })
            .collect()
    }

    fn publish(&mut self) {
        let row = |(key, value): (&CounterKey, &f64)| CounterRow {
            counter: key.counter,
            labels: key.labels.clone(),
            value: *value,
        };
        self.rows = Arc::new(self.values.iter().map(row).collect());
    }
}
