//! One YAML file in, a configuration without invalid states out; or every error at once, each with its place.
//!
//! `options.rs` documents every option and its default; `read.rs` and `cells.rs` read them; past [`load`] nothing
//! needs to be checked again.

mod cells;
mod describe;
mod error;
mod options;
mod prices;
mod read;
mod reader;
mod values;

use std::{fmt::Write, net::SocketAddr, path::PathBuf, time::Duration};

use faultline_core::{correlate::InvocationsCount, price::PriceRow};

pub use self::{
    describe::describe,
    error::{ConfigError, ConfigErrors},
    options::{OPTIONS, OptionDoc},
    read::{load, parse},
};
use crate::{aws::Access, ledger::Retention, report::Provisioned, sources::logs::GroupSelector};

/// What the daemon runs with.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where it serves.
    pub listen: SocketAddr,
    /// The ledger's file.
    pub ledger: PathBuf,
    /// What is watched: one entry per region. At least one.
    pub cells: Vec<CellConfig>,
    /// How metrics are read.
    pub metrics: MetricsConfig,
    /// How logs are read.
    pub logs: LogsConfig,
    /// How observations are joined.
    pub correlation: CorrelationConfig,
    /// Prices added to, or in place of, the built-in ones.
    pub prices: Vec<PriceRow>,
    /// Bedrock spend a month in dollars, for the budget alert.
    pub monthly_budget_usd: Option<f64>,
    /// What provisioned throughput costs, for reports.
    pub provisioned: Vec<Provisioned>,
    /// How long the ledger keeps what is in it.
    pub retention: Retention,
    /// How long stopping may take.
    pub shutdown_timeout: Duration,
}

/// One region of one account.
#[derive(Debug, Clone, PartialEq)]
pub struct CellConfig {
    /// Asked of STS when absent.
    pub account_id: Option<String>,
    /// The region.
    pub region: String,
    /// Whose credentials, and which endpoint.
    pub access: Access,
    /// Whose logs tell of failures.
    pub applications: Vec<ApplicationConfig>,
    /// Where Bedrock logs invocations.
    pub invocations: Option<InvocationsConfig>,
}

/// An application that calls Bedrock.
#[derive(Debug, Clone, PartialEq)]
pub struct ApplicationConfig {
    /// The label `application`.
    pub name: String,
    /// Its log groups.
    pub group: GroupSelector,
    /// Whose calls its logs tell of.
    pub identity: Option<String>,
    /// The model it uses, if it is one.
    pub model_id: Option<String>,
    /// Whether a failure that names no service is taken for Bedrock's.
    pub assume_bedrock: bool,
    /// Whether the request ids of calls that ended well are read too.
    pub successes: bool,
    /// Where its logs are, if not in the cell's region.
    pub region: Option<String>,
    /// Whose role reads its logs, if not the cell's.
    pub role_arn: Option<String>,
    /// That role's external id.
    pub external_id: Option<String>,
}

/// The model invocation log.
#[derive(Debug, Clone, PartialEq)]
pub struct InvocationsConfig {
    /// Its log group.
    pub group: String,
    /// Which records are read.
    pub read: InvocationsRead,
    /// What reading every record may take before `auto` reads those of failures only.
    pub megabytes_per_minute: f64,
}

/// Which records are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvocationsRead {
    /// Faultline decides.
    Auto,
    /// Those of failures.
    Failures,
    /// Every one.
    All,
}

impl InvocationsRead {
    const ALL: [(&'static str, Self); 3] = [("auto", Self::Auto), ("failures", Self::Failures), ("all", Self::All)];
}

/// How metrics are read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricsConfig {
    /// How often the error counts.
    pub poll: Duration,
    /// How often what is no error count, where no errors show.
    pub detail: chrono::Duration,
    /// How old a minute is when it is taken as final, until that is learnt.
    pub settle: chrono::Duration,
    /// What the polling of one cell may cost a month, in US dollars.
    pub budget_usd_per_month: f64,
}

/// How logs are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogsConfig {
    /// How often.
    pub poll: Duration,
    /// How late an event may arrive.
    pub overlap: chrono::Duration,
    /// Whether CloudWatch filters.
    pub server_side_filter: bool,
}

/// How observations are joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrelationConfig {
    /// What the gauges look back over.
    pub window: chrono::Duration,
    /// How long a record may follow its failure.
    pub horizon: chrono::Duration,
    /// What CloudWatch's Invocations counts.
    pub invocations_count: InvocationsCount,
    /// Keys of requestMetadata that may hold the application's own id.
    pub id_keys: Vec<String>,
}

impl CorrelationConfig {
    /// How far back a source without a cursor reads: one window, or the horizon where that is longer.
    pub fn read_back(&self) -> chrono::Duration {
        self.window.max(self.horizon)
    }
}

/// The table of docs/configuration.md, from the options themselves.
pub fn options_table() -> String {
    let mut table = String::from("| option | value | default | meaning |\n|---|---|---|---|\n");
    for option in OPTIONS {
        let default = if option.default.is_empty() { "–".to_owned() } else { format!("`{}`", option.default) };
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| `{}` | {} | {default} | {} |", option.path, option.value, option.meaning);
    }
    table
}

#[cfg(test)]
mod tests;
