//! Where failures stand out from what is usual: runs of minutes, found by a bounded cumulative sum.
//!
//! Each minute scores the log-likelihood ratio of an incident's rate of failures against the usual one. The sum of the
//! scores never falls below 0 and is bounded above, so that a run opens on evidence, survives a few calm minutes, and
//! closes soon after the trouble is over, whatever the traffic.

use chrono::Duration;

use crate::model::Time;

/// A run opens at this score: odds of e^12 to 1.
const OPEN: f64 = 12.0;
/// The score is bounded here.
const MOST: f64 = 18.0;
/// A run survives at least this many calm minutes.
const CALM_MINUTES: f64 = 5.0;
/// It is over after them when at its own share of failures so many should have come meanwhile.
const MISSED: f64 = 8.0;
/// And at most so many without any failure.
const SILENCE: Duration = Duration::minutes(30);
/// Fewer failures beyond the usual are no incident.
const FEWEST: f64 = 5.0;
/// Shares of requests that fail in an incident, of which one is tried after the other.
const SHARES: [f64; 3] = [0.01, 0.05, 0.25];
/// What is usual is never taken to be more than this share: a service that always fails is an incident.
const MOST_USUAL: f64 = 0.02;
/// Until enough was seen, half a failure in so many requests is taken for usual.
const PRIOR_REQUESTS: f64 = 1_000.0;

/// One minute of one kind of failure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Minute {
    pub at: Time,
    pub failures: f64,
    pub requests: f64,
}

/// A run of minutes that stand out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Segment {
    pub start: Time,
    /// The end of its last minute.
    pub end: Time,
    /// Whether it may go on: nothing has closed it yet.
    pub open: bool,
}

/// The usual share of requests that fail, and the runs in which far more do. Minutes are in order; those without
/// failures may be left out where there were no requests either.
pub(super) fn find(minutes: &[Minute], now: Time) -> (f64, Vec<Segment>) {
    let mut usual = share(minutes, &[]).min(typical(minutes)).min(MOST_USUAL);
    let mut found = segments(minutes, usual, now);
    // What stands out is not part of what is usual.
    for _ in 0..3 {
        let again = share(minutes, &found).min(MOST_USUAL);
        if (again - usual).abs() < usual * 0.05 {
            break;
        }
        usual = again;
        found = segments(minutes, usual, now);
    }
    (usual, found)
}

fn share(minutes: &[Minute], without: &[Segment]) -> f64 {
    let outside =
        minutes.iter().filter(|minute| !without.iter().any(|run| run.start <= minute.at && minute.at < run.end));
    let (failures, requests) =
        outside.fold((0.5, PRIOR_REQUESTS), |(f, r), minute| (f + minute.failures, r + minute.requests));
    failures / requests
}

/// The median share of blocks of ten minutes, for a first guess that an incident does not spoil.
fn typical(minutes: &[Minute]) -> f64 {
    let mut shares: Vec<f64> = minutes
        .chunks(10)
        .map(|block| {
            let (failures, requests) = block.iter().fold((0.0, 0.0), |(f, r), m| (f + m.failures, r + m.requests));
            failures / f64::max(requests, 1.0)
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    shares.get(shares.len() / 2).copied().unwrap_or(0.0) + 0.5 / PRIOR_REQUESTS
}

fn segments(minutes: &[Minute], usual: f64, now: Time) -> Vec<Segment> {
    let mut all: Vec<Segment> = SHARES
        .iter()
        .filter(|share| **share > usual * 2.5)
        .flat_map(|share| run(minutes, usual, *share, now))
        .collect();
    all.sort_by_key(|segment| (segment.start, segment.end));
    merge(all, Duration::zero())
}

/// Segments that touch, or lie no further apart than this, are one.
pub(super) fn merge(sorted: Vec<Segment>, gap: Duration) -> Vec<Segment> {
    let mut merged: Vec<Segment> = Vec::new();
    for segment in sorted {
        match merged.last_mut() {
            Some(last) if segment.start <= last.end + gap => {
                last.open |= segment.open && segment.end >= last.end;
                last.end = last.end.max(segment.end);
            }
            _ => merged.push(segment),
        }
    }
    merged
}

/// A run under way.
struct Run {
    score: f64,
    start: Time,
    last_failure: Time,
    failures: f64,
    expected: f64,
    requests: f64,
    /// Requests since its last failure.
    calm: f64,
    opened: bool,
}

fn run(minutes: &[Minute], usual: f64, share: f64, now: Time) -> Vec<Segment> {
    let gain = (share / usual).ln();
    let mut runs = Vec::new();
    let mut current: Option<Run> = None;
    for minute in minutes {
        let expected = usual * minute.requests;
        let step = (minute.failures * gain - (share - usual) * minute.requests).clamp(-MOST / CALM_MINUTES, MOST);
        if current.as_ref().is_some_and(|run| run.is_over(minute.at)) {
            runs.extend(current.take().and_then(|run| run.close(false)));
        }
        match &mut current {
            None if step > 0.0 => {
                current = Some(Run {
                    score: step,
                    start: minute.at,
                    last_failure: minute.at,
                    failures: minute.failures,
                    expected,
                    requests: minute.requests,
                    calm: 0.0,
                    opened: step >= OPEN,
                });
            }
            None => {}
            Some(run) => {
                run.score = (run.score + step).min(MOST);
                run.failures += minute.failures;
                run.expected += expected;
                run.requests += minute.requests;
                run.calm += minute.requests;
                run.opened |= run.score >= OPEN;
                if minute.failures > expected && minute.failures > 0.0 {
                    run.last_failure = minute.at;
                    run.calm = 0.0;
                }
                if run.score <= 0.0 {
                    runs.extend(current.take().and_then(|run| run.close(false)));
                }
            }
        }
    }
    runs.extend(current.and_then(|run| {
        let open = !run.is_over(now);
        run.close(open)
    }));
    runs
}

impl Run {
    fn is_over(&self, now: Time) -> bool {
        let silent = now - self.last_failure;
        let missed = self.calm * self.failures / (self.requests - self.calm).max(1.0);
        silent > SILENCE || (silent.as_seconds_f64() > CALM_MINUTES * 60.0 && missed >= MISSED)
    }

    fn close(self, open: bool) -> Option<Segment> {
        let end = self.last_failure + Duration::minutes(1);
        (self.opened && self.failures - self.expected >= FEWEST).then_some(Segment { start: self.start, end, open })
    }
}

/// How far a count is above what was expected, in standard deviations: the signed root of the log-likelihood ratio.
pub(super) fn z(count: f64, expected: f64) -> f64 {
    let expected = expected.max(1e-9);
    if count <= expected {
        return 0.0;
    }
    (2.0 * (count * (count / expected).ln() - (count - expected))).max(0.0).sqrt()
}
