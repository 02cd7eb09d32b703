//! One log group, read on from its position.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::Duration;
use faultline_core::{
    model::{Cell, ClientFailure, LogRef, Observation, Time},
    recognise::{LogEvent, Recognised, Recogniser, Settings as RecogniserSettings, filter_pattern, needs_context},
};

use super::{Application, Settings};
use crate::{
    aws::CallError,
    sources::log_events::{Event, Group, Seen, filter, stream},
};

/// Lines of one traceback are written within moments of each other, also by a process that is stalling.
const CONTEXT: Duration = Duration::seconds(3);
/// Hits this close together are read with one call: a call costs more than the lines between them.
const READ_TOGETHER: Duration = Duration::seconds(30);
/// A busy stream may write much around a hit; a traceback is within this many events of it.
const CONTEXT_EVENTS: usize = 20_000;

/// What one pass over a group came to.
#[derive(Debug)]
pub(super) struct GroupPass {
    pub observations: Vec<Observation>,
    pub newest_data: Option<Time>,
    pub position: Time,
    /// Which events these were, to be told back once they were sent.
    pub sent: Vec<(Arc<str>, Time)>,
}

/// Reads one group of one application.
#[derive(Debug)]
pub(super) struct GroupReader {
    application: Arc<Application>,
    cell: Cell,
    group: Group,
    settings: Settings,
    /// Without the server-side filter, frames stay open from one pass to the next.
    recogniser: Recogniser,
    seen: Seen,
    /// Everything before this time was read, but for what may still arrive late.
    position: Time,
}

impl GroupReader {
    pub(super) fn new(
        application: Arc<Application>,
        cell: Cell,
        group: Group,
        settings: Settings,
        position: Time,
    ) -> Self {
        let recogniser = Recogniser::new(recogniser_settings(&application));
        Self { application, cell, group, settings, recogniser, seen: Seen::default(), position }
    }

    /// Reads what is new before `now`. Changes nothing that a repetition would miss: see [`Self::sent`].
    pub(super) async fn read(&mut self, now: Time) -> Result<GroupPass, CallError> {
        let pattern = self.settings.server_side_filter.then(filter_pattern);
        let range = (self.position - self.settings.overlap, now);
        let mut events = Vec::new();
        filter(&self.application.clients, &self.group, pattern, range, |page| {
            events.extend(page.into_iter().filter(|event| self.seen.is_new(event)));
        })
        .await?;
        let sent = events.iter().map(|event| (Arc::clone(&event.event_id), event.at)).collect();
        let newest_data = events.iter().map(|event| event.at).max();
        let recognised =
            if pattern.is_some() { self.recognise_hits(events).await? } else { self.recognise_all(&events, now) };
        let observations = recognised.into_iter().map(Observation::Failure).collect();
        Ok(GroupPass { observations, newest_data, position: now.max(self.position), sent })
    }

    /// The pass was sent: its events need not be read again.
    pub(super) fn sent(&mut self, position: Time, events: Vec<(Arc<str>, Time)>) {
        self.position = position;
        for (event_id, at) in events {
            self.seen.remember(event_id, at);
        }
        self.seen.forget_before(position - self.settings.overlap - Duration::seconds(1));
    }

    fn recognise_all(&mut self, events: &[Event], now: Time) -> Vec<ClientFailure> {
        let mut found = Vec::new();
        for event in events {
            self.recogniser.push(&log_event(event), &mut found);
        }
        self.recogniser.close_idle(now, &mut found);
        let (cell, application, group) = (&self.cell, &self.application, &self.group);
        found.into_iter().map(|recognised| failure(cell, application, group, recognised, now)).collect()
    }

