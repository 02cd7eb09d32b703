//! What a report does not cover, and why: whoever reads it must know where it is blind.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::Duration;
use faultline_core::model::{Cell, Metric, Time};
use serde::Serialize;

use super::{Request, ScopeTotals, finding::model_name};
use crate::ledger::{Covered, FailuresTally, StateSpan, Usage, rfc3339};

/// Sources lag behind by so much as a rule: no gap.
const LAG: Duration = Duration::minutes(20);
/// Less than this between two spans is no gap.
const LEAST: Duration = Duration::minutes(1);
/// The most gaps of one kind that are told one by one.
const MOST: usize = 40;
/// Every source, with what is missing where it was not read.
const SOURCES: [(&str, &str); 3] = [
    ("metrics", "CloudWatch metrics were not read: no estimate from metrics, and no error rates for the SLA"),
    ("logs", "application logs were not read: failures that only clients saw are missing"),
    ("invocations", "the invocation log was not read: no failed call of that time can be confirmed"),
];

/// Something a report does not cover.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gap {
    /// Whose.
    pub account_id: Arc<str>,
    /// Where.
    pub aws_region: Arc<str>,
    /// From here, where it has a time.
    pub since: Option<String>,
    /// Until here.
    pub until: Option<String>,
    /// What, in one sentence.
    pub what: String,
}

impl Gap {
    fn new(cell: &Cell, span: Option<(Time, Time)>, what: String) -> Self {
        Self {
            account_id: Arc::clone(&cell.account_id),
            aws_region: Arc::clone(&cell.region),
            since: span.map(|(since, _)| rfc3339(since)),
            until: span.map(|(_, until)| rfc3339(until)),
            what,
        }
    }
}

/// What is known of a period besides its findings.
pub(super) struct Known<'a> {
    pub(super) covered: &'a [Covered],
    pub(super) states: &'a [StateSpan],
    pub(super) usage: &'a [Usage],
    pub(super) failures: &'a [FailuresTally],
    pub(super) scopes: &'a [ScopeTotals],
}

/// Everything that is not covered.
pub(super) fn gaps(known: &Known<'_>, request: &Request) -> Vec<Gap> {
    let mut gaps = Vec::new();
    unread(&mut gaps, known, request);
    troubles(&mut gaps, known, request);
    lost_records(&mut gaps, known);
    open_failures(&mut gaps, known);
    scopes(&mut gaps, known);
    gaps
}

/// Stretches of time that a source did not read.
fn unread(gaps: &mut Vec<Gap>, known: &Known<'_>, request: &Request) {
    let until = request.until.min(request.now - LAG);
    /// By the name of the place: the spans that were read.
    type Read<'a> = BTreeMap<&'a str, Vec<(Time, Time)>>;
    let mut places: BTreeMap<(&Cell, &str), Read<'_>> = BTreeMap::new();
    let of_usage = known.usage.iter().map(|usage| &usage.cell);
    let of_failures = known.failures.iter().map(|tally| &tally.cell);
    let of_states = known.states.iter().map(|span| &span.cell);
    let cells: BTreeSet<&Cell> =
        of_usage.chain(of_failures).chain(of_states).chain(known.covered.iter().map(|span| &span.cell)).collect();
    for span in known.covered {
        let spans = places.entry((&span.cell, &span.source)).or_default().entry(&span.name).or_default();
        spans.push((span.since, span.until));
    }
    for cell in cells {
        for (source, what) in SOURCES {
            let Some(names) = places.get(&(cell, source)) else {
                gaps.push(Gap::new(cell, Some((request.since, request.until)), format!("never: {what}")));
                continue;
            };
            for (name, spans) in names {
                let place = if name.is_empty() { String::new() } else { format!(" ({name})") };
                for hole in holes(spans, request.since, until) {
                    gaps.push(Gap::new(cell, Some(hole), format!("{what}{place}")));
                }
            }
        }
    }
}

/// What of `since..until` no span covers; spans are in order and apart.
fn holes(spans: &[(Time, Time)], since: Time, until: Time) -> Vec<(Time, Time)> {
    let mut holes = Vec::new();
    let mut at = since;
    for (begin, end) in spans.iter().copied().chain([(until, until)]) {
        let begin = begin.min(until);
        if begin - at >= LEAST {
            holes.push((at, begin));
        }
        at = at.max(end);
    }
    holes
}

