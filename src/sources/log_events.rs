//! FilterLogEvents and GetLogEvents: what both readers of CloudWatch Logs share.

use std::{collections::HashSet, sync::Arc};

use chrono::{DateTime, Duration};
use faultline_core::model::Time;
use tracing::warn;

use crate::aws::{CallError, RegionClients};

/// The most characters CloudWatch Logs takes in a filter pattern.
pub(super) const LONGEST_PATTERN: usize = 1024;
/// The most events a page has.
const EVENTS_A_PAGE: usize = 10_000;

/// One log event.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub stream: Arc<str>,
    /// CloudWatch's id; empty where GetLogEvents returned the event, which tells none.
    pub event_id: Arc<str>,
    pub at: Time,
    /// When CloudWatch got it, where it says.
    pub ingested_at: Option<Time>,
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

/// Where the next page of a search begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NextPage {
    Token(String),
    /// Some emulators cut a page at its limit and give no token: what is left begins where the page ended.
    From(Time),
}

/// One page of a search.
#[derive(Debug)]
pub(super) struct EventsPage {
    pub events: Vec<Event>,
    /// `None` at the end. A page may be empty and still have a next one.
    pub next: Option<NextPage>,
}

impl EventsPage {
    /// How many bytes of messages it holds.
    pub(super) fn bytes(&self) -> usize {
        self.events.iter().map(|event| event.message.len()).sum()
    }
}

/// Reads one page of the events of `[from, until)` that match `pattern` (all of them without one), oldest first as
/// CloudWatch orders them.
pub(super) async fn filter_page(
    clients: &RegionClients,
    group: &Group,
    pattern: Option<&str>,
    (from, until): (Time, Time),
    page: Option<&NextPage>,
) -> Result<EventsPage, CallError> {
    let (name, identifier) = group.parts();
    let (from, token) = match page {
        None => (from, None),
        Some(NextPage::Token(token)) => (from, Some(token.clone())),
        Some(NextPage::From(later)) => (*later, None),
    };
    let request = clients
        .logs
        .filter_log_events()
        .set_log_group_name(name)
        .set_log_group_identifier(identifier)
        .start_time(from.timestamp_millis())
        // The API's end is inclusive.
        .end_time((until - Duration::milliseconds(1)).timestamp_millis())
        .set_filter_pattern(pattern.map(str::to_owned))
        .set_next_token(token);
    let answer = clients.caller.call("FilterLogEvents", 0.0, request.send()).await?;
    let returned = answer.events.unwrap_or_default();
    let full = returned.len() >= EVENTS_A_PAGE;
    let mut streams = Interner::default();
    let events: Vec<_> = returned
        .into_iter()
        .filter_map(|event| {
            Some(Event {
                stream: streams.get(event.log_stream_name.as_deref().unwrap_or_default()),
                event_id: event.event_id?.into(),
                at: DateTime::from_timestamp_millis(event.timestamp?)?,
                ingested_at: event.ingestion_time.and_then(DateTime::from_timestamp_millis),
                message: event.message.unwrap_or_default(),
            })
        })
        .collect();
    let next = match answer.next_token {
        Some(token) => Some(NextPage::Token(token)),
        None if full => events.iter().map(|event| event.at).max().map(|newest| {
            if newest > from {
                return NextPage::From(newest);
            }
            warn!(group = %group.name(), at = %newest, "more events in one millisecond than a page holds, and no token: the rest of them cannot be read");
            NextPage::From(newest + Duration::milliseconds(1))
        }),
        None => None,
    };
    Ok(EventsPage { events, next })
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
                ingested_at: None,
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
    use super::*;

    #[test]
    fn a_group_is_named_by_its_name_also_when_given_as_an_arn() {
        let arn = "arn:aws:logs:us-east-1:111122223333:log-group:/ecs/chat-api";
        for text in [arn.to_owned(), format!("{arn}:*")] {
            assert_eq!(Group::parse(&text), Group::Arn { arn: arn.to_owned(), name: "/ecs/chat-api".into() });
        }
        assert_eq!(Group::parse("/ecs/chat-api"), Group::Name("/ecs/chat-api".into()));
    }
}
