//! A finding as the API shows it and the ledger keeps it: flat, every key always there.

use std::sync::Arc;

use chrono::SecondsFormat;
use faultline_core::{
    model::{Finding, LogRef, Time},
    price::PriceRow,
};
use serde::{Deserialize, Serialize};

/// The interface's finding. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // docs/api.md documents each key
pub struct FindingJson {
    pub id: String,
    pub account_id: Arc<str>,
    pub aws_region: Arc<str>,
    pub model_id: Arc<str>,
    pub route: Arc<str>,
    pub occurred_at: String,
    pub failure: Arc<str>,
    pub evidence: Arc<str>,
    pub probability: f64,
    pub request_id: Option<Arc<str>>,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_read_tokens: u64,
    pub cache_write_tokens: u64,
    pub cost_usd: Option<f64>,
    pub price: Option<PriceRow>,
    pub cause: Arc<str>,
    pub operation: Option<Arc<str>>,
    pub application: Option<Arc<str>>,
    pub identity: Option<Arc<str>>,
    pub revision: u32,
    pub client_log: Option<LogRefJson>,
    pub invocation_log: Option<LogRefJson>,
    pub retry_of: Option<Arc<str>>,
}

/// Where a log event is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // docs/api.md documents each key
pub struct LogRefJson {
    pub group: Arc<str>,
    pub stream: Arc<str>,
    pub event_id: Arc<str>,
    pub at: String,
}

/// RFC 3339, to the millisecond where there are any.
pub(crate) fn rfc3339(time: Time) -> String {
    let form = if time.timestamp_subsec_millis() == 0 { SecondsFormat::Secs } else { SecondsFormat::Millis };
    time.to_rfc3339_opts(form, true)
}

impl From<&LogRef> for LogRefJson {
    fn from(log: &LogRef) -> Self {
        let LogRef { group, stream, event_id, at } = log.clone();
        Self { group, stream, event_id, at: rfc3339(at) }
    }
}

impl From<&Finding> for FindingJson {
    fn from(finding: &Finding) -> Self {
        Self {
            id: finding.id.clone(),
            account_id: Arc::clone(&finding.scope.cell.account_id),
            aws_region: Arc::clone(&finding.scope.cell.region),
            model_id: Arc::clone(&finding.scope.model.model_id),
            route: finding.scope.model.route.as_str().into(),
            occurred_at: rfc3339(finding.occurred_at),
            failure: finding.failure.as_str().into(),
            evidence: finding.evidence.as_str().into(),
            probability: finding.probability,
            request_id: finding.request_id.clone(),
            input_tokens: finding.tokens.input,
            output_tokens: finding.tokens.output,
            cache_read_tokens: finding.tokens.cache_read,
            cache_write_tokens: finding.tokens.cache_write,
            cost_usd: finding.cost_usd,
            price: finding.price.clone(),
            cause: finding.cause.as_str().into(),
            operation: finding.operation.map(|operation| operation.as_str().into()),
            application: finding.application.clone(),
            identity: finding.identity.clone(),
            revision: finding.revision,
            client_log: finding.client_log.as_ref().map(LogRefJson::from),
            invocation_log: finding.invocation_log.as_ref().map(LogRefJson::from),
            retry_of: finding.retry_of.clone(),
        }
    }
}
