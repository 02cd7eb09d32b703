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
    /// For each minute, requests that metered beyond those that succeeded; empty where that is not known.
    pub by_minute: Vec<(Time, f64)>,
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
            by_minute: Vec::new(),
        }
    }
}

/// Records that carry an errorCode: requests that AWS failed, and whether they metered.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct ErrorRecords {
    /// Without tokens: nothing was billed for these.
    pub unmetered: f64,
    /// All of them.
    pub all: f64,
}

/// What the invocation log says beside the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct InvocationLog {
    /// Of all minutes that are kept.
    pub kept: ErrorRecords,
    /// Of the window's settled minutes.
    pub window: ErrorRecords,
    /// Whether every record of the window has been read.
    pub complete: bool,
    /// The share of records that never arrived.
    pub loss: f64,
}

impl InvocationLog {
    /// The failed requests among so many errors that left no record without tokens; `None` where the log is not complete,
    /// or was never seen to tell of failed requests.
    fn metered(&self, errors: f64) -> Option<f64> {
        let tells = self.complete && self.kept.all >= f64::max(1.0, 0.02 * errors);
        tells.then(|| (errors - self.window.unmetered / (1.0 - self.loss)).max(0.0))
    }
}

/// Estimates from the settled minutes of a window; `kept` are all that are kept, the window's among them.
pub(super) fn estimate(kept: &[(Time, Counts)], since: Time, count: InvocationsCount, log: &InvocationLog) -> Estimate {
    let first = kept.partition_point(|(minute, _)| *minute < since);
    let window = &kept[first..];
    let errors: f64 = window.iter().map(|(_, counts)| counts.errors()).sum();
    // Whatever the metrics can tell: requests whose records show no tokens were not billed.
    let most = (errors - log.window.unmetered).max(0.0);
    let by_log = log.metered(errors).map_or(0.0, |metered| metered.min(most));
    let uncalibrated = |reason: String, reading| Estimate {
        point: by_log,
        upper: most,
        reading,
        errors,
        ..Estimate::unknown(&reason)
    };
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
    let hypothesis = tokens::test(&all, successes, log.kept.unmetered);
    if let Hypothesis::Broken(reason) = hypothesis {
        return uncalibrated(reason, decided);
    }

    let slack = slack(all.slip(|counts| counts.metered_count() - successes(counts).1), 1);
    let mut sums = Sums::default();
    for (_, counts) in window {
        sums.add(counts, successes(counts), all.is_incomplete(counts));
    }
    let lower = (sums.low - slack).max(0.0).min(sums.errors).min(most);
    let (state, point, upper, reason) = if matches!(hypothesis, Hypothesis::Blind) {
        let reason = if errors == 0.0 {
            "AWS counted no error in this window; whether failed requests meter tokens here has not been seen yet."
        } else {
            "No failed request of this model was seen to meter tokens yet; whether that would show in CloudWatch is not known, so only the lower bound holds."
        };
        (EstimateState::LowerBound, by_log.max(lower), most.max(lower), reason.to_owned())
    } else {
        let by_metrics = sums.metered.min(sums.errors).min(sums.high + slack) + sums.unread;
        let upper = by_metrics.min(most).max(lower);
        let point = f64::midpoint(sums.low, sums.high).clamp(lower, upper);
        let mut reason =
            format!("{point:.0} requests metered tokens beyond those that succeeded, among {errors:.0} errors");
        if sums.unread > 0.0 {
            reason += &format!("; {:.0} of these are in minutes whose token counts are missing", sums.unread);
        }
        (EstimateState::Calibrated, point, upper, reason + ".")
    };
    let beyond = |counts: &Counts| counts.metered_count() - f64::midpoint(successes(counts).0, successes(counts).1);
    let by_minute = window.iter().filter(|(_, counts)| counts.errors() > 0.0).map(|(at, counts)| (*at, beyond(counts)));
    let by_minute = if state == EstimateState::Calibrated { by_minute.collect() } else { Vec::new() };
    Estimate {
        lower,
        point,
        upper,
        state,
        reason,
        reading: decided,
        successes: Some(sums.succeeded),
        errors,
        by_minute,
    }
}

/// What the minutes of a window add up to.
#[derive(Default)]
struct Sums {
    /// Requests that metered beyond the successes, at least and at most.
    low: f64,
    high: f64,
    metered: f64,
    succeeded: f64,
    errors: f64,
    /// Errors of minutes whose token counts are missing.
    unread: f64,
}

impl Sums {
    fn add(&mut self, counts: &Counts, (fewest, most): (f64, f64), is_incomplete: bool) {
        if is_incomplete {
            self.unread += counts.errors();
            return;
        }
        let metered = counts.metered_count();
        self.low += metered - most;
        self.high += metered - fewest;
        self.metered += metered;
        self.succeeded += f64::midpoint(fewest, most);
        self.errors += counts.errors();
    }
}

#[cfg(test)]
mod tests;
