//! `/api/v1/incidents`.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use faultline_core::model::{Cause, Time};
use serde::Deserialize;
use serde_json::{Value, json};

use super::parameters::{bad, cursor, limit, next_cursor, time};
use crate::{
    export::http::{ApiError, App},
    ledger::IncidentsQuery,
};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::export) struct Parameters {
    since: Option<String>,
    until: Option<String>,
    cause: Option<String>,
    model_id: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

pub(in crate::export) async fn incidents(
    State(app): State<App>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(parameters) = parameters.map_err(|rejection| bad(rejection.body_text()))?;
    let query = query(parameters, app.exporter.0.clock.now())?;
    let page = app.incidents(query).await?;
    Ok(Json(json!({ "incidents": page.incidents, "next_cursor": next_cursor(page.next) })))
}

fn query(parameters: Parameters, now: Time) -> Result<IncidentsQuery, ApiError> {
    let cause = |word: String| {
        Cause::ALL.into_iter().find(|cause| cause.as_str() == word).ok_or_else(|| {
            let causes: Vec<_> = Cause::ALL.iter().map(|cause| cause.as_str()).collect();
            bad(format!("cause: `{word}` is none of {}", causes.join(", ")))
        })
    };
    Ok(IncidentsQuery {
        since: time("since", parameters.since, now)?,
        until: time("until", parameters.until, now)?,
        cause: parameters.cause.map(cause).transpose()?,
        model_id: parameters.model_id,
        limit: limit(parameters.limit)?,
        after: cursor(parameters.cursor)?,
    })
}
