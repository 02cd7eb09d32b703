//! What travels from a source to the recorder.

use faultline_core::model::{Cell, Observation, Time};
use tokio::sync::mpsc;

use super::status::SourceKind;

/// Names a place a source reads on from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CursorKey {
    /// Whose.
    pub cell: Cell,
    /// Which source.
    pub kind: SourceKind,
    /// The log group, or nothing where a source has one cursor.
    pub name: String,
}

/// Observations, and the cursors that may move once what the observations led to is in the ledger.
#[derive(Debug, Default)]
pub struct Batch {
    /// Whose; `None` for a batch that only says that a first pass is over.
    pub cell: Option<Cell>,
    /// In any order.
    pub observations: Vec<Observation>,
    /// Every event before this time has been read.
    pub cursors: Vec<(CursorKey, Time)>,
    /// Set once by each source, after its first pass, whether it went well or not.
    pub first_pass_over: bool,
}

/// The sending end of the one bounded channel that all sources share.
#[derive(Debug, Clone)]
pub struct Outlet(mpsc::Sender<Batch>);

/// The recorder is gone: the daemon is ending.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the pipeline has ended")]
pub struct Ended;

impl Outlet {
    /// A channel that holds at most `capacity` batches: a slow ledger slows the sources, nothing piles up.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<Batch>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self(sender), receiver)
    }

    /// Waits for room, then sends.
    pub async fn send(&self, batch: Batch) -> Result<(), Ended> {
        self.0.send(batch).await.map_err(|_| Ended)
    }
}
