//! ListMetrics, every page.

use aws_sdk_cloudwatch::types::{Metric, RecentlyActive};

use super::{planner::COST_PER_LISTING, series::Series};
use crate::aws::{CallError, RegionClients};

/// The namespace of Bedrock Runtime's metrics.
pub(super) const NAMESPACE: &str = "AWS/Bedrock";

/// Every `AWS/Bedrock` series that CloudWatch lists.
pub(super) async fn list(clients: &RegionClients, recently_active: bool) -> Result<Vec<Series>, CallError> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let request = clients
            .cloudwatch
            .list_metrics()
            .namespace(NAMESPACE)
            .set_recently_active(recently_active.then_some(RecentlyActive::Pt3H))
            .set_next_token(token);
        let page = clients.caller.call("ListMetrics", COST_PER_LISTING, request.send()).await?;
        found.extend(page.metrics().iter().filter_map(series));
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(found);
        }
    }
}

fn series(metric: &Metric) -> Option<Series> {
    let dimension = |dimension: &aws_sdk_cloudwatch::types::Dimension| {
        Some((dimension.name()?.to_owned(), dimension.value()?.to_owned()))
    };
    let dimensions = metric.dimensions().iter().filter_map(dimension).collect();
    Some(Series { name: metric.metric_name()?.to_owned(), dimensions })
}
