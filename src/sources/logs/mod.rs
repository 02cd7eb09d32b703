//! Application logs: what the clients say of calls that failed.
//!
//! Every application's groups are read on, with an overlap for events that arrive late; events already sent are known by
//! their ids. With the server-side filter only events that may tell of a failure travel, and the lines around a fragment
//! of a traceback are fetched after it. Whatever CloudWatch returns is judged again here.

mod application;
mod hits;
mod lines;
mod reader;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc, time::Duration as StdDuration};

use chrono::Duration;
use faultline_core::model::{Cell, Observation, Time};
use futures_util::future::join_all;
use tokio::{sync::mpsc, time::Instant};
use tracing::{info, warn};

pub use self::application::{Application, GroupSelector};
use self::reader::{GroupPass, GroupReader, log_event};
use super::{SourceContext, invocations::FailedCall, log_events::Group, tail::Tail};
use crate::{
    aws::CallError,
    pipeline::{
        batch::{Batch, CursorKey, Ended, Outlet},
        source::{Pass, PassError, Source},
        status::{SourceKind, SourceState},
    },
};

/// How often groups are looked for again.
const DISCOVER_EVERY: StdDuration = StdDuration::from_secs(300);
/// How long a pass goes on where there is much to read: then groups with little are looked at again.
const LONGEST_PASS: StdDuration = StdDuration::from_secs(15);

/// How application logs are read.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How late an event may arrive and still be read.
    pub overlap: Duration,
    /// Whether CloudWatch filters; without, every event is read and filtered here.
    pub server_side_filter: bool,
}

/// Reads the logs of one cell's applications.
#[derive(Debug)]
pub struct LogsSource {
    context: SourceContext,
    settings: Settings,
    applications: Vec<Arc<Application>>,
    cursors: BTreeMap<String, Time>,
    delivery: Arc<Delivery>,
    readers: BTreeMap<(usize, Arc<str>), GroupReader>,
    discovered: Option<Instant>,
}

impl LogsSource {
    /// Reads on from `cursors` (by group name), or one window back. `wanted` tells the invocation lookup whose records
    /// are wanted.
    pub fn new(
        context: SourceContext,
        settings: Settings,
        applications: Vec<Arc<Application>>,
        cursors: BTreeMap<String, Time>,
        wanted: mpsc::Sender<FailedCall>,
    ) -> Self {
        let delivery = Delivery { cell: context.cell.clone(), outlet: context.outlet.clone(), wanted };
        Self {
            context,
            settings,
            applications,
            cursors,
            delivery: Arc::new(delivery),
            readers: BTreeMap::new(),
            discovered: None,
        }
    }

