//! The minutes of one scope as series, and how far counts of one request slip over a minute's border.

use chrono::Duration;

use crate::{correlate::minutes::Counts, model::Time};

/// All settled minutes that are kept, oldest first, and which series exist at all.
pub(super) struct Series<'a> {
    pub minutes: &'a [(Time, Counts)],
    /// Whether EstimatedTPMQuotaUsage, emitted for successes alone, is there.
    pub has_successes: bool,
    /// Whether InputTokenCount is there.
    pub has_metered: bool,
}

impl<'a> Series<'a> {
    pub(super) fn new(minutes: &'a [(Time, Counts)]) -> Self {
        Self {
            minutes,
            has_successes: minutes.iter().any(|(_, counts)| counts.successes.is_some()),
            has_metered: minutes.iter().any(|(_, counts)| counts.metered.is_some()),
        }
    }

    /// Whether a minute's requests are known but not what they metered: a datapoint that is missing is not a zero.
    pub(super) fn is_incomplete(&self, counts: &Counts) -> bool {
        let succeeded = counts.successes.unwrap_or(0.0) > 0.0
            || (!self.has_successes && counts.invocations.unwrap_or(0.0) > counts.errors());
        let lacks_successes =
            self.has_successes && counts.successes.is_none() && counts.metered_count() > counts.errors() + 1.0;
        (succeeded && counts.metered.is_none()) || lacks_successes
    }

    /// The standard deviation of how many requests slip over one border of minutes, in a difference of two counts:
    /// such slips leave a negative lag-1 autocovariance behind. Taken from minutes without errors.
    pub(super) fn slip(&self, difference: impl Fn(&Counts) -> f64) -> f64 {
        let mut previous: Option<(Time, f64)> = None;
        let (mut products, mut pairs) = (0.0, 0.0);
        for (minute, counts) in self.minutes {
            if counts.errors() > 0.0 || self.is_incomplete(counts) {
                previous = None;
                continue;
            }
            // In quiet minutes the difference is 0 on average: that is what calibration tests.
            let now = difference(counts);
            if let Some((before, value)) = previous
                && before + Duration::minutes(1) == *minute
            {
                products += value * now;
                pairs += 1.0;
            }
            previous = Some((*minute, now));
        }
        if pairs > 0.0 { (-products / pairs).max(0.0).sqrt() } else { 0.0 }
    }

    /// Runs of minutes with errors, each with its neighbours.
    pub(super) fn hot_runs(&self) -> Vec<&'a [(Time, Counts)]> {
        let mut ranges: Vec<std::ops::Range<usize>> = Vec::new();
        for (index, (minute, counts)) in self.minutes.iter().enumerate() {
            if counts.errors() == 0.0 {
                continue;
            }
            let is_beside = |other: usize| {
                self.minutes.get(other).is_some_and(|(at, _)| (*at - *minute).abs() <= Duration::minutes(1))
            };
            let start = if index > 0 && is_beside(index - 1) { index - 1 } else { index };
            let end = if is_beside(index + 1) { index + 2 } else { index + 1 };
            match ranges.last_mut() {
                Some(last) if last.end >= start => last.end = end,
                _ => ranges.push(start..end),
            }
        }
        ranges.into_iter().map(|range| &self.minutes[range]).collect()
    }
}

impl Counts {
    /// Requests that metered; none where the minute has no datapoint.
    pub(super) fn metered_count(&self) -> f64 {
        self.metered.unwrap_or(0.0)
    }
}

/// How far requests that slip over a minute's border can shift a difference of two counts over so many runs of
/// minutes: 3 sd of the border's share at both ends of each; at least 1.
pub(super) fn slack(slip: f64, runs: usize) -> f64 {
    #[allow(clippy::cast_precision_loss)] // a day has 1,440 minutes
    let borders = 2.0 * runs as f64;
    (3.0 * slip * borders.sqrt()).max(1.0)
}