/// Times in which a source was refused, or the daemon was not running. Most is read later; it is told all the same.
fn troubles(gaps: &mut Vec<Gap>, known: &Known<'_>, request: &Request) {
    let was_read_later = |cell: &Cell, source: &str, since: Time, until: Time| {
        let mut spans = known.covered.iter().filter(|span| span.cell == *cell && span.source == source);
        spans.any(|span| span.since <= since && span.until >= until)
    };
    let mut told = 0;
    let mut tell = |cell: &Cell, source: &str, (since, until): (Time, Time), what: String| {
        let since = since.max(request.since);
        let later = if was_read_later(cell, source, since, until) {
            "what belongs to that time was read later"
        } else {
            "not all that belongs to that time was read later"
        };
        told += 1;
        if told <= MOST {
            gaps.push(Gap::new(cell, Some((since, until)), format!("{what}; {later}")));
        }
    };
    for (index, span) in known.states.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| &known.states[index]);
        if let Some(before) = before.filter(|before| before.cell == span.cell && before.source == span.source)
            && span.since - before.until > Duration::minutes(5)
        {
            let what = format!("{}: Faultline was not running", span.source);
            tell(&span.cell, &span.source, (before.until, span.since), what);
        }
        if !matches!(&*span.state, "ok" | "no_traffic" | "nothing_discovered" | "partial") && span.until > span.since {
            let detail = if span.detail.is_empty() { String::new() } else { format!(" ({})", span.detail) };
            let what = format!("{}: {}{detail}", span.source, span.state.replace('_', " "));
            tell(&span.cell, &span.source, (span.since, span.until), what);
        }
    }
    if told > MOST
        && let Some(span) = known.states.first()
    {
        let what = format!("and {} more such times, of all sources together", told - MOST);
        gaps.push(Gap::new(&span.cell, None, what));
    }
}

/// Invocation records that Bedrock could not deliver.
fn lost_records(gaps: &mut Vec<Gap>, known: &Known<'_>) {
    let mut lost: BTreeMap<(&Cell, Time), f64> = BTreeMap::new();
    let mut delivered: BTreeSet<&Cell> = BTreeSet::new();
    let mut called: BTreeSet<&Cell> = BTreeSet::new();
    for usage in known.usage.iter().filter(|usage| usage.stats.sum > 0.0) {
        match usage.metric {
            Metric::ModelInvocationLogsCloudWatchDeliveryFailure => {
                *lost.entry((&usage.cell, super::bounds::day_of(usage.start))).or_default() += usage.stats.sum;
            }
            Metric::ModelInvocationLogsCloudWatchDeliverySuccess => drop(delivered.insert(&usage.cell)),
            Metric::Invocations => drop(called.insert(&usage.cell)),
            _ => {}
        }
    }
    for ((cell, day), records) in lost {
        let what =
            format!("Bedrock failed to deliver {records:.0} invocation records: calls among them cannot be confirmed");
        gaps.push(Gap::new(cell, Some((day, day + Duration::days(1))), what));
    }
    for cell in called.difference(&delivered) {
        let what = "models were called, but CloudWatch shows no delivery of invocation records: invocation logging was \
                    off, or it reports no such metric here";
        gaps.push(Gap::new(cell, None, what.to_owned()));
    }
}

/// Client failures that are in the bounds only.
fn open_failures(gaps: &mut Vec<Gap>, known: &Known<'_>) {
    let mut numbers: BTreeMap<&Cell, (u64, u64)> = BTreeMap::new();
    for tally in known.failures {
        let (open, unjoined) = numbers.entry(&tally.cell).or_default();
        match tally.outcome.as_deref() {
            None => *open += tally.count,
            Some("expected") => *unjoined += tally.count,
            Some(_) => {}
        }
    }
    for (cell, (open, unjoined)) in numbers {
        if open > 0 {
            let what = format!("client failures that are not concluded yet, whose records may still come: {open}");
            gaps.push(Gap::new(cell, None, what));
        }
        if unjoined > 0 {
            let what = format!(
                "client failures that name no request and were joined to no record, which are in the upper bound only: {unjoined}"
            );
            gaps.push(Gap::new(cell, None, what));
        }
    }
}

/// Models whose metrics or prices are of no use.
fn scopes(gaps: &mut Vec<Gap>, known: &Known<'_>) {
    for scope in known.scopes {
        let cell = Cell { account_id: Arc::clone(&scope.account_id), region: Arc::clone(&scope.aws_region) };
        let model = model_name(&scope.model_id, scope.route);
        if let Some((last, reason)) = scope.uncalibrated.last() {
            let days = scope.uncalibrated.len();
            let what = format!(
                "{model}: nothing is estimated from its metrics on {days} {}, last on {last}: {reason}",
                if days == 1 { "day" } else { "days" }
            );
            gaps.push(Gap::new(&cell, None, what));
        }
        if scope.totals.found.unpriced > 0 {
            let what = format!(
                "{model} has no known price, and {} of its findings are in no amount of dollars; name one with `prices`",
                scope.totals.found.unpriced
            );
            gaps.push(Gap::new(&cell, None, what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_what_no_span_covers() {
        let at = |second: i64| Time::UNIX_EPOCH + Duration::minutes(second);
        let span = |(since, until)| (at(since), at(until));
        let holes = |spans: &[(i64, i64)]| {
            let spans: Vec<_> = spans.iter().copied().map(span).collect();
            let minute = |time: Time| time.timestamp() / 60;
            self::holes(&spans, at(10), at(100)).into_iter().map(|(a, b)| (minute(a), minute(b))).collect::<Vec<_>>()
        };
        assert_eq!(holes(&[]), [(10, 100)]);
        assert_eq!(holes(&[(0, 200)]), []);
        assert_eq!(holes(&[(0, 20), (40, 60)]), [(20, 40), (60, 100)]);
        assert_eq!(holes(&[(50, 200)]), [(10, 50)]);
        assert_eq!(holes(&[(0, 5), (100, 120)]), [(10, 100)]);
    }
}
