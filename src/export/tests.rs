#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use chrono::{Duration, TimeZone, Utc};
use faultline_core::{
    correlate::{AwsSide, CellSummary, EstimateState, ScopeSummary, Tally},
    model::{
        Cause, Cell, Evidence, FailureKind, Finding, Incident, LogRef, MetricStats, ModelKey, Scope, Time, Tokens,
    },
    price::PriceTable,
};
use tower::ServiceExt;

use super::{collector::definition, metrics::Kind, *};
use crate::{
    aws::meter::CallOutcome,
    ledger::{Change, Counter, Ledger},
    pipeline::status::{SourceKind, SourceState},
    report::Reporter,
};

fn now() -> Time {
    Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).unwrap()
}

fn cell() -> Cell {
    Cell::new("111122223333", "us-east-1")
}

fn finding(id: &str, model: &str, minutes_ago: i64) -> Finding {
    let model = ModelKey::parse(model);
    let tokens = Tokens { input: 1200, output: 345, cache_read: 800, cache_write: 0 };
    let price = PriceTable::builtin().lookup(&model, &cell().region).cloned();
    let log = |group: &str| LogRef { group: group.into(), stream: "web/1".into(), event_id: id.into(), at: now() };
    Finding {
        id: Finding::id_of(&cell(), id),
        scope: Scope { cell: cell(), model },
        occurred_at: now() - Duration::minutes(minutes_ago),
        failure: FailureKind::ServiceUnavailable,
        evidence: Evidence::Confirmed,
        probability: 1.0,
        request_id: Some(id.into()),
        tokens,
        cost_usd: price.as_ref().map(|price| price.cost(&tokens)),
        price,
        cause: Cause::ServerCapacity,
        operation: None,
        application: Some("<b>chat</b>".into()),
        identity: None,
        revision: 0,
        client_log: Some(log("/ecs/chat-api")),
        invocation_log: Some(log("/bedrock/invocations")),
        retry_of: None,
    }
}

const SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

fn summary() -> CellSummary {
    let scope = |model: &str| ScopeSummary {
        scope: Scope { cell: cell(), model: ModelKey::parse(model) },
        confirmed: Tally::default(),
        probable: Tally::default(),
        estimated: 0.0,
        estimated_retries: 0.0,
        estimated_cost_usd: None,
        lower: 0.0,
        likely_lower: 0.0,
        upper: 0.0,
        widened_by: Vec::new(),
        aws_side: AwsSide { lower: 0.0, best: 0.0, upper: 0.0, invocations_count: None },
        state: EstimateState::Uncalibrated,
        state_reason: "No minute of this window has settled yet.".to_owned(),
        priced: false,
        pending: 0,
        latency: None,
        time_to_first_token: None,
    };
    let busy = ScopeSummary {
        confirmed: Tally { count: 3, cost_usd: 0.75, ..Tally::default() },
        estimated: 2.5,
        estimated_cost_usd: Some(0.5),
        lower: 3.0,
        likely_lower: 4.0,
        upper: 7.0,
        state: EstimateState::Calibrated,
        priced: true,
        pending: 4,
        latency: Some(MetricStats { p50: Some(1.5), p90: Some(3.0), p99: Some(9.0), ..MetricStats::default() }),
        ..scope(SONNET)
    };
    let scopes = vec![busy, scope("somebody.new-model-v1:0")];
    CellSummary { cell: cell(), at: now(), window: Duration::hours(1), scopes, incidents: vec![incident()], evicted: 0 }
}

/// Of the busy model, since ten minutes ago, and going on.
fn incident() -> Incident {
    let scope = Scope { cell: cell(), model: ModelKey::parse(SONNET) };
    let started_at = now() - Duration::minutes(10);
    Incident {
        id: Incident::id_of(&scope, started_at),
        scope,
        started_at,
        ended_at: None,
        cause: Cause::ServerCapacity,
        score: 0.875,
        scores: vec![(Cause::ServerCapacity, 0.875), (Cause::Network, 0.125)],
        low_load: true,
        failures: 42,
        billed_failed: 3.0,
        cost_usd: Some(0.75),
        evidence: "11:50 to 12:00 UTC: 42 of 160 requests (26 %) failed with 503.".to_owned(),
        remedy: "Retry with <jitter>.".to_owned(),
        revision: 0,
    }
}

struct Served {
    place: tempfile::TempDir,
    exporter: Exporter,
    ledger: Ledger,
    first_passes: Arc<AtomicUsize>,
}

