//! What AWS shows of an attempt: samples of its metrics, and a line of the model invocation log.

use std::sync::Arc;

use chrono::{Duration, SecondsFormat};
use faultline_core::model::{BedrockException, Time};
use rand::{Rng, RngExt};
use serde_json::{Value, json};

use super::{
    Application, FleetPlan,
    plan::{INVOCATION_GROUP, INVOCATION_STREAM},
    request::{Attempt, seconds},
};
use crate::simulate::Emission;

/// One sample in so many is published three times as late as the others.
const STRAGGLERS: f64 = 0.02;

pub(super) fn emit(
    plan: &FleetPlan,
    application: &Application,
    attempt: &Attempt,
    record_lost: bool,
    rng: &mut impl Rng,
    emit: &mut Vec<Emission>,
) {
    metrics(plan, application, attempt, rng, emit);
    delivery(plan, attempt, record_lost, rng, emit);
    let carries_code =
        attempt.verdict.aws_error.is_some() && (!attempt.verdict.metered || rng.random_bool(plan.error_code_share));
    let spoofed = rng.random_bool(0.1);
    let delay = delay(plan.record_delay, rng);
    if !record_lost {
        emit.push(Emission::Log {
            group: INVOCATION_GROUP.into(),
            stream: INVOCATION_STREAM.into(),
            // Bedrock writes the line when it is done.
            at: attempt.aws_end,
            visible_at: attempt.aws_end + delay,
            message: record(plan, application, attempt, carries_code, spoofed).to_string(),
        });
    }
}

fn metrics(
    plan: &FleetPlan,
    application: &Application,
    attempt: &Attempt,
    rng: &mut impl Rng,
    emit: &mut Vec<Emission>,
) {
    let dimensions: Arc<[(&'static str, Arc<str>)]> = Arc::new([("ModelId", application.cloudwatch_model.into())]);
    let straggles = rng.random_bool(STRAGGLERS);
    let delay = delay(plan.metric_delay, rng) * if straggles { 3 } else { 1 };
    let mut sample = |metric, value: f64| {
        emit.push(Emission::Sample {
            metric,
            dimensions: Arc::clone(&dimensions),
            at: attempt.aws_end,
            value,
            visible_at: end_of_minute(attempt.aws_end) + delay,
        });
    };
    #[allow(clippy::cast_precision_loss)] // milliseconds and token counts are far below 2^52
    let milliseconds = |until: Time| (until - attempt.start).num_milliseconds() as f64;
    match attempt.verdict.aws_error {
        Some(429) => return sample("InvocationThrottles", 1.0),
        Some(status) => {
            sample(if status < 500 { "InvocationClientErrors" } else { "InvocationServerErrors" }, 1.0);
            if plan.invocations_count_failed {
                sample("Invocations", 1.0);
            }
        }
        None => {
            sample("Invocations", 1.0);
            sample("InvocationLatency", milliseconds(attempt.aws_end));
            #[allow(clippy::cast_precision_loss)]
            sample("EstimatedTPMQuotaUsage", (attempt.tokens.input + 5 * attempt.tokens.output) as f64);
            if application.operation.is_streaming() {
                sample("TimeToFirstToken", milliseconds(attempt.first_token));
            }
        }
    }
    if attempt.verdict.metered {
        let tokens = attempt.tokens;
        let kinds = [
            ("InputTokenCount", tokens.input),
            ("OutputTokenCount", tokens.output),
            ("CacheReadInputTokens", tokens.cache_read),
        ];
        for (metric, count) in kinds {
            if count > 0 {
                #[allow(clippy::cast_precision_loss)]
                sample(metric, count as f64);
            }
        }
    }
}

/// The log's own delivery metrics have no dimensions.
fn delivery(plan: &FleetPlan, attempt: &Attempt, lost: bool, rng: &mut impl Rng, emit: &mut Vec<Emission>) {
    let metric = if lost {
        "ModelInvocationLogsCloudWatchDeliveryFailure"
    } else {
        "ModelInvocationLogsCloudWatchDeliverySuccess"
    };
    let visible_at = end_of_minute(attempt.aws_end) + delay(plan.metric_delay, rng);
    emit.push(Emission::Sample { metric, dimensions: Arc::new([]), at: attempt.aws_end, value: 1.0, visible_at });
}

fn record(plan: &FleetPlan, application: &Application, attempt: &Attempt, carries_code: bool, spoofed: bool) -> Value {
    let prompt = if spoofed { "What does \"inputTokenCount\": 5 mean?" } else { "A synthetic prompt." };
    let mut line = json!({
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": attempt.start.to_rfc3339_opts(SecondsFormat::Secs, true),
        "accountId": plan.account_id,
        "identity": { "arn": application.session_arn(&plan.account_id) },
        "region": plan.region,
        "requestId": attempt.request_id,
        "operation": application.operation.as_str(),
        "modelId": application.model_id,
        "input": { "inputContentType": "application/json" },
        "output": { "outputContentType": "application/json" },
    });
    if attempt.verdict.metered {
        let tokens = attempt.tokens;
        let latency = (attempt.aws_end - attempt.start).num_milliseconds();
        line["input"]["inputBodyJson"] = json!({ "messages": [{ "role": "user", "content": [{ "text": prompt }] }] });
        line["input"]["inputTokenCount"] = tokens.input.into();
        if tokens.cache_read > 0 {
            line["input"]["cacheReadInputTokenCount"] = tokens.cache_read.into();
        }
        line["output"]["outputTokenCount"] = tokens.output.into();
        line["output"]["outputBodyJson"] = if application.operation.is_streaming() {
            json!([{ "type": "message_start" }, { "type": "message_stop",
                "amazon-bedrock-invocationMetrics": { "inputTokenCount": tokens.input, "invocationLatency": latency } }])
        } else {
            json!({ "output": { "message": { "content": [{ "text": "A synthetic answer." }] } }, "metrics": { "latencyMs": latency } })
        };
    }
    if let (Some(status), true) = (attempt.verdict.aws_error, carries_code) {
        let exception = BedrockException::ALL.into_iter().rev().find(|exception| exception.status() == status);
        line["errorCode"] = exception.map(BedrockException::as_str).into();
    }
    if let Some(own_id) = &attempt.own_id {
        line["requestMetadata"] = json!({ "faultline-id": own_id, "team": "billing" });
    }
    line
}

fn end_of_minute(at: Time) -> Time {
    at + Duration::seconds(60 - at.timestamp().rem_euclid(60))
}

pub(super) fn delay((least, most): (f64, f64), rng: &mut impl Rng) -> Duration {
    seconds(least + (most - least) * rng.random::<f64>())
}
