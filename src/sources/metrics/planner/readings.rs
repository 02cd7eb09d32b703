//! What each minute of one key last read, which minutes are final, and which are to be read.

use std::{collections::BTreeMap, ops::Range};

use chrono::Duration;
use faultline_core::model::{MetricStats, Time};

use super::settling::{ReadingAges, Settling};

/// Every minute is read once more when it is this old, with what is read then anyway: that costs nothing, and shows
/// what changed late.
pub(super) const LOOK_BACK: Duration = Duration::minutes(30);
/// The longest range of one request: up to here CloudWatch allows its highest rate of datapoints.
pub(super) const LONGEST_RANGE: Duration = Duration::hours(3);
pub(super) const MINUTE: Duration = Duration::minutes(1);

/// One minute.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Reading {
    /// Nothing where CloudWatch has no datapoint: that is not a zero.
    stats: Option<MetricStats>,
    ages: ReadingAges,
    /// When it last read differently.
    changed_at: Time,
}

/// The minutes of one key.
#[derive(Debug, Clone)]
pub(super) struct Readings {
    minutes: BTreeMap<Time, Reading>,
    /// Nothing is remembered of minutes before this one.
    known_from: Time,
    final_until: Time,
    read_until: Time,
    /// The first minute that was not read but inferred to hold nothing, since the last reading: that verifies it.
    inferred_from: Option<Time>,
    settling: Settling,
}

impl Readings {
    pub(super) const fn new(start: Time, settle: Duration) -> Self {
        let settling = Settling::new(settle);
        Self {
            minutes: BTreeMap::new(),
            known_from: start,
            final_until: start,
            read_until: start,
            inferred_from: None,
            settling,
        }
    }

    /// Every minute before this one is final.
    pub(super) const fn final_until(&self) -> Time {
        self.final_until
    }

    /// Every minute before this one was read once.
    pub(super) const fn read_until(&self) -> Time {
        self.read_until
    }

    /// How old a minute must be to be taken as final.
    pub(super) fn delay(&self) -> Duration {
        self.settling.delay()
    }

    /// What is to be read when something is: what is not final or was only inferred, and what may have changed late, up
    /// to the last whole minute. The minute that is running is never read: a part of a minute looks like a dip.
    pub(super) fn range(&self, end: Time) -> Range<Time> {
        let start = self.final_until.min((self.read_until - LOOK_BACK).max(self.known_from));
        let start = self.inferred_from.map_or(start, |inferred| inferred.min(start));
        start..end.min(self.read_until.max(start) + LONGEST_RANGE)
    }

    /// Nothing before `start` needs to be read any more: it is known to be empty.
    pub(super) fn skip_to(&mut self, start: Time) {
        self.final_until = self.final_until.max(start);
        self.read_until = self.read_until.max(start);
        self.known_from = self.known_from.max(start);
    }

    /// The reading of a minute: nothing where it is not known, or where it is known that there is no datapoint.
    pub(super) fn stats(&self, minute: Time) -> Option<MetricStats> {
        self.minutes.get(&minute)?.stats
    }

    /// Whether a minute, as it was last read, has no datapoint. Nothing where that is not known.
    pub(super) fn is_empty(&self, minute: Time) -> Option<bool> {
        match self.minutes.get(&minute) {
            Some(reading) => Some(reading.stats.is_none()),
            None => (self.known_from..self.final_until).contains(&minute).then_some(true),
        }
    }

