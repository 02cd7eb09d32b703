//! Randomness and the units it is drawn in.
//!
//! Every minute of every application has a random stream of its own, so that what happens in a minute depends on
//! the seed alone and not on how, or from where, time was walked.

use chrono::TimeDelta;
use faultline_core::model::Time;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, Poisson, StandardNormal};

/// The random stream of one application in one minute (minutes since 1970).
pub(crate) fn stream_of(seed: u64, minute: i64, application: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // 2^16 applications a minute is more than any plan holds.
    let minute = minute.unsigned_abs() << 16;
    rng.set_stream(minute | u64::try_from(application).unwrap_or(u64::MAX) & 0xffff);
    rng
}

/// Whether something of this probability happens.
pub(crate) fn happens(rng: &mut impl Rng, probability: f64) -> bool {
    rng.random::<f64>() < probability
}

/// Uniform between the two, the upper excluded.
pub(crate) fn between(rng: &mut impl Rng, (from, to): (f64, f64)) -> f64 {
    from + (to - from) * rng.random::<f64>()
}

/// Lognormal around a median.
pub(crate) fn lognormal(rng: &mut impl Rng, median: f64, sd: f64) -> f64 {
    let z: f64 = StandardNormal.sample(rng);
    median * (sd * z).exp()
}

/// Exponential with this mean.
pub(crate) fn exponential(rng: &mut impl Rng, mean: f64) -> f64 {
    let x: f64 = Exp1.sample(rng);
    mean * x
}

/// How many of something that happens `mean` times on average.
pub(crate) fn poisson(rng: &mut impl Rng, mean: f64) -> u64 {
    Poisson::new(mean).map_or(0, |law| count(law.sample(rng)))
}

/// An id in the form of a version 4 UUID, which is what Bedrock's request ids are.
pub(crate) fn uuid(rng: &mut impl Rng) -> String {
    let bits: u128 = (rng.random::<u128>() & !(0xf << 76) & !(0b11 << 62)) | (4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// A non-negative number, rounded to a count.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped, and `as` saturates")]
pub(crate) fn count(x: f64) -> u64 {
    x.round().max(0.0) as u64
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "token counts and milliseconds are far below 2^53")]
pub(crate) fn number(x: u64) -> f64 {
    x as f64
}

/// Seconds as a duration, to the millisecond; none is longer than a year, so that a moment plus it is one.
pub(crate) fn seconds(x: f64) -> TimeDelta {
    const YEAR: f64 = 366.0 * 86_400.0;
    let length = i64::try_from(count(x.abs().min(YEAR) * 1000.0)).unwrap_or(i64::MAX);
    TimeDelta::milliseconds(if x < 0.0 { -length } else { length })
}

/// The seconds from one moment to another.
pub(crate) fn seconds_between(from: Time, to: Time) -> f64 {
    (to - from).as_seconds_f64()
}

/// The minute a moment lies in, counted since 1970.
pub(crate) fn minute_of(time: Time) -> i64 {
    time.timestamp().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_version_four_and_differ() {
        let mut rng = stream_of(1, 2, 3);
        let (a, b) = (uuid(&mut rng), uuid(&mut rng));
        assert_ne!(a, b);
        assert_eq!(a.len(), 36);
        assert_eq!(&a[14..15], "4");
        assert!("89ab".contains(&a[19..20]), "{a}");
    }

    #[test]
    fn seconds_are_exact_to_the_millisecond_and_bounded() {
        assert_eq!(seconds(1.5), TimeDelta::milliseconds(1_500));
        assert_eq!(seconds(-0.25), TimeDelta::milliseconds(-250));
        assert_eq!(seconds(f64::INFINITY), TimeDelta::days(366));
    }

    #[test]
    fn streams_of_neighbours_differ_and_of_the_same_minute_repeat() {
        let draw = |seed, minute, application| stream_of(seed, minute, application).random::<u64>();
        assert_eq!(draw(1, 2, 3), draw(1, 2, 3));
        assert_ne!(draw(1, 2, 3), draw(1, 2, 4));
        assert_ne!(draw(1, 2, 3), draw(1, 3, 3));
        assert_ne!(draw(1, 2, 3), draw(2, 2, 3));
    }
}
