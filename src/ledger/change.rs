//! What is to be written in one transaction.

use faultline_core::{
    correlate::Conclusion,
    model::{ClientFailure, Finding, Incident, MetricPoint, Time},
};

use super::SourceSeen;
use crate::pipeline::batch::CursorKey;

/// Everything that one commit writes. In any order, with any repeats.
#[derive(Debug, Default)]
pub struct Change {
    /// Failures seen, whatever becomes of them.
    pub failures: Vec<ClientFailure>,
    /// Failures whose outcome is known.
    pub concluded: Vec<Conclusion>,
    /// Findings, new or revised.
    pub findings: Vec<Finding>,
    /// Incidents, new or revised.
    pub incidents: Vec<Incident>,
    /// Minutes of metrics.
    pub points: Vec<MetricPoint>,
    /// Where sources read on, once the rest is in the ledger.
    pub cursors: Vec<(CursorKey, Time)>,
    /// How sources are doing, now and then.
    pub sources: Vec<SourceSeen>,
}

impl Change {
    /// Whether there is nothing to write.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many rows it holds.
    pub const fn len(&self) -> usize {
        self.failures.len()
            + self.concluded.len()
            + self.findings.len()
            + self.incidents.len()
            + self.points.len()
            + self.cursors.len()
            + self.sources.len()
    }
}
