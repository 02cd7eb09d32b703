//! Client failures as rows, and what became of them.

use faultline_core::model::{BedrockException, ClientFailure, ModelKey, Scope};
use rusqlite::{Transaction, params};

use super::{LedgerError, names::Names};

/// The scope a failure counts under: `unknown` until it is matched.
pub(super) fn scope_of(failure: &ClientFailure) -> Scope {
    let model = failure.text.model.clone().unwrap_or_else(ModelKey::unknown);
    Scope { cell: failure.cell.clone(), model }
}

/// True when the failure was not known before.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    names: &mut Names,
    failure: &ClientFailure,
) -> Result<bool, LedgerError> {
    let scope = scope_of(failure);
    let inserted = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO failures (cell, log_group, log_stream, event_id, at, application, model, route, \
             failure, exception, request_id, attempts, elapsed_seconds) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            names.cell(transaction, &scope.cell)?,
            names.text(transaction, &failure.log.group)?,
            names.text(transaction, &failure.log.stream)?,
            &*failure.log.event_id,
            failure.at.timestamp_millis(),
            names.text(transaction, &failure.application)?,
            names.text(transaction, &scope.model.model_id)?,
            names.text(transaction, scope.model.route.as_str())?,
            names.text(transaction, failure.text.kind.as_str())?,
            names.text(transaction, failure.text.exception.map_or("", BedrockException::as_str))?,
            failure.text.request_id,
            failure.text.attempts,
            failure.text.elapsed_seconds,
        ])?;
    Ok(inserted > 0)
}

/// True when the failure had no outcome before. A late record may turn `no_record` into `billed`: the row follows, and
/// so does the model that the failure was matched to.
pub(super) fn conclude(
    transaction: &Transaction<'_>,
    names: &mut Names,
    failure: &ClientFailure,
    outcome: &str,
) -> Result<bool, LedgerError> {
    let scope = scope_of(failure);
    let key = params![
        names.cell(transaction, &scope.cell)?,
        names.text(transaction, &failure.log.group)?,
        names.text(transaction, &failure.log.stream)?,
        &*failure.log.event_id,
        names.text(transaction, outcome)?,
        names.text(transaction, &scope.model.model_id)?,
        names.text(transaction, scope.model.route.as_str())?,
    ];
    let update = "UPDATE failures SET outcome = ?5, model = ?6, route = ?7";
    let place = "cell = ?1 AND log_group = ?2 AND log_stream = ?3 AND event_id = ?4";
    let first = format!("{update} WHERE {place} AND outcome IS NULL");
    if transaction.prepare_cached(&first)?.execute(key)? > 0 {
        return Ok(true);
    }
    transaction.prepare_cached(&format!("{update} WHERE {place}"))?.execute(key)?;
    Ok(false)
}
