#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::PathBuf;

use chrono::{Duration, TimeZone, Utc};
use faultline_core::{
    correlate::Conclusion,
    model::{
        Cause, ClientFailure, Evidence, FailureKind, FailureText, Finding, Incident, LogRef, Metric, MetricPoint,
        MetricStats, ModelKey, Outcome, Tokens,
    },
};
use proptest::prelude::*;

use super::*;

const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

fn at(second: i64) -> Time {
    Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).unwrap() + Duration::seconds(second)
}

fn scope() -> Scope {
    Scope { cell: Cell::new("111122223333", "us-east-1"), model: ModelKey::parse(MODEL) }
}

fn log(event: &str, second: i64) -> LogRef {
    LogRef { group: "/app".into(), stream: "s".into(), event_id: event.into(), at: at(second) }
}

fn failure(event: &str, second: i64) -> ClientFailure {
    ClientFailure {
        cell: scope().cell,
        application: "chat".into(),
        identity: None,
        at: at(second),
        log: log(event, second),
        text: FailureText { model: Some(scope().model), ..FailureText::new(FailureKind::ReadTimeout) },
    }
}

fn finding(id: &str, second: i64, revision: u32) -> Finding {
    Finding {
        id: Finding::id_of(&scope().cell, id),
        scope: scope(),
        occurred_at: at(second),
        failure: FailureKind::ServiceUnavailable,
        evidence: Evidence::Confirmed,
        probability: 1.0,
        request_id: Some(id.into()),
        tokens: Tokens { input: 1000, output: 100, ..Tokens::default() },
        cost_usd: Some(0.25),
        price: None,
        cause: Cause::ServerCapacity,
        operation: None,
        application: None,
        identity: None,
        revision,
        client_log: None,
        invocation_log: Some(log(id, second)),
        retry_of: None,
    }
}

fn point(metric: Metric, minute: i64, sum: f64) -> MetricPoint {
    MetricPoint {
        cell: scope().cell,
        model: Some(scope().model),
        metric,
        minute: at(minute * 60),
        stats: MetricStats { sum, sample_count: sum, ..MetricStats::default() },
        settled: false,
    }
}

fn cursor(second: i64) -> (CursorKey, Time) {
    (CursorKey { cell: scope().cell, kind: SourceKind::Logs, name: "/app".into() }, at(second))
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn path(&self) -> PathBuf {
        self.0.path().join("faultline.db")
    }
    /// Created at 12:00, whenever it is opened again.
    fn open(&self) -> Ledger {
        Ledger::open(&self.path(), at(0), Arc::new(PriceTable::builtin())).unwrap()
    }
}

fn value(ledger: &Ledger, counter: Counter, own: &[&str]) -> f64 {
    let rows = ledger.counters();
    let matching = rows.iter().filter(|row| {
        row.counter == counter && row.labels.ends_with(&own.iter().map(ToString::to_string).collect::<Vec<_>>())
    });
    matching.map(|row| row.value).sum()
}

fn all_of(ledger: &Ledger) -> Vec<FindingJson> {
    let query = FindingsQuery { since: None, until: None, evidence: vec![], model_id: None, limit: 1000, after: None };
    ledger.reader().unwrap().findings(&query).unwrap().findings
}

#[test]
fn what_is_new_grows_its_counters_once_however_often_it_is_written() {
    let place = Place::new();
    let mut ledger = place.open();
    let change = Change {
        failures: vec![failure("e1", 10), failure("e2", 20)],
        concluded: vec![Conclusion { failure: failure("e1", 10), outcome: Outcome::Billed }],
        findings: vec![finding("r1", 5, 0)],
        incidents: vec![],
        points: vec![point(Metric::Invocations, 1, 7.0), point(Metric::InputTokenCount, 1, 1_000_000.0)],
        cursors: vec![cursor(30)],
        sources: vec![],
    };
    for _ in 0..3 {
        ledger.commit(&change).unwrap();
    }
    assert_eq!(value(&ledger, Counter::ClientFailures, &["chat", "read_timeout", ""]), 2.0);
    assert_eq!(value(&ledger, Counter::ClientFailuresConcluded, &["billed"]), 1.0);
    assert_eq!(value(&ledger, Counter::BilledFailedInvocations, &["confirmed", "service_unavailable"]), 1.0);
    assert_eq!(value(&ledger, Counter::BilledFailedTokens, &["confirmed", "input"]), 1000.0);
    assert_eq!(value(&ledger, Counter::BilledFailedCost, &["confirmed"]), 0.25);
    assert_eq!(value(&ledger, Counter::Invocations, &[]), 7.0);
    assert!((value(&ledger, Counter::Cost, &[]) - 3.3).abs() < 1e-9, "a million input tokens by us. cost $3.30");
}

#[test]
fn a_minute_counts_by_how_much_it_has_grown_and_never_shrinks() {
    let place = Place::new();
    let mut ledger = place.open();
    for (sum, total) in [(5.0, 5.0), (8.0, 8.0), (6.0, 8.0), (8.0, 8.0)] {
        ledger
            .commit(&Change { points: vec![point(Metric::InvocationServerErrors, 1, sum)], ..Change::default() })
            .unwrap();
        assert_eq!(value(&ledger, Counter::InvocationErrors, &["server"]), total, "after a reading of {sum}");
    }
}

