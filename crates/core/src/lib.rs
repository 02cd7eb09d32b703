//! What Faultline knows: how a Bedrock client says that a call failed, which of those calls were billed
//! all the same, and what they cost.
//!
//! Pure and synchronous: bytes and observations in, failures and findings out. No runtime, no AWS, no HTTP
//! and no clock (time is an argument), so everything here builds and is tested in seconds.
//!
//! Imports go one way: [`model`] <- [`recognise`], [`price`] <- [`correlate`].

pub mod bodies;
pub mod correlate;
pub mod model;
pub mod price;
pub mod recognise;
