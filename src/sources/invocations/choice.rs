//! `invocations.read: auto`: every record while that is affordable, else those of failures.

use chrono::Duration;
use faultline_core::model::Time;

use super::Read;

/// FilterLogEvents calls a minute that reading every record may take: half of what AWS allows, for the application logs
/// share it.
const CALLS_A_MINUTE: f64 = 150.0;
/// A page is at most so many bytes, or so many events.
const PAGE_BYTES: f64 = 1_048_576.0;
const PAGE_EVENTS: f64 = 10_000.0;
/// A busy minute is no reason: so many measures in a row, at least this long apart, are.
const IN_A_ROW: u32 = 3;
const APART: Duration = Duration::seconds(40);
/// Below this part of what is affordable, every record is read again.
const COMFORTABLE: f64 = 0.5;
/// How often the log is looked at while it is not read as a whole.
const PROBE_EVERY: Duration = Duration::minutes(2);

/// How much is written to the log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Volume {
    pub bytes: f64,
    pub events: f64,
    pub span: Duration,
}

/// What is read, and what would change it.
#[derive(Debug)]
pub(super) struct Choice {
    /// Bytes a minute that may be read.
    budget: f64,
    /// How often each record is read, for those that come late.
    readings: f64,
    reading: Option<Read>,
    against: u32,
    counted: Option<Time>,
    probed: Option<Time>,
}

impl Choice {
    pub(super) const fn new(budget_bytes_a_minute: f64, readings: f64) -> Self {
        let budget = budget_bytes_a_minute;
        Self { budget, readings, reading: None, against: 0, counted: None, probed: None }
    }

    /// What is read; `None` until the log was looked at for the first time.
    pub(super) const fn reading(&self) -> Option<Read> {
        self.reading
    }

    /// Whether the log is to be looked at, to know how much is written.
    pub(super) fn probe_is_due(&self, now: Time) -> bool {
        match self.reading {
            Some(Read::All) => false,
            Some(Read::Failures) => self.probed.is_none_or(|last| now - last >= PROBE_EVERY),
            None => true,
        }
    }

    pub(super) const fn probed(&mut self, now: Time) {
        self.probed = Some(now);
    }

    /// Which part of what is affordable reading every record would take.
    pub(super) fn load(&self, volume: Volume) -> f64 {
        let minutes = (volume.span.as_seconds_f64() / 60.0).max(1.0 / 60.0);
        let bytes = volume.bytes / minutes * self.readings;
        let calls = (volume.bytes / PAGE_BYTES).max(volume.events / PAGE_EVENTS) / minutes * self.readings;
        (bytes / self.budget).max(calls / CALLS_A_MINUTE)
    }

    /// Takes in a measure; returns what is read from now on, if that changes.
    pub(super) fn measured(&mut self, volume: Volume, now: Time) -> Option<Read> {
        let load = self.load(volume);
        let better = match self.reading {
            None => {
                let first = if load <= 1.0 { Read::All } else { Read::Failures };
                self.reading = Some(first);
                return Some(first);
            }
            Some(Read::All) => (load > 1.0).then_some(Read::Failures),
            Some(Read::Failures) => (load < COMFORTABLE).then_some(Read::All),
        };
        let Some(better) = better else {
            self.against = 0;
            return None;
        };
        if self.counted.is_some_and(|last| now - last < APART) && self.against > 0 {
            return None;
        }
        self.against += 1;
        self.counted = Some(now);
        if self.against < IN_A_ROW {
            return None;
        }
        self.against = 0;
        self.reading = Some(better);
        Some(better)
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

    /// So many million bytes a minute, as one measures them in 30 s.
    fn megabytes(a_minute: f64) -> Volume {
        Volume { bytes: a_minute * 5e5, events: 10.0, span: Duration::seconds(30) }
    }

    fn choice() -> Choice {
        Choice::new(60e6, 6.0)
    }

    #[test]
    fn the_first_look_decides_at_once() {
        assert_eq!(choice().measured(megabytes(9.0), at(0)), Some(Read::All));
        assert_eq!(choice().measured(megabytes(11.0), at(0)), Some(Read::Failures));
        let mut generous = Choice::new(1e12, 6.0);
        assert_eq!(generous.measured(megabytes(50.0), at(0)), Some(Read::Failures), "the limiter does not allow it");
        let many_small = Volume { bytes: 1e6, events: 200_000.0, span: Duration::seconds(30) };
        assert_eq!(generous.load(many_small), 1.6);
    }

    #[test]
    fn a_busy_minute_changes_nothing_and_a_busy_while_does() {
        let mut choice = choice();
        choice.measured(megabytes(1.0), at(0));
        for (second, volume, expected) in [
            (60, 20.0, None),
            (120, 20.0, None),
            (180, 5.0, None),
            (240, 20.0, None),
            (250, 20.0, None),
            (260, 20.0, None),
            (300, 20.0, None),
            (360, 20.0, Some(Read::Failures)),
        ] {
            assert_eq!(choice.measured(megabytes(volume), at(second)), expected, "at {second}");
        }
        assert_eq!(choice.reading(), Some(Read::Failures));
    }

    #[test]
    fn what_is_just_affordable_is_not_taken_up_again_so_that_it_does_not_swing() {
        let mut choice = choice();
        choice.measured(megabytes(20.0), at(0));
        choice.probed(at(0));
        let mut changes = 0;
        for second in (15..3600).step_by(15) {
            if choice.probe_is_due(at(second)) {
                choice.probed(at(second));
                changes += usize::from(choice.measured(megabytes(8.0), at(second)).is_some());
            }
        }
        assert_eq!(changes, 0);
        for (second, expected) in [(3700, None), (3820, None), (3940, Some(Read::All))] {
            assert!(choice.probe_is_due(at(second)));
            choice.probed(at(second));
            assert_eq!(choice.measured(megabytes(4.0), at(second)), expected, "at {second}");
        }
        assert!(!choice.probe_is_due(at(9999)), "what is read as a whole needs no probe");
    }
}
