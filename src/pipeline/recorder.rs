//! The one place where observations become findings and findings become durable.
//!
//! One blocking thread owns every cell's correlator and the ledger: batches come in, what they lead to and the
//! cursors they carry go into the ledger in one transaction, and only then is the new state published. Where the
//! ledger refuses, nothing is dropped: what is to be written waits, is tried again, and when too much waits the
//! channel fills and the sources stand still, cursors and all.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use faultline_core::{
    correlate::{CellSummary, Correlator, Settings},
    model::{Cell, Finding, Observation},
    price::PriceTable,
};
use tokio::{sync::mpsc, time::timeout};
use tracing::{error, info, warn};

use super::{batch::Batch, health::Health, status::StatusBoard};
use crate::{
    clock::Clock,
    export::Exporter,
    ledger::{Change, Ledger},
};

/// How often time alone is let to conclude something.
const TICK: Duration = Duration::from_secs(1);
/// The most batches taken into one transaction.
const BATCHES_A_COMMIT: usize = 64;
/// From so many rows waiting for the ledger on, nothing more is taken in.
const MOST_WAITING: usize = 200_000;

/// Owns the correlators and the ledger.
#[derive(Debug)]
pub struct Recorder {
    /// The time.
    pub clock: Clock,
    /// How correlators are set up.
    pub settings: Settings,
    /// What tokens cost.
    pub prices: Arc<PriceTable>,
    /// The durable store.
    pub ledger: Ledger,
    /// How the sources are doing, which the ledger keeps a history of.
    pub board: StatusBoard,
    /// Where the new state is published.
    pub exporter: Exporter,
    /// Sources whose first pass is not over yet; at 0 the daemon is ready.
    pub first_passes: Arc<AtomicUsize>,
    /// Told of each finding when it is first in the ledger.
    pub on_finding: Option<mpsc::UnboundedSender<Finding>>,
}

impl Recorder {
    /// Runs until every source is gone and what they sent is in the ledger, or the ledger refuses it for good.
    /// Blocks: call it on a thread of its own, inside the runtime.
    pub fn run(self, batches: mpsc::Receiver<Batch>) {
        let mut running = Running {
            recorder: self,
            correlators: BTreeMap::new(),
            change: Change::default(),
            health: Health::default(),
            over: 0,
        };
        running.run(batches);
    }
}

struct Running {
    recorder: Recorder,
    correlators: BTreeMap<Cell, Correlator>,
    /// What is not yet in the ledger.
    change: Change,
    health: Health,
    /// First passes whose observations are not yet in the ledger.
    over: usize,
}

impl Running {
    fn run(&mut self, mut batches: mpsc::Receiver<Batch>) {
        let runtime = tokio::runtime::Handle::current();
        let mut open = true;
        while open {
            if self.change.len() < MOST_WAITING {
                match runtime.block_on(async { timeout(TICK, batches.recv()).await }) {
                    Ok(Some(batch)) => {
                        self.take(batch);
                        for _ in 1..BATCHES_A_COMMIT {
                            let Ok(batch) = batches.try_recv() else { break };
                            self.take(batch);
                        }
                    }
                    Ok(None) => open = false,
                    Err(_elapsed) => {}
                }
            } else {
                runtime.block_on(tokio::time::sleep(TICK));
            }
            self.conclude();
            self.commit();
        }
        if self.change.is_empty() {
            info!("everything observed is in the ledger");
        } else {
            warn!(rows = self.change.len(), "not in the ledger; it is read again at the next start");
        }
    }

    fn take(&mut self, batch: Batch) {
        self.over += usize::from(batch.first_pass_over);
        let Some(cell) = batch.cell else { return };
        let recorder = &self.recorder;
        let correlator = self
            .correlators
            .entry(cell.clone())
            .or_insert_with(|| Correlator::new(cell, recorder.settings.clone(), Arc::clone(&recorder.prices)));
        for observation in batch.observations {
            correlator.observe(&observation);
            match observation {
                Observation::Failure(failure) => self.change.failures.push(failure),
                Observation::Metric(point) => self.change.points.push(point),
                Observation::Record(_) | Observation::RecordsRead(_) | Observation::Success(_) => {}
            }
        }
        self.change.cursors.extend(batch.cursors);
    }

    fn conclude(&mut self) {
        let now = self.recorder.clock.now();
        for correlator in self.correlators.values_mut() {
            let advance = correlator.advance(now);
            self.change.findings.extend(advance.findings);
            self.change.incidents.extend(advance.incidents);
            self.change.concluded.extend(advance.concluded);
        }
        self.change.sources.extend(self.health.news(&self.recorder.board, now));
    }

    fn commit(&mut self) {
        let recorder = &mut self.recorder;
        if !self.change.is_empty() {
            if let Err(error) = recorder.ledger.commit(&self.change) {
                recorder.exporter.ledger_failed();
                error!(%error, rows = self.change.len(), "ledger refused; cursors stand still and it is tried again");
                return;
            }
            let written = std::mem::take(&mut self.change);
            if let Some(on_finding) = &recorder.on_finding {
                for finding in written.findings {
                    // Nobody listening is fine: the ledger has it.
                    drop(on_finding.send(finding));
                }
            }
        }
        let over = std::mem::take(&mut self.over);
        let now = recorder.clock.now();
        let summaries: Vec<CellSummary> = self.correlators.values().map(|correlator| correlator.summary(now)).collect();
        recorder.exporter.publish(summaries, recorder.ledger.counters());
        // Saturating: a source whose account was not known at first says it a second time.
        let fewer = |left: usize| (over > 0 && left > 0).then(|| left.saturating_sub(over));
        if let Ok(left) = recorder.first_passes.fetch_update(Ordering::AcqRel, Ordering::Acquire, fewer)
            && left <= over
        {
            info!("ready: every source has been read once");
        }
    }
}
