//! What probabilities say of the things they rest on: losses, clocks, timeouts, callers.

use super::{
    kernel::{self, Story},
    propagate::Candidates,
};
use crate::{
    correlate::{
        learn::{Client, Clock, Learnt},
        view::FailureView,
    },
    model::FailureKind,
};

/// How likely a reset without elapsed time is a NAT gateway's, before anything is known of its application.
const NAT: f64 = 0.02;
/// How likely a call of unknown attempts was tried before.
const RETRIED: f64 = 0.5;
/// The share of answers that get lost on their way: usually, and while connections are being lost.
const SILENT: (f64, f64) = (0.003, 0.1);
/// So many connections lost within this many seconds either way are a blip.
const BLIP: (usize, f64) = (3, 120.0);
/// No caller is ruled out by pairs alone.
const LEAST_CALLER: f64 = 0.01;

/// What is believed of a run beyond what was learnt, and refined round by round.
#[derive(Debug)]
pub(super) struct Beliefs {
    /// P(the last attempt left a record), by kind.
    recorded: [f64; 4],
    nat: Vec<f64>,
    retried: Vec<f64>,
    silent: Vec<f64>,
}

/// Prior of P(the last attempt left a record), as a Beta distribution, by kind.
const RECORDED: [(f64, f64); 4] = [(18.0, 2.0), (18.0, 2.0), (7.0, 3.0), (2.0, 6.0)];

const fn index_of(kind: FailureKind) -> usize {
    match kind {
        FailureKind::ReadTimeout => 0,
        FailureKind::StreamTruncated => 1,
        FailureKind::ConnectionReset => 2,
        _ => 3,
    }
}

impl Beliefs {
    pub(super) fn new(failures: &[FailureView], learnt: &Learnt) -> Self {
        let cut: Vec<f64> = failures
            .iter()
            .filter(|failure| matches!(failure.kind, FailureKind::ConnectionReset | FailureKind::StreamTruncated))
            .map(|failure| failure.at)
            .collect();
        let (many, reach) = BLIP;
        let silent = failures.iter().map(|failure| {
            let from = cut.partition_point(|at| *at < failure.at - reach);
            let to = cut.partition_point(|at| *at <= failure.at + reach);
            if to - from >= many { SILENT.1 } else { SILENT.0 }
        });
        Self {
            recorded: RECORDED.map(|(yes, no)| yes / (yes + no)),
            nat: vec![NAT; learnt.clients.len()],
            retried: vec![RETRIED; learnt.clients.len()],
            silent: silent.collect(),
        }
    }

    pub(super) fn nat(&self, application: u32) -> f64 {
        self.nat.get(application as usize).copied().unwrap_or(NAT)
    }

    pub(super) fn silent(&self, failure: usize) -> f64 {
        self.silent.get(failure).copied().unwrap_or(SILENT.0)
    }

    /// P(an attempt before the last one left a record), as far as the text and its application tell.
    pub(super) fn retried(&self, failure: &FailureView, client: &Client) -> f64 {
        match (failure.attempts, failure.elapsed) {
            (Some(attempts), _) => f64::from(u8::from(attempts > 1)),
            (None, Some(elapsed))
                if failure.kind == FailureKind::ReadTimeout && elapsed > 1.9 * client.timeout.likeliest() =>
            {
                1.0
            }
            _ => self.retried.get(failure.application as usize).copied().unwrap_or(RETRIED),
        }
    }

    /// The odds that the last attempt left a record against that it did not.
    pub(super) fn odds_of_record(&self, kind: FailureKind) -> f64 {
        let recorded = self.recorded[index_of(kind)].clamp(0.01, 0.995);
        recorded / (1.0 - recorded)
    }
}

/// Learns from one round for the next.
pub(super) fn refine(
    failures: &[FailureView],
    candidates: &[Candidates],
    probabilities: &[Vec<f64>],
    beliefs: &mut Beliefs,
    learnt: &mut Learnt,
) {
    for application in 0..learnt.clients.len() {
        let of: Vec<&Candidates> =
            candidates.iter().filter(|found| failures[found.failure].application as usize == application).collect();
        if of.is_empty() {
            continue;
        }
        let odds = |found: &Candidates| beliefs.odds_of_record(failures[found.failure].kind);
        refine_timeout(&mut learnt.clients[application], &of, failures, odds);
        refine_callers(&mut learnt.clients[application], &of, failures, odds);
        beliefs.nat[application] =
            refined_nat(beliefs.nat(u32::try_from(application).unwrap_or(u32::MAX)), &of, failures, odds);
    }
    for stream in 0..learnt.clocks.len() {
        if !learnt.clocks[stream].known {
            let of = candidates.iter().filter(|found| failures[found.failure].stream as usize == stream);
            learnt.clocks[stream] = refined_clock(&of.collect::<Vec<_>>(), failures, beliefs);
        }
    }
    refine_recorded(failures, candidates, probabilities, beliefs);
}

fn refine_recorded(
    failures: &[FailureView],
    candidates: &[Candidates],
    probabilities: &[Vec<f64>],
    beliefs: &mut Beliefs,
) {
    let mut seen = [(0.0, 0.0); 4];
    for (found, probabilities) in candidates.iter().zip(probabilities) {
        let seen = &mut seen[index_of(failures[found.failure].kind)];
        seen.0 += probabilities.iter().sum::<f64>();
        seen.1 += 1.0;
    }
    for ((recorded, (yes, no)), (found, all)) in beliefs.recorded.iter_mut().zip(RECORDED).zip(seen) {
        *recorded = (yes + found) / (yes + no + all);
    }
}

