//! The nouns: what sources observe and what the correlator finds. No IO, no behaviour beyond their own form.

mod bedrock;
mod cell;
mod failure;
mod finding;
mod incident;
mod metric;
mod model_id;
mod record;

pub use bedrock::{BedrockException, FailureKind, Operation};
pub use cell::{Cell, Scope};
pub use failure::{ClientFailure, ClientSuccess, FailureText, LogRef};
pub use finding::{Cause, Evidence, Finding, Outcome};
pub use incident::Incident;
pub use metric::{Metric, MetricPoint, MetricStats};
pub use model_id::{ModelKey, Route};
pub use record::{InvocationRecord, RecordsRead, Tokens};

use chrono::{DateTime, Utc};

/// A moment in UTC. Every time in the core is one: local times end at the edge.
pub type Time = DateTime<Utc>;

/// One thing a source learned. The correlator reaches the same findings in whatever order, and however
/// often, it is shown the same observations.
#[derive(Debug, Clone, PartialEq)]
pub enum Observation {
    /// A minute of a CloudWatch metric, as it read when it was asked for.
    Metric(MetricPoint),
    /// An application's log says that a call did not end well.
    Failure(ClientFailure),
    /// An application's log says that a call ended well.
    Success(ClientSuccess),
    /// A line of the model invocation log, without its bodies.
    Record(InvocationRecord),
    /// All records of a stretch of the invocation log have been read.
    RecordsRead(RecordsRead),
}
