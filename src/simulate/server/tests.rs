//! The real SDK against the simulated AWS: what a client may rely on, and where it must not.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::atomic::{AtomicI64, Ordering};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_cloudwatch::{
    config::retry::RetryConfig,
    error::ProvideErrorMetadata,
    primitives::DateTime as AwsTime,
    types::{Dimension, Metric, MetricDataQuery, MetricStat, RecentlyActive, ScanBy, StatusCode},
};
use chrono::DateTime;
use faultline_core::model::Time;

use super::*;
use crate::{
    aws::{Access, BaseConfig, RegionClients, meter::ApiMeter},
    pipeline::status::SourceState,
    simulate::Emission,
};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "us-east-1";

fn at(second: i64) -> Time {
    DateTime::from_timestamp(1_780_000_020 + second, 0).unwrap()
}

struct Simulated {
    aws: Arc<Aws>,
    second: Arc<AtomicI64>,
    endpoint: String,
}

impl Simulated {
    async fn start() -> Self {
        let second = Arc::new(AtomicI64::new(0));
        let told = Arc::clone(&second);
        let aws = Arc::new(Aws::new(Clock::new(move || at(told.load(Ordering::SeqCst))), ACCOUNT));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(serve(listener, Arc::clone(&aws), CancellationToken::new()));
        Self { aws, second, endpoint }
    }

    async fn clients(&self, access: Access) -> RegionClients {
        let credentials = SharedCredentialsProvider::new(Credentials::new(ACCESS_KEY, "secret", None, None, "test"));
        let base = BaseConfig::with_credentials(credentials, ApiMeter::default()).await;
        base.clients(&Access { endpoint_url: Some(self.endpoint.clone()), ..access }, REGION).await
    }

    fn apply(&self, emissions: impl IntoIterator<Item = Emission>) {
        self.aws.with_store(ACCOUNT, REGION, |store| emissions.into_iter().for_each(|emission| store.apply(emission)));
    }
}

fn event(stream: &str, second: i64, visible: i64, message: &str) -> Emission {
    Emission::Log {
        group: "/app".into(),
        stream: stream.into(),
        at: at(second),
        visible_at: at(visible),
        message: message.to_owned(),
    }
}

fn sample(metric: &'static str, model: &str, second: i64, value: f64, visible: i64) -> Emission {
    let dimensions = Arc::new([("ModelId", Arc::from(model))]);
    Emission::Sample { metric, dimensions, at: at(second), value, visible_at: at(visible) }
}

fn query(id: &str, metric: &str, stat: &str) -> MetricDataQuery {
    let dimension = Dimension::builder().name("ModelId").value("m").build();
    let metric = Metric::builder().namespace("AWS/Bedrock").metric_name(metric).dimensions(dimension).build();
    let stat = MetricStat::builder().metric(metric).period(60).stat(stat).build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}

/// Values of a query over an hour, over all pages, and how many pages there were.
async fn values(clients: &RegionClients, query: MetricDataQuery, most: Option<i32>) -> (Vec<f64>, usize) {
    let (mut values, mut pages, mut token) = (Vec::new(), 0, None);
    loop {
        let request = clients.cloudwatch.get_metric_data().metric_data_queries(query.clone());
        let answer = request
            .start_time(AwsTime::from_secs(at(0).timestamp()))
            .end_time(AwsTime::from_secs(at(3600).timestamp()))
            .scan_by(ScanBy::TimestampAscending)
            .set_max_datapoints(most)
            .set_next_token(token)
            .send()
            .await
            .unwrap();
        pages += 1;
        let result = &answer.metric_data_results()[0];
        values.extend(result.values());
        token = answer.next_token().map(str::to_owned);
        let expected = if token.is_some() { StatusCode::PartialData } else { StatusCode::Complete };
        assert_eq!(result.status_code(), Some(&expected));
        if token.is_none() {
            return (values, pages);
        }
    }
}

#[tokio::test]
async fn a_minute_is_published_late_and_revised_upward() {
    let simulated = Simulated::start().await;
    simulated.apply([sample("Invocations", "m", 5, 1.0, 90), sample("Invocations", "m", 50, 1.0, 150)]);
    let clients = simulated.clients(Access::default()).await;
    for (second, expected) in [(60, vec![]), (90, vec![1.0]), (150, vec![2.0])] {
        simulated.second.store(second, Ordering::SeqCst);
        assert_eq!(values(&clients, query("a", "Invocations", "Sum"), None).await.0, expected, "at {second}");
    }
}

