//! Whose calls an application's log tells of, and how the clocks of its streams run.

use std::collections::BTreeMap;

use super::{Timeout, normal::median};
use crate::{
    correlate::view::{FailureView, RecordView, SuccessView},
    model::{FailureKind, Operation},
};

/// So many joins must say the same before it is believed of the rest.
const JOINS_TO_BELIEVE: usize = 2;
/// And so large a share of them.
const SHARE_TO_BELIEVE: f64 = 0.9;
/// Half of the second that a record's time is floored to.
const HALF_FLOOR: f64 = 0.5;
/// How far a clock nothing is known of may run off, as a standard deviation in seconds.
const UNKNOWN_CLOCK: f64 = 0.4;
/// No clock is known better than this.
const BEST_CLOCK: f64 = 0.06;

/// One application.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::correlate) struct Client {
    /// Which callers it may be, and how likely each is; empty where nothing is known. Sums to 1.
    pub(in crate::correlate) identities: Vec<(u32, f64)>,
    /// The operation it calls, where it calls one.
    pub(in crate::correlate) operation: Option<Operation>,
    /// The model it calls, where it calls one.
    pub(in crate::correlate) model: Option<u32>,
    /// When it gives up.
    pub(in crate::correlate) timeout: Timeout,
}

impl Client {
    /// Its caller, where that is certain.
    pub(in crate::correlate) fn certain_identity(&self) -> Option<u32> {
        self.identities.iter().find(|(_, odds)| *odds >= 0.9).map(|(identity, _)| *identity)
    }
}

/// The clock of one log stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::correlate) struct Clock {
    /// Seconds it is ahead of AWS's.
    pub(in crate::correlate) ahead: f64,
    /// How far that may be off, as a standard deviation in seconds.
    pub(in crate::correlate) sd: f64,
    /// Whether joins told, so that it need not be guessed.
    pub(in crate::correlate) known: bool,
}

impl Default for Clock {
    fn default() -> Self {
        Self { ahead: 0.0, sd: UNKNOWN_CLOCK, known: false }
    }
}

/// What joins say of one application.
#[derive(Default)]
struct Joined {
    identities: BTreeMap<u32, usize>,
    operations: BTreeMap<Option<Operation>, usize>,
    models: BTreeMap<u32, usize>,
}

impl Joined {
    fn add(&mut self, record: &RecordView) {
        *self.identities.entry(record.identity).or_default() += 1;
        *self.operations.entry(record.operation).or_default() += 1;
        *self.models.entry(record.model).or_default() += 1;
    }
}

/// What nearly all agree on.
fn agreed<K: Copy>(counts: &BTreeMap<K, usize>) -> Option<K> {
    let all: usize = counts.values().sum();
    let (key, most) = counts.iter().max_by_key(|(_, count)| **count)?;
    #[expect(clippy::cast_precision_loss, reason = "counts of joins are far below 2^52")]
    let share = *most as f64 / all as f64;
    (*most >= JOINS_TO_BELIEVE && share >= SHARE_TO_BELIEVE).then_some(*key)
}

/// Every application and every stream, by their numbers.
pub(super) fn learn(
    records: &[RecordView],
    failures: &[FailureView],
    successes: &[SuccessView],
) -> (Vec<Client>, Vec<Clock>) {
    let applications = failures.iter().map(|f| f.application).chain(successes.iter().map(|s| s.application));
    let applications = applications.max().map_or(0, |most| most as usize + 1);
    let streams = failures.iter().map(|failure| failure.stream as usize + 1).max().unwrap_or(0);
    let mut joined: Vec<Joined> = (0..applications).map(|_| Joined::default()).collect();
    let mut configured: Vec<Option<u32>> = vec![None; applications];
    let mut elapsed: Vec<Vec<(f64, Option<u32>)>> = vec![Vec::new(); applications];
    let mut offsets: Vec<Vec<f64>> = vec![Vec::new(); streams];
    for failure in failures {
        let application = failure.application as usize;
        configured[application] = configured[application].or(failure.identity);
        if let (FailureKind::ReadTimeout, Some(seconds)) = (failure.kind, failure.elapsed) {
            elapsed[application].push((seconds, failure.attempts));
        }
        let Some(record) = failure.joined.and_then(|position| records.get(position)) else { continue };
        joined[application].add(record);
        offsets[failure.stream as usize].extend(offset(failure, record));
    }
    for success in successes {
        if let Some(record) = success.joined.and_then(|position| records.get(position)) {
            joined[success.application as usize].add(record);
        }
    }
    let clients = joined.iter().zip(configured).zip(&elapsed).map(|((joined, configured), elapsed)| Client {
        identities: configured
            .or_else(|| agreed(&joined.identities))
            .map(|identity| (identity, 1.0))
            .into_iter()
            .collect(),
        operation: agreed(&joined.operations).flatten(),
        model: agreed(&joined.models),
        timeout: Timeout::learn(elapsed),
    });
    (clients.collect(), offsets.iter_mut().map(|offsets| clock(offsets)).collect())
}

/// How far the client's clock was ahead when it wrote this line, if the line and the record tell. Elapsed that may
/// be of several attempts does not.
fn offset(failure: &FailureView, record: &RecordView) -> Option<f64> {
    let took = failure.elapsed.filter(|_| failure.attempts.is_none_or(|attempts| attempts == 1));
    Some(failure.at - took? - record.at - HALF_FLOOR)
}

fn clock(offsets: &mut [f64]) -> Clock {
    let n = offsets.len();
    let Some(ahead) = median(offsets) else { return Clock::default() };
    if n < JOINS_TO_BELIEVE {
        return Clock { ahead: ahead / 2.0, ..Clock::default() };
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of joins are far below 2^52")]
    let n = n as f64;
    // The floor spreads the offsets over a second whatever the clock does: only the median's own error is unknown.
    Clock { ahead, sd: (0.4 / n.sqrt()).max(BEST_CLOCK), known: true }
}