    /// Finds the groups of every application. One that cannot be found does not keep the others from being read; one
    /// that is gone is no longer asked for.
    async fn discover(&mut self) -> Vec<CallError> {
        if self.discovered.is_some_and(|at| at.elapsed() < DISCOVER_EVERY) {
            return Vec::new();
        }
        let mut errors = Vec::new();
        for (index, application) in self.applications.iter().enumerate() {
            match application.groups().await {
                Ok(groups) => {
                    self.readers
                        .retain(|(of, name), _| *of != index || groups.iter().any(|group| group.name() == name));
                    for group in groups {
                        let name = Arc::clone(group.name());
                        let cursor = self.cursors.get(&cursor_name(application, &group)).copied();
                        let begin = self.context.begin(cursor);
                        let (delivery, settings) = (&self.delivery, self.settings);
                        self.readers.entry((index, name)).or_insert_with(|| {
                            info!(cell = %delivery.cell, group = %group.name(), from = %begin, "reading log group");
                            let far = self.context.read_back + settings.overlap;
                            let tail = Tail::new(settings.overlap, far, begin, cursor);
                            GroupReader::new(Arc::clone(application), Arc::clone(delivery), group, settings, tail)
                        });
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            self.discovered = Some(Instant::now());
        }
        errors
    }

    async fn read_group(
        &self,
        group: &str,
        reader: &mut GroupReader,
        now: Time,
        deadline: Instant,
    ) -> Result<GroupPass, PassError> {
        reader.read_on(now, deadline).await.map_err(|error| match error {
            PassError::Call(error) => {
                warn!(cell = %self.context.cell, group, error = %error.detail, "log group not read");
                CallError { detail: format!("{group}: {}", error.detail), ..error }.into()
            }
            ended @ PassError::Ended(_) => ended,
        })
    }
}

impl Source for LogsSource {
    async fn poll(&mut self) -> Result<Pass, PassError> {
        let mut errors = self.discover().await;
        let now = self.context.clock.now();
        let deadline = Instant::now() + LONGEST_PASS;
        let mut readers = std::mem::take(&mut self.readers);
        // Side by side: the account's limiter paces them, page by page in turn, so that one with much to read delays no
        // other by more than a pass.
        let passes = readers.iter_mut().map(|(key, reader)| self.read_group(&key.1, reader, now, deadline));
        let passes = join_all(passes).await;
        self.readers = readers;
        let mut sum = GroupPass::default();
        let mut readers_ok = 0_usize;
        for pass in passes {
            match pass {
                Ok(pass) => {
                    readers_ok += 1;
                    sum.newest_data = sum.newest_data.max(pass.newest_data);
                    sum.unfinished |= pass.unfinished;
                    sum.missed += pass.missed;
                }
                Err(PassError::Ended(ended)) => return Err(ended.into()),
                Err(PassError::Call(error)) => {
                    // A group that is gone (or not there yet) is looked for again.
                    if error.state == SourceState::NothingDiscovered {
                        self.discovered = None;
                    }
                    errors.push(error);
                }
            }
        }

        let detail = errors.iter().map(|error| error.detail.as_str()).collect::<Vec<_>>().join("; ");
        let newest_data = sum.newest_data;
        let (state, detail) = match (errors.into_iter().next(), readers_ok) {
            (Some(error), 0) => return Err(CallError { detail, ..error }.into()),
            (Some(_), _) => (SourceState::Partial, detail),
            (None, 0) => {
                let detail = "no log group of the configured applications exists yet".to_owned();
                (SourceState::NothingDiscovered, detail)
            }
            (None, _) if newest_data.is_none() => (SourceState::NoTraffic, String::new()),
            (None, _) => (SourceState::Ok, String::new()),
        };
        let pass = Pass::new(state, detail, newest_data);
        Ok(Pass { unfinished: sum.unfinished, missed_events: sum.missed, ..pass })
    }
}

/// What the cursor of a group is called.
fn cursor_name(application: &Application, group: &Group) -> String {
    format!("{}{}", application.place, group.name())
}

/// Where what was read goes: to the recorder, and the failures' requests to the invocation lookup.
#[derive(Debug)]
struct Delivery {
    cell: Cell,
    outlet: Outlet,
    wanted: mpsc::Sender<FailedCall>,
}

impl Delivery {
    const fn cell(&self) -> &Cell {
        &self.cell
    }

    /// Sends observations, and the cursor of a group that may move once they are in the ledger.
    async fn send(&self, observations: Vec<Observation>, cursor: Option<(String, Time)>) -> Result<(), Ended> {
        for observation in &observations {
            if let Observation::Failure(failure) = observation
                && let Some(wanted) = FailedCall::of(failure)
            {
                // Without an invocation log nobody listens; when it lags, waiting for it is right.
                drop(self.wanted.send(wanted).await);
            }
        }
        let cursors =
            cursor.map(|(name, at)| (CursorKey { cell: self.cell.clone(), kind: SourceKind::Logs, name }, at));
        let cursors = cursors.into_iter().collect();
        self.outlet.send(Batch { cell: Some(self.cell.clone()), observations, cursors, first_pass_over: false }).await
    }
}
