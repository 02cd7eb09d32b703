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
fn a_commit_that_fails_leaves_nothing_behind_and_can_be_made_again() {
    let place = Place::new();
    let mut ledger = place.open();
    let pages: i64 = ledger.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    ledger.connection.pragma_update(None, "max_page_count", pages).unwrap();
    let change = Change {
        findings: (0..500).map(|index| finding(&format!("r{index}"), index, 0)).collect(),
        cursors: vec![cursor(30)],
        ..Change::default()
    };
    assert!(ledger.commit(&change).unwrap_err().to_string().contains("full"));
    assert!(all_of(&ledger).is_empty() && ledger.cursors().unwrap().is_empty());
    assert_eq!(value(&ledger, Counter::BilledFailedInvocations, &[]), 0.0);

    ledger.connection.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    ledger.commit(&change).unwrap();
    assert_eq!(value(&ledger, Counter::BilledFailedInvocations, &[]), 500.0);
    assert_eq!(ledger.cursors().unwrap().len(), 1);
}

#[test]
fn a_ledger_of_a_newer_version_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let ledger = place.open();
    ledger.connection.pragma_update(None, "user_version", 99).unwrap();
    drop(ledger);
    let before = std::fs::read(place.path()).unwrap();
    let error = Ledger::open(&place.path(), at(0), Arc::default()).unwrap_err();
    assert!(error.to_string().contains("schema 99, this one knows up to 2"), "{error}");
    assert_eq!(std::fs::read(place.path()).unwrap(), before);
}

#[test]
fn a_file_that_is_no_ledger_is_refused_and_left_as_it_is() {
    let place = Place::new();
    std::fs::write(
        place.path(),
        "my notes, which are longer than a header of SQLite has to be for it to be looked at; ".repeat(20),
    )
    .unwrap();
    let before = std::fs::read(place.path()).unwrap();
    let error = Ledger::open(&place.path(), at(0), Arc::default()).unwrap_err();
    assert!(error.to_string().contains("not a Faultline ledger"), "{error}");
    assert_eq!(std::fs::read(place.path()).unwrap(), before);

    let place = Place::new();
    rusqlite::Connection::open(place.path()).unwrap().execute("CREATE TABLE theirs (x)", ()).unwrap();
    let error = Ledger::open(&place.path(), at(0), Arc::default()).unwrap_err();
    assert!(error.to_string().contains("not a Faultline ledger"), "{error}");
}

