//! One way to drive every source: poll, report, wait; back off when AWS refuses; start afresh after a panic.

use std::{future::Future, time::Duration};

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    batch::{Batch, Ended, Outlet},
    status::{Budget, SourceState, StatusHandle},
};
use crate::{aws::CallError, clock::Clock};
use faultline_core::model::Time;

/// The longest wait between two tries of a source that fails.
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// What one pass over a source's data came to.
#[derive(Debug, Clone)]
pub struct Pass {
    /// `Ok`, or why not quite.
    pub state: SourceState,
    /// One sentence, when not quite.
    pub detail: String,
    /// The newest data seen in this pass.
    pub newest_data: Option<Time>,
    /// The least time from this pass to the next, where a budget asks for more than the driver's own.
    pub at_least: Duration,
    /// There is more to read already: the source is polled again at once, and its first pass is not over yet.
    pub unfinished: bool,
    /// Log events that were seen to have arrived later than the overlap.
    pub missed_events: u64,
    /// How old a minute is when it is taken as final, where that means something.
    pub settle: Option<chrono::Duration>,
    /// What its calls may cost, where they cost something.
    pub budget: Option<Budget>,
}

impl Pass {
    /// A pass in this state.
    pub const fn new(state: SourceState, detail: String, newest_data: Option<Time>) -> Self {
        Self {
            state,
            detail,
            newest_data,
            at_least: Duration::ZERO,
            unfinished: false,
            missed_events: 0,
            settle: None,
            budget: None,
        }
    }
}

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// AWS refused or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The daemon is ending.
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// Something that is polled.
pub trait Source: Send + 'static {
    /// Reads what is new and sends it on. Whatever it sends may be sent again: everything behind it is idempotent.
    fn poll(&mut self) -> impl Future<Output = Result<Pass, PassError>> + Send;
}

/// What driving a source takes, besides the source.
#[derive(Debug, Clone)]
pub struct Driver {
    /// From the start of one poll to the start of the next.
    pub every: Duration,
    /// Where its health is reported.
    pub status: StatusHandle,
    /// Where its batches go.
    pub outlet: Outlet,
    /// Ends it.
    pub stop: CancellationToken,
    /// The time.
    pub clock: Clock,
}

impl Driver {
    /// Polls until stopped. `make` builds the source, again after every panic: what it knew is read again.
    pub async fn run<S: Source>(self, make: impl Fn() -> S) {
        let mut panics = 0_u32;
        let mut first_pass_over = false;
        loop {
            let polling = tokio::spawn(self.clone().poll_until_stopped(make(), first_pass_over));
            match polling.await {
                Ok(()) => return,
                Err(error) => {
                    warn!(%error, "source panicked");
                    self.fail("the source stopped unexpectedly: this is a bug worth reporting; it starts again");
                }
            }
            // A source that panics in its first pass must not keep the daemon from getting ready.
            first_pass_over = self.say_first_pass_over(first_pass_over).await.is_ok();
            let delay = backoff(Duration::from_secs(1), panics);
            panics = panics.saturating_add(1);
            if !self.sleep(delay).await {
                return;
            }
        }
    }

    async fn poll_until_stopped<S: Source>(self, mut source: S, mut first_pass_over: bool) {
        let mut failures = 0_u32;
        loop {
            let started = tokio::time::Instant::now();
            let polled = tokio::select! {
                () = self.stop.cancelled() => return,
                polled = source.poll() => polled,
            };
            let mut unfinished = false;
            let wait = match polled {
                Ok(pass) => {
                    failures = 0;
                    self.report(&pass);
                    unfinished = pass.unfinished;
                    let every = if unfinished { Duration::ZERO } else { self.every.max(pass.at_least) };
                    every.saturating_sub(started.elapsed())
                }
                Err(PassError::Ended(Ended)) => return,
                Err(PassError::Call(error)) => {
                    let wait = backoff(self.every, failures);
                    failures = failures.saturating_add(1);
                    self.report_failure(&error, wait);
                    wait
                }
            };
            if !unfinished {
                if self.say_first_pass_over(first_pass_over).await.is_err() {
                    return;
                }
                first_pass_over = true;
            }
            if !self.sleep(wait).await {
                return;
            }
        }
    }

    async fn say_first_pass_over(&self, already: bool) -> Result<(), Ended> {
        if already {
            return Ok(());
        }
        self.outlet.send(Batch { first_pass_over: true, ..Batch::default() }).await
    }

    /// False when the daemon is to end.
    async fn sleep(&self, wait: Duration) -> bool {
        let next = self.clock.now() + chrono::Duration::from_std(wait).unwrap_or_default();
        self.status.update(|status| status.next_poll = Some(next));
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = tokio::time::sleep(wait) => true,
        }
    }

    fn report(&self, pass: &Pass) {
        let now = self.clock.now();
        let mut was = SourceState::Starting;
        self.status.update(|status| {
            was = status.state;
            status.state = pass.state;
            status.detail.clone_from(&pass.detail);
            status.last_success = Some(now);
            status.newest_data = status.newest_data.max(pass.newest_data);
            status.missed_events += pass.missed_events;
            let settle = pass.settle.and_then(|settle| settle.to_std().ok());
            status.settle_seconds = settle.map(|settle| settle.as_secs_f64()).or(status.settle_seconds);
            status.budget = pass.budget.or(status.budget);
        });
        if was != pass.state {
            let status = self.status.get();
            info!(cell = %status.cell, source = status.kind.as_str(), state = ?pass.state, detail = %pass.detail, "source state changed");
        }
    }

    fn report_failure(&self, error: &CallError, retry_in: Duration) {
        self.status.update(|status| {
            status.state = error.state;
            status.detail.clone_from(&error.detail);
        });
        let status = self.status.get();
        warn!(cell = %status.cell, source = status.kind.as_str(), ?retry_in, error = %error.detail, "poll failed");
    }

    fn fail(&self, detail: &str) {
        self.status.update(|status| {
            status.state = SourceState::Failed;
            detail.clone_into(&mut status.detail);
            status.restarts += 1;
        });
    }
}

