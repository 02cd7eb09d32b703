//! The evidence pack over HTTP: the same as `faultline report`.

use axum::{
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use clap::ValueEnum;
use serde::Deserialize;

use super::http::{ApiError, App};
use crate::{
    ledger::LedgerReader,
    report::{self, Format, MOST_LISTED, Reporter, Request},
};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportParameters {
    since: Option<String>,
    until: Option<String>,
    format: Option<String>,
    evidence: Option<String>,
}

pub(super) async fn report(
    State(app): State<App>,
    parameters: Result<Query<ReportParameters>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, ApiError> {
    let bad = |message: String| ApiError(StatusCode::BAD_REQUEST, message);
    let Query(parameters) = parameters.map_err(|rejection| bad(rejection.body_text()))?;
    let format = match parameters.format.as_deref() {
        None => Format::Html,
        Some(word) => Format::from_str(word, false)
            .map_err(|_| bad(format!("format: `{word}` is none of text, html, csv, json")))?,
    };
    let (since, until, evidence) = (parameters.since, parameters.until, parameters.evidence);
    let now = app.exporter.now();
    let request = report::request(since.as_deref(), until.as_deref(), evidence.as_deref(), now).map_err(bad)?;
    let reporter = app.reporter.clone();
    let written = tokio::task::spawn_blocking(move || write(&reporter, &request, format)).await;
    let body = written.map_err(|error| ApiError::internal(&error))?.map_err(|error| ApiError::internal(&*error))?;
    let (content_type, disposition) = match format {
        Format::Html => ("text/html; charset=utf-8", "inline; filename=\"faultline-report.html\""),
        Format::Text => ("text/plain; charset=utf-8", "inline; filename=\"faultline-report.txt\""),
        Format::Json => ("application/json", "inline; filename=\"faultline-report.json\""),
        Format::Csv => ("text/csv; charset=utf-8", "attachment; filename=\"faultline-findings.csv\""),
    };
    Ok(([(header::CONTENT_TYPE, content_type), (header::CONTENT_DISPOSITION, disposition)], body).into_response())
}

fn write(
    reporter: &Reporter,
    request: &Request,
    format: Format,
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let ledger = LedgerReader::open(&reporter.ledger)?;
    let built = |listed| report::build(&ledger, request, &reporter.settings, listed);
    Ok(match format {
        Format::Html => report::html(&built(Some(MOST_LISTED))?)?.into_bytes(),
        Format::Text => report::text(&built(Some(MOST_LISTED))?)?.into_bytes(),
        Format::Json => report::json(&built(None)?)?.into_bytes(),
        Format::Csv => {
            let mut lines = Vec::new();
            report::write_csv(&ledger, request, &mut lines)?;
            lines
        }
    })
}
