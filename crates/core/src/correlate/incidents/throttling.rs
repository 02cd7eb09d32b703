//! The account's quota was exceeded: 429.

use super::{case::Case, detector::Detector, routes, series::Series};
use crate::model::Cause;

pub(super) struct Throttling;

impl Detector for Throttling {
    fn cause(&self) -> Cause {
        Cause::Throttling
    }

    fn weigh(&self, case: &Case) -> f64 {
        case.excess(Series::Throttle)
    }

    fn evidence(&self, case: &Case) -> String {
        let throttled = case.count(Series::Throttle);
        let mut text = format!(
            "{}: {throttled:.0} of {:.0} requests ({}) were throttled",
            case.when(),
            case.requests,
            Case::share_text(throttled, case.requests)
        );
        if let (Some(load), Some(usual)) = (case.load(), case.usual_rate) {
            text += &format!(
                "; the rate was {:.1} requests a minute with retries, {load:.1} times the usual {usual:.1}",
                case.rate
            );
        }
        text + "."
    }

    fn remedy(&self, case: &Case) -> String {
        let peak = case.rate.ceil();
        format!(
            "Throttled calls cost nothing, but their retries keep the quota full: back off with full jitter from 1 s, in the client's adaptive retry mode, and lower max_tokens, which is reserved before the answer is known. Ask for a quota of requests and tokens above the {peak:.0} requests a minute seen here. {}",
            routes::advice(case)
        )
    }
}
