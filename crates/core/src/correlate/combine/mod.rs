//! One total per scope and window, nothing counted twice.
//!
//! AWS's metrics and its records tell of the same failures on its side; what only clients saw (resets, timeouts,
//! cut streams) AWS counts as successes. So: total = what is known for certain of the clients' side + what is expected
//! there beyond it + the larger of what was found on AWS's side and what the metrics show there, for the settled minutes;
//! plus what was found in younger ones. What is certain is the lower end of the interval.

mod cost;
mod inputs;

pub(super) use self::inputs::{Inputs, loss};
use super::{AwsSide, ScopeSummary, Tally, estimate::Estimate, join::Joins};
use crate::model::{Evidence, FailureKind, Finding, Metric, ModelKey, Scope, Time};

/// 1.645 standard deviations on either side hold 90 %.
const NINETY: f64 = 1.645;
/// Where the invocation log is not read, each failure that a client logged stands for at most so many billed attempts.
const ATTEMPTS: f64 = 5.0;

/// Findings and failures of a scope, by the side that saw them.
#[derive(Debug, Default)]
struct Sides {
    confirmed: Tally,
    probable: Tally,
    /// Certain, and seen by clients alone.
    clients: f64,
    /// Certain, on AWS's side, in settled minutes and in younger ones.
    aws: f64,
    aws_young: f64,
    /// Probable, on AWS's side.
    aws_probable: f64,
    /// Failures that only clients saw: still open, and concluded without a record of their own.
    open: f64,
    unjoined: f64,
    /// All that is still open.
    pending: u64,
}

impl Sides {
    fn of(joins: &Joins, model: &ModelKey, since: Time, settled_until: Time) -> Self {
        let mut this = Self::default();
        for finding in joins.findings_since(model, since) {
            let of_aws = finding.failure.seen_by_aws();
            match finding.evidence {
                Evidence::Confirmed => {
                    this.confirmed.add(finding);
                    let side = match (of_aws, finding.occurred_at < settled_until) {
                        (false, _) => &mut this.clients,
                        (true, true) => &mut this.aws,
                        (true, false) => &mut this.aws_young,
                    };
                    *side += 1.0;
                }
                Evidence::Probable => {
                    this.probable.add(finding);
                    this.aws_probable += f64::from(u8::from(of_aws));
                }
                Evidence::Estimated => {}
            }
        }
        for (failure, open) in joins.unjoined_since(model, since) {
            this.pending += u64::from(open);
            match failure.text.kind {
                // Throttled and refused requests never reached the model.
                FailureKind::Throttled | FailureKind::ConnectError | FailureKind::Rejected => {}
                // In settled minutes the metrics already tell of what AWS saw.
                kind if kind.seen_by_aws() && failure.at < settled_until => {}
                _ if open => this.open += 1.0,
                _ => this.unjoined += 1.0,
            }
        }
        this
    }
}

