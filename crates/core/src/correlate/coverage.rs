//! Which stretches of the invocation log have been read in full.
//!
//! A failure can only be matched where every record it may be of has been read. Where nothing was ever said of
//! stretches, everything that was shown is everything there is.

use std::collections::BTreeMap;

use crate::model::{ModelKey, RecordsRead, Time};

/// Stretches by model; those of all models under `None`.
#[derive(Debug, Default)]
pub(super) struct Coverage(BTreeMap<Option<ModelKey>, Vec<(Time, Time)>>);

impl Coverage {
    /// Takes in a stretch; true if it says something new.
    pub(super) fn add(&mut self, read: &RecordsRead) -> bool {
        if self.holds(read.model.as_ref(), read.from, read.until) {
            return false;
        }
        let stretches = self.0.entry(read.model.clone()).or_default();
        stretches.push((read.from, read.until));
        stretches.sort_unstable();
        let mut joined: Vec<(Time, Time)> = Vec::with_capacity(stretches.len());
        for &(from, until) in stretches.iter() {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(until),
                _ => joined.push((from, until)),
            }
        }
        *stretches = joined;
        true
    }

    /// Whether all records of a model (of all models, for a failure that names none) from one time to another were
    /// read.
    pub(super) fn covers(&self, model: Option<&ModelKey>, from: Time, until: Time) -> bool {
        self.0.is_empty() || self.holds(model, from, until)
    }

    fn holds(&self, model: Option<&ModelKey>, from: Time, until: Time) -> bool {
        let within = |key: &Option<ModelKey>| {
            let stretches = self.0.get(key).map_or(&[][..], Vec::as_slice);
            stretches.iter().any(|&(first, last)| first <= from && until <= last)
        };
        within(&None) || model.is_some_and(|model| within(&Some(model.clone())))
    }

    /// Forgets what ended before `oldest`, but not that something was said.
    pub(super) fn prune(&mut self, oldest: Time) {
        for stretches in self.0.values_mut() {
            stretches.retain(|&(_, until)| until >= oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::{Duration, TimeZone, Utc};

    use super::*;
    use crate::model::Cell;

    fn at(minute: i64) -> Time {
        Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).unwrap() + Duration::minutes(minute)
    }

    fn read(model: Option<&ModelKey>, from: i64, until: i64) -> RecordsRead {
        RecordsRead { cell: Cell::new("1", "r"), model: model.cloned(), from: at(from), until: at(until) }
    }

    #[test]
    fn stretches_add_up_in_any_order() {
        let model = ModelKey::parse("amazon.nova-pro-v1:0");
        let mut coverage = Coverage::default();
        assert!(coverage.covers(Some(&model), at(0), at(60)), "nothing was said of stretches");
        assert!(coverage.add(&read(Some(&model), 10, 20)));
        assert!(coverage.add(&read(Some(&model), 0, 10)));
        assert!(!coverage.add(&read(Some(&model), 5, 15)), "nothing new");
        assert!(coverage.covers(Some(&model), at(1), at(19)));
        assert!(!coverage.covers(Some(&model), at(1), at(21)));
        assert!(!coverage.covers(None, at(1), at(2)), "other models were not read");
        assert!(coverage.add(&read(None, 30, 40)));
        assert!(coverage.covers(Some(&model), at(31), at(39)));
    }

    #[test]
    fn what_is_forgotten_is_not_covered() {
        let mut coverage = Coverage::default();
        coverage.add(&read(None, 0, 10));
        coverage.prune(at(11));
        assert!(!coverage.covers(None, at(1), at(2)));
    }
}
