//! What the correlator says: conclusions once, and the state of each scope over the window at any time.

use chrono::Duration;
use serde::Serialize;

use super::InvocationsCount;
use crate::model::{Cell, ClientFailure, Incident, MetricStats, Outcome, Scope, Time, Tokens};

/// What became of one client failure.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion {
    /// The failure, with the model it was matched to where its text names none.
    pub failure: ClientFailure,
    /// What became of it.
    pub outcome: Outcome,
}

/// How far the metrics of a scope can be trusted to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EstimateState {
    /// Both the reading of Invocations and the token hypothesis hold.
    Calibrated,
    /// Only the lower bound can be trusted.
    LowerBound,
    /// Neither is decided: nothing is estimated from metrics.
    Uncalibrated,
}

impl EstimateState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Calibrated, Self::LowerBound, Self::Uncalibrated];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calibrated => "calibrated",
            Self::LowerBound => "lower-bound",
            Self::Uncalibrated => "uncalibrated",
        }
    }
}

/// Findings of one grade, counted.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// What they metered.
    pub tokens: Tokens,
    /// What those with a known price cost, in dollars.
    pub cost_usd: f64,
    /// How many of them were earlier attempts of a call that was tried again.
    pub retries: u64,
    /// How many have no known price.
    pub unpriced: u64,
}

/// What the metrics say of billed failures on AWS's side, over the settled minutes of the window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AwsSide {
    /// The interval's lower end.
    pub lower: f64,
    /// The best estimate.
    pub best: f64,
    /// The interval's upper end.
    pub upper: f64,
    /// What Invocations counts in this scope, where it is decided.
    pub invocations_count: Option<InvocationsCount>,
}

/// One scope over the correlation window.
#[derive(Debug, Clone, PartialEq)]
pub struct ScopeSummary {
    /// Which.
    pub scope: Scope,
    /// Findings known for certain.
    pub confirmed: Tally,
    /// Findings matched without an id.
    pub probable: Tally,
    /// Billed failures expected beyond the named ones: max(0, best total - confirmed - probable).
    pub estimated: f64,
    /// How many of those are expected to be earlier attempts of a call that was tried again.
    pub estimated_retries: f64,
    /// What those would cost at the mean of the named ones; `None` where nothing is priced.
    pub estimated_cost_usd: Option<f64>,
    /// The lower end of the total: what is certain, known on the clients' side and shown by records or metrics on AWS's.
    pub lower: f64,
    /// Where the 90 % interval begins by expectation; never below what is certain.
    pub likely_lower: f64,
    /// Where the 90 % interval ends.
    pub upper: f64,
    /// Why the interval is wider than it could be, each in one sentence.
    pub widened_by: Vec<String>,
    /// What the metrics alone say of AWS's side.
    pub aws_side: AwsSide,
    /// How far the metrics can be trusted.
    pub state: EstimateState,
    /// The state explained in one sentence.
    pub state_reason: String,
    /// Whether the model has a known price.
    pub priced: bool,
    /// Client failures not yet concluded.
    pub pending: u64,
    /// The newest minute of InvocationLatency, seconds.
    pub latency: Option<MetricStats>,
    /// The newest minute of TimeToFirstToken, seconds.
    pub time_to_first_token: Option<MetricStats>,
}

/// One cell over the correlation window.
#[derive(Debug, Clone, PartialEq)]
pub struct CellSummary {
    /// Which.
    pub cell: Cell,
    /// When this was so.
    pub at: Time,
    /// Over how long.
    pub window: Duration,
    /// Every scope seen, in the order of their keys.
    pub scopes: Vec<ScopeSummary>,
    /// Incidents that go on or ended within the window, in the order of their ids.
    pub incidents: Vec<Incident>,
    /// Observations dropped because a cap was reached, since the correlator began.
    pub evicted: u64,
}
