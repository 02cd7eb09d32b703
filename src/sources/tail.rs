//! What is read next of a log group, so that no event is lost that arrives up to the overlap late, and the log is not
//! read again and again for it.
//!
//! Most events arrive within seconds: every pass reads a short way back (*near*). Twice in every overlap a *sweep*
//! reads from one overlap before the last sweep on: an event that arrived since then, up to the overlap late, is in it.
//! Only a sweep moves the cursor. Now and then a *far* look finds out whether events arrive later still.

use std::collections::VecDeque;

use chrono::Duration;
use faultline_core::model::Time;

use super::log_events::{Event, EventsPage, Group, NextPage, filter_page};
use crate::{
    aws::{CallError, RegionClients},
    pipeline::status::SourceState,
};

/// CloudWatch Logs delivers within 5 to 20 seconds; a pass reads this far back.
const NEAR: Duration = Duration::seconds(30);
/// A long way to catch up is gone in steps, each with a cursor at its end.
const LONGEST_STEP: Duration = Duration::hours(1);
/// How often it is looked for events that came later than the overlap.
const FAR_EVERY: Duration = Duration::hours(1);

/// Why a stretch is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Near,
    Sweep,
    Far,
}

/// A stretch of time to be read, `[from, until)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub from: Time,
    pub until: Time,
    pub reason: Reason,
}

/// How far a log group has been read.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    overlap: Duration,
    /// How far back a far look goes; zero for none.
    far: Duration,
    /// What is before was read once.
    read: Time,
    /// What is before was read, and what arrived up to the overlap late before then too.
    swept: Time,
    /// The last sweeps, that of the run before included: when each read, and up to where. What arrived after one and is
    /// older than its overlap came too late for all that followed.
    sweeps: VecDeque<(Time, Time)>,
    /// `None` before the first sweep.
    far_looked: Option<Time>,
}

impl Tail {
    /// Begins at `begin`; `cursor` is where an earlier run got to.
    pub(super) fn new(overlap: Duration, far: Duration, begin: Time, cursor: Option<Time>) -> Self {
        let sweeps = cursor.map(|cursor| (cursor, cursor)).into_iter().collect();
        Self { overlap, far, read: begin, swept: begin, sweeps, far_looked: None }
    }

    fn sweep_every(&self) -> Duration {
        self.overlap / 2
    }

    /// What to read at `now`.
    pub(super) fn next(&self, now: Time) -> Stretch {
        let stretch = |from, until, reason| Stretch { from, until, reason };
        let first = self.far_looked.is_none();
        if first || now - self.swept >= self.sweep_every() || self.overlap <= NEAR {
            return stretch(
                self.swept - self.overlap,
                now.min(self.swept + LONGEST_STEP).max(self.swept),
                Reason::Sweep,
            );
        }
        if self.far > self.overlap && self.far_looked.is_some_and(|last| now - last >= FAR_EVERY) {
            return stretch(now - self.far, self.swept - self.overlap, Reason::Far);
        }
        stretch(self.read - NEAR, now.max(self.read), Reason::Near)
    }

    /// A stretch was read to its end, and what it held was sent.
    pub(super) fn done(&mut self, stretch: Stretch, now: Time) {
        match stretch.reason {
            Reason::Far => self.far_looked = Some(now),
            Reason::Near => self.read = stretch.until,
            Reason::Sweep => {
                self.read = self.read.max(stretch.until);
                self.swept = stretch.until;
                self.sweeps.push_back((now, stretch.until));
                while self.sweeps.len() > 1
                    && self.sweeps.front().is_some_and(|(at, _)| now - *at > self.far + FAR_EVERY)
                {
                    self.sweeps.pop_front();
                }
                // What was read so far was as good as a far look.
                self.far_looked = self.far_looked.or(Some(now));
            }
        }
    }

    /// Whether everything up to `now` was read once.
    pub(super) fn is_at(&self, now: Time) -> bool {
        self.read >= now
    }

    /// Where a later run may begin, but for the overlap.
    pub(super) const fn cursor(&self) -> Time {
        self.swept
    }

    /// Nothing before this will be read again.
    pub(super) fn oldest(&self) -> Time {
        self.swept - self.overlap
    }

    /// Whether a stretch's event interests: all do, but of a far look only those that no sweep has seen.
    pub(super) fn wants(&self, stretch: Stretch, event: &Event) -> bool {
        let is_news = || event.ingested_at.zip(self.far_looked).is_some_and(|(ingested, last)| ingested > last);
        stretch.reason != Reason::Far || is_news() && self.is_missed(event)
    }

    /// Whether the event came later than the overlap: its time had been passed for good.
    pub(super) fn is_missed(&self, event: &Event) -> bool {
        let Some(ingested) = event.ingested_at else { return false };
        let before = self.sweeps.iter().rev().find(|(at, _)| *at < ingested);
        before.is_some_and(|(_, until)| event.at < *until - self.overlap)
    }

    /// How often each event is read, polled this often.
    pub(super) fn readings(&self, poll: Duration) -> f64 {
        let ratio = |read: Duration, every: Duration| read.as_seconds_f64() / every.as_seconds_f64().max(1.0);
        if self.overlap <= NEAR {
            return ratio(poll + self.overlap, poll);
        }
        ratio(poll + NEAR, poll) + ratio(self.overlap + self.sweep_every(), self.sweep_every())
    }
}

