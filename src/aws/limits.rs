//! AWS's own rates per account and region, kept a little below, so that polling never takes the last call.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;

use super::Access;

/// Spaces calls out.
type RateLimiterOfOne = DefaultDirectRateLimiter;

/// One limiter per API that has a quota worth minding.
#[derive(Debug)]
pub struct Limits {
    filter_log_events: Queue,
    get_log_events: Queue,
    get_metric_data: RateLimiterOfOne,
    others: Queue,
}

/// A tenth slower than AWS allows, and never two at once: AWS counts in windows of its own, calls take longer or
/// shorter to arrive, and a sixth call in a fifth's window costs a retry.
fn period(calls: u32) -> Duration {
    Duration::from_millis(1_100) / calls.max(1)
}

fn per_second(calls: u32) -> RateLimiterOfOne {
    let quota = Quota::with_period(period(calls)).unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN));
    RateLimiter::direct(quota.allow_burst(NonZeroU32::MIN))
}

impl Default for Limits {
    /// FilterLogEvents 5 (the hard quota), GetLogEvents 10 (the lowest region's), GetMetricData 25 of 50, all
    /// others 10 of 25 calls a second (CloudWatch and CloudWatch Logs quotas).
    fn default() -> Self {
        Self {
            filter_log_events: Queue::per_second(5),
            get_log_events: Queue::per_second(10),
            get_metric_data: per_second(25),
            others: Queue::per_second(10),
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
            _ => self.others.ready().await,
        }
    }
}

/// First come, first served: a log group with a day to catch up on takes its turn after every other group that waits,
/// page by page. (A rate limiter whose waiters race for the next slot starves some of them under load.)
#[derive(Debug)]
struct Queue {
    period: Duration,
    /// When the next call may be made. The lock is fair, and is held by the one whose turn is next.
    next: tokio::sync::Mutex<Option<Instant>>,
}

impl Queue {
    fn per_second(calls: u32) -> Self {
        Self { period: period(calls), next: tokio::sync::Mutex::new(None) }
    }

    async fn ready(&self) {
        let mut next = self.next.lock().await;
        if let Some(at) = *next {
            tokio::time::sleep_until(at).await;
        }
        *next = Some(Instant::now() + self.period);
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
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_are_made_in_the_order_they_were_asked_for_and_never_above_the_rate() {
        let queue = Arc::new(Queue::per_second(5));
        let started = Instant::now();
        let calls: Arc<Mutex<Vec<(u32, Duration)>>> = Arc::default();
        let reader = |name: u32, pages: u32| {
            let (queue, calls) = (Arc::clone(&queue), Arc::clone(&calls));
            async move {
                for _ in 0..pages {
                    queue.ready().await;
                    calls.lock().unwrap_or_else(PoisonError::into_inner).push((name, started.elapsed()));
                    // The call itself takes a while.
                    tokio::time::sleep(Duration::from_millis(30)).await;
                }
            }
        };
        // One has much to read, two have little.
        tokio::join!(reader(0, 20), reader(1, 2), reader(2, 2));
        let calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
        let order: Vec<_> = calls.iter().map(|(name, _)| *name).collect();
        assert_eq!(order[..6], [0, 1, 2, 0, 1, 2], "in turn, however much one has to read");
        let gaps: Vec<_> = calls.windows(2).map(|pair| pair[1].1 - pair[0].1).collect();
        assert!(gaps.iter().all(|gap| *gap >= Duration::from_millis(200)), "{gaps:?}");
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
