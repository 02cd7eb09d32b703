//! What applications' logs say.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{BedrockException, Cell, FailureKind, ModelKey, Operation, Time};

/// Where in CloudWatch Logs something was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogRef {
    /// The log group's name.
    pub group: Arc<str>,
    /// The log stream's name.
    pub stream: Arc<str>,
    /// CloudWatch's id of the event; where a failure spans several, of the one whose line decides its kind, which
    /// is the same wherever reading began.
    pub event_id: Arc<str>,
    /// The event's timestamp.
    pub at: Time,
}

impl LogRef {
    /// One that comes before every other in their order.
    pub(crate) fn first() -> Self {
        Self { group: "".into(), stream: "".into(), event_id: "".into(), at: Time::MIN_UTC }
    }

    /// What names the event in its cell, however often it is read.
    pub fn key(&self) -> String {
        format!("{}\n{}\n{}", self.group, self.stream, self.event_id)
    }
}

impl fmt::Display for LogRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.group, self.stream, self.event_id)
    }
}

/// What the text of one failure says, and nothing it does not: what is absent stays `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct FailureText {
    /// How the call failed.
    pub kind: FailureKind,
    /// Every HTTP status the text names for this failure, in the order it names them.
    pub statuses: Vec<u16>,
    /// Bedrock's exception, also when it came as a frame mid-stream.
    pub exception: Option<BedrockException>,
    /// Bedrock's request id.
    pub request_id: Option<String>,
    /// The application's own id of the call (requestMetadata), where its log names it.
    pub own_id: Option<String>,
    /// The model called.
    pub model: Option<ModelKey>,
    /// The operation called.
    pub operation: Option<Operation>,
    /// Attempts made, the failed last one included (retries + 1).
    pub attempts: Option<u32>,
    /// Seconds from the call to its failure; whether of one attempt or of all depends on the client.
    pub elapsed_seconds: Option<f64>,
    /// Input tokens, where the application logs them.
    pub input_tokens: Option<u64>,
    /// The time the text itself gives.
    pub at: Option<Time>,
}

impl FailureText {
    /// A failure of which nothing but its kind is known.
    pub fn new(kind: FailureKind) -> Self {
        Self {
            kind,
            statuses: Vec::new(),
            exception: None,
            request_id: None,
            own_id: None,
            model: None,
            operation: None,
            attempts: None,
            elapsed_seconds: None,
            input_tokens: None,
            at: None,
        }
    }
}

/// A call that did not end well, as an application's log tells it. Its natural key is [`ClientFailure::log`].
#[derive(Debug, Clone, PartialEq)]
pub struct ClientFailure {
    /// Whose Bedrock was called.
    pub cell: Cell,
    /// The application, as configured (by default its log group).
    pub application: Arc<str>,
    /// The IAM identity the application calls as, where configured.
    pub identity: Option<Arc<str>>,
    /// When the log event was written.
    pub at: Time,
    /// Where it was read.
    pub log: LogRef,
    /// What the text says.
    pub text: FailureText,
}

/// A call that ended well, as an application's log tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientSuccess {
    /// Whose Bedrock was called.
    pub cell: Cell,
    /// The application, as configured.
    pub application: Arc<str>,
    /// When the log event was written.
    pub at: Time,
    /// Bedrock's request id.
    pub request_id: String,
}
