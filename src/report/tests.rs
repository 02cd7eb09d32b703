#![allow(clippy::unwrap_used, clippy::panic)]

use chrono::{Duration, TimeZone, Utc};
use faultline_core::{
    correlate::Conclusion,
    model::{
        Cause, Cell, ClientFailure, Evidence, FailureKind, FailureText, Finding, Incident, LogRef, Metric, MetricPoint,
        MetricStats, ModelKey, Operation, Outcome, Scope, Time, Tokens,
    },
};

use super::*;
use crate::{
    ledger::{Change, Ledger, LedgerReader, SourceSeen},
    pipeline::{batch::CursorKey, status::SourceKind},
};

const SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

/// 2026-05-04T00:00:00Z and so many minutes.
fn at(minute: i64) -> Time {
    Utc.with_ymd_and_hms(2026, 5, 4, 0, 0, 0).unwrap() + Duration::minutes(minute)
}

fn scope(model: &str) -> Scope {
    Scope { cell: Cell::new("111122223333", "us-east-1"), model: ModelKey::parse(model) }
}

fn log(group: &str, event: &str, at: Time) -> LogRef {
    LogRef { group: group.into(), stream: "web/1".into(), event_id: event.into(), at }
}

fn finding(number: u32, minute: i64, model: &str, failure: FailureKind, cause: Cause) -> Finding {
    let request_id = format!("7f1c2a7e-0000-4000-8000-{number:012}");
    let scope = scope(model);
    let tokens = Tokens { input: 12_000, output: 3_450, cache_read: 800, cache_write: 0 };
    let price = PriceTable::builtin().lookup(&scope.model, &scope.cell.region).cloned();
    Finding {
        id: Finding::id_of(&scope.cell, &request_id),
        occurred_at: at(minute),
        failure,
        evidence: Evidence::Confirmed,
        probability: 1.0,
        tokens,
        cost_usd: price.as_ref().map(|price| price.cost(&tokens)),
        price,
        cause,
        operation: Some(Operation::Converse),
        application: Some("<b>chat</b>".into()),
        identity: Some("arn:aws:sts::111122223333:assumed-role/chat/task".into()),
        revision: 0,
        client_log: Some(log("/ecs/chat-api", "client", at(minute + 1))),
        invocation_log: Some(log("/bedrock/invocations", "record", at(minute))),
        retry_of: None,
        request_id: Some(request_id.into()),
        scope,
    }
}

fn failure(number: u32, minute: i64, kind: FailureKind, elapsed: f64) -> ClientFailure {
    let text =
        FailureText { model: Some(scope(SONNET).model), elapsed_seconds: Some(elapsed), ..FailureText::new(kind) };
    ClientFailure {
        cell: scope(SONNET).cell,
        application: "chat".into(),
        identity: None,
        at: at(minute),
        log: log("/ecs/chat-api", &format!("failure-{number}"), at(minute)),
        text,
    }
}

fn point(model: &str, metric: Metric, minute: i64, sum: f64, samples: f64) -> MetricPoint {
    let latency = metric.is_latency();
    let stats = MetricStats {
        sum,
        sample_count: samples,
        p50: latency.then_some(8.0),
        p90: latency.then_some(40.0),
        p99: latency.then_some(95.0),
        ..MetricStats::default()
    };
    let Scope { cell, model } = scope(model);
    MetricPoint { cell, model: Some(model), metric, minute: at(minute), stats, settled: true }
}

struct Place {
    _directory: tempfile::TempDir,
    reader: LedgerReader,
}

