//! The routes.

use std::{io, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::{Exporter, api, collector, page, report};
use crate::{
    ledger::{FindingsQuery, IncidentsPage, IncidentsQuery, LedgerError, LedgerReader, Page},
    report::Reporter,
};

/// What handlers share.
#[derive(Debug, Clone)]
pub(super) struct App {
    pub exporter: Exporter,
    ledger: Arc<LedgerReader>,
    pub reporter: Reporter,
}

/// Serves until stopped; requests under way are finished.
pub async fn serve(
    listener: TcpListener,
    exporter: Exporter,
    ledger: LedgerReader,
    reporter: Reporter,
    stop: CancellationToken,
) -> io::Result<()> {
    axum::serve(listener, router(exporter, ledger, reporter)).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// Every route.
pub fn router(exporter: Exporter, ledger: LedgerReader, reporter: Reporter) -> Router {
    Router::new()
        .route("/", get(landing_page))
        .route("/metrics", get(metrics))
        .route("/-/healthy", get(|| async { "healthy\n" }))
        .route("/-/ready", get(ready))
        .route("/report", get(report::report))
        .route("/api/v1/findings", get(api::findings))
        .route("/api/v1/incidents", get(api::incidents))
        .route("/api/v1/sources", get(api::sources))
        .route("/api/v1/summary", get(api::summary))
        .fallback(nothing_here)
        .with_state(App { exporter, ledger: Arc::new(ledger), reporter })
}

impl App {
    pub(super) async fn findings(&self, query: FindingsQuery) -> Result<Page, ApiError> {
        self.ask(move |ledger| ledger.findings(&query)).await
    }

    pub(super) async fn incidents(&self, query: IncidentsQuery) -> Result<IncidentsPage, ApiError> {
        self.ask(move |ledger| ledger.incidents(&query)).await
    }

    /// Asks the ledger off the runtime's threads.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&LedgerReader) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let ledger = Arc::clone(&self.ledger);
        let found = tokio::task::spawn_blocking(move || question(&ledger)).await;
        found.map_err(|error| ApiError::internal(&error))?.map_err(|error| ApiError::internal(&error))
    }
}

/// What went wrong with a request, as JSON.
#[derive(Debug)]
pub(super) struct ApiError(pub StatusCode, pub String);

impl ApiError {
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        error!(%error, "request failed");
        Self(StatusCode::INTERNAL_SERVER_ERROR, "the ledger cannot be read; the log says why".to_owned())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

async fn metrics(State(app): State<App>) -> Response {
    match collector::text(&app.exporter) {
        Ok(text) => ([(header::CONTENT_TYPE, collector::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            error!(%error, "metrics cannot be rendered");
            (StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be rendered; the log says why\n").into_response()
        }
    }
}

async fn ready(State(app): State<App>) -> Response {
    match app.exporter.sources_unread() {
        0 => "ready\n".into_response(),
        unread => {
            let reason = format!("not ready: {unread} sources have not been read once; see /api/v1/sources\n");
            (StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
        }
    }
}

async fn landing_page(State(app): State<App>) -> Result<Html<String>, ApiError> {
    let since = app.exporter.window_start();
    let query = FindingsQuery { since, until: None, evidence: Vec::new(), model_id: None, limit: 1000, after: None };
    let of_window = app.findings(query).await?;
    Ok(Html(page::render(&app.exporter, &of_window.findings)))
}

async fn nothing_here() -> ApiError {
    let known = "/, /report, /metrics, /-/healthy, /-/ready, /api/v1/findings, /api/v1/incidents, /api/v1/summary, /api/v1/sources";
    ApiError(StatusCode::NOT_FOUND, format!("there is nothing here; there is {known}"))
}