/// A stretch being read, page by page.
#[derive(Debug)]
pub(super) struct Scan {
    pub stretch: Stretch,
    at: Option<NextPage>,
}

impl Scan {
    pub(super) const fn new(stretch: Stretch) -> Self {
        Self { stretch, at: None }
    }

    /// The page that is next. It stays next until [`Self::go_on`]: what fails on the way is read again.
    pub(super) async fn page(
        &mut self,
        clients: &RegionClients,
        group: &Group,
        pattern: Option<&str>,
    ) -> Result<EventsPage, CallError> {
        let range = (self.stretch.from, self.stretch.until);
        if range.0 >= range.1 {
            return Ok(EventsPage { events: Vec::new(), next: None });
        }
        let page = filter_page(clients, group, pattern, range, self.at.as_ref()).await;
        if page.as_ref().is_err_and(|error| error.state == SourceState::Failed) {
            // The token may be what is wrong.
            self.at = None;
        }
        page
    }

    pub(super) fn go_on(&mut self, next: NextPage) {
        self.at = Some(next);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use chrono::{TimeZone, Utc};
    use proptest::prelude::*;

    use super::*;

    const OVERLAP: Duration = Duration::minutes(10);

    fn at(second: i64) -> Time {
        Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).unwrap() + Duration::seconds(second)
    }

    fn event(second: i64, ingested: i64) -> Event {
        Event {
            stream: "s".into(),
            event_id: "e".into(),
            at: at(second),
            ingested_at: Some(at(ingested)),
            message: String::new(),
        }
    }

    proptest! {
        /// Passes at any times: an event that becomes visible up to the overlap after its time is in a stretch that is
        /// read once it is visible.
        #[test]
        fn whatever_arrives_up_to_the_overlap_late_is_read(
            waits in prop::collection::vec(1_i64..700, 1..60),
            written in 0_i64..5_000,
            late in 0_i64..600,
        ) {
            let mut tail = Tail::new(OVERLAP, Duration::zero(), at(0), None);
            let mut now = 0;
            let mut found = false;
            for wait in waits.into_iter().chain([700, 700]) {
                now += wait;
                loop {
                    let stretch = tail.next(at(now));
                    found |= written + late <= now && (stretch.from..stretch.until).contains(&at(written));
                    tail.done(stretch, at(now));
                    if tail.is_at(at(now)) {
                        break;
                    }
                }
            }
            prop_assert!(found || written + late > now - 700, "at {now}");
        }
    }

    #[test]
    fn a_log_is_read_some_six_times_over_and_not_forty() {
        let mut tail = Tail::new(OVERLAP, Duration::zero(), at(0), None);
        let mut read = Duration::zero();
        for now in (15..7200).step_by(15) {
            let stretch = tail.next(at(now));
            read += stretch.until - stretch.from;
            tail.done(stretch, at(now));
        }
        let times = read.as_seconds_f64() / 7200.0;
        assert!((5.0..6.5).contains(&times), "{times}");
        assert!((tail.readings(Duration::seconds(15)) - times).abs() < 0.5);
    }

    #[test]
    fn a_long_way_is_gone_in_steps_whose_ends_are_cursors() {
        let mut tail = Tail::new(OVERLAP, Duration::zero(), at(0), None);
        let mut cursors = Vec::new();
        while !tail.is_at(at(9000)) {
            let stretch = tail.next(at(9000));
            tail.done(stretch, at(9000));
            cursors.push(tail.cursor());
        }
        assert_eq!(cursors, [at(3600), at(7200), at(9000)]);
    }

    #[test]
    fn a_near_pass_does_not_move_the_cursor() {
        let mut tail = Tail::new(OVERLAP, Duration::zero(), at(0), None);
        for now in [60, 75, 90] {
            let stretch = tail.next(at(now));
            tail.done(stretch, at(now));
        }
        assert_eq!((tail.cursor(), tail.oldest()), (at(60), at(-540)));
    }

    #[test]
    fn what_came_later_than_the_overlap_is_told_from_what_came_in_time_and_found_by_a_far_look_once() {
        let mut tail = Tail::new(OVERLAP, Duration::hours(1), at(0), None);
        let sweep = tail.next(at(1000));
        assert!(!tail.is_missed(&event(-2000, 5)), "nothing is missed by a first run");
        tail.done(sweep, at(1000));
        assert!(tail.is_missed(&event(399, 1001)));
        assert!(!tail.is_missed(&event(401, 1001)), "within the overlap");
        assert!(!tail.is_missed(&event(399, 999)), "it was there");

        let mut looks = Vec::new();
        for now in (1015..12_000).step_by(15) {
            let stretch = tail.next(at(now));
            if stretch.reason == Reason::Far {
                looks.push(now);
                let late = event(now - 1500, now - 20);
                let in_time = event(now - 1500, now - 1000);
                assert!(!tail.wants(stretch, &in_time), "a sweep saw it");
                assert!(tail.wants(stretch, &late) && (stretch.from..stretch.until).contains(&late.at), "{stretch:?}");
                tail.done(stretch, at(now));
                assert!(!tail.wants(stretch, &late), "the next look knows it");
            } else {
                tail.done(stretch, at(now));
            }
        }
        assert_eq!(looks.len(), 3, "{looks:?}");
    }
}
