//! Hidden retries: attempts that an SDK made again without a word, each of them billed.
//!
//! The log of the client tells of the last attempt at most. But each attempt has its record, and an attempt and the
//! next one look alike: the same caller, model, operation and input tokens, the second begun just after the first
//! was given up. Of two records a, b of one prompt, b is a's next attempt with odds of
//!
//! > P(a was given up at that age) x P(it was tried again) x density of the gap / rate at which the prompt comes anyway
//!
//! against a having ended well. Given up means that a took longer than its caller waits (learnt from
//! failures and from the gaps themselves, against no retries at all: `beliefs`), or that it was cut off or refused in
//! minutes in which that happens (`trouble`). No attempt has two next ones, and none is the next of two: belief propagation,
//! as in matching.

mod beliefs;
mod gap;
mod prompts;
mod schedule;
mod trouble;
mod weigh;

pub(in crate::correlate) use self::schedule::Retries;
use super::{
    learn::Learnt,
    matching::{self, Pair},
    view::{FailureView, RecordView},
};
use crate::model::FailureKind;

/// What is less likely than this is not worth a word.
const LEAST: f64 = 1e-3;
/// How often weights and what is learnt from them are worked out in turn.
const ROUNDS: usize = 3;

/// Two records of one call, by their positions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::correlate) struct Chain {
    /// The attempt that failed.
    pub(in crate::correlate) record: usize,
    /// Its likeliest next attempt.
    pub(in crate::correlate) next: usize,
    /// P(the attempt failed and was tried again), whichever record is the next.
    pub(in crate::correlate) probability: f64,
    /// How the attempt most likely failed.
    pub(in crate::correlate) kind: FailureKind,
}

/// Every attempt that may have been tried again, each once. `records` and `failures` are sorted by time, every record
/// of the time is among them, and `pairs` are the matches of the same views.
pub(in crate::correlate) fn find(
    records: &[RecordView],
    failures: &[FailureView],
    learnt: &Learnt,
    pairs: &[Pair],
) -> Vec<Chain> {
    let prompts = prompts::Prompts::of(records);
    let links = weigh::links(records, failures, &prompts, learnt, pairs);
    let mut beliefs = beliefs::Beliefs::new(records, failures, learnt);
    let mut chains = Vec::new();
    for round in 0..ROUNDS {
        beliefs.learn(records, &links);
        let candidates: Vec<_> = links.iter().map(|link| beliefs.candidates(records, link)).collect();
        let probabilities = matching::one_to_one(&candidates);
        if round + 1 < ROUNDS {
            beliefs.refine(&links, &probabilities);
            continue;
        }
        for ((link, candidates), probabilities) in links.iter().zip(&candidates).zip(&probabilities) {
            let probability: f64 = probabilities.iter().sum();
            let likeliest = candidates.iter().zip(probabilities).max_by(|a, b| a.1.total_cmp(b.1));
            let Some((&(next, _), _)) = likeliest.filter(|_| probability >= LEAST) else { continue };
            let kind = beliefs.kind(records, link, next);
            chains.push(Chain { record: link.record, next, probability: probability.min(0.9999), kind });
        }
    }
    chains
}

#[cfg(test)]
mod tests;
