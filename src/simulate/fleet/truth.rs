//! What really happened, which nothing that is tested may look at.

use faultline_core::model::{Cause, FailureKind, Time, Tokens};

/// How one attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// How it failed for its client, if it did.
    pub failure: Option<FailureKind>,
    /// Why.
    pub cause: Option<Cause>,
    /// Whether AWS answered with an error.
    pub aws_error: Option<u16>,
    /// Whether its tokens were metered, and so billed.
    pub metered: bool,
}

/// One attempt of one call.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestTruth {
    /// Bedrock's request id.
    pub request_id: String,
    /// The application.
    pub application: &'static str,
    /// The model as it was called.
    pub model_id: &'static str,
    /// When the attempt began.
    pub start: Time,
    /// When its client knew how it ended.
    pub end: Time,
    /// What it used, metered or not.
    pub tokens: Tokens,
    /// How it ended.
    pub verdict: Verdict,
    /// Whether the call failed as a whole: its last attempt did.
    pub call_failed: bool,
    /// The request id of the attempt that followed.
    pub retry_of: Option<String>,
    /// Whether its record was lost on the way to the invocation log.
    pub record_lost: bool,
}
