//! GetMetricData: at most 500 queries a call, every page, one query id over several pages.

use std::{collections::HashMap, ops::Range};

use aws_sdk_cloudwatch::{
    primitives::DateTime as AwsTime,
    types::{Metric as AwsMetric, MetricDataQuery, MetricStat, ScanBy, StatusCode},
};
use chrono::DateTime;
use faultline_core::model::{Metric, MetricStats, Time};
use tracing::warn;

use super::{
    discover::{NAMESPACE, Series},
    minutes::Point,
};
use crate::aws::{CallError, RegionClients};

/// GetMetricData's own limit.
const QUERIES_A_CALL: usize = 500;
/// US dollars per metric requested; up to five statistics of one metric count once.
const COST_PER_METRIC: f64 = 0.01 / 1000.0;
const MINUTE_SECONDS: i32 = 60;
const MILLISECONDS: f64 = 1000.0;

/// What a range of minutes read.
#[derive(Debug)]
pub(super) struct Answer {
    pub points: Vec<Point>,
    /// Whether every query was answered in full.
    pub complete: bool,
    /// What CloudWatch said was wrong.
    pub problems: Vec<String>,
    /// What reading it cost.
    pub cost_usd: f64,
}

/// Reads the minutes of `range` of every series.
pub(super) async fn read(clients: &RegionClients, series: &[Series], range: Range<Time>) -> Result<Answer, CallError> {
    let mut minutes: HashMap<(usize, i64), MetricStats> = HashMap::new();
    let mut answer = Answer { points: Vec::new(), complete: true, problems: Vec::new(), cost_usd: 0.0 };
    for chunk in chunks(series) {
        read_chunk(clients, series, chunk, &range, &mut minutes, &mut answer).await?;
    }
    // A sum without its count (or the reverse) is a minute caught between two statistics: it is asked again.
    answer.points = minutes
        .into_iter()
        .filter(|(_, stats)| stats.sample_count > 0.0)
        .filter_map(|((index, minute), stats)| {
            let series = &series[index];
            Some(Point {
                metric: series.metric,
                model: series.model.clone(),
                minute: DateTime::from_timestamp(minute, 0)?,
                stats,
            })
        })
        .collect();
    Ok(answer)
}

