//! Failures in events that CloudWatch found with the filter pattern: each by itself, and a fragment of a traceback with
//! the lines around it.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::Arc,
};

use chrono::Duration;
use faultline_core::{
    model::Time,
    recognise::{Recognised, Recogniser, Settings, needs_context},
};

use super::log_event;
use crate::{
    aws::{CallError, RegionClients},
    sources::log_events::{Event, Group, stream},
};

/// Lines of one traceback are written within moments of each other, also by a process that is stalling.
const CONTEXT: Duration = Duration::seconds(3);
/// Until the lines around a fragment have arrived too, it is left for the next pass.
const ARRIVED: Duration = Duration::seconds(8);
/// Hits this close together are read with one call: a call costs more than the lines between them.
const READ_TOGETHER: Duration = Duration::seconds(30);
/// A busy stream may write much around a hit; a traceback is within this many events of it.
const CONTEXT_EVENTS: usize = 20_000;

/// Where hits come from.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub clients: &'a RegionClients,
    pub group: &'a Group,
    pub settings: &'a Settings,
}

/// What the hits came to.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub failures: Vec<Recognised>,
    /// Hits that are done with; those left out are to be read again.
    pub done: Vec<Event>,
}

/// The failures that these events tell of.
pub(super) async fn recognise(place: &Place<'_>, hits: Vec<Event>, now: Time) -> Result<Read, CallError> {
    let mut streams: BTreeMap<Arc<str>, Vec<Event>> = BTreeMap::new();
    for hit in hits {
        streams.entry(Arc::clone(&hit.stream)).or_default().push(hit);
    }
    let mut read = Read::default();
    for (name, mut hits) in streams {
        hits.sort_by_key(|hit| hit.at);
        hits.truncate(arrived(&hits, now));
        for run in runs(&hits) {
            let hits = &hits[run];
            let fragment = hits.iter().any(|hit| needs_context(hit.message.as_bytes()));
            let lines;
            let events = if fragment {
                lines = context(place, &name, hits).await?;
                &lines[..]
            } else {
                hits
            };
            let mut recogniser = Recogniser::new(place.settings.clone());
            let mut found = Vec::new();
            for event in events {
                recogniser.push(&log_event(event), &mut found);
            }
            recogniser.finish(&mut found);
            // A line only read as context is no hit: its own failure, if it is one, was or will be its own hit.
            found.retain(|recognised| !recognised.event_id.is_empty());
            read.failures.append(&mut found);
        }
        read.done.append(&mut hits);
    }
    Ok(read)
}

/// How many of these hits, sorted by time, can be judged at `now`: from the first fragment on whose neighbours may still
/// be on their way, none.
fn arrived(hits: &[Event], now: Time) -> usize {
    let young = |hit: &Event| hit.at + ARRIVED > now && needs_context(hit.message.as_bytes());
    hits.iter().position(young).unwrap_or(hits.len())
}

/// The lines around these hits of one stream, each hit with its event id.
async fn context(place: &Place<'_>, name: &Arc<str>, hits: &[Event]) -> Result<Vec<Event>, CallError> {
    let (Some(first), Some(last)) = (hits.first(), hits.last()) else { return Ok(Vec::new()) };
    let range = (first.at - CONTEXT, last.at + CONTEXT);
    let mut ids: HashMap<(Time, &str), Vec<Arc<str>>> = HashMap::new();
    for hit in hits.iter().rev() {
        ids.entry((hit.at, &hit.message)).or_default().push(Arc::clone(&hit.event_id));
    }
    let mut lines = stream(place.clients, place.group, name, range, CONTEXT_EVENTS).await?;
    for line in &mut lines {
        if let Some(id) = ids.get_mut(&(line.at, line.message.as_str())).and_then(Vec::pop) {
            line.event_id = id;
        }
    }
    Ok(lines)
}

/// Runs of hits (sorted by time) that are close together: they are read as one, so that one traceback's hits stay one
/// failure, and no stretch of the stream is read twice.
fn runs(hits: &[Event]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (index, hit) in hits.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if hit.at - hits[run.end - 1].at <= READ_TOGETHER => run.end = index + 1,
            _ => runs.push(index..index + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::{TimeZone, Utc};

    use super::*;

    fn hit(millisecond: i64, message: &str) -> Event {
        Event {
            stream: "s".into(),
            event_id: millisecond.to_string().into(),
            at: Utc.timestamp_millis_opt(millisecond).unwrap(),
            ingested_at: None,
            message: message.to_owned(),
        }
    }

    #[test]
    fn hits_close_together_are_read_together_and_others_are_not() {
        let hits: Vec<_> = [0, 2_000, 32_000, 62_001, 120_000].map(|at| hit(at, "")).into();
        assert_eq!(runs(&hits), [0..3, 3..4, 4..5]);
        assert!(runs(&[]).is_empty());
    }

    #[test]
    fn a_fragment_waits_until_its_neighbours_have_arrived_and_a_whole_line_does_not() {
        let fragment = "botocore.exceptions.ReadTimeoutError: Read timeout on endpoint URL: \"https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse\"";
        assert!(needs_context(fragment.as_bytes()));
        let whole = "2026-05-01 12:00:00 ERROR app Connection reset by peer bedrock-runtime.us-east-1.amazonaws.com";
        assert!(!needs_context(whole.as_bytes()));
        let hits = [hit(0, whole), hit(10_000, fragment), hit(11_000, whole)];
        let now = |millisecond| Utc.timestamp_millis_opt(millisecond).unwrap();
        assert_eq!((arrived(&hits, now(12_000)), arrived(&hits, now(18_000))), (1, 3));
        assert_eq!(arrived(&hits[..1], now(1)), 1);
    }
}