/// Doubles from `base`, up to five minutes, with up to a quarter of jitter so that cells that failed
/// together do not come back together.
pub fn backoff(base: Duration, failures: u32) -> Duration {
    let doubled = base.max(Duration::from_secs(1)).saturating_mul(1_u32.checked_shl(failures.min(16)).unwrap_or(1));
    let capped = doubled.min(LONGEST_BACKOFF.max(base));
    capped.mul_f64(1.0 - 0.25 * rand::random::<f64>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use faultline_core::model::Cell;

    use super::*;
    use crate::pipeline::status::{SourceKind, StatusBoard};

    struct Scripted<F>(F);
    impl<F: FnMut() -> Result<Pass, PassError> + Send + 'static> Source for Scripted<F> {
        async fn poll(&mut self) -> Result<Pass, PassError> {
            (self.0)()
        }
    }

    fn driver(stop: &CancellationToken) -> (Driver, tokio::sync::mpsc::Receiver<Batch>) {
        let (outlet, batches) = Outlet::channel(8);
        let status = StatusBoard::default().add(Cell::new("111122223333", "us-east-1"), SourceKind::Logs);
        let driver =
            Driver { every: Duration::from_secs(15), status, outlet, stop: stop.clone(), clock: Clock::system() };
        (driver, batches)
    }

    fn fine() -> Pass {
        Pass::new(SourceState::Ok, String::new(), None)
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_panics_is_built_again_and_polled_on() {
        let stop = CancellationToken::new();
        let (driver, mut batches) = driver(&stop);
        let status = driver.status.clone();
        let polls = Arc::new(AtomicU32::new(0));
        let run = tokio::spawn(driver.run(move || {
            let polls = Arc::clone(&polls);
            Scripted(move || match polls.fetch_add(1, Ordering::Relaxed) {
                0 => panic!("a bug"),
                _ => Ok(fine()),
            })
        }));
        assert!(batches.recv().await.unwrap().first_pass_over, "readiness must not hang on a panic");
        while status.get().state != SourceState::Ok {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(status.get().restarts, 1);
        stop.cancel();
        run.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_shows_its_state_and_a_later_success_clears_it() {
        let stop = CancellationToken::new();
        let (driver, mut batches) = driver(&stop);
        let status = driver.status.clone();
        let polls = Arc::new(AtomicU32::new(0));
        let run = tokio::spawn(driver.run(move || {
            let polls = Arc::clone(&polls);
            Scripted(move || match polls.fetch_add(1, Ordering::Relaxed) {
                0 => Err(PassError::Call(CallError { state: SourceState::AccessDenied, detail: "denied".into() })),
                _ => Ok(fine()),
            })
        }));
        batches.recv().await.unwrap();
        assert_eq!(status.get().state, SourceState::AccessDenied);
        assert_eq!(status.get().last_success, None);
        while status.get().state != SourceState::Ok {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(status.get().detail, "");
        assert_eq!(status.get().restarts, 0, "a refusal is not a restart");
        stop.cancel();
        run.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_can_ask_for_more_time_before_the_next() {
        let stop = CancellationToken::new();
        let (driver, _batches) = driver(&stop);
        let polled: Arc<std::sync::Mutex<Vec<tokio::time::Instant>>> = Arc::default();
        let (seen, stopping) = (Arc::clone(&polled), stop.clone());
        let run = tokio::spawn(driver.run(move || {
            let (polled, stop) = (Arc::clone(&polled), stopping.clone());
            Scripted(move || {
                let mut polled = polled.lock().unwrap();
                polled.push(tokio::time::Instant::now());
                if polled.len() == 3 {
                    stop.cancel();
                }
                Ok(Pass { at_least: Duration::from_secs(if polled.len() == 1 { 100 } else { 1 }), ..fine() })
            })
        }));
        run.await.unwrap();
        let polled = seen.lock().unwrap();
        assert_eq!(polled[1] - polled[0], Duration::from_secs(100));
        assert_eq!(polled[2] - polled[1], Duration::from_secs(15), "never sooner than the driver polls");
    }

    #[test]
    fn backoff_grows_to_its_cap_and_never_beyond() {
        let base = Duration::from_secs(15);
        assert!(backoff(base, 0) <= base);
        assert!(backoff(base, 2) >= Duration::from_secs(45));
        for failures in [5, 16, 40, u32::MAX] {
            assert!(backoff(base, failures) <= LONGEST_BACKOFF);
            assert!(backoff(base, failures) >= LONGEST_BACKOFF.mul_f64(0.75));
        }
    }
}
