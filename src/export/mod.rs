//! What the world sees: `/metrics` for Prometheus, the API, and the page. A scrape renders a snapshot; nothing here
//! changes what it shows.

mod api;
mod collector;
mod families;
mod http;
pub mod metrics;
mod page;
mod report;

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use faultline_core::{correlate::CellSummary, model::Time};

pub use self::http::{router, serve};
use crate::{aws::meter::ApiMeter, clock::Clock, ledger::CounterRow, pipeline::status::StatusBoard};

/// Everything a scrape reads. Clones share it.
#[derive(Debug, Clone)]
pub struct Exporter(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    board: StatusBoard,
    meter: ApiMeter,
    clock: Clock,
    first_passes: Arc<AtomicUsize>,
    monthly_budget_usd: Option<f64>,
    ledger_errors: AtomicU64,
    published: RwLock<Arc<Published>>,
}

/// The recorder's last word.
#[derive(Debug, Default)]
struct Published {
    summaries: Vec<CellSummary>,
    counters: Arc<Vec<CounterRow>>,
}

impl Exporter {
    /// With nothing published yet. `first_passes` is the number of sources still to be read once.
    pub fn new(
        board: StatusBoard,
        meter: ApiMeter,
        clock: Clock,
        first_passes: Arc<AtomicUsize>,
        monthly_budget_usd: Option<f64>,
    ) -> Self {
        Self(Arc::new(Shared {
            board,
            meter,
            clock,
            first_passes,
            monthly_budget_usd,
            ledger_errors: AtomicU64::new(0),
            published: RwLock::default(),
        }))
    }

    /// The state after a commit: the ledger holds what this shows.
    pub fn publish(&self, summaries: Vec<CellSummary>, counters: Arc<Vec<CounterRow>>) {
        let published = Arc::new(Published { summaries, counters });
        *self.0.published.write().unwrap_or_else(PoisonError::into_inner) = published;
    }

    /// A commit was refused.
    pub fn ledger_failed(&self) {
        self.0.ledger_errors.fetch_add(1, Ordering::Relaxed);
    }

    /// The daemon's time.
    fn now(&self) -> Time {
        self.0.clock.now()
    }

    fn published(&self) -> Arc<Published> {
        Arc::clone(&self.0.published.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where the longest correlation window began; `None` before anything was published.
    fn window_start(&self) -> Option<Time> {
        self.published().summaries.iter().map(|cell| cell.at - cell.window).min()
    }

    /// How many sources have not been read once.
    fn sources_unread(&self) -> usize {
        self.0.first_passes.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests;
