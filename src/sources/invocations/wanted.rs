//! Failures whose records are wanted: which ids are asked for, and when again.

use std::collections::BTreeMap;

use chrono::Duration;
use faultline_core::model::{ClientFailure, FailureKind, ModelKey, Time};

use crate::sources::log_events::LONGEST_PATTERN;

/// A call of which nothing more is known began at most this long before it failed: the longest timeouts in use, with
/// retries.
const LONGEST_CALL: Duration = Duration::minutes(15);
/// A retry waits no longer than this before it begins (SDKs cap their backoff at 20 s).
const BACKOFF: f64 = 25.0;
/// Clocks differ, and a record's time is floored.
const SLACK: Duration = Duration::seconds(60);
/// A request id's record is searched for from so long before it would have to be: its time may be its call's first
/// attempt's.
const BEFORE: Duration = Duration::minutes(15);
/// The first wait before an id is asked for again; it doubles.
const FIRST_RETRY: Duration = Duration::seconds(15);

/// A failed call whose record is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedCall {
    /// Bedrock's request id, where the failure's text names it.
    pub request_id: Option<String>,
    /// The application's own id, where it is named.
    pub own_id: Option<String>,
    /// The model, where it is known.
    pub model: Option<ModelKey>,
    /// When the client said that the call failed.
    pub failed_at: Time,
    /// How long before then its first attempt may have begun.
    pub reach: Duration,
}

impl FailedCall {
    /// What is wanted of a failure; nothing where there is no record to be expected that could be found.
    pub fn of(failure: &ClientFailure) -> Option<Self> {
        let text = &failure.text;
        let named = text.request_id.is_some() || text.own_id.is_some();
        let reached_the_model =
            !matches!(text.kind, FailureKind::Rejected | FailureKind::Throttled | FailureKind::ConnectError);
        if text.kind == FailureKind::Rejected || !(named || reached_the_model) {
            return None;
        }
        let attempts = f64::from(text.attempts.unwrap_or(1).clamp(1, 10));
        let reach = text.elapsed_seconds.map_or(LONGEST_CALL, |elapsed| {
            #[allow(clippy::cast_possible_truncation)] // clamped to a day
            let seconds = ((elapsed + BACKOFF) * attempts).clamp(0.0, 86_400.0).ceil() as i64;
            Duration::seconds(seconds) + SLACK
        });
        Some(Self {
            request_id: text.request_id.clone(),
            own_id: text.own_id.clone(),
            model: text.model.clone(),
            failed_at: failure.at,
            reach,
        })
    }
}

/// One question to the invocation log.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lookup {
    pub pattern: String,
    pub from: Time,
    pub until: Time,
    ids: Vec<Id>,
}

/// An id as the log knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Id {
    Request(String),
    Own(String),
}

#[derive(Debug, Clone)]
struct Asked {
    from: Time,
    failed_at: Time,
    next: Time,
    wait: Duration,
}

/// The ids asked for, until their records are found or the horizon has passed.
#[derive(Debug)]
pub(super) struct Wanted {
    horizon: Duration,
    /// Keys of requestMetadata that may hold an application's own id.
    id_keys: Vec<String>,
    ids: BTreeMap<Id, Asked>,
}

impl Wanted {
    pub(super) fn new(horizon: Duration, id_keys: &[String]) -> Self {
        // Both become part of a filter pattern: what AWS would refuse, or read otherwise, must not get there.
        let id_keys = id_keys.iter().filter(|key| is_selector(key)).cloned().collect();
        Self { horizon, id_keys, ids: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, call: &FailedCall) {
        let request = call.request_id.as_ref().filter(|id| is_request_id(id)).map(|id| Id::Request(id.clone()));
        let own = call.own_id.as_ref().filter(|id| !self.id_keys.is_empty() && is_own_id(id));
        for id in request.into_iter().chain(own.map(|id| Id::Own(id.clone()))) {
            let from = call.failed_at - call.reach - BEFORE;
            let failed_at = call.failed_at;
            self.ids.entry(id).or_insert(Asked { from, failed_at, next: failed_at, wait: FIRST_RETRY });
        }
    }

    /// Gives up the ids beyond the horizon, where none is asked for.
    pub(super) fn forget(&mut self, now: Time) {
        let horizon = self.horizon;
        self.ids.retain(|_, asked| asked.failed_at + horizon >= now);
    }

    /// A record came. An application's own id may have more records, one an attempt, and is asked for on.
    pub(super) fn found(&mut self, request_id: &str) {
        self.ids.remove(&Id::Request(request_id.to_owned()));
    }

    /// The questions to ask now, as few as fit the ids into patterns: calls that failed at about the same time are asked
    /// for together, so that little of the log is searched. Ids beyond the horizon are given up.
    pub(super) fn due(&mut self, now: Time) -> Vec<Lookup> {
        let horizon = self.horizon;
        // Asked for at least once, however late the failure was seen: after downtime its record is there already.
        self.ids.retain(|_, asked| asked.failed_at + horizon >= now || asked.wait == FIRST_RETRY);
        let mut due: Vec<_> = self.ids.iter().filter(|(_, asked)| asked.next <= now).collect();
        due.sort_by_key(|(_, asked)| asked.failed_at);
        let mut lookups: Vec<Lookup> = Vec::new();
        for (id, asked) in due {
            let term = self.term(id);
            let until = now.min(asked.failed_at + horizon) + Duration::seconds(1);
            match lookups.last_mut() {
                Some(last) if last.pattern.len() + term.len() + 8 <= LONGEST_PATTERN => {
                    last.pattern = format!("{} || {term} }}", last.pattern.trim_end_matches(" }"));
                    last.from = last.from.min(asked.from);
                    last.until = last.until.max(until);
                    last.ids.push(id.clone());
                }
                _ => {
                    let pattern = format!("{{ {term} }}");
                    lookups.push(Lookup { pattern, from: asked.from, until, ids: vec![id.clone()] });
                }
            }
        }
        lookups
    }

    fn term(&self, id: &Id) -> String {
        match id {
            Id::Request(id) => format!("($.requestId = \"{id}\")"),
            Id::Own(id) => {
                let one = |key: &String| format!("($.requestMetadata.{key} = \"{id}\")");
                self.id_keys.iter().map(one).collect::<Vec<_>>().join(" || ")
            }
        }
    }

    /// Notes that a question was asked: those of its ids that are not found will be asked for again, less and less
    /// often.
    pub(super) fn asked(&mut self, lookup: &Lookup, now: Time) {
        for id in &lookup.ids {
            if let Some(asked) = self.ids.get_mut(id) {
                asked.next = now + asked.wait;
                asked.wait = asked.wait * 2;
            }
        }
    }
}

fn is_request_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// An own id may be anything up to 256 characters; one that is long or has quotes or wildcards is not asked for.
fn is_own_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 128
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/@#+=".contains(&byte))
}

