//! Matching failures that name no request to the records they may be of, each pair with a probability.
//!
//! A pair's weight is how much likelier the record is to be there, where and as it is, if the failure is of it than
//! if it is of somebody else's call: where in time the failure says its last attempt began (`kernel`), whether the
//! record's call took long enough to have failed this way, whether it was tried again (`chain`), and its input tokens.
//! No record can be of two failures: belief propagation (`propagate`) turns weights into probabilities under that
//! constraint, and what they say of clocks, timeouts, callers and losses is learnt from them in turn (`refine`).

mod chain;
mod groups;
mod kernel;
mod propagate;
mod refine;
mod weigh;

use self::{groups::Groups, refine::Beliefs};
use super::{
    learn::Learnt,
    view::{FailureView, RecordView},
};

/// How often weights and what is learnt from them are worked out in turn.
const ROUNDS: usize = 3;

/// A failure and a record that may be its, by their positions in the views.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::correlate) struct Pair {
    pub(in crate::correlate) failure: usize,
    pub(in crate::correlate) record: usize,
    pub(in crate::correlate) probability: f64,
}

/// All pairs worth mentioning: failures without an id among `failures` against the records that nothing else
/// explains. `records` and `failures` are sorted by time. What `learnt` did not know of clients and clocks is
/// filled in where the pairs tell.
pub(in crate::correlate) fn matches(
    records: &[RecordView],
    failures: &[FailureView],
    learnt: &mut Learnt,
) -> Vec<Pair> {
    let nameless: Vec<usize> = (0..failures.len()).filter(|&f| weigh::is_matchable(&failures[f])).collect();
    if nameless.is_empty() || records.is_empty() {
        return Vec::new();
    }
    let mut groups = Groups::of(records);
    let mut beliefs = Beliefs::new(failures, learnt);
    let mut pairs = Vec::new();
    for round in 0..ROUNDS {
        let candidates = weigh::candidates(&nameless, failures, records, &mut groups, learnt, &beliefs);
        let probabilities = propagate::probabilities(&candidates);
        if round + 1 < ROUNDS {
            refine::refine(failures, &candidates, &probabilities, &mut beliefs, learnt);
            groups.discount(&candidates, &probabilities, records.len());
            continue;
        }
        for (candidates, probabilities) in candidates.iter().zip(&probabilities) {
            let of_failure = candidates.records.iter().zip(probabilities).map(|(&(record, _), &probability)| Pair {
                failure: candidates.failure,
                record,
                probability,
            });
            pairs.extend(of_failure.filter(|pair| pair.probability > 1e-3));
        }
    }
    pairs
}

/// The probability of every candidate when each of these picks one of its candidates or none, by odds against none,
/// and no candidate is picked twice.
pub(in crate::correlate) fn one_to_one(odds: &[Vec<(usize, f64)>]) -> Vec<Vec<f64>> {
    let candidates: Vec<propagate::Candidates> =
        odds.iter().map(|records| propagate::Candidates { records: records.clone(), ..Default::default() }).collect();
    propagate::probabilities(&candidates)
}

#[cfg(test)]
mod tests;
