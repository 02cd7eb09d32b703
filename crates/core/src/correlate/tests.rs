#![allow(clippy::unwrap_used, clippy::panic)]

use chrono::{TimeZone, Utc};

use super::*;
use crate::model::{
    ClientFailure, Evidence, FailureKind, FailureText, InvocationRecord, LogRef, Metric, MetricPoint, MetricStats,
    Outcome, Tokens,
};

pub(super) const MODEL: &str = "us.anthropic.claude-sonnet-4-20250514-v1:0";

pub(super) fn at(second: i64) -> Time {
    Utc.with_ymd_and_hms(2026, 5, 1, 12, 0, 0).unwrap() + Duration::seconds(second)
}

pub(super) fn cell() -> Cell {
    Cell::new("111122223333", "us-east-1")
}

fn log(group: &str, event: &str, second: i64) -> LogRef {
    LogRef { group: group.into(), stream: "s".into(), event_id: event.into(), at: at(second) }
}

pub(super) fn failure(event: &str, second: i64, kind: FailureKind, request_id: Option<&str>) -> ClientFailure {
    ClientFailure {
        cell: cell(),
        application: "chat".into(),
        identity: None,
        at: at(second),
        log: log("/app", event, second),
        text: FailureText {
            request_id: request_id.map(str::to_owned),
            model: Some(ModelKey::parse(MODEL)),
            ..FailureText::new(kind)
        },
    }
}

pub(super) fn record(id: &str, second: i64, tokens: u64, error: Option<&str>) -> InvocationRecord {
    InvocationRecord {
        cell: cell(),
        request_id: id.into(),
        at: at(second),
        model: ModelKey::parse(MODEL),
        operation: None,
        error_code: error.map(Into::into),
        tokens: Tokens { input: tokens, output: tokens / 10, ..Tokens::default() },
        identity: None,
        own_id: None,
        inference_region: None,
        latency_seconds: None,
        first_byte_seconds: None,
        stream_ended: None,
        log: log("/bedrock", id, second),
    }
}

pub(super) fn correlator() -> Correlator {
    let settings = Settings {
        window: Duration::hours(1),
        horizon: Duration::minutes(30),
        invocations_count: InvocationsCount::Auto,
        cap: 1000,
    };
    Correlator::new(cell(), settings, Arc::new(PriceTable::builtin()))
}

fn with(observations: impl IntoIterator<Item = Observation>) -> Correlator {
    let mut correlator = correlator();
    for observation in observations {
        correlator.observe(&observation);
    }
    correlator
}

use FailureKind::{ReadTimeout, Rejected, ServiceUnavailable, Throttled};
use Observation::{Failure, Metric as Point, Record};

#[test]
fn a_failure_and_a_metered_record_of_one_request_are_a_confirmed_finding() {
    let mut correlator =
        with([Failure(failure("e1", 10, ServiceUnavailable, Some("r1"))), Record(record("r1", 7, 1000, None))]);
    let advance = correlator.advance(at(20));
    let [finding] = &advance.findings[..] else { panic!("{advance:?}") };
    assert_eq!((finding.evidence, finding.probability), (Evidence::Confirmed, 1.0));
    assert_eq!((finding.failure, finding.occurred_at), (ServiceUnavailable, at(7)));
    assert!((finding.cost_usd.unwrap() - 0.0045).abs() < 1e-12, "1,000 tokens at $3, 100 at $15 a million");
    assert!(finding.client_log.is_some() && finding.invocation_log.is_some());
    assert_eq!(advance.concluded[0].outcome, Outcome::Billed);
    assert_eq!(correlator.advance(at(30)), Advance::default(), "said once");
}

#[test]
fn a_record_without_tokens_is_no_finding_and_its_failure_was_not_billed() {
    let mut correlator = with([
        Failure(failure("e1", 10, Throttled, Some("r1"))),
        Record(record("r1", 7, 0, Some("ThrottlingException"))),
    ]);
    let advance = correlator.advance(at(20));
    assert!(advance.findings.is_empty());
    assert_eq!(advance.concluded[0].outcome, Outcome::NotBilled);
}

