//! Where observations come from: CloudWatch metrics, application logs, and the model invocation log.
//!
//! Each source only knows how to read one pass ([`crate::pipeline::source::Source`]); driving, backing off and
//! restarting are the pipeline's. Whatever a source sends it may send again: natural keys make that harmless.

pub mod invocations;
mod log_events;
pub mod logs;
pub mod metrics;
mod seen;
mod tail;
#[cfg(test)]
pub(crate) mod test_world;

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
    /// How long a failure waits for its record.
    pub horizon: Duration,
}

impl SourceContext {
    /// Where a source begins: a window back, or where the daemon was away for longer, at its cursor; and before that
    /// by what the failures that then still waited for their records need to be concluded.
    pub fn begin(&self, cursor: Option<Time>) -> Time {
        let window = self.clock.now() - self.read_back;
        cursor.map_or(window, |cursor| (cursor - self.horizon).min(window))
    }
}
