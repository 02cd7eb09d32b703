#![allow(clippy::unwrap_used, clippy::panic, clippy::cast_possible_truncation)]

use chrono::{TimeZone, Utc};

use super::*;
use crate::model::{FailureKind, FailureText, LogRef, MetricPoint, MetricStats, Tokens};

const MODEL: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const OTHER_ROUTE: &str = "global.anthropic.claude-sonnet-4-5-20250929-v1:0";
/// Minutes in which it goes wrong.
const HOT: std::ops::Range<i64> = 60..75;
const END: i64 = 120;

fn at(minute: i64) -> Time {
    Utc.with_ymd_and_hms(2026, 5, 1, 10, 0, 0).unwrap() + Duration::minutes(minute)
}

fn cell() -> Cell {
    Cell::new("111122223333", "us-east-1")
}

/// What a cell observed.
#[derive(Default)]
struct Seen {
    incidents: Incidents,
    minutes: Minutes,
    lines: u32,
}

impl Seen {
    /// Two hours in which `rate` requests a minute succeed, `load` times as many while it goes wrong.
    fn with_traffic(rate: f64, load: f64) -> Self {
        let mut seen = Self::default();
        seen.traffic(MODEL, rate, load);
        seen
    }

    fn traffic(&mut self, model: &str, rate: f64, load: f64) {
        for minute in 0..END {
            let now = if HOT.contains(&minute) { rate * load } else { rate };
            self.point(model, Metric::Invocations, minute, now, 1.0);
            self.point(model, Metric::InvocationLatency, minute, now, 4.0);
        }
    }

    fn point(&mut self, model: &str, metric: Metric, minute: i64, samples: f64, each: f64) {
        let p99 = metric.is_latency().then_some(each * 2.5);
        let stats = MetricStats { sum: samples * each, sample_count: samples, p99, ..MetricStats::default() };
        let model = Some(ModelKey::parse(model));
        let point = MetricPoint { cell: cell(), model, metric, minute: at(minute), stats, settled: true };
        if self.minutes.add(&point) {
            self.incidents.metrics_changed();
        }
    }

    /// While it goes wrong, so many each minute.
    fn errors(&mut self, metric: Metric, each_minute: f64) {
        HOT.for_each(|minute| self.point(MODEL, metric, minute, each_minute, 1.0));
    }

    fn line(&mut self, minute: i64, stream: &str, kind: FailureKind, elapsed: Option<f64>) {
        self.lines += 1;
        let event_id = format!("e{}", self.lines).into();
        let at = at(minute) + elapsed.map_or_else(Duration::zero, |e| Duration::milliseconds((e * 1000.0) as i64));
        let log = LogRef { group: "/app".into(), stream: stream.into(), event_id, at };
        let text =
            FailureText { model: Some(ModelKey::parse(MODEL)), elapsed_seconds: elapsed, ..FailureText::new(kind) };
        let application = "chat-api".into();
        self.incidents.add_failure(&ClientFailure { cell: cell(), application, identity: None, at, log, text });
    }

    /// While it goes wrong, one line each minute of these streams.
    fn lines(&mut self, streams: &[&str], kind: FailureKind, elapsed: Option<f64>) {
        for minute in HOT {
            streams.iter().for_each(|stream| self.line(minute, stream, kind, elapsed));
        }
    }

    fn records(&mut self, code: &str, each_minute: u32) {
        for minute in HOT {
            for index in 0..each_minute {
                let id = format!("r{code}{minute}-{index}");
                let log =
                    LogRef { group: "/b".into(), stream: "s".into(), event_id: id.as_str().into(), at: at(minute) };
                self.incidents.add_record(&InvocationRecord {
                    cell: cell(),
                    request_id: id.into(),
                    at: at(minute),
                    model: ModelKey::parse(MODEL),
                    operation: None,
                    error_code: Some(code.into()),
                    tokens: Tokens::default(),
                    identity: None,
                    own_id: None,
                    inference_region: None,
                    latency_seconds: None,
                    first_byte_seconds: None,
                    stream_ended: None,
                    log,
                });
            }
        }
    }

    fn at(&mut self, minute: i64) -> Vec<Incident> {
        self.incidents.advance(&cell(), &self.minutes, at(minute), |_, _| (3.0, Some(0.5)))
    }

    fn only(&mut self) -> Incident {
        let mut found = self.at(END);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }
}

fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn many_503s_are_server_capacity_from_the_first_minute_that_stands_out_to_the_last() {
    let mut seen = Seen::with_traffic(60.0, 1.0);
    seen.errors(Metric::InvocationServerErrors, 20.0);
    seen.records("ServiceUnavailableException", 20);
    let incident = seen.only();
    assert_eq!((incident.cause, incident.low_load), (Cause::ServerCapacity, false));
    assert_eq!((incident.started_at, incident.ended_at), (at(60), Some(at(75))));
    assert!(incident.score > 0.9 && (295..=300).contains(&incident.failures), "{incident:?}");
    assert_eq!((incident.billed_failed, incident.cost_usd), (3.0, Some(0.5)));
    assert_says(&incident.evidence, &["11:00 to 11:15 UTC", "of 1200 requests", "failed with 503"]);
    assert_says(&incident.remedy, &["full jitter", "cross-region inference will not help here"]);
}

