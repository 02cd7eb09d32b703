//! Findings as CSV, one line each, written as they are read.

use std::io::Write;

use super::{FindingView, Request, build::query};
use crate::ledger::{FindingJson, LedgerError, LedgerReader, LogRefJson};

const HEADER: [&str; 35] = [
    "id",
    "occurred_at",
    "account_id",
    "aws_region",
    "model_id",
    "route",
    "operation",
    "failure",
    "cause",
    "evidence",
    "probability",
    "known_by",
    "request_id",
    "retry_of",
    "application",
    "identity",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cost_usd",
    "price_input_usd_per_million",
    "price_output_usd_per_million",
    "price_cache_read_usd_per_million",
    "price_cache_write_usd_per_million",
    "price_source",
    "price_as_of",
    "client_log_group",
    "client_log_stream",
    "client_log_event_id",
    "client_log_url",
    "invocation_log_group",
    "invocation_log_stream",
    "invocation_log_event_id",
    "invocation_log_url",
];

/// Why the lines could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The ledger could not be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The output could not be written.
    #[error("cannot write the lines: {0}")]
    Write(#[from] csv::Error),
}

/// Writes a header and a line for every finding, surest first, then newest first, without holding them all.
pub fn write_csv(ledger: &LedgerReader, request: &Request, out: impl Write) -> Result<(), CsvError> {
    let mut lines = csv::Writer::from_writer(out);
    lines.write_record(HEADER)?;
    ledger.each_finding(&query(request, 0), |finding| {
        lines.write_record(line(&FindingView::from(finding)))?;
        Ok::<_, CsvError>(())
    })?;
    lines.flush().map_err(csv::Error::from)?;
    Ok(())
}

fn line(view: &FindingView) -> [String; 35] {
    let FindingView { finding, known_by, client_log_url, invocation_log_url } = view;
    let FindingJson { price, client_log, invocation_log, .. } = finding;
    let text = |text: Option<&str>| harmless(text.unwrap_or_default());
    let log = |log: &Option<LogRefJson>| {
        let log = log.as_ref();
        [log.map(|log| &*log.group), log.map(|log| &*log.stream), log.map(|log| &*log.event_id)].map(text)
    };
    let [client_group, client_stream, client_event] = log(client_log);
    let [record_group, record_stream, record_event] = log(invocation_log);
    let dollars = |amount: Option<f64>| amount.map(|amount| amount.to_string()).unwrap_or_default();
    let price = price.as_ref();
    [
        harmless(&finding.id),
        finding.occurred_at.clone(),
        harmless(&finding.account_id),
        harmless(&finding.aws_region),
        harmless(&finding.model_id),
        harmless(&finding.route),
        text(finding.operation.as_deref()),
        harmless(&finding.failure),
        harmless(&finding.cause),
        harmless(&finding.evidence),
        finding.probability.to_string(),
        harmless(known_by),
        text(finding.request_id.as_deref()),
        text(finding.retry_of.as_deref()),
        text(finding.application.as_deref()),
        text(finding.identity.as_deref()),
        finding.input_tokens.to_string(),
        finding.output_tokens.to_string(),
        finding.cache_read_tokens.to_string(),
        finding.cache_write_tokens.to_string(),
        dollars(finding.cost_usd),
        dollars(price.map(|price| price.input)),
        dollars(price.map(|price| price.output)),
        dollars(price.and_then(|price| price.cache_read)),
        dollars(price.and_then(|price| price.cache_write)),
        text(price.map(|price| &*price.source)),
        text(price.map(|price| &*price.as_of)),
        client_group,
        client_stream,
        client_event,
        text(client_log_url.as_deref()),
        record_group,
        record_stream,
        record_event,
        text(invocation_log_url.as_deref()),
    ]
}

/// Text that no spreadsheet takes for a formula: names of log groups and applications are other people's text.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(harmless(formula), format!("'{formula}"));
        }
        assert_eq!(harmless("/ecs/chat-api"), "/ecs/chat-api");
    }
}