/// A daemon with two models, one of them without a price, three findings, and one source that is denied.
fn served() -> Served {
    let place = tempfile::tempdir().unwrap();
    let prices = Arc::new(PriceTable::builtin());
    let mut ledger = Ledger::open(&place.path().join("f.db"), now() - Duration::hours(2), prices).unwrap();
    let findings =
        vec![finding("a", SONNET, 30), finding("b", SONNET, 20), finding("c", "somebody.new-model-v1:0", 10)];
    ledger.commit(&Change { findings, incidents: vec![incident()], ..Change::default() }).unwrap();

    let board = StatusBoard::default();
    board.add(cell(), SourceKind::Metrics).update(|status| {
        status.state = SourceState::Ok;
        status.last_success = Some(now());
        status.newest_data = Some(now() - Duration::minutes(2));
        status.settle_seconds = Some(600.0);
    });
    board.add(cell(), SourceKind::Logs).update(|status| {
        status.state = SourceState::AccessDenied;
        status.detail = "FilterLogEvents: denied: allow logs:FilterLogEvents".to_owned();
    });
    let meter = ApiMeter::default();
    meter.record("GetMetricData", CallOutcome::Ok, 0.0025);
    meter.record("GetMetricData", CallOutcome::Throttled, 0.0);
    let first_passes = Arc::new(AtomicUsize::new(0));
    let exporter = Exporter::new(board, meter, Clock::new(now), Arc::clone(&first_passes), Some(10_000.0));
    exporter.publish(vec![summary()], ledger.counters());
    Served { place, exporter, ledger, first_passes }
}