/// One day of one region: an hour with timeouts, capacity errors for ten minutes, a model without a price, one route
/// beside another, and an hour in which the invocation log was refused.
fn day() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("faultline.db");
    let mut ledger = Ledger::open(&path, at(0), Arc::default()).unwrap().read_back(Duration::days(2));
    let timeout = |number, minute| {
        let timeout = finding(number, minute, SONNET, FailureKind::ReadTimeout, Cause::ClientTimeout);
        Finding { evidence: Evidence::Probable, probability: 0.92, ..timeout }
    };
    let capacity =
        |number, minute| finding(number, minute, SONNET, FailureKind::ServiceUnavailable, Cause::ServerCapacity);
    let again = Finding { retry_of: capacity(21, 0).request_id, ..capacity(20, 600) };
    let unpriced = finding(30, 900, "somebody.new-model-v1:0", FailureKind::ModelError, Cause::ModelError);
    let mut findings: Vec<_> = (0..6).map(|number| timeout(number, 120 + i64::from(number) * 7)).collect();
    findings.extend((10..14).map(|number| capacity(number, 600 + i64::from(number) - 10)));
    findings.extend([again, capacity(21, 601), unpriced]);

    let mut points = Vec::new();
    for minute in 0..1440 {
        let failing = (600..610).contains(&minute);
        let errors = if failing { 4.0 } else { 0.0 };
        points.push(point(SONNET, Metric::Invocations, minute, 20.0, 20.0));
        points.push(point(SONNET, Metric::EstimatedTPMQuotaUsage, minute, 9_000.0, 20.0));
        points.push(point(SONNET, Metric::InputTokenCount, minute, 240_000.0, 20.0 + errors / 2.0));
        points.push(point(SONNET, Metric::OutputTokenCount, minute, 60_000.0, 20.0 + errors / 2.0));
        points.push(point(SONNET, Metric::InvocationLatency, minute, 200.0, 20.0));
        points.push(point(SONNET, Metric::InvocationThrottles, minute, if failing { 30.0 } else { 0.0 }, 30.0));
        if failing {
            points.push(point(SONNET, Metric::InvocationServerErrors, minute, errors, errors));
        }
    }
    let in_region = SONNET.trim_start_matches("us.");
    points.extend((0..60).map(|minute| point(in_region, Metric::Invocations, minute, 5.0, 5.0)));
    points.extend((0..60).map(|minute| point(in_region, Metric::InvocationLatency, minute, 50.0, 5.0)));

    let failures = vec![
        failure(1, 130, FailureKind::ReadTimeout, 60.0),
        failure(2, 140, FailureKind::ReadTimeout, 62.0),
        failure(3, 150, FailureKind::ConnectionReset, 5.0),
        failure(4, 160, FailureKind::Throttled, 0.2),
    ];
    let concluded = vec![
        Conclusion { failure: failures[0].clone(), outcome: Outcome::Billed },
        Conclusion { failure: failures[2].clone(), outcome: Outcome::Expected },
    ];
    let incident = Incident {
        id: Incident::id_of(&scope(SONNET), at(600)),
        scope: scope(SONNET),
        started_at: at(600),
        ended_at: Some(at(610)),
        cause: Cause::ServerCapacity,
        score: 0.9,
        scores: vec![(Cause::ServerCapacity, 0.9), (Cause::Throttling, 0.1)],
        low_load: false,
        failures: 40,
        billed_failed: 20.0,
        cost_usd: Some(1.75),
        evidence: "40 of 240 calls were answered with 503 within ten minutes.".to_owned(),
        remedy: "Back off with jitter.".to_owned(),
        revision: 0,
    };
    let cursor = |kind, name: &str, at| (CursorKey { cell: scope(SONNET).cell, kind, name: name.to_owned() }, at);
    let seen = |minute, state: &str| SourceSeen {
        cell: scope(SONNET).cell,
        kind: SourceKind::Invocations,
        at: at(minute),
        state: state.to_owned(),
        detail: "FilterLogEvents: allow logs:FilterLogEvents".to_owned(),
    };
    let change = Change {
        failures,
        concluded,
        findings,
        incidents: vec![incident],
        points,
        cursors: vec![
            cursor(SourceKind::Metrics, "", at(1440)),
            cursor(SourceKind::Logs, "/ecs/chat-api", at(1440)),
            cursor(SourceKind::Invocations, "/bedrock/invocations", at(1200)),
        ],
        sources: (1200..=1260).step_by(2).map(|minute| seen(minute, "access_denied")).collect(),
    };
    ledger.commit(&change).unwrap();
    drop(ledger);
    Place { reader: LedgerReader::open(&path).unwrap(), _directory: directory }
}

fn request() -> Request {
    Request { since: at(0), until: at(1440), evidence: vec![Evidence::Confirmed, Evidence::Probable], now: at(1500) }
}

fn settings() -> Settings {
    let price = Provisioned { model_id: "anthropic.claude-sonnet-4-5-20250929-v1:0".to_owned(), usd_per_hour: 88.0 };
    Settings { provisioned: vec![price], ..Settings::default() }
}

fn report() -> Report {
    build(&day().reader, &request(), &settings(), Some(MOST_LISTED)).unwrap()
}

