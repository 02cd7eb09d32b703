//! What really happened, attempt by attempt: what no log and no metric tells in full.
//!
//! Only `faultline evaluate` and tests may read it.

use std::sync::Arc;

use faultline_core::model::{Cause, FailureKind, Operation, Time, Tokens};

/// The truth about one attempt of one call.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestTruth {
    /// Bedrock's request id; an attempt that never reached AWS has one that nothing else names.
    pub request_id: Arc<str>,
    /// The application that called.
    pub application: Arc<str>,
    /// The model as called: a model id, an inference-profile id or an ARN.
    pub model_id: Arc<str>,
    /// The operation called.
    pub operation: Operation,
    /// When the attempt began.
    pub started_at: Time,
    /// When AWS was done with it; for an attempt that never arrived, when the client gave up.
    pub ended_at: Time,
    /// When the client had its answer, or its failure.
    pub left_at: Time,
    /// What AWS metered; nothing where it metered nothing.
    pub tokens: Tokens,
    /// Whether AWS metered it: token samples, and tokens in its record.
    pub metered: bool,
    /// Whether the account pays for it.
    pub billed: bool,
    /// Whether the client did not get this attempt's answer in full, even if a later attempt got one.
    pub failed: bool,
    /// How this attempt failed for its client.
    pub kind: Option<FailureKind>,
    /// Why it failed.
    pub cause: Option<Cause>,
    /// The next attempt's request id, when this was an earlier attempt of a call: the sense of `Finding::retry_of`.
    pub retry_of: Option<Arc<str>>,
    /// Whether the request reached AWS.
    pub reached_aws: bool,
    /// The errorCode of the invocation record, where it has one.
    pub error_code: Option<&'static str>,
    /// Whether a record of it is (or will be) in the invocation log; false when it was lost on the way.
    pub has_record: bool,
    /// When the client's log tells of the failure; only a call's last attempt is ever logged.
    pub logged_at: Option<Time>,
    /// Whether that log text names the request id.
    pub id_in_text: bool,
    /// Whether the client's log tells of the call's failure with an id of its own, which this attempt's record has too.
    pub own_id_told: bool,
}

impl RequestTruth {
    /// What the product looks for: paid for, and of no use to its client.
    pub const fn billed_but_failed(&self) -> bool {
        self.billed && self.failed
    }

    /// Whether that can be known for certain: the record says both, or the client's log names the record.
    pub const fn can_be_confirmed(&self) -> bool {
        let named = self.id_in_text || self.own_id_told;
        self.billed_but_failed() && self.has_record && (self.error_code.is_some() || named)
    }
}
