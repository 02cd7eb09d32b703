//! Adds up the scores of worlds.

use faultline_core::{correlate::EstimateState, model::Cause};

use super::{
    Options,
    report::{Confusion, Incidents, Interval, MetricsSide, Named, OneWorld, Rate, Reliability, Report},
    score::{Bin, Diagnosis, Hits, Score, Total},
};
use crate::worlds::DelayLaw;

/// A cause is taken for said from this score on.
const SAID: f64 = 0.7;
/// Totals smaller than this have no relative error worth the name.
const COUNTABLE: f64 = 10.0;

impl Report {
    pub(super) fn of(options: &Options, scores: &[Score]) -> Self {
        let rates = options.rates.iter().map(|rpm| {
            let of_rate: Vec<&Score> = scores.iter().filter(|score| score.rpm.total_cmp(rpm).is_eq()).collect();
            rate(*rpm, &of_rate)
        });
        Self {
            tuning: options.tuning,
            rates: rates.collect(),
            confusion: confusion(scores),
            worlds: scores.iter().map(one_world).collect(),
        }
    }
}

fn one_world(score: &Score) -> OneWorld {
    let (t, r, h) = (score.timeouts, score.resets, score.hidden);
    OneWorld {
        seed: score.seed,
        rpm: score.rpm,
        scenario: score.scenario.as_str(),
        state: score.state,
        truth: score.total.truth,
        best: score.total.best,
        lower: score.total.lower,
        upper: score.total.upper,
        matched: (t.named + r.named, t.right + r.right, t.of + r.of),
        hidden: (h.named, h.right, h.of),
        false_alarms: score.false_alarms,
        seconds: score.seconds,
    }
}

fn rate(rpm: f64, scores: &[&Score]) -> Rate {
    let mut bins = [Bin::default(); 10];
    for (sum, bin) in scores.iter().flat_map(|score| &score.bins).enumerate().map(|(i, bin)| (i % 10, bin)) {
        bins[sum].count += bin.count;
        bins[sum].said += bin.said;
        bins[sum].right += bin.right;
    }
    let reliability: Vec<Reliability> = bins
        .iter()
        .enumerate()
        .filter(|(_, bin)| bin.count > 0)
        .map(|(tenth, bin)| Reliability {
            from: number(tenth) / 10.0,
            count: bin.count,
            said: bin.said / float(bin.count),
            seen: float(bin.right) / float(bin.count),
        })
        .collect();
    let said: u64 = reliability.iter().map(|bin| bin.count).sum();
    let distance: f64 = reliability.iter().map(|bin| (bin.said - bin.seen).abs() * float(bin.count)).sum();
    Rate {
        rpm,
        worlds: count(scores, |_| true),
        requests: scores.iter().map(|score| score.requests).sum(),
        seconds: scores.iter().map(|score| score.seconds).sum(),
        named: named(scores),
        total: interval(scores, |score| score.total, true),
        dollars: interval(scores, |score| score.cost, false),
        metrics: metrics(scores),
        incidents: incidents(scores),
        reliability,
        calibration_error: (said > 0).then(|| distance / float(said)),
    }
}

type Fits = fn(&Score) -> bool;
type Which = fn(&Score) -> Hits;

/// What is named, by kind; beside the usual worlds, those in which something differs that matters to it.
fn named(scores: &[&Score]) -> Vec<Named> {
    const USUAL: Fits = |score| !score.knobs.input_tokens_told && score.knobs.latency_sd < 0.3;
    const TOKENS: Fits = |score| score.knobs.input_tokens_told && score.knobs.latency_sd < 0.3;
    const WEAK: Fits = |score| !score.knobs.input_tokens_told && score.knobs.latency_sd > 0.3;
    const LATENCY: Fits = |score| USUAL(score) && score.knobs.latency_in_records;
    const SUCCESSES: Fits = |score| USUAL(score) && score.knobs.success_ids;
    const CACHING: Fits = |score| USUAL(score) && score.knobs.caching;
    const DELAYS: Fits = |score| USUAL(score) && score.knobs.delay_law != DelayLaw::Uniform;
    const BACKOFFS: Fits = |score| score.knobs.other_backoffs;
    const TEMPLATES: Fits = |score| score.knobs.templates > 0.0;
    const WEAK_HIDDEN: Fits = |score| score.knobs.latency_sd > 0.3;
    const NO_RETRIES: Fits = |score| !score.knobs.retries;
    let all: Fits = |_| true;
    let (timeouts, resets): (Which, Which) = (|score| score.timeouts, |score| score.resets);
    let hidden: Which = |score| score.hidden;
    let rows: [(&str, Which, Fits); 21] = [
        ("confirmed", |score| score.confirmed, all),
        ("timeouts", timeouts, USUAL),
        ("timeouts, input tokens told", timeouts, TOKENS),
        ("timeouts, latency in records", timeouts, LATENCY),
        ("timeouts, ids of successes told", timeouts, SUCCESSES),
        ("timeouts, caching", timeouts, CACHING),
        ("timeouts, records late or in batches", timeouts, DELAYS),
        ("timeouts, weak token-latency relation", timeouts, WEAK),
        ("resets", resets, USUAL),
        ("resets, input tokens told", resets, TOKENS),
        ("resets, ids of successes told", resets, SUCCESSES),
        ("resets, weak token-latency relation", resets, WEAK),
        ("other failures without an id", |score| score.other, all),
        ("hidden retries", hidden, all),
        ("hidden retries, latency in records", hidden, |score| score.knobs.latency_in_records),
        ("hidden retries, other backoffs", hidden, BACKOFFS),
        ("hidden retries, repeated prompts", hidden, TEMPLATES),
        ("hidden retries, weak token-latency relation", hidden, WEAK_HIDDEN),
        ("hidden retries, clients that never retry", hidden, NO_RETRIES),
        ("hidden retries of answered failures", |score| score.hidden_answered, all),
        ("next attempt of hidden retries", |score| score.next, all),
    ];
    let sum = |which: Which, fits: Fits| {
        scores.iter().filter(|score| fits(score)).map(|score| which(score)).fold(Hits::default(), |sum, hits| Hits {
            named: sum.named + hits.named,
            right: sum.right + hits.right,
            of: sum.of + hits.of,
            found: sum.found + hits.found,
        })
    };
    rows.into_iter()
        .map(|(what, which, fits)| {
            let Hits { named, right, of, found } = sum(which, fits);
            let share = |right, of| (of > 0).then(|| float(right) / float(of));
            let (precision, recall) = (share(right, named), share(found, of));
            Named { what: what.to_owned(), named, right, of, found, precision, recall }
        })
        .collect()
}

