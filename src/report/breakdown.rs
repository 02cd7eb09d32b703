//! Findings counted by one thing they have in common.

use std::collections::BTreeMap;

use faultline_core::model::Tokens;
use serde::Serialize;

use crate::ledger::FindingsTally;

/// The findings that share one thing.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Breakdown {
    /// What they share.
    pub key: String,
    /// Known for certain.
    pub confirmed: u64,
    /// Matched without an id.
    pub probable: u64,
    /// What they metered.
    pub tokens: Tokens,
    /// What those with a known price cost.
    pub cost_usd: f64,
    /// How many have no known price.
    pub unpriced: u64,
}

impl Breakdown {
    /// How many.
    pub fn count(&self) -> u64 {
        self.confirmed + self.probable
    }

    pub(super) fn add(&mut self, tally: &FindingsTally) {
        match &*tally.evidence {
            "probable" => self.probable += tally.count,
            _ => self.confirmed += tally.count,
        }
        self.tokens += tally.tokens;
        self.cost_usd += tally.cost_usd;
        self.unpriced += tally.unpriced;
    }
}

/// Counted by `key`, in the order of the keys.
pub(super) fn by_key(tallies: &[FindingsTally], key: impl Fn(&FindingsTally) -> String) -> Vec<Breakdown> {
    let mut by_key: BTreeMap<String, Breakdown> = BTreeMap::new();
    for tally in tallies {
        by_key.entry(key(tally)).or_default().add(tally);
    }
    by_key.into_iter().map(|(key, breakdown)| Breakdown { key, ..breakdown }).collect()
}

/// Counted by `key`, the dearest first.
pub(super) fn by_cost(tallies: &[FindingsTally], key: impl Fn(&FindingsTally) -> String) -> Vec<Breakdown> {
    let mut rows = by_key(tallies, key);
    rows.sort_by(|a, b| b.cost_usd.total_cmp(&a.cost_usd).then(b.count().cmp(&a.count())));
    rows
}
