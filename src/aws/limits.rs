//! AWS's own rates per account and region, kept a little below, so that polling never takes the last call.

use std::{num::NonZeroU32, time::Duration};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// Spaces calls out; all of an account and region wait in one line.
type RateLimiterOfOne = DefaultDirectRateLimiter;

/// One limiter per API that has a quota worth minding.
#[derive(Debug)]
pub struct Limits {
    filter_log_events: RateLimiterOfOne,
    get_log_events: RateLimiterOfOne,
    get_metric_data: RateLimiterOfOne,
    others: RateLimiterOfOne,
}

/// A tenth slower than AWS allows, and never two at once: AWS counts in windows of its own, calls take longer or
/// shorter to arrive, and a sixth call in a fifth's window costs a retry.
fn per_second(calls: u32) -> RateLimiterOfOne {
    let period = Duration::from_millis(1_100) / calls.max(1);
    let quota = Quota::with_period(period).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
    RateLimiter::direct(quota.allow_burst(NonZeroU32::MIN))
}

impl Default for Limits {
    /// FilterLogEvents 5 (the hard quota), GetLogEvents 10 (the lowest region's), GetMetricData 25 of 50, all
    /// others 10 of 25 calls a second (CloudWatch and CloudWatch Logs quotas).
    fn default() -> Self {
        Self {
            filter_log_events: per_second(5),
            get_log_events: per_second(10),
            get_metric_data: per_second(25),
            others: per_second(10),
        }
    }
}

impl Limits {
    /// Waits until one more call of `api` is allowed.
    pub async fn ready(&self, api: &str) {
        match api {
            "FilterLogEvents" => &self.filter_log_events,
            "GetLogEvents" => &self.get_log_events,
            "GetMetricData" => &self.get_metric_data,
            _ => &self.others,
        }
        .until_ready()
        .await;
    }
}
