//! The tables, and the way from every past version to this one.

use chrono::DateTime;
use faultline_core::model::Time;
use rusqlite::Connection;

use super::LedgerError;

/// Statements kept prepared.
pub(super) const STATEMENTS_KEPT: usize = 32;
/// "FLTL": tells a ledger from another program's SQLite file.
const APPLICATION_ID: i64 = 0x464C_544C;

/// One step per version: the first makes version 1 of an empty file.
const MIGRATIONS: &[&str] = &[TABLES, INCIDENTS];

const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE findings (
    id TEXT PRIMARY KEY,
    occurred_at INTEGER NOT NULL,
    evidence TEXT NOT NULL,
    model_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX findings_by_time ON findings (occurred_at DESC, id DESC);
CREATE TABLE failures (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    log_group TEXT NOT NULL,
    log_stream TEXT NOT NULL,
    event_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    application TEXT NOT NULL,
    model_id TEXT NOT NULL,
    route TEXT NOT NULL,
    failure TEXT NOT NULL,
    exception TEXT NOT NULL,
    request_id TEXT,
    outcome TEXT,
    PRIMARY KEY (account_id, region, log_group, log_stream, event_id)
) WITHOUT ROWID;
CREATE TABLE minutes (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    model_id TEXT NOT NULL,
    route TEXT NOT NULL,
    metric TEXT NOT NULL,
    minute INTEGER NOT NULL,
    sum REAL NOT NULL,
    sample_count REAL NOT NULL,
    PRIMARY KEY (account_id, region, model_id, route, metric, minute)
) WITHOUT ROWID;
CREATE TABLE counters (
    name TEXT NOT NULL,
    labels TEXT NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (name, labels)
) WITHOUT ROWID;
CREATE TABLE cursors (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (account_id, region, kind, name)
) WITHOUT ROWID;
";

const INCIDENTS: &str = "
CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    cause TEXT NOT NULL,
    model_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX incidents_by_time ON incidents (started_at DESC, id DESC);
";

/// Brings the file to this version. Until the file is known to be a ledger, or empty, nothing is written to it.
pub(super) fn prepare(connection: &mut Connection, now: Time) -> Result<(), LedgerError> {
    let pragma = |connection: &Connection, name| -> rusqlite::Result<i64> {
        connection.pragma_query_value(None, name, |row| row.get(0))
    };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
        .map_err(LedgerError::reading_header)?;
    let found = pragma(connection, "user_version")?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if tables > 0 && pragma(connection, "application_id")? != APPLICATION_ID {
        return Err(LedgerError::NotALedger);
    }
    if found > known {
        return Err(LedgerError::Newer { found, known });
    }
    // A process that is killed loses nothing committed; a machine that loses power may lose the last commits as a
    // whole, cursors with them, and they are read again.
    connection.pragma_update(None, "journal_mode", "WAL").map_err(LedgerError::reading_header)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;

    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for (version, migration) in (1_i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", version)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.execute("INSERT OR IGNORE INTO meta VALUES ('counting_since', ?1)", [now.timestamp_millis()])?;
    transaction.commit()?;
    Ok(())
}

/// When the ledger was created.
pub(super) fn counting_since(connection: &Connection) -> Result<Time, LedgerError> {
    let since = connection.query_row("SELECT value FROM meta WHERE key = 'counting_since'", (), |row| row.get(0))?;
    Ok(DateTime::from_timestamp_millis(since).unwrap_or_default())
}
