//! What the correlator said of a world, held against the truth.

use std::collections::HashMap;

use faultline_core::{
    correlate::{AwsSide, EstimateState, InvocationsCount},
    model::{Cause, Evidence, FailureKind, Finding, Incident},
    price::PriceTable,
};

use super::play::Played;
use crate::fleet::CountsInvocations;
use crate::worlds::{Knobs, RequestTruth, Scenario, TokenSamples, TrueIncident, World};

/// From this probability on a finding is listed.
const LISTED: f64 = 0.8;
/// An incident with fewer failures than this is none that had to be found.
const NOTICEABLE: u64 = 8;
/// An incident may be seen this many minutes beside the true one: metrics know the end of requests, not their start.
const BESIDE_MINUTES: i64 = 20;

/// How many were named, how many of them rightly, how many there were to name, and how many of those were named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Hits {
    pub(super) named: u64,
    pub(super) right: u64,
    pub(super) of: u64,
    pub(super) found: u64,
}

/// Probabilities that were said, with what came true.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Bin {
    pub(super) count: u64,
    pub(super) said: f64,
    pub(super) right: u64,
}

/// A sum with its interval, and what it really was.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Total {
    pub(super) truth: f64,
    pub(super) best: f64,
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// One true or found incident.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Diagnosis {
    /// Whether there was enough of it to be found.
    pub(super) had_to_be_found: bool,
    /// What it really was.
    pub(super) truth: Option<Cause>,
    /// What was said; none where nothing was found.
    pub(super) said: Option<(Cause, f64)>,
    pub(super) low_load: bool,
    pub(super) low_load_said: bool,
}

/// One world, scored.
#[derive(Debug, Clone)]
pub(super) struct Score {
    pub(super) seed: u64,
    pub(super) rpm: f64,
    pub(super) scenario: Scenario,
    pub(super) knobs: Knobs,
    pub(super) confirmed: Hits,
    pub(super) timeouts: Hits,
    pub(super) resets: Hits,
    pub(super) other: Hits,
    pub(super) hidden: Hits,
    pub(super) hidden_answered: Hits,
    pub(super) next: Hits,
    pub(super) bins: [Bin; 10],
    pub(super) total: Total,
    pub(super) cost: Total,
    /// The main scope's.
    pub(super) state: Option<EstimateState>,
    /// AWS's side of the main scope, where the state is calibrated.
    pub(super) metrics: Option<Total>,
    /// Calibrated though the token hypothesis is false.
    pub(super) wrongly_calibrated: bool,
    /// Decided on the reading of Invocations that is not this world's.
    pub(super) wrong_reading: bool,
    pub(super) diagnoses: Vec<Diagnosis>,
    pub(super) false_alarms: u64,
    pub(super) days: f64,
    pub(super) requests: u64,
    pub(super) seconds: f64,
}

pub(super) fn score(world: &World, played: &Played, prices: &PriceTable) -> Score {
    let truth: HashMap<&str, &RequestTruth> = world.truth.iter().map(|t| (&*t.request_id, t)).collect();
    let mut score = Score {
        seed: world.seed,
        rpm: world.rpm,
        scenario: world.scenario,
        knobs: world.knobs.clone(),
        confirmed: Hits::default(),
        timeouts: Hits::default(),
        resets: Hits::default(),
        other: Hits::default(),
        hidden: Hits::default(),
        hidden_answered: Hits::default(),
        next: Hits::default(),
        bins: [Bin::default(); 10],
        total: Total::default(),
        cost: Total::default(),
        state: None,
        metrics: None,
        wrongly_calibrated: false,
        wrong_reading: false,
        diagnoses: Vec::new(),
        false_alarms: 0,
        days: (world.end - world.start).as_seconds_f64() / 86_400.0,
        requests: u64::try_from(world.truth.len()).unwrap_or_default(),
        seconds: played.took.as_secs_f64(),
    };
    for attempt in world.truth.iter().filter(|t| t.billed_but_failed()) {
        score.total.truth += 1.0;
        score.cost.truth += prices.lookup(&attempt.model, &world.cell.region).map_or(0.0, |p| p.cost(&attempt.tokens));
        if attempt.joinable {
            score.confirmed.of += 1;
        } else if attempt.has_record {
            score.group(attempt.is_hidden(), attempt.kind).of += 1;
        }
    }
    for finding in &played.findings {
        let attempt = finding.request_id.as_deref().and_then(|id| truth.get(id)).copied();
        score.finding(finding, attempt);
    }
    score.totals(world, played);
    score.incidents(world, played);
    score
}

impl Score {
    /// Where a finding or a failure without an id counts.
    fn group(&mut self, hidden: bool, kind: Option<FailureKind>) -> &mut Hits {
        match kind {
            Some(kind) if hidden && kind.seen_by_aws() => &mut self.hidden_answered,
            _ if hidden => &mut self.hidden,
            Some(FailureKind::ReadTimeout) => &mut self.timeouts,
            Some(FailureKind::ConnectionReset | FailureKind::StreamTruncated) => &mut self.resets,
            _ => &mut self.other,
        }
    }

