//! Server errors by region and calendar month, the way Bedrock's service level agreement counts them.
//!
//! The agreement (<https://aws.amazon.com/bedrock/sla/>) promises 99.9 % a month and region. The monthly uptime is 100 %
//! less the mean of the error rates of the month's five-minute intervals; an interval without requests has an error
//! rate of 0. Its credits are a claim of their own: they have nothing to do with whether a failed call was billed.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{Datelike, Duration, Months, NaiveDate};
use faultline_core::{
    model::{Cell, Metric, Time},
    price::PriceTable,
};
use serde::Serialize;

use super::{Request, spend};
use crate::ledger::{Usage, rfc3339};

const INTERVAL_SECONDS: i64 = 300;
/// The worst intervals that are listed of a month.
const WORST: usize = 12;
/// The agreement's steps: below this uptime in percent, this percentage of the region's charges.
const CREDITS: [(f64, u32); 3] = [(95.0, 100), (99.0, 25), (99.9, 10)];

/// One region in one calendar month (UTC).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegionMonth {
    /// Whose.
    pub account_id: Arc<str>,
    /// Where.
    pub aws_region: Arc<str>,
    /// `2026-05`.
    pub month: String,
    /// Whether the report's period holds the whole month.
    pub whole_month: bool,
    /// Five-minute intervals of the month.
    pub intervals: u64,
    /// Of these, intervals that the period holds.
    pub intervals_in_period: u64,
    /// Of these, intervals that show requests.
    pub intervals_with_requests: u64,
    /// Of these, intervals with server errors.
    pub intervals_with_errors: u64,
    /// Requests.
    pub requests: f64,
    /// Of these, answered with a server error.
    pub server_errors: f64,
    /// 100 less the mean error rate of all intervals of the month; those outside of the period count as without errors,
    /// so that this can only be too high.
    pub uptime_percent: f64,
    /// The same over the intervals of the period alone.
    pub period_uptime_percent: f64,
    /// The step of the agreement that this uptime falls under; 0 from 99.9 % on.
    pub credit_percent: u32,
    /// What Bedrock's tokens of the month cost in this region, where models have a known price.
    pub spend_usd: f64,
    /// `credit_percent` of `spend_usd`.
    pub credit_usd: f64,
    /// The worst intervals.
    pub worst: Vec<WorstInterval>,
}

/// One five-minute interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorstInterval {
    /// Its start.
    pub start: String,
    /// Requests in it.
    pub requests: f64,
    /// Of these, answered with a server error.
    pub server_errors: f64,
    /// In percent.
    pub error_rate_percent: f64,
}

/// Requests and errors of an interval.
#[derive(Debug, Clone, Copy, Default)]
struct Interval {
    requests: f64,
    errors: f64,
}

impl Interval {
    fn error_rate(self) -> f64 {
        if self.requests > 0.0 { (self.errors / self.requests).min(1.0) } else { 0.0 }
    }
}

/// Every region and month with requests.
pub(super) fn months(usage: &[Usage], request: &Request, prices: &PriceTable) -> Vec<RegionMonth> {
    let mut months: BTreeMap<(Cell, NaiveDate), (BTreeMap<i64, Interval>, f64)> = BTreeMap::new();
    for usage in usage {
        let Some(model) = &usage.model else { continue };
        let Some(month) = usage.start.date_naive().with_day(1) else { continue };
        let (intervals, spend) = months.entry((usage.cell.clone(), month)).or_default();
        *spend += spend::of(usage, model, prices).unwrap_or(0.0);
        // Whether Invocations holds failed requests is not known for certain. Adding the errors to it can only make
        // the error rate too low, never too high.
        let (requests, errors) = match usage.metric {
            Metric::Invocations | Metric::InvocationClientErrors => (usage.stats.sum, 0.0),
            Metric::InvocationServerErrors => (usage.stats.sum, usage.stats.sum),
            _ => continue,
        };
        // What CloudWatch keeps by the hour only is spread evenly over the hour.
        let parts = (usage.length.num_seconds() / INTERVAL_SECONDS).max(1);
        #[allow(clippy::cast_precision_loss)] // a few
        let share = 1.0 / parts as f64;
        for part in 0..parts {
            let start = usage.start.timestamp() + part * INTERVAL_SECONDS;
            let interval = intervals.entry(start - start.rem_euclid(INTERVAL_SECONDS)).or_default();
            interval.requests += requests * share;
            interval.errors += errors * share;
        }
    }
    months.into_iter().filter_map(|((cell, month), read)| region_month(cell, month, read, request)).collect()
}

fn region_month(
    cell: Cell,
    month: NaiveDate,
    (intervals, spend_usd): (BTreeMap<i64, Interval>, f64),
    request: &Request,
) -> Option<RegionMonth> {
    let begin = month.and_hms_opt(0, 0, 0)?.and_utc();
    let end = month.checked_add_months(Months::new(1))?.and_hms_opt(0, 0, 0)?.and_utc();
    let (since, until) = (begin.max(request.since), end.min(request.until).min(request.now.max(request.since)));
    let number = |span: Duration| (span.num_seconds() / INTERVAL_SECONDS).max(1);
    let (of_month, of_period) = (number(end - begin), number(until - since));
    let rates: f64 = intervals.values().map(|interval| interval.error_rate()).sum();
    #[allow(clippy::cast_precision_loss)] // a month has 8,928 intervals
    let uptime = |number: i64| 100.0 * (1.0 - (rates / number as f64).min(1.0));
    let uptime_percent = uptime(of_month);
    let credit_percent = CREDITS.iter().find(|(below, _)| uptime_percent < *below).map_or(0, |(_, credit)| *credit);
    let with = |what: fn(&Interval) -> f64| intervals.values().filter(|interval| what(interval) > 0.0).count() as u64;
    let mut worst: Vec<_> = intervals.iter().filter(|(_, interval)| interval.errors > 0.0).collect();
    worst.sort_by(|(_, a), (_, b)| b.error_rate().total_cmp(&a.error_rate()).then(b.errors.total_cmp(&a.errors)));
    Some(RegionMonth {
        account_id: cell.account_id,
        aws_region: cell.region,
        month: month.format("%Y-%m").to_string(),
        whole_month: since == begin && until == end,
        intervals: of_month.unsigned_abs(),
        intervals_in_period: of_period.unsigned_abs(),
        intervals_with_requests: with(|interval| interval.requests),
        intervals_with_errors: with(|interval| interval.errors),
        requests: intervals.values().map(|interval| interval.requests).sum(),
        server_errors: intervals.values().map(|interval| interval.errors).sum(),
        uptime_percent,
        period_uptime_percent: uptime(of_period),
        credit_percent,
        spend_usd,
        credit_usd: spend_usd * f64::from(credit_percent) / 100.0,
        worst: worst.into_iter().take(WORST).map(|(start, interval)| worst_interval(*start, *interval)).collect(),
    })
}

fn worst_interval(start: i64, interval: Interval) -> WorstInterval {
    let start: Time = Time::UNIX_EPOCH + Duration::seconds(start);
    WorstInterval {
        start: rfc3339(start),
        requests: interval.requests,
        server_errors: interval.errors,
        error_rate_percent: 100.0 * interval.error_rate(),
    }
}
