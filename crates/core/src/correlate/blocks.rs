//! When failures are matched, and what came of it.
//!
//! Time is cut into blocks of five minutes. The failures of a block are matched together, from everything known of
//! the time up to a little after its end: what comes of a block is a function of those observations alone, whatever
//! their order, and is worked out once when the first of its failures is concluded and again when something new is
//! known of that time.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Duration};

use super::{
    matching,
    views::{FailureKey, Views},
};
use crate::model::{LogRef, Time};

/// Length of a block, in seconds.
const BLOCK: i64 = 300;
/// What happens this long after a block still bears on it: the failures that compete for its records.
const AFTER: i64 = 300;
/// How many blocks later a failure may still be of the same record.
const REACH: i64 = 5;
/// A finding is named from this probability on.
pub(super) const PROBABLE: f64 = 0.8;

/// A failure without an id, and a record it may be of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match<'a> {
    /// Where the client's log tells of the failure.
    pub client_log: &'a LogRef,
    /// The record's request id.
    pub request_id: &'a str,
    /// How likely the failure is of that request.
    pub probability: f64,
}

/// A record, and how likely a failure is of it.
type Odds = (Arc<str>, f64);

/// What is known of the matches of every failure without an id.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// Failures to match, by block.
    failures: BTreeMap<i64, BTreeSet<FailureKey>>,
    /// Blocks in which something may have changed since they were matched.
    stale: BTreeSet<i64>,
    /// The matches of each failure that was matched.
    matches: BTreeMap<FailureKey, Vec<Odds>>,
    /// The minute in which blocks were matched last.
    matched_in: Option<i64>,
}

/// A failure whose matches changed: those of before, and those of now.
type Change = (FailureKey, Vec<Odds>, Vec<Odds>);

impl Blocks {
    /// A failure that may be matched.
    pub(super) fn add_failure(&mut self, key: &FailureKey) {
        self.failures.entry(block_of(key.0)).or_default().insert(key.clone());
        self.something_at(key.0);
    }

    /// Something new is known of this time: it bears on the block it is in and on all later ones, and a little on the
    /// one before.
    pub(super) fn something_at(&mut self, at: Time) {
        let first = block_of(at - Duration::seconds(AFTER));
        self.stale.extend(self.failures.range(first..).map(|(block, _)| *block));
    }

    pub(super) fn forget_failure(&mut self, key: &FailureKey) {
        self.matches.remove(key);
        let block = block_of(key.0);
        if let Some(failures) = self.failures.get_mut(&block) {
            failures.remove(key);
            if failures.is_empty() {
                self.failures.remove(&block);
                self.stale.remove(&block);
            }
        }
    }

    /// Blocks that are to be matched: something changed, and a failure of theirs is due. Once a minute at most. What
    /// lies before `frozen` stays as it is: not everything is known any more that bears on it.
    pub(super) fn due(&mut self, now: Time, frozen: Option<Time>, is_due: impl Fn(&FailureKey) -> bool) -> Vec<i64> {
        if let Some(frozen) = frozen {
            self.stale = self.stale.split_off(&(block_of(frozen) + 1));
        }
        let minute = now.timestamp().div_euclid(60);
        if self.stale.is_empty() || self.matched_in == Some(minute) {
            return Vec::new();
        }
        let due = |block: &&i64| self.failures.get(block).is_some_and(|failures| failures.iter().any(&is_due));
        let blocks: Vec<i64> = self.stale.iter().filter(due).copied().collect();
        if !blocks.is_empty() {
            self.matched_in = Some(minute);
        }
        blocks
    }

    /// The blocks after one whose matches changed, as far as they may claim the same records, are to be matched again;
    /// returns those that are due.
    pub(super) fn follow(&mut self, block: i64, is_due: impl Fn(&FailureKey) -> bool) -> Vec<i64> {
        let later = self.failures.range(block + 1..=block + REACH);
        self.stale.extend(later.clone().map(|(block, _)| *block));
        later.filter(|(_, failures)| failures.iter().any(&is_due)).map(|(block, _)| *block).collect()
    }

    /// Whether what is believed of this failure is the latest.
    pub(super) fn is_settled(&self, key: &FailureKey) -> bool {
        !self.stale.contains(&block_of(key.0))
    }

    /// Matches the failures of a block. `claimed` tells how likely a record is of failures of earlier blocks: what was
    /// learnt since may say otherwise, but no record is of two failures.
    pub(super) fn run(&mut self, block: i64, views: &Views, claimed: impl Fn(&Arc<str>) -> f64) -> Vec<Change> {
        let mut learnt = views.learn();
        let mut found: BTreeMap<usize, Vec<Odds>> = BTreeMap::new();
        for pair in matching::matches(&views.records, &views.failures, &mut learnt) {
            found.entry(pair.failure).or_default().push((views.id_of(pair.record), pair.probability));
        }
        let of_block = |position: usize| views.key_of(position).filter(|key| block_of(key.0) == block);
        let mut matched: BTreeMap<FailureKey, Vec<Odds>> = (0..views.failures.len())
            .filter_map(|position| Some((of_block(position)?.clone(), found.remove(&position).unwrap_or_default())))
            .collect();
        leave_what_is_claimed(&mut matched, claimed);
        self.stale.remove(&block);
        let mut changed = Vec::new();
        for key in self.failures.get(&block).into_iter().flatten() {
            let now = matched.get(key).cloned().unwrap_or_default();
            let before = self.matches.insert(key.clone(), now.clone()).unwrap_or_default();
            if before != now {
                changed.push((key.clone(), before, now));
            }
        }
        changed
    }

    /// Forgets what is believed of failures before a time, also of those that were never seen again.
    pub(super) fn prune(&mut self, oldest: Time) {
        while let Some(((at, _), _)) = self.matches.first_key_value() {
            if *at >= oldest {
                break;
            }
            self.matches.pop_first();
        }
    }

    /// The records a failure may be of.
    pub(super) fn matches_of(&self, key: &FailureKey) -> &[Odds] {
        self.matches.get(key).map_or(&[], Vec::as_slice)
    }

    /// All matches.
    pub(super) fn all(&self) -> impl Iterator<Item = Match<'_>> {
        self.matches.iter().flat_map(|((_, log), odds)| {
            odds.iter().map(move |(id, probability)| Match {
                client_log: log,
                request_id: id,
                probability: *probability,
            })
        })
    }

    /// Until when observations bear on a block.
    pub(super) fn cut_off(block: i64) -> Time {
        DateTime::from_timestamp(block * BLOCK + BLOCK + AFTER, 0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

/// Scales what the failures of a block claim of each record, together, down to what earlier blocks left of it.
fn leave_what_is_claimed(matched: &mut BTreeMap<FailureKey, Vec<Odds>>, claimed: impl Fn(&Arc<str>) -> f64) {
    let mut wanted: BTreeMap<Arc<str>, f64> = BTreeMap::new();
    for (id, probability) in matched.values().flatten() {
        *wanted.entry(Arc::clone(id)).or_default() += probability;
    }
    for (id, probability) in matched.values_mut().flatten() {
        let left = (1.0 - claimed(id)).max(0.0);
        *probability *= (left / wanted[id]).min(1.0);
    }
}

pub(super) fn block_of(at: Time) -> i64 {
    at.timestamp().div_euclid(BLOCK)
}
