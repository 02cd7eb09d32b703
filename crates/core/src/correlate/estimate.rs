//! How many requests failed on AWS's side and were billed, from metrics alone.
//!
//! N = SampleCount(InputTokenCount) is taken for the number of requests that metered tokens; those above the
//! successes s were billed though they failed. Both halves of that are hypotheses and are tested before they are
//! used: what `Invocations` counts (AWS's documentation says two things), and that a sample of InputTokenCount is a
//! request. Where they cannot be decided nothing is estimated, and the reason is said.

use super::{EstimateState, minutes::MinuteOfScope};
use crate::model::{Metric, Time};

/// What CloudWatch's Invocations counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvocationsCount {
    /// To be calibrated.
    #[default]
    Auto,
    /// Successful requests.
    Successes,
    /// Every request accepted, also those that failed later.
    Accepted,
}

/// Fewer errors than this cannot tell one reading from the other.
const ERRORS_TO_DECIDE: f64 = 8.0;
/// The token hypothesis is tested on blocks this long.
const BLOCK_MINUTES: usize = 10;

/// Billed failures on AWS's side over a window.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Estimate {
    pub lower: f64,
    pub point: f64,
    pub upper: f64,
    pub state: EstimateState,
    pub reason: String,
}

/// One minute's counts. Errors that have no datapoint in a minute that has others are none; series without any
/// datapoint at all are unknown, which is not 0.
struct Minute {
    invocations: f64,
    successes: Option<f64>,
    metered: f64,
    server_errors: f64,
    client_errors: f64,
}

impl Minute {
    const fn errors(&self) -> f64 {
        self.server_errors + self.client_errors
    }
}

/// Estimates from the settled minutes of a window.
pub(super) fn estimate(minutes: &[(Time, MinuteOfScope)], count: InvocationsCount) -> Estimate {
    let has = |metric| minutes.iter().any(|(_, metrics)| metrics.contains_key(&metric));
    let knows_successes = has(Metric::EstimatedTPMQuotaUsage);
    let read: Vec<Minute> = minutes
        .iter()
        .map(|(_, metrics)| {
            let samples = |metric| metrics.get(&metric).map_or(0.0, |stats| stats.sample_count);
            let sum = |metric| metrics.get(&metric).map_or(0.0, |stats| stats.sum);
            Minute {
                invocations: sum(Metric::Invocations),
                successes: knows_successes.then(|| samples(Metric::EstimatedTPMQuotaUsage)),
                metered: samples(Metric::InputTokenCount),
                server_errors: sum(Metric::InvocationServerErrors),
                client_errors: sum(Metric::InvocationClientErrors),
            }
        })
        .collect();
    let errors: f64 = read.iter().map(Minute::errors).sum();
    let nothing = |state, reason: &str, upper| Estimate { lower: 0.0, point: 0.0, upper, state, reason: reason.into() };

    if read.is_empty() {
        return nothing(EstimateState::Uncalibrated, "No minute of this window has settled yet.", 0.0);
    }
    if !has(Metric::InputTokenCount) {
        let reason = "CloudWatch shows no InputTokenCount for this model, so metered requests cannot be counted.";
        return nothing(EstimateState::Uncalibrated, reason, errors);
    }
    let zero_samples = minutes.iter().any(|(_, metrics)| {
        metrics.get(&Metric::InputTokenCount).is_some_and(|stats| stats.minimum.is_some_and(|least| least <= 0.0))
    });
    if zero_samples {
        let reason =
            "InputTokenCount has samples of 0: its sample count is not the number of requests that were metered.";
        return nothing(EstimateState::Uncalibrated, reason, errors);
    }

    let slack = edge_slack(&read);
    let Some(reading) = reading(&read, count, slack) else {
        let reason = format!(
            "With {errors:.0} errors in the window it cannot be told whether Invocations counts successful or accepted requests."
        );
        return nothing(EstimateState::Uncalibrated, &reason, errors);
    };
    let successes = |minute: &Minute| match (minute.successes, reading) {
        (Some(known), _) => (known, known),
        (None, InvocationsCount::Accepted) => {
            (minute.invocations - minute.errors(), minute.invocations - minute.server_errors)
        }
        (None, _) => (minute.invocations, minute.invocations),
    };
    let metered_beyond = |minutes: &[Minute]| {
        minutes.iter().fold((0.0, 0.0), |(low, high), minute| {
            let (fewest, most) = successes(minute);
            (low + minute.metered - most, high + minute.metered - fewest)
        })
    };
    let broken = read.chunks(BLOCK_MINUTES).any(|block| {
        let (low, high) = metered_beyond(block);
        let errors: f64 = block.iter().map(Minute::errors).sum();
        high < -slack || low > errors + slack
    });
    if broken {
        let reason = "Metered requests and successes differ by more than the errors: InputTokenCount does not count requests here.";
        return nothing(EstimateState::Uncalibrated, reason, errors);
    }

    let (low, high) = metered_beyond(&read);
    let lower = (low - slack).max(0.0);
    if low <= slack {
        // Either nothing was metered beyond the successes, or failed requests leave no sample: not to be told apart.
        let reason = "No failed request was seen to meter tokens in this window; whether that shows in CloudWatch is not known, so only the lower bound holds.";
        return Estimate {
            lower,
            point: lower,
            upper: errors,
            state: EstimateState::LowerBound,
            reason: reason.into(),
        };
    }
    let metered: f64 = read.iter().map(|minute| minute.metered).sum();
    let upper = metered.min(errors).min(high + slack).max(lower);
    let point = ((low + high) / 2.0).clamp(lower, upper);
    let reason = format!("{point:.0} requests metered tokens beyond those that succeeded, among {errors:.0} errors.");
    Estimate { lower, point, upper, state: EstimateState::Calibrated, reason }
}

