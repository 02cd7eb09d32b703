//! The model invocation log: the other half of a failure.
//!
//! `failures` asks for records that carry an errorCode and for those of the request ids just seen failing: its
//! cost grows with failures, not with traffic. `all` reads every record. Bodies are skipped while parsing.

mod body;
mod parse;
mod wanted;

use std::sync::Arc;

use chrono::Duration;
use faultline_core::model::{LogRef, Observation, Time};
use tokio::sync::mpsc;
use tracing::warn;

use self::{
    parse::parse,
    wanted::{Lookup, Wanted},
};
use super::{
    SourceContext,
    log_events::{Event, Group, Seen, filter},
};
use crate::pipeline::{
    batch::{Batch, CursorKey},
    source::{Pass, PassError, Source},
    status::{SourceKind, SourceState},
};

/// Which records are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Those with an errorCode, and those of failures just seen.
    Failures,
    /// Every one.
    All,
}

/// How the invocation log is read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The log group, a name or an ARN.
    pub group: String,
    /// Which records.
    pub read: Read,
    /// Whether CloudWatch filters; without, everything is read and filtered here.
    pub server_side_filter: bool,
    /// How late a record may arrive and still be read.
    pub overlap: Duration,
    /// How long a record of a failure is asked for.
    pub horizon: Duration,
    /// Keys of requestMetadata that may hold the application's own id.
    pub id_keys: Vec<String>,
}

/// A failure whose record is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedRecord {
    /// Bedrock's request id.
    pub request_id: String,
    /// When the client said that the call failed.
    pub failed_at: Time,
}

/// Reads one cell's invocation log.
#[derive(Debug)]
pub struct InvocationsSource {
    context: SourceContext,
    settings: Settings,
    group: Group,
    asked_for: Arc<tokio::sync::Mutex<mpsc::Receiver<WantedRecord>>>,
    wanted: Wanted,
    seen: Seen,
    position: Time,
}

impl InvocationsSource {
    /// Begins at `cursor`, or one window back. `asked_for` brings the ids of failures from the logs source; it is
    /// shared so that a source built again after a panic goes on with the same channel.
    pub fn new(
        context: SourceContext,
        settings: Settings,
        asked_for: Arc<tokio::sync::Mutex<mpsc::Receiver<WantedRecord>>>,
        cursor: Option<Time>,
    ) -> Self {
        let position = context.begin(cursor);
        let group = Group::parse(&settings.group);
        let wanted = Wanted::new(settings.horizon);
        Self { context, settings, group, asked_for, wanted, seen: Seen::default(), position }
    }

    /// Every new line that interests us since the position.
    async fn read_on(&self, now: Time) -> Result<Vec<Event>, PassError> {
        let pattern = match (self.settings.server_side_filter, self.settings.read) {
            (true, Read::Failures) => Some("{ $.errorCode = * }"),
            _ => None,
        };
        let from = self.position - self.settings.overlap;
        let mut events = Vec::new();
        filter(&self.context.clients, &self.group, pattern, (from, now), |page| {
            events.extend(page.into_iter().filter(|event| self.seen.is_new(event)));
        })
        .await?;
        Ok(events)
    }

    /// The records of failures that were just seen, asked for by id. Changes nothing: what was asked counts as asked
    /// once the answers were sent.
    async fn look_up(&self, lookups: &[Lookup], now: Time) -> Result<Vec<Event>, PassError> {
        let mut events = Vec::new();
        for lookup in lookups {
            let range = (lookup.from, now + Duration::seconds(1));
            filter(&self.context.clients, &self.group, Some(&lookup.pattern), range, |page| events.extend(page))
                .await?;
        }
        Ok(events)
    }

    async fn take_requests(&mut self) {
        let mut asked_for = self.asked_for.lock().await;
        while let Ok(wanted) = asked_for.try_recv() {
            self.wanted.add(wanted);
        }
    }
}

impl Source for InvocationsSource {
    async fn poll(&mut self) -> Result<Pass, PassError> {
        let now = self.context.clock.now();
        self.take_requests().await;
        let mut events = self.read_on(now).await?;
        let by_id = self.settings.server_side_filter && self.settings.read == Read::Failures;
        let lookups = if by_id { self.wanted.due(now) } else { Vec::new() };
        events.extend(self.look_up(&lookups, now).await?);

        let newest_data = events.iter().map(|event| event.at).max();
        let sent: Vec<_> = events.iter().map(|event| (Arc::clone(&event.event_id), event.at)).collect();
        let mut unreadable = 0_usize;
        let mut observations = Vec::new();
        for event in events {
            let log = LogRef {
                group: Arc::clone(self.group.name()),
                stream: event.stream,
                event_id: event.event_id,
                at: event.at,
            };
            match parse(&self.context.cell, log, &event.message, &self.settings.id_keys) {
                Ok(record) => {
                    self.wanted.found(&record.request_id);
                    observations.push(Observation::Record(record));
                }
                Err(error) => {
                    unreadable += 1;
                    warn!(cell = %self.context.cell, group = %self.group.name(), %error, "line is no invocation record");
                }
            }
        }

        let position = now.max(self.position);
        let cell = self.context.cell.clone();
        let name = self.group.name().to_string();
        let cursors = vec![(CursorKey { cell: cell.clone(), kind: SourceKind::Invocations, name }, position)];
        self.context.outlet.send(Batch { cell: Some(cell), observations, cursors, first_pass_over: false }).await?;
        self.position = position;
        for lookup in &lookups {
            self.wanted.asked(lookup, now);
        }
        for (event_id, at) in sent {
            self.seen.remember(event_id, at);
        }
        self.seen.forget_before(position - self.settings.overlap - Duration::seconds(1));

        let (state, detail) = match (unreadable, newest_data) {
            (0, None) => (SourceState::NoTraffic, String::new()),
            (0, Some(_)) => (SourceState::Ok, String::new()),
            (lines, _) => {
                let group = self.group.name();
                (SourceState::Partial, format!("{lines} lines of {group} are no invocation records and were skipped"))
            }
        };
        Ok(Pass::new(state, detail, newest_data))
    }
}
