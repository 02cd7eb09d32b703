//! How long after an attempt began the next one begins.
//!
//! Both records tell their start floored to the second, so what is seen of a gap is off by up to a second either way:
//! a triangle. Densities are per second of what is seen.

/// SDKs' and people's own backoffs: uniform up to so many seconds, with their odds over SDKs and retries.
const UNIFORM: [(f64, f64); 7] =
    [(0.2, 0.06), (1.0, 0.34), (2.0, 0.20), (4.0, 0.10), (8.0, 0.06), (16.0, 0.04), (20.0, 0.02)];
/// Backoffs without jitter, in seconds, with their odds.
const FIXED: [(f64, f64); 6] = [(0.5, 0.03), (1.0, 0.06), (2.0, 0.04), (4.0, 0.02), (5.0, 0.02), (8.0, 0.01)];
/// No next attempt is looked for longer after the end of the one before.
pub(super) const LONGEST: f64 = 20.0;
/// Seconds between one attempt's end and the next one's start beside any backoff.
const OVERHEAD: f64 = 0.03;

/// The integral of the triangle up to z.
fn triangle_below(z: f64) -> f64 {
    match z {
        z if z <= -1.0 => 0.0,
        z if z <= 0.0 => 0.5 * (1.0 + z) * (1.0 + z),
        z if z <= 1.0 => 1.0 - 0.5 * (1.0 - z) * (1.0 - z),
        _ => 1.0,
    }
}

/// The density of a seen gap `y` whose true length is uniform between two lengths.
fn uniform(y: f64, from: f64, to: f64) -> f64 {
    (triangle_below(y - from) - triangle_below(y - to)) / (to - from)
}

/// The density of a pause that was seen to last so many seconds between the end of an attempt and the next one.
pub(super) fn pause(seen: f64) -> f64 {
    let seen = seen - OVERHEAD;
    if !(-1.0..=LONGEST + 1.0).contains(&seen) {
        return 0.0;
    }
    let spread: f64 = UNIFORM.iter().map(|&(longest, odds)| odds * uniform(seen, 0.0, longest)).sum();
    let fixed: f64 = FIXED.iter().map(|&(wait, odds)| odds * (1.0 - (seen - wait).abs()).max(0.0)).sum();
    spread + fixed
}

/// The density of a seen gap from the start of an attempt that was cut off at any moment between two ages.
pub(super) fn cut_off(seen: f64, from: f64, to: f64) -> f64 {
    let to = to.max(from + 0.1);
    if seen > to + LONGEST + 1.0 || seen < from - 1.0 {
        return 0.0;
    }
    let seen = seen - OVERHEAD;
    // Backoffs by three points of each: nothing here is as sharp as the triangle.
    const POINTS: [f64; 3] = [1.0 / 6.0, 0.5, 5.0 / 6.0];
    let at = |wait: f64| uniform(seen - wait, from, to);
    let spread =
        |&(longest, odds): &(f64, f64)| odds * POINTS.iter().map(|point| at(point * longest)).sum::<f64>() / 3.0;
    UNIFORM.iter().map(spread).sum::<f64>() + FIXED.iter().map(|&(wait, odds)| odds * at(wait)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(density: impl Fn(f64) -> f64) -> f64 {
        (-300..=6_000).map(|hundredth| density(f64::from(hundredth) / 100.0) / 100.0).sum()
    }

    #[test]
    fn densities_sum_to_one() {
        assert!((sum(pause) - 1.0).abs() < 0.01, "{}", sum(pause));
        let cut = sum(|seen| cut_off(seen, 0.0, 12.0));
        assert!((cut - 1.0).abs() < 0.01, "{cut}");
    }

    #[test]
    fn a_second_after_the_end_is_likelier_than_ten_and_before_the_end_is_impossible() {
        assert!(pause(0.5) > 20.0 * pause(10.0));
        assert!(pause(-1.0) == 0.0 && pause(22.0) == 0.0);
        assert!(cut_off(5.0, 0.0, 12.0) > 0.04 && cut_off(40.0, 0.0, 12.0) == 0.0);
    }
}
