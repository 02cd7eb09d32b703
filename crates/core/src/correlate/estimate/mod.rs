//! How many requests failed on AWS's side and were billed, from metrics alone.
//!
//! N = SampleCount(InputTokenCount) is taken for the number of requests that metered tokens; those above the
//! successes s were billed though they failed. Both halves of that are hypotheses and are tested before they are
//! used, on all settled minutes that are kept and not on the window alone: what `Invocations` counts (AWS's
//! documentation says two things; `reading`), and that a sample of InputTokenCount is a request (`tokens`). Where they
//! cannot be decided nothing is estimated, and the reason is said.

mod reading;
mod series;
mod tokens;

pub use self::reading::InvocationsCount;
use self::{
    reading::Reading,
    series::{Series, slack},
    tokens::Hypothesis,
};
use super::{EstimateState, minutes::Counts};
use crate::model::Time;

/// Billed failures on AWS's side over a window.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Estimate {
    pub lower: f64,
    pub point: f64,
    pub upper: f64,
    pub state: EstimateState,
    pub reason: String,
    /// What Invocations counts, where it is decided.
    pub reading: Option<InvocationsCount>,
    /// Requests that succeeded, where that is known.
    pub successes: Option<f64>,
    /// Errors of the minutes that were read.
    pub errors: f64,
}

impl Estimate {
    /// Nothing is known.
    pub(super) fn unknown(reason: &str) -> Self {
        Self {
            lower: 0.0,
            point: 0.0,
            upper: 0.0,
            state: EstimateState::Uncalibrated,
            reason: reason.to_owned(),
            reading: None,
            successes: None,
            errors: 0.0,
        }
    }
}

/// Estimates from the settled minutes of a window; `kept` are all that are kept, the window's among them.
pub(super) fn estimate(kept: &[(Time, Counts)], since: Time, count: InvocationsCount) -> Estimate {
    let first = kept.partition_point(|(minute, _)| *minute < since);
    let window = &kept[first..];
    let errors: f64 = window.iter().map(|(_, counts)| counts.errors()).sum();
    let uncalibrated =
        |reason: String, reading| Estimate { upper: errors, reading, errors, ..Estimate::unknown(&reason) };
    if window.is_empty() {
        return uncalibrated("No minute of this window has settled yet.".into(), None);
    }
    let all = Series::new(kept);
    if !all.has_metered {
        let reason = "CloudWatch shows no InputTokenCount for this model, so metered requests cannot be counted.";
        return uncalibrated(reason.into(), None);
    }
    let reading = reading::decide(&all, count);
    let decided = reading.count();
    if let (Reading::Undecided(reason) | Reading::Neither(reason), true) = (&reading, reading.is_needed(&all)) {
        return uncalibrated(reason.clone(), None);
    }
    let successes = |counts: &Counts| reading.successes(&all, counts);
    let hypothesis = tokens::test(&all, successes);
    if let Hypothesis::Broken(reason) = hypothesis {
        return uncalibrated(reason, decided);
    }

    let slack = slack(all.slip(|counts| counts.metered_count() - successes(counts).1), 1);
    let (mut low, mut high, mut metered, mut succeeded) = (0.0, 0.0, 0.0, 0.0);
    let (mut known_errors, mut unread) = (0.0, 0.0);
    for (_, counts) in window {
        if all.is_incomplete(counts) {
            unread += counts.errors();
            continue;
        }
        let (fewest, most) = successes(counts);
        let samples = counts.metered_count();
        low += samples - most;
        high += samples - fewest;
        metered += samples;
        succeeded += f64::midpoint(fewest, most);
        known_errors += counts.errors();
    }
    let lower = (low - slack).max(0.0).min(known_errors);
    if matches!(hypothesis, Hypothesis::Blind) {
        let reason = if errors == 0.0 {
            "AWS counted no error in this window; whether failed requests meter tokens here has not been seen yet."
        } else {
            "No failed request of this model was seen to meter tokens yet; whether that would show in CloudWatch is not known, so only the lower bound holds."
        };
        return Estimate {
            lower,
            point: lower,
            upper: errors,
            state: EstimateState::LowerBound,
            reason: reason.into(),
            reading: decided,
            successes: Some(succeeded),
            errors,
        };
    }
    let upper = metered.min(known_errors).min(high + slack).max(lower) + unread;
    let point = f64::midpoint(low, high).clamp(lower, upper);
    let mut reason =
        format!("{point:.0} requests metered tokens beyond those that succeeded, among {errors:.0} errors");
    if unread > 0.0 {
        reason += &format!("; {unread:.0} of these are in minutes whose token counts are missing");
    }
    reason.push('.');
    let state = EstimateState::Calibrated;
    Estimate { lower, point, upper, state, reason, reading: decided, successes: Some(succeeded), errors }
}

#[cfg(test)]
mod tests;
