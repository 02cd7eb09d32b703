//! Sums over a period, made by SQLite: what a report is built from without reading every row.

use std::sync::Arc;

use chrono::{DateTime, Duration};
use faultline_core::model::{Cell, Metric, MetricStats, ModelKey, Route, Time, Tokens};
use rusqlite::{Connection, params};

use super::{LedgerError, finding_rows::time, names::Meanings};

/// Findings that have everything but their number in common.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingsTally {
    /// Whose.
    pub cell: Cell,
    /// Which model, by which route.
    pub model: ModelKey,
    /// `confirmed` or `probable`.
    pub evidence: Arc<str>,
    /// How the calls failed.
    pub failure: Arc<str>,
    /// Why.
    pub cause: Arc<str>,
    /// Whose log told of it.
    pub application: Option<Arc<str>>,
    /// Whether these were earlier attempts of calls that an SDK made again.
    pub retried: bool,
    /// The start of the stretch of time they occurred in.
    pub at: Time,
    /// How many.
    pub count: u64,
    /// What they metered.
    pub tokens: Tokens,
    /// What those with a known price cost.
    pub cost_usd: f64,
    /// How many have no known price.
    pub unpriced: u64,
}

/// Client failures that have everything but their number in common.
#[derive(Debug, Clone, PartialEq)]
pub struct FailuresTally {
    /// Whose.
    pub cell: Cell,
    /// Which model; `unknown` where the text names none.
    pub model: ModelKey,
    /// Whose log.
    pub application: Arc<str>,
    /// How the calls failed.
    pub failure: Arc<str>,
    /// What became of them; `None` while that is open.
    pub outcome: Option<Arc<str>>,
    /// The day they were logged in.
    pub day: Time,
    /// How many.
    pub count: u64,
    /// Attempts beyond the first, where the logs tell them.
    pub retries: u64,
    /// The mean of the seconds from call to failure, where the logs tell them.
    pub mean_elapsed_seconds: Option<f64>,
}

/// An interval of one metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// Whose.
    pub cell: Cell,
    /// Which model; `None` for a series across all models.
    pub model: Option<ModelKey>,
    /// Which metric.
    pub metric: Metric,
    /// The interval's start.
    pub start: Time,
    /// Its length.
    pub length: Duration,
    /// Its sum and sample count, and the largest percentiles of its minutes.
    pub stats: MetricStats,
}

pub(super) fn findings(
    connection: &Connection,
    meanings: &mut Meanings,
    since: Time,
    until: Time,
    stretch: Duration,
) -> Result<Vec<FindingsTally>, LedgerError> {
    let stretch = stretch.num_milliseconds().max(1);
    let mut statement = connection.prepare_cached(
        "SELECT cell, model, route, evidence, failure, cause, application, retry_of IS NOT NULL, \
         occurred_at / ?3 * ?3 AS stretch, count(*), sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), \
         sum(cache_write_tokens), total(cost_usd), count(*) - count(cost_usd) \
         FROM findings WHERE grade IN (1, 2) AND occurred_at >= ?1 AND occurred_at < ?2 \
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 ORDER BY stretch",
    )?;
    let mut rows = statement.query(params![since.timestamp_millis(), until.timestamp_millis(), stretch])?;
    let mut tallies = Vec::new();
    while let Some(row) = rows.next()? {
        let count = |column| Ok::<_, LedgerError>(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0));
        tallies.push(FindingsTally {
            cell: meanings.cell(connection, row.get(0)?)?,
            model: model(connection, meanings, row.get(1)?, row.get(2)?)?,
            evidence: meanings.text(connection, row.get(3)?)?,
            failure: meanings.text(connection, row.get(4)?)?,
            cause: meanings.text(connection, row.get(5)?)?,
            application: meanings.maybe(connection, row.get(6)?)?,
            retried: row.get(7)?,
            at: time(row.get(8)?),
            count: count(9)?,
            tokens: Tokens { input: count(10)?, output: count(11)?, cache_read: count(12)?, cache_write: count(13)? },
            cost_usd: row.get(14)?,
            unpriced: count(15)?,
        });
    }
    Ok(tallies)
}

pub(super) fn failures(
    connection: &Connection,
    meanings: &mut Meanings,
    since: Time,
    until: Time,
) -> Result<Vec<FailuresTally>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT cell, model, route, application, failure, outcome, at / 86400000 * 86400000 AS day, count(*), \
         total(attempts - 1), avg(elapsed_seconds) \
         FROM failures WHERE at >= ?1 AND at < ?2 GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY day",
    )?;
    let mut rows = statement.query([since.timestamp_millis(), until.timestamp_millis()])?;
    let mut tallies = Vec::new();
    while let Some(row) = rows.next()? {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a sum of counts: whole and positive
        let retries = row.get::<_, f64>(8)? as u64;
        tallies.push(FailuresTally {
            cell: meanings.cell(connection, row.get(0)?)?,
            model: model(connection, meanings, row.get(1)?, row.get(2)?)?,
            application: meanings.text(connection, row.get(3)?)?,
            failure: meanings.text(connection, row.get(4)?)?,
            outcome: meanings.maybe(connection, row.get(5)?)?,
            day: time(row.get(6)?),
            count: u64::try_from(row.get::<_, i64>(7)?).unwrap_or(0),
            retries,
            mean_elapsed_seconds: row.get(9)?,
        });
    }
    Ok(tallies)
}

/// Every interval that begins in `since..until`, by series and time.
pub(super) fn usage(
    connection: &Connection,
    meanings: &mut Meanings,
    since: Time,
    until: Time,
) -> Result<Vec<Usage>, LedgerError> {
    let mut series = connection.prepare_cached("SELECT id, cell, model, route, metric FROM series ORDER BY id")?;
    let mut of_series = connection.prepare_cached(
        "SELECT start, seconds, sum, sample_count, p50, p90, p99 FROM intervals \
         WHERE series = ?1 AND start >= ?2 AND start < ?3 ORDER BY start",
    )?;
    let mut usage = Vec::new();
    let mut rows = series.query(())?;
    while let Some(row) = rows.next()? {
        // A metric that a newer patch release knows and this one does not is left alone.
        let Some(metric) = Metric::parse(&meanings.text(connection, row.get(4)?)?) else { continue };
        let cell = meanings.cell(connection, row.get(1)?)?;
        let model = Some(model(connection, meanings, row.get(2)?, row.get(3)?)?).filter(|key| !key.model_id.is_empty());
        let id: i64 = row.get(0)?;
        let mut intervals = of_series.query([id, since.timestamp(), until.timestamp()])?;
        while let Some(row) = intervals.next()? {
            usage.push(Usage {
                cell: cell.clone(),
                model: model.clone(),
                metric,
                start: DateTime::from_timestamp(row.get(0)?, 0).unwrap_or_default(),
                length: Duration::seconds(row.get(1)?),
                stats: MetricStats {
                    sum: row.get(2)?,
                    sample_count: row.get(3)?,
                    minimum: None,
                    over_60_seconds: None,
                    p50: row.get(4)?,
                    p90: row.get(5)?,
                    p99: row.get(6)?,
                },
            });
        }
    }
    Ok(usage)
}

fn model(connection: &Connection, meanings: &mut Meanings, model: i64, route: i64) -> Result<ModelKey, LedgerError> {
    let route = meanings.text(connection, route)?;
    let route = Route::ALL.into_iter().find(|known| known.as_str() == &*route).unwrap_or_default();
    Ok(ModelKey { model_id: meanings.text(connection, model)?, route })
}
