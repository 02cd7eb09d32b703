//! Incidents: as the API shows them and the ledger keeps them, written by id, found by time.

use std::sync::Arc;

use faultline_core::model::{Cause, Incident, Time};
use rusqlite::{Connection, OptionalExtension, Transaction, params, params_from_iter, types::Value};
use serde::{Deserialize, Serialize};

use super::{LedgerError, rfc3339};

/// The interface's incident: flat, every key always there. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // docs/api.md documents each key
pub struct IncidentJson {
    pub id: String,
    pub account_id: Arc<str>,
    pub aws_region: Arc<str>,
    pub model_id: Arc<str>,
    pub route: String,
    pub started_at: String,
    pub ended_at: Option<String>,
    pub cause: String,
    pub score: f64,
    pub scores: Vec<CauseScoreJson>,
    pub low_load: bool,
    pub failures: u64,
    pub billed_failed: f64,
    pub cost_usd: Option<f64>,
    pub evidence: String,
    pub remedy: String,
    pub revision: u32,
}

/// One cause and its share of the evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // docs/api.md documents each key
pub struct CauseScoreJson {
    pub cause: String,
    pub score: f64,
}

impl From<&Incident> for IncidentJson {
    fn from(incident: &Incident) -> Self {
        let score = |(cause, score): &(Cause, f64)| CauseScoreJson { cause: cause.to_string(), score: *score };
        Self {
            id: incident.id.clone(),
            account_id: Arc::clone(&incident.scope.cell.account_id),
            aws_region: Arc::clone(&incident.scope.cell.region),
            model_id: Arc::clone(&incident.scope.model.model_id),
            route: incident.scope.model.route.to_string(),
            started_at: rfc3339(incident.started_at),
            ended_at: incident.ended_at.map(rfc3339),
            cause: incident.cause.to_string(),
            score: incident.score,
            scores: incident.scores.iter().map(score).collect(),
            low_load: incident.low_load,
            failures: incident.failures,
            billed_failed: incident.billed_failed,
            cost_usd: incident.cost_usd,
            evidence: incident.evidence.clone(),
            remedy: incident.remedy.clone(),
            revision: incident.revision,
        }
    }
}

/// Which incidents.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentsQuery {
    /// Those that were not over by then.
    pub since: Option<Time>,
    /// Those that had begun before then.
    pub until: Option<Time>,
    /// Of this cause.
    pub cause: Option<Cause>,
    /// Of this model.
    pub model_id: Option<String>,
    /// At most so many.
    pub limit: usize,
    /// After the last incident of the page before.
    pub after: Option<(i64, String)>,
}

/// A page of incidents, newest start first.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentsPage {
    /// At most as many as were asked for.
    pub incidents: Vec<IncidentJson>,
    /// Where the next page begins, if there is one.
    pub next: Option<(i64, String)>,
}

/// Writes the incident, unless a later revision of it is known; one without failures was taken back and goes.
pub(super) fn upsert(transaction: &Transaction<'_>, incident: &Incident) -> Result<(), LedgerError> {
    if incident.failures == 0 {
        transaction.prepare_cached("DELETE FROM incidents WHERE id = ?1")?.execute([&incident.id])?;
        return Ok(());
    }
    let known: Option<u32> = transaction
        .prepare_cached("SELECT revision FROM incidents WHERE id = ?1")?
        .query_row([&incident.id], |row| row.get(0))
        .optional()?;
    // After a restart incidents are worked out again, step by step: an earlier step does not replace a later one.
    if known.is_some_and(|known| known > incident.revision) {
        return Ok(());
    }
    transaction.prepare_cached("INSERT OR REPLACE INTO incidents VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?.execute(
        params![
            incident.id,
            incident.started_at.timestamp_millis(),
            incident.ended_at.map(|ended_at| ended_at.timestamp_millis()),
            incident.cause.as_str(),
            &*incident.scope.model.model_id,
            incident.revision,
            serde_json::to_string(&IncidentJson::from(incident))?,
        ],
    )?;
    Ok(())
}

pub(super) fn find(connection: &Connection, query: &IncidentsQuery) -> Result<IncidentsPage, LedgerError> {
    let mut sql = "SELECT started_at, id, body FROM incidents WHERE 1".to_owned();
    let mut values: Vec<Value> = Vec::new();
    let mut and = |condition: &str, own: Vec<Value>| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.extend(own);
    };
    if let Some(since) = query.since {
        and("(ended_at IS NULL OR ended_at > ?)", vec![since.timestamp_millis().into()]);
    }
    if let Some(until) = query.until {
        and("started_at < ?", vec![until.timestamp_millis().into()]);
    }
    if let Some(cause) = query.cause {
        and("cause = ?", vec![cause.as_str().to_owned().into()]);
    }
    if let Some(model_id) = &query.model_id {
        and("model_id = ?", vec![model_id.clone().into()]);
    }
    if let Some((at, id)) = &query.after {
        and("(started_at, id) < (?, ?)", vec![(*at).into(), id.clone().into()]);
    }
    sql.push_str(" ORDER BY started_at DESC, id DESC LIMIT ?");
    // One more than asked for tells whether there is a next page.
    values.push(i64::try_from(query.limit + 1).unwrap_or(i64::MAX).into());

    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut incidents = Vec::new();
    let mut last = None;
    while let Some(row) = rows.next()? {
        if incidents.len() == query.limit {
            return Ok(IncidentsPage { incidents, next: last });
        }
        last = Some((row.get(0)?, row.get(1)?));
        incidents.push(serde_json::from_str(&row.get::<_, String>(2)?)?);
    }
    Ok(IncidentsPage { incidents, next: None })
}
