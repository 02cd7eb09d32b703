//! Which series there are: ListMetrics, every page, folded to one series per metric and model.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{Dimension, RecentlyActive};
use faultline_core::model::{Metric, ModelKey};

use crate::aws::{CallError, RegionClients};

/// The namespace of Bedrock Runtime's metrics.
pub(super) const NAMESPACE: &str = "AWS/Bedrock";

/// One CloudWatch series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub metric: Metric,
    /// The metric's name as this account spells it.
    pub name: String,
    /// The model, or none for metrics of the whole cell.
    pub model: Option<ModelKey>,
    pub dimensions: Vec<Dimension>,
}

/// Asks CloudWatch for every `AWS/Bedrock` metric and keeps one series per metric and model.
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
        let page = clients.caller.call("ListMetrics", 0.0, request.send()).await?;
        found.extend(page.metrics().iter().filter_map(|metric| series(metric.metric_name()?, metric.dimensions())));
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(without_doubles(found));
        }
    }
}

/// The series of a metric we read, by a dimension set we know: `ModelId` alone, or, for what concerns the whole
/// cell, none (or one value that means all models). Finer sets split the same requests and would count them twice.
fn series(name: &str, dimensions: &[Dimension]) -> Option<Series> {
    let metric = Metric::parse(name)?;
    let model = match dimensions {
        [only] if only.name() == Some("ModelId") => Some(ModelKey::parse(only.value()?)),
        [] => None,
        _ => return None,
    };
    let of_the_cell = matches!(
        metric,
        Metric::ModelInvocationLogsCloudWatchDeliverySuccess | Metric::ModelInvocationLogsCloudWatchDeliveryFailure
    );
    let model = if of_the_cell { None } else { model };
    (of_the_cell || model.is_some()).then(|| Series {
        metric,
        name: name.to_owned(),
        model,
        dimensions: dimensions.to_vec(),
    })
}

/// CloudWatch may know one thing under two spellings or two dimension sets: the first in order of spelling, then
/// of fewest dimensions, is kept, so that nothing is summed twice. Two names of one model (an id and its ARN)
/// hold different requests: both are kept, and added when they are read.
fn without_doubles(found: Vec<Series>) -> Vec<Series> {
    let mut kept: BTreeMap<(Metric, Option<String>), Series> = BTreeMap::new();
    for series in found {
        let name = series.dimensions.iter().find_map(|dimension| dimension.value()).map(str::to_owned);
        let name = series.model.as_ref().and(name);
        match kept.entry((series.metric, name)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(series);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                let rank = |series: &Series| (series.dimensions.len(), series.name != series.metric.as_str());
                if rank(&series) < rank(entry.get()) {
                    entry.insert(series);
                }
            }
        }
    }
    kept.into_values().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn dimension(name: &str, value: &str) -> Dimension {
        Dimension::builder().name(name).value(value).build()
    }

    #[test]
    fn a_finer_dimension_set_is_not_read_beside_the_models_own() {
        let model = dimension("ModelId", "amazon.nova-pro-v1:0");
        assert!(series("Invocations", std::slice::from_ref(&model)).is_some());
        assert!(series("Invocations", &[model, dimension("ServiceTier", "default")]).is_none());
        assert!(series("Invocations", &[]).is_none(), "the sum over all models is not one more model");
        assert!(series("SomethingNew", &[]).is_none());
    }

    #[test]
    fn two_spellings_of_one_metric_are_read_once() {
        let model = dimension("ModelId", "anthropic.claude-3-haiku-20240307-v1:0");
        let both: Vec<_> = ["CacheReadInputTokenCount", "CacheReadInputTokens"]
            .iter()
            .filter_map(|name| series(name, std::slice::from_ref(&model)))
            .collect();
        let kept = without_doubles(both);
        assert_eq!(kept.iter().map(|series| series.name.as_str()).collect::<Vec<_>>(), ["CacheReadInputTokens"]);
    }

    #[test]
    fn log_delivery_is_read_once_with_or_without_its_dimension() {
        let name = "ModelInvocationLogsCloudWatchDeliveryFailure";
        let with = series(name, &[dimension("ModelId", "Across all model IDs")]).unwrap();
        let without = series(name, &[]).unwrap();
        assert_eq!(without_doubles(vec![with.clone()]), std::slice::from_ref(&with));
        assert_eq!(without_doubles(vec![with, without.clone()]), [without]);
    }
}