#[test]
fn capacity_that_fails_well_below_the_usual_rate_is_low_load_503() {
    let mut seen = Seen::with_traffic(60.0, 0.3);
    seen.errors(Metric::InvocationServerErrors, 12.0);
    let incident = seen.only();
    assert_eq!((incident.cause, incident.low_load), (Cause::ServerCapacity, true));
    assert_says(&incident.evidence, &["low-load 503", "30.0 requests a minute", "0.50 of the usual 60.0"]);
    assert_says(&incident.remedy, &["more quota will not help", "Provisioned throughput"]);
}

#[test]
fn routes_are_compared_by_their_numbers_in_the_same_minutes() {
    let mut seen = Seen::with_traffic(60.0, 1.0);
    seen.errors(Metric::InvocationServerErrors, 20.0);
    seen.traffic(OTHER_ROUTE, 30.0, 1.0);
    let better = seen.only();
    assert_says(&better.remedy, &["send these calls over the route global"]);

    let mut seen = Seen::with_traffic(60.0, 1.0);
    seen.errors(Metric::InvocationServerErrors, 20.0);
    seen.traffic(OTHER_ROUTE, 30.0, 1.0);
    HOT.for_each(|minute| seen.point(OTHER_ROUTE, Metric::InvocationServerErrors, minute, 9.0, 1.0));
    let both = seen.at(END);
    assert_eq!(both.len(), 2, "each route is a scope of its own");
    for incident in both {
        assert_says(&incident.remedy, &["Cross-region inference will not help here", "23.", "25.0 %"].map(|text| text));
    }
}

#[test]
fn many_429s_are_throttling_and_quota_is_the_remedy() {
    let mut seen = Seen::with_traffic(60.0, 1.5);
    seen.errors(Metric::InvocationThrottles, 40.0);
    let incident = seen.only();
    assert_eq!(incident.cause, Cause::Throttling);
    assert_says(&incident.evidence, &["600 of 1950 requests", "throttled", "times the usual 60.0"]);
    assert_says(&incident.remedy, &["Ask for a quota", "jitter"]);
}

#[test]
fn timeouts_while_answers_are_slow_are_the_clients_and_the_remedy_names_the_timeout() {
    let mut seen = Seen::with_traffic(60.0, 1.0);
    HOT.for_each(|minute| seen.point(MODEL, Metric::InvocationLatency, minute, 61.0, 40.0));
    seen.lines(&["a", "b"], FailureKind::ReadTimeout, Some(60.4));
    let incident = seen.only();
    assert_eq!(incident.cause, Cause::ClientTimeout);
    assert_eq!(incident.started_at, at(60), "the calls began before their lines were written");
    assert_says(&incident.evidence, &["gave up on 30", "after 60 s", "100 s or longer", "mean 40.0 s, usually 4.0 s"]);
    assert_says(&incident.remedy, &["of chat-api from 60 s to 180 s", "stream"]);
}

#[test]
fn connections_lost_in_several_streams_at_once_are_the_network() {
    let mut seen = Seen::with_traffic(60.0, 1.0);
    seen.lines(&["a", "b", "c"], FailureKind::ConnectionReset, Some(2.0));
    seen.lines(&["a"], FailureKind::ReadTimeout, Some(60.0));
    let incident = seen.only();
    assert_eq!(incident.cause, Cause::Network, "timeouts while answers come as usual: {incident:?}");
    assert!(incident.score > 0.95, "{incident:?}");
    assert_says(&incident.evidence, &["45 connections were lost in 3 log streams", "15 calls timed out"]);
}

#[test]
fn connections_lost_after_350_seconds_are_a_gateways_and_keep_alive_is_the_remedy() {
    let mut seen = Seen::with_traffic(60.0, 1.0);
    HOT.for_each(|minute| seen.point(MODEL, Metric::InvocationLatency, minute, 61.0, 90.0));
    seen.lines(&["a"], FailureKind::ConnectionReset, Some(350.4));
    let incident = seen.only();
    assert_eq!(incident.cause, Cause::Network);
    assert_says(&incident.evidence, &["15 of them 350 s after the call began"]);
    assert_says(&incident.remedy, &["keep-alive", "below 350 s"]);
}

#[test]
fn many_424s_are_the_models() {
    let mut seen = Seen::with_traffic(60.0, 1.0);
    seen.errors(Metric::InvocationClientErrors, 10.0);
    seen.records("ModelErrorException", 10);
    let incident = seen.only();
    assert_eq!(incident.cause, Cause::ModelError);
    assert!(incident.score > 0.9, "{incident:?}");
    assert_says(&incident.evidence, &["150 times 424"]);
}