#[tokio::test]
async fn statistics_are_cloudwatchs_and_one_query_spans_pages() {
    let simulated = Simulated::start().await;
    let samples = (0..10_i32).map(|minute| {
        (1..=10_i32).map(move |value| sample("InvocationLatency", "m", i64::from(minute) * 60, f64::from(value), 0))
    });
    simulated.apply(samples.flatten());
    let clients = simulated.clients(Access::default()).await;
    for (stat, expected) in [
        ("Sum", 55.0),
        ("SampleCount", 10.0),
        ("Average", 5.5),
        ("Minimum", 1.0),
        ("p50", 5.0),
        ("p90", 9.0),
        ("p99", 10.0),
    ] {
        assert_eq!(
            values(&clients, query("a", "InvocationLatency", stat), None).await,
            (vec![expected; 10], 1),
            "{stat}"
        );
    }
    assert_eq!(values(&clients, query("a", "InvocationLatency", "Sum"), Some(4)).await, (vec![55.0; 10], 3));
    assert_eq!(values(&clients, query("a", "NoSuchMetric", "Sum"), None).await, (vec![], 1), "empty, and no error");
}

#[tokio::test]
async fn idle_metrics_are_left_out_of_the_recently_active() {
    let simulated = Simulated::start().await;
    simulated.apply([sample("Invocations", "idle", 0, 1.0, 0), sample("Invocations", "busy", 20_000, 1.0, 0)]);
    simulated.second.store(20_100, Ordering::SeqCst);
    let clients = simulated.clients(Access::default()).await;
    let count = async |recent| {
        let request = clients.cloudwatch.list_metrics().namespace("AWS/Bedrock").set_recently_active(recent);
        request.send().await.unwrap().metrics().len()
    };
    assert_eq!((count(None).await, count(Some(RecentlyActive::Pt3H)).await), (2, 1));
}

#[tokio::test]
async fn what_getmetricdata_refuses_is_refused() {
    let clients = Simulated::start().await.clients(Access::default()).await;
    let refused = async |queries: Vec<MetricDataQuery>| {
        let request = clients.cloudwatch.get_metric_data().set_metric_data_queries(Some(queries));
        let request = request.start_time(AwsTime::from_secs(0)).end_time(AwsTime::from_secs(60));
        request.send().await.unwrap_err().code().map(str::to_owned)
    };
    let many = (0..501).map(|index| query(&format!("q{index}"), "Invocations", "Sum")).collect();
    for queries in [
        many,
        vec![query("1a", "Invocations", "Sum")],
        vec![query("a", "Invocations", "P(99)")],
        vec![query("a", "I", "Sum"); 2],
    ] {
        assert_eq!(refused(queries).await.as_deref(), Some("ValidationError"));
    }
}

