//! How long what is in the ledger is kept.

use chrono::Duration;
use rusqlite::{Transaction, params};

use super::LedgerError;

/// How many commits lie between two clean-ups.
pub(super) const COMMITS_BETWEEN: u64 = 2_000;
/// Minutes are kept until no source reads them again, with room for a long downtime; their intervals stay.
const MINUTES_KEPT: Duration = Duration::days(16);
/// The most findings one clean-up deletes, so that none holds the writer up for long.
const FINDINGS_AT_ONCE: i64 = 20_000;

/// How long what is in the ledger is kept. Age counts back from the newest cursor: a daemon that stands still for a
/// year deletes nothing when it starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The age of findings, incidents, failures, intervals of metrics and coverage.
    pub findings: Duration,
    /// The number of cursors; the oldest go first.
    pub cursors: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Self { findings: Duration::days(400), cursors: 10_000 }
    }
}

pub(super) fn apply(transaction: &Transaction<'_>, retention: &Retention) -> Result<(), LedgerError> {
    let newest: Option<i64> = transaction.query_row("SELECT max(at) FROM cursors", (), |row| row.get(0))?;
    let Some(newest) = newest else { return Ok(()) };
    let oldest = newest - retention.findings.num_milliseconds();
    let oldest_minute = (newest - MINUTES_KEPT.num_milliseconds()) / 1000;
    for (table, time, oldest) in [("minutes", "minute", oldest_minute), ("intervals", "start", oldest / 1000)] {
        let sql = format!("DELETE FROM {table} WHERE series IN (SELECT id FROM series) AND {time} < ?1");
        transaction.execute(&sql, [oldest])?;
    }
    for grade in 0..=3 {
        let sql = "DELETE FROM findings WHERE seq IN \
                   (SELECT seq FROM findings WHERE grade = ?1 AND occurred_at < ?2 LIMIT ?3)";
        transaction.execute(sql, params![grade, oldest, FINDINGS_AT_ONCE])?;
    }
    for (table, time) in
        [("failures", "at"), ("incidents", "started_at"), ("coverage", "until"), ("source_states", "until")]
    {
        transaction.execute(&format!("DELETE FROM {table} WHERE {time} < ?1"), [oldest])?;
    }
    let kept = i64::try_from(retention.cursors).unwrap_or(i64::MAX).max(1);
    let newest_gone = "SELECT at FROM cursors ORDER BY at DESC LIMIT 1 OFFSET ?1";
    transaction.execute(&format!("DELETE FROM cursors WHERE at <= ({newest_gone})"), [kept])?;
    Ok(())
}
