//! Queries beside the writer.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use chrono::Duration;
use faultline_core::model::{Evidence, Time};
use rusqlite::{Connection, OpenFlags, params_from_iter, types::Value};

use super::{
    FailuresTally, FindingJson, FindingsTally, IncidentsPage, IncidentsQuery, LedgerError, Usage, aggregates,
    coverage::{self, Covered, StateSpan},
    finding_rows::{self, Prices, grade_number},
    incidents,
    names::Meanings,
    schema::{self, STATEMENTS_KEPT},
};

/// Which findings. Probable ones that were taken back are never among them.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingsQuery {
    /// From here on, inclusive.
    pub since: Option<Time>,
    /// Up to here, exclusive.
    pub until: Option<Time>,
    /// Of these grades; all when empty.
    pub evidence: Vec<Evidence>,
    /// Of this model.
    pub model_id: Option<String>,
    /// At most so many.
    pub limit: usize,
    /// After the last finding of the page before.
    pub after: Option<Position>,
}

/// A place in the order of findings: time, then the ledger's own number.
pub(super) type Position = (i64, i64);

/// A page of findings, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// At most as many as were asked for.
    pub findings: Vec<FindingJson>,
    /// Where the next page begins, if there is one.
    pub next: Option<Position>,
}

/// A read-only connection, with what it knows of the numbers in rows.
#[derive(Debug)]
pub struct LedgerReader(Mutex<Reading>);

#[derive(Debug)]
pub(super) struct Reading {
    pub(super) connection: Connection,
    pub(super) meanings: Meanings,
    pub(super) prices: Prices,
}

impl LedgerReader {
    /// Reads the ledger at `path`, which may have a writer. Creates nothing and changes nothing: a ledger of an
    /// earlier version has to be opened by a writer first.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        if !path.exists() {
            return Err(LedgerError::NotThere);
        }
        let connection =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(LedgerError::opening)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        schema::expect_current(&connection)?;
        Ok(Self(Mutex::new(Reading { connection, meanings: Meanings::default(), prices: Prices::default() })))
    }

    /// The newest findings that fit. Blocks: call it off the runtime's threads.
    pub fn findings(&self, query: &FindingsQuery) -> Result<Page, LedgerError> {
        // One more than asked for tells whether there is a next page.
        let limit = i64::try_from(query.limit + 1).unwrap_or(i64::MAX);
        let (sql, values) = newest(query, limit);
        let reading = &mut *self.lock();
        let mut statement = reading.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut findings = Vec::new();
        let mut last = None;
        while let Some(row) = rows.next()? {
            if findings.len() == query.limit {
                return Ok(Page { findings, next: last });
            }
            last = Some((row.get("occurred_at")?, row.get("seq")?));
            findings.push(finding_rows::read(&reading.connection, &mut reading.meanings, &mut reading.prices, row)?);
        }
        Ok(Page { findings, next: None })
    }

    /// Calls `each` with every finding that fits, without holding them all: by grade, surest first, then newest first.
    /// `limit` and `after` of the query are not heeded.
    pub fn each_finding<E: From<LedgerError>>(
        &self,
        query: &FindingsQuery,
        mut each: impl FnMut(FindingJson) -> Result<(), E>,
    ) -> Result<(), E> {
        let reading = &mut *self.lock();
        for (sql, values) in in_order(query) {
            let mut statement = reading.connection.prepare_cached(&sql).map_err(LedgerError::from)?;
            let mut rows = statement.query(params_from_iter(values)).map_err(LedgerError::from)?;
            while let Some(row) = rows.next().map_err(LedgerError::from)? {
                each(finding_rows::read(&reading.connection, &mut reading.meanings, &mut reading.prices, row)?)?;
            }
        }
        Ok(())
    }

    /// The findings of `since..until`, counted by what they have in common and by stretches of time.
    pub fn findings_tallies(
        &self,
        since: Time,
        until: Time,
        stretch: Duration,
    ) -> Result<Vec<FindingsTally>, LedgerError> {
        let reading = &mut *self.lock();
        aggregates::findings(&reading.connection, &mut reading.meanings, since, until, stretch)
    }

    /// The client failures of `since..until`, counted by what they have in common and by day.
    pub fn failures_tallies(&self, since: Time, until: Time) -> Result<Vec<FailuresTally>, LedgerError> {
        let reading = &mut *self.lock();
        aggregates::failures(&reading.connection, &mut reading.meanings, since, until)
    }

    /// The metrics of `since..until`, by series and interval.
    pub fn usage(&self, since: Time, until: Time) -> Result<Vec<Usage>, LedgerError> {
        let reading = &mut *self.lock();
        aggregates::usage(&reading.connection, &mut reading.meanings, since, until)
    }

    /// The newest incidents that fit. Blocks: call it off the runtime's threads.
    pub fn incidents(&self, query: &IncidentsQuery) -> Result<IncidentsPage, LedgerError> {
        incidents::find(&self.lock().connection, query)
    }

    /// What was read of `since..until`, by place and time.
    pub fn covered(&self, since: Time, until: Time) -> Result<Vec<Covered>, LedgerError> {
        coverage::covered(&self.lock().connection, since, until)
    }

    /// How the sources were doing in `since..until`, by source and time.
    pub fn source_states(&self, since: Time, until: Time) -> Result<Vec<StateSpan>, LedgerError> {
        coverage::states(&self.lock().connection, since, until)
    }

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The statement that finds the newest findings. Each grade is read in its own order from an index, and the few
/// candidates of each are merged: no filter makes it read more than it returns.
pub(super) fn newest(query: &FindingsQuery, limit: i64) -> (String, Vec<Value>) {
    let (condition, own) = condition(query);
    let order = "ORDER BY occurred_at DESC, seq DESC LIMIT ?";
    let mut parts = Vec::new();
    let mut values = Vec::new();
    for grade in grades(query) {
        parts.push(format!("SELECT * FROM (SELECT seq FROM findings WHERE grade = {grade}{condition} {order})"));
        values.extend(own.iter().cloned());
        values.push(limit.into());
    }
    values.push(limit.into());
    let sql =
        format!("SELECT {} FROM findings WHERE seq IN ({}) {order}", finding_rows::COLUMNS, parts.join(" UNION ALL "));
    (sql, values)
}

