//! What the gaps themselves say of callers: how long they wait, whether they try again at all, and when connections
//! were lost.

use std::collections::BTreeMap;

use super::{
    trouble::Trouble,
    weigh::{Link, Next},
};
use crate::{
    correlate::{
        learn::Learnt,
        view::{FailureView, RecordView},
    },
    model::FailureKind,
};

/// P(an attempt that was given up is tried again), before anything is known of its caller, as a Beta distribution.
const TRIED: (f64, f64) = (2.0, 1.5);
/// P(a caller never tries again), before anything is known of it.
const NEVER: f64 = 0.3;
/// The share of records that get lost.
const LOST: f64 = 0.03;

/// One caller.
#[derive(Debug)]
struct Caller {
    /// What is known of its patience from elsewhere: odds by place in its list.
    prior: Vec<f64>,
    /// The odds of each patience with what all gaps say, as logarithms against its never trying again.
    logs: Vec<f64>,
    /// P(it tries again), where it does at all.
    tried: f64,
}

impl Caller {
    fn again(&self) -> f64 {
        self.tried * (1.0 - LOST)
    }

    /// How likely each patience is, but for what one attempt says itself; what is missing from 1 is the odds that it
    /// never tries again.
    fn patience(&self, link: &Link) -> Vec<f64> {
        let mut logs = self.logs.clone();
        for &(index, chance) in &link.outlasts {
            logs[index] -= link.speaks_for((index, chance), self.again()).ln();
        }
        let largest = logs.iter().copied().fold(0.0, f64::max);
        let mut odds: Vec<f64> = logs.iter().map(|log| (log - largest).exp()).collect();
        let sum: f64 = odds.iter().sum::<f64>() + (-largest).exp();
        odds.iter_mut().for_each(|odds| *odds /= sum);
        odds
    }
}

/// All callers, and the times of trouble.
#[derive(Debug)]
pub(super) struct Beliefs {
    callers: BTreeMap<u32, Caller>,
    trouble: Trouble,
}

impl Beliefs {
    pub(super) fn new(records: &[RecordView], failures: &[FailureView], learnt: &Learnt) -> Self {
        let mut callers = BTreeMap::new();
        for identity in records.iter().map(|record| record.identity) {
            callers.entry(identity).or_insert_with(|| {
                let prior: Vec<f64> = learnt.timeout_of(identity).likely().iter().map(|(_, odds)| *odds).collect();
                let logs = vec![0.0; prior.len()];
                Caller { prior, logs, tried: TRIED.0 / (TRIED.0 + TRIED.1) }
            });
        }
        Self { callers, trouble: Trouble::new(records, failures, learnt) }
    }

    /// Works out patience and trouble from how well the gaps fit each.
    pub(super) fn learn(&mut self, records: &[RecordView], links: &[Link]) {
        let end = records.last().map_or(0.0, |record| record.at);
        let mut evidence: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for link in links {
            let Some(caller) = self.callers.get(&link.identity) else { continue };
            let evidence = evidence.entry(link.identity).or_insert_with(|| vec![0.0; caller.prior.len()]);
            // Whose next attempt may still be to come says nothing by not having one.
            if link.next.is_empty() && records[link.record].at + OPEN > end {
                continue;
            }
            for &(index, chance) in &link.outlasts {
                evidence[index] += link.speaks_for((index, chance), caller.again()).ln();
            }
        }
        for (identity, caller) in &mut self.callers {
            let evidence = evidence.get(identity);
            let evidence = |index| evidence.map_or(0.0, |evidence: &Vec<f64>| evidence[index]);
            let log = |(index, odds): (usize, &f64)| (odds * (1.0 - NEVER) / NEVER).max(1e-12).ln() + evidence(index);
            caller.logs = caller.prior.iter().enumerate().map(log).collect();
        }
        let callers = &self.callers;
        self.trouble.learn(records, links, |identity| callers.get(&identity).map_or(0.0, Caller::again));
    }

    /// The records that may be next to a link's, with their odds against its not having been tried again.
    pub(super) fn candidates(&self, records: &[RecordView], link: &Link) -> Vec<(usize, f64)> {
        let Some(caller) = self.callers.get(&link.identity).filter(|_| !link.next.is_empty()) else {
            return Vec::new();
        };
        let again = caller.again() * link.free;
        let patience = caller.patience(link);
        let cut = self.cut_off(records, link, caller) * again;
        let gave_up: f64 = link.outlasts.iter().map(|&(index, chance)| chance * patience[index] * again).sum();
        let ended = (1.0 - gave_up - cut).max(1e-3);
        let odds = |next: &Next| (again * gave_up_before(link, next, &patience) + cut * next.cut_off) / ended;
        link.next.iter().map(|next| (next.record, odds(next))).filter(|(_, odds)| *odds > 1e-6).collect()
    }

    fn cut_off(&self, records: &[RecordView], link: &Link, caller: &Caller) -> f64 {
        self.trouble.share(link.identity, records[link.record].at, link.cut_off(), caller.again())
    }

    /// How an attempt failed that `next` came after.
    pub(super) fn kind(&self, records: &[RecordView], link: &Link, next: usize) -> FailureKind {
        let Some(caller) = self.callers.get(&link.identity) else { return FailureKind::ReadTimeout };
        let Some(next) = link.next.iter().find(|other| other.record == next) else { return FailureKind::ReadTimeout };
        let cut = self.cut_off(records, link, caller) * next.cut_off;
        if cut > gave_up_before(link, next, &caller.patience(link)) {
            self.trouble.kind(link.identity, records[link.record].at)
        } else {
            FailureKind::ReadTimeout
        }
    }

    /// Learns from the probabilities of one round how often each caller tries again.
    pub(super) fn refine(&mut self, links: &[Link], probabilities: &[Vec<f64>]) {
        let mut seen: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        for (link, probabilities) in links.iter().zip(probabilities) {
            let Some(caller) = self.callers.get(&link.identity) else { continue };
            let chain: f64 = probabilities.iter().sum();
            let patience = caller.patience(link);
            let outlasted: f64 = link.outlasts.iter().map(|&(index, chance)| chance * patience[index]).sum();
            let seen = seen.entry(link.identity).or_default();
            seen.0 += chain;
            // What was tried again did fail; what was not, failed as likely as it outlasted its caller.
            seen.1 += (chain + (1.0 - chain) * outlasted * link.free).min(1.0);
        }
        for (identity, (again, failed)) in seen {
            if let Some(caller) = self.callers.get_mut(&identity) {
                caller.tried = ((TRIED.0 + again) / (TRIED.0 + TRIED.1 + failed)).clamp(0.05, 0.97);
            }
        }
    }
}

/// An attempt this close to the end may still be tried again, in seconds.
const OPEN: f64 = 360.0;

/// How likely an attempt was given up just so long before the next one, against chance.
fn gave_up_before(link: &Link, next: &Next, patience: &[f64]) -> f64 {
    link.outlasts.iter().map(|&(index, chance)| chance * patience[index] * next.telling(index)).sum()
}
