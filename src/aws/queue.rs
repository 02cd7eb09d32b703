//! Calls in the order they are asked for, spaced out.

use std::time::Duration;

use tokio::time::Instant;

/// First come, first served: a log group with a day to catch up on takes its turn after every other group that waits,
/// page by page. (A rate limiter whose waiters race for the next slot starves some of them under load.)
#[derive(Debug)]
pub(super) struct Queue {
    period: Duration,
    /// When the next call may be made. The lock is fair, and is held by the one whose turn is next.
    next: tokio::sync::Mutex<Option<Instant>>,
}

impl Queue {
    pub(super) fn new(period: Duration) -> Self {
        Self { period, next: tokio::sync::Mutex::new(None) }
    }

    pub(super) async fn ready(&self) {
        let mut next = self.next.lock().await;
        if let Some(at) = *next {
            tokio::time::sleep_until(at).await;
        }
        *next = Some(Instant::now() + self.period);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_are_made_in_the_order_they_were_asked_for_and_never_above_the_rate() {
        let queue = Arc::new(Queue::new(Duration::from_millis(220)));
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
}
