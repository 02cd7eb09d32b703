//! Runs of failures, and why they happened.

use super::{Cause, Cell, Scope, Time};

/// A run of failures in one scope, with a diagnosed cause. Its natural key is (scope, start minute).
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Stable for an incident: derived from scope and start, nothing else.
    pub id: String,
    /// Whose Bedrock, which model.
    pub scope: Scope,
    /// The start of the first minute that stands out.
    pub started_at: Time,
    /// The end of the last minute that stands out; `None` while it goes on.
    pub ended_at: Option<Time>,
    /// The likeliest cause.
    pub cause: Cause,
    /// The share of the evidence that points to `cause`, 0 to 1.
    pub score: f64,
    /// Every cause with any evidence for it and its share, largest first; the shares sum to 1.
    pub scores: Vec<(Cause, f64)>,
    /// Whether capacity failed at a request rate well below the scope's usual one.
    pub low_load: bool,
    /// Failures beyond what quiet times would have had; 0 when later observations have taken the incident back.
    pub failures: u64,
    /// Invocations of it that were billed though they failed: findings, and what is expected beyond them.
    pub billed_failed: f64,
    /// What those cost in US dollars; `None` where the model has no known price.
    pub cost_usd: Option<f64>,
    /// One sentence with the numbers that speak for `cause`.
    pub evidence: String,
    /// One sentence: what to do about it.
    pub remedy: String,
    /// Grows when later observations change the incident.
    pub revision: u32,
}

impl Incident {
    /// The id of the incident of this scope that starts in this minute.
    pub fn id_of(scope: &Scope, started_at: Time) -> String {
        let Scope { cell: Cell { account_id, region }, model } = scope;
        format!("{account_id}:{region}:{}:{}:{}", model.route, model.model_id, started_at.format("%Y%m%dT%H%MZ"))
    }
}
