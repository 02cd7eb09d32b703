//! Which failed calls were billed, how sure that is, and what they cost.

mod summary;

pub use summary::{CellSummary, Conclusion, EstimateState, ScopeSummary, Tally};