impl Served {
    async fn get(&self, path: &str) -> (StatusCode, String, String) {
        let reporter = Reporter { ledger: self.place.path().join("f.db"), settings: Arc::default() };
        let router = router(self.exporter.clone(), self.ledger.reader().unwrap(), reporter);
        let answer = router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let status = answer.status();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap(), kind)
    }

    async fn json(&self, path: &str) -> serde_json::Value {
        let (status, text, _) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

#[tokio::test]
async fn the_page_prometheus_scrapes_is_this_one() {
    let (status, text, kind) = served().get("/metrics").await;
    assert_eq!((status, kind.as_str()), (StatusCode::OK, "text/plain; version=0.0.4"));
    insta::assert_snapshot!(text.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn every_metric_is_documented_and_every_documented_metric_exists() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md")).unwrap();
    let documented: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `").and_then(|rest| rest.split_once('`')))
        .map(|(name, _)| name)
        .collect();
    let mut names: Vec<&str> = metrics::ALL.iter().map(|def| def.name).collect();
    names.sort_unstable();
    let mut sorted = documented.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, names);
    for def in metrics::ALL {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{}` ", def.name))).unwrap();
        let kind = format!(
            "| {} |",
            match def.kind {
                Kind::Gauge => "gauge",
                Kind::Counter => "counter",
                Kind::Summary => "summary",
            }
        );
        assert!(row.contains(&kind), "{} is a {kind}: {row}", def.name);
        for label in
            def.labels.iter().filter(|label| !["account_id", "aws_region", "model_id", "route"].contains(label))
        {
            assert!(row.contains(&format!("`{label}`")), "{} has the label {label}: {row}", def.name);
        }
    }
}

#[tokio::test]
async fn incidents_are_asked_for_by_cause_and_by_time() {
    let served = served();
    let found = |query: &str| format!("/api/v1/incidents{query}");
    let answer = served.json(&found("?cause=server_capacity&since=1h")).await;
    let [incident] = &answer["incidents"].as_array().unwrap()[..] else { panic!("{answer}") };
    assert_eq!((&incident["cause"], &incident["low_load"]), (&"server_capacity".into(), &true.into()));
    assert!(incident["ended_at"].is_null() && answer["next_cursor"].is_null());
    for nothing in ["?cause=network", "?until=1h", "?model_id=another"] {
        assert_eq!(served.json(&found(nothing)).await["incidents"].as_array().unwrap().len(), 0, "{nothing}");
    }
    for (wrong, named) in [("?cause=weather", "server_capacity"), ("?limit=0", "limit"), ("?since=then", "since")] {
        let (status, text, _) = served.get(&found(wrong)).await;
        assert!(status == StatusCode::BAD_REQUEST && text.contains(named), "{wrong}: {text}");
    }
}

#[test]
fn every_counter_of_the_ledger_has_its_metric() {
    for counter in Counter::ALL {
        let def = definition(counter);
        assert!(counter.name().starts_with(def.name), "{counter:?} is shown as {}", def.name);
    }
}

#[tokio::test]
async fn findings_come_newest_first_with_every_key_of_the_interface() {
    let served = served();
    let answer = served.json("/api/v1/findings").await;
    let ids: Vec<_> =
        answer["findings"].as_array().unwrap().iter().map(|f| f["request_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["c", "b", "a"]);
    assert!(answer["next_cursor"].is_null());
    insta::assert_json_snapshot!(answer["findings"][2]);
    assert!(answer["findings"][0]["cost_usd"].is_null(), "an unknown price is no price of 0");
}

#[tokio::test]
async fn findings_can_be_asked_for_by_time_model_grade_and_page() {
    let served = served();
    let count = async |query: &str| {
        served.json(&format!("/api/v1/findings?{query}")).await["findings"].as_array().unwrap().len()
    };
    assert_eq!(count("since=25m").await, 2);
    assert_eq!(count("since=2026-05-01T11:40:00Z").await, 2, "since is inclusive");
    assert_eq!(count("until=2026-05-01T11:40:00Z").await, 1, "until is exclusive");
    assert_eq!(count("model_id=somebody.new-model-v1:0").await, 1);
    assert_eq!(count("evidence=probable").await, 0);
    assert_eq!(count("evidence=confirmed,probable&limit=1000").await, 3);
    let first = served.json("/api/v1/findings?limit=2").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = served.json(&format!("/api/v1/findings?limit=2&cursor={cursor}")).await;
    assert_eq!(second["findings"][0]["request_id"], "a");
    assert!(second["next_cursor"].is_null());
}

#[tokio::test]
async fn a_question_that_makes_no_sense_is_answered_with_what_to_do() {
    let served = served();
    for (query, says) in [
        ("limit=0", "limit: `0` is not a number from 1 to 1000"),
        ("limit=many", "limit: `many`"),
        ("since=yesterday", "since: `yesterday` is neither a time"),
        ("evidence=certain", "evidence: `certain` is none of confirmed"),
        ("cursor=x", "cursor: take it from `next_cursor`"),
        ("modelid=x", "unknown field `modelid`"),
    ] {
        let (status, text, _) = served.get(&format!("/api/v1/findings?{query}")).await;
        let error: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(error["error"].as_str().unwrap().contains(says), "{query}: {text}");
    }
    assert_eq!(served.get("/api/v2").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn sources_say_how_they_are_and_what_to_do() {
    let answer = served().json("/api/v1/sources").await;
    let logs = &answer["sources"][1];
    assert_eq!(
        (logs["source"].as_str(), logs["state"].as_str(), logs["up"].as_bool()),
        (Some("logs"), Some("access_denied"), Some(false))
    );
    assert!(logs["detail"].as_str().unwrap().contains("allow logs:FilterLogEvents"));
    assert_eq!(answer["sources"][0]["newest_data"], "2026-05-01T11:58:00Z");
}

#[tokio::test]
async fn the_daemon_is_ready_when_every_source_was_read_once() {
    let served = served();
    served.first_passes.store(2, Ordering::Release);
    let (status, text, _) = served.get("/-/ready").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("2 sources"), "{text}");
    served.first_passes.store(0, Ordering::Release);
    assert_eq!(served.get("/-/ready").await.0, StatusCode::OK);
    assert_eq!(served.get("/-/healthy").await.0, StatusCode::OK);
}

#[tokio::test]
async fn the_page_shows_findings_and_never_a_logs_markup() {
    let (_, page, kind) = served().get("/").await;
    assert!(kind.starts_with("text/html"));
    for text in [
        "Calls are failing now: server capacity",
        "since 11:50 UTC",
        "3 confirmed",
        "likely between 4 and 7",
        "Retry with &lt;jitter&gt;.",
        "service unavailable",
        SONNET,
        "no price",
        "access denied",
        "2026-05-01 11:30:00",
    ] {
        assert!(page.contains(text), "{text} is not on the page");
    }
    assert!(page.contains("&lt;b&gt;chat&lt;/b&gt;") && !page.contains("<b>chat"));
    assert!(!page.contains("{{"), "every placeholder is filled");
}

#[tokio::test]
async fn the_summary_adds_up_what_the_gauges_show() {
    let answer = served().json("/api/v1/summary").await;
    assert_eq!((answer["window_seconds"].as_i64(), answer["at"].as_str()), (Some(3600), Some("2026-05-01T12:00:00Z")));
    let scope = &answer["scopes"][0];
    assert_eq!(
        (scope["confirmed"]["count"].as_i64(), scope["lower"].as_f64(), scope["upper"].as_f64()),
        (Some(3), Some(3.0), Some(7.0))
    );
    assert_eq!(scope["estimate_state"], "calibrated");
}

#[tokio::test]
async fn the_report_is_served_in_each_of_its_forms() {
    let served = served();
    for (format, content_type, says) in [
        ("html", "text/html; charset=utf-8", "<h1>Amazon Bedrock: failed and billed</h1>"),
        ("text", "text/plain; charset=utf-8", "3 invocations failed"),
        ("json", "application/json", "\"confirmed\": 3"),
        ("csv", "text/csv; charset=utf-8", "111122223333:us-east-1:c"),
    ] {
        let (status, body, kind) = served.get(&format!("/report?since=2h&format={format}")).await;
        assert_eq!((status, kind.as_str()), (StatusCode::OK, content_type));
        assert!(body.contains(says), "{body}");
    }
    let (status, body, _) = served.get("/report?format=pdf").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(body.contains("none of text, html, csv, json"), "{body}");
}
