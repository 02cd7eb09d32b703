//! What a simulated account consists of: who calls, what goes wrong, and how AWS reports it.

use std::sync::Arc;

use faultline_core::model::Time;

use super::{
    application::{Application, ApplicationInfo},
    incident::{Incident, Recurring},
};

/// How CloudWatch counts `Invocations`: its documentation can be read both ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountsInvocations {
    /// Successful requests only.
    Successes,
    /// Requests accepted for processing, also those that failed later.
    Accepted,
}

/// How late things become visible. Ranges are uniform, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delays {
    /// From an application's log line to CloudWatch Logs returning it.
    pub client_log: (f64, f64),
    /// From the end of a request to CloudWatch Logs returning its record.
    pub record: (f64, f64),
    /// From the end of a minute to CloudWatch counting most of its samples.
    pub metric: (f64, f64),
    /// The share of samples that come later still, so that the minute is revised.
    pub metric_tail_share: f64,
    /// By how many seconds, on average.
    pub metric_tail: f64,
}

/// What is not exact about the account's own reports, and how often AWS bills what failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Noise {
    /// How `Invocations` counts.
    pub invocations: CountsInvocations,
    /// Share of 503s and 500s that are metered, and billed.
    pub metered_server_errors: f64,
    /// Share of those whose record carries the errorCode beside the tokens; the others look like successes.
    pub metered_errors_with_code: f64,
    /// Share of those, of streaming calls, that come as an exception frame after the first token.
    pub metered_errors_mid_stream: f64,
    /// Share of lost connections that were lost before the request arrived.
    pub resets_on_the_way_out: f64,
    /// Share of lost connections that the client does not notice: it waits until its read timeout.
    pub silent_losses: f64,
    /// Share of answers that take several times as long as their length explains.
    pub stalls: f64,
    /// Share of records that never reach the log.
    pub lost_records: f64,
    /// Delays of what happens before `live_from`.
    pub delays: Delays,
    /// Delays of what happens from `live_from` on.
    pub live_delays: Delays,
    /// Where the account's past ends.
    pub live_from: Time,
}

/// An account, complete: with the same plan, everything in it happens the same way again.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetPlan {
    /// Seed of all that is random.
    pub seed: u64,
    /// The account.
    pub account_id: Arc<str>,
    /// Its region.
    pub region: Arc<str>,
    /// Who calls; their order is part of the plan's randomness.
    pub applications: Vec<Application>,
    /// What goes wrong at a set time.
    pub incidents: Vec<Incident>,
    /// What goes wrong again and again.
    pub recurring: Option<Recurring>,
    /// What is not exact.
    pub noise: Noise,
}

impl FleetPlan {
    /// What the operator of this account tells the daemon.
    pub fn applications(&self) -> Vec<ApplicationInfo> {
        self.applications.iter().map(|application| application.info(&self.account_id)).collect()
    }

    /// The delays of what happens at a moment.
    pub(super) fn delays(&self, at: Time) -> &Delays {
        if at < self.noise.live_from { &self.noise.delays } else { &self.noise.live_delays }
    }
}
