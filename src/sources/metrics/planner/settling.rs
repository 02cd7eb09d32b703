//! How old a minute of a series must be before it no longer changes, learnt from the minutes gone by.
//!
//! Each reading of a minute is, in hindsight, either what the minute came to in the end or not. From the age on at
//! which hardly any reading was still wrong, minutes are final.

use chrono::Duration;

/// Ages are counted in whole minutes below this.
const AGES: usize = 45;
/// An age has settled when at most one reading in so many of that age, or of a greater one, was still wrong.
const ONE_WRONG_IN: u32 = 200;
/// Ages are judged so many together: a series that is read every ten minutes has few readings of each.
const AGES_TOGETHER: usize = 5;
/// So many readings are needed to judge.
const READINGS_TO_DECIDE: u32 = 100;
/// Beyond so many readings of an age, the older ones count half: habits change.
const READINGS_REMEMBERED: u32 = 2_000;

/// The bounds of what is learnt, in minutes: below, a pause in the publishing is taken for its end; above, CloudWatch
/// is broken and says so itself.
const LEAST_MINUTES: usize = 3;
const MOST_MINUTES: usize = 30;

/// The readings of one minute: at which ages it was read, and at which it last read differently.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct ReadingAges {
    read: u64,
    changed: usize,
}

impl ReadingAges {
    pub(super) fn add(&mut self, age: Duration, changed: bool) {
        let age = usize::try_from(age.num_minutes()).unwrap_or(0);
        if changed {
            self.changed = age;
        }
        if age < AGES {
            self.read |= 1 << age;
        }
    }
}

/// What is known of one series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settling {
    /// Where it begins, and stays until enough is known.
    start: Duration,
    right: [u32; AGES],
    wrong: [u32; AGES],
}

impl Settling {
    pub(super) const fn new(start: Duration) -> Self {
        Self { start, right: [0; AGES], wrong: [0; AGES] }
    }

    /// A minute with data is out of reach of further changes.
    pub(super) fn learn(&mut self, ages: ReadingAges) {
        for age in (0..AGES).filter(|age| ages.read & (1 << age) != 0) {
            let (right, wrong) = (&mut self.right[age], &mut self.wrong[age]);
            *if age < ages.changed { &mut *wrong } else { &mut *right } += 1;
            if *right + *wrong > READINGS_REMEMBERED {
                *right /= 2;
                *wrong /= 2;
            }
        }
    }

    /// How old a minute must be to be taken as final.
    pub(super) fn delay(&self) -> Duration {
        // From the greatest age down: the first that was too often wrong ends the search.
        let too_young = (0..MOST_MINUTES).rev().find(|age| {
            let (wrong, all) = self.readings_about(*age);
            wrong * ONE_WRONG_IN > all
        });
        let first = too_young.map_or(0, |age| age + 1);
        match (first..MOST_MINUTES).find(|age| self.readings_about(*age).1 >= READINGS_TO_DECIDE) {
            // One more minute, because a reading of this age may have been taken at its end.
            Some(age) => minutes((age + 1).clamp(LEAST_MINUTES, MOST_MINUTES)),
            None => self.start.max(minutes(first)),
        }
    }

    /// Readings of an age and the next few, which are little better: wrong ones, and all.
    fn readings_about(&self, age: usize) -> (u32, u32) {
        let ages = age..(age + AGES_TOGETHER).min(AGES);
        let (wrong, right): (u32, u32) = (self.wrong[ages.clone()].iter().sum(), self.right[ages].iter().sum());
        (wrong, wrong + right)
    }

    /// For how long a minute must not have changed to be taken as final: eight of ten minutes.
    pub(super) fn quiet(&self) -> Duration {
        self.delay() * 4 / 5
    }
}

fn minutes(minutes: usize) -> Duration {
    Duration::minutes(i64::try_from(minutes).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A minute that is read at these ages and last changes at one of them.
    fn minute(read: impl IntoIterator<Item = i64>, changes_until: i64) -> ReadingAges {
        let mut ages = ReadingAges::default();
        for age in read {
            ages.add(Duration::minutes(age), age <= changes_until);
        }
        ages
    }

    fn start() -> Settling {
        Settling::new(Duration::minutes(10))
    }

    #[test]
    fn what_is_not_known_yet_settles_at_the_safe_start() {
        let mut settling = start();
        assert_eq!((settling.delay(), settling.quiet()), (Duration::minutes(10), Duration::minutes(8)));
        (0..19).for_each(|_| settling.learn(minute(0..40, 2)));
        assert_eq!(settling.delay(), Duration::minutes(10), "five readings short");
        settling.learn(minute(0..40, 2));
        assert_eq!(settling.delay(), Duration::minutes(3));
    }

    #[test]
    fn revisions_later_than_the_start_make_the_delay_longer() {
        let mut settling = start();
        (0..50).for_each(|_| settling.learn(minute(0..40, 17)));
        assert_eq!(settling.delay(), Duration::minutes(18));
    }

    #[test]
    fn one_straggler_in_two_hundred_does_not_hold_all_minutes_up_and_two_do() {
        let mut settling = start();
        (0..199).for_each(|_| settling.learn(minute(0..40, 4)));
        settling.learn(minute(0..40, 20));
        assert_eq!(settling.delay(), Duration::minutes(5));
        settling.learn(minute(0..40, 20));
        assert!(settling.delay() >= Duration::minutes(15), "{}", settling.delay());
    }

    #[test]
    fn a_series_that_is_read_rarely_is_learnt_from_all_the_same() {
        let mut settling = start();
        for offset in (0..10).cycle().take(400) {
            settling.learn(minute((offset..40).step_by(10), if offset < 4 { offset + 10 } else { offset }));
        }
        assert_eq!(settling.delay(), Duration::minutes(5), "readings of four minutes of age were right");
    }

    #[test]
    fn what_was_learnt_long_ago_is_unlearnt() {
        let mut settling = start();
        (0..3_000).for_each(|_| settling.learn(minute(0..40, 20)));
        (0..40_000).for_each(|_| settling.learn(minute(0..40, 1)));
        assert_eq!(settling.delay(), Duration::minutes(3));
    }

    proptest! {
        #[test]
        fn the_delay_stays_within_its_bounds(minutes in prop::collection::vec((prop::collection::vec(0_i64..60, 1..20), 0_i64..60), 0..200)) {
            let mut settling = start();
            for (mut read, changes_until) in minutes {
                read.sort_unstable();
                settling.learn(minute(read, changes_until));
            }
            let (delay, quiet) = (settling.delay(), settling.quiet());
            prop_assert!((Duration::minutes(3)..=Duration::minutes(30)).contains(&delay), "{delay}");
            prop_assert!(quiet < delay);
        }
    }
}