/// The summary of one scope.
pub(super) fn scope(inputs: &Inputs<'_>) -> ScopeSummary {
    let Inputs { cell, model, joins, minutes, since, .. } = *inputs;
    let settled_until = minutes.settled_until(model).unwrap_or(since);
    let sides = Sides::of(joins, model, since, settled_until);
    let estimate = inputs.estimate;
    let expected = inputs.expectation;

    // Records that never arrived hide as large a share of the failures.
    let arrived = 1.0 - inputs.loss;
    let found = sides.clients + expected.count;
    let lost = found / arrived - found;
    let (beyond, sd) = if inputs.has_log {
        (expected.count + lost, ((expected.sd / arrived).powi(2) + lost).sqrt())
    } else {
        (inputs::expected_without_log(joins, model, since), 0.0)
    };
    let best_of_aws = sides.aws.max(estimate.point);
    let least_of_aws = sides.aws.max(estimate.lower);
    let most_of_aws = best_of_aws.max(estimate.upper);
    let best = sides.clients + beyond + best_of_aws + sides.aws_young;
    let certain = sides.clients + least_of_aws + sides.aws_young;

    let spread = |of_aws: f64| (NINETY * sd).hypot(of_aws);
    let mut upper = best + spread(most_of_aws - best_of_aws) + sides.open;
    if !inputs.has_log || !inputs.fully_read {
        upper = upper.max(sides.clients + ATTEMPTS * (sides.open + sides.unjoined) + most_of_aws + sides.aws_young);
    }
    let likely_lower = (best - spread(best_of_aws - least_of_aws)).max(certain);

    #[expect(clippy::cast_precision_loss, reason = "counts of findings are far below 2^52")]
    let named = (sides.confirmed.count + sides.probable.count) as f64;
    let named_of_aws = sides.aws + sides.aws_probable;
    #[expect(clippy::cast_precision_loss, reason = "counts of findings are far below 2^52")]
    let named_retries = sides.probable.retries as f64;
    ScopeSummary {
        scope: Scope { cell: cell.clone(), model: model.clone() },
        confirmed: sides.confirmed,
        probable: sides.probable,
        estimated: (best - named).max(0.0),
        estimated_retries: (expected.hidden / arrived - named_retries).max(0.0),
        estimated_cost_usd: cost::estimated(inputs, &sides, beyond, (best_of_aws - named_of_aws).max(0.0)),
        lower: certain,
        likely_lower,
        upper,
        widened_by: inputs::reasons(inputs, &sides),
        aws_side: AwsSide {
            lower: estimate.lower,
            best: estimate.point,
            upper: estimate.upper,
            invocations_count: estimate.reading,
        },
        state: estimate.state,
        state_reason: estimate.reason.clone(),
        priced: inputs.price.is_some(),
        pending: sides.pending,
        latency: minutes.newest(model, Metric::InvocationLatency, since),
        time_to_first_token: minutes.newest(model, Metric::TimeToFirstToken, since),
    }
}

/// What was billed though it failed in a run of minutes: how many, named and expected, and dollars where there is a
/// price.
pub(super) fn billed(inputs: &Inputs<'_>, (start, end): (Time, Time), of_aws: f64) -> (f64, Option<f64>) {
    let (mut clients, mut aws) = ((0.0, 0.0), (0.0, 0.0));
    let named = inputs.joins.findings_since(inputs.model, start).take_while(|finding| finding.occurred_at < end);
    for finding in named.filter(|finding| finding.evidence == Evidence::Confirmed) {
        let side = if finding.failure.seen_by_aws() { &mut aws } else { &mut clients };
        side.0 += 1.0;
        side.1 += finding.cost_usd.unwrap_or(0.0);
    }
    let (expected, expected_cost) = inputs.expectation.between(start, end);
    let beyond = (of_aws - aws.0).max(0.0);
    let each = if aws.0 > 0.0 { Some(aws.1 / aws.0) } else { cost::of_one(inputs) };
    let cost = clients.1 + expected_cost + aws.1 + beyond * each.unwrap_or(0.0);
    (clients.0 + expected + aws.0 + beyond, inputs.price.map(|_| cost))
}

impl Tally {
    fn add(&mut self, finding: &Finding) {
        self.count += 1;
        self.tokens += finding.tokens;
        self.retries += u64::from(finding.retry_of.is_some());
        self.cost_usd += finding.cost_usd.unwrap_or(0.0);
        self.unpriced += u64::from(finding.cost_usd.is_none());
    }
}

impl Estimate {
    /// What metrics show on AWS's side beyond the successes in a run of minutes; 0 where they cannot tell.
    pub(super) fn between(&self, (start, end): (Time, Time)) -> f64 {
        let from = self.by_minute.partition_point(|(at, _)| *at < start);
        let until = self.by_minute.partition_point(|(at, _)| *at < end);
        self.by_minute[from..until.max(from)].iter().map(|(_, beyond)| beyond).sum::<f64>().max(0.0)
    }
}
