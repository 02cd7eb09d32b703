//! Every record that may have been an attempt given up, with the records that may be its next one.

use super::{
    gap,
    prompts::{Prompt, Prompts},
};
use crate::correlate::{
    learn::{LatencyLaw, Learnt},
    matching::Pair,
    view::{FailureView, RecordView},
};

/// Below this a record is not taken to have outlasted its caller's patience, nor is the patience doubted for its sake.
pub(super) const OUTLASTED: f64 = 2e-3;
/// The most records looked at for one attempt's next.
const MOST_NEXT: usize = 200;
/// No gap is so telling that more than this should be made of it.
const MOST_TELLING: f64 = 1e5;
/// How much likelier a record is to be a later attempt if a failure of several attempts is of it.
const LATER: f64 = 20.0;
/// No attempt is expected to run longer than this before it is cut off, in seconds.
const LONGEST_RUN: f64 = 900.0;
/// And a stream's not for longer than this, where its first byte is not told: after that it is not tried again.
const STREAM_SILENT: f64 = 3.0;

/// A record that may be an attempt's next one.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) record: usize,
    /// By patience (its place in the caller's list): density of the gap against chance.
    pub(super) gave_up: Vec<(usize, f64)>,
    /// The same if the attempt was cut off or refused while it ran.
    pub(super) cut_off: f64,
}

/// A record that may have been tried again.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) record: usize,
    pub(super) identity: u32,
    /// P(no failure is of it): a client that logged a failure does not try again.
    pub(super) free: f64,
    /// By patience: P(it took longer).
    pub(super) outlasts: Vec<(usize, f64)>,
    pub(super) next: Vec<Next>,
}

impl Link {
    /// How well its gaps fit its having been cut off, against chance.
    pub(super) fn cut_off(&self) -> f64 {
        self.free * self.next.iter().map(|next| next.cut_off).sum::<f64>()
    }

    /// The evidence of its gaps for its caller's having a patience, as a factor, if an attempt is tried again with
    /// these odds.
    pub(super) fn speaks_for(&self, (index, chance): (usize, f64), again: f64) -> f64 {
        let fits: f64 = self.next.iter().map(|next| next.telling(index)).sum();
        (chance * again * self.free).mul_add(fits - 1.0, 1.0)
    }
}

impl Next {
    /// The density of the gap against chance, for a patience by its place.
    pub(super) fn telling(&self, index: usize) -> f64 {
        self.gave_up.iter().find(|(patience, _)| *patience == index).map_or(0.0, |(_, telling)| *telling)
    }
}

/// What matching says of each record.
struct Matched {
    /// P(a failure is of it).
    at_all: Vec<f64>,
    /// P(a failure is of it that tells of one attempt; of more than one).
    single: Vec<f64>,
    several: Vec<f64>,
}

impl Matched {
    fn of(records: usize, failures: &[FailureView], pairs: &[Pair]) -> Self {
        let nothing = vec![0.0; records];
        let mut this = Self { at_all: nothing.clone(), single: nothing.clone(), several: nothing };
        for pair in pairs {
            this.at_all[pair.record] += pair.probability;
            match failures[pair.failure].attempts {
                Some(1) => this.single[pair.record] += pair.probability,
                Some(_) => this.several[pair.record] += pair.probability,
                None => {}
            }
        }
        this
    }

    /// What matching says for and against this record's being a later attempt.
    fn later(&self, record: usize) -> f64 {
        (1.0 - self.single[record].min(0.999)) * LATER.mul_add(self.several[record].min(1.0), 1.0)
    }
}

