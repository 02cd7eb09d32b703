//! From observations to the ledger: channels, stages, supervision and shutdown.

pub mod status;
