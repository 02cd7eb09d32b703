//! The evidence pack: what a ledger knows of a period, for people who were not on call.
//!
//! Everything is worked out from the ledger alone, beside a daemon that writes to it, and rendered four ways: text,
//! one self-contained HTML file, JSON, and findings as CSV. Bodies of requests are in none of them: the ledger has none.

mod bounds;
mod breakdown;
mod build;
mod chart;
mod command;
mod console;
mod csv;
mod filters;
mod finding;
mod format;
mod gaps;
mod latency;
mod provisioned;
mod remedies;
mod render;
mod routes;
mod sla;
mod spend;

use std::sync::Arc;

use chrono::Duration;
use faultline_core::{
    correlate::InvocationsCount,
    model::{Evidence, Time},
    price::PriceTable,
};
use serde::Serialize;

pub(crate) use self::command::request;
pub use self::{
    bounds::{ScopeTotals, Totals},
    breakdown::Breakdown,
    build::build,
    command::{ReportArgs, Reporter, run},
    csv::{CsvError, write_csv},
    finding::FindingView,
    gaps::Gap,
    remedies::Remedy,
    render::{html, json, text},
    routes::{RouteComparison, RouteNumbers},
    sla::{RegionMonth, WorstInterval},
};
use crate::{config::Config, ledger::IncidentJson};

/// The most findings that a page for people lists; totals count all, and CSV and JSON list all.
pub const MOST_LISTED: usize = 2_000;

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a terminal or a support case.
    Text,
    /// One self-contained page.
    Html,
    /// One line a finding, for spreadsheets.
    Csv,
    /// Everything, for programs.
    Json,
}

/// Which report.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// From here on, inclusive.
    pub since: Time,
    /// Up to here, exclusive.
    pub until: Time,
    /// Of these grades.
    pub evidence: Vec<Evidence>,
    /// When it is made.
    pub now: Time,
}

impl Request {
    /// The stretches of time that breakdowns and charts go by: hours of two days, else days.
    fn stretch(&self) -> Duration {
        if self.until - self.since <= Duration::days(2) { Duration::hours(1) } else { Duration::days(1) }
    }
}

/// What a report needs to know besides the ledger.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What tokens cost.
    pub prices: Arc<PriceTable>,
    /// What CloudWatch's Invocations counts.
    pub invocations_count: InvocationsCount,
    /// What provisioned throughput costs an hour, by model.
    pub provisioned: Vec<Provisioned>,
}

/// The price of provisioned throughput.
#[derive(Debug, Clone, PartialEq)]
pub struct Provisioned {
    /// The model, without routing prefix.
    pub model_id: String,
    /// US dollars an hour for what would carry the model's traffic.
    pub usd_per_hour: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            prices: Arc::new(PriceTable::builtin()),
            invocations_count: InvocationsCount::Auto,
            provisioned: Vec::new(),
        }
    }
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            prices: Arc::new(PriceTable::builtin().with_overrides(config.prices.clone())),
            invocations_count: config.correlation.invocations_count,
            provisioned: config.provisioned.clone(),
        }
    }
}

/// The evidence pack. Times are RFC 3339 in UTC, amounts US dollars.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// From here on, inclusive.
    pub since: String,
    /// Up to here, exclusive.
    pub until: String,
    /// When it was made.
    pub generated_at: String,
    /// By which version.
    pub faultline_version: &'static str,
    /// The grades of evidence it lists.
    pub evidence: Vec<Evidence>,
    /// Everything together.
    pub totals: Totals,
    /// By account, region, model and route.
    pub scopes: Vec<ScopeTotals>,
    /// By hour of two days or less, else by day.
    pub by_time: Vec<Breakdown>,
    /// By cause.
    pub by_cause: Vec<Breakdown>,
    /// By how the call failed.
    pub by_failure: Vec<Breakdown>,
    /// By application.
    pub by_application: Vec<Breakdown>,
    /// Runs of failures.
    pub incidents: Vec<IncidentJson>,
    /// What would have helped.
    pub remedies: Vec<Remedy>,
    /// Each model that was called by more than one route.
    pub routes: Vec<RouteComparison>,
    /// Server errors by region and calendar month, as Bedrock's SLA counts them.
    pub sla: Vec<RegionMonth>,
    /// What is not in here, and why.
    pub not_covered: Vec<Gap>,
    /// Findings, newest first.
    pub findings: Vec<FindingView>,
    /// How many more there are than are listed.
    pub findings_left_out: u64,
}

#[cfg(test)]
mod tests;
