//! What the correlator concludes.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Cell, FailureKind, LogRef, ModelKey, Operation, Scope, Time, Tokens};
use crate::price::PriceRow;

/// How a finding is known, or a count reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Both halves are known of the same request, or the record carries its own error and tokens.
    Confirmed,
    /// Matched without an id, p >= 0.8.
    Probable,
    /// An expected count with an interval; never a single request.
    Estimated,
}

impl Evidence {
    /// Every grade, surest first.
    pub const ALL: [Self; 3] = [Self::Confirmed, Self::Probable, Self::Estimated];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Probable => "probable",
            Self::Estimated => "estimated",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why calls failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Bedrock had no capacity: 503, also at low load.
    ServerCapacity,
    /// The account's quota was exceeded.
    Throttling,
    /// The client's read timeout is shorter than the answers take.
    ClientTimeout,
    /// Something on the way closed the connection.
    Network,
    /// The model failed.
    ModelError,
    /// The request was wrong.
    ClientRequest,
    /// Nothing points one way.
    Unknown,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 7] = [
        Self::ServerCapacity,
        Self::Throttling,
        Self::ClientTimeout,
        Self::Network,
        Self::ModelError,
        Self::ClientRequest,
        Self::Unknown,
    ];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServerCapacity => "server_capacity",
            Self::Throttling => "throttling",
            Self::ClientTimeout => "client_timeout",
            Self::Network => "network",
            Self::ModelError => "model_error",
            Self::ClientRequest => "client_request",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One invocation judged billed but failed: it failed for the client, or carries an errorCode, *and* its record
/// shows tokens. Its natural key is (cell, request id).
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Stable for a request: derived from cell and request id, nothing else.
    pub id: String,
    /// Whose Bedrock, which model.
    pub scope: Scope,
    /// The record's start.
    pub occurred_at: Time,
    /// How the call failed; for an earlier attempt, how the final one failed.
    pub failure: FailureKind,
    /// How this is known.
    pub evidence: Evidence,
    /// 1 for confirmed.
    pub probability: f64,
    /// Bedrock's request id.
    pub request_id: Option<Arc<str>>,
    /// What was metered.
    pub tokens: Tokens,
    /// Dollars, or `None` where the model has no known price.
    pub cost_usd: Option<f64>,
    /// The price used.
    pub price: Option<PriceRow>,
    /// Why, as far as this call alone tells.
    pub cause: Cause,
    /// The operation called.
    pub operation: Option<Operation>,
    /// The application whose log told of the failure.
    pub application: Option<Arc<str>>,
    /// The caller, from the record.
    pub identity: Option<Arc<str>>,
    /// Grows when a late observation changes the finding.
    pub revision: u32,
    /// Where the client's log tells of it.
    pub client_log: Option<LogRef>,
    /// Where the invocation log does.
    pub invocation_log: Option<LogRef>,
    /// The next attempt's request id, when this was an earlier attempt of a call.
    pub retry_of: Option<Arc<str>>,
}

impl Finding {
    /// The id of the finding about this request: the same in every run.
    pub fn id_of(cell: &Cell, request_id: &str) -> String {
        format!("{}:{}:{request_id}", cell.account_id, cell.region)
    }

    /// The model and route.
    pub const fn model(&self) -> &ModelKey {
        &self.scope.model
    }
}

/// What became of a client failure once the horizon had passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its record shows tokens.
    Billed,
    /// Its record shows none.
    NotBilled,
    /// No record came.
    NoRecord,
    /// It counts in the estimate only.
    Expected,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Billed, Self::NotBilled, Self::NoRecord, Self::Expected];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Billed => "billed",
            Self::NotBilled => "not_billed",
            Self::NoRecord => "no_record",
            Self::Expected => "expected",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
