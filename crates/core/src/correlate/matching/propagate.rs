//! From weights to probabilities when no record can be of two failures: sum-product data association.

use super::kernel::Story;

/// The records a failure may be of.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Candidates {
    /// The failure's position.
    pub(super) failure: usize,
    /// Record positions, with their weights against there being no record.
    pub(super) records: Vec<(usize, f64)>,
    /// The weights of all candidates beyond the best ones.
    pub(super) rest: f64,
    /// The stories of the failure with their odds, and what the records of each sum to against chance.
    pub(super) told: Vec<(Story, f64)>,
    pub(super) stories: Vec<f64>,
    /// The same by caller.
    pub(super) callers: Vec<(u32, f64)>,
    /// For the likeliest story, where it points to a moment: how late each record is by an exact clock, and its
    /// weight but for that.
    pub(super) points: Vec<(f64, f64)>,
}

/// Messages that change by less than this have settled.
const SETTLED: f64 = 1e-4;
const MOST_ROUNDS: usize = 60;

/// The probability of every candidate, in their order.
pub(super) fn probabilities(all: &[Candidates]) -> Vec<Vec<f64>> {
    let records =
        all.iter().flat_map(|candidates| &candidates.records).map(|(record, _)| record + 1).max().unwrap_or(0);
    // What a record tells each failure: how free it is for that one.
    let mut free: Vec<Vec<f64>> = all.iter().map(|candidates| vec![1.0; candidates.records.len()]).collect();
    let mut claims: Vec<Vec<f64>> = free.clone();
    let mut claimed = vec![0.0; records];
    for _ in 0..MOST_ROUNDS {
        for ((candidates, free), claims) in all.iter().zip(&free).zip(&mut claims) {
            let sum: f64 = candidates.records.iter().zip(free).map(|((_, weight), free)| weight * free).sum();
            for ((&(record, weight), free), claim) in candidates.records.iter().zip(free).zip(claims) {
                *claim = weight / (1.0 + candidates.rest + (sum - weight * free).max(0.0));
                claimed[record] += *claim;
            }
        }
        let mut change = 0.0_f64;
        for ((candidates, free), claims) in all.iter().zip(&mut free).zip(&claims) {
            for ((&(record, _), free), claim) in candidates.records.iter().zip(free).zip(claims) {
                let now = 1.0 / (1.0 + (claimed[record] - claim).max(0.0));
                change = change.max((now - *free).abs());
                *free = now;
            }
        }
        for (record, _) in all.iter().flat_map(|candidates| &candidates.records) {
            claimed[*record] = 0.0;
        }
        if change < SETTLED {
            break;
        }
    }
    let normalise = |(candidates, free): (&Candidates, &Vec<f64>)| {
        let weights: Vec<f64> = candidates.records.iter().zip(free).map(|((_, weight), free)| weight * free).collect();
        let sum = 1.0 + candidates.rest + weights.iter().sum::<f64>();
        weights.into_iter().map(|weight| weight / sum).collect()
    };
    all.iter().zip(&free).map(normalise).collect()
}
