//! What a total rests on, and what is missing of it.

use super::Sides;
use crate::{
    correlate::{EstimateState, estimate::Estimate, expectation::Expectation, join::Joins, minutes::Minutes},
    model::{Cell, FailureKind, ModelKey, Time},
    price::PriceRow,
};

/// Fewer lost records than this share are not worth a word.
const NOTABLE_LOSS: f64 = 0.002;
/// However few records arrive: not more than this share is taken for lost.
const MOST_LOST: f64 = 0.5;

/// Everything that the total of one scope rests on.
#[derive(Debug, Clone, Copy)]
pub(in crate::correlate) struct Inputs<'a> {
    pub cell: &'a Cell,
    pub model: &'a ModelKey,
    pub joins: &'a Joins,
    pub minutes: &'a Minutes,
    pub estimate: &'a Estimate,
    pub expectation: &'a Expectation,
    pub price: Option<&'a PriceRow>,
    pub since: Time,
    /// The share of records that never arrived.
    pub loss: f64,
    /// Whether there is an invocation log at all.
    pub has_log: bool,
    /// Whether every record of the window has been read.
    pub fully_read: bool,
}

/// The share of records that never arrived, by what AWS says of their delivery, else by the requests that succeeded.
pub(in crate::correlate) fn loss((delivered, lost): (f64, f64), recorded: f64, succeeded: Option<f64>) -> f64 {
    let share = if delivered + lost > 0.0 {
        lost / (delivered + lost)
    } else {
        match succeeded {
            // Chance and minutes at the window's ends: only what is clearly beyond them is a loss.
            Some(succeeded) if succeeded > 0.0 && recorded > 0.0 => {
                let missing = 1.0 - recorded / succeeded;
                if missing * succeeded > 3.0 * succeeded.sqrt() + 2.0 { missing } else { 0.0 }
            }
            _ => 0.0,
        }
    };
    share.clamp(0.0, MOST_LOST)
}

/// Without an invocation log: how many of the failures that clients logged were billed, as such failures usually are.
pub(super) fn expected_without_log(joins: &Joins, model: &ModelKey, since: Time) -> f64 {
    let each = joins.unjoined_since(model, since).map(|(failure, _)| {
        let reached = match failure.text.kind {
            FailureKind::ReadTimeout | FailureKind::StreamTruncated => 0.9,
            FailureKind::ConnectionReset => 0.7,
            _ => return 0.0,
        };
        // Each attempt that timed out was billed.
        reached * f64::from(failure.text.attempts.unwrap_or(1).max(1))
    });
    each.sum()
}

/// Why the interval is wider than it could be; empty where everything is known.
pub(super) fn reasons(inputs: &Inputs<'_>, sides: &Sides) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut add = |condition: bool, reason: String| {
        if condition {
            reasons.push(reason);
        }
    };
    let Inputs { estimate, loss, .. } = *inputs;
    add(
        !inputs.has_log,
        "No invocation record was read: what only clients saw fail is counted from their logs alone, up to five attempts each.".into(),
    );
    add(
        inputs.has_log && !inputs.fully_read,
        "Not every record of the window was read: earlier attempts of calls that ended well are not seen (invocations.read: all).".into(),
    );
    add(
        loss > NOTABLE_LOSS,
        format!(
            "{:.1} % of the invocation records never arrived: the failures among them are extrapolated.",
            100.0 * loss
        ),
    );
    add(
        estimate.state != EstimateState::Calibrated && estimate.upper > sides.aws,
        format!("AWS's own failures are not known exactly: {}", estimate.reason),
    );
    add(sides.open > 0.0, format!("{:.0} failures are not concluded: their records may still come.", sides.open));
    let unsettled = inputs.minutes.unsettled_errors(inputs.model, inputs.since);
    add(
        unsettled > 0.0,
        format!("{unsettled:.0} errors are in minutes that CloudWatch may still revise; they are not counted yet."),
    );
    reasons
}
