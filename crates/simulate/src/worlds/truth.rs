//! What really happened in a world.

use std::sync::Arc;

use faultline_core::model::{Cause, FailureKind, LogRef, ModelKey, Scope, Time, Tokens};

/// The truth about one attempt of one call.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestTruth {
    /// Bedrock's request id; an attempt that never reached AWS has one that nothing else names.
    pub request_id: Arc<str>,
    /// Which call it belongs to; attempts of one call follow one another.
    pub call: usize,
    /// Index of the application.
    pub application: usize,
    /// The model called.
    pub model: ModelKey,
    /// When the attempt began.
    pub started_at: Time,
    /// When AWS was done with it.
    pub ended_at: Time,
    /// What AWS metered; nothing where it metered nothing.
    pub tokens: Tokens,
    /// Whether the account pays for it.
    pub billed: bool,
    /// Whether the client did not get this attempt's answer in full, even if a later attempt got one.
    pub failed: bool,
    /// How this attempt failed for its client.
    pub kind: Option<FailureKind>,
    /// Why it failed.
    pub cause: Option<Cause>,
    /// Whether a record of it is in the invocation log.
    pub has_record: bool,
    /// Whether that record carries an errorCode.
    pub has_error_code: bool,
    /// The client's log line that tells of this attempt: only a call's last attempt has one.
    pub line: Option<LogRef>,
    /// The next attempt's request id, when this was an earlier attempt of a call.
    pub retry_of: Option<Arc<str>>,
    /// Whether its call failed in the end.
    pub call_failed: bool,
    /// Whether an id joins record and failure, or the record itself tells of error and tokens.
    pub joinable: bool,
}

impl RequestTruth {
    /// What the product looks for: paid for, and of no use to its client.
    pub const fn billed_but_failed(&self) -> bool {
        self.billed && self.failed
    }

    /// An earlier attempt of its call.
    pub const fn is_hidden(&self) -> bool {
        self.retry_of.is_some()
    }
}

/// An incident that was put into a world.
#[derive(Debug, Clone, PartialEq)]
pub struct TrueIncident {
    /// Whose Bedrock.
    pub scope: Scope,
    /// When it began.
    pub from: Time,
    /// When it was over.
    pub until: Time,
    /// What an engineer would call the cause; none for a slow-down that nobody gave up on.
    pub cause: Option<Cause>,
    /// Whether the load was well below the usual.
    pub low_load: bool,
    /// Attempts in it that failed for `cause`, seen by a client's log or by AWS: what there is to notice.
    pub failures: u64,
}
