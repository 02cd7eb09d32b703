//! After how many seconds of silence a client gives up.
//!
//! Nobody configures it here: it is read off the elapsed times of read timeouts. Whether elapsed is of one attempt
//! or of the whole call, an SDK that makes k attempts of T seconds reports between kT and kT + its backoffs.

/// The read timeouts people set, and the SDKs' defaults, in seconds.
pub(in crate::correlate) const GRID: [f64; 20] = [
    5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 45.0, 60.0, 75.0, 90.0, 100.0, 120.0, 150.0, 180.0, 240.0, 300.0, 350.0,
    600.0, 900.0,
];
/// How likely each is before anything is known: the defaults of botocore, of Java's SDK and of much else stand out.
const PRIOR: [f64; 20] = [
    0.02, 0.04, 0.03, 0.04, 0.01, 0.08, 0.01, 0.02, 0.36, 0.01, 0.04, 0.01, 0.13, 0.01, 0.03, 0.02, 0.09, 0.01, 0.03,
    0.01,
];
/// Attempts an SDK makes at most, as far as it matters here.
const MOST_ATTEMPTS: u32 = 6;
/// The share of elapsed times that follow no rule.
const ODD: f64 = 0.03;
/// What an odd elapsed time is spread over, in seconds.
const ODD_WIDTH: f64 = 900.0;

/// A client's read timeout, as far as it is known: seconds, and how likely each is. Sums to 1; likeliest first.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::correlate) struct Timeout(Vec<(f64, f64)>);

impl Default for Timeout {
    fn default() -> Self {
        Self::from_logs(GRID.iter().zip(PRIOR).map(|(&seconds, prior)| (seconds, prior.ln())))
    }
}

impl Timeout {
    /// What the elapsed seconds of read timeouts, each with its number of attempts where the log tells, say.
    pub(in crate::correlate) fn learn(elapsed: &[(f64, Option<u32>)]) -> Self {
        let log_likelihood =
            |timeout: f64| elapsed.iter().map(|&(seconds, k)| fits(seconds, k, timeout).ln()).sum::<f64>();
        let grid = GRID.iter().zip(PRIOR).map(|(&seconds, prior)| (seconds, prior.ln()));
        let others = off_grid(elapsed).into_iter().map(|seconds| (seconds, 0.002_f64.ln()));
        Self::from_logs(grid.chain(others).map(|(seconds, prior)| (seconds, prior + log_likelihood(seconds))))
    }

    fn from_logs(logs: impl Iterator<Item = (f64, f64)>) -> Self {
        let logs: Vec<(f64, f64)> = logs.collect();
        let largest = logs.iter().map(|(_, log)| *log).fold(f64::NEG_INFINITY, f64::max);
        let mut odds: Vec<(f64, f64)> =
            logs.into_iter().map(|(seconds, log)| (seconds, (log - largest).exp())).collect();
        // What is next to impossible is not worth reckoning with.
        odds.retain(|(_, odds)| *odds > 1e-3);
        let sum: f64 = odds.iter().map(|(_, odds)| odds).sum();
        odds.iter_mut().for_each(|(_, odds)| *odds /= sum);
        odds.sort_by(|a, b| b.1.total_cmp(&a.1));
        Self(odds)
    }

    /// The same with more evidence: its logarithm for each of [`Timeout::likely`], in that order.
    #[must_use]
    pub(in crate::correlate) fn with(&self, evidence: &[f64]) -> Self {
        Self::from_logs(self.0.iter().zip(evidence).map(|(&(seconds, odds), log)| (seconds, odds.ln() + log)))
    }

    /// Every timeout worth reckoning with, in seconds, and how likely it is; likeliest first.
    pub(in crate::correlate) fn likely(&self) -> &[(f64, f64)] {
        &self.0
    }

    /// The likeliest, in seconds, where it is all but certain.
    pub(in crate::correlate) fn certain(&self) -> Option<f64> {
        self.0.first().filter(|(_, odds)| *odds >= 0.9).map(|(seconds, _)| *seconds)
    }

    /// The likeliest, in seconds.
    pub(in crate::correlate) fn likeliest(&self) -> f64 {
        self.0.first().map_or(60.0, |(seconds, _)| *seconds)
    }
}

/// The density of an elapsed time under a timeout. Where the attempts are not told, one is likelier than each more.
fn fits(elapsed: f64, attempts: Option<u32>, timeout: f64) -> f64 {
    let after = |k: u32| {
        let k = f64::from(k);
        // Backoff of up to 2^i seconds after the i-th attempt, and a little overhead for each.
        let width = 0.25 * k + (k - 1.0).exp2() - 1.0;
        let late = elapsed - k * timeout;
        if (-0.05..=width).contains(&late) { 1.0 / (width + 0.05) } else { 0.0 }
    };
    let regular = match attempts {
        // Elapsed may be of the last attempt alone.
        Some(k) if k > 1 => f64::midpoint(after(k.min(12)), after(1)),
        Some(_) => after(1),
        None => (1..=MOST_ATTEMPTS).map(|k| after(k) * if k == 1 { 0.5 } else { 0.1 }).sum(),
    };
    (1.0 - ODD).mul_add(regular, ODD / ODD_WIDTH)
}

/// Timeouts that are not on the grid but that elapsed times gather at: whole and half seconds just below two of them.
fn off_grid(elapsed: &[(f64, Option<u32>)]) -> Vec<f64> {
    let mut found: Vec<f64> = elapsed
        .iter()
        .map(|&(seconds, k)| (seconds / f64::from(k.unwrap_or(1).max(1)) * 2.0 + 0.02).floor() / 2.0)
        .filter(|seconds| *seconds >= 1.0 && GRID.iter().all(|grid| (grid - seconds).abs() > 1e-9))
        .collect();
    found.sort_by(f64::total_cmp);
    let twice: Vec<f64> = found.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    let mut distinct = twice;
    distinct.dedup();
    distinct.truncate(8);
    distinct
}
