//! Records and failures as matching and learning see them: numbers, sorted by time.
//!
//! Views are built for one run and thrown away. Models, identities and applications are small numbers that mean
//! nothing outside the run; times are seconds since the run's origin, so that arithmetic stays exact to the
//! microsecond.

use crate::model::{FailureKind, Operation};

/// One record of the invocation log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::correlate) struct RecordView {
    /// Where the record is kept.
    pub(in crate::correlate) index: u32,
    /// Its start, floored to the second: seconds since the run's origin.
    pub(in crate::correlate) at: f64,
    /// Which model and route.
    pub(in crate::correlate) model: u32,
    /// Which caller, by account and role; 0 where the record names none.
    pub(in crate::correlate) identity: u32,
    /// The operation called.
    pub(in crate::correlate) operation: Option<Operation>,
    /// Input tokens, without cached ones.
    pub(in crate::correlate) input: u32,
    /// Input tokens read from and written to the cache.
    pub(in crate::correlate) cached: u32,
    /// Output tokens.
    pub(in crate::correlate) output: u32,
    /// Seconds from start to last token; NaN where the record does not tell.
    pub(in crate::correlate) latency: f32,
    /// Seconds from start to first byte; NaN where the record does not tell.
    pub(in crate::correlate) first_byte: f32,
    /// Whether something else already says what became of the request: a failure named it, it carries an errorCode,
    /// or a success line names it. Such a record teaches, but no failure without an id can be its.
    pub(in crate::correlate) explained: bool,
}

impl RecordView {
    /// Its latency in seconds, where the record tells.
    pub(in crate::correlate) fn exact_latency(&self) -> Option<f64> {
        (!self.latency.is_nan()).then(|| f64::from(self.latency))
    }

    /// Seconds to its first byte, where the record tells.
    pub(in crate::correlate) fn first_byte(&self) -> Option<f64> {
        (!self.first_byte.is_nan()).then(|| f64::from(self.first_byte))
    }

    /// Whether the answer came as a stream of frames.
    pub(in crate::correlate) fn streams(&self) -> bool {
        self.operation.is_some_and(Operation::is_streaming)
    }
}

/// One client failure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::correlate) struct FailureView {
    /// When its line was written: seconds since the run's origin, by the client's clock.
    pub(in crate::correlate) at: f64,
    /// Which application.
    pub(in crate::correlate) application: u32,
    /// Which log stream: one client process, one clock.
    pub(in crate::correlate) stream: u32,
    /// How the call failed.
    pub(in crate::correlate) kind: FailureKind,
    /// Which model, where its text or its configuration tells.
    pub(in crate::correlate) model: Option<u32>,
    /// Which caller, where its configuration tells.
    pub(in crate::correlate) identity: Option<u32>,
    /// The operation called, where its text tells.
    pub(in crate::correlate) operation: Option<Operation>,
    /// Attempts made, the last included.
    pub(in crate::correlate) attempts: Option<u32>,
    /// Seconds from the call, or its last attempt, to the line.
    pub(in crate::correlate) elapsed: Option<f64>,
    /// Input tokens, where its text tells.
    pub(in crate::correlate) input: Option<u64>,
    /// The record it names, as a position in the run's records; none where it names none, or one that never came.
    pub(in crate::correlate) joined: Option<usize>,
    /// Whether it names no request, so that it may be matched.
    pub(in crate::correlate) nameless: bool,
}

/// One success line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::correlate) struct SuccessView {
    /// Which application.
    pub(in crate::correlate) application: u32,
    /// The record it names, as a position in the run's records.
    pub(in crate::correlate) joined: Option<usize>,
}
