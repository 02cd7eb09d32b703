//! Minutes of metrics as rows, and the intervals they add up to.

use faultline_core::model::MetricPoint;
use rusqlite::{OptionalExtension, Transaction, params};

use super::{LedgerError, names::Names};

/// Minutes are summed into intervals of this length, which are kept when the minutes are gone. Bedrock's SLA counts
/// errors by intervals of five minutes.
pub(super) const INTERVAL_SECONDS: i64 = 300;

/// By how much a minute has grown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Grown {
    pub sum: f64,
    pub samples: f64,
}

/// By how much the minute has grown. CloudWatch revises upward: of two readings the larger stands, of each number.
pub(super) fn upsert(
    transaction: &Transaction<'_>,
    names: &mut Names,
    point: &MetricPoint,
) -> Result<Grown, LedgerError> {
    let series = names.series(transaction, &point.cell, point.model.as_ref(), point.metric)?;
    let minute = point.minute.timestamp();
    let known: Option<(f64, f64)> = transaction
        .prepare_cached("SELECT sum, sample_count FROM minutes WHERE series = ?1 AND minute = ?2")?
        .query_row([series, minute], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let stats = &point.stats;
    let (sum, samples) = known.unwrap_or_default();
    if known.is_some() && stats.sample_count <= samples && stats.sum <= sum {
        return Ok(Grown::default());
    }
    let grown = Grown { sum: (stats.sum - sum).max(0.0), samples: (stats.sample_count - samples).max(0.0) };
    transaction.prepare_cached("INSERT OR REPLACE INTO minutes VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        series,
        minute,
        stats.sum.max(sum),
        stats.sample_count.max(samples)
    ])?;
    transaction
        .prepare_cached(
            "INSERT INTO intervals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO UPDATE SET \
             sum = sum + excluded.sum, sample_count = sample_count + excluded.sample_count, \
             p50 = coalesce(max(p50, excluded.p50), p50, excluded.p50), \
             p90 = coalesce(max(p90, excluded.p90), p90, excluded.p90), \
             p99 = coalesce(max(p99, excluded.p99), p99, excluded.p99)",
        )?
        .execute(params![
            series,
            minute - minute.rem_euclid(INTERVAL_SECONDS),
            INTERVAL_SECONDS,
            grown.sum,
            grown.samples,
            stats.p50,
            stats.p90,
            stats.p99
        ])?;
    Ok(grown)
}
