//! A finding, with how it is known and where to look.

use serde::Serialize;

use super::console::log_event_url;
use crate::ledger::FindingJson;

/// A finding as a report lists it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FindingView {
    /// The finding, with the keys of the API.
    #[serde(flatten)]
    pub finding: FindingJson,
    /// How it is known, in one sentence.
    pub known_by: String,
    /// The client's log event in the CloudWatch console; of the cell's region.
    pub client_log_url: Option<String>,
    /// The invocation record in the CloudWatch console.
    pub invocation_log_url: Option<String>,
}

impl From<FindingJson> for FindingView {
    fn from(finding: FindingJson) -> Self {
        let url = |log: &Option<_>| log.as_ref().and_then(|log| log_event_url(&finding.aws_region, log));
        Self {
            known_by: known_by(&finding),
            client_log_url: url(&finding.client_log),
            invocation_log_url: url(&finding.invocation_log),
            finding,
        }
    }
}

impl FindingView {
    /// The model with its routing prefix.
    pub(super) fn model(&self) -> String {
        model_name(&self.finding.model_id, &self.finding.route)
    }
}

/// A model with its routing prefix, as callers write it.
pub(super) fn model_name(model_id: &str, route: &str) -> String {
    if route == "none" { model_id.to_owned() } else { format!("{route}.{model_id}") }
}

fn known_by(finding: &FindingJson) -> String {
    let basis = match (&*finding.evidence, &finding.client_log) {
        ("probable", _) => format!(
            "matched to the client's failure without an id, with a probability of {:.0} %",
            finding.probability * 100.0
        ),
        (_, Some(_)) => "the client's log and the invocation record name the same request".to_owned(),
        (_, None) => "the invocation record carries both an errorCode and tokens".to_owned(),
    };
    match &finding.retry_of {
        Some(next) => format!("{basis}; an earlier attempt, made again as {next}"),
        None => basis,
    }
}
