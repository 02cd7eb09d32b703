//! CloudWatch polled through the real SDK: every state by its name, every minute once, whatever CloudWatch does.
#![allow(clippy::unwrap_used, clippy::panic, missing_debug_implementations)]

mod world;

use std::sync::Arc;

use chrono::Duration;
use faultline::{
    config::Config,
    simulate::{Emission, server::Faults},
};
use serde_json::Value;
use world::{ACCOUNT, Daemon, OTHER_ACCOUNT, REGION, World};

/// Only metrics, of one account.
fn metrics_only(world: &World) -> Config {
    let mut config = world.config();
    config.cells[0].applications.clear();
    config.cells[0].invocations = None;
    config
}

/// Only metrics, of an account that holds nothing but what a test puts there.
fn of_the_other_account(world: &World) -> Config {
    let mut config = world.config_of_two_accounts();
    config.cells.remove(0);
    config.cells[0].applications.clear();
    config.cells[0].invocations = None;
    config
}

fn sample(metric: &'static str, model: Option<&str>, at: chrono::DateTime<chrono::Utc>, value: f64) -> Emission {
    let dimensions: Vec<(&'static str, Arc<str>)> = model.map(|model| ("ModelId", model.into())).into_iter().collect();
    Emission::Sample { metric, dimensions: dimensions.into(), at, value, visible_at: at }
}

async fn source(daemon: &Daemon) -> Value {
    let sources = daemon.json("/api/v1/sources").await;
    let all = sources["sources"].as_array().unwrap();
    all.iter().find(|source| source["source"] == "metrics").unwrap().clone()
}

/// Waits for a state, in the API and in the metrics, where it is the only one that holds.
async fn until_state(daemon: &Daemon, state: &str) -> Value {
    daemon.until(state, async || source(daemon).await["state"] == state).await;
    let told = source(daemon).await;
    daemon
        .until("the state in /metrics", async || {
            let metrics = daemon.text("/metrics").await;
            let of = |label: &str| world::sum(&metrics, r#"faultline_source_state{"#, label);
            (of(&format!(r#"state="{state}""#)) - 1.0).abs() < 1e-9 && (of(r#"source="metrics""#) - 1.0).abs() < 1e-9
        })
        .await;
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_that_comes_is_ok_with_its_times() {
    let world = World::demo().await;
    let daemon = world.start(metrics_only(&world)).await;
    let told = until_state(&daemon, "ok").await;
    assert_eq!(told["up"], true);
    for time in ["last_success", "newest_data", "next_poll"] {
        assert!(told[time].is_string(), "{time}: {told}");
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_listed_and_nothing_happening_are_two_states() {
    let world = World::demo().await;
    let daemon = world.start(of_the_other_account(&world)).await;
    let told = until_state(&daemon, "nothing_discovered").await;
    assert!(told["detail"].as_str().unwrap().contains("no model was called there lately"), "{told}");
    assert_eq!((&told["up"], &told["newest_data"]), (&Value::Bool(true), &Value::Null));
    daemon.stop().await;

    let hours_ago = world.now() - Duration::minutes(100);
    world.aws.with_store(OTHER_ACCOUNT, REGION, |store| {
        store.apply(sample("Invocations", Some("amazon.nova-pro-v1:0"), hours_ago, 1.0));
    });
    let daemon = world.start(of_the_other_account(&world)).await;
    assert_eq!(until_state(&daemon, "no_traffic").await["up"], true);
    daemon.stop().await;
}

/// What goes wrong first, and where; the state it leads to, and a part of what is said.
async fn is_told_and_gone_when_mended(
    fault: impl Fn(&mut Faults),
    state: &str,
    says: &str,
    mend: impl Fn(&mut Faults),
) {
    let world = World::demo().await;
    world.aws.with_faults(&fault);
    let daemon = world.start(metrics_only(&world)).await;
    daemon.until_ready().await;
    let told = until_state(&daemon, state).await;
    assert!(told["detail"].as_str().unwrap().contains(says), "{told}");
    assert_eq!(told["up"], state == "partial", "{told}");
    assert!(told["next_poll"].is_string(), "{told}");
    world.aws.with_faults(&mend);
    world.advance(Duration::minutes(1));
    until_state(&daemon, "ok").await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denied_call_names_the_action_that_is_missing() {
    for operation in ["ListMetrics", "GetMetricData"] {
        let says = format!("allow cloudwatch:{operation}");
        let fault = |faults: &mut Faults| faults.deny(ACCOUNT, operation);
        is_told_and_gone_when_mended(fault, "access_denied", &says, Faults::allow_all).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_throttled_call_is_asked_again_later() {
    let throttle = |calls| move |faults: &mut Faults| faults.throttle("GetMetricData", calls);
    is_told_and_gone_when_mended(throttle(1_000), "throttled", "asked again later", throttle(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partial_answer_is_said_to_be_one_and_says_what_cloudwatch_said() {
    let partly = |calls| move |faults: &mut Faults| faults.answer_partly(calls);
    is_told_and_gone_when_mended(partly(1_000), "partial", "Some data could not be retrieved", partly(0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_expire_are_called_by_their_name() {
    let expire = |expired| move |faults: &mut Faults| faults.expire_credentials(expired);
    is_told_and_gone_when_mended(expire(true), "credentials_expired", "valid AWS credentials", expire(false)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_fails_is_unreachable() {
    let fail = |calls| move |faults: &mut Faults| faults.fail("GetMetricData", calls);
    is_told_and_gone_when_mended(fail(1_000), "unreachable", "check the network", fail(0)).await;
}

/// What CloudWatch has of a metric since the daemon began, of the models' own series.
fn truth(world: &World, metric: &str) -> f64 {
    let (from, until) = (world.started_at().timestamp(), world.now().timestamp().div_euclid(60) * 60);
    world.aws.with_store(ACCOUNT, REGION, |store| {
        let own = |key: &&faultline::simulate::store::SeriesKey| key.metric == metric && key.dimensions.len() == 1;
        let keys: Vec<_> = store.series(world.now(), None).filter(own).cloned().collect();
        let minutes = keys.iter().flat_map(|key| store.minutes(key, (from, until), world.now()));
        minutes.flat_map(|(_, values)| values).sum()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_come_to_what_cloudwatch_has_through_partial_answers_throttles_and_restarts() {
    let world = World::demo().await;
    let config = metrics_only(&world);
    let counters = [
        ("bedrock_invocations_total", "", "Invocations"),
        ("bedrock_tokens_total", r#"kind="input""#, "InputTokenCount"),
        ("bedrock_invocation_errors_total", r#"class="server""#, "InvocationServerErrors"),
    ];
    for round in 0..3 {
        let daemon = world.start(config.clone()).await;
        daemon.until_ready().await;
        for _ in 0..4 {
            world.aws.with_faults(|faults| {
                faults.answer_partly(1);
                faults.throttle("GetMetricData", u32::from(round == 1));
            });
            world.advance(Duration::minutes(3));
            let all = async || {
                let metrics = daemon.text("/metrics").await;
                counters.iter().all(|(counter, label, metric)| {
                    (world::sum(&metrics, counter, label) - truth(&world, metric)).abs() < 1e-6
                })
            };
            daemon.until("counters that come to what CloudWatch has", all).await;
        }
        daemon.stop().await;
        // What happens while nobody watches is caught up with.
        world.advance(Duration::minutes(7));
    }
    assert!(truth(&world, "InputTokenCount") > 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_could_not_be_delivered_are_counted_whatever_the_destination() {
    let world = World::demo().await;
    let daemon = world.start(metrics_only(&world)).await;
    daemon.until_ready().await;
    let now = world.now();
    world.aws.with_store(ACCOUNT, REGION, |store| {
        store.apply(sample("ModelInvocationLogsCloudWatchDeliveryFailure", None, now, 1.0));
        store.apply(sample("ModelInvocationLogsS3DeliveryFailure", None, now, 1.0));
        store.apply(sample("ModelInvocationLogsS3DeliverySuccess", None, now - Duration::hours(1), 1.0));
    });
    world.advance(Duration::minutes(6));
    daemon
        .until("both failures, the one in S3 as soon as its successes are listed", async || {
            let metrics = daemon.text("/metrics").await;
            (world::sum(&metrics, "bedrock_log_delivery_failures_total", "") - 2.0).abs() < 1e-9
        })
        .await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_budget_is_told_and_slows_polling() {
    let world = World::demo().await;
    let mut config = metrics_only(&world);
    config.metrics.budget_usd_per_month = 1.0;
    let daemon = world.start(config).await;
    daemon.until_ready().await;
    let place = format!(r#"{{account_id="{ACCOUNT}",aws_region="{REGION}"}}"#);
    for line in
        [format!("faultline_api_budget_usd_per_month{place} 1"), format!("faultline_api_budget_limited{place} 1")]
    {
        daemon.until(&line, async || daemon.text("/metrics").await.lines().any(|told| told == line)).await;
    }
    // A day's budget is what can be spent at once.
    let spent = f64::from(u32::try_from(world.aws.metrics_requested()).unwrap()) * 0.01 / 1000.0;
    assert!(spent <= 1.0 / 30.0 + 1e-9, "{spent}");
    daemon.stop().await;
}
