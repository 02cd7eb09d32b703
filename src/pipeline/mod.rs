//! From observations to the ledger: channels, stages, supervision and shutdown.

pub mod batch;
mod health;
pub mod recorder;
pub mod source;
pub mod status;
