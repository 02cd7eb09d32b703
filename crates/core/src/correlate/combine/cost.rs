//! What is expected beyond the named ones, in dollars.

use super::{Inputs, Sides};
use crate::{
    correlate::Tally,
    model::{Metric, Time, Tokens},
};

/// Dollars of what is expected beyond the named: on the clients' side by the expectation over the records it may be,
/// on AWS's side at the mean of what was named there. `None` where the model has no known price.
pub(super) fn estimated(inputs: &Inputs<'_>, sides: &Sides, beyond: f64, of_aws: f64) -> Option<f64> {
    inputs.price?;
    let expected = inputs.expectation;
    let clients = if expected.count > 0.0 {
        expected.cost_usd / expected.count * beyond
    } else {
        beyond * of_one(inputs).unwrap_or(0.0)
    };
    let each = mean(&sides.confirmed).or_else(|| of_one(inputs)).unwrap_or(0.0);
    Some((clients + of_aws * each - (sides.probable.cost_usd - sides.aws_probable * each).max(0.0)).max(0.0))
}

fn mean(tally: &Tally) -> Option<f64> {
    let priced = tally.count - tally.unpriced;
    #[expect(clippy::cast_precision_loss, reason = "counts of findings are far below 2^52")]
    let priced = priced as f64;
    (priced > 0.0).then(|| tally.cost_usd / priced)
}

/// What a request of this model costs on average, by the metrics.
pub(super) fn of_one(inputs: &Inputs<'_>) -> Option<f64> {
    let read = |metric| inputs.minutes.readings(inputs.model, metric, inputs.since..Time::MAX_UTC);
    let (requests, input) = read(Metric::InputTokenCount)
        .fold((0.0, 0.0), |(requests, sum), (_, stats)| (requests + stats.sample_count, sum + stats.sum));
    let output: f64 = read(Metric::OutputTokenCount).map(|(_, stats)| stats.sum).sum();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sums of counts: whole and positive")]
    let tokens = Tokens { input: input as u64, output: output as u64, ..Tokens::default() };
    inputs.price.filter(|_| requests > 0.0).map(|price| price.cost(&tokens) / requests)
}
