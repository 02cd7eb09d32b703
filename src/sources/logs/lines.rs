//! Failures in all the events of a group, where nothing filters before us: frames stay open from one page to the next.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::Duration;
use faultline_core::{
    model::Time,
    recognise::{Recognised, Recogniser, Settings},
};

use super::log_event;
use crate::sources::log_events::Event;

/// A traceback that began before the first page is not told by its rest: so much is read only to know whose the first
/// lines are.
const LEAD_IN: Duration = Duration::seconds(10);

/// Reads the lines of one group.
#[derive(Debug)]
pub(super) struct Lines {
    settings: Settings,
    recogniser: Recogniser,
    /// Up to where each stream was read.
    newest: HashMap<Arc<str>, Time>,
    /// Of what was decided before, the beginning may be missing.
    whole_from: Option<Time>,
}

impl Lines {
    pub(super) fn new(settings: Settings) -> Self {
        let recogniser = Recogniser::new(settings.clone());
        Self { settings, recogniser, newest: HashMap::new(), whole_from: None }
    }

    /// Reads the new events of a page of a stretch that begins at `from`, oldest first.
    pub(super) fn read(&mut self, from: Time, events: &[Event]) -> Vec<Recognised> {
        let whole_from = *self.whole_from.get_or_insert(from + LEAD_IN);
        let mut found = Vec::new();
        let mut late: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
        for event in events {
            match self.newest.get_mut(&event.stream) {
                Some(newest) if event.at < *newest => late.entry(&event.stream).or_default().push(event),
                Some(newest) => {
                    *newest = event.at;
                    self.recogniser.push(&log_event(event), &mut found);
                }
                None => {
                    self.newest.insert(Arc::clone(&event.stream), event.at);
                    self.recogniser.push(&log_event(event), &mut found);
                }
            }
        }
        // What arrived after later lines were read belongs to no frame that is open now.
        for events in late.into_values() {
            let mut recogniser = Recogniser::new(self.settings.clone());
            for event in events {
                recogniser.push(&log_event(event), &mut found);
            }
            recogniser.finish(&mut found);
        }
        found.retain(|failure| failure.at.is_none_or(|at| at >= whole_from));
        found
    }

    /// A stretch was read to its end: closes the frames to which nothing is added any more, and forgets streams that
    /// have nothing new since `oldest`.
    pub(super) fn close(&mut self, now: Time, oldest: Time) -> Vec<Recognised> {
        let mut found = Vec::new();
        self.recogniser.close_idle(now, &mut found);
        self.newest.retain(|_, newest| *newest >= oldest);
        found.retain(|failure| failure.at.zip(self.whole_from).is_none_or(|(at, whole_from)| at >= whole_from));
        found
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

    fn line(second: i64, message: &str) -> Event {
        Event {
            stream: "s".into(),
            event_id: format!("{second}").into(),
            at: at(second),
            ingested_at: None,
            message: message.to_owned(),
        }
    }

    const TRACEBACK: [&str; 3] = [
        "Traceback (most recent call last):",
        "  File \"/app/chat.py\", line 31, in answer",
        "botocore.errorfactory.ThrottlingException: An error occurred (ThrottlingException) when calling the Converse operation: Too many requests",
    ];

    fn lines() -> Lines {
        Lines::new(Settings { assume_bedrock: true, ..Settings::default() })
    }

    #[test]
    fn a_traceback_over_two_pages_is_one_failure() {
        let mut lines = lines();
        let mut found = lines.read(at(0), &[line(20, TRACEBACK[0]), line(20, TRACEBACK[1])]);
        found.extend(lines.read(at(0), &[line(21, TRACEBACK[2])]));
        found.extend(lines.close(at(60), at(-600)));
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn a_line_that_arrives_after_later_ones_is_read_by_itself() {
        let mut lines = lines();
        let mut found = lines.read(at(0), &[line(50, TRACEBACK[0])]);
        found.extend(lines.read(at(0), &[line(30, TRACEBACK[2])]));
        found.extend(lines.read(at(0), &[line(51, TRACEBACK[2])]));
        found.extend(lines.close(at(100), at(-600)));
        let ids: Vec<_> = found.iter().map(|failure| failure.event_id.to_string()).collect();
        assert_eq!(ids, ["30", "51"]);
    }

    #[test]
    fn what_began_before_the_first_line_that_was_read_is_not_told_by_its_rest() {
        let mut lines = lines();
        let mut found = lines.read(at(0), &[line(3, TRACEBACK[2]), line(15, TRACEBACK[2])]);
        found.extend(lines.close(at(60), at(-600)));
        let ids: Vec<_> = found.iter().map(|failure| failure.event_id.to_string()).collect();
        assert_eq!(ids, ["15"]);
    }
}
