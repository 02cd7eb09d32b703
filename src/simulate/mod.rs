//! An AWS to watch, inside the process: CloudWatch and Logs over their real wire protocols, and behind them a
//! fleet of applications with the truth about every request.
//!
//! `fleet` (crates/simulate) is pure and deterministic from a seed: it turns time into [`Emission`]s and keeps the truth. `store`
//! holds what the simulated AWS knows and when it becomes visible. `server` answers for it over HTTP.

pub mod demo;
pub mod server;
pub mod store;

pub use faultline_simulate::{Emission, fleet};
