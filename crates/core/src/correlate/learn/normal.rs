//! The normal distribution.

use std::sync::LazyLock;

/// Beyond so many standard deviations nothing is left.
const REACH: f64 = 7.0;
const STEPS: usize = 2_800;
const STEP: f64 = 2.0 * REACH / 2_800.0;

/// P(X <= z) at steps of 0.005: matching asks for it hundreds of millions of times, and between two steps a straight
/// line is exact to a millionth.
static TABLE: LazyLock<Vec<f64>> = LazyLock::new(|| {
    (0..=STEPS + 1)
        .map(|step| {
            0.5 * libm::erfc(
                (REACH - f64::from(u32::try_from(step).unwrap_or_default()) * STEP) / std::f64::consts::SQRT_2,
            )
        })
        .collect()
});

/// P(X <= z) for a standard normal X.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the table by the first lines")]
pub(in crate::correlate) fn below(z: f64) -> f64 {
    if z <= -REACH {
        return 0.0;
    }
    if z >= REACH {
        return 1.0;
    }
    let position = (z + REACH) / STEP;
    let step = position as usize;
    let table = &*TABLE;
    table[step] + (table[step + 1] - table[step]) * (position - position.trunc())
}

/// P(X > z) for a standard normal X.
pub(in crate::correlate) fn above(z: f64) -> f64 {
    below(-z)
}

/// The density at z of a standard normal.
pub(in crate::correlate) fn density(z: f64) -> f64 {
    const ROOT: f64 = 0.398_942_280_401_432_7;
    ROOT * (-0.5 * z * z).exp()
}

/// The middle of a list; `None` of an empty one.
pub(in crate::correlate) fn median(values: &mut [f64]) -> Option<f64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let (below, at, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let at = *at;
    Some(if below.len() == middle && values.len().is_multiple_of(2) {
        let largest = values[..middle].iter().copied().fold(f64::NEG_INFINITY, f64::max);
        f64::midpoint(largest, at)
    } else {
        at
    })
}