    /// Hits are recognised by themselves; a fragment of a traceback is read again with the lines around it.
    async fn recognise_hits(&self, events: Vec<Event>) -> Result<Vec<ClientFailure>, CallError> {
        let mut streams: BTreeMap<Arc<str>, Vec<Event>> = BTreeMap::new();
        for event in events {
            streams.entry(Arc::clone(&event.stream)).or_default().push(event);
        }
        let mut failures = Vec::new();
        for (name, mut hits) in streams {
            hits.sort_by_key(|hit| hit.at);
            for around in with_context(&hits) {
                let hits = &hits[around.clone()];
                let fragment = hits.iter().any(|hit| needs_context(hit.message.as_bytes()));
                let lines;
                let events = if fragment {
                    lines = self.context(&name, hits).await?;
                    &lines[..]
                } else {
                    hits
                };
                let mut recogniser = Recogniser::new(recogniser_settings(&self.application));
                let mut found = Vec::new();
                for event in events {
                    recogniser.push(&log_event(event), &mut found);
                }
                recogniser.finish(&mut found);
                // A line only read as context is no hit: its own failure, if it is one, was or will be its own hit.
                found.retain(|recognised| !recognised.event_id.is_empty());
                let at = hits.last().map_or(self.position, |hit| hit.at);
                failures.extend(
                    found
                        .into_iter()
                        .map(|recognised| failure(&self.cell, &self.application, &self.group, recognised, at)),
                );
            }
        }
        Ok(failures)
    }

    /// The lines around these hits of one stream, each hit with its event id.
    async fn context(&self, name: &Arc<str>, hits: &[Event]) -> Result<Vec<Event>, CallError> {
        let (Some(first), Some(last)) = (hits.first(), hits.last()) else { return Ok(Vec::new()) };
        let range = (first.at - CONTEXT, last.at + CONTEXT);
        let mut ids: HashMap<(Time, &str), Vec<Arc<str>>> = HashMap::new();
        for hit in hits.iter().rev() {
            ids.entry((hit.at, &hit.message)).or_default().push(Arc::clone(&hit.event_id));
        }
        let mut lines = stream(&self.application.clients, &self.group, name, range, CONTEXT_EVENTS).await?;
        for line in &mut lines {
            if let Some(id) = ids.get_mut(&(line.at, line.message.as_str())).and_then(Vec::pop) {
                line.event_id = id;
            }
        }
        Ok(lines)
    }
}

/// Runs of hits (sorted by time) that are close together: they are read as one, so that one traceback's hits stay one
/// failure.
fn with_context(hits: &[Event]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (index, hit) in hits.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if hit.at - hits[run.end - 1].at <= READ_TOGETHER => run.end = index + 1,
            _ => runs.push(index..index + 1),
        }
    }
    runs
}

fn recogniser_settings(application: &Application) -> RecogniserSettings {
    RecogniserSettings { assume_bedrock: application.assume_bedrock, ..RecogniserSettings::default() }
}

fn log_event(event: &Event) -> LogEvent<'_> {
    LogEvent { stream: &event.stream, event_id: &event.event_id, at: Some(event.at), message: event.message.as_bytes() }
}

fn failure(
    cell: &Cell,
    application: &Application,
    group: &Group,
    recognised: Recognised,
    otherwise_at: Time,
) -> ClientFailure {
    let at = recognised.at.unwrap_or(otherwise_at);
    let mut text = recognised.text;
    if text.model.is_none() {
        text.model.clone_from(&application.model);
    }
    ClientFailure {
        cell: cell.clone(),
        application: Arc::clone(&application.name),
        identity: application.identity.clone(),
        at,
        log: LogRef { group: Arc::clone(group.name()), stream: recognised.stream, event_id: recognised.event_id, at },
        text,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};

    use super::*;

    #[test]
    fn hits_close_together_are_read_together_and_others_are_not() {
        let hit = |millisecond: i64| Event {
            stream: "s".into(),
            event_id: millisecond.to_string().into(),
            at: Utc.timestamp_millis_opt(millisecond).single().unwrap_or_default(),
            message: String::new(),
        };
        let hits: Vec<_> = [0, 2_000, 32_000, 62_001, 120_000].map(hit).into();
        assert_eq!(with_context(&hits), [0..3, 3..4, 4..5]);
        assert!(with_context(&[]).is_empty());
    }
}
