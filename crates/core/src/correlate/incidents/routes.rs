//! Whether another route fared better in the same minutes.

use super::{
    case::{Beside, Case},
    series::Series,
};
use crate::model::Route;

/// Fewer requests over a route say nothing about it.
const FEWEST_REQUESTS: f64 = 20.0;

/// One sentence on cross-region inference, from the numbers of this incident.
pub(super) fn advice(case: &Case) -> String {
    let failed = case.excess(Series::Server) + case.excess(Series::Throttle);
    let own = failed / f64::max(case.requests, 1.0);
    let measured = case.beside.iter().filter(|other| other.requests >= FEWEST_REQUESTS);
    let best = measured.min_by(|a, b| a.share().total_cmp(&b.share()));
    let this = name(case.scope.model.route);
    match best {
        Some(other) if other.share() < own / 2.0 => format!(
            "Over {} {:.1} % failed in the same minutes, over {this} {:.1} %: send these calls over {} while it lasts.",
            name(other.route),
            100.0 * other.share(),
            100.0 * own,
            name(other.route)
        ),
        Some(other) => format!(
            "Cross-region inference will not help here: over {} {:.1} % failed in the same minutes, over {this} {:.1} %.",
            name(other.route),
            100.0 * other.share(),
            100.0 * own
        ),
        None if case.scope.model.route == Route::None => {
            "Whether a cross-region profile fails less is not known: nothing was sent over one.".into()
        }
        None => "It failed although it was routed across regions: cross-region inference will not help here.".into(),
    }
}

impl Beside {
    /// The share of its requests that AWS failed or throttled.
    fn share(&self) -> f64 {
        self.failures / f64::max(self.requests, 1.0)
    }
}

fn name(route: Route) -> String {
    match route {
        Route::None => "the region itself".into(),
        route => format!("the route {route}"),
    }
}
