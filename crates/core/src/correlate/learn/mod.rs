//! What joins and records teach: whose calls a log tells of, how its clock runs, when its client gives up, how long a
//! model takes, and how often things happen anyway.
//!
//! Pure functions over the views of one run, which matching and the search for hidden retries share.

mod client;
mod latency;
pub(in crate::correlate) mod normal;
mod rate;
mod timeout;

pub(in crate::correlate) use client::{Client, Clock};
pub(in crate::correlate) use latency::{LatencyLaw, STALL, certainly};
pub(in crate::correlate) use rate::{Weighted, largest_local};
pub(in crate::correlate) use timeout::Timeout;

use super::view::{FailureView, RecordView, SuccessView};

/// Everything learnt for one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::correlate) struct Learnt {
    /// How long each model takes, by the model's number.
    pub(in crate::correlate) laws: Vec<LatencyLaw>,
    /// Each application, by its number.
    pub(in crate::correlate) clients: Vec<Client>,
    /// Each log stream's clock, by the stream's number.
    pub(in crate::correlate) clocks: Vec<Clock>,
}

impl Learnt {
    /// What these records (sorted by time), failures and successes teach.
    pub(in crate::correlate) fn of(
        records: &[RecordView],
        failures: &[FailureView],
        successes: &[SuccessView],
        models: u32,
    ) -> Self {
        let laws = (0..models)
            .map(|model| LatencyLaw::learn(records.iter().filter(move |record| record.model == model)))
            .collect();
        let (clients, clocks) = client::learn(records, failures, successes);
        Self { laws, clients, clocks }
    }

    /// The law of a record's model.
    pub(in crate::correlate) fn law(&self, record: &RecordView) -> Option<&LatencyLaw> {
        self.laws.get(record.model as usize)
    }

    /// When the clients that call as this identity give up: of the applications known to be it, the one most is
    /// known of.
    pub(in crate::correlate) fn timeout_of(&self, identity: u32) -> Timeout {
        let known = self.clients.iter().filter(|client| client.certain_identity() == Some(identity));
        let surest = known.map(|client| &client.timeout).max_by(|a, b| {
            let odds = |timeout: &Timeout| timeout.likely().first().map_or(0.0, |(_, odds)| *odds);
            odds(a).total_cmp(&odds(b))
        });
        surest.cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
