//! GetMetricData: every page, one query id over several pages, and what CloudWatch says beside the data.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_cloudwatch::{
    primitives::DateTime as AwsTime,
    types::{Dimension, Metric as AwsMetric, MetricDataQuery, MetricStat, ScanBy, StatusCode},
};
use chrono::DateTime;
use faultline_core::model::{MetricStats, Time};
use tracing::warn;

use super::{
    discover::NAMESPACE,
    planner::{Answer, Asked, QUERIES_A_CALL, Request},
    series::Series,
    statistics::{COST_PER_METRIC, Statistic, added, cost},
};
use crate::aws::{CallError, RegionClients};

const MINUTE_SECONDS: i32 = 60;

/// What a request read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// One for each key that was asked, in their order.
    pub answers: Vec<Answer>,
    /// What CloudWatch said was wrong.
    pub problems: Vec<String>,
}

/// One series, of the key at a position in the request.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    position: usize,
    asked: &'a Asked,
    series: &'a Series,
}

/// Reads all that a request asks. It is one call, unless one of its keys alone has too many series for that.
pub(super) async fn read(clients: &RegionClients, request: &Request) -> Result<Read, CallError> {
    let places: Vec<Place<'_>> = request
        .asked
        .iter()
        .enumerate()
        .flat_map(|(position, asked)| asked.series.iter().map(move |series| Place { position, asked, series }))
        .collect();
    let mut read =
        Read { answers: vec![Answer { complete: true, ..Answer::default() }; request.asked.len()], ..Read::default() };
    for call in calls(&places) {
        read_call(clients, request, call, &mut read).await?;
    }
    Ok(read)
}

/// The statistics of a series stay together, to be charged once.
fn calls<'a, 'b>(places: &'a [Place<'b>]) -> Vec<&'a [Place<'b>]> {
    let mut calls = Vec::new();
    let (mut start, mut queries) = (0, 0);
    for (index, place) in places.iter().enumerate() {
        let more = Statistic::of(place.asked.key.metric, place.asked.tail).len();
        if queries + more > QUERIES_A_CALL {
            calls.push(&places[start..index]);
            (start, queries) = (index, 0);
        }
        queries += more;
    }
    calls.push(&places[start..]);
    calls
}