/// Reports name the version they were made by, which is none of the test's business.
fn without_version(text: &str) -> String {
    text.replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[test]
fn a_page_is_whole_by_itself_and_runs_nothing() {
    let page = html(&report()).unwrap();
    for absent in ["<script", "src=", "<link rel=\"stylesheet", "@import", "url(", "<b>chat</b>"] {
        assert!(!page.contains(absent), "{absent}");
    }
    assert!(page.contains("&#60;b&#62;chat"), "other people's text is escaped");
}

#[test]
fn every_table_has_a_caption_and_headings_with_a_scope_and_every_chart_words() {
    let page = html(&report()).unwrap();
    let count = |text: &str| page.matches(text).count();
    assert_eq!(count("<table>"), count("<caption>"));
    assert_eq!(count("<th "), count("<th scope="));
    assert_eq!(count("<svg "), count("role=\"img\" aria-label="));
    assert!(count("<svg ") == 2 && count("<h1>") == 1 && page.contains("@media print"));
}

#[test]
fn the_parts_add_up_to_the_whole_and_the_bounds_hold_them() {
    let report = report();
    for parts in [&report.by_time, &report.by_cause, &report.by_failure, &report.by_application] {
        assert_eq!(parts.iter().map(Breakdown::count).sum::<u64>(), report.totals.found.count());
        let cost: f64 = parts.iter().map(|part| part.cost_usd).sum();
        assert!((cost - report.totals.found.cost_usd).abs() < 1e-9);
    }
    let Totals { found, estimated, lower, upper, .. } = &report.totals;
    assert_eq!(report.findings.len() as u64, found.count());
    assert!(*lower >= 13.0 && bounds::float(found.count()) + estimated <= *upper, "{lower} to {upper}");
    // 2 of the 4 errors a minute metered, for ten minutes; 6 of these 20 are findings.
    assert!((estimated - 14.0).abs() < 0.5, "{estimated}");
}

#[test]
fn only_the_grades_asked_for_are_reported() {
    let probable = Request { evidence: vec![Evidence::Probable], ..request() };
    let report = build(&day().reader, &probable, &settings(), None).unwrap();
    assert_eq!((report.totals.found.confirmed, report.totals.found.probable), (0, 6));
    assert!(report.findings.iter().all(|view| &*view.finding.evidence == "probable"));
}

#[test]
fn a_list_for_people_ends_somewhere_and_says_how_many_more_there_are() {
    let report = build(&day().reader, &request(), &settings(), Some(3)).unwrap();
    assert_eq!((report.findings.len(), report.findings_left_out), (3, 10));
    assert!(text(&report).unwrap().contains("10 more are in the CSV"));
}

#[test]
fn a_period_in_which_nothing_happened_says_so_four_ways() {
    let quiet = Request { since: at(-2000), until: at(-1000), ..request() };
    let place = day();
    let report = build(&place.reader, &quiet, &settings(), None).unwrap();
    assert!(html(&report).unwrap().contains("No call failed in this period"));
    assert!(text(&report).unwrap().contains("0 invocations failed"));
    let read: serde_json::Value = serde_json::from_str(&json(&report).unwrap()).unwrap();
    assert_eq!(read["findings"], serde_json::json!([]));
    let mut lines = Vec::new();
    write_csv(&place.reader, &quiet, &mut lines).unwrap();
    assert_eq!(String::from_utf8(lines).unwrap().lines().count(), 1, "the header");
}

#[test]
fn uptime_is_the_mean_of_five_minute_intervals_and_what_is_not_watched_counts_as_available() {
    let report = report();
    let [month] = &report.sla[..] else { panic!("{:?}", report.sla) };
    // Two intervals in which 20 of 120 requests failed, of the 288 of the day and the 8,928 of May.
    let lost = 100.0 * 2.0 / 6.0;
    assert!((month.period_uptime_percent - (100.0 - lost / 288.0)).abs() < 1e-9, "{month:?}");
    assert!((month.uptime_percent - (100.0 - lost / 8928.0)).abs() < 1e-9, "{month:?}");
    assert_eq!((month.credit_percent, month.whole_month), (0, false));
}

#[test]
fn a_request_is_understood_or_says_what_is_wrong() {
    let of = |since, until, evidence| super::request(since, until, evidence, at(0));
    assert_eq!(of(Some("7d"), None, None).unwrap().since, at(-7 * 1440));
    assert_eq!(of(None, Some("1h"), Some("confirmed")).unwrap().evidence, [Evidence::Confirmed]);
    for (asked, said) in [
        (of(Some("yesterday"), None, None), "since: `yesterday` is neither"),
        (of(Some("1h"), Some("2h"), None), "is not before until"),
        (of(None, None, Some("sure")), "evidence: `sure` is none of"),
    ] {
        let error = asked.unwrap_err();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn the_text_is_this_one() {
    insta::assert_snapshot!(without_version(&text(&report()).unwrap()));
}

#[test]
fn the_page_is_this_one() {
    insta::assert_snapshot!(without_version(&html(&report()).unwrap()));
}

#[test]
fn the_lines_are_these() {
    let mut lines = Vec::new();
    write_csv(&day().reader, &request(), &mut lines).unwrap();
    insta::assert_snapshot!(String::from_utf8(lines).unwrap());
}