/// Timeouts, by how well the records that each would point to fit.
fn refine_timeout(
    client: &mut Client,
    of: &[&Candidates],
    failures: &[FailureView],
    odds: impl Fn(&Candidates) -> f64,
) {
    if client.timeout.certain().is_some() {
        return;
    }
    let likely: Vec<f64> = client.timeout.likely().iter().map(|(after, _)| *after).collect();
    let mut evidence = vec![0.0; likely.len()];
    for found in of.iter().filter(|found| failures[found.failure].kind == FailureKind::ReadTimeout) {
        let odds = odds(found);
        for ((story, _), sum) in found.told.iter().zip(&found.stories) {
            let Story::GaveUp { after } = story else { continue };
            if let Some(index) = likely.iter().position(|likely| likely == after) {
                evidence[index] += odds.mul_add(*sum, 1.0).ln();
            }
        }
    }
    // Timeouts that were too unlikely to be weighed are not made likelier by that.
    client.timeout = client.timeout.with(&evidence);
}

/// Callers, by how well their records fit.
fn refine_callers(
    client: &mut Client,
    of: &[&Candidates],
    failures: &[FailureView],
    odds: impl Fn(&Candidates) -> f64,
) {
    if client.certain_identity().is_some() || of.iter().any(|found| failures[found.failure].identity.is_some()) {
        return;
    }
    let mut evidence: std::collections::BTreeMap<u32, f64> = std::collections::BTreeMap::new();
    for found in of {
        for (identity, _) in &found.callers {
            evidence.entry(*identity).or_default();
        }
    }
    for found in of {
        let odds = odds(found);
        for (identity, sum) in &mut evidence {
            let fits = found.callers.iter().find(|(caller, _)| caller == identity).map_or(0.0, |(_, fits)| *fits);
            *sum += odds.mul_add(fits, 1.0).ln();
        }
    }
    let largest = evidence.values().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut callers: Vec<(u32, f64)> = evidence.into_iter().map(|(id, log)| (id, (log - largest).exp())).collect();
    let sum: f64 = callers.iter().map(|(_, odds)| odds).sum();
    callers.iter_mut().for_each(|(_, odds)| *odds = (*odds / sum).max(LEAST_CALLER));
    client.identities = callers;
}

/// Whether an application's resets are a gateway's.
fn refined_nat(nat: f64, of: &[&Candidates], failures: &[FailureView], odds: impl Fn(&Candidates) -> f64) -> f64 {
    let (mut gateway, mut all) = (NAT, 1.0);
    for found in of.iter().filter(|found| failures[found.failure].elapsed.is_none()) {
        let fit = |wanted: fn(&Story) -> bool| {
            let sums = found.told.iter().zip(&found.stories).filter(|((story, _), _)| wanted(story));
            odds(found).mul_add(sums.map(|(_, sum)| sum).sum::<f64>(), 1.0)
        };
        if !found.told.iter().any(|(story, _)| *story == Story::Running) {
            continue;
        }
        let (by_gateway, running) = (
            nat * fit(|story| matches!(story, Story::Began { .. })),
            (1.0 - nat) * fit(|story| *story == Story::Running),
        );
        gateway += by_gateway / (by_gateway + running);
        all += 1.0;
    }
    gateway / all
}

/// The clock that makes the records at hand fit best.
fn refined_clock(of: &[&Candidates], failures: &[FailureView], beliefs: &Beliefs) -> Clock {
    const STEP: f64 = 0.25;
    const STEPS: i32 = 16;
    const SDS: [f64; 3] = [0.1, 0.25, 0.5];
    let points: Vec<(f64, &[(f64, f64)])> = of
        .iter()
        .filter(|found| !found.points.is_empty())
        .map(|found| (beliefs.odds_of_record(failures[found.failure].kind), &found.points[..]))
        .collect();
    if points.is_empty() {
        return Clock::default();
    }
    let mut fits: Vec<(f64, f64, f64)> = Vec::new();
    for step in -STEPS..=STEPS {
        let ahead = f64::from(step) * STEP;
        // Most clocks are kept in time; some are not.
        let prior = (0.7 * (-0.5 * (ahead / 0.4_f64).powi(2)).exp())
            .mul_add(1.0, 0.12 * (-0.5 * (ahead / 2.0_f64).powi(2)).exp());
        for sd in SDS {
            let fit = |(odds, points): &(f64, &[(f64, f64)])| {
                let sum: f64 = points.iter().map(|(late, base)| base * kernel::start_density(late - ahead, sd)).sum();
                odds.mul_add(sum, 1.0).ln()
            };
            fits.push((ahead, sd, prior.ln() + points.iter().map(fit).sum::<f64>()));
        }
    }
    let best = fits.iter().map(|(.., fit)| *fit).fold(f64::NEG_INFINITY, f64::max);
    let (mut sum, mut mean, mut square, mut within) = (0.0, 0.0, 0.0, 0.0);
    for (ahead, sd, fit) in fits {
        let odds = (fit - best).exp();
        sum += odds;
        mean += odds * ahead;
        square += odds * ahead * ahead;
        within += odds * sd * sd;
    }
    let mean = mean / sum;
    Clock { ahead: mean, sd: ((square / sum - mean * mean).max(0.0) + within / sum).sqrt(), known: false }
}