/// The statements that read every finding, in the order of an index.
fn in_order(query: &FindingsQuery) -> Vec<(String, Vec<Value>)> {
    let (condition, values) = condition(&FindingsQuery { after: None, ..query.clone() });
    let of_grade = |grade| {
        let columns = finding_rows::COLUMNS;
        let sql = format!(
            "SELECT {columns} FROM findings WHERE grade = {grade}{condition} ORDER BY occurred_at DESC, seq DESC"
        );
        (sql, values.clone())
    };
    grades(query).into_iter().map(of_grade).collect()
}

fn grades(query: &FindingsQuery) -> Vec<i64> {
    let all = &Evidence::ALL[..];
    let asked = if query.evidence.is_empty() { all } else { &query.evidence };
    let mut grades: Vec<i64> = asked.iter().map(|grade| grade_number(*grade)).collect();
    grades.sort_unstable();
    grades.dedup();
    grades
}

/// The filters beside the grade, and their values.
fn condition(query: &FindingsQuery) -> (String, Vec<Value>) {
    let mut condition = String::new();
    let mut values: Vec<Value> = Vec::new();
    let mut and = |text: &str, own: Vec<Value>| {
        condition.push_str(" AND ");
        condition.push_str(text);
        values.extend(own);
    };
    if let Some(model_id) = &query.model_id {
        and("model = (SELECT id FROM texts WHERE text = ?)", vec![model_id.clone().into()]);
    }
    if let Some(since) = query.since {
        and("occurred_at >= ?", vec![since.timestamp_millis().into()]);
    }
    if let Some(until) = query.until {
        and("occurred_at < ?", vec![until.timestamp_millis().into()]);
    }
    if let Some((at, seq)) = query.after {
        and("(occurred_at, seq) < (?, ?)", vec![at.into(), seq.into()]);
    }
    (condition, values)
}
