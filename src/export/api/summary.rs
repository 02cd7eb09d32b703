//! `/api/v1/summary`.

use axum::{Json, extract::State};
use faultline_core::correlate::{ScopeSummary, Tally};
use serde_json::{Value, json};

use crate::{export::http::App, ledger::rfc3339};

pub(in crate::export) async fn summary(State(app): State<App>) -> Json<Value> {
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
        "likely_lower": summary.likely_lower,
        "upper": summary.upper,
        "retries": { "confirmed": summary.confirmed.retries, "probable": summary.probable.retries, "estimated": summary.estimated_retries },
        "widened_by": summary.widened_by,
        "aws_side": summary.aws_side,
        "estimate_state": summary.state,
        "estimate_reason": summary.state_reason,
        "pending": summary.pending,
    })
}
