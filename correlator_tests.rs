#![allow(clippy::unwrap_used, clippy::panic)]

use super::super::fixtures::{at, cell, failure_of, minute, record};
use super::*;
use crate::model::{FailureKind, Outcome};

fn with_cap(cap: usize) -> Correlator {
    Correlator::new(cell(), Settings { cap, ..Settings::default() }, Arc::new(PriceTable::builtin()))
}

#[test]
fn beyond_the_cap_the_oldest_go_and_are_counted() {
    let mut correlator = with_cap(3);
    for n in 0..5 {
        correlator.observe(&record(n, &format!("r{n}"), |_| {}));
    }
    assert_eq!(correlator.summary(at(10)).evicted, 2);
    correlator.observe(&failure_of(10, "e1", FailureKind::ReadTimeout, "r4"));
    assert_eq!(correlator.advance(at(11)).findings.len(), 1, "the newest are still there");
    correlator.observe(&record(0, "r0", |_| {}));
    assert_eq!(correlator.summary(at(12)).evicted, 4, "what is older than the evicted is not kept either");
}

#[test]
fn what_is_evicted_is_decided_first() {
    let mut correlator = with_cap(2);
    correlator.observe(&record(0, "r0", |record| record.error_code = Some("InternalServerException".into())));
    correlator.observe(&failure_of(1, "e1", FailureKind::ReadTimeout, "r9"));
    correlator.observe(&record(2, "r2", |_| {}));
    correlator.observe(&record(3, "r3", |_| {}));
    let advance = correlator.advance(at(4));
    assert_eq!(advance.findings.len(), 1);
    assert_eq!(advance.concluded.len(), 1);
    assert_eq!(advance.concluded[0].outcome, Outcome::NoRecord);
    assert_eq!(correlator.advance(minute(60)), Advance::default());
}

#[test]
fn what_is_older_than_the_retention_is_forgotten_without_being_evicted() {
    let mut correlator = with_cap(1_000);
    correlator.observe(&record(0, "r0", |_| {}));
    correlator.advance(minute(76));
    correlator.observe(&failure_of(30, "e1", FailureKind::ReadTimeout, "r0"));
    assert_eq!(correlator.advance(minute(77)), Advance::default());
    assert_eq!(correlator.open.len(), 0);
    assert_eq!(correlator.summary(minute(77)).evicted, 0);
}

#[test]
fn findings_come_in_the_order_of_their_time() {
    let mut correlator = with_cap(1_000);
    for (seconds, id) in [(3, "a"), (1, "c"), (2, "b")] {
        correlator.observe(&record(seconds, id, |record| record.error_code = Some("503".into())));
    }
    let findings = correlator.advance(at(5)).findings;
    let times: Vec<_> = findings.iter().map(|finding| finding.occurred_at).collect();
    assert_eq!(times, [at(1), at(2), at(3)]);
}

#[test]
fn a_quiet_cell_forgets_and_decides_nothing() {
    let mut correlator = with_cap(1_000);
    assert_eq!(correlator.advance(minute(0)), Advance::default());
    let summary = correlator.summary(minute(0));
    assert_eq!((summary.scopes.len(), summary.evicted, summary.window), (0, 0, Duration::hours(1)));
}
