//! Which request ids are still without their record, and when to ask again.

use std::collections::BTreeMap;

use chrono::Duration;
use faultline_core::model::Time;

use super::WantedRecord;
use crate::sources::log_events::LONGEST_PATTERN;

/// A call may have begun this long before it failed: the longest timeouts in use, with retries.
const LONGEST_CALL: Duration = Duration::minutes(30);
/// The first wait before an id is asked for again; it doubles.
const FIRST_RETRY: Duration = Duration::seconds(15);

/// One question to the invocation log.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lookup {
    pub pattern: String,
    pub from: Time,
    ids: Vec<String>,
}

#[derive(Debug, Clone)]
struct Asked {
    failed_at: Time,
    next: Time,
    wait: Duration,
}

/// The request ids asked for, until they are found or the horizon has passed.
#[derive(Debug)]
pub(super) struct Wanted {
    horizon: Duration,
    ids: BTreeMap<String, Asked>,
}

impl Wanted {
    pub(super) const fn new(horizon: Duration) -> Self {
        Self { horizon, ids: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, WantedRecord { request_id, failed_at }: WantedRecord) {
        // The id becomes part of a filter pattern: what cannot be one of Bedrock's must not get there.
        if request_id.len() <= 64 && request_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            self.ids.entry(request_id).or_insert(Asked { failed_at, next: failed_at, wait: FIRST_RETRY });
        }
    }

    pub(super) fn found(&mut self, request_id: &str) {
        self.ids.remove(request_id);
    }

    /// The questions to ask now, as few as fit the ids into patterns. Ids beyond the horizon are given up.
    pub(super) fn due(&mut self, now: Time) -> Vec<Lookup> {
        let horizon = self.horizon;
        // Asked for at least once, however late the failure was seen: after downtime its record is there already.
        self.ids.retain(|_, asked| asked.failed_at + horizon >= now || asked.wait == FIRST_RETRY);
        let mut lookups: Vec<Lookup> = Vec::new();
        for (id, asked) in self.ids.iter().filter(|(_, asked)| asked.next <= now) {
            let term = format!("($.requestId = \"{id}\")");
            let from = asked.failed_at - LONGEST_CALL;
            match lookups.last_mut() {
                Some(last) if last.pattern.len() + term.len() + 8 <= LONGEST_PATTERN => {
                    last.pattern = format!("{} || {term} }}", last.pattern.trim_end_matches(" }"));
                    last.from = last.from.min(from);
                    last.ids.push(id.clone());
                }
                _ => lookups.push(Lookup { pattern: format!("{{ {term} }}"), from, ids: vec![id.clone()] }),
            }
        }
        lookups
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::{TimeZone, Utc};

    use super::*;

    fn at(second: i64) -> Time {
        Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).unwrap() + Duration::seconds(second)
    }

    fn wanted(ids: usize) -> Wanted {
        let mut wanted = Wanted::new(Duration::minutes(30));
        for index in 0..ids {
            let request_id = format!("00000000-0000-4000-8000-{index:012}");
            wanted.add(WantedRecord { request_id, failed_at: at(0) });
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
        wanted.found("00000000-0000-4000-8000-000000000000");
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
    fn what_cannot_be_a_request_id_never_reaches_a_pattern() {
        let mut wanted = Wanted::new(Duration::minutes(30));
        wanted.add(WantedRecord { request_id: "x\") || ($.modelId = \"".into(), failed_at: at(0) });
        assert!(wanted.due(at(1)).is_empty());
    }
}
