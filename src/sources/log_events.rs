//! FilterLogEvents and GetLogEvents, paged: what both readers of CloudWatch Logs share.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use chrono::{DateTime, Duration};
use faultline_core::model::Time;

use crate::aws::{CallError, RegionClients};

/// The most characters CloudWatch Logs takes in a filter pattern.
pub(super) const LONGEST_PATTERN: usize = 1024;

/// One log event.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub stream: Arc<str>,
    /// CloudWatch's id; empty where GetLogEvents returned the event, which tells none.
    pub event_id: Arc<str>,
    pub at: Time,
    pub message: String,
}

/// A log group, by its name or, across accounts, by its ARN.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Group {
    Name(Arc<str>),
    Arn { arn: String, name: Arc<str> },
}

impl Group {
    /// From an ARN (`arn:aws:logs:region:account:log-group:NAME`, with or without `:*`) or a name.
    pub(super) fn parse(text: &str) -> Self {
        match text.split_once(":log-group:") {
            Some((_, name)) => {
                let name = name.trim_end_matches(":*");
                Self::Arn { arn: text.trim_end_matches(":*").to_owned(), name: name.into() }
            }
            None => Self::Name(text.into()),
        }
    }

    pub(super) const fn name(&self) -> &Arc<str> {
        match self {
            Self::Name(name) | Self::Arn { name, .. } => name,
        }
    }

    fn parts(&self) -> (Option<String>, Option<String>) {
        match self {
            Self::Name(name) => (Some(name.to_string()), None),
            Self::Arn { arn, .. } => (None, Some(arn.clone())),
        }
    }
}

/// Reads every event of `[from, until)` that matches `pattern` (all of them without one), a page at a time, oldest
/// first as CloudWatch orders them. A page may be empty and still carry a token: reading ends with the tokens.
pub(super) async fn filter(
    clients: &RegionClients,
    group: &Group,
    pattern: Option<&str>,
    (from, until): (Time, Time),
    mut page: impl FnMut(Vec<Event>),
) -> Result<(), CallError> {
    let (name, identifier) = group.parts();
    let mut streams = Interner::default();
    let mut token = None;
    loop {
        let request = clients
            .logs
            .filter_log_events()
            .set_log_group_name(name.clone())
            .set_log_group_identifier(identifier.clone())
            .start_time(from.timestamp_millis())
            // The API's end is inclusive.
            .end_time((until - Duration::milliseconds(1)).timestamp_millis())
            .set_filter_pattern(pattern.map(str::to_owned))
            .set_next_token(token);
        let answer = clients.caller.call("FilterLogEvents", 0.0, request.send()).await?;
        token = answer.next_token;
        let events = answer.events.unwrap_or_default();
        page(
            events
                .into_iter()
                .filter_map(|event| {
                    Some(Event {
                        stream: streams.get(event.log_stream_name.as_deref().unwrap_or_default()),
                        event_id: event.event_id?.into(),
                        at: DateTime::from_timestamp_millis(event.timestamp?)?,
                        message: event.message.unwrap_or_default(),
                    })
                })
                .collect(),
        );
        if token.is_none() {
            return Ok(());
        }
    }
}

/// Reads the events of one stream in `[from, until)`, oldest first, at most `most` of them.
pub(super) async fn stream(
    clients: &RegionClients,
    group: &Group,
    stream: &Arc<str>,
    (from, until): (Time, Time),
    most: usize,
) -> Result<Vec<Event>, CallError> {
    let (name, identifier) = group.parts();
    let mut events = Vec::new();
    let mut token: Option<String> = None;
    while events.len() < most {
        let request = clients
            .logs
            .get_log_events()
            .set_log_group_name(name.clone())
            .set_log_group_identifier(identifier.clone())
            .log_stream_name(stream.as_ref())
            .start_time(from.timestamp_millis())
            .end_time(until.timestamp_millis())
            .start_from_head(true)
            .set_next_token(token.clone());
        let answer = clients.caller.call("GetLogEvents", 0.0, request.send()).await?;
        events.extend(answer.events.unwrap_or_default().into_iter().filter_map(|event| {
            Some(Event {
                stream: Arc::clone(stream),
                event_id: "".into(),
                at: DateTime::from_timestamp_millis(event.timestamp?)?,
                message: event.message.unwrap_or_default(),
            })
        }));
        // The end of the range repeats its token.
        if answer.next_forward_token.is_none() || answer.next_forward_token == token {
            break;
        }
        token = answer.next_forward_token;
    }
    Ok(events)
}

/// Events already sent on, kept for as long as they can be read again. An event is remembered only once it has
/// been sent: a pass that fails halfway reads all of it again.
#[derive(Debug, Default)]
pub(super) struct Seen {
    ids: HashSet<Arc<str>>,
    by_time: BTreeMap<Time, Vec<Arc<str>>>,
}

impl Seen {
    pub(super) fn is_new(&self, event: &Event) -> bool {
        !self.ids.contains(&event.event_id)
    }

    pub(super) fn remember(&mut self, event_id: Arc<str>, at: Time) {
        if self.ids.insert(Arc::clone(&event_id)) {
            self.by_time.entry(at).or_default().push(event_id);
        }
    }

    pub(super) fn forget_before(&mut self, time: Time) {
        let kept = self.by_time.split_off(&time);
        for id in std::mem::replace(&mut self.by_time, kept).into_values().flatten() {
            self.ids.remove(&id);
        }
    }
}

/// One copy of each stream name, however many events carry it.
#[derive(Debug, Default)]
struct Interner(HashSet<Arc<str>>);

impl Interner {
    fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.0.insert(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};

    use super::*;

    #[test]
    fn a_group_is_named_by_its_name_also_when_given_as_an_arn() {
        let arn = "arn:aws:logs:us-east-1:111122223333:log-group:/ecs/chat-api";
        for text in [arn.to_owned(), format!("{arn}:*")] {
            assert_eq!(Group::parse(&text), Group::Arn { arn: arn.to_owned(), name: "/ecs/chat-api".into() });
        }
        assert_eq!(Group::parse("/ecs/chat-api"), Group::Name("/ecs/chat-api".into()));
    }

    #[test]
    fn an_event_is_new_until_it_was_sent_and_forgotten_when_it_cannot_be_read_again() {
        let at = |second| Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, second).single().unwrap_or_default();
        let event = |id: &str| Event { stream: "s".into(), event_id: id.into(), at: at(0), message: String::new() };
        let mut seen = Seen::default();
        assert!(seen.is_new(&event("a")) && seen.is_new(&event("a")), "reading alone remembers nothing");
        for (id, second) in [("a", 1), ("b", 2), ("a", 1)] {
            seen.remember(id.into(), at(second));
        }
        seen.forget_before(at(2));
        assert!(seen.is_new(&event("a")) && !seen.is_new(&event("b")));
        assert_eq!((seen.ids.len(), seen.by_time.len()), (1, 1), "what is forgotten takes no room");
    }
}
