//! What is known of one incident: the facts that detectors weigh.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    segments::z,
    series::{Series, SeriesOfScope},
    signals::{Signal, Teller},
};
use crate::model::{FailureKind, Route, Scope, Time};

/// What a NAT gateway, a VPC endpoint and an NLB wait before they forget a silent connection, in seconds.
pub(super) const IDLE_TIMEOUT: f64 = 350.0;
/// An excess below this many standard deviations is chance.
const CHANCE: f64 = 3.0;

/// The same model over another route, in the same minutes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Beside {
    pub route: Route,
    pub requests: f64,
    /// Those that AWS failed or throttled.
    pub failures: f64,
}

/// One incident, before it has a cause.
#[derive(Debug)]
pub(super) struct Case {
    pub scope: Scope,
    pub start: Time,
    /// The end of its last minute.
    pub end: Time,
    /// Requests in it.
    pub requests: f64,
    /// Requests a minute in it.
    pub rate: f64,
    /// Requests a minute outside, where known.
    pub usual_rate: Option<f64>,
    /// Failures by series.
    counts: [f64; Series::COUNT],
    /// Those beyond what is usual; 0 where they may be chance.
    excess: [f64; Series::COUNT],
    /// How many failures of a kind each teller tells of.
    kinds: BTreeMap<(FailureKind, Teller), f64>,
    /// Log streams whose connections were lost, and of how many applications.
    pub streams_cut: usize,
    pub applications_cut: usize,
    /// Lost connections, and those lost near a multiple of the idle timeout.
    pub lost: f64,
    pub lost_idle: f64,
    /// Elapsed seconds of read timeouts, with attempts where told.
    pub timeouts: Vec<(f64, Option<u32>)>,
    /// The application that timed out most, and its share of the timeouts.
    pub impatient: Option<(std::sync::Arc<str>, f64)>,
    /// Mean latency in the incident and outside, in seconds.
    pub latency: Option<(f64, f64)>,
    /// The worst 99th percentile of latency in it, in seconds.
    pub slowest: Option<f64>,
    /// The same model over other routes.
    pub beside: Vec<Beside>,
    /// The most attempts that a client made.
    pub attempts: Option<u32>,
}