    fn finding(&mut self, finding: &Finding, attempt: Option<&RequestTruth>) {
        let billed = attempt.filter(|t| t.billed_but_failed());
        if finding.evidence == Evidence::Confirmed {
            self.confirmed.named += 1;
            self.confirmed.right += u64::from(billed.is_some_and(|t| t.joinable));
            self.confirmed.found += u64::from(billed.is_some_and(|t| t.joinable));
            return;
        }
        let hidden = finding.retry_of.is_some();
        // A line that is named must be of this very attempt.
        let of_its_line = |t: &RequestTruth| finding.client_log.is_none() || t.line == finding.client_log;
        let right = billed.is_some_and(|t| hidden || of_its_line(t));
        let bin = &mut self.bins[bin_of(finding.probability)];
        bin.count += 1;
        bin.said += finding.probability;
        bin.right += u64::from(right);
        if finding.probability < LISTED {
            return;
        }
        let hits = self.group(hidden, Some(finding.failure));
        hits.named += 1;
        hits.right += u64::from(right);
        if let Some(attempt) = billed.filter(|t| !t.joinable) {
            self.group(attempt.is_hidden(), attempt.kind).found += 1;
        }
        if hidden {
            self.next.named += 1;
            self.next.right += u64::from(attempt.is_some_and(|t| t.retry_of == finding.retry_of));
        }
    }

    fn totals(&mut self, world: &World, played: &Played) {
        let main = world.applications.first().map(|(application, _)| application.model_id.clone());
        for scope in &played.summary.scopes {
            #[allow(clippy::cast_precision_loss)] // counts of findings
            let named = (scope.confirmed.count + scope.probable.count) as f64;
            self.total.best += named + scope.estimated;
            self.total.lower += scope.lower;
            self.total.upper += scope.upper;
            self.cost.best +=
                scope.confirmed.cost_usd + scope.probable.cost_usd + scope.estimated_cost_usd.unwrap_or_default();
            if main.as_deref() == Some(&*scope.scope.model.to_string()) {
                self.state = Some(scope.state);
                let hypothesis = world.knobs.token_samples == TokenSamples::Metered;
                let AwsSide { lower, best, upper, invocations_count } = &scope.aws_side;
                let truth = world.truth.iter().filter(|t| t.model == scope.scope.model && t.billed_but_failed());
                let seen_by_aws = truth.filter(|t| t.kind.is_some_and(FailureKind::seen_by_aws)).count();
                #[allow(clippy::cast_precision_loss)] // a count of requests
                let total = Total { truth: seen_by_aws as f64, best: *best, lower: *lower, upper: *upper };
                self.metrics = Some(total).filter(|_| scope.state == EstimateState::Calibrated);
                let right = match world.knobs.invocations {
                    CountsInvocations::Successes => InvocationsCount::Successes,
                    CountsInvocations::Accepted => InvocationsCount::Accepted,
                };
                self.wrong_reading = invocations_count.is_some_and(|said| said != right);
                self.wrongly_calibrated = scope.state == EstimateState::Calibrated && !hypothesis;
            }
        }
    }

    fn incidents(&mut self, world: &World, played: &Played) {
        let beside = chrono::TimeDelta::minutes(BESIDE_MINUTES);
        let overlaps = |found: &Incident, truth: &TrueIncident| {
            let ended_at = found.ended_at.unwrap_or(world.end);
            found.started_at < truth.until + beside && ended_at > truth.from - chrono::TimeDelta::minutes(2)
        };
        for truth in &world.incidents {
            let same = played.incidents.iter().filter(|found| found.scope == truth.scope && overlaps(found, truth));
            let largest = same.max_by_key(|found| found.failures);
            let had_to_be_found = truth.cause.is_some() && truth.failures >= NOTICEABLE;
            if truth.cause.is_some() && (had_to_be_found || largest.is_some()) {
                self.diagnoses.push(Diagnosis {
                    had_to_be_found,
                    truth: truth.cause,
                    said: largest.map(|found| (found.cause, found.score)),
                    low_load: truth.low_load,
                    low_load_said: largest.is_some_and(|found| found.low_load),
                });
            }
        }
        // A failing neighbour on another model, or slowness that did make some give up, is no false alarm.
        let alarms = played.incidents.iter().filter(|found| {
            !world
                .incidents
                .iter()
                .any(|truth| overlaps(found, truth) && (found.scope == truth.scope || truth.failures > 0))
        });
        self.false_alarms = u64::try_from(alarms.count()).unwrap_or_default();
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a probability has ten tenths
fn bin_of(probability: f64) -> usize {
    ((probability * 10.0) as usize).min(9)
}
