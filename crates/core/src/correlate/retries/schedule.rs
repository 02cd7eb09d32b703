//! When hidden retries are looked for, and what was found.
//!
//! As with matching, time is cut into blocks. The chains of a block's records are looked for once everything that
//! bears on them has been read, and again when something new is known of that time: what is found is a function of
//! the observations, whatever their order.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Duration};

use crate::{
    correlate::{matching, retries, views::Views},
    model::{FailureKind, Time},
};

/// Length of a block, in seconds.
const BLOCK: i64 = 300;
/// So long after a block its last record's next attempt may begin: the longest patience, and a backoff.
const AFTER: i64 = 930;
/// So long it takes until nearly every record has arrived, in seconds.
const ARRIVAL: i64 = 150;

/// A record that was an attempt, and tried again.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::correlate) struct Retry {
    /// The next attempt's request id.
    pub(in crate::correlate) next: Arc<str>,
    /// P(it failed and was tried again).
    pub(in crate::correlate) probability: f64,
    /// How it most likely failed.
    pub(in crate::correlate) kind: FailureKind,
}

/// What is known of hidden retries.
#[derive(Debug, Default)]
pub(in crate::correlate) struct Retries {
    /// Blocks in which something may have changed since they were searched.
    stale: BTreeSet<i64>,
    /// The newest block with a record.
    newest: Option<i64>,
    /// By record.
    found: HashMap<Arc<str>, Retry>,
    by_block: BTreeMap<i64, Vec<Arc<str>>>,
    /// By the next attempt's record: those that it may be next to.
    before: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// The block of time in which was searched last.
    searched_in: Option<i64>,
}

impl Retries {
    /// A record of this time.
    pub(in crate::correlate) fn add_record(&mut self, at: Time) {
        let block = block_of(at);
        self.newest = self.newest.max(Some(block));
        self.stale.insert(block);
        self.something_at(at);
    }

    /// Something new is known of this time: it bears on every block from a little before it on.
    pub(in crate::correlate) fn something_at(&mut self, at: Time) {
        if let Some(newest) = self.newest {
            self.stale.extend(block_of(at - Duration::seconds(AFTER))..=newest);
        }
    }

    /// Blocks that are to be searched: something changed, and everything that bears on them should have arrived.
    /// Once in a block's time at most. What lies before `frozen` stays as it is.
    pub(in crate::correlate) fn due(&mut self, now: Time, frozen: Option<Time>) -> Vec<i64> {
        if let Some(frozen) = frozen {
            self.stale = self.stale.split_off(&(block_of(frozen) + 1));
        }
        let this = block_of(now);
        if self.searched_in == Some(this) {
            return Vec::new();
        }
        let arrived = block_of(now - Duration::seconds(BLOCK + AFTER + ARRIVAL));
        let due: Vec<i64> = self.stale.range(..=arrived).copied().collect();
        if !due.is_empty() {
            self.searched_in = Some(this);
        }
        due
    }

    /// Looks for the chains of a block's records; the records of which something else is said now.
    pub(in crate::correlate) fn search(
        &mut self,
        block: i64,
        views: &Views,
        is_of_block: impl Fn(&str) -> bool,
    ) -> BTreeSet<Arc<str>> {
        self.stale.remove(&block);
        let mut learnt = views.learn();
        let pairs = matching::matches(&views.records, &views.failures, &mut learnt);
        let chains = retries::find(&views.records, &views.failures, &learnt, &pairs);
        let found: BTreeMap<Arc<str>, Retry> = chains
            .into_iter()
            .map(|chain| {
                let (next, probability) = (views.id_of(chain.next), chain.probability);
                (views.id_of(chain.record), Retry { next, probability, kind: chain.kind })
            })
            .filter(|(id, _)| is_of_block(id))
            .collect();
        let mut changed = BTreeSet::new();
        for id in self.by_block.remove(&block).unwrap_or_default() {
            if found.get(&id) != self.found.get(&id) {
                self.forget_record(&id);
                changed.insert(id);
            }
        }
        self.by_block.insert(block, found.keys().cloned().collect());
        for (id, retry) in found {
            if self.found.get(&id) != Some(&retry) {
                changed.insert(Arc::clone(&id));
                self.before.entry(Arc::clone(&retry.next)).or_default().insert(Arc::clone(&id));
                self.found.insert(id, retry);
            }
        }
        changed
    }

    /// What is known of a record.
    pub(in crate::correlate) fn of(&self, id: &str) -> Option<&Retry> {
        self.found.get(id)
    }

    /// The attempts before this one, one before the other: what is said of them may rest on it.
    pub(in crate::correlate) fn before(&self, id: &str) -> Vec<Arc<str>> {
        let mut all: Vec<Arc<str>> = self.before.get(id).into_iter().flatten().cloned().collect();
        let mut next = 0;
        while let Some(id) = all.get(next) {
            let earlier = self.before.get(id).into_iter().flatten();
            let earlier: Vec<Arc<str>> = earlier.filter(|earlier| !all.contains(earlier)).cloned().collect();
            all.extend(earlier);
            next += 1;
        }
        all
    }

    pub(in crate::correlate) fn forget_record(&mut self, id: &Arc<str>) {
        let Some(retry) = self.found.remove(id) else { return };
        if let Some(before) = self.before.get_mut(&retry.next) {
            before.remove(id);
            if before.is_empty() {
                self.before.remove(&retry.next);
            }
        }
    }

    /// Forgets the blocks before a time.
    pub(in crate::correlate) fn prune(&mut self, oldest: Time) {
        let kept = self.by_block.split_off(&block_of(oldest));
        for id in std::mem::replace(&mut self.by_block, kept).into_values().flatten() {
            self.forget_record(&id);
        }
    }

    /// The time of a block, and until when observations bear on it.
    pub(in crate::correlate) fn span(block: i64) -> (Time, Time, Time) {
        let at = |second| DateTime::from_timestamp(second, 0).unwrap_or(DateTime::UNIX_EPOCH);
        (at(block * BLOCK), at((block + 1) * BLOCK), at((block + 1) * BLOCK + AFTER))
    }
}

fn block_of(at: Time) -> i64 {
    at.timestamp().div_euclid(BLOCK)
}
