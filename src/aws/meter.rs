//! What the polling itself costs: calls by outcome, and dollars.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallOutcome {
    /// An answer came.
    Ok,
    /// AWS asked to slow down.
    Throttled,
    /// IAM refused.
    Denied,
    /// Anything else.
    Error,
}

impl CallOutcome {
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Throttled, Self::Denied, Self::Error];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Error => "error",
        }
    }
}

/// Calls and dollars since the daemon began. Clones share one meter.
#[derive(Debug, Clone, Default)]
pub struct ApiMeter(Arc<Mutex<BTreeMap<&'static str, ApiUse>>>);

/// What one API was used for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ApiUse {
    /// Calls, by [`CallOutcome`] in the order of [`CallOutcome::ALL`].
    pub calls: [u64; 4],
    /// US dollars.
    pub cost_usd: f64,
}

impl ApiMeter {
    /// Counts one call of `api` (the AWS operation's name).
    pub fn record(&self, api: &'static str, outcome: CallOutcome, cost_usd: f64) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used = uses.entry(api).or_default();
        used.calls[outcome as usize] += 1;
        used.cost_usd += cost_usd;
    }

    /// Every API used so far, by name.
    pub fn all(&self) -> Vec<(&'static str, ApiUse)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(api, used)| (*api, *used)).collect()
    }
}
