//! One total per scope and window, nothing counted twice.
//!
//! AWS's metrics and its records tell of the same failures on its side; what only clients saw (resets, timeouts,
//! cut streams) AWS counts as successes. So: total = findings only clients saw + the larger of what was found on
//! AWS's side and what the metrics show there, for the settled minutes; plus what was found in younger ones.

use super::{AwsSide, ScopeSummary, Tally, estimate::Estimate, join::Joins, minutes::Minutes};
use crate::{
    model::{Cell, Evidence, FailureKind, Finding, Metric, ModelKey, Scope, Time, Tokens},
    price::{PriceRow, PriceTable},
};

/// The summary of one scope since a time.
pub(super) fn scope(
    cell: &Cell,
    model: &ModelKey,
    joins: &Joins,
    minutes: &Minutes,
    estimate: Option<&Estimate>,
    prices: &PriceTable,
    since: Time,
) -> ScopeSummary {
    let settled_until = minutes.settled_until(model).unwrap_or(since);
    let (mut confirmed, mut probable) = (Tally::default(), Tally::default());
    let (mut of_clients, mut of_aws, mut of_aws_young) = (0.0_f64, 0.0_f64, 0.0_f64);
    for finding in joins.findings_since(model, since) {
        match finding.evidence {
            Evidence::Confirmed => confirmed.add(finding),
            Evidence::Probable => probable.add(finding),
            Evidence::Estimated => {}
        }
        let side = if !finding.failure.seen_by_aws() {
            &mut of_clients
        } else if finding.occurred_at < settled_until {
            &mut of_aws
        } else {
            &mut of_aws_young
        };
        *side += 1.0;
    }
    let (mut pending, mut unjoined) = (0, 0.0);
    for (failure, open) in joins.unjoined_since(model, since) {
        pending += u64::from(open);
        match failure.text.kind {
            // Throttled and refused requests never reached the model.
            FailureKind::Throttled | FailureKind::ConnectError | FailureKind::Rejected => {}
            // In settled minutes the metrics already tell of what AWS saw.
            kind if kind.seen_by_aws() && failure.at < settled_until => {}
            _ => unjoined += 1.0,
        }
    }

    let named = of_clients + of_aws + of_aws_young;
    let unknown = Estimate::unknown("CloudWatch has shown no metrics of this model.");
    let estimate = estimate.unwrap_or(&unknown);
    let Estimate { lower, point, upper, state, reading, .. } = *estimate;
    let aws_side = AwsSide { lower, best: point, upper, invocations_count: reading };
    let beside = of_clients + of_aws_young;
    let best = beside + of_aws.max(point);
    let estimated = (best - named).max(0.0);
    ScopeSummary {
        scope: Scope { cell: cell.clone(), model: model.clone() },
        confirmed,
        probable,
        estimated,
        estimated_retries: 0.0,
        estimated_cost_usd: cost_of_one(
            prices.lookup(model, &cell.region),
            model,
            &confirmed,
            &probable,
            minutes,
            since,
        )
        .map(|cost| cost * estimated),
        lower: beside + of_aws.max(lower),
        // Failures that the metrics cannot show and that nothing was joined to may each have been billed.
        upper: beside + of_aws.max(upper) + unjoined,
        aws_side,
        state,
        state_reason: estimate.reason.clone(),
        priced: prices.lookup(model, &cell.region).is_some(),
        pending,
        latency: minutes.newest(model, Metric::InvocationLatency, since),
        time_to_first_token: minutes.newest(model, Metric::TimeToFirstToken, since),
    }
}

/// What one more billed failure would cost: the mean of the named ones, else of a request of this model.
fn cost_of_one(
    price: Option<&PriceRow>,
    model: &ModelKey,
    confirmed: &Tally,
    probable: &Tally,
    minutes: &Minutes,
    since: Time,
) -> Option<f64> {
    let price = price?;
    let priced = confirmed.count + probable.count - confirmed.unpriced - probable.unpriced;
    if priced > 0 {
        #[allow(clippy::cast_precision_loss)] // counts of findings are far below 2^52
        return Some((confirmed.cost_usd + probable.cost_usd) / priced as f64);
    }
    let (mut requests, mut input, mut output) = (0.0, 0.0, 0.0);
    for (_, stats) in minutes.readings(model, Metric::InputTokenCount, since..Time::MAX_UTC) {
        requests += stats.sample_count;
        input += stats.sum;
    }
    output += minutes
        .readings(model, Metric::OutputTokenCount, since..Time::MAX_UTC)
        .map(|(_, stats)| stats.sum)
        .sum::<f64>();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // sums of counts: whole and positive
    let tokens = Tokens { input: input as u64, output: output as u64, ..Tokens::default() };
    (requests > 0.0).then(|| price.cost(&tokens) / requests)
}

/// What was found to be billed though it failed in a run of minutes: how many, and dollars where there is a price.
pub(super) fn billed(joins: &Joins, model: &ModelKey, (start, end): (Time, Time)) -> (f64, Option<f64>) {
    let mut tally = Tally::default();
    joins
        .findings_since(model, start)
        .take_while(|finding| finding.occurred_at < end)
        .for_each(|finding| tally.add(finding));
    #[allow(clippy::cast_precision_loss)] // counts of findings are far below 2^52
    let count = tally.count as f64;
    (count, (tally.count > tally.unpriced || tally.count == 0).then_some(tally.cost_usd))
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
