//! Bedrock's users, simulated: a fleet of applications with queues, retries, timeouts and SDK-true log text, and the
//! truth about every request.
//!
//! Pure and deterministic from a seed: no runtime, no AWS, no clock. The daemon's `simulate` puts an AWS in front of it.

pub mod evaluate;
pub mod fleet;
pub mod worlds;

use std::sync::Arc;

use faultline_core::model::Time;

/// One thing the fleet makes AWS hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Emission {
    /// A log event of an application or of the model invocation log.
    Log {
        /// Log group.
        group: Arc<str>,
        /// Log stream.
        stream: Arc<str>,
        /// The event's timestamp.
        at: Time,
        /// When CloudWatch Logs begins to return it.
        visible_at: Time,
        /// The event's message.
        message: String,
    },
    /// One sample of a metric in namespace `AWS/Bedrock`.
    Sample {
        /// CloudWatch's name of the metric.
        metric: &'static str,
        /// Its dimensions, in CloudWatch's order; `[("ModelId", …)]` or none.
        dimensions: Arc<[(&'static str, Arc<str>)]>,
        /// When it happened: its minute is this, floored.
        at: Time,
        /// CloudWatch's unit: milliseconds, tokens or 1.
        value: f64,
        /// When GetMetricData begins to count it: minutes grow as their samples become visible.
        visible_at: Time,
    },
}