async fn read_call(
    clients: &RegionClients,
    request: &Request,
    places: &[Place<'_>],
    read: &mut Read,
) -> Result<(), CallError> {
    let queries: Vec<_> = places.iter().enumerate().flat_map(|(index, place)| queries(index, place)).collect();
    let metrics: u32 = places.iter().map(|place| cost(place.asked.key.metric, place.asked.tail, 1)).sum();
    let minutes = usize::try_from((request.range.end - request.range.start).num_minutes()).unwrap_or(0);
    clients.caller.datapoints(queries.len() * minutes).await;

    let mut stats: HashMap<(usize, i64), MetricStats> = HashMap::new();
    let mut unfinished: HashMap<usize, bool> = HashMap::new();
    let mut token = None;
    loop {
        // Pages after the first are of the same request, and not charged again.
        let cost = if token.is_none() { COST_PER_METRIC * f64::from(metrics) } else { 0.0 };
        let sent = clients
            .cloudwatch
            .get_metric_data()
            .set_metric_data_queries(Some(queries.clone()))
            .start_time(AwsTime::from_secs(request.range.start.timestamp()))
            .end_time(AwsTime::from_secs(request.range.end.timestamp()))
            .scan_by(ScanBy::TimestampAscending)
            .set_next_token(token);
        let page = clients.caller.call("GetMetricData", cost, sent.send()).await?;
        for message in page.messages() {
            warn!(code = message.code(), message = message.value(), "get_metric_data said");
            read.problems.extend(message.value().map(str::to_owned));
        }
        let mut in_page: HashMap<usize, bool> = HashMap::new();
        for result in page.metric_data_results() {
            let Some((index, statistic)) = result.id().and_then(parse_id).filter(|(i, _)| *i < places.len()) else {
                continue;
            };
            *in_page.entry(index).or_default() |= result.status_code() != Some(&StatusCode::Complete);
            for message in result.messages() {
                warn!(code = message.code(), message = message.value(), "get_metric_data said");
                read.problems.extend(message.value().map(str::to_owned));
            }
            let metric = places[index].asked.key.metric;
            for (at, value) in result.timestamps().iter().zip(result.values()) {
                statistic.set(stats.entry((index, at.secs())).or_default(), metric, *value);
            }
        }
        // What a page says of a query stands until a later page says otherwise.
        unfinished.extend(in_page);
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    for (index, place) in places.iter().enumerate() {
        // A query that no page tells of is as unfinished as one that is said to be.
        if unfinished.get(&index).is_none_or(|unfinished| *unfinished) {
            read.answers[place.position].complete = false;
        }
    }
    for ((index, minute), stats) in stats {
        let Some(minute) = DateTime::from_timestamp(minute, 0) else { continue };
        add(&mut read.answers[places[index].position], minute, stats);
    }
    Ok(())
}

/// A minute of one series. A sum without its count (or the reverse) is a minute caught between two statistics: it makes
/// the answer incomplete.
fn add(answer: &mut Answer, minute: Time, stats: MetricStats) {
    if stats.sample_count <= 0.0 {
        answer.complete = false;
        return;
    }
    let minutes: &mut BTreeMap<_, _> = &mut answer.minutes;
    minutes.entry(minute).and_modify(|known| *known = added(*known, stats)).or_insert(stats);
}

fn queries<'a>(index: usize, place: &'a Place<'a>) -> impl Iterator<Item = MetricDataQuery> + 'a {
    let dimension = |(name, value): &(String, String)| Dimension::builder().name(name).value(value).build();
    let metric = AwsMetric::builder()
        .namespace(NAMESPACE)
        .metric_name(&place.series.name)
        .set_dimensions(Some(place.series.dimensions.iter().map(dimension).collect()))
        .build();
    Statistic::of(place.asked.key.metric, place.asked.tail).iter().map(move |statistic| {
        let stat = MetricStat::builder().metric(metric.clone()).period(MINUTE_SECONDS).stat(statistic.name()).build();
        MetricDataQuery::builder().id(format!("q{index}_{}", statistic.id())).metric_stat(stat).build()
    })
}

fn parse_id(id: &str) -> Option<(usize, Statistic)> {
    let (index, statistic) = id.strip_prefix('q')?.split_once('_')?;
    Some((index.parse().ok()?, Statistic::of_id(statistic)?))
}

#[cfg(test)]
mod tests {
    use chrono::Duration;
    use faultline_core::model::{Metric, ModelKey};

    use super::*;
    use crate::sources::metrics::series::Key;

    fn asked(metric: Metric, series: usize) -> Asked {
        let series = (0..series)
            .map(|tier| Series {
                name: metric.as_str().to_owned(),
                dimensions: vec![("ServiceTier".to_owned(), tier.to_string())],
            })
            .collect();
        let key = Key { model: Some(ModelKey::parse("amazon.nova-pro-v1:0")), metric };
        let start = DateTime::UNIX_EPOCH;
        Asked { key, series, tail: false, is_sentinel: false, range: start..start + Duration::minutes(30) }
    }

    fn places(asked: &Asked) -> Vec<Place<'_>> {
        asked.series.iter().map(|series| Place { position: 0, asked, series }).collect()
    }

    #[test]
    fn a_call_never_holds_more_than_500_queries_and_never_splits_a_series() {
        let asked = asked(Metric::InvocationLatency, 320);
        let places = places(&asked);
        let calls = calls(&places);
        assert_eq!(calls.iter().map(|call| call.len()).sum::<usize>(), 320);
        assert!(calls.iter().all(|call| call.len() * 5 <= QUERIES_A_CALL));
        assert_eq!(calls.len(), 4, "as few as it takes");
    }

    #[test]
    fn an_id_says_which_series_and_which_statistic() {
        for metric in Metric::ALL {
            for tail in [false, true] {
                let asked = Asked { tail, ..asked(metric, 1) };
                let place = places(&asked)[0];
                let ids: Vec<_> = queries(7, &place).filter_map(|query| query.id).collect();
                let parsed: Vec<_> = ids.iter().filter_map(|id| parse_id(id)).collect();
                let expected: Vec<_> = Statistic::of(metric, tail).iter().map(|statistic| (7, *statistic)).collect();
                assert_eq!(parsed, expected);
            }
        }
    }

    #[test]
    fn a_minute_without_its_count_is_no_minute_and_makes_the_answer_incomplete() {
        let mut answer = Answer { complete: true, ..Answer::default() };
        add(&mut answer, DateTime::UNIX_EPOCH, MetricStats { sum: 5.0, ..MetricStats::default() });
        assert_eq!(answer, Answer::default());
    }
}
