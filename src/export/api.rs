//! The JSON API.

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
};
use faultline_core::{
    correlate::{ScopeSummary, Tally},
    model::{Evidence, Time},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::http::{ApiError, App};
use crate::{
    clock,
    ledger::{FindingsQuery, rfc3339},
    pipeline::status::SourceStatus,
};

const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 1000;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FindingsParameters {
    since: Option<String>,
    until: Option<String>,
    evidence: Option<String>,
    model_id: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

pub(super) async fn findings(
    State(app): State<App>,
    parameters: Result<Query<FindingsParameters>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Value>, ApiError> {
    let Query(parameters) = parameters.map_err(|rejection| bad(rejection.body_text()))?;
    let query = query(parameters, app.exporter.0.clock.now())?;
    let page = app.findings(query).await?;
    let next_cursor = page.next.map(|(at, seq)| format!("{at}.{seq}"));
    Ok(Json(json!({ "findings": page.findings, "next_cursor": next_cursor })))
}

fn query(parameters: FindingsParameters, now: Time) -> Result<FindingsQuery, ApiError> {
    let time = |name, text: Option<String>| text.map(|text| time_or_age(name, &text, now)).transpose();
    let evidence = parameters.evidence.unwrap_or_default();
    let grade = |word: &str| {
        Evidence::ALL.into_iter().find(|grade| grade.as_str() == word).ok_or_else(|| {
            bad(format!("evidence: `{word}` is none of confirmed, probable, estimated (several with commas)"))
        })
    };
    let limit = match parameters.limit {
        None => DEFAULT_LIMIT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=MOST).contains(limit))
            .ok_or_else(|| bad(format!("limit: `{text}` is not a number from 1 to {MOST}")))?,
    };
    let after =
        match parameters.cursor {
            None => None,
            Some(text) => {
                let parts = text.split_once('.').and_then(|(at, seq)| Some((at.parse().ok()?, seq.parse().ok()?)));
                Some(parts.ok_or_else(|| {
                    bad("cursor: take it from `next_cursor` of the page before, unchanged".to_owned())
                })?)
            }
        };
    Ok(FindingsQuery {
        since: time("since", parameters.since)?,
        until: time("until", parameters.until)?,
        evidence: evidence.split(',').filter(|word| !word.is_empty()).map(grade).collect::<Result<_, _>>()?,
        model_id: parameters.model_id,
        limit,
        after,
    })
}

fn time_or_age(name: &str, text: &str, now: Time) -> Result<Time, ApiError> {
    clock::time_or_age(text, now).map_err(|wrong| bad(format!("{name}: {wrong}")))
}

const fn bad(message: String) -> ApiError {
    ApiError(StatusCode::BAD_REQUEST, message)
}

pub(super) async fn sources(State(app): State<App>) -> Json<Value> {
    let sources: Vec<_> = app.exporter.0.board.all().iter().map(source).collect();
    Json(json!({ "sources": sources }))
}

fn source(status: &SourceStatus) -> Value {
    json!({
        "account_id": status.cell.account_id,
        "aws_region": status.cell.region,
        "source": status.kind,
        "up": status.state.is_up(),
        "state": status.state,
        "detail": status.detail,
        "last_success": status.last_success.map(rfc3339),
        "newest_data": status.newest_data.map(rfc3339),
        "next_poll": status.next_poll.map(rfc3339),
        "restarts": status.restarts,
    })
}

pub(super) async fn summary(State(app): State<App>) -> Json<Value> {
    let published = app.exporter.published();
    let cells = published.summaries.iter();
    let scopes: Vec<_> = cells.clone().flat_map(|cell| &cell.scopes).map(scope).collect();
    let at = cells.clone().map(|cell| cell.at).max().map(rfc3339);
    let window_seconds = cells.map(|cell| cell.window.num_seconds()).max();
    Json(json!({ "at": at, "window_seconds": window_seconds, "scopes": scopes }))
}

fn scope(summary: &ScopeSummary) -> Value {
    let tally = |tally: &Tally| json!({ "count": tally.count, "cost_usd": tally.cost_usd, "unpriced": tally.unpriced });
    json!({
        "account_id": summary.scope.cell.account_id,
        "aws_region": summary.scope.cell.region,
        "model_id": summary.scope.model.model_id,
        "route": summary.scope.model.route.as_str(),
        "confirmed": tally(&summary.confirmed),
        "probable": tally(&summary.probable),
        "estimated": { "count": summary.estimated, "cost_usd": summary.estimated_cost_usd },
        "lower": summary.lower,
        "upper": summary.upper,
        "estimate_state": summary.state,
        "estimate_reason": summary.state_reason,
        "pending": summary.pending,
    })
}
