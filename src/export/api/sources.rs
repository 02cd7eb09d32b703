//! `/api/v1/sources`.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use crate::{export::http::App, ledger::rfc3339, pipeline::status::SourceStatus};

pub(in crate::export) async fn sources(State(app): State<App>) -> Json<Value> {
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
