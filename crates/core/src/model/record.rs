//! The model invocation log, without its bodies.

use std::{ops::AddAssign, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Cell, LogRef, ModelKey, Operation, Time};

/// Token counts of one request, by the kinds that are priced apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tokens {
    /// Input tokens, without those read from or written to the cache.
    pub input: u64,
    /// Output tokens.
    pub output: u64,
    /// Input tokens read from the prompt cache.
    pub cache_read: u64,
    /// Input tokens written to the prompt cache.
    pub cache_write: u64,
}

impl Tokens {
    /// All kinds together.
    pub const fn total(self) -> u64 {
        self.input.saturating_add(self.output).saturating_add(self.cache_read).saturating_add(self.cache_write)
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cache_read = self.cache_read.saturating_add(other.cache_read);
        self.cache_write = self.cache_write.saturating_add(other.cache_write);
    }
}

/// One line of the model invocation log. Its natural key is the request id.
#[derive(Debug, Clone, PartialEq)]
pub struct InvocationRecord {
    /// Whose Bedrock was called.
    pub cell: Cell,
    /// Bedrock's request id.
    pub request_id: Arc<str>,
    /// The record's timestamp: the request's start, floored to the second.
    pub at: Time,
    /// The model called.
    pub model: ModelKey,
    /// The operation called.
    pub operation: Option<Operation>,
    /// Bedrock's exception name, when the request failed on AWS's side.
    pub error_code: Option<Arc<str>>,
    /// What was metered.
    pub tokens: Tokens,
    /// The caller, `identity.arn`.
    pub identity: Option<Arc<str>>,
    /// The application's own id, from requestMetadata.
    pub own_id: Option<Arc<str>>,
    /// The region that ran the model, when it was routed.
    pub inference_region: Option<Arc<str>>,
    /// Seconds from start to last token, where a body tells it.
    pub latency_seconds: Option<f64>,
    /// Seconds from start to first byte, where a stream's body tells it.
    pub first_byte_seconds: Option<f64>,
    /// Whether the logged stream holds its last chunk; `None` where there is no stream to tell from.
    pub stream_ended: Option<bool>,
    /// Where the record was read.
    pub log: LogRef,
}

/// Every record of a stretch of the invocation log has been read, but for those that still arrive. Sent after the
/// records themselves; what it says of stretches adds up.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordsRead {
    /// Whose invocation log.
    pub cell: Cell,
    /// Of which model; `None` where the records of all models were read.
    pub model: Option<ModelKey>,
    /// From here on, inclusive.
    pub from: Time,
    /// Up to here, exclusive.
    pub until: Time,
}
