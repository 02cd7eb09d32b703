//! CloudWatch: ListMetrics and GetMetricData.

use std::collections::BTreeMap;

use aws_smithy_types::DateTime;
use chrono::Duration;
use faultline_core::model::Time;
use serde_json::Value;

use super::{AwsState, Caller, answer::Fault, cbor};
use crate::simulate::store::{SeriesKey, statistic};

const NAMESPACE: &str = "AWS/Bedrock";
/// ListMetrics returns at most so many metrics a page.
const METRICS_A_PAGE: usize = 500;
/// GetMetricData takes at most so many queries.
const QUERIES_A_CALL: usize = 500;
/// GetMetricData returns at most so many datapoints a page.
const DATAPOINTS_A_PAGE: usize = 100_800;

pub(super) fn answer(
    state: &mut AwsState,
    caller: &Caller,
    operation: &str,
    body: &[u8],
    now: Time,
) -> Result<Vec<u8>, Fault> {
    let input = cbor::decode(body).map_err(|error| Fault::new(400, "SerializationException", error.to_string()))?;
    match operation {
        "ListMetrics" => list_metrics(state, caller, &input, now),
        "GetMetricData" => get_metric_data(state, caller, &input, now),
        _ => Err(Fault::new(404, "UnknownOperationException", operation)),
    }
}

fn list_metrics(state: &mut AwsState, caller: &Caller, input: &Value, now: Time) -> Result<Vec<u8>, Fault> {
    let since = match input["RecentlyActive"].as_str() {
        None => None,
        Some("PT3H") => Some(now - Duration::hours(3)),
        Some(_) => return Err(invalid("RecentlyActive must be PT3H")),
    };
    let skip: usize = token(input)?;
    let wanted = |key: &&SeriesKey| {
        let name = input["MetricName"].as_str().is_none_or(|name| name == key.metric);
        let filters = input["Dimensions"].as_array().map_or(&[][..], Vec::as_slice);
        let has = |filter: &Value| {
            key.dimensions.iter().any(|(name, value)| {
                filter["Name"] == name.as_str() && filter["Value"].as_str().is_none_or(|wanted| wanted == value)
            })
        };
        name && filters.iter().all(has)
    };
    let known = input["Namespace"].as_str().is_none_or(|namespace| namespace == NAMESPACE);
    let listed_until = now - state.faults.listed_late();
    let store = state.store(caller);
    let found: Vec<_> = store.series(listed_until, since).filter(|_| known).filter(wanted).collect();
    let page: Vec<_> = found.iter().skip(skip).take(METRICS_A_PAGE).collect();
    Ok(cbor::map(|out| {
        out.str("Metrics").array(page.len());
        for key in &page {
            out.begin_map();
            out.str("Namespace").str(NAMESPACE);
            out.str("MetricName").str(&key.metric);
            out.str("Dimensions").array(key.dimensions.len());
            for (name, value) in &key.dimensions {
                out.begin_map().str("Name").str(name).str("Value").str(value).end();
            }
            out.end();
        }
        if skip + page.len() < found.len() {
            out.str("NextToken").str(&(skip + page.len()).to_string());
        }
    }))
}

/// One datapoint of one query.
type Datapoint = (usize, i64, f64);

