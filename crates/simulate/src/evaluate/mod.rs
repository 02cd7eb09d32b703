//! How well the correlator does: it is run over worlds of many kinds, and what it says is held against their truth.
//!
//! Nothing of the daemon takes part: observations go straight into the correlator, which is the same as the daemon's.

mod play;
mod report;
mod score;
mod sums;
mod text;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use faultline_core::price::PriceTable;

pub use self::report::{Confusion, Incidents, Interval, MetricsSide, Named, OneWorld, Rate, Reliability, Report};
use self::score::Score;
use crate::worlds::{Scenario, World};

/// The request rates of the table, a minute.
pub const RATES: [f64; 5] = [1.0, 10.0, 60.0, 300.0, 1_000.0];

/// Which worlds to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many worlds a rate.
    pub worlds: u64,
    /// Whether to draw them from the seeds for tuning, instead of those that are held out.
    pub tuning: bool,
    /// Request rates, a minute.
    pub rates: Vec<f64>,
    /// Only this scenario; all in turn otherwise.
    pub scenario: Option<Scenario>,
}

/// Runs the correlator over the worlds, on every core; `done` hears of each world's end.
pub fn evaluate(options: &Options, done: impl Fn(u64) + Sync) -> Report {
    let prices = Arc::new(PriceTable::builtin());
    let worlds: Vec<(f64, u64)> = options
        .rates
        .iter()
        .flat_map(|rate| (0..options.worlds).map(move |n| (*rate, 2 * n + u64::from(!options.tuning))))
        .collect();
    let (next, finished) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let scores = Mutex::new(Vec::with_capacity(worlds.len()));
    let work = || {
        while let Some(&(rate, seed)) = worlds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let world = World::draw(seed, rate, options.scenario.unwrap_or_else(|| Scenario::of_seed(seed)));
            let played = play::play(&world, &prices);
            let score = score::score(&world, &played, &prices);
            if let Ok(mut scores) = scores.lock() {
                scores.push(score);
            }
            done(u64::try_from(finished.fetch_add(1, Ordering::Relaxed)).unwrap_or(u64::MAX) + 1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let mut scores: Vec<Score> = scores.into_inner().unwrap_or_default();
    scores.sort_by(|a, b| a.rpm.total_cmp(&b.rpm).then(a.seed.cmp(&b.seed)));
    Report::of(options, &scores)
}
