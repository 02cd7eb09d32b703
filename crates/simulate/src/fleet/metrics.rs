//! CloudWatch's view of an attempt: the samples AWS takes of it.

use std::sync::Arc;

use faultline_core::model::{BedrockException, Operation};

use super::{chance::number, plan::CountsInvocations, request::Attempt};

/// The dimensions of a series, as [`crate::Emission::Sample`] carries them.
pub(super) type Dimensions = Arc<[(&'static str, Arc<str>)]>;

/// One metric's sample.
pub(crate) type Sample = (&'static str, f64);

/// What AWS measures of an attempt; nothing where it never arrived.
pub(crate) fn samples(attempt: &Attempt, operation: Operation, counts: CountsInvocations, into: &mut Vec<Sample>) {
    if !attempt.reached_aws {
        return;
    }
    match attempt.exception() {
        // Throttled requests count neither as invocations nor as errors.
        Some(BedrockException::ThrottlingException) => into.push(("InvocationThrottles", 1.0)),
        Some(exception) => {
            if counts == CountsInvocations::Accepted {
                into.push(("Invocations", 1.0));
            }
            let server = exception.status() >= 500;
            into.push((if server { "InvocationServerErrors" } else { "InvocationClientErrors" }, 1.0));
        }
        None => {
            into.push(("Invocations", 1.0));
            into.push(("InvocationLatency", (attempt.latency * 1000.0).round()));
            if operation.is_streaming() {
                into.push(("TimeToFirstToken", (attempt.first_token * 1000.0).round()));
            }
            into.push(("EstimatedTPMQuotaUsage", quota_usage(attempt)));
        }
    }
    if attempt.metered {
        let tokens = attempt.tokens;
        into.push(("InputTokenCount", number(tokens.input)));
        into.push(("OutputTokenCount", number(tokens.output)));
        if tokens.cache_read > 0 {
            into.push(("CacheReadInputTokens", number(tokens.cache_read)));
        }
        if tokens.cache_write > 0 {
            into.push(("CacheWriteInputTokens", number(tokens.cache_write)));
        }
    }
}

/// What the tokens-per-minute quota is charged: cache reads are free, output counts fivefold.
fn quota_usage(attempt: &Attempt) -> f64 {
    let tokens = attempt.tokens;
    number(tokens.input + tokens.cache_write + 5 * tokens.output)
}
