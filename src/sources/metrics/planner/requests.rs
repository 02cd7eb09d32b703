//! What is asked, packed into as few calls as it fits.

use std::ops::Range;

use faultline_core::model::Time;

use super::readings::LONGEST_RANGE;
use crate::sources::metrics::{
    series::{Key, Series},
    statistics::{COST_PER_METRIC, Statistic, cost},
};

/// GetMetricData takes at most so many queries.
pub const QUERIES_A_CALL: usize = 500;

/// One key, in one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Which.
    pub key: Key,
    /// The series whose values are summed.
    pub series: Vec<Series>,
    /// Whether the count of latencies above a minute is asked for, which counts as one more metric.
    pub tail: bool,
    /// Whether it is read across all models.
    pub is_sentinel: bool,
    /// The minutes to be read.
    pub range: Range<Time>,
}

impl Asked {
    /// How many metrics it counts as.
    pub fn cost(&self) -> u32 {
        cost(self.key.metric, self.tail, self.series.len())
    }

    /// How many queries it takes: one for each statistic of each series.
    pub fn queries(&self) -> usize {
        self.series.len() * Statistic::of(self.key.metric, self.tail).len()
    }
}

/// Keys that are asked for the same minutes. It fits one call, unless one key alone does not.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The minutes.
    pub range: Range<Time>,
    /// The keys.
    pub asked: Vec<Asked>,
}

impl Request {
    /// How many metrics it counts as.
    pub fn metrics(&self) -> u32 {
        self.asked.iter().map(Asked::cost).sum()
    }

    /// US dollars.
    pub fn cost_usd(&self) -> f64 {
        COST_PER_METRIC * f64::from(self.metrics())
    }
}

/// Packs keys whose ranges begin close to each other: more minutes cost nothing.
pub(super) fn packed(mut asked: Vec<Asked>) -> Vec<Request> {
    asked.sort_by_key(|asked| (asked.range.start, asked.range.end));
    let mut requests: Vec<Request> = Vec::new();
    let mut queries = 0;
    for one in asked {
        let fits = |request: &&mut Request| {
            let range = request.range.start..request.range.end.max(one.range.end);
            queries + one.queries() <= QUERIES_A_CALL && range.end - range.start <= LONGEST_RANGE * 2
        };
        match requests.last_mut().filter(fits) {
            Some(request) => {
                queries += one.queries();
                request.range.end = request.range.end.max(one.range.end);
                request.asked.push(one);
            }
            None => {
                queries = one.queries();
                requests.push(Request { range: one.range.clone(), asked: vec![one] });
            }
        }
    }
    requests
}
