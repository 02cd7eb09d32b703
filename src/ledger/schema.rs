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
const MIGRATIONS: &[&str] =
    &[include_str!("migrations/1.sql"), include_str!("migrations/2.sql"), include_str!("migrations/3.sql")];

/// This version.
#[allow(clippy::cast_possible_wrap)] // there are a few
const KNOWN: i64 = MIGRATIONS.len() as i64;

/// The version of the file; 0 of an empty one. Refuses what is no ledger, and what a newer Faultline wrote.
fn version(connection: &Connection) -> Result<i64, LedgerError> {
    let pragma = |name| -> rusqlite::Result<i64> { connection.pragma_query_value(None, name, |row| row.get(0)) };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
        .map_err(LedgerError::reading_header)?;
    if tables > 0 && pragma("application_id")? != APPLICATION_ID {
        return Err(LedgerError::NotALedger);
    }
    let found = pragma("user_version")?;
    if found > KNOWN {
        return Err(LedgerError::Newer { found, known: KNOWN });
    }
    Ok(found)
}

/// Refuses what is not a ledger of this very version: a reader cannot bring one forward.
pub(super) fn expect_current(connection: &Connection) -> Result<(), LedgerError> {
    match version(connection)? {
        KNOWN => Ok(()),
        found => Err(LedgerError::Older { found }),
    }
}

/// Brings the file to this version. Until the file is known to be a ledger, or empty, nothing is written to it.
pub(super) fn prepare(connection: &mut Connection, now: Time) -> Result<(), LedgerError> {
    let found = version(connection)?;
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
