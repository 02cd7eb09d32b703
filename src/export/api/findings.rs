//! `/api/v1/findings`.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use faultline_core::model::{Evidence, Time};
use serde::Deserialize;
use serde_json::{Value, json};

use super::parameters::{bad, cursor, limit, next_cursor, time};
use crate::{
    export::http::{ApiError, App},
    ledger::FindingsQuery,
};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::export) struct Parameters {
    since: Option<String>,
    until: Option<String>,
    evidence: Option<String>,
    model_id: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

pub(in crate::export) async fn findings(
    State(app): State<App>,
    parameters: Result<Query<Parameters>, QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(parameters) = parameters.map_err(|rejection| bad(rejection.body_text()))?;
    let query = query(parameters, app.exporter.0.clock.now())?;
    let page = app.findings(query).await?;
    Ok(Json(json!({ "findings": page.findings, "next_cursor": next_cursor(page.next) })))
}

fn query(parameters: Parameters, now: Time) -> Result<FindingsQuery, ApiError> {
    let evidence = parameters.evidence.unwrap_or_default();
    let grade = |word: &str| {
        Evidence::ALL.into_iter().find(|grade| grade.as_str() == word).ok_or_else(|| {
            bad(format!("evidence: `{word}` is none of confirmed, probable, estimated (several with commas)"))
        })
    };
    Ok(FindingsQuery {
        since: time("since", parameters.since, now)?,
        until: time("until", parameters.until, now)?,
        evidence: evidence.split(',').filter(|word| !word.is_empty()).map(grade).collect::<Result<_, _>>()?,
        model_id: parameters.model_id,
        limit: limit(parameters.limit)?,
        after: cursor(parameters.cursor)?,
    })
}