fn get_metric_data(state: &mut AwsState, caller: &Caller, input: &Value, now: Time) -> Result<Vec<u8>, Fault> {
    let queries = input["MetricDataQueries"].as_array().map_or(&[][..], Vec::as_slice);
    if queries.is_empty() || queries.len() > QUERIES_A_CALL {
        return Err(invalid("The collection MetricDataQueries must have a size between 1 and 500."));
    }
    let (Some(start), Some(end)) = (input["StartTime"].as_f64(), input["EndTime"].as_f64()) else {
        return Err(invalid("StartTime and EndTime are required"));
    };
    if start >= end {
        return Err(invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    let skip: usize = token(input)?;
    let most = input["MaxDatapoints"].as_u64().and_then(|most| usize::try_from(most).ok());
    let most = most.or(state.faults.datapoints_a_page()).unwrap_or(DATAPOINTS_A_PAGE);
    #[allow(clippy::cast_possible_truncation)] // seconds since 1970
    let range = (start as i64, end as i64);

    let mut ids = Vec::new();
    let mut statistics: BTreeMap<SeriesKey, u64> = BTreeMap::new();
    let mut datapoints: Vec<Datapoint> = Vec::new();
    for (index, query) in queries.iter().enumerate() {
        let id = query["Id"].as_str().unwrap_or_default();
        let valid = id.starts_with(|c: char| c.is_ascii_lowercase())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid || ids.contains(&id) {
            return Err(invalid(format!("The value '{id}' for parameter MetricDataQueries.member.Id is not valid.")));
        }
        ids.push(id);
        let stat = &query["MetricStat"];
        if stat["Period"].as_i64() != Some(60) {
            return Err(invalid("this simulation has one-minute periods only"));
        }
        let name = stat["Stat"].as_str().unwrap_or_default();
        if statistic(name, &[1.0]).is_none() {
            return Err(invalid(format!("The value {name} for parameter Stat is not supported.")));
        }
        let key = series_key(&stat["Metric"]);
        // A name or a set of dimensions that does not exist is no error: there is no data for it.
        if stat["Metric"]["Namespace"] == NAMESPACE {
            let minutes = state.store(caller).minutes(&key, range, now);
            let read =
                minutes.into_iter().filter_map(|(minute, values)| Some((index, minute, statistic(name, &values)?)));
            datapoints.extend(read);
        }
        *statistics.entry(key).or_default() += 1;
    }
    if skip == 0 {
        // Up to five statistics of one metric count as one.
        state.metrics_requested += statistics.values().map(|count| count.div_ceil(5)).sum::<u64>();
    }
    let partial = state.faults.take_partial();
    let page: Vec<_> = datapoints.iter().skip(skip).take(most).collect();
    let more = skip + page.len() < datapoints.len();
    let descending = input["ScanBy"].as_str() != Some("TimestampAscending");
    let results: Vec<_> = ids
        .iter()
        .enumerate()
        .map(|(index, id)| {
            let mut points: Vec<_> =
                page.iter().filter(|(of, ..)| *of == index).map(|(_, at, value)| (*at, *value)).collect();
            if descending {
                points.reverse();
            }
            // One id may span pages: what is still to come makes this page's part of it partial.
            let unfinished = datapoints.iter().skip(skip + page.len()).any(|(of, ..)| *of == index);
            (*id, points, unfinished || partial)
        })
        .collect();
    Ok(cbor::map(|out| {
        out.str("MetricDataResults").array(results.len());
        for (id, points, unfinished) in &results {
            let kept = if partial { points.len() / 2 } else { points.len() };
            out.begin_map();
            out.str("Id").str(id);
            out.str("Label").str(id);
            out.str("Timestamps").array(kept);
            for (at, _) in &points[..kept] {
                out.timestamp(&DateTime::from_secs(*at));
            }
            out.str("Values").array(kept);
            for (_, value) in &points[..kept] {
                out.double(*value);
            }
            out.str("StatusCode").str(if *unfinished { "PartialData" } else { "Complete" });
            if partial {
                out.str("Messages").array(1);
                out.begin_map().str("Code").str("InternalServiceError");
                out.str("Value").str("Some data could not be retrieved.").end();
            }
            out.end();
        }
        if more {
            out.str("NextToken").str(&(skip + page.len()).to_string());
        }
    }))
}

fn series_key(metric: &Value) -> SeriesKey {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let dimensions = metric["Dimensions"].as_array().map_or(&[][..], Vec::as_slice);
    SeriesKey {
        metric: text(&metric["MetricName"]),
        dimensions: dimensions.iter().map(|dimension| (text(&dimension["Name"]), text(&dimension["Value"]))).collect(),
    }
}

fn token(input: &Value) -> Result<usize, Fault> {
    match input["NextToken"].as_str() {
        None => Ok(0),
        Some(token) => token.parse().map_err(|_| Fault::new(400, "InvalidNextToken", "The next token is invalid.")),
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(400, "ValidationError", message)
}