/// All links, in the order of their records.
pub(super) fn links(
    records: &[RecordView],
    failures: &[FailureView],
    prompts: &Prompts,
    learnt: &Learnt,
    pairs: &[Pair],
) -> Vec<Link> {
    let matched = Matched::of(records.len(), failures, pairs);
    let mut place: Vec<Option<(usize, usize)>> = vec![None; records.len()];
    for (number, prompt) in prompts.prompts.iter().enumerate() {
        for (member, &record) in prompt.records.iter().enumerate() {
            place[record] = Some((number, member));
        }
    }
    let identities = records.iter().map(|record| record.identity as usize + 1).max().unwrap_or(0);
    let patience: Vec<Vec<f64>> = (0..identities)
        .map(|identity| {
            let timeout = learnt.timeout_of(u32::try_from(identity).unwrap_or(u32::MAX));
            timeout.likely().iter().map(|(after, _)| *after).collect()
        })
        .collect();
    let mut links = Vec::new();
    for (position, record) in records.iter().enumerate() {
        let Some(law) = learnt.law(record).filter(|_| !record.explained && record.input > 0) else { continue };
        let patience = &patience[record.identity as usize];
        let outlasts: Vec<(usize, f64)> = patience
            .iter()
            .map(|after| law.outlasts(record, *after))
            .enumerate()
            .filter(|(_, chance)| *chance >= OUTLASTED)
            .collect();
        let next = place[position].map_or_else(Vec::new, |(number, member)| {
            let prompt = &prompts.prompts[number];
            next_of(records, record, prompts, prompt, member, law, patience, &outlasts, &matched)
        });
        if !next.is_empty() || !outlasts.is_empty() {
            let free = 1.0 - matched.at_all[position].min(0.999);
            links.push(Link { record: position, identity: record.identity, free, outlasts, next });
        }
    }
    links
}

#[expect(clippy::too_many_arguments, reason = "one place calls it, for one record")]
fn next_of(
    records: &[RecordView],
    record: &RecordView,
    prompts: &Prompts,
    prompt: &Prompt,
    member: usize,
    law: &LatencyLaw,
    patience: &[f64],
    outlasts: &[(usize, f64)],
    matched: &Matched,
) -> Vec<Next> {
    let longest = outlasts.iter().map(|(index, _)| patience[*index]).fold(0.0, f64::max);
    let runs = runs(record, law);
    let until = record.at + longest.max(runs.1) + gap::LONGEST + 1.0;
    let rate = prompts.rate(prompt, record.at, 2).max(1e-9);
    let telling = |density: f64, later: f64| (density / rate * later).min(MOST_TELLING);
    let mut next = Vec::new();
    let after = prompt.records.iter().zip(&prompt.times).skip(member + 1);
    for (&other, _) in after.take_while(|(_, at)| **at <= until).take(MOST_NEXT) {
        let seen = records[other].at - record.at;
        let later = matched.later(other);
        let gave_up: Vec<(usize, f64)> = outlasts
            .iter()
            .map(|&(index, _)| (index, telling(gap::pause(seen - patience[index]), later)))
            .filter(|(_, telling)| *telling > 0.0)
            .collect();
        let cut_off = telling(cut_off(record, seen, runs), later);
        if cut_off > 0.0 || !gave_up.is_empty() {
            next.push(Next { record: other, gave_up, cut_off });
        }
    }
    next
}

/// The ages at which a record's attempt may have ended early, from and to, in seconds.
fn runs(record: &RecordView, law: &LatencyLaw) -> (f64, f64) {
    let run = match (record.streams(), record.first_byte()) {
        (true, Some(first)) => first,
        (true, None) => law.typical(record).min(STREAM_SILENT),
        (false, _) => law.typical(record),
    };
    let sure = record.exact_latency().is_some() || record.first_byte().is_some();
    (0.0, run.min(LONGEST_RUN) * if sure { 1.0 } else { 1.4 })
}

/// A connection is lost at any age. An error that was metered comes when the record says that the call was over.
fn cut_off(record: &RecordView, seen: f64, (from, to): (f64, f64)) -> f64 {
    let lost = gap::cut_off(seen, from, to);
    match record.exact_latency() {
        Some(latency) => 0.5 * (lost + gap::pause(seen - latency)),
        None => 0.7 * lost + 0.3 * gap::cut_off(seen, 0.5 * to, to),
    }
}