async fn read_chunk(
    clients: &RegionClients,
    series: &[Series],
    chunk: Range<usize>,
    range: &Range<Time>,
    minutes: &mut HashMap<(usize, i64), MetricStats>,
    answer: &mut Answer,
) -> Result<(), CallError> {
    let cost = COST_PER_METRIC * f64::from(u32::try_from(chunk.len()).unwrap_or(u32::MAX));
    answer.cost_usd += cost;
    let queries: Vec<_> = chunk.flat_map(|index| queries(index, &series[index])).collect();
    let mut unfinished: HashMap<String, bool> = HashMap::new();
    let mut token = None;
    loop {
        // Pages after the first are of the same request, and not charged again.
        let cost = if token.is_none() { cost } else { 0.0 };
        let request = clients
            .cloudwatch
            .get_metric_data()
            .set_metric_data_queries(Some(queries.clone()))
            .start_time(AwsTime::from_secs(range.start.timestamp()))
            .end_time(AwsTime::from_secs(range.end.timestamp()))
            .scan_by(ScanBy::TimestampAscending)
            .set_next_token(token);
        let page = clients.caller.call("GetMetricData", cost, request.send()).await?;
        for message in page.messages() {
            warn!(code = message.code(), message = message.value(), "get_metric_data said");
            answer.problems.extend(message.value().map(str::to_owned));
        }
        for result in page.metric_data_results() {
            let Some(id) = result.id() else { continue };
            unfinished.insert(id.to_owned(), result.status_code() != Some(&StatusCode::Complete));
            for message in result.messages() {
                answer.problems.extend(message.value().map(str::to_owned));
            }
            let Some((index, statistic)) = parse_id(id).filter(|(index, _)| *index < series.len()) else { continue };
            let unit = if series[index].metric.is_latency() { MILLISECONDS } else { 1.0 };
            for (at, value) in result.timestamps().iter().zip(result.values()) {
                statistic.set(minutes.entry((index, at.secs())).or_default(), *value, unit);
            }
        }
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    if unfinished.values().any(|unfinished| *unfinished) {
        answer.complete = false;
        answer.problems.push("CloudWatch answered only part of the data; it is asked again".to_owned());
    }
    Ok(())
}

/// Series whose statistics fit one call together: those of one metric must, to be charged once.
fn chunks(series: &[Series]) -> Vec<Range<usize>> {
    let mut chunks = Vec::new();
    let (mut start, mut queries) = (0, 0);
    for (index, one) in series.iter().enumerate() {
        let more = Statistic::of(one.metric).len();
        if queries + more > QUERIES_A_CALL {
            chunks.push(start..index);
            (start, queries) = (index, 0);
        }
        queries += more;
    }
    if start < series.len() {
        chunks.push(start..series.len());
    }
    chunks
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Statistic {
    Sum,
    SampleCount,
    Minimum,
    P50,
    P90,
    P99,
}

impl Statistic {
    const ALL: [Self; 6] = [Self::Sum, Self::SampleCount, Self::Minimum, Self::P50, Self::P90, Self::P99];

    /// At most five a metric: that many are charged as one.
    const fn of(metric: Metric) -> &'static [Self] {
        match metric {
            Metric::InvocationLatency | Metric::TimeToFirstToken => {
                &[Self::Sum, Self::SampleCount, Self::P50, Self::P90, Self::P99]
            }
            // A zero among the samples breaks the hypothesis that each sample is a request that was metered.
            Metric::InputTokenCount => &[Self::Sum, Self::SampleCount, Self::Minimum],
            _ => &[Self::Sum, Self::SampleCount],
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sum => "Sum",
            Self::SampleCount => "SampleCount",
            Self::Minimum => "Minimum",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
        }
    }

    fn set(self, stats: &mut MetricStats, value: f64, unit: f64) {
        match self {
            Self::Sum => stats.sum = value / unit,
            Self::SampleCount => stats.sample_count = value,
            Self::Minimum => stats.minimum = Some(value / unit),
            Self::P50 => stats.p50 = Some(value / unit),
            Self::P90 => stats.p90 = Some(value / unit),
            Self::P99 => stats.p99 = Some(value / unit),
        }
    }
}

fn queries(index: usize, series: &Series) -> impl Iterator<Item = MetricDataQuery> {
    let metric = AwsMetric::builder()
        .namespace(NAMESPACE)
        .metric_name(&series.name)
        .set_dimensions(Some(series.dimensions.clone()))
        .build();
    Statistic::of(series.metric).iter().map(move |statistic| {
        let stat = MetricStat::builder().metric(metric.clone()).period(MINUTE_SECONDS).stat(statistic.name()).build();
        MetricDataQuery::builder().id(format!("q{index}_{}", statistic.name().to_lowercase())).metric_stat(stat).build()
    })
}

fn parse_id(id: &str) -> Option<(usize, Statistic)> {
    let (index, name) = id.strip_prefix('q')?.split_once('_')?;
    let statistic = Statistic::ALL.into_iter().find(|statistic| statistic.name().eq_ignore_ascii_case(name))?;
    Some((index.parse().ok()?, statistic))
}

#[cfg(test)]
mod tests {
    use faultline_core::model::ModelKey;

    use super::*;

    fn series(metric: Metric) -> Series {
        Series {
            metric,
            name: metric.as_str().to_owned(),
            model: Some(ModelKey::parse("amazon.nova-pro-v1:0")),
            dimensions: Vec::new(),
        }
    }

    #[test]
    fn a_call_never_holds_more_than_500_queries_and_never_splits_a_metric() {
        let many: Vec<_> =
            (0..320).flat_map(|_| [series(Metric::InvocationLatency), series(Metric::Invocations)]).collect();
        let chunks = chunks(&many);
        assert_eq!(chunks.iter().map(ExactSizeIterator::len).sum::<usize>(), many.len());
        for chunk in chunks {
            let queries: usize = many[chunk].iter().map(|one| Statistic::of(one.metric).len()).sum();
            assert!(queries <= QUERIES_A_CALL, "{queries}");
        }
    }

    #[test]
    fn an_id_says_which_series_and_which_statistic() {
        for metric in Metric::ALL {
            let ids: Vec<_> = queries(7, &series(metric)).filter_map(|query| query.id).collect();
            let parsed: Vec<_> = ids.iter().filter_map(|id| parse_id(id)).collect();
            let expected: Vec<_> = Statistic::of(metric).iter().map(|statistic| (7, *statistic)).collect();
            assert_eq!(parsed, expected);
        }
    }
}