    /// The minutes in a range that have data, oldest first.
    pub(super) fn with_data(&self, range: Range<Time>) -> impl DoubleEndedIterator<Item = (Time, MetricStats)> + '_ {
        let range = range.start..range.end.max(range.start);
        self.minutes.range(range).filter_map(|(minute, reading)| Some((*minute, reading.stats?)))
    }

    /// Takes in what a range read, at `now`; returns the minutes that changed. Of two readings the larger stands, whatever
    /// the order they come in. An incomplete answer can let minutes grow, but tells nothing of those it lacks.
    pub(super) fn take(
        &mut self,
        range: &Range<Time>,
        read: &BTreeMap<Time, MetricStats>,
        complete: bool,
        now: Time,
    ) -> Vec<Time> {
        let delay = self.settling.delay();
        let mut changed = Vec::new();
        let mut minute = range.start;
        while minute < range.end {
            let new = read.get(&minute).copied().filter(|stats| stats.sample_count > 0.0);
            if (complete || new.is_some()) && self.take_one(minute, new, now, delay) {
                changed.push(minute);
            }
            minute += MINUTE;
        }
        if complete && range.start <= self.read_until {
            self.inferred_from = self.inferred_from.filter(|inferred| !range.contains(inferred));
            self.read_until = self.read_until.max(range.end);
            self.advance(range, now);
        }
        changed
    }

    fn take_one(&mut self, minute: Time, new: Option<MetricStats>, now: Time, delay: Duration) -> bool {
        let ended = minute + MINUTE;
        let (mut reading, first) = match self.minutes.get(&minute) {
            Some(reading) => (*reading, false),
            // A minute that is old when it is first read last changed, for all that is known, when it became settled.
            None => (Reading { stats: None, ages: ReadingAges::default(), changed_at: now.min(ended + delay) }, true),
        };
        let old = reading.stats;
        let grown = match (old, new) {
            (None, Some(_)) => true,
            (Some(old), Some(new)) => new.sample_count > old.sample_count || new.sum > old.sum,
            (_, None) => false,
        };
        if grown && !first {
            reading.changed_at = now;
        }
        if let Some(new) = new {
            reading.stats = Some(old.map_or(new, |old| joined(old, new)));
        }
        reading.ages.add(now - ended, grown);
        self.minutes.insert(minute, reading);
        reading.stats != old
    }

    /// Minutes become final in their order: those that are old enough and have been quiet for long enough.
    fn advance(&mut self, range: &Range<Time>, now: Time) {
        let (delay, quiet) = (self.settling.delay(), self.settling.quiet());
        if range.start > self.final_until {
            return;
        }
        while self.final_until < range.end {
            let settled = self
                .minutes
                .get(&self.final_until)
                .is_some_and(|reading| now - (self.final_until + MINUTE) >= delay && now - reading.changed_at >= quiet);
            if !settled {
                return;
            }
            self.final_until += MINUTE;
        }
    }

    /// Minutes up to `until` are final too where nothing was read of them: by other means it is known that they hold
    /// nothing.
    pub(super) fn advance_over_empty(&mut self, until: Time) {
        while self.final_until < until && self.stats(self.final_until).is_none() {
            if self.final_until >= self.read_until {
                self.inferred_from.get_or_insert(self.final_until);
            }
            self.final_until += MINUTE;
        }
        self.read_until = self.read_until.max(self.final_until);
    }

    /// Forgets what is final and will not be read again, and learns from it.
    pub(super) fn forget_before(&mut self, oldest: Time) {
        let oldest = oldest.min(self.final_until).min(self.read_until - LOOK_BACK).max(self.known_from);
        self.known_from = oldest;
        let kept = self.minutes.split_off(&oldest);
        let gone = std::mem::replace(&mut self.minutes, kept);
        for reading in gone.into_values().filter(|reading| reading.stats.is_some()) {
            self.settling.learn(reading.ages);
        }
    }
}

/// Two readings of a minute: the larger of each count stands, the rest is of the reading that is larger, so that the
/// order in which they come does not matter.
fn joined(one: MetricStats, other: MetricStats) -> MetricStats {
    let size = |stats: &MetricStats| (stats.sample_count, stats.sum);
    let (larger, smaller) = if size(&other) >= size(&one) { (other, one) } else { (one, other) };
    MetricStats {
        sum: larger.sum.max(smaller.sum),
        over_60_seconds: larger.over_60_seconds.or(smaller.over_60_seconds),
        ..larger
    }
}