/// What Invocations counts, where the minutes with errors decide it.
fn reading(minutes: &[Minute], count: InvocationsCount, slack: f64) -> Option<InvocationsCount> {
    if count != InvocationsCount::Auto {
        return Some(count);
    }
    let errors: f64 = minutes.iter().map(Minute::errors).sum();
    // Known successes make the reading needless; without errors both readings say the same.
    if minutes.iter().all(|minute| minute.successes.is_some()) || errors == 0.0 {
        return Some(InvocationsCount::Successes);
    }
    if errors < ERRORS_TO_DECIDE {
        return None;
    }
    // Without a count of successes: failed requests that metered put N above I only where I leaves them out.
    let residual: f64 = minutes.iter().map(|minute| minute.invocations - minute.metered).sum();
    if residual < -slack {
        Some(InvocationsCount::Successes)
    } else if residual > slack {
        Some(InvocationsCount::Accepted)
    } else {
        None
    }
}

/// How far requests that slip over a minute's border can shift a difference of two counts: 3 sd of the border's
/// share, from minus the lag-1 autocovariance of the difference, at both ends of the window; at least 1.
fn edge_slack(minutes: &[Minute]) -> f64 {
    let differences: Vec<f64> =
        minutes.iter().map(|minute| minute.invocations - minute.successes.unwrap_or(minute.metered)).collect();
    #[allow(clippy::cast_precision_loss)] // a window has some hundred minutes
    let count = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / count;
    let lag_one = differences.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum::<f64>() / count;
    (3.0 * (-lag_one).max(0.0).sqrt() * std::f64::consts::SQRT_2).max(1.0)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Duration};

    use super::*;
    use crate::model::MetricStats;

    /// An hour: per minute `successes` that succeed, and in minutes 20 to 30 `failed` that fail, of which `billed`
    /// meter tokens.
    fn hour(successes: f64, failed: f64, billed: f64, accepted: bool, with_quota: bool) -> Vec<(Time, MinuteOfScope)> {
        (0..60)
            .map(|minute| {
                let hot = if (20..30).contains(&minute) { 1.0 } else { 0.0 };
                let counted = if accepted { failed * hot } else { 0.0 };
                let mut metrics = MinuteOfScope::new();
                let mut put = |metric, count: f64, each: f64| {
                    if count > 0.0 {
                        let minimum = Some(each);
                        let stats =
                            MetricStats { sum: count * each, sample_count: count, minimum, ..Default::default() };
                        metrics.insert(metric, stats);
                    }
                };
                put(Metric::Invocations, successes + counted, 1.0);
                put(Metric::InvocationServerErrors, failed * hot, 1.0);
                put(Metric::InputTokenCount, successes + billed * hot, 500.0);
                if with_quota {
                    put(Metric::EstimatedTPMQuotaUsage, successes, 700.0);
                }
                (DateTime::UNIX_EPOCH + Duration::minutes(minute), metrics)
            })
            .collect()
    }

    #[test]
    fn requests_that_metered_beyond_the_successes_are_counted_under_either_reading() {
        for accepted in [false, true] {
            let estimate = estimate(&hour(40.0, 6.0, 4.0, accepted, true), InvocationsCount::Auto);
            assert_eq!(estimate.state, EstimateState::Calibrated, "{estimate:?}");
            assert!((estimate.point - 40.0).abs() < 1e-9, "{estimate:?}");
            assert!(estimate.lower <= 40.0 && 40.0 <= estimate.upper && estimate.upper <= 60.0, "{estimate:?}");
            assert!(estimate.upper - estimate.lower <= 2.0, "{estimate:?}");
        }
    }

    #[test]
    fn without_a_count_of_successes_the_reading_is_decided_by_what_metered_or_not_at_all() {
        let successes_only = estimate(&hour(40.0, 6.0, 4.0, false, false), InvocationsCount::Auto);
        assert!((successes_only.point - 40.0).abs() < 1e-9, "{successes_only:?}");
        let undecided = estimate(&hour(40.0, 0.5, 0.4, false, false), InvocationsCount::Auto);
        assert_eq!(undecided.state, EstimateState::Uncalibrated, "5 errors decide nothing: {undecided:?}");
        assert!(undecided.point == 0.0 && undecided.upper >= 5.0, "{undecided:?}");
    }

    #[test]
    fn the_configuration_decides_where_the_metrics_cannot() {
        let minutes = hour(40.0, 0.5, 0.4, false, false);
        let estimate = estimate(&minutes, InvocationsCount::Successes);
        assert_eq!(estimate.state, EstimateState::Calibrated, "{estimate:?}");
        assert!((estimate.point - 4.0).abs() < 1e-9, "{estimate:?}");
    }

    #[test]
    fn nothing_metered_beyond_the_successes_is_a_lower_bound_and_not_a_zero() {
        let estimate = estimate(&hour(40.0, 6.0, 0.0, false, true), InvocationsCount::Auto);
        assert_eq!(estimate.state, EstimateState::LowerBound, "{estimate:?}");
        assert!(estimate.lower == 0.0 && estimate.upper == 60.0, "{estimate:?}");
    }

    #[test]
    fn a_token_metric_that_does_not_count_requests_is_not_believed() {
        let mut minutes = hour(40.0, 6.0, 4.0, false, true);
        for (_, metrics) in &mut minutes[..10] {
            if let Some(stats) = metrics.get_mut(&Metric::InputTokenCount) {
                stats.sample_count *= 2.0;
            }
        }
        assert_eq!(estimate(&minutes, InvocationsCount::Auto).state, EstimateState::Uncalibrated);

        let mut minutes = hour(40.0, 6.0, 4.0, false, true);
        if let Some(stats) = minutes[3].1.get_mut(&Metric::InputTokenCount) {
            stats.minimum = Some(0.0);
        }
        let estimate = estimate(&minutes, InvocationsCount::Auto);
        assert_eq!((estimate.state, estimate.upper), (EstimateState::Uncalibrated, 60.0), "{estimate:?}");
    }

    #[test]
    fn a_model_without_token_metrics_or_settled_minutes_is_uncalibrated() {
        assert_eq!(estimate(&[], InvocationsCount::Auto).state, EstimateState::Uncalibrated);
        let mut minutes = hour(40.0, 6.0, 4.0, false, true);
        for (_, metrics) in &mut minutes {
            metrics.remove(&Metric::InputTokenCount);
        }
        assert_eq!(estimate(&minutes, InvocationsCount::Auto).state, EstimateState::Uncalibrated);
    }
}
