//! What was read, and how the sources were doing: what a report needs to say what it does not cover.

use chrono::Duration;
use faultline_core::model::{Cell, Time};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{LedgerError, finding_rows::time, names::Names};
use crate::pipeline::{batch::CursorKey, status::SourceKind};

/// A source that was not heard of for longer than this was not running.
const SILENCE: Duration = Duration::minutes(5);

/// How a source was doing at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceSeen {
    /// Whose.
    pub cell: Cell,
    /// Which.
    pub kind: SourceKind,
    /// When.
    pub at: Time,
    /// Its state, as the API names it.
    pub state: String,
    /// What is wrong and what to do; empty when all is well.
    pub detail: String,
}

/// A span of time in which everything of a place was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Covered {
    /// Whose.
    pub cell: Cell,
    /// Which source: `metrics`, `logs`, `invocations`.
    pub source: String,
    /// The log group, or nothing where a source is one place.
    pub name: String,
    /// From here, inclusive.
    pub since: Time,
    /// Up to here, exclusive.
    pub until: Time,
}

/// A span of time in which a source was in one state.
#[derive(Debug, Clone, PartialEq)]
pub struct StateSpan {
    /// Whose.
    pub cell: Cell,
    /// Which source.
    pub source: String,
    /// From here.
    pub since: Time,
    /// At least until here.
    pub until: Time,
    /// As the API names it.
    pub state: String,
    /// What was wrong.
    pub detail: String,
}

/// Joins `since..until` to what was read before.
pub(super) fn cover(
    transaction: &Transaction<'_>,
    names: &mut Names,
    key: &CursorKey,
    since: Time,
    until: Time,
) -> Result<(), LedgerError> {
    let (mut since, mut until) = (since.timestamp_millis(), until.timestamp_millis());
    if since >= until {
        return Ok(());
    }
    let (cell, source) = (names.cell(transaction, &key.cell)?, key.kind.as_str());
    let touching = "cell = ?1 AND source = ?2 AND name = ?3 AND since <= ?5 AND until >= ?4";
    let (spans, first, last): (u32, Option<i64>, Option<i64>) = transaction
        .prepare_cached(&format!("SELECT count(*), min(since), max(until) FROM coverage WHERE {touching}"))?
        .query_row(params![cell, source, key.name, since, until], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if let (Some(first), Some(last)) = (first, last) {
        if spans == 1 && first <= since && last >= until {
            return Ok(());
        }
        transaction
            .prepare_cached(&format!("DELETE FROM coverage WHERE {touching}"))?
            .execute(params![cell, source, key.name, since, until])?;
        (since, until) = (since.min(first), until.max(last));
    }
    transaction
        .prepare_cached("INSERT INTO coverage VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![cell, source, key.name, since, until])?;
    Ok(())
}

/// Moves the cursor, never back, and covers what lies between. A place that is read for the first time was read from
/// `first` on.
pub(super) fn move_cursor(
    transaction: &Transaction<'_>,
    names: &mut Names,
    key: &CursorKey,
    at: Time,
    first: Time,
) -> Result<(), LedgerError> {
    let place = params![&*key.cell.account_id, &*key.cell.region, key.kind.as_str(), key.name];
    let known: Option<i64> = transaction
        .prepare_cached("SELECT at FROM cursors WHERE account_id = ?1 AND region = ?2 AND kind = ?3 AND name = ?4")?
        .query_row(place, |row| row.get(0))
        .optional()?;
    if known.is_some_and(|known| known >= at.timestamp_millis()) {
        return Ok(());
    }
    cover(transaction, names, key, known.map_or(first, time), at)?;
    transaction.prepare_cached("INSERT OR REPLACE INTO cursors VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
        &*key.cell.account_id,
        &*key.cell.region,
        key.kind.as_str(),
        key.name,
        at.timestamp_millis()
    ])?;
    Ok(())
}

/// Prolongs the span of the state the source was in, or begins another.
pub(super) fn seen(transaction: &Transaction<'_>, names: &mut Names, seen: &SourceSeen) -> Result<(), LedgerError> {
    let (cell, source, at) = (names.cell(transaction, &seen.cell)?, seen.kind.as_str(), seen.at.timestamp_millis());
    let last: Option<(i64, i64, String)> = transaction
        .prepare_cached(
            "SELECT since, until, state FROM source_states WHERE cell = ?1 AND source = ?2 ORDER BY since DESC LIMIT 1",
        )?
        .query_row(params![cell, source], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let since = match last {
        Some((since, until, state)) if state == seen.state && at - until <= SILENCE.num_milliseconds() => since,
        // What it was lasted until it was something else, if it was heard of lately.
        Some((since, until, _)) if at - until <= SILENCE.num_milliseconds() && since < at => {
            transaction
                .prepare_cached("UPDATE source_states SET until = ?4 WHERE cell = ?1 AND source = ?2 AND since = ?3")?
                .execute(params![cell, source, since, at])?;
            at
        }
        _ => at,
    };
    transaction
        .prepare_cached("INSERT OR REPLACE INTO source_states VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![cell, source, since, at.max(since), seen.state, seen.detail])?;
    Ok(())
}

/// Every span of coverage that touches `since..until`, by place and time.
pub(super) fn covered(connection: &Connection, since: Time, until: Time) -> Result<Vec<Covered>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT account_id, region, source, name, since, until FROM coverage JOIN cells ON cells.id = cell \
         WHERE until > ?1 AND since < ?2 ORDER BY account_id, region, source, name, since",
    )?;
    let rows = statement.query_map([since.timestamp_millis(), until.timestamp_millis()], |row| {
        Ok(Covered {
            cell: Cell { account_id: row.get(0)?, region: row.get(1)? },
            source: row.get(2)?,
            name: row.get(3)?,
            since: time(row.get(4)?),
            until: time(row.get(5)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Every span of source states that touches `since..until`, by source and time.
pub(super) fn states(connection: &Connection, since: Time, until: Time) -> Result<Vec<StateSpan>, LedgerError> {
    let mut statement = connection.prepare_cached(
        "SELECT account_id, region, source, since, until, state, detail FROM source_states \
         JOIN cells ON cells.id = cell WHERE until >= ?1 AND since < ?2 ORDER BY account_id, region, source, since",
    )?;
    let rows = statement.query_map([since.timestamp_millis(), until.timestamp_millis()], |row| {
        Ok(StateSpan {
            cell: Cell { account_id: row.get(0)?, region: row.get(1)? },
            source: row.get(2)?,
            since: time(row.get(3)?),
            until: time(row.get(4)?),
            state: row.get(5)?,
            detail: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
