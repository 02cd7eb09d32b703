//! The normal distribution.

/// P(X <= z) for a standard normal X.
pub(in crate::correlate) fn below(z: f64) -> f64 {
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}

/// P(X > z) for a standard normal X, exact also where it is tiny.
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
