//! What is said of a record that no id joins to anything: a failure without an id was matched to it, or it was an
//! earlier attempt of a call.

use std::sync::Arc;

use super::{
    blocks::PROBABLE,
    join::{Joins, probability_of, rounded},
};
use crate::model::{ClientFailure, Evidence, FailureKind, Finding, InvocationRecord};

/// No call is followed through more attempts than this.
const MOST_ATTEMPTS: usize = 16;

/// A failure that a record is of.
pub(super) struct Said<'a> {
    pub(super) failure: FailureKind,
    /// The failure line of its call, where there is one.
    pub(super) client: Option<&'a Arc<ClientFailure>>,
    /// Whether that line tells of this very attempt.
    pub(super) of_this_attempt: bool,
    pub(super) probability: f64,
    /// The next attempt's request id.
    pub(super) retry_of: Option<Arc<str>>,
}

impl Joins {
    /// What is probable of a record, if anything is.
    pub(super) fn probable(&self, record: &InvocationRecord) -> Option<Said<'_>> {
        let id = &record.request_id;
        let probability = self.failed_at_all(id);
        if probability < PROBABLE {
            return None;
        }
        let matched = self.matched_at_all(id);
        if let Some(retry) = self.retries.of(id).filter(|retry| retry.probability > matched) {
            let client = self.client_of_last(&retry.next);
            return Some(Said {
                failure: client.map_or(retry.kind, |client| client.text.kind),
                client,
                of_this_attempt: false,
                probability,
                retry_of: Some(Arc::clone(&retry.next)),
            });
        }
        let (client, of_best) = self.best_match(id)?;
        let failure = client.text.kind;
        // Of two lines of one moment it may be certain that each is of one of two records, but not which of which.
        let of_this_attempt = of_best >= PROBABLE;
        Some(Said { failure, client: Some(client), of_this_attempt, probability, retry_of: None })
    }

    /// P(the request failed for its client): a failure is of it, or it was tried again. Never 1: that is for what is
    /// known.
    pub(super) fn failed_at_all(&self, id: &str) -> f64 {
        (1.0 - (1.0 - self.matched_at_all(id)) * (1.0 - self.chained_at_all(id))).min(0.9999)
    }

    /// P(some failure without an id is of this record).
    pub(super) fn matched_at_all(&self, id: &str) -> f64 {
        self.claims.get(id).map_or(0.0, probability_of)
    }

    /// P(it was an attempt that failed and was tried again).
    pub(super) fn chained_at_all(&self, id: &str) -> f64 {
        self.retries.of(id).map_or(0.0, |retry| retry.probability)
    }

    /// What was said to be probable and no longer is, is said again with what is left of it.
    pub(super) fn taken_back(&self, id: &Arc<str>) -> Option<Finding> {
        let is_probable = |before: &&Finding| before.evidence == Evidence::Probable && before.probability >= PROBABLE;
        let before = self.findings.get(id).filter(is_probable)?;
        Some(Finding { probability: rounded(self.failed_at_all(id)), ..before.clone() })
    }

    /// The failure this record was most likely matched to, and how likely it is of that one.
    fn best_match(&self, id: &str) -> Option<(&Arc<ClientFailure>, f64)> {
        let best = self.claims.get(id)?.iter().max_by(|a, b| a.1.total_cmp(b.1).then_with(|| b.0.cmp(a.0)));
        let (key, of_best) = best?;
        Some((self.failure(key)?, *of_best))
    }

    /// The line that tells of the end of the call which this record is an attempt of.
    fn client_of_last(&self, id: &Arc<str>) -> Option<&Arc<ClientFailure>> {
        let mut last = id;
        for _ in 0..MOST_ATTEMPTS {
            let Some(retry) = self.retries.of(last).filter(|retry| retry.probability >= 0.5) else { break };
            last = &retry.next;
        }
        let record = self.record(last)?;
        self.failure_of(record).or_else(|| {
            let (client, odds) = self.best_match(last)?;
            (odds >= 0.5).then_some(client)
        })
    }
}
