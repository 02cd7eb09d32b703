//! Minutes in which attempts are cut off or refused: a lost connection or an error is tried again within seconds, and
//! only a cluster of such gaps, or failures in the log, tells it from a user who asks the same again.

use std::collections::BTreeMap;

use super::weigh::Link;
use crate::{
    correlate::{
        learn::Learnt,
        view::{FailureView, RecordView},
    },
    model::FailureKind,
};

/// The share of attempts that are cut off or refused in a minute, and how likely each share is: nearly always next to
/// none.
const SHARES: [(f64, f64); 5] = [(5e-5, 0.9965), (0.03, 0.001), (0.1, 0.001), (0.3, 0.0008), (0.6, 0.0007)];
/// How much likelier trouble is for each failure line of its kind, and for each refused request, and at most.
const A_LINE: f64 = 12.0;
const A_REFUSAL: f64 = 3.0;
const MOST: f64 = 1e4;

/// One minute of one caller.
#[derive(Debug, Default, Clone)]
struct Minute {
    /// Records that began in it.
    records: f64,
    /// Failure lines of cut connections, and of answers with an error.
    lines: (f64, f64),
    /// Records without tokens: requests that were refused.
    refused: f64,
    /// By share: its odds, as a logarithm, from the minute and its neighbours.
    logs: [f64; SHARES.len()],
}

/// By caller and minute.
#[derive(Debug)]
pub(super) struct Trouble(BTreeMap<(u32, i64), Minute>);

impl Trouble {
    pub(super) fn new(records: &[RecordView], failures: &[FailureView], learnt: &Learnt) -> Self {
        let mut minutes: BTreeMap<(u32, i64), Minute> = BTreeMap::new();
        for record in records {
            let minute = minutes.entry((record.identity, minute_of(record.at))).or_default();
            minute.records += 1.0;
            minute.refused += f64::from(u8::from(record.explained && record.input == 0 && record.output == 0));
        }
        let callers: Vec<u32> = records
            .iter()
            .map(|record| record.identity)
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        for failure in failures {
            use FailureKind::{
                ConnectionReset, InternalError, ReadTimeout, ServiceUnavailable, StreamError, StreamTruncated,
            };
            let (cut, error) = match failure.kind {
                ConnectionReset | StreamTruncated => (1.0, 0.0),
                ServiceUnavailable | InternalError | StreamError => (0.0, 1.0),
                ReadTimeout => continue,
                _ => continue,
            };
            let client = learnt.clients.get(failure.application as usize);
            let known = failure.identity.or_else(|| client?.certain_identity());
            // The line is written when the attempt is over: a little later than it began.
            let began = failure.at - failure.elapsed.unwrap_or(0.0).min(60.0);
            for &caller in callers.iter().filter(|caller| known.is_none_or(|known| known == **caller)) {
                if let Some(minute) = minutes.get_mut(&(caller, minute_of(began))) {
                    let weight = if known.is_some() { 1.0 } else { 0.5 };
                    minute.lines.0 += cut * weight;
                    minute.lines.1 += error * weight;
                }
            }
        }
        Self(minutes)
    }

    /// Works out each minute's share from the gaps of the minute and its neighbours, and from what was logged in it.
    pub(super) fn learn(&mut self, records: &[RecordView], links: &[Link], again: impl Fn(u32) -> f64) {
        let mut fits: BTreeMap<(u32, i64), Vec<f64>> = BTreeMap::new();
        for link in links {
            let fit = link.cut_off();
            if fit > 0.0 {
                fits.entry((link.identity, minute_of(records[link.record].at))).or_default().push(fit);
            }
        }
        let around = |minute: i64| minute - 1..=minute + 1;
        let keys: Vec<(u32, i64)> = self.0.keys().copied().collect();
        for (identity, minute) in keys {
            let (mut records, mut told) = (0.0, 1.0_f64);
            let mut all: Vec<f64> = Vec::new();
            for near in around(minute) {
                let key = (identity, near);
                all.extend(fits.get(&key).into_iter().flatten());
                let Some(minute) = self.0.get(&key) else { continue };
                records += minute.records;
                told *=
                    A_LINE.powf(minute.lines.0 + minute.lines.1).min(MOST) * A_REFUSAL.powf(minute.refused).min(MOST);
            }
            let again = again(identity);
            #[expect(clippy::cast_precision_loss, reason = "counts of records are far below 2^52")]
            let without = (records - all.len() as f64).max(0.0);
            let log = |share: f64| {
                let lost = share * again;
                without.mul_add((1.0 - lost).ln(), all.iter().map(|fit| lost.mul_add(fit - 1.0, 1.0).ln()).sum())
            };
            let logs = SHARES.map(|(share, odds)| {
                let told = if share > 1e-3 { told.min(MOST) } else { 1.0 };
                (odds * told).ln() + log(share)
            });
            if let Some(minute) = self.0.get_mut(&(identity, minute)) {
                minute.logs = logs;
            }
        }
    }

    /// The share of a caller's attempts that were cut off or refused around a moment, but for what one of them says
    /// itself: how well its own gap fits, and the odds that it would have been tried again.
    pub(super) fn share(&self, identity: u32, at: f64, fit: f64, again: f64) -> f64 {
        let Some(minute) = self.0.get(&(identity, minute_of(at))) else { return SHARES[0].0 };
        let own = |share: f64| if fit > 0.0 { (share * again).mul_add(fit - 1.0, 1.0).ln() } else { 0.0 };
        let logs = SHARES.iter().zip(minute.logs).map(|(&(share, _), log)| (share, log - own(share)));
        let largest = logs.clone().map(|(_, log)| log).fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut mean) = (0.0, 0.0);
        for (share, log) in logs {
            let odds = (log - largest).exp();
            sum += odds;
            mean += share * odds;
        }
        mean / sum
    }

    /// How those failed.
    pub(super) fn kind(&self, identity: u32, at: f64) -> FailureKind {
        let minute = minute_of(at);
        let near = (minute - 1..=minute + 1).filter_map(|near| self.0.get(&(identity, near)));
        let (mut cut, mut refused) = (0.0, 0.0);
        for minute in near {
            cut += minute.lines.0;
            refused += minute.lines.1 + minute.refused;
        }
        if refused > cut { FailureKind::ServiceUnavailable } else { FailureKind::ConnectionReset }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "minutes of a run are small")]
fn minute_of(at: f64) -> i64 {
    (at / 60.0).floor() as i64
}
