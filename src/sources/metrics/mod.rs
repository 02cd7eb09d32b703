//! CloudWatch's minutes, each read until it is old enough to be final.
//!
//! ListMetrics says which series there are; GetMetricData reads them from the oldest minute that may still change
//! up to the last whole one. The minute that is running is never read: a part of a minute looks like a dip.

mod discover;
mod minutes;
mod query;

use std::time::Duration as StdDuration;

use chrono::{Duration, DurationRound};
use faultline_core::model::{Observation, Time};
use tracing::{debug, info, warn};

use self::{discover::Series, minutes::Minutes};
use super::SourceContext;
use crate::pipeline::{
    batch::{Batch, CursorKey},
    source::{Pass, PassError, Source},
    status::{SourceKind, SourceState},
};

/// How often ListMetrics is asked again.
const DISCOVER_EVERY: StdDuration = StdDuration::from_secs(300);
/// The longest range of one GetMetricData call: up to here CloudWatch allows its highest rate of datapoints, and
/// 500 queries of it stay within one page.
const LONGEST_RANGE: Duration = Duration::hours(3);

const SECONDS_A_MONTH: f64 = 30.0 * 86_400.0;
/// However small the budget: metrics that nobody reads for longer than this are no use.
const LONGEST_WAIT: StdDuration = StdDuration::from_secs(3600);

/// How metrics are read.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How old a minute must be to be taken as final.
    pub settle: Duration,
    /// How often they are polled, where the budget allows it.
    pub poll: StdDuration,
    /// What the polling may cost a month, in US dollars; above 0.
    pub budget_usd_per_month: f64,
}

/// Reads one cell's metrics.
#[derive(Debug)]
pub struct MetricsSource {
    context: SourceContext,
    /// How old a minute must be to be taken as final.
    settle: Duration,
    /// How often the driver polls.
    poll: StdDuration,
    budget_usd_per_month: f64,
    /// Whether the budget makes polls rarer than that.
    slowed: bool,
    series: Vec<Series>,
    discovered: Option<tokio::time::Instant>,
    minutes: Minutes,
    /// Every minute before this one is final and has been sent.
    position: Time,
}

impl MetricsSource {
    /// Begins at `cursor`, or one window back.
    pub fn new(context: SourceContext, settings: Settings, cursor: Option<Time>) -> Self {
        let position = floor_minute(context.begin(cursor));
        let Settings { settle, poll, budget_usd_per_month } = settings;
        Self {
            context,
            settle,
            poll,
            budget_usd_per_month,
            slowed: false,
            series: Vec::new(),
            discovered: None,
            minutes: Minutes::default(),
            position,
        }
    }

    async fn discover(&mut self, now: Time) -> Result<(), PassError> {
        if self.discovered.is_some_and(|at| at.elapsed() < DISCOVER_EVERY) {
            return Ok(());
        }
        // Metrics idle for three hours are skipped, unless the range to be read begins before that.
        let recently_active = now - self.position < LONGEST_RANGE;
        let series = discover::list(&self.context.clients, recently_active).await?;
        if series.len() != self.series.len() {
            info!(cell = %self.context.cell, series = series.len(), "metric series discovered");
        }
        self.series = series;
        self.discovered = Some(tokio::time::Instant::now());
        Ok(())
    }

    /// The least time to the next poll, so that polls that cost this much stay within the budget of a month.
    fn at_least(&mut self, cost_usd: f64) -> StdDuration {
        let seconds = cost_usd / self.budget_usd_per_month * SECONDS_A_MONTH;
        let wait = StdDuration::try_from_secs_f64(seconds).unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
        let slowed = wait > self.poll;
        if slowed != self.slowed {
            self.slowed = slowed;
            let (cell, budget) = (&self.context.cell, self.budget_usd_per_month);
            if slowed {
                warn!(%cell, budget, every = ?wait, "metrics are polled less often, to stay within the budget");
            } else {
                info!(%cell, budget, "metrics are polled as often as configured again");
            }
        }
        wait
    }

    fn cursor_key(&self) -> CursorKey {
        CursorKey { cell: self.context.cell.clone(), kind: SourceKind::Metrics, name: String::new() }
    }
}

impl Source for MetricsSource {
    async fn poll(&mut self) -> Result<Pass, PassError> {
        let now = self.context.clock.now();
        self.discover(now).await?;
        if self.series.is_empty() {
            let region = &self.context.cell.region;
            let detail =
                format!("CloudWatch knows no AWS/Bedrock metric in {region}: no model was called there lately");
            return Ok(Pass::new(SourceState::NothingDiscovered, detail, None));
        }

        let end = floor_minute(now);
        let mut partial = Vec::new();
        let mut newest = None;
        let mut cost_usd = 0.0;
        while self.position < end {
            let until = end.min(self.position + LONGEST_RANGE);
            let answer = query::read(&self.context.clients, &self.series, self.position..until).await?;
            partial.extend(answer.problems);
            cost_usd += answer.cost_usd;
            newest = newest.max(answer.points.iter().map(|point| point.minute).max());
            let cell = &self.context.cell;
            let settled_before = now - self.settle;
            let observations: Vec<_> = self
                .minutes
                .changed(answer.points, settled_before)
                .map(|point| Observation::Metric(point.into_metric_point(cell.clone(), settled_before)))
                .collect();
            debug!(%cell, from = %self.position, %until, changed = observations.len(), "minutes read");

            // A minute that was only partly answered is asked again, whatever its age.
            let settled = if answer.complete { floor_minute(settled_before).min(until) } else { self.position };
            let position = settled.max(self.position);
            let cursors = vec![(self.cursor_key(), position)];
            self.context
                .outlet
                .send(Batch { cell: Some(cell.clone()), observations, cursors, first_pass_over: false })
                .await?;
            self.minutes.forget_before(position);
            self.position = position;
            if until >= end || position < until {
                break;
            }
        }

        let (state, detail) = match (partial.is_empty(), newest) {
            (false, _) => (SourceState::Partial, partial.join("; ")),
            (true, None) => (SourceState::NoTraffic, String::new()),
            (true, Some(_)) => (SourceState::Ok, String::new()),
        };
        Ok(Pass { at_least: self.at_least(cost_usd), ..Pass::new(state, detail, newest) })
    }
}

fn floor_minute(time: Time) -> Time {
    time.duration_trunc(Duration::minutes(1)).unwrap_or(time)
}
