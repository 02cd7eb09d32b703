//! The real AWS SDK: clients per cell, rate limits, and a meter for what the polling costs.

mod access;
mod call;
mod error;
mod limits;
pub mod meter;
mod queue;

pub use access::{Access, BaseConfig, RegionClients};
pub use call::Caller;
pub use error::CallError;
pub use limits::Limits;
