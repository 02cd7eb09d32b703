//! AWS's own rates per account and region, kept below, so that polling never takes the last call.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::{Access, queue::Queue};

/// Spaces calls out; all of an account and region wait in one line.
type RateLimiterOfOne = DefaultDirectRateLimiter;

/// GetMetricData may return so many datapoints a second: half of the 180,000 that AWS allows for the last three hours,
/// because dashboards and alarms of the account read too.
const DATAPOINTS_A_SECOND: u32 = 90_000;

/// One limiter per API that has a quota worth minding.
#[derive(Debug)]
pub struct Limits {
    filter_log_events: Queue,
    get_log_events: Queue,
    get_metric_data: RateLimiterOfOne,
    list_metrics: RateLimiterOfOne,
    datapoints: RateLimiterOfOne,
    others: Queue,
}

/// A tenth slower than so many a second, and never two at once: AWS counts in windows of its own, calls take longer or
/// shorter to arrive, and a sixth call in a fifth's window costs a retry.
fn period(calls: u32) -> Duration {
    Duration::from_millis(1_100) / calls.max(1)
}

fn spaced_out(calls: u32) -> Quota {
    let quota = Quota::with_period(period(calls)).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
    quota.allow_burst(NonZeroU32::MIN)
}

fn datapoints() -> Quota {
    Quota::per_second(NonZeroU32::new(DATAPOINTS_A_SECOND).unwrap_or(NonZeroU32::MIN))
}

impl Default for Limits {
    /// FilterLogEvents 5 (the hard quota), GetLogEvents 10 (the lowest region's), GetMetricData 25 of 50, ListMetrics
    /// 12 of 25, all others 10 calls a second (CloudWatch and CloudWatch Logs quotas).
    fn default() -> Self {
        let limiter = |calls| RateLimiter::direct(spaced_out(calls));
        Self {
            filter_log_events: Queue::new(period(5)),
            get_log_events: Queue::new(period(10)),
            get_metric_data: limiter(25),
            list_metrics: limiter(12),
            datapoints: RateLimiter::direct(datapoints()),
            others: Queue::new(period(10)),
        }
    }
}

impl Limits {
    /// Waits until one more call of `api` is allowed.
    pub async fn ready(&self, api: &str) {
        match api {
            "FilterLogEvents" => self.filter_log_events.ready().await,
            "GetLogEvents" => self.get_log_events.ready().await,
            "GetMetricData" => self.get_metric_data.until_ready().await,
            "ListMetrics" => self.list_metrics.until_ready().await,
            _ => self.others.ready().await,
        }
    }

    /// Waits until CloudWatch may return so many datapoints more.
    pub async fn datapoints(&self, count: usize) {
        let mut left = u32::try_from(count).unwrap_or(u32::MAX);
        while let Some(some) = NonZeroU32::new(left.min(DATAPOINTS_A_SECOND)) {
            // Never more at once than a second's worth, so that it cannot be refused.
            if self.datapoints.until_n_ready(some).await.is_err() {
                return;
            }
            left -= some.get();
        }
    }
}

/// The limits of every account and region that is asked: whoever asks the same one waits in the same line.
#[derive(Debug, Clone, Default)]
pub(super) struct AllLimits(Arc<Mutex<HashMap<Place, Arc<Limits>>>>);

/// The account (empty for that of the ambient credentials), the region and the endpoint.
type Place = (String, String, Option<String>);

impl AllLimits {
    pub(super) fn of(&self, access: &Access, region: &str) -> Arc<Limits> {
        // arn:aws:iam::ACCOUNT:role/NAME
        let account = access.role_arn.as_deref().and_then(|arn| arn.split(':').nth(4)).unwrap_or_default();
        let place = (account.to_owned(), region.to_owned(), access.endpoint_url.clone());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(place).or_default())
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    /// How much of it passes within `seconds`, asked as often as can be.
    fn within(quota: Quota, each: u32, seconds: u64) -> u64 {
        let clock = FakeRelativeClock::default();
        let limiter = RateLimiter::direct_with_clock(quota, clock.clone());
        let each = NonZeroU32::new(each).unwrap_or(NonZeroU32::MIN);
        let mut passed = 0;
        for _ in 0..seconds * 1000 {
            while matches!(limiter.check_n(each), Ok(Ok(()))) {
                passed += u64::from(each.get());
            }
            clock.advance(Duration::from_millis(1));
        }
        passed
    }

    #[test]
    fn calls_stay_below_the_rate_in_any_second() {
        for (calls, quota) in [(5, 5), (25, 50), (12, 25)] {
            let first = within(spaced_out(calls), 1, 1);
            assert!((u64::from(calls) - 2..=u64::from(calls)).contains(&first), "{first} of {calls}");
            assert!(within(spaced_out(calls), 1, 60) < 60 * quota);
        }
    }

    #[test]
    fn datapoints_stay_below_what_cloudwatch_allows_in_any_second() {
        // A full bucket and a second's filling come to AWS's own quota, and never to more.
        let first = within(datapoints(), 10_000, 1);
        assert!((90_000..=180_000).contains(&first), "{first}");
        assert!(within(datapoints(), 10_000, 60) <= 61 * 90_000);
    }

    #[test]
    fn whoever_asks_the_same_account_and_region_shares_its_limits() {
        let all = AllLimits::default();
        let role = |account: &str, name: &str| Access {
            role_arn: Some(format!("arn:aws:iam::{account}:role/{name}")),
            ..Access::default()
        };
        let one = all.of(&role("111122223333", "faultline"), "us-east-1");
        assert!(Arc::ptr_eq(&one, &all.of(&role("111122223333", "logs"), "us-east-1")), "another role, same account");
        assert!(!Arc::ptr_eq(&one, &all.of(&role("111122223333", "faultline"), "eu-west-1")));
        assert!(!Arc::ptr_eq(&one, &all.of(&role("444455556666", "faultline"), "us-east-1")));
        assert!(!Arc::ptr_eq(&one, &all.of(&Access::default(), "us-east-1")));
    }
}
