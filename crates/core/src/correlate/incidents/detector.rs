//! What a diagnosis is, and the list of them all.

use super::{
    case::Case, client_request::ClientRequest, client_timeout::ClientTimeout, model_error::ModelError,
    network::Network, server_capacity::ServerCapacity, throttling::Throttling,
};
use crate::model::Cause;

/// Knows one cause: what speaks for it, how to say so, and what to do about it.
pub(super) trait Detector: Sync {
    /// The cause it knows.
    fn cause(&self) -> Cause;
    /// How many failures of the incident speak for the cause; 0 where nothing does.
    fn weigh(&self, case: &Case) -> f64;
    /// One sentence with the numbers that speak for it.
    fn evidence(&self, case: &Case) -> String;
    /// What to do about it, specific to the case.
    fn remedy(&self, case: &Case) -> String;
}

/// Every detector.
pub(super) const ALL: [&dyn Detector; 6] =
    [&ServerCapacity, &Throttling, &ClientTimeout, &Network, &ModelError, &ClientRequest];

/// What the detectors make of a case.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Diagnosis {
    /// The likeliest cause.
    pub cause: Cause,
    /// Every cause that something speaks for and its share, largest first.
    pub scores: Vec<(Cause, f64)>,
    pub evidence: String,
    pub remedy: String,
}

/// The likeliest cause of a case.
pub(super) fn diagnose(case: &Case) -> Diagnosis {
    let weights: Vec<(&dyn Detector, f64)> =
        ALL.iter().map(|detector| (*detector, detector.weigh(case).max(0.0))).collect();
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let mut scores: Vec<(Cause, f64)> = weights
        .iter()
        .filter(|(_, weight)| *weight > 0.0)
        .map(|(detector, weight)| (detector.cause(), weight / total))
        .collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1));
    let likeliest = scores.first().and_then(|(cause, _)| ALL.into_iter().find(|detector| detector.cause() == *cause));
    match likeliest {
        Some(detector) => Diagnosis {
            cause: detector.cause(),
            scores,
            evidence: detector.evidence(case),
            remedy: detector.remedy(case),
        },
        None => Diagnosis {
            cause: Cause::Unknown,
            scores: vec![(Cause::Unknown, 1.0)],
            evidence: format!("{}: {:.0} of {:.0} requests failed, and nothing points one way.", case.when(), case.failures(), case.requests),
            remedy: "Look at the findings of these minutes; let clients log status, exception, request id and elapsed seconds of each failure.".into(),
        },
    }
}
