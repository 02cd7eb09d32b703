//! A model that is called by several routes, compared in the user's own numbers.

use std::{collections::BTreeMap, sync::Arc};

use faultline_core::{
    model::{Cell, Metric, ModelKey, Route, Tokens},
    price::PriceTable,
};
use serde::Serialize;

use super::{latency, spend};
use crate::ledger::Usage;

/// One model in one region, by its routes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RouteComparison {
    /// Whose.
    pub account_id: Arc<str>,
    /// Where.
    pub aws_region: Arc<str>,
    /// Which model.
    pub model_id: Arc<str>,
    /// At least two.
    pub routes: Vec<RouteNumbers>,
}

/// One route of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RouteNumbers {
    /// `none` is in-region.
    pub route: &'static str,
    /// Requests, failed ones included.
    pub requests: f64,
    /// Of these, answered with a server error, in percent.
    pub server_error_percent: f64,
    /// Throttled for each hundred requests.
    pub throttled_percent: f64,
    /// Median latency in seconds.
    pub p50_seconds: Option<f64>,
    /// 99th percentile of latency in seconds.
    pub p99_seconds: Option<f64>,
    /// Dollars for a million tokens of the mix that was used.
    pub usd_per_million_tokens: Option<f64>,
}

#[derive(Default)]
struct Sums<'a> {
    invocations: f64,
    errors: f64,
    server_errors: f64,
    throttles: f64,
    tokens: Tokens,
    latencies: Vec<&'a Usage>,
}

/// Every model with requests by more than one route.
pub(super) fn compare(usage: &[Usage], prices: &PriceTable) -> Vec<RouteComparison> {
    let mut models: BTreeMap<(&Cell, &Arc<str>), BTreeMap<Route, Sums<'_>>> = BTreeMap::new();
    for usage in usage {
        let Some(model) = &usage.model else { continue };
        let sums = models.entry((&usage.cell, &model.model_id)).or_default().entry(model.route).or_default();
        match usage.metric {
            Metric::Invocations => sums.invocations += usage.stats.sum,
            Metric::InvocationServerErrors => sums.server_errors += usage.stats.sum,
            Metric::InvocationClientErrors => sums.errors += usage.stats.sum,
            Metric::InvocationThrottles => sums.throttles += usage.stats.sum,
            Metric::InvocationLatency => sums.latencies.push(usage),
            _ => sums.tokens += spend::tokens(usage),
        }
    }
    models
        .into_iter()
        .map(|((cell, model_id), routes)| RouteComparison {
            account_id: Arc::clone(&cell.account_id),
            aws_region: Arc::clone(&cell.region),
            model_id: Arc::clone(model_id),
            routes: routes
                .into_iter()
                .filter(|(_, sums)| sums.invocations > 0.0)
                .map(|(route, sums)| numbers(cell, model_id, route, &sums, prices))
                .collect(),
        })
        .filter(|comparison| comparison.routes.len() > 1)
        .collect()
}

fn numbers(cell: &Cell, model_id: &Arc<str>, route: Route, sums: &Sums<'_>, prices: &PriceTable) -> RouteNumbers {
    let requests = sums.invocations + sums.errors + sums.server_errors;
    let percent = |part: f64| 100.0 * part / requests.max(1.0);
    let model = ModelKey { model_id: Arc::clone(model_id), route };
    let price = prices.lookup(&model, &cell.region).filter(|_| sums.tokens.total() > 0);
    let latency = latency::of(sums.latencies.iter().copied());
    RouteNumbers {
        route: route.as_str(),
        requests,
        server_error_percent: percent(sums.server_errors),
        throttled_percent: percent(sums.throttles),
        p50_seconds: latency.map(|latency| latency.p50),
        p99_seconds: latency.map(|latency| latency.p99),
        usd_per_million_tokens: price
            .map(|price| price.cost(&sums.tokens) * 1e6 / super::bounds::float(sums.tokens.total())),
    }
}