#[test]
fn many_500s_without_503s_are_the_models() {
    let mut seen = Seen::with_traffic(60.0, 1.0);
    seen.errors(Metric::InvocationServerErrors, 10.0);
    seen.records("InternalServerException", 10);
    assert_eq!(seen.only().cause, Cause::ModelError);
}

#[test]
fn rejected_requests_are_the_callers_mistake() {
    let mut seen = Seen::with_traffic(60.0, 1.0);
    seen.errors(Metric::InvocationClientErrors, 10.0);
    seen.lines(&["a"], FailureKind::Rejected, None);
    let incident = seen.only();
    assert_eq!(incident.cause, Cause::ClientRequest);
    assert_says(&incident.remedy, &["do not retry"]);
}

#[test]
fn errors_that_nothing_tells_apart_have_no_sure_cause() {
    let mut seen = Seen::with_traffic(60.0, 1.0);
    seen.errors(Metric::InvocationClientErrors, 10.0);
    let incident = seen.only();
    assert!(incident.score < 0.7, "{incident:?}");
}

#[test]
fn the_failures_of_every_day_are_no_incident() {
    let mut seen = Seen::with_traffic(600.0, 1.0);
    for minute in 0..END {
        let failed = [0.0, 1.0, 0.0, 2.0, 1.0, 3.0, 0.0][usize::try_from(minute % 7).unwrap()];
        seen.point(MODEL, Metric::InvocationServerErrors, minute, failed, 1.0);
    }
    assert!(seen.at(END).is_empty());
}

#[test]
fn an_incident_goes_on_until_calm_minutes_close_it_and_is_told_again_only_when_it_changed() {
    let mut seen = Seen::default();
    let mut told = Vec::new();
    for minute in 0..END {
        seen.point(MODEL, Metric::Invocations, minute, 60.0, 1.0);
        if HOT.contains(&minute) && minute != 68 {
            seen.point(MODEL, Metric::InvocationServerErrors, minute, 20.0, 1.0);
        }
        told.extend(seen.at(minute).into_iter().map(|incident| (minute, incident)));
    }
    let ids: std::collections::BTreeSet<_> = told.iter().map(|(_, incident)| incident.id.clone()).collect();
    assert_eq!(ids.len(), 1, "one calm minute does not end it: {ids:?}");
    let (_, first) = &told[0];
    assert_eq!((first.started_at, first.ended_at, first.revision), (at(60), None, 0));
    let (ended, last) = told.last().unwrap();
    assert_eq!(last.ended_at, Some(at(75)));
    assert!((76..=85).contains(ended), "over soon after, at {ended}");
    assert!(told.windows(2).all(|pair| pair[0].1.revision + 1 == pair[1].1.revision), "{told:?}");
}

#[test]
fn an_incident_whose_beginning_moves_is_told_of_anew_and_the_old_one_taken_back() {
    let mut seen = Seen::with_traffic(60.0, 1.0);
    seen.errors(Metric::InvocationServerErrors, 20.0);
    let before = seen.only();
    (57..60).for_each(|minute| seen.point(MODEL, Metric::InvocationServerErrors, minute, 20.0, 1.0));
    let after = seen.at(END + 1);
    let standing: Vec<_> = after.iter().filter(|incident| incident.failures > 0).collect();
    assert_eq!(standing.iter().map(|incident| incident.started_at).collect::<Vec<_>>(), [at(57)]);
    assert!(after.iter().any(|incident| incident.id == before.id && incident.failures == 0), "{after:?}");
}

#[test]
fn a_line_read_twice_counts_once_and_a_line_without_a_model_counts_where_its_application_calls() {
    let mut seen = Seen::with_traffic(60.0, 1.0);
    seen.traffic("amazon.nova-pro-v1:0", 60.0, 1.0);
    let text = FailureText::new(FailureKind::ConnectionReset);
    for minute in 0..4 {
        for _twice in 0..2 {
            let log =
                LogRef { group: "/app".into(), stream: "s".into(), event_id: format!("{minute}").into(), at: at(60) };
            let at = at(60 + minute);
            let failure = ClientFailure {
                cell: cell(),
                application: "chat-api".into(),
                identity: None,
                at,
                log,
                text: text.clone(),
            };
            seen.incidents.add_failure(&failure);
        }
    }
    assert!(seen.at(END).is_empty(), "four are too few");
    seen.line(64, "s", FailureKind::ConnectionReset, None);
    seen.line(65, "s", FailureKind::ConnectionReset, None);
    let incident = seen.at(END + 1).remove(0);
    assert_eq!(incident.scope.model, ModelKey::parse(MODEL), "{incident:?}");
    assert!(incident.failures >= 5, "{incident:?}");
}
