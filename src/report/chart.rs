//! Bars as SVG: laid out here, drawn by the template, told in words for who cannot see them.

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 160.0;
/// The most labels below the bars.
const LABELS: usize = 8;

/// A bar chart of 960 by 160 units.
#[derive(Debug)]
pub(super) struct Chart {
    /// What it shows, as its accessible name.
    pub(super) title: String,
    /// The same in one sentence with numbers.
    pub(super) summary: String,
    /// The value at the top, as text.
    pub(super) top: String,
    pub(super) bars: Vec<Bar>,
}

/// One bar.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    /// What the pointer tells.
    pub(super) title: String,
    /// What stands below it, if anything.
    pub(super) label: Option<String>,
    pub(super) middle: f64,
}

/// Bars for these labels and values; `None` where nothing is above 0.
pub(super) fn bars(title: &str, values: &[(String, f64)], show: impl Fn(f64) -> String) -> Option<Chart> {
    let (peak, most) = values.iter().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    if *most <= 0.0 {
        return None;
    }
    #[allow(clippy::cast_precision_loss)] // bars of a chart
    let step = WIDTH / values.len() as f64;
    let every = values.len().div_ceil(LABELS);
    let mut x = 0.0;
    let mut bars = Vec::with_capacity(values.len());
    for (index, (label, value)) in values.iter().enumerate() {
        let height = HEIGHT * value.max(0.0) / most;
        bars.push(Bar {
            x: x + step * 0.1,
            y: HEIGHT - height,
            width: step * 0.8,
            height,
            title: format!("{label}: {}", show(*value)),
            label: index.is_multiple_of(every).then(|| label.clone()),
            middle: x + step / 2.0,
        });
        x += step;
    }
    let total: f64 = values.iter().map(|(_, value)| value).sum();
    let summary = format!("{} in all; most at {peak}: {}.", show(total), show(*most));
    Some(Chart { title: title.to_owned(), summary, top: show(*most), bars })
}
