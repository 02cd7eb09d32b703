//! How failures are printed: JSON lines, or a summary for people.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use chrono::{DateTime, DurationRound, SecondsFormat, Utc};
use faultline_core::{model::FailureKind, recognise::Recognised};
use serde::Serialize;

/// A failure as `--format json` prints it. These keys are an interface.
#[derive(Serialize)]
struct Row<'a> {
    failure: FailureKind,
    statuses: &'a [u16],
    exception: Option<&'static str>,
    request_id: Option<&'a str>,
    model_id: Option<String>,
    operation: Option<&'static str>,
    attempts: Option<u32>,
    elapsed_seconds: Option<f64>,
    at: Option<String>,
    file: &'a str,
    line: u64,
    lines: u64,
}

/// Writes one failure as one line of JSON, put together in `line`.
pub(super) fn json_line(out: &mut dyn Write, line: &mut Vec<u8>, file: &str, found: &Recognised) -> io::Result<()> {
    line.clear();
    let text = &found.text;
    let row = Row {
        failure: text.kind,
        statuses: &text.statuses,
        exception: text.exception.map(|exception| exception.as_str()),
        request_id: text.request_id.as_deref(),
        model_id: text.model.as_ref().map(ToString::to_string),
        operation: text.operation.map(|operation| operation.as_str()),
        attempts: text.attempts,
        elapsed_seconds: text.elapsed_seconds,
        at: found.at.map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        file,
        line: found.first_line,
        lines: found.last_line - found.first_line + 1,
    };
    serde_json::to_writer(&mut *line, &row)?;
    line.push(b'\n');
    out.write_all(line)
}

/// Failures counted for people.
#[derive(Debug, Default)]
pub(super) struct Report {
    kinds: BTreeMap<FailureKind, u64>,
    models: BTreeMap<String, u64>,
    hours: BTreeMap<DateTime<Utc>, u64>,
    untimed: u64,
}

impl Report {
    /// Counts one failure.
    pub(super) fn add(&mut self, found: &Recognised) {
        *self.kinds.entry(found.text.kind).or_default() += 1;
        let model = found.text.model.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string);
        *self.models.entry(model).or_default() += 1;
        match found.at.and_then(|at| at.duration_trunc(chrono::Duration::hours(1)).ok()) {
            Some(hour) => *self.hours.entry(hour).or_default() += 1,
            None => self.untimed += 1,
        }
    }

    /// Writes the summary.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let total: u64 = self.kinds.values().sum();
        if total == 0 {
            return writeln!(out, "no Bedrock client failures found");
        }
        writeln!(out, "{total} Bedrock client failure{}", if total == 1 { "" } else { "s" })?;
        section(out, "failure", self.kinds.iter().map(|(kind, count)| (kind.as_str().to_owned(), *count)), total)?;
        section(out, "model", self.models.iter().map(|(model, count)| (model.clone(), *count)), total)?;
        self.by_hour(out)
    }

    fn by_hour(&self, out: &mut dyn Write) -> io::Result<()> {
        const MOST_HOURS: i64 = 24 * 14;
        let (Some((first, _)), Some((last, _))) = (self.hours.first_key_value(), self.hours.last_key_value()) else {
            return Ok(());
        };
        let span = (*last - *first).num_hours() + 1;
        writeln!(out, "\nby hour, {} to {} UTC", first.format("%Y-%m-%d %H:%M"), last.format("%Y-%m-%d %H:%M"))?;
        let hours = (0..span.min(MOST_HOURS)).map(|hour| {
            let hour = *last - chrono::Duration::hours(span.min(MOST_HOURS) - 1 - hour);
            self.hours.get(&hour).copied().unwrap_or(0)
        });
        let hours: Vec<u64> = hours.collect();
        writeln!(out, "  {}  most {} an hour", sparkline(&hours), hours.iter().max().copied().unwrap_or(0))?;
        if self.untimed > 0 {
            writeln!(out, "  {} without a time", self.untimed)?;
        }
        Ok(())
    }
}

fn section(out: &mut dyn Write, title: &str, rows: impl Iterator<Item = (String, u64)>, total: u64) -> io::Result<()> {
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    writeln!(out, "\nby {title}")?;
    for (name, count) in rows {
        let share = count * 100 / total.max(1);
        writeln!(out, "  {name:<width$}  {count:>7}  {share:>3} %")?;
    }
    Ok(())
}

/// One bar for each count, the highest full.
fn sparkline(counts: &[u64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = counts.iter().max().copied().unwrap_or(0).max(1);
    let bar = |count: &u64| {
        let index = usize::try_from(count.saturating_mul(7).div_ceil(most)).unwrap_or(7);
        if *count == 0 { ' ' } else { BARS[index.min(7)] }
    };
    counts.iter().map(bar).collect()
}
