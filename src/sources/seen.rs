//! Which events were sent already, for as long as they can be read again.

use std::{
    collections::{BTreeMap, HashSet},
    hash::{BuildHasher, RandomState},
};

use faultline_core::model::Time;

/// Events already sent. An event is remembered only once it has been sent: a pass that fails halfway reads it again.
/// Kept as 64-bit hashes of their ids: a busy log has a million of them in its overlap.
#[derive(Debug, Default)]
pub(super) struct Seen {
    hasher: RandomState,
    ids: HashSet<u64>,
    by_time: BTreeMap<Time, Vec<u64>>,
}

impl Seen {
    /// Whether the event was not sent yet, as a match of the pattern of this number.
    pub(super) fn is_new(&self, pattern: usize, event_id: &str) -> bool {
        !self.ids.contains(&self.hasher.hash_one((pattern, event_id)))
    }

    pub(super) fn remember(&mut self, pattern: usize, event_id: &str, at: Time) {
        let id = self.hasher.hash_one((pattern, event_id));
        if self.ids.insert(id) {
            self.by_time.entry(at).or_default().push(id);
        }
    }

    pub(super) fn forget_before(&mut self, time: Time) {
        let kept = self.by_time.split_off(&time);
        for id in std::mem::replace(&mut self.by_time, kept).into_values().flatten() {
            self.ids.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone, Utc};

    use super::*;

    #[test]
    fn an_event_is_new_until_it_was_sent_and_forgotten_when_it_cannot_be_read_again() {
        let at = |second| Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, second).single().unwrap_or_default();
        let mut seen = Seen::default();
        assert!(seen.is_new(0, "a") && seen.is_new(0, "a"), "reading alone remembers nothing");
        for (id, second) in [("a", 1), ("b", 2), ("a", 1)] {
            seen.remember(0, id, at(second));
        }
        assert!(seen.is_new(1, "a"), "another pattern's match has yet to be looked at");
        seen.forget_before(at(2));
        assert!(seen.is_new(0, "a") && !seen.is_new(0, "b"));
        assert_eq!((seen.ids.len(), seen.by_time.len()), (1, 1), "what is forgotten takes no room");
    }
}
