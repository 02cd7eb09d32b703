//! An account whose time is Tokio's: tests pause it, and see exactly what is asked when.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;

use chrono::{DateTime, Duration};
use faultline_core::model::{Cell, ClientFailure, InvocationRecord, Observation, RecordsRead, Time};
use tokio::{sync::mpsc, time::Instant};

use super::SourceContext;
use crate::{
    aws::{Access, RegionClients},
    clock::Clock,
    pipeline::batch::{Batch, CursorKey, Outlet},
    simulate::{
        Emission,
        server::{Aws, direct},
    },
};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "us-east-1";

/// When every test's world begins.
pub(crate) fn at(second: f64) -> Time {
    let start = DateTime::from_timestamp(1_780_000_020, 0).unwrap();
    #[allow(clippy::cast_possible_truncation)]
    let milliseconds = (second * 1000.0).round() as i64;
    start + Duration::milliseconds(milliseconds)
}

pub(crate) struct TestWorld {
    pub(crate) aws: Arc<Aws>,
    pub(crate) clock: Clock,
    pub(crate) clients: RegionClients,
    outlet: Outlet,
    batches: mpsc::Receiver<Batch>,
}

impl TestWorld {
    pub(crate) async fn new() -> Self {
        let started = Instant::now();
        let clock = Clock::new(move || at(started.elapsed().as_secs_f64()));
        let aws = Arc::new(Aws::new(clock.clone(), ACCOUNT));
        let base = direct::base(&aws).await;
        let clients = base.clients(&Access::default(), REGION).await;
        let (outlet, batches) = Outlet::channel(100_000);
        Self { aws, clock, clients, outlet, batches }
    }

    pub(crate) fn context(&self) -> SourceContext {
        SourceContext {
            cell: Cell::new(ACCOUNT, REGION),
            clients: self.clients.clone(),
            outlet: self.outlet.clone(),
            clock: self.clock.clone(),
            read_back: Duration::hours(1),
            horizon: Duration::minutes(30),
        }
    }

    /// Writes an event that is visible `late` seconds after its time.
    pub(crate) fn write(&self, group: &str, stream: &str, second: f64, late: f64, message: &str) {
        let emission = Emission::Log {
            group: group.into(),
            stream: stream.into(),
            at: at(second),
            visible_at: at(second + late),
            message: message.to_owned(),
        };
        self.aws.with_store(ACCOUNT, REGION, |store| store.apply(emission));
    }

    /// Everything sent since the last call.
    pub(crate) fn sent(&mut self) -> Sent {
        let mut sent = Sent::default();
        while let Ok(batch) = self.batches.try_recv() {
            sent.cursors.extend(batch.cursors);
            sent.first_passes += usize::from(batch.first_pass_over);
            for observation in batch.observations {
                match observation {
                    Observation::Failure(failure) => sent.failures.push(failure),
                    Observation::Record(record) => sent.records.push(record),
                    Observation::RecordsRead(read) => sent.read.push(read),
                    Observation::Success(success) => sent.successes.push(success.request_id),
                    Observation::Metric(_) => {}
                }
            }
        }
        sent
    }
}

#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) failures: Vec<ClientFailure>,
    pub(crate) successes: Vec<String>,
    pub(crate) records: Vec<InvocationRecord>,
    pub(crate) read: Vec<RecordsRead>,
    pub(crate) cursors: Vec<(CursorKey, Time)>,
    pub(crate) first_passes: usize,
}

impl Sent {
    pub(crate) fn failure_seconds(&self) -> Vec<i64> {
        self.failures.iter().map(|failure| (failure.at - at(0.0)).num_seconds()).collect()
    }

    pub(crate) fn record_ids(&self) -> Vec<String> {
        self.records.iter().map(|record| record.request_id.to_string()).collect()
    }
}
