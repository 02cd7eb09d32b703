//! Application logs: what the clients say of calls that failed.
//!
//! Every application's groups are read on from a cursor on event time, with an overlap for events that arrive
//! late; events already sent are known by their ids. With the server-side filter only events that may tell of a
//! failure travel, and the lines around a fragment of a traceback are fetched after it.

mod application;
mod reader;

use std::{collections::BTreeMap, sync::Arc, time::Duration as StdDuration};

use chrono::Duration;
use faultline_core::model::{Observation, Time};
use futures_util::future::join_all;
use tokio::sync::mpsc;
use tracing::{debug, warn};

use self::reader::GroupReader;
use super::{SourceContext, invocations::WantedRecord};
use crate::{
    aws::CallError,
    pipeline::{
        batch::{Batch, CursorKey, Ended},
        source::{Pass, PassError, Source},
        status::{SourceKind, SourceState},
    },
};
pub use application::{Application, GroupSelector};

/// How often groups named by a prefix are looked for again.
const DISCOVER_EVERY: StdDuration = StdDuration::from_secs(300);

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
    /// Tells the invocation lookup whose records are wanted.
    wanted: mpsc::Sender<WantedRecord>,
    readers: BTreeMap<(usize, Arc<str>), GroupReader>,
    discovered: Option<tokio::time::Instant>,
}

impl LogsSource {
    /// Reads on from `cursors` (by group name), or one window back.
    pub const fn new(
        context: SourceContext,
        settings: Settings,
        applications: Vec<Arc<Application>>,
        cursors: BTreeMap<String, Time>,
        wanted: mpsc::Sender<WantedRecord>,
    ) -> Self {
        Self { context, settings, applications, cursors, wanted, readers: BTreeMap::new(), discovered: None }
    }

    /// Finds the groups of every application. One that cannot be found does not keep the others from being read.
    async fn discover(&mut self) -> Vec<CallError> {
        if self.discovered.is_some_and(|at| at.elapsed() < DISCOVER_EVERY) {
            return Vec::new();
        }
        let mut errors = Vec::new();
        for (index, application) in self.applications.iter().enumerate() {
            match application.groups().await {
                Ok(groups) => {
                    for group in groups {
                        let name = Arc::clone(group.name());
                        let begin = self.context.begin(self.cursors.get(name.as_ref()).copied());
                        let (cell, settings) = (&self.context.cell, self.settings);
                        self.readers.entry((index, name)).or_insert_with(|| {
                            GroupReader::new(Arc::clone(application), cell.clone(), group, settings, begin)
                        });
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            self.discovered = Some(tokio::time::Instant::now());
        }
        errors
    }

    /// Reads one group and sends what it said at once. Returns the time of the newest event.
    async fn read_group(&self, group: &str, reader: &mut GroupReader, now: Time) -> Result<Option<Time>, PassError> {
        let pass = reader.read(now).await.map_err(|error| {
            warn!(cell = %self.context.cell, group, error = %error.detail, "log group not read");
            CallError { detail: format!("{group}: {}", error.detail), ..error }
        })?;
        debug!(cell = %self.context.cell, group, failures = pass.observations.len(), "log group read");
        self.send(pass.observations, group, pass.position).await?;
        reader.sent(pass.position, pass.sent);
        Ok(pass.newest_data)
    }

    async fn send(&self, observations: Vec<Observation>, group: &str, position: Time) -> Result<(), Ended> {
        for observation in &observations {
            if let Observation::Failure(failure) = observation
                && let Some(request_id) = &failure.text.request_id
            {
                let wanted = WantedRecord { request_id: request_id.clone(), failed_at: failure.at };
                // Without an invocation log nobody listens; when it lags, waiting for it is right.
                drop(self.wanted.send(wanted).await);
            }
        }
        let cell = self.context.cell.clone();
        let key = CursorKey { cell: cell.clone(), kind: SourceKind::Logs, name: group.to_owned() };
        let cursors = vec![(key, position)];
        self.context.outlet.send(Batch { cell: Some(cell), observations, cursors, first_pass_over: false }).await
    }
}

impl Source for LogsSource {
    async fn poll(&mut self) -> Result<Pass, PassError> {
        let mut errors = self.discover().await;
        let now = self.context.clock.now();
        let mut readers = std::mem::take(&mut self.readers);
        // Side by side: the shared limiter of the account is what paces them, one slow group delays no other.
        let passes = join_all(readers.iter_mut().map(|(key, reader)| self.read_group(&key.1, reader, now))).await;
        self.readers = readers;
        let mut newest_data = None;
        let mut readers_ok = 0_usize;
        for pass in passes {
            match pass {
                Ok(newest) => {
                    readers_ok += 1;
                    newest_data = newest_data.max(newest);
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
        match (errors.into_iter().next(), readers_ok) {
            (Some(error), 0) => Err(CallError { detail, ..error }.into()),
            (Some(_), _) => Ok(Pass::new(SourceState::Partial, detail, newest_data)),
            (None, 0) => {
                let detail = "no log group of the configured applications exists yet".to_owned();
                Ok(Pass::new(SourceState::NothingDiscovered, detail, newest_data))
            }
            (None, _) if newest_data.is_none() => Ok(Pass::new(SourceState::NoTraffic, String::new(), newest_data)),
            (None, _) => Ok(Pass::new(SourceState::Ok, String::new(), newest_data)),
        }
    }
}
