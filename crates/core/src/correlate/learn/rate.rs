//! How often something happens near a moment, from sorted times.

/// Sorted times with a weight each, and sums over any span in logarithmic time.
#[derive(Debug, Clone, Default)]
pub(in crate::correlate) struct Weighted {
    times: Vec<f64>,
    /// `sums[i]` is the weight of everything before the i-th.
    sums: Vec<f64>,
}

impl Weighted {
    /// From times, sorted, and their weights.
    pub(in crate::correlate) fn new(events: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut this = Self { times: Vec::with_capacity(events.size_hint().0), sums: vec![0.0] };
        let mut sum = 0.0;
        for (time, weight) in events {
            sum += weight;
            this.times.push(time);
            this.sums.push(sum);
        }
        this
    }

    /// The weight of [from, to).
    pub(in crate::correlate) fn between(&self, from: f64, to: f64) -> f64 {
        let (from, to) = self.positions(from, to);
        self.sums[to] - self.sums[from]
    }

    /// How many are in [from, to).
    pub(in crate::correlate) fn count(&self, from: f64, to: f64) -> usize {
        let (from, to) = self.positions(from, to);
        to - from
    }

    /// The weight of all.
    pub(in crate::correlate) fn total(&self) -> f64 {
        self.sums.last().copied().unwrap_or_default()
    }

    /// The positions of what is in [from, to).
    pub(in crate::correlate) fn positions(&self, from: f64, to: f64) -> (usize, usize) {
        let from = self.times.partition_point(|time| *time < from);
        (from, self.times.partition_point(|time| *time < to).max(from))
    }
}

/// The largest rate per second, over 600 s and over 1,800 s around a moment, of sorted times, without `own` of them.
pub(in crate::correlate) fn largest_local(times: &[f64], at: f64, own: usize) -> f64 {
    let over = |width: f64| {
        let from = times.partition_point(|time| *time < at - width / 2.0);
        let to = times.partition_point(|time| *time < at + width / 2.0);
        #[expect(clippy::cast_precision_loss, reason = "counts of records are far below 2^52")]
        let others = to.saturating_sub(from).saturating_sub(own) as f64;
        others / width
    };
    over(600.0).max(over(1_800.0))
}
