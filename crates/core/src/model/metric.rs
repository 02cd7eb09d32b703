//! CloudWatch's view: minutes of metrics.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Cell, ModelKey, Time};

/// The `AWS/Bedrock` metrics Faultline reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Metric {
    /// Requests; whether only successful ones is decided by calibration.
    Invocations,
    /// Milliseconds from request to last token.
    InvocationLatency,
    /// Milliseconds from request to first token; streaming, successful requests only.
    TimeToFirstToken,
    /// Failures on the client's side.
    InvocationClientErrors,
    /// Failures on AWS's side.
    InvocationServerErrors,
    /// Throttled requests; neither Invocations nor errors.
    InvocationThrottles,
    /// Input tokens; its sample count is taken for the number of requests that metered.
    InputTokenCount,
    /// Output tokens.
    OutputTokenCount,
    /// Tokens read from the cache (CloudWatch: `CacheReadInputTokens` or `CacheReadInputTokenCount`).
    CacheReadInputTokens,
    /// Tokens written to the cache (CloudWatch: `CacheWriteInputTokens` or `CacheWriteInputTokenCount`).
    CacheWriteInputTokens,
    /// Emitted for successful requests only: its sample count is the number of successes.
    EstimatedTPMQuotaUsage,
    /// Invocation log events delivered to CloudWatch Logs.
    ModelInvocationLogsCloudWatchDeliverySuccess,
    /// Invocation log events lost on the way to CloudWatch Logs.
    ModelInvocationLogsCloudWatchDeliveryFailure,
    /// Invocation log events delivered to S3.
    ModelInvocationLogsS3DeliverySuccess,
    /// Invocation log events lost on the way to S3.
    ModelInvocationLogsS3DeliveryFailure,
    /// Large bodies delivered to S3.
    ModelInvocationLargeDataS3DeliverySuccess,
    /// Large bodies lost on the way to S3.
    ModelInvocationLargeDataS3DeliveryFailure,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 17] = [
        Self::Invocations,
        Self::InvocationLatency,
        Self::TimeToFirstToken,
        Self::InvocationClientErrors,
        Self::InvocationServerErrors,
        Self::InvocationThrottles,
        Self::InputTokenCount,
        Self::OutputTokenCount,
        Self::CacheReadInputTokens,
        Self::CacheWriteInputTokens,
        Self::EstimatedTPMQuotaUsage,
        Self::ModelInvocationLogsCloudWatchDeliverySuccess,
        Self::ModelInvocationLogsCloudWatchDeliveryFailure,
        Self::ModelInvocationLogsS3DeliverySuccess,
        Self::ModelInvocationLogsS3DeliveryFailure,
        Self::ModelInvocationLargeDataS3DeliverySuccess,
        Self::ModelInvocationLargeDataS3DeliveryFailure,
    ];

    /// Success and failure of each way in which invocation logs are delivered.
    pub const LOG_DELIVERY: [(Self, Self); 3] = [
        (Self::ModelInvocationLogsCloudWatchDeliverySuccess, Self::ModelInvocationLogsCloudWatchDeliveryFailure),
        (Self::ModelInvocationLogsS3DeliverySuccess, Self::ModelInvocationLogsS3DeliveryFailure),
        (Self::ModelInvocationLargeDataS3DeliverySuccess, Self::ModelInvocationLargeDataS3DeliveryFailure),
    ];

    /// The name as CloudWatch spells it (the first spelling, where it knows two).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invocations => "Invocations",
            Self::InvocationLatency => "InvocationLatency",
            Self::TimeToFirstToken => "TimeToFirstToken",
            Self::InvocationClientErrors => "InvocationClientErrors",
            Self::InvocationServerErrors => "InvocationServerErrors",
            Self::InvocationThrottles => "InvocationThrottles",
            Self::InputTokenCount => "InputTokenCount",
            Self::OutputTokenCount => "OutputTokenCount",
            Self::CacheReadInputTokens => "CacheReadInputTokens",
            Self::CacheWriteInputTokens => "CacheWriteInputTokens",
            Self::EstimatedTPMQuotaUsage => "EstimatedTPMQuotaUsage",
            Self::ModelInvocationLogsCloudWatchDeliverySuccess => "ModelInvocationLogsCloudWatchDeliverySuccess",
            Self::ModelInvocationLogsCloudWatchDeliveryFailure => "ModelInvocationLogsCloudWatchDeliveryFailure",
            Self::ModelInvocationLogsS3DeliverySuccess => "ModelInvocationLogsS3DeliverySuccess",
            Self::ModelInvocationLogsS3DeliveryFailure => "ModelInvocationLogsS3DeliveryFailure",
            Self::ModelInvocationLargeDataS3DeliverySuccess => "ModelInvocationLargeDataS3DeliverySuccess",
            Self::ModelInvocationLargeDataS3DeliveryFailure => "ModelInvocationLargeDataS3DeliveryFailure",
        }
    }

    /// The metric of this CloudWatch name, in either spelling.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "CacheReadInputTokenCount" => Some(Self::CacheReadInputTokens),
            "CacheWriteInputTokenCount" => Some(Self::CacheWriteInputTokens),
            _ => Self::ALL.into_iter().find(|metric| metric.as_str() == name),
        }
    }

    /// Whether it tells how invocation logs are delivered; such metrics are of the cell, not of a model.
    pub fn is_log_delivery(self) -> bool {
        Self::LOG_DELIVERY.iter().any(|(success, failure)| self == *success || self == *failure)
    }

    /// Whether it counts what was lost of the invocation logs.
    pub fn is_log_delivery_failure(self) -> bool {
        Self::LOG_DELIVERY.iter().any(|(_, failure)| self == *failure)
    }

    /// Whether its values are durations, worth percentiles.
    pub const fn is_latency(self) -> bool {
        matches!(self, Self::InvocationLatency | Self::TimeToFirstToken)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The statistics of one minute. Latencies are in seconds (CloudWatch's milliseconds end at the edge).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct MetricStats {
    /// Sum of the samples.
    pub sum: f64,
    /// Number of samples.
    pub sample_count: f64,
    /// Smallest sample, where asked for.
    pub minimum: Option<f64>,
    /// 50th percentile, of latencies.
    pub p50: Option<f64>,
    /// 90th percentile, of latencies.
    pub p90: Option<f64>,
    /// 99th percentile, of latencies.
    pub p99: Option<f64>,
    /// Samples above 60 seconds, of InvocationLatency (CloudWatch's `TC(60000:)`); asked for only where there are errors
    /// or the 99th percentile is that long.
    pub over_60_seconds: Option<f64>,
}

/// One minute of one metric. Its natural key is (cell, model, metric, minute); a later reading replaces an
/// earlier one, larger sums last (CloudWatch revises upward).
#[derive(Debug, Clone, PartialEq)]
pub struct MetricPoint {
    /// Whose Bedrock.
    pub cell: Cell,
    /// The model, or `None` for a series across all models.
    pub model: Option<ModelKey>,
    /// Which metric.
    pub metric: Metric,
    /// The minute's start.
    pub minute: Time,
    /// What it read.
    pub stats: MetricStats,
    /// Whether the minute is old enough to be taken as final.
    pub settled: bool,
}