#[test]
fn history_fills_the_ledger_and_grows_no_counter() {
    let place = Place::new();
    let mut ledger = place.open();
    let change = Change {
        failures: vec![failure("e1", -10)],
        concluded: vec![Conclusion { failure: failure("e1", -10), outcome: Outcome::Billed }],
        findings: vec![finding("r1", -15, 0)],
        incidents: vec![],
        points: vec![point(Metric::Invocations, -2, 7.0)],
        cursors: vec![],
        sources: vec![],
    };
    ledger.commit(&change).unwrap();
    assert_eq!(all_of(&ledger).len(), 1);
    assert!(ledger.counters().iter().all(|row| row.value == 0.0), "{:?}", ledger.counters());
    assert!(ledger.counters().iter().any(|row| row.counter == Counter::BilledFailedInvocations), "born at 0");
}

#[test]
fn a_restart_goes_on_from_the_counters_and_the_cursors() {
    let place = Place::new();
    let change = Change { failures: vec![failure("e1", 10)], cursors: vec![cursor(30)], ..Change::default() };
    place.open().commit(&change).unwrap();
    let mut again = place.open();
    again.commit(&change).unwrap();
    again
        .commit(&Change { failures: vec![failure("e2", 20)], cursors: vec![cursor(25)], ..Change::default() })
        .unwrap();
    assert_eq!(value(&again, Counter::ClientFailures, &[]), 2.0);
    assert_eq!(again.cursors().unwrap(), [cursor(30)], "a cursor never goes back");
}

#[test]
fn a_revision_replaces_its_finding_and_an_earlier_step_does_not() {
    let place = Place::new();
    let mut ledger = place.open();
    let revised = Finding { application: Some("chat".into()), ..finding("r1", 5, 1) };
    for finding in [finding("r1", 5, 0), revised, finding("r1", 5, 0)] {
        ledger.commit(&Change { findings: vec![finding], ..Change::default() }).unwrap();
    }
    let stored = all_of(&ledger).remove(0);
    assert_eq!((stored.revision, stored.application.as_deref()), (1, Some("chat")));
    assert_eq!(value(&ledger, Counter::BilledFailedInvocations, &[]), 1.0);
}

#[test]
fn pages_visit_every_finding_once_newest_first() {
    let place = Place::new();
    let mut ledger = place.open();
    // Several in the same second: the id decides.
    let findings = (0..25).map(|index| finding(&format!("r{index:02}"), index / 4, 0)).collect();
    ledger.commit(&Change { findings, ..Change::default() }).unwrap();
    let reader = ledger.reader().unwrap();
    let mut query = FindingsQuery { since: None, until: None, evidence: vec![], model_id: None, limit: 7, after: None };
    let mut seen = Vec::new();
    loop {
        let page = reader.findings(&query).unwrap();
        seen.extend(page.findings.into_iter().map(|finding| (finding.occurred_at, finding.id)));
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    let mut expected = seen.clone();
    expected.sort_by(|a, b| b.cmp(a));
    expected.dedup();
    assert_eq!(seen, expected);
    assert_eq!(seen.len(), 25);
}

#[test]
fn a_query_takes_since_and_leaves_until() {
    let place = Place::new();
    let mut ledger = place.open();
    let findings = (0..5).map(|index| finding(&format!("r{index}"), index, 0)).collect();
    ledger.commit(&Change { findings, ..Change::default() }).unwrap();
    let reader = ledger.reader().unwrap();
    let count = |evidence, model_id: Option<&str>| {
        let (since, until) = (Some(at(1)), Some(at(4)));
        let query =
            FindingsQuery { since, until, evidence, model_id: model_id.map(str::to_owned), limit: 100, after: None };
        reader.findings(&query).unwrap().findings.len()
    };
    assert_eq!(count(vec![], None), 3);
    assert_eq!(count(vec![Evidence::Probable], None), 0);
    assert_eq!(
        count(vec![Evidence::Probable, Evidence::Confirmed], Some("anthropic.claude-sonnet-4-5-20250929-v1:0")),
        3
    );
    assert_eq!(count(vec![], Some("another")), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn cutting_and_repeating_commits_changes_no_counter(
        minutes in prop::collection::vec((0..3_i64, 1..9_i32), 1..12),
        cuts in prop::collection::vec(1..5_usize, 1..6),
    ) {
        // CloudWatch revises upward: a minute's readings come in rising order.
        let mut readings = minutes;
        readings.sort();
        let points: Vec<_> = readings.iter().map(|(minute, sum)| point(Metric::Invocations, *minute, f64::from(*sum))).collect();
        let (whole, parts) = (Place::new(), Place::new());
        let mut at_once = whole.open();
        at_once.commit(&Change { points: points.clone(), ..Change::default() }).unwrap();
        let mut in_parts = parts.open();
        let mut rest = &points[..];
        for cut in cuts.into_iter().cycle() {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            in_parts.commit(&Change { points: now.to_vec(), ..Change::default() }).unwrap();
            in_parts.commit(&Change { points: now.to_vec(), ..Change::default() }).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(at_once.counters(), in_parts.counters());
    }
}

mod coverage;
mod incidents;
mod store;
