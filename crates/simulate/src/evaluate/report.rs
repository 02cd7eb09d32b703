//! What is said of worlds, by request rate: the shape of the table and of its JSON.

use faultline_core::{correlate::EstimateState, model::Cause};
use serde::Serialize;

/// What was named and rightly so, among worlds of one kind.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Named {
    /// What was to be named, and in which worlds.
    pub what: String,
    /// How many were named.
    pub named: u64,
    /// How many of those rightly.
    pub right: u64,
    /// How many there were to name.
    pub of: u64,
    /// How many of those were named, as whatever.
    pub found: u64,
    /// right / named; none where nothing was named.
    pub precision: Option<f64>,
    /// found / of; none where there was nothing to name.
    pub recall: Option<f64>,
}

/// Errors of an estimated sum over worlds, and how its interval did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Interval {
    /// Worlds with at least ten billed failures: those with a relative error.
    pub worlds: u64,
    /// Median of |best - truth| / truth.
    pub median_error: Option<f64>,
    /// 90th percentile of it.
    pub p90_error: Option<f64>,
    /// Sum of best over sum of truth.
    pub bias: Option<f64>,
    /// Share of all worlds whose interval covers the truth.
    pub coverage: Option<f64>,
    /// Share of all worlds whose lower end lies above the truth.
    pub above: Option<f64>,
    /// Median of half the interval's width over the truth.
    pub half_width: Option<f64>,
}

/// What the metrics of the main scope were taken for.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct MetricsSide {
    /// Worlds whose scope was calibrated at the end.
    pub calibrated: u64,
    /// Worlds with a lower bound only.
    pub lower_bound: u64,
    /// Worlds in which nothing was decided.
    pub uncalibrated: u64,
    /// Worlds called calibrated in which token samples are not what they were taken for.
    pub wrongly_calibrated: u64,
    /// Worlds in which Invocations was read as what it is not.
    pub wrong_readings: u64,
    /// Share of calibrated worlds whose bounds cover the truth of AWS's side.
    pub coverage: Option<f64>,
}

/// Incidents found, missed and made up, and their causes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Incidents {
    /// Incidents that had to be found.
    pub of: u64,
    /// Of those, how many were.
    pub found: u64,
    /// Incidents said where there was none.
    pub false_alarms: u64,
    /// The same for each day of a fleet.
    pub false_alarms_per_day: f64,
    /// Causes said with a score of at least 0.7.
    pub causes: u64,
    /// How many of those were right.
    pub causes_right: u64,
    /// Low-load incidents rightly said to be such or not, of those of server capacity that were found.
    pub low_load_right: u64,
    /// Incidents of server capacity that were found.
    pub low_load_of: u64,
}

/// Probabilities said, in tenths, and how often they came true.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reliability {
    /// From this probability on.
    pub from: f64,
    /// How many were said.
    pub count: u64,
    /// Their mean.
    pub said: f64,
    /// The share that came true.
    pub seen: f64,
}

/// How often a cause was said for a true one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// What it was.
    pub truth: Cause,
    /// What was said, with any score; none where nothing was found.
    pub said: Option<Cause>,
    /// How often.
    pub count: u64,
}

/// All worlds of one request rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rate {
    /// Requests a minute.
    pub rpm: f64,
    /// How many worlds.
    pub worlds: u64,
    /// Requests in them, attempts counted singly.
    pub requests: u64,
    /// Processor seconds the correlator took for them.
    pub seconds: f64,
    /// What was named, by kind and by what varies.
    pub named: Vec<Named>,
    /// Billed failures.
    pub total: Interval,
    /// Their dollars.
    pub dollars: Interval,
    /// AWS's side.
    pub metrics: MetricsSide,
    /// Incidents.
    pub incidents: Incidents,
    /// Probabilities.
    pub reliability: Vec<Reliability>,
    /// Mean distance of what was said from what was seen.
    pub calibration_error: Option<f64>,
}

/// One world, in the few numbers that tell which one to look at more closely.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OneWorld {
    /// What it was drawn from.
    pub seed: u64,
    /// Requests a minute.
    pub rpm: f64,
    /// What went wrong.
    pub scenario: &'static str,
    /// What the metrics of the main scope were taken for.
    pub state: Option<EstimateState>,
    /// Billed failures.
    pub truth: f64,
    /// What was said of them.
    pub best: f64,
    /// The interval's lower end.
    pub lower: f64,
    /// The interval's upper end.
    pub upper: f64,
    /// Listed findings of timeouts and resets without an id, those right, those there were.
    pub matched: (u64, u64, u64),
    /// Listed hidden retries, those right, those there were.
    pub hidden: (u64, u64, u64),
    /// Incidents said where there was none.
    pub false_alarms: u64,
    /// Processor seconds.
    pub seconds: f64,
}

/// The whole table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Whether the seeds are those for tuning.
    pub tuning: bool,
    /// By request rate.
    pub rates: Vec<Rate>,
    /// Over all rates.
    pub confusion: Vec<Confusion>,
    /// Every world.
    pub worlds: Vec<OneWorld>,
}