impl Case {
    /// Gathers the facts of a run of minutes.
    pub(super) fn gather<'a>(
        scope: Scope,
        (start, end): (Time, Time),
        series: &SeriesOfScope,
        signals: impl Iterator<Item = &'a Signal>,
    ) -> Self {
        let within = |at: Time| start <= at && at < end;
        let inside = series.minutes.iter().filter(|(at, _)| within(**at));
        let (mut requests, mut counts, mut latency) = (0.0, [0.0; Series::COUNT], (0.0, 0.0));
        for (_, minute) in inside {
            requests += minute.requests;
            for (sum, count) in counts.iter_mut().zip(minute.failures) {
                *sum += count;
            }
            latency = (latency.0 + minute.latency.0, latency.1 + minute.latency.1);
        }
        let mut excess = [0.0; Series::COUNT];
        for (index, beyond) in excess.iter_mut().enumerate() {
            let expected = series.usual[index] * requests;
            if z(counts[index], expected) >= CHANCE {
                *beyond = counts[index] - expected;
            }
        }
        let minutes = f64::max(minutes_of(start, end), 1.0);
        let mut case = Self {
            scope,
            start,
            end,
            requests,
            rate: requests / minutes,
            usual_rate: series.usual_rate(start, end),
            counts,
            excess,
            kinds: BTreeMap::new(),
            streams_cut: 0,
            applications_cut: 0,
            lost: 0.0,
            lost_idle: 0.0,
            timeouts: Vec::new(),
            impatient: None,
            latency: series
                .usual_latency(start, end)
                .filter(|_| latency.0 > 0.0)
                .map(|usual| (latency.1 / latency.0, usual)),
            slowest: None,
            beside: Vec::new(),
            attempts: None,
        };
        case.listen(signals);
        case
    }

    /// Takes in what clients and records tell.
    fn listen<'a>(&mut self, signals: impl Iterator<Item = &'a Signal>) {
        let (mut streams, mut applications) = (BTreeSet::new(), BTreeSet::new());
        let mut waited: BTreeMap<_, f64> = BTreeMap::new();
        for signal in signals {
            *self.kinds.entry((signal.kind, signal.teller)).or_default() += 1.0;
            self.attempts = self.attempts.max(signal.attempts);
            match Series::of(signal.kind) {
                Series::Network => {
                    streams.insert((&signal.application, &signal.stream));
                    applications.insert(&signal.application);
                    self.lost += 1.0;
                    self.lost_idle += f64::from(u8::from(signal.elapsed.is_some_and(is_near_idle)));
                }
                Series::Timeout => {
                    self.timeouts.extend(signal.elapsed.map(|elapsed| (elapsed, signal.attempts)));
                    *waited.entry(&signal.application).or_default() += 1.0;
                }
                _ => {}
            }
        }
        (self.streams_cut, self.applications_cut) = (streams.len(), applications.len());
        let all: f64 = waited.values().sum();
        let most = waited.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then_with(|| b.0.cmp(a.0)));
        self.impatient = most.map(|(application, count)| (std::sync::Arc::clone(application), count / all));
    }

    pub(super) fn count(&self, series: Series) -> f64 {
        self.counts[series as usize]
    }

    /// Failures beyond the usual; 0 where chance would do.
    pub(super) fn excess(&self, series: Series) -> f64 {
        self.excess[series as usize]
    }

    /// Failures of all series beyond the usual.
    pub(super) fn failures(&self) -> f64 {
        self.excess.iter().sum()
    }

    /// The share of these kinds among them and the `others`, by whoever tells of most of both; `prior` counts for one
    /// failure.
    pub(super) fn share_of(&self, kinds: &[FailureKind], others: &[FailureKind], prior: f64) -> f64 {
        let told = |kinds: &[FailureKind], teller| {
            kinds.iter().filter_map(|kind| self.kinds.get(&(*kind, teller))).sum::<f64>()
        };
        let by = |teller| (told(kinds, teller), told(others, teller));
        let (record, client) = (by(Teller::Record), by(Teller::Client));
        // Records tell of every attempt, a client's log only of the last.
        let (these, those) = if record.0 + record.1 >= client.0 + client.1 { record } else { client };
        (these + prior) / (these + those + 1.0)
    }

    /// How often a kind was told of.
    pub(super) fn told(&self, kind: FailureKind) -> f64 {
        [Teller::Client, Teller::Record]
            .iter()
            .filter_map(|teller| self.kinds.get(&(kind, *teller)))
            .fold(0.0, |a, b| a.max(*b))
    }

    /// Requests a minute in it, as a share of the usual.
    pub(super) fn load(&self) -> Option<f64> {
        self.usual_rate.filter(|usual| *usual > 0.0).map(|usual| self.rate / usual)
    }

    /// Mean latency as a multiple of the usual.
    pub(super) fn slowdown(&self) -> Option<f64> {
        self.latency.filter(|(_, usual)| *usual > 0.0).map(|(now, usual)| now / usual)
    }

    /// Whether connections were lost because something forgot them while they were silent.
    pub(super) fn is_idle_reset(&self) -> bool {
        self.lost_idle >= 3.0 && self.lost_idle >= 0.3 * self.lost
    }

    /// `26 %`, with a digit more where it is small.
    pub(super) fn share_text(part: f64, whole: f64) -> String {
        let percent = 100.0 * part / f64::max(whole, 1.0);
        if percent >= 10.0 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
    }

    /// `12:03 to 12:21 UTC`.
    pub(super) fn when(&self) -> String {
        format!("{} to {} UTC", self.start.format("%H:%M"), self.end.format("%H:%M"))
    }
}

/// Elapsed seconds near a multiple of the idle timeout: one attempt, or several.
fn is_near_idle(elapsed: f64) -> bool {
    (1..=5).any(|k| {
        let at = IDLE_TIMEOUT * f64::from(k);
        (at - 1.0..=at + 2.0 + 3.0 * f64::from(k - 1)).contains(&elapsed)
    })
}

fn minutes_of(start: Time, end: Time) -> f64 {
    (end - start).as_seconds_f64() / 60.0
}
