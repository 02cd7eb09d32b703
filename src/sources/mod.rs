//! Where observations come from: CloudWatch metrics, application logs, and the model invocation log.
//!
//! Each source only knows how to read one pass ([`crate::pipeline::source::Source`]); driving, backing off and
//! restarting are the pipeline's. Whatever a source sends it may send again: natural keys make that harmless.

pub mod invocations;
pub mod log_events;
pub mod logs;
pub mod metrics;

use chrono::Duration;
use faultline_core::model::{Cell, Time};

use crate::{aws::RegionClients, clock::Clock, pipeline::batch::Outlet};

/// What every source of a cell is given.
#[derive(Debug, Clone)]
pub struct SourceContext {
    /// Whose Bedrock.
    pub cell: Cell,
    /// The cell's own clients.
    pub clients: RegionClients,
    /// Where observations go.
    pub outlet: Outlet,
    /// The time.
    pub clock: Clock,
    /// How far back a start reads: one correlation window, or the horizon where that is longer.
    pub read_back: Duration,
}

impl SourceContext {
    /// Where a source begins: a window back, or at its cursor where the daemon was away for longer.
    pub fn begin(&self, cursor: Option<Time>) -> Time {
        let window = self.clock.now() - self.read_back;
        cursor.map_or(window, |cursor| cursor.min(window))
    }
}
