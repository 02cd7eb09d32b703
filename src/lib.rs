//! The Faultline daemon: sources, correlation, ledger and export around [`faultline_core`].

pub mod app;
pub mod aws;
pub mod cli;
pub mod clock;
pub mod config;
pub mod evaluate;
pub mod export;
pub mod ledger;
pub mod pipeline;
pub mod report;
pub mod scan;
pub mod simulate;
pub mod sources;