fn interval(scores: &[&Score], which: impl Fn(&Score) -> Total, bounded: bool) -> Interval {
    let countable: Vec<Total> =
        scores.iter().filter(|score| score.total.truth >= COUNTABLE).map(|score| which(score)).collect();
    let errors = countable.iter().map(|total| (total.best - total.truth).abs() / total.truth).collect::<Vec<_>>();
    let widths = countable.iter().map(|total| (total.upper - total.lower) / 2.0 / total.truth).collect::<Vec<_>>();
    let truth: f64 = countable.iter().map(|total| total.truth).sum();
    let best: f64 = countable.iter().map(|total| total.best).sum();
    let share = |holds: fn(&Total) -> bool| {
        let holding = scores.iter().filter(|score| holds(&which(score))).count();
        (bounded && !scores.is_empty()).then(|| number(holding) / number(scores.len()))
    };
    Interval {
        worlds: u64::try_from(countable.len()).unwrap_or(u64::MAX),
        median_error: quantile(errors.clone(), 0.5),
        p90_error: quantile(errors, 0.9),
        bias: (truth > 0.0).then(|| best / truth),
        // Counts are whole: half a failure is no miss.
        coverage: share(|total| total.lower - 0.5 <= total.truth && total.truth <= total.upper + 0.5),
        above: share(|total| total.lower - 0.5 > total.truth),
        half_width: if bounded { quantile(widths, 0.5) } else { None },
    }
}

fn metrics(scores: &[&Score]) -> MetricsSide {
    let in_state = |state| count(scores, |score| score.state == Some(state));
    let bounds: Vec<Total> = scores.iter().filter_map(|score| score.metrics).collect();
    let covered = bounds.iter().filter(|b| b.lower - 0.5 <= b.truth && b.truth <= b.upper + 0.5).count();
    MetricsSide {
        calibrated: in_state(EstimateState::Calibrated),
        lower_bound: in_state(EstimateState::LowerBound),
        uncalibrated: in_state(EstimateState::Uncalibrated),
        wrongly_calibrated: count(scores, |score| score.wrongly_calibrated),
        wrong_readings: count(scores, |score| score.wrong_reading),
        coverage: (!bounds.is_empty()).then(|| number(covered) / number(bounds.len())),
    }
}

fn incidents(scores: &[&Score]) -> Incidents {
    let diagnoses: Vec<_> = scores.iter().flat_map(|score| &score.diagnoses).collect();
    let those = |fits: &dyn Fn(&Diagnosis) -> bool| {
        u64::try_from(diagnoses.iter().filter(|diagnosis| fits(diagnosis)).count()).unwrap_or(u64::MAX)
    };
    let false_alarms: u64 = scores.iter().map(|score| score.false_alarms).sum();
    let days: f64 = scores.iter().map(|score| score.days).sum();
    let capacity = |d: &Diagnosis| {
        d.truth == Some(Cause::ServerCapacity) && d.said.is_some_and(|(cause, _)| cause == Cause::ServerCapacity)
    };
    Incidents {
        of: those(&|d| d.had_to_be_found),
        found: those(&|d| d.had_to_be_found && d.said.is_some()),
        false_alarms,
        false_alarms_per_day: if days > 0.0 { float(false_alarms) / days } else { 0.0 },
        causes: those(&|d| d.said.is_some_and(|(_, score)| score >= SAID)),
        causes_right: those(&|d| d.said.is_some_and(|(cause, score)| score >= SAID && d.truth == Some(cause))),
        low_load_right: those(&|d| capacity(d) && d.low_load == d.low_load_said),
        low_load_of: those(&capacity),
    }
}

fn confusion(scores: &[Score]) -> Vec<Confusion> {
    let mut counts = std::collections::BTreeMap::new();
    for diagnosis in scores.iter().flat_map(|score| &score.diagnoses) {
        let Some(truth) = diagnosis.truth else { continue };
        *counts.entry((truth, diagnosis.said.map(|(cause, _)| cause))).or_insert(0) += 1;
    }
    counts.into_iter().map(|((truth, said), count)| Confusion { truth, said, count }).collect()
}

fn count(scores: &[&Score], fits: impl Fn(&Score) -> bool) -> u64 {
    u64::try_from(scores.iter().filter(|score| fits(score)).count()).unwrap_or(u64::MAX)
}

fn quantile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within the values
    values.get((number(last) * share).round() as usize).copied()
}

#[allow(clippy::cast_precision_loss)] // counts are far below 2^52
const fn float(count: u64) -> f64 {
    count as f64
}

#[allow(clippy::cast_precision_loss)] // counts are far below 2^52
const fn number(count: usize) -> f64 {
    count as f64
}