#[test]
fn a_record_with_error_and_tokens_is_confirmed_by_itself_and_revised_when_its_client_speaks() {
    let mut correlator = with([Record(record("r1", 7, 1000, Some("InternalServerException")))]);
    let first = correlator.advance(at(20)).findings.remove(0);
    assert_eq!((first.failure, first.revision, first.client_log.is_some()), (FailureKind::InternalError, 0, false));
    correlator.observe(&Failure(failure("e1", 10, ServiceUnavailable, Some("r1"))));
    let second = correlator.advance(at(25)).findings.remove(0);
    assert_eq!((second.failure, second.revision), (ServiceUnavailable, 1));
    assert_eq!((second.id, second.application.as_deref()), (first.id, Some("chat")));
}

#[test]
fn a_successful_record_and_a_rejected_call_are_no_findings() {
    let mut correlator = with([
        Record(record("fine", 7, 1000, None)),
        Failure(failure("e1", 10, Rejected, Some("r2"))),
        Record(record("r2", 8, 1000, None)),
        Record(record("r3", 8, 1000, Some("ValidationException"))),
    ]);
    let advance = correlator.advance(at(20));
    assert!(advance.findings.is_empty(), "{advance:?}");
    assert_eq!(advance.concluded[0].outcome, Outcome::NotBilled);
}

#[test]
fn two_lines_about_one_request_are_one_finding_told_by_the_earlier() {
    let mut correlator = with([
        Failure(failure("later", 12, ReadTimeout, Some("r1"))),
        Record(record("r1", 7, 1000, None)),
        Failure(failure("first", 10, ServiceUnavailable, Some("r1"))),
    ]);
    let advance = correlator.advance(at(20));
    assert_eq!(advance.findings.len(), 1);
    assert_eq!(&*advance.findings[0].client_log.as_ref().unwrap().event_id, "first");
    assert_eq!(advance.concluded.iter().map(|c| c.outcome).collect::<Vec<_>>(), [Outcome::Billed; 2]);
}

#[test]
fn an_own_id_joins_every_attempt_of_the_failed_call_and_says_which_came_next() {
    let own = |id: &str, second| InvocationRecord { own_id: Some("order-17".into()), ..record(id, second, 1000, None) };
    let mut told = failure("e1", 130, ReadTimeout, None);
    told.text.own_id = Some("order-17".into());
    let mut correlator = with([Record(own("a", 5)), Record(own("b", 68)), Failure(told), Record(own("after", 140))]);
    let findings = correlator.advance(at(200)).findings;
    let said: Vec<_> = findings.iter().map(|f| (f.request_id.as_deref().unwrap(), f.retry_of.as_deref())).collect();
    assert_eq!(said, [("a", Some("b")), ("b", None)], "a call after the failure is another one");
}

#[test]
fn a_failure_is_concluded_when_its_record_can_no_longer_come() {
    let mut correlator = with([
        Failure(failure("e1", 0, ServiceUnavailable, Some("r1"))),
        Failure(failure("e2", 0, ReadTimeout, None)),
        Failure(failure("e3", 0, Throttled, None)),
    ]);
    assert!(correlator.advance(at(10)).concluded.is_empty());
    assert_eq!(correlator.summary(at(10)).scopes[0].pending, 3);
    assert!(correlator.advance(at(1799)).concluded.is_empty());
    let outcomes: Vec<_> = correlator.advance(at(1800)).concluded.iter().map(|c| c.outcome).collect();
    assert_eq!(outcomes, [Outcome::NoRecord, Outcome::Expected, Outcome::NoRecord]);
    correlator.observe(&Record(record("r1", -3, 1000, None)));
    let late = correlator.advance(at(1900));
    assert_eq!((late.findings.len(), late.concluded.len()), (1, 0), "found all the same, concluded once");
}

