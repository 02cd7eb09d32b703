//! The real AWS SDK: clients per cell, rate limits, and a meter for what the polling costs.

pub mod meter;