/// What AWS takes as the name of a property.
fn is_selector(key: &str) -> bool {
    !key.is_empty() && key.len() <= 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::{TimeZone, Utc};

    use super::*;

    fn at(second: i64) -> Time {
        Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).unwrap() + Duration::seconds(second)
    }

    fn call(request_id: Option<String>, own_id: Option<&str>, failed_at: i64) -> FailedCall {
        let own_id = own_id.map(str::to_owned);
        FailedCall { request_id, own_id, model: None, failed_at: at(failed_at), reach: Duration::minutes(1) }
    }

    fn id(index: usize) -> String {
        format!("00000000-0000-4000-8000-{index:012}")
    }

    fn wanted(ids: usize) -> Wanted {
        let mut wanted = Wanted::new(Duration::minutes(30), &["faultline-id".to_owned(), "no selector".to_owned()]);
        for index in 0..ids {
            wanted.add(&call(Some(id(index)), None, 0));
        }
        wanted
    }

    #[test]
    fn every_id_is_asked_for_once_in_patterns_that_fit() {
        let mut wanted = wanted(50);
        let lookups = wanted.due(at(1));
        assert!(lookups.len() <= 4, "{} questions for 50 ids", lookups.len());
        for lookup in &lookups {
            assert!(lookup.pattern.len() <= LONGEST_PATTERN, "{}", lookup.pattern.len());
            assert!(lookup.pattern.starts_with("{ (") && lookup.pattern.ends_with(") }"), "{}", lookup.pattern);
        }
        let mut ids: Vec<_> = lookups.iter().flat_map(|lookup| lookup.ids.clone()).collect();
        ids.dedup();
        assert_eq!(ids.len(), 50);
    }

    #[test]
    fn an_id_is_asked_for_ever_less_often_until_it_is_found_or_given_up() {
        let mut wanted = wanted(1);
        let mut asked_at = Vec::new();
        for second in 0..3600 {
            for lookup in wanted.due(at(second)) {
                wanted.asked(&lookup, at(second));
                asked_at.push(second);
            }
        }
        assert_eq!(asked_at, [0, 15, 45, 105, 225, 465, 945]);
        assert!(wanted.ids.is_empty(), "given up");

        let mut wanted = self::wanted(1);
        wanted.found(&id(0));
        assert!(wanted.due(at(1)).is_empty());
    }

    #[test]
    fn a_failure_older_than_the_horizon_is_still_asked_for_once() {
        let mut wanted = wanted(1);
        let lookups = wanted.due(at(7200));
        assert_eq!(lookups.len(), 1);
        wanted.asked(&lookups[0], at(7200));
        assert!(wanted.due(at(7300)).is_empty());
    }

    #[test]
    fn calls_that_failed_together_are_searched_for_together() {
        let mut wanted = wanted(0);
        for index in 0..40 {
            wanted.add(&call(Some(id(index)), None, if index % 2 == 0 { 0 } else { 1200 }));
        }
        let lookups = wanted.due(at(1201));
        let spans: Vec<_> = lookups.iter().map(|lookup| (lookup.until - lookup.from).num_minutes()).collect();
        assert!(lookups.len() <= 3 && spans.iter().filter(|span| **span > 36).count() <= 1, "{spans:?}");
    }

    #[test]
    fn an_own_id_is_asked_for_by_the_metadata_that_may_hold_it_on_and_on() {
        let mut wanted = wanted(0);
        wanted.add(&call(None, Some("order-17"), 0));
        let lookups = wanted.due(at(1));
        assert_eq!(lookups[0].pattern, r#"{ ($.requestMetadata.faultline-id = "order-17") }"#);
        wanted.asked(&lookups[0], at(1));
        wanted.found("some-request");
        assert_eq!(wanted.due(at(20)).len(), 1, "another attempt's record may follow");
    }

    #[test]
    fn what_cannot_be_an_id_never_reaches_a_pattern() {
        let mut wanted = wanted(0);
        wanted.add(&call(Some("x\") || ($.modelId = \"".into()), Some("*"), 0));
        wanted.add(&call(Some(String::new()), Some("a\"b"), 0));
        assert!(wanted.due(at(1)).is_empty());
    }
}