#[test]
fn history_read_in_two_batches_is_not_concluded_between_them() {
    let mut correlator = with([Failure(failure("e1", 0, ServiceUnavailable, Some("r1")))]);
    let long_after = 3000;
    assert!(correlator.advance(at(long_after)).concluded.is_empty());
    correlator.observe(&Record(record("r1", -3, 1000, None)));
    assert_eq!(correlator.advance(at(long_after + 5)).concluded[0].outcome, Outcome::Billed);
}

#[test]
fn the_cap_drops_the_oldest_and_counts_them() {
    let mut correlator = correlator();
    for index in 0..1010 {
        correlator.observe(&Record(record(&format!("r{index}"), index, 10, None)));
    }
    correlator.advance(at(1100));
    assert_eq!(correlator.summary(at(1100)).evicted, 10);
}

#[test]
fn a_call_of_another_cell_is_none_of_its_business() {
    let mut other = record("r1", 7, 1000, Some("InternalServerException"));
    other.cell = Cell::new("999988887777", "us-east-1");
    assert!(with([Record(other)]).advance(at(20)).findings.is_empty());
}

pub(super) fn point(metric: Metric, minute: i64, samples: f64, each: f64) -> MetricPoint {
    MetricPoint {
        cell: cell(),
        model: Some(ModelKey::parse(MODEL)),
        metric,
        minute: at(minute * 60),
        stats: MetricStats { sum: samples * each, sample_count: samples, minimum: Some(each), ..Default::default() },
        settled: true,
    }
}

/// Fifty minutes of ten successes; in ten of them two more fail and are billed.
fn metrics() -> Vec<Observation> {
    let mut points = Vec::new();
    for minute in 0..50 {
        let failed = if (20..30).contains(&minute) { 2.0 } else { 0.0 };
        points.push(point(Metric::Invocations, minute, 10.0, 1.0));
        points.push(point(Metric::EstimatedTPMQuotaUsage, minute, 10.0, 700.0));
        points.push(point(Metric::InputTokenCount, minute, 10.0 + failed, 500.0));
        if failed > 0.0 {
            points.push(point(Metric::InvocationServerErrors, minute, failed, 1.0));
        }
    }
    points.into_iter().map(Point).collect()
}

#[test]
fn what_is_named_is_not_estimated_again_and_the_grades_add_up_to_the_best_total() {
    let mut correlator = with(metrics());
    correlator.advance(at(3600));
    let before = correlator.summary(at(3600)).scopes.remove(0);
    assert_eq!((before.confirmed.count, before.state), (0, EstimateState::Calibrated));
    assert!((before.estimated - 20.0).abs() < 1e-9, "{before:?}");
    assert!(before.estimated_cost_usd.unwrap() > 0.0);

    for index in 0..5 {
        correlator.observe(&Record(record(
            &format!("r{index}"),
            1300 + index,
            1000,
            Some("ServiceUnavailableException"),
        )));
    }
    correlator.observe(&Failure(failure("e1", 1400, ReadTimeout, Some("timeout"))));
    correlator.observe(&Record(record("timeout", 1340, 1000, None)));
    correlator.advance(at(3600));
    let after = correlator.summary(at(3600)).scopes.remove(0);
    assert_eq!(after.confirmed.count, 6);
    assert!((after.estimated - 15.0).abs() < 1e-9, "20 on AWS's side, 5 of them named: {after:?}");
    assert!(after.lower <= 21.0 && 21.0 <= after.upper, "{after:?}");
    assert!(after.lower >= 6.0, "never below what is certain: {after:?}");
}

#[test]
fn a_finding_leaves_the_gauges_when_it_leaves_the_window() {
    let mut correlator = with([Record(record("r1", 0, 1000, Some("InternalServerException")))]);
    correlator.advance(at(10));
    let confirmed = |correlator: &Correlator, second| correlator.summary(at(second)).scopes[0].confirmed.count;
    assert_eq!((confirmed(&correlator, 3600), confirmed(&correlator, 3601)), (1, 0));
}
