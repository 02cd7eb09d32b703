//! The daemon, started in this process, on the simulated AWS: real HTTP, the real SDK, a real ledger.
#![allow(clippy::unwrap_used, clippy::panic, missing_debug_implementations)]

mod world;

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use faultline::{
    app::{App, Options},
    config::InvocationsRead,
    simulate::fleet::RequestTruth,
};
use faultline_core::model::FailureKind;
use serde_json::Value;
use world::{ACCOUNT, OTHER_ACCOUNT, REGION, World};

fn by_id(findings: &Value) -> HashMap<String, Value> {
    let findings = findings["findings"].as_array().unwrap();
    findings.iter().map(|finding| (finding["request_id"].as_str().unwrap().to_owned(), finding.clone())).collect()
}

/// Failed calls within the window whose log line names their id and whose record shows tokens.
fn joinable(world: &World) -> Vec<RequestTruth> {
    let within = world.now() - chrono::Duration::minutes(59);
    let read_until = world.now() - chrono::Duration::seconds(20);
    let requests = world.truth().into_iter();
    requests
        .filter(|request| request.started_at > within && request.logged_at.is_some_and(|at| at < read_until))
        .filter(|request| request.id_in_text && request.metered && request.has_record)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_failure_that_can_be_joined_is_found_and_nothing_that_did_not_happen() {
    let world = World::demo().await;
    let daemon = world.start(world.config()).await;
    daemon.until_ready().await;
    let expected = joinable(&world);
    assert!(expected.len() >= 10, "the account's last hour has {} of them", expected.len());
    let all = async || by_id(&daemon.json("/api/v1/findings?limit=1000").await);
    daemon
        .until("every joined finding", async || {
            let found = all().await;
            expected
                .iter()
                .all(|request| found.get(&*request.request_id).is_some_and(|finding| !finding["client_log"].is_null()))
        })
        .await;

    let truth: HashMap<String, RequestTruth> =
        world.truth().into_iter().map(|request| (request.request_id.to_string(), request)).collect();
    for (id, finding) in all().await {
        let request = &truth[&id];
        assert!(request.billed_but_failed(), "{finding} but {request:?}");
        let tokens = request.tokens;
        assert_eq!(finding["input_tokens"], tokens.input, "{finding}");
        assert_eq!(finding["output_tokens"], tokens.output, "{finding}");
        assert!(finding["cost_usd"].as_f64().is_some_and(|cost| cost > 0.0), "{finding}");
        assert_eq!(finding["evidence"], "confirmed");
    }
    let metrics = daemon.text("/metrics").await;
    assert!(world::sum(&metrics, "bedrock_billed_failed_invocations{", r#"evidence="confirmed""#) >= 10.0);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_every_record_and_reading_those_of_failures_confirm_the_same() {
    let world = World::demo().await;
    // Calls well inside the window, whose every line and record can be read by now.
    let (from, until) = (world.now() - chrono::Duration::minutes(58), world.now() - chrono::Duration::minutes(15));
    let truth: HashMap<String, RequestTruth> =
        world.truth().into_iter().map(|request| (request.request_id.to_string(), request)).collect();
    let is_inside = |id: &String| (from..until).contains(&truth[id].started_at);
    let expected: BTreeSet<&String> =
        truth.iter().filter(|(id, request)| is_inside(id) && request.can_be_confirmed()).map(|(id, _)| id).collect();
    assert!(expected.len() >= 30, "{expected:?}");
    for (read, server_side_filter) in
        [(InvocationsRead::Failures, true), (InvocationsRead::All, true), (InvocationsRead::Failures, false)]
    {
        let mut config = world.config();
        config.logs.server_side_filter = server_side_filter;
        if let Some(invocations) = &mut config.cells[0].invocations {
            invocations.read = read;
        }
        let daemon = world.start(config).await;
        // What is only probable may need records that were read for no failure: hidden retries are among them.
        let confirmed = async || by_id(&daemon.json("/api/v1/findings?limit=1000&evidence=confirmed").await);
        daemon
            .until("every finding that can be confirmed", async || {
                let found = confirmed().await;
                expected.iter().all(|id| found.contains_key(*id))
            })
            .await;
        let found = confirmed().await;
        let found: BTreeSet<&String> = found.keys().filter(|id| is_inside(id)).collect();
        assert_eq!(found, expected, "{read:?}, filtered by AWS: {server_side_filter}");
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn findings_and_estimate_together_come_to_what_really_was_billed_on_awss_side() {
    let world = World::demo().await;
    let daemon = world.start(world.config()).await;
    daemon.until_ready().await;
    // Settled minutes of the window; what AWS did not count as an error cannot be in its metrics.
    let (from, until) = (world.now() - chrono::Duration::minutes(60), world.now() - chrono::Duration::minutes(5));
    let truth = world.truth();
    let billed =
        truth.iter().filter(|request| (from..until).contains(&request.ended_at) && request.billed_but_failed());
    let on_awss_side = billed.filter(|request| request.kind.is_some_and(FailureKind::seen_by_aws)).count();
    let truth = f64::from(u32::try_from(on_awss_side).unwrap());
    assert!(truth >= 50.0, "{truth}");
    let metrics = async |name: &str, label: &str| world::sum(&daemon.text("/metrics").await, name, label);
    daemon
        .until("an estimate that comes to the truth", async || {
            let best = metrics("bedrock_billed_failed_invocations{", "").await;
            (best - truth).abs() <= 2.0 + 0.05 * truth
        })
        .await;
    let named = metrics("bedrock_billed_failed_invocations{", r#"evidence="confirmed""#).await;
    assert!(named < 0.8 * truth, "the rest is estimated: {named} of {truth} are named");
    let lower = metrics("bedrock_billed_failed_invocations_bound{", r#"bound="lower""#).await;
    let upper = metrics("bedrock_billed_failed_invocations_bound{", r#"bound="upper""#).await;
    assert!(lower <= truth + 2.0 && truth <= upper, "{lower} to {upper}, and {truth} is true");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_polling_is_said_to_cost_is_what_aws_was_asked_for() {
    let world = World::demo().await;
    let daemon = world.start(world.config()).await;
    daemon.until_ready().await;
    // Between two polls, when no call is under way.
    daemon
        .until("a cost of $0.01 per 1,000 metrics requested", async || {
            let metrics = daemon.text("/metrics").await;
            let asked = |of: &str| world::sum(&metrics, "faultline_aws_api_calls_total{", of);
            let cost = world::sum(&metrics, "faultline_aws_api_cost_usd_total{", "GetMetricData");
            let requested = f64::from(u32::try_from(world.aws.metrics_requested()).unwrap());
            let calls = f64::from(u32::try_from(world.aws.calls("GetMetricData")).unwrap());
            requested > 0.0
                && (cost - requested * 0.01 / 1000.0).abs() < 1e-9
                && (asked(r#"api="GetMetricData""#) - calls).abs() < 0.5
        })
        .await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cell_that_is_denied_is_down_by_name_and_the_others_go_on() {
    let world = World::demo().await;
    world.aws.with_faults(|faults| faults.deny(OTHER_ACCOUNT, "FilterLogEvents"));
    let daemon = world.start(world.config_of_two_accounts()).await;
    daemon.until_ready().await;
    let sources = daemon.json("/api/v1/sources").await;
    let of = |account: &str, source: &str| {
        let all = sources["sources"].as_array().unwrap();
        all.iter().find(|s| s["account_id"] == account && s["source"] == source).unwrap().clone()
    };
    assert_eq!(of(OTHER_ACCOUNT, "logs")["state"], "access_denied");
    let detail = of(OTHER_ACCOUNT, "logs")["detail"].to_string();
    assert!(detail.contains("allow logs:FilterLogEvents to the identity"), "{detail}");
    assert_eq!(of(OTHER_ACCOUNT, "metrics")["up"], true, "what is allowed is read");
    for source in ["metrics", "logs", "invocations"] {
        let up = format!(r#"faultline_source_up{{account_id="{ACCOUNT}",aws_region="{REGION}",source="{source}"}} 1"#);
        daemon.until(&up, async || daemon.text("/metrics").await.contains(&up)).await;
    }
    let metrics = daemon.text("/metrics").await;
    let down = format!(r#"faultline_source_up{{account_id="{OTHER_ACCOUNT}",aws_region="{REGION}",source="logs"}} 0"#);
    assert!(metrics.contains(&down), "{metrics}");

    world.aws.with_faults(|faults| faults.allow_all());
    daemon
        .until("the denied source to come back", async || {
            daemon.text("/metrics").await.contains(&down.replace("} 0", "} 1"))
        })
        .await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_is_assumed_with_its_external_id_and_refused_without() {
    let world = World::demo().await;
    let mut config = world.config_of_two_accounts();
    config.cells[1].access.external_id = Some("another".to_owned());
    let daemon = world.start(config).await;
    daemon.until_ready().await;
    let sources = daemon.json("/api/v1/sources").await;
    let refused = sources["sources"].as_array().unwrap().iter().find(|s| s["account_id"] == OTHER_ACCOUNT).unwrap();
    assert_eq!((refused["up"].as_bool(), refused["state"].as_str()), (Some(false), Some("access_denied")), "{refused}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_account_is_asked_of_sts_and_an_expired_credential_is_called_by_its_name() {
    let world = World::demo().await;
    world.aws.with_faults(|faults| faults.expire_credentials(true));
    let mut config = world.config();
    config.cells[0].account_id = None;
    let daemon = world.start(config).await;
    daemon.until_ready().await;
    let first = daemon.json("/api/v1/sources").await["sources"][0].clone();
    assert_eq!((first["state"].as_str(), first["account_id"].as_str()), (Some("credentials_expired"), Some("unknown")));
    world.aws.with_faults(|faults| faults.expire_credentials(false));
    daemon
        .until("the account", async || daemon.json("/api/v1/sources").await["sources"][0]["account_id"] == ACCOUNT)
        .await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_does_not_answer_is_a_source_that_is_down() {
    let world = World::demo().await;
    let mut config = world.config();
    // Nothing listens on port 9 (discard) of the loopback.
    config.cells[0].access.endpoint_url = Some("http://127.0.0.1:9".to_owned());
    let daemon = world.start(config).await;
    daemon.until_ready().await;
    let sources = daemon.json("/api/v1/sources").await;
    for source in sources["sources"].as_array().unwrap() {
        assert_eq!((source["up"].as_bool(), source["state"].as_str()), (Some(false), Some("unreachable")), "{source}");
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throttled_and_partial_answers_cost_time_and_no_data() {
    let world = World::demo().await;
    let undisturbed = world.start(world.config()).await;
    undisturbed.until_ready().await;
    let total = async |daemon: &world::Daemon| {
        world::sum(&daemon.text("/metrics").await, "bedrock_billed_failed_invocations_bound{", r#"bound="lower""#)
    };
    // Lookups may still be under way when every source has been read once.
    let expected = joinable(&world).len();
    undisturbed.until("every finding", async || world.joined(&undisturbed).await >= expected).await;
    let before = total(&undisturbed).await;
    undisturbed.stop().await;

    world.aws.with_faults(|faults| {
        faults.throttle("FilterLogEvents", 2);
        faults.throttle("GetMetricData", 2);
        faults.fail("ListMetrics", 1);
        faults.answer_partly(2);
    });
    let daemon = world.start(world.config()).await;
    daemon
        .until("the same total", async || {
            world.joined(&daemon).await >= expected && (total(&daemon).await - before).abs() < 0.5
        })
        .await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_goes_on_where_it_stopped_and_counts_nothing_twice() {
    let world = World::demo().await;
    let config = world.config();
    let first = world.start(config.clone()).await;
    first.until_ready().await;
    let counted =
        async |daemon: &world::Daemon| world::sum(&daemon.text("/metrics").await, "bedrock_client_failures_total{", "");
    assert_eq!(counted(&first).await, 0.0, "history grows no counter");
    world.advance_until_quiet(chrono::Duration::minutes(4));
    first.until("live failures", async || counted(&first).await > 5.0).await;
    first.stop().await;

    world.advance_until_quiet(chrono::Duration::minutes(8));
    let second = world.start(config.clone()).await;
    let truth = world.client_failures_since(world.started_at());
    second.until("what happened in between", async || (counted(&second).await - truth).abs() < 0.5).await;
    second.stop().await;

    let third = world.start(config).await;
    third.until_ready().await;
    assert_eq!(counted(&third).await, truth, "read again, counted once");
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_and_an_unusable_ledger_end_in_one_clear_message() {
    let world = World::demo().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = world.config();
    config.listen = taken.local_addr().unwrap();
    let error = App::start(config, Options::default()).await.unwrap_err();
    assert!(format!("{error:#}").contains("cannot listen on"), "{error:#}");

    let mut config = world.config();
    config.ledger = std::path::PathBuf::from("/no/such/directory/faultline.db");
    let error = App::start(config, Options::default()).await.unwrap_err();
    assert!(format!("{error:#}").contains("check that the directory exists"), "{error:#}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_that_refuses_for_a_while_loses_nothing() {
    let world = World::demo().await;
    let config = world.config();
    let ledger = config.ledger.clone();
    let daemon = world.start(config).await;
    daemon.until_ready().await;
    // Another writer holds the file's write lock for longer than the daemon waits for it.
    let other = rusqlite::Connection::open(&ledger).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    world.advance_until_quiet(chrono::Duration::minutes(4));
    daemon
        .until("a refusal", async || {
            world::sum(&daemon.text("/metrics").await, "faultline_ledger_errors_total", "") >= 1.0
        })
        .await;
    let truth = world.client_failures_since(world.started_at());
    assert!(truth > 5.0);
    other.execute_batch("ROLLBACK").unwrap();
    daemon
        .until("everything that waited", async || {
            (world::sum(&daemon.text("/metrics").await, "bedrock_client_failures_total{", "") - truth).abs() < 0.5
        })
        .await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_ends_within_its_deadline() {
    let world = World::demo().await;
    let daemon = world.start(world.config()).await;
    let stopped = tokio::time::timeout(Duration::from_secs(20), daemon.stop()).await;
    assert!(stopped.is_ok(), "also while the first pass is under way");
}
