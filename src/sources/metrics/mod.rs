//! CloudWatch's minutes: each counted once, however often it is read, at a fraction of what reading them all costs.
//!
//! The [`planner`] decides what to ask and what an answer means; here it is asked and sent on. ListMetrics says which
//! series there are, GetMetricData reads them.

mod discover;
pub mod planner;
mod query;
pub mod series;
pub mod statistics;

use std::{collections::BTreeSet, time::Duration as StdDuration};

use chrono::Duration;
use faultline_core::model::{MetricPoint, Observation, Time};
use tracing::{debug, info, warn};

pub use self::planner::Settings;
use self::{
    planner::{Planner, Point},
    series::Catalogue,
};
use super::SourceContext;
use crate::pipeline::{
    batch::{Batch, CursorKey},
    source::{Pass, PassError, Source},
    status::{Budget, SourceKind, SourceState},
};

/// Observations sent at once: little enough that a long catching up does not pile up in memory.
const POINTS_A_BATCH: usize = 5_000;
/// A cursor says what is final, but series settle each in its own time: so much before it is read again.
const BEFORE_CURSOR: Duration = Duration::minutes(30);
/// Without a datapoint for so long there is no traffic.
const NO_TRAFFIC_AFTER: Duration = Duration::hours(1);

/// Reads one cell's metrics.
#[derive(Debug)]
pub struct MetricsSource {
    context: SourceContext,
    settings: Settings,
    planner: Planner,
    /// What CloudWatch said was wrong when it was last asked.
    problems: BTreeSet<String>,
    /// What was last said of it in the log.
    limited: bool,
    has_sentinels: bool,
}

impl MetricsSource {
    /// Begins at `cursor`, or one window back.
    pub fn new(context: SourceContext, settings: Settings, cursor: Option<Time>) -> Self {
        let start = context.begin(cursor.map(|cursor| cursor - BEFORE_CURSOR));
        let planner = Planner::new(settings, start, context.clock.now());
        Self { context, settings, planner, problems: BTreeSet::new(), limited: false, has_sentinels: false }
    }

    async fn discover(&mut self, now: Time) -> Result<(), PassError> {
        if !self.planner.is_discovery_due(now) {
            return Ok(());
        }
        // Metrics idle for three hours are skipped, unless the range to be read begins before that.
        let recently_active = !self.planner.reads_far_back(now);
        let listed = discover::list(&self.context.clients, recently_active).await?;
        let count = listed.len();
        let catalogue = Catalogue::of(listed);
        debug!(cell = %self.context.cell, listed = count, models = catalogue.models().len(), "metrics discovered");
        self.planner.discovered(count, catalogue, now);
        Ok(())
    }

    async fn send(&self, points: Vec<Point>) -> Result<(), PassError> {
        let cell = &self.context.cell;
        let mut points = points.into_iter().map(|Point { key, minute, stats, settled }| {
            let (model, metric) = (key.model, key.metric);
            Observation::Metric(MetricPoint { cell: cell.clone(), model, metric, minute, stats, settled })
        });
        loop {
            let observations: Vec<_> = points.by_ref().take(POINTS_A_BATCH).collect();
            if observations.is_empty() {
                return Ok(());
            }
            self.context.outlet.send(Batch { cell: Some(cell.clone()), observations, ..Batch::default() }).await?;
        }
    }

    /// After everything that it stands for.
    async fn send_cursor(&self) -> Result<(), PassError> {
        let cell = self.context.cell.clone();
        let key = CursorKey { cell: cell.clone(), kind: SourceKind::Metrics, name: String::new() };
        let cursors = vec![(key, self.planner.position())];
        Ok(self.context.outlet.send(Batch { cell: Some(cell), cursors, ..Batch::default() }).await?)
    }

    /// One line for each change that costs or saves money.
    fn say_what_changed(&mut self, now: Time) {
        let (cell, budget) = (&self.context.cell, self.settings.budget_usd_per_month);
        let (poll, detail) = self.planner.intervals();
        let limited = self.planner.is_limited(now);
        if limited != std::mem::replace(&mut self.limited, limited) {
            let (poll, detail) = (poll.num_seconds(), detail.num_seconds());
            if limited {
                warn!(%cell, budget_usd_per_month = budget, poll_seconds = poll, detail_seconds = detail, "metrics are polled less often, to stay within the budget");
            } else {
                info!(%cell, budget_usd_per_month = budget, "metrics are polled as often as configured again");
            }
        }
        let has_sentinels = self.planner.has_sentinels();
        if has_sentinels != std::mem::replace(&mut self.has_sentinels, has_sentinels) {
            info!(%cell, across_all_models = has_sentinels, "how errors are watched changed");
        }
    }

    fn pass(&self, now: Time) -> Pass {
        let newest = self.planner.newest();
        let incomplete = self.planner.incomplete();
        let mut problems: Vec<_> = self.problems.iter().cloned().collect();
        if incomplete > 0 {
            problems.push(format!("CloudWatch answered {incomplete} metrics only in part; they are asked again"));
        }
        let is_quiet = newest.is_none_or(|newest| newest < now - NO_TRAFFIC_AFTER);
        let (state, detail) = match (problems.is_empty(), is_quiet) {
            (false, _) => (SourceState::Partial, problems.join("; ")),
            (true, true) => {
                (SourceState::NoTraffic, "no AWS/Bedrock metric had a datapoint in the last hour".to_owned())
            }
            (true, false) => (SourceState::Ok, String::new()),
        };
        let budget = self.settings.budget_usd_per_month;
        Pass {
            at_least: self.planner.poll_every().to_std().unwrap_or(StdDuration::ZERO),
            settle: Some(self.planner.settle_delay()),
            budget: budget.is_finite().then_some(Budget { usd_per_month: budget, limited: self.limited }),
            ..Pass::new(state, detail, newest)
        }
    }
}

impl Source for MetricsSource {
    async fn poll(&mut self) -> Result<Pass, PassError> {
        let now = self.context.clock.now();
        self.discover(now).await?;
        if self.planner.is_empty() {
            let region = &self.context.cell.region;
            let detail =
                format!("CloudWatch knows no AWS/Bedrock metric in {region}: no model was called there lately");
            return Ok(Pass {
                settle: Some(self.settings.settle),
                ..Pass::new(SourceState::NothingDiscovered, detail, None)
            });
        }
        for round in 0_u32.. {
            let requests = self.planner.plan(now);
            if requests.is_empty() {
                break;
            }
            if round == 0 {
                self.problems.clear();
            }
            for request in requests {
                let read = query::read(&self.context.clients, &request).await?;
                self.problems.extend(read.problems);
                let points = self.planner.answered(&request, read.answers, now);
                debug!(cell = %self.context.cell, from = %request.range.start, until = %request.range.end, metrics = request.metrics(), changed = points.len(), "minutes read");
                self.send(points).await?;
            }
        }
        self.send_cursor().await?;
        self.say_what_changed(now);
        Ok(self.pass(now))
    }
}
