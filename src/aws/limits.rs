//! AWS's own rates per account and region, kept a little below, so that polling never takes the last call.

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// One limiter per API that has a quota worth minding.
#[derive(Debug)]
pub struct Limits {
    filter_log_events: DefaultDirectRateLimiter,
    get_log_events: DefaultDirectRateLimiter,
    get_metric_data: DefaultDirectRateLimiter,
    others: DefaultDirectRateLimiter,
}

const fn per_second(calls: u32) -> Quota {
    match NonZeroU32::new(calls) {
        // A burst of one: AWS counts in windows of its own, so bursts at the border of two would exceed it.
        Some(calls) => Quota::per_second(calls).allow_burst(NonZeroU32::MIN),
        None => Quota::per_second(NonZeroU32::MIN),
    }
}

impl Default for Limits {
    /// FilterLogEvents 5 (the hard quota), GetLogEvents 10 (the lowest region's), GetMetricData 25 of 50, all
    /// others 10 of 25 calls a second (CloudWatch and CloudWatch Logs quotas).
    fn default() -> Self {
        Self {
            filter_log_events: RateLimiter::direct(per_second(5)),
            get_log_events: RateLimiter::direct(per_second(10)),
            get_metric_data: RateLimiter::direct(per_second(25)),
            others: RateLimiter::direct(per_second(10)),
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