#[tokio::test]
async fn events_are_filtered_and_paged_and_a_page_may_be_empty_and_have_a_token() {
    let simulated = Simulated::start().await;
    let padding = "x".repeat(300_000);
    simulated.apply((0..12).map(|second| {
        let word = if second % 2 == 0 { "ERROR" } else { "fine" };
        event("s", second, second, &format!("{word} {padding}"))
    }));
    simulated.second.store(100, Ordering::SeqCst);
    let clients = simulated.clients(Access::default()).await;
    let mut empty_with_token = 0;
    for _ in 0..8 {
        let (mut ids, mut token, mut pages) = (std::collections::BTreeSet::new(), None, 0);
        loop {
            let request = clients.logs.filter_log_events().log_group_name("/app").filter_pattern("ERROR");
            let request = request.set_next_token(token).send();
            let answer = clients.caller.call("FilterLogEvents", 0.0, request).await.unwrap();
            pages += 1;
            empty_with_token += usize::from(answer.events().is_empty() && answer.next_token().is_some());
            ids.extend(answer.events().iter().map(|event| event.event_id().unwrap().to_owned()));
            token = answer.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        assert_eq!(ids.len(), 6, "every event once");
        assert!(pages >= 2, "about 1 MB a page: {pages}");
    }
    assert!(empty_with_token >= 1);
}

#[tokio::test]
async fn events_arrive_late_and_keep_their_ids() {
    let simulated = Simulated::start().await;
    simulated.apply([event("s", 10, 70, "late"), event("s", 20, 21, "prompt")]);
    let clients = simulated.clients(Access::default()).await;
    let mut seen = Vec::new();
    for second in [30, 80] {
        simulated.second.store(second, Ordering::SeqCst);
        let answer = clients.logs.filter_log_events().log_group_name("/app").send().await.unwrap();
        seen.push(answer.events().iter().map(|event| event.event_id().unwrap().to_owned()).collect::<Vec<_>>());
    }
    assert_eq!((seen[0].len(), seen[1].len()), (1, 2));
    assert_eq!(seen[0][0], seen[1][1], "in the order of their time, each under its id");
}

#[tokio::test]
async fn a_sixth_call_within_a_second_is_throttled() {
    let simulated = Simulated::start().await;
    simulated.apply([event("s", 0, 0, "x")]);
    let clients = simulated.clients(Access::default()).await;
    let mut codes = Vec::new();
    for _ in 0..6 {
        let once = aws_sdk_cloudwatchlogs::config::Builder::new().retry_config(RetryConfig::disabled());
        let request = clients.logs.filter_log_events().log_group_name("/app").customize().config_override(once);
        codes.push(request.send().await.err().and_then(|error| error.code().map(str::to_owned)));
    }
    assert!(codes[..5].iter().all(Option::is_none), "{codes:?}");
    assert_eq!(codes[5].as_deref(), Some("ThrottlingException"));
}

#[tokio::test]
async fn a_stream_is_read_from_its_head_until_its_token_repeats() {
    let simulated = Simulated::start().await;
    simulated
        .apply((0..5).map(|second| event(if second == 2 { "other" } else { "s" }, second, 0, &second.to_string())));
    let clients = simulated.clients(Access::default()).await;
    let (mut messages, mut token) = (Vec::new(), None);
    loop {
        let request = clients.logs.get_log_events().log_group_name("/app").log_stream_name("s").start_from_head(true);
        let answer = request.limit(2).set_next_token(token.clone()).send().await.unwrap();
        messages.extend(answer.events().iter().map(|event| event.message().unwrap().to_owned()));
        if answer.next_forward_token() == token.as_deref() {
            break;
        }
        token = answer.next_forward_token().map(str::to_owned);
    }
    assert_eq!(messages, ["0", "1", "3", "4"]);
}

#[tokio::test]
async fn a_group_goes_by_name_or_arn_and_one_that_is_not_there_is_said_to_be() {
    let simulated = Simulated::start().await;
    simulated.apply([event("s", 0, 0, "x")]);
    let clients = simulated.clients(Access::default()).await;
    let arn = format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/app");
    let answer = clients.logs.filter_log_events().log_group_identifier(&arn).send().await.unwrap();
    assert_eq!(answer.events().len(), 1);
    let error = clients.logs.filter_log_events().log_group_name("/none").send().await.unwrap_err();
    assert_eq!(error.code(), Some("ResourceNotFoundException"));
    let groups = clients.logs.describe_log_groups().log_group_name_prefix("/a").send().await.unwrap();
    assert_eq!(groups.log_groups()[0].log_group_name(), Some("/app"));
    let streams = clients.logs.describe_log_streams().log_group_name("/app").send().await.unwrap();
    assert_eq!(streams.log_streams()[0].log_stream_name(), Some("s"));
}

#[tokio::test]
async fn a_role_is_another_account_and_needs_its_external_id() {
    let simulated = Simulated::start().await;
    let role = "arn:aws:iam::444455556666:role/faultline";
    simulated.aws.add_role(role, "444455556666", Some("its-id"));
    assert_eq!(simulated.clients(Access::default()).await.account_id().await.unwrap(), ACCOUNT);
    let access = |external_id: Option<&str>| Access {
        role_arn: Some(role.to_owned()),
        external_id: external_id.map(str::to_owned),
        endpoint_url: None,
    };
    assert_eq!(simulated.clients(access(Some("its-id"))).await.account_id().await.unwrap(), "444455556666");
    let refused = simulated.clients(access(None)).await.account_id().await.unwrap_err();
    assert_eq!(refused.state, SourceState::AccessDenied, "{refused}");
}

#[tokio::test]
async fn what_goes_wrong_is_told_apart() {
    let simulated = Simulated::start().await;
    let clients = simulated.clients(Access::default()).await;
    let meet = async || {
        let asked = clients.caller.call("ListMetrics", 0.0, clients.cloudwatch.list_metrics().send()).await;
        asked.map(|_| SourceState::Ok).unwrap_or_else(|error| error.state)
    };
    assert_eq!(meet().await, SourceState::Ok);
    simulated.aws.with_faults(|faults| faults.deny(ACCOUNT, "ListMetrics"));
    assert_eq!(meet().await, SourceState::AccessDenied);
    simulated.aws.with_faults(|faults| {
        faults.allow_all();
        faults.expire_credentials(true);
    });
    assert_eq!(meet().await, SourceState::CredentialsExpired);
    simulated.aws.with_faults(|faults| {
        faults.expire_credentials(false);
        faults.throttle("ListMetrics", 10);
    });
    assert_eq!(meet().await, SourceState::Throttled);
    simulated.aws.with_faults(|faults| {
        faults.throttle("ListMetrics", 0);
        faults.fail("ListMetrics", 10);
    });
    assert_eq!(meet().await, SourceState::Unreachable);
    simulated.aws.with_faults(|faults| faults.fail("ListMetrics", 1));
    assert_eq!(meet().await, SourceState::Ok, "one failure is the SDK's to retry");
}
