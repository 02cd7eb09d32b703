//! Bedrock had no capacity: 503.

use super::{case::Case, detector::Detector, routes, series::Series};
use crate::model::{Cause, FailureKind};

/// Of 5xx of which nothing else is known this share is taken to be 503, the commoner.
const USUAL_SHARE: f64 = 0.8;
/// Below this share of the usual rate of requests it is no overload of the account's own.
const LOW_LOAD: f64 = 0.8;

pub(super) struct ServerCapacity;

/// The share of 503 among the server errors.
pub(super) fn share(case: &Case) -> f64 {
    case.share_of(&[FailureKind::ServiceUnavailable], &[FailureKind::InternalError], USUAL_SHARE)
}

/// Whether capacity failed at a request rate well below the usual.
pub(super) fn is_low_load(case: &Case) -> bool {
    case.load().is_some_and(|load| load < LOW_LOAD)
}

impl Detector for ServerCapacity {
    fn cause(&self) -> Cause {
        Cause::ServerCapacity
    }

    fn weigh(&self, case: &Case) -> f64 {
        case.excess(Series::Server) * share(case)
    }

    fn evidence(&self, case: &Case) -> String {
        let failed = case.excess(Series::Server) * share(case);
        let mut text = format!(
            "{}: {failed:.0} of {:.0} requests ({}) failed with 503",
            case.when(),
            case.requests,
            Case::share_text(failed, case.requests)
        );
        match (case.load(), case.usual_rate) {
            (Some(load), Some(usual)) if is_low_load(case) => {
                text += &format!(
                    "; the rate was {:.1} requests a minute, {load:.2} of the usual {usual:.1}: this is low-load 503, not an overload of yours.",
                    case.rate
                )
            }
            (Some(_), Some(usual)) => {
                text += &format!("; the rate was {:.1} requests a minute, {usual:.1} is usual.", case.rate)
            }
            _ => text.push('.'),
        }
        text
    }

    fn remedy(&self, case: &Case) -> String {
        let attempts = case.attempts.map_or(4, |made| made.clamp(3, 5) + 1);
        let backoff = format!(
            "Retry 503 with exponential backoff and full jitter (1 s doubling to 20 s, {attempts} attempts), and only where a call that is paid twice is worth it."
        );
        let lasting = if is_low_load(case) {
            "Asking for more quota will not help: Bedrock was short of capacity, not you of quota. Provisioned throughput or another model as a fallback will."
        } else {
            "If it comes back at these hours, spread the load or buy provisioned throughput."
        };
        [backoff, routes::advice(case), lasting.into()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}