#[test]
fn a_ledger_where_there_is_no_directory_says_what_to_do() {
    let error = Ledger::open(std::path::Path::new("/no/such/directory/f.db"), at(0), Arc::default()).unwrap_err();
    assert!(error.to_string().contains("check that the directory exists"), "{error}");
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

fn incident(minute: i64, ended: Option<i64>, cause: Cause, revision: u32) -> Incident {
    let started_at = at(minute * 60);
    Incident {
        id: Incident::id_of(&scope(), started_at),
        scope: scope(),
        started_at,
        ended_at: ended.map(|minute| at(minute * 60)),
        cause,
        score: 0.75,
        scores: vec![(cause, 0.75), (Cause::Unknown, 0.25)],
        low_load: true,
        failures: 12,
        billed_failed: 4.5,
        cost_usd: Some(0.125),
        evidence: "12 of 12 failures were 503s.".to_owned(),
        remedy: "Retry with jitter.".to_owned(),
        revision,
    }
}

#[test]
fn an_incident_is_kept_whole_and_an_earlier_step_does_not_replace_a_later_one() {
    let place = Place::new();
    let mut ledger = place.open();
    let (open, over) = (incident(1, None, Cause::Network, 0), incident(1, Some(9), Cause::Network, 1));
    for incident in [open.clone(), over.clone(), open] {
        ledger.commit(&Change { incidents: vec![incident], ..Change::default() }).unwrap();
    }
    let query = IncidentsQuery { since: None, until: None, cause: None, model_id: None, limit: 9, after: None };
    let found = ledger.reader().unwrap().incidents(&query).unwrap();
    assert_eq!(found, IncidentsPage { incidents: vec![IncidentJson::from(&over)], next: None });
}

#[test]
fn an_incident_that_is_taken_back_is_gone() {
    let place = Place::new();
    let mut ledger = place.open();
    let all = IncidentsQuery { since: None, until: None, cause: None, model_id: None, limit: 9, after: None };
    let back = Incident { failures: 0, revision: 1, ..incident(0, Some(0), Cause::Network, 0) };
    for (said, left) in [(incident(0, None, Cause::Network, 0), 1), (back, 0)] {
        ledger.commit(&Change { incidents: vec![said], ..Change::default() }).unwrap();
        assert_eq!(ledger.reader().unwrap().incidents(&all).unwrap().incidents.len(), left);
    }
}

#[test]
fn incidents_are_found_by_when_they_went_on_by_cause_and_by_model_newest_first() {
    let place = Place::new();
    let mut ledger = place.open();
    let incidents = vec![
        incident(0, Some(5), Cause::Network, 0),
        incident(10, Some(20), Cause::Throttling, 0),
        incident(30, None, Cause::Network, 0),
    ];
    ledger.commit(&Change { incidents, ..Change::default() }).unwrap();
    let reader = ledger.reader().unwrap();
    let all = IncidentsQuery { since: None, until: None, cause: None, model_id: None, limit: 9, after: None };
    let minutes = |query: &IncidentsQuery| {
        let page = reader.incidents(query).unwrap();
        let started = page.incidents.into_iter().map(|incident| incident.started_at[14..16].parse::<u32>().unwrap());
        (started.collect::<Vec<_>>(), page.next)
    };
    assert_eq!(minutes(&all).0, [30, 10, 0]);
    assert_eq!(minutes(&IncidentsQuery { since: Some(at(20 * 60)), ..all.clone() }).0, [30], "one goes on");
    assert_eq!(minutes(&IncidentsQuery { since: Some(at(19 * 60)), ..all.clone() }).0, [30, 10]);
    assert_eq!(minutes(&IncidentsQuery { until: Some(at(10 * 60)), ..all.clone() }).0, [0]);
    assert_eq!(minutes(&IncidentsQuery { cause: Some(Cause::Network), ..all.clone() }).0, [30, 0]);
    assert_eq!(minutes(&IncidentsQuery { model_id: Some("another".to_owned()), ..all.clone() }).0, [] as [u32; 0]);
    let (first, next) = minutes(&IncidentsQuery { limit: 2, ..all.clone() });
    assert_eq!(first, [30, 10]);
    assert_eq!(minutes(&IncidentsQuery { limit: 2, after: next, ..all }), (vec![0], None));
}

#[test]
fn a_ledger_of_every_past_version_opens() {
    for version in 1..3 {
        let place = Place::new();
        let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ledger");
        std::fs::copy(fixtures.join(format!("version_{version}.db")), place.path()).unwrap();
        let mut ledger = place.open();
        let ids: Vec<_> = all_of(&ledger).into_iter().filter_map(|finding| finding.request_id).collect();
        let uuid = |last: u32| format!("7f1c2a7e-0000-4000-8000-{last:012}");
        assert_eq!(ids.iter().map(|id| &**id).collect::<Vec<_>>(), [&*uuid(2), &*uuid(1), "not-a-uuid"]);
        assert_eq!(ledger.cursors().unwrap(), [cursor(30)]);
        assert_eq!(value(&ledger, Counter::ClientFailures, &[]), 2.0);
        ledger.commit(&Change { failures: vec![failure("e2", 20), failure("e3", 30)], ..Change::default() }).unwrap();
        assert_eq!(value(&ledger, Counter::ClientFailures, &[]), 3.0, "e2 was known, version {version}");
    }
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
