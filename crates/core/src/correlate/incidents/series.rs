//! The failures of one scope by minute, from whoever saw them: AWS's metrics, its records, clients' logs.

use std::collections::BTreeMap;

use chrono::Duration;

use super::{
    segments::{self, Minute, Segment},
    signals::Teller,
};
use crate::{
    correlate::minutes::Counts,
    model::{FailureKind, Time},
};

/// Failures that have a cause in common often enough to be counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Series {
    /// 5xx.
    Server,
    /// 429.
    Throttle,
    /// 4xx of the model or of the caller's making, which AWS counts as one.
    ClientError,
    /// Connections lost.
    Network,
    /// Clients that gave up waiting.
    Timeout,
}

impl Series {
    pub(super) const COUNT: usize = 5;
    pub(super) const ALL: [Self; Self::COUNT] =
        [Self::Server, Self::Throttle, Self::ClientError, Self::Network, Self::Timeout];

    /// Where a kind of failure is counted.
    pub(super) const fn of(kind: FailureKind) -> Self {
        match kind {
            FailureKind::ServiceUnavailable | FailureKind::InternalError | FailureKind::StreamError => Self::Server,
            FailureKind::Throttled => Self::Throttle,
            FailureKind::ModelTimeout | FailureKind::ModelError | FailureKind::Rejected => Self::ClientError,
            FailureKind::ConnectionReset | FailureKind::ConnectError | FailureKind::StreamTruncated => Self::Network,
            FailureKind::ReadTimeout => Self::Timeout,
        }
    }
}

/// One minute.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct MinuteOfScope {
    /// Requests, those that failed among them.
    pub requests: f64,
    /// Failures by series. Of several who tell of the same failures the one that tells of most is believed.
    pub failures: [f64; Series::COUNT],
    /// Requests with a latency, and the sum of their seconds.
    pub latency: (f64, f64),
    told: [[f64; 2]; Series::COUNT],
    known: bool,
}

/// Every minute of a scope of which something is known.
#[derive(Debug, Default)]
pub(super) struct SeriesOfScope {
    pub minutes: BTreeMap<Time, MinuteOfScope>,
    /// The usual share of requests that fail, by series.
    pub usual: [f64; Series::COUNT],
}

impl SeriesOfScope {
    /// Takes in what CloudWatch counted in a minute.
    pub(super) fn count(&mut self, at: Time, counts: &Counts) {
        let minute = self.minutes.entry(at).or_default();
        let served = [counts.invocations, counts.successes, counts.metered].into_iter().flatten().fold(0.0, f64::max);
        let failed = counts.errors() + counts.throttles;
        minute.known = true;
        minute.latency = counts.latency;
        // Whether Invocations counts failures is not known everywhere: this is right or a little too much.
        minute.requests = served + failed;
        minute.failures[Series::Server as usize] = counts.server_errors;
        minute.failures[Series::Throttle as usize] = counts.throttles;
        minute.failures[Series::ClientError as usize] = counts.client_errors;
    }

    /// Takes in one failure that a client's log or a record tells of.
    pub(super) fn tell(&mut self, at: Time, kind: FailureKind, teller: Teller) {
        let minute = self.minutes.entry(at).or_default();
        minute.told[Series::of(kind) as usize][teller as usize] += 1.0;
    }

    /// Brings together what metrics, records and logs say, and finds the runs that stand out. `None` where there is no
    /// failure at all.
    pub(super) fn runs(&mut self, now: Time) -> Vec<Segment> {
        let typical = self.typical_rate();
        for minute in self.minutes.values_mut() {
            for (failures, told) in minute.failures.iter_mut().zip(minute.told) {
                *failures = told.into_iter().fold(*failures, f64::max);
            }
            if !minute.known {
                // Logs are read sooner than metrics: until then the minute is taken for a usual one.
                minute.requests = typical;
            }
            minute.requests = minute.requests.max(minute.failures.iter().sum());
        }
        let mut runs = Vec::new();
        for series in Series::ALL {
            let index = series as usize;
            let of = |(at, minute): (&Time, &MinuteOfScope)| Minute {
                at: *at,
                failures: minute.failures[index],
                requests: minute.requests,
            };
            let minutes: Vec<Minute> = self.minutes.iter().map(of).collect();
            if minutes.iter().all(|minute| minute.failures == 0.0) {
                continue;
            }
            let (usual, found) = segments::find(&minutes, now);
            self.usual[index] = usual;
            runs.extend(found);
        }
        runs.sort_by_key(|run| (run.start, run.end));
        // Several kinds of failure in the same minutes are one incident.
        segments::merge(runs, Duration::minutes(2))
    }

    fn typical_rate(&self) -> f64 {
        let known = self.minutes.values().filter(|minute| minute.known).map(|minute| minute.requests);
        median(known.collect()).unwrap_or(1.0)
    }

    /// The median of requests a minute outside of a run.
    pub(super) fn usual_rate(&self, start: Time, end: Time) -> Option<f64> {
        median(self.outside(start, end).map(|minute| minute.requests).collect())
    }

    /// The mean latency outside of a run, in seconds.
    pub(super) fn usual_latency(&self, start: Time, end: Time) -> Option<f64> {
        let (count, sum) = self
            .outside(start, end)
            .fold((0.0, 0.0), |(count, sum), minute| (count + minute.latency.0, sum + minute.latency.1));
        (count > 0.0).then(|| sum / count)
    }

    fn outside(&self, start: Time, end: Time) -> impl Iterator<Item = &MinuteOfScope> {
        self.minutes
            .iter()
            .filter(move |(at, minute)| minute.known && !(start <= **at && **at < end))
            .map(|(_, minute)| minute)
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
