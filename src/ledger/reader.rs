//! Queries beside the writer.

use std::sync::{Mutex, PoisonError};

use faultline_core::model::{Evidence, Time};
use rusqlite::{Connection, params_from_iter, types::Value};

use super::{FindingJson, IncidentsPage, IncidentsQuery, LedgerError, incidents};

/// Which findings.
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
    pub after: Option<(i64, String)>,
}

/// A page of findings, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// At most as many as were asked for.
    pub findings: Vec<FindingJson>,
    /// Where the next page begins, if there is one.
    pub next: Option<(i64, String)>,
}

/// A read-only connection.
#[derive(Debug)]
pub struct LedgerReader(Mutex<Connection>);

impl LedgerReader {
    pub(super) const fn new(connection: Connection) -> Self {
        Self(Mutex::new(connection))
    }

    /// The newest findings that fit. Blocks: call it off the runtime's threads.
    pub fn findings(&self, query: &FindingsQuery) -> Result<Page, LedgerError> {
        let mut sql = "SELECT occurred_at, id, body FROM findings WHERE 1".to_owned();
        let mut values: Vec<Value> = Vec::new();
        let mut and = |condition: &str, own: Vec<Value>| {
            sql.push_str(" AND ");
            sql.push_str(condition);
            values.extend(own);
        };
        if let Some(since) = query.since {
            and("occurred_at >= ?", vec![since.timestamp_millis().into()]);
        }
        if let Some(until) = query.until {
            and("occurred_at < ?", vec![until.timestamp_millis().into()]);
        }
        if let Some(model_id) = &query.model_id {
            and("model_id = ?", vec![model_id.clone().into()]);
        }
        if !query.evidence.is_empty() {
            let marks = vec!["?"; query.evidence.len()].join(", ");
            let grades = query.evidence.iter().map(|grade| grade.as_str().to_owned().into()).collect();
            and(&format!("evidence IN ({marks})"), grades);
        }
        if let Some((at, id)) = &query.after {
            and("(occurred_at, id) < (?, ?)", vec![(*at).into(), id.clone().into()]);
        }
        sql.push_str(" ORDER BY occurred_at DESC, id DESC LIMIT ?");
        // One more than asked for tells whether there is a next page.
        values.push(i64::try_from(query.limit + 1).unwrap_or(i64::MAX).into());

        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut findings = Vec::new();
        let mut last = None;
        while let Some(row) = rows.next()? {
            if findings.len() == query.limit {
                return Ok(Page { findings, next: last });
            }
            last = Some((row.get(0)?, row.get(1)?));
            findings.push(serde_json::from_str(&row.get::<_, String>(2)?)?);
        }
        Ok(Page { findings, next: None })
    }

    /// The newest incidents that fit. Blocks: call it off the runtime's threads.
    pub fn incidents(&self, query: &IncidentsQuery) -> Result<IncidentsPage, LedgerError> {
        incidents::find(&self.0.lock().unwrap_or_else(PoisonError::into_inner), query)
    }
}
