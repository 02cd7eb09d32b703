//! Records by model, caller and operation, each group sorted by time: what a failure can be matched to, and how often
//! something like its record comes anyway.

use std::collections::HashMap;

use super::{
    chain::{self, Neighbours},
    propagate::Candidates,
};
use crate::{
    correlate::{
        learn::{LatencyLaw, Learnt, STALL, Weighted},
        view::RecordView,
    },
    model::Operation,
};

/// Rates are taken over so many seconds either way, and wider where that holds too few.
const NEAR: f64 = 120.0;
const WIDEST: f64 = 1_800.0;
/// So few records make a rate too uncertain.
const ENOUGH: usize = 20;

/// What a group's records have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) model: u32,
    pub(super) identity: u32,
    pub(super) operation: Option<Operation>,
}

/// Records of one prompt, as far as its input tokens tell.
#[derive(Debug, Default)]
pub(super) struct SamePrompt {
    pub(super) times: Vec<f64>,
    pub(super) records: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) key: Key,
    /// Positions in the records, by time.
    pub(super) members: Vec<usize>,
    /// All members, each 1.
    all: Weighted,
    prompts: HashMap<(u32, u32), SamePrompt>,
    by_input: HashMap<u32, u32>,
    by_whole_input: HashMap<u32, u32>,
    /// By what a client's patience is, in milliseconds.
    scored: HashMap<u64, Scored>,
    /// Of every member, how likely nothing explains it.
    free: Vec<f64>,
    /// The free, as they are, and by the seconds they run.
    unexplained: Weighted,
    running: Weighted,
    /// Hardly a member runs longer than this, in seconds.
    pub(super) longest: f64,
}

/// How well each member fits a client that gives up after a certain time.
#[derive(Debug)]
pub(super) struct Scored {
    /// Whether it ran long enough and was not tried again.
    pub(super) plain: Vec<f64>,
    /// What neighbours say for its being a later attempt.
    pub(super) later: Vec<f64>,
    plain_free: Weighted,
    later_free: Weighted,
}

impl Group {
    pub(super) fn same_prompt(&self, record: &RecordView) -> Option<&SamePrompt> {
        self.prompts.get(&(record.input, record.cached))
    }

    /// The positions, among the members, of those in [from, to).
    pub(super) fn span(&self, from: f64, to: f64) -> std::ops::Range<usize> {
        let (from, to) = self.all.positions(from, to);
        from..to
    }

    /// So many members around a moment.
    pub(super) fn around(&self, at: f64, many: usize) -> std::ops::Range<usize> {
        let (middle, _) = self.all.positions(at, at);
        let from = middle.saturating_sub(many / 2);
        from..(from + many).min(self.members.len())
    }

    /// Records a second near a moment.
    pub(super) fn rate_near(&self, at: f64) -> f64 {
        self.local(&self.all, at, 0.0)
    }

    /// Unexplained records a second, near a moment but not at it.
    pub(super) fn unexplained_near(&self, at: f64) -> f64 {
        self.local(&self.unexplained, at, 3.0)
    }

    /// How many unexplained calls run at a moment, on average (Little's law).
    pub(super) fn running_near(&self, at: f64) -> f64 {
        self.local(&self.running, at, 0.0)
    }

    /// What a member fits a client of this patience like, on average, times members a second: without neighbours,
    /// and by its neighbours.
    pub(super) fn scores_near(&self, scored: &Scored, at: f64) -> (f64, f64) {
        (self.local(&scored.plain_free, at, 3.0), self.local(&scored.later_free, at, 3.0))
    }

    pub(super) fn scored(&self, patience: f64) -> Option<&Scored> {
        self.scored.get(&milliseconds(patience))
    }

    /// The weight a second near a moment, without what is closer to it than `but`; never 0 where there is anything at
    /// all: what happens once in the whole run may happen here.
    fn local(&self, weighted: &Weighted, at: f64, but: f64) -> f64 {
        let mut reach = NEAR;
        while reach < WIDEST && self.all.count(at - reach, at + reach) < ENOUGH {
            reach *= 2.0;
        }
        let around = weighted.between(at - reach, at + reach);
        let own = if but > 0.0 { weighted.between(at - but, at + but) } else { 0.0 };
        #[expect(clippy::cast_precision_loss, reason = "counts of records are far below 2^52")]
        let mean = weighted.total() / (self.members.len().max(1) as f64);
        // A pinch of the group's mean: half a record.
        ((around - own).max(0.0) + 0.5 * mean) / (2.0 * (reach - but))
    }

    /// The share of members with so many input tokens: not counting cached ones, or counting all.
    pub(super) fn share_of_input(&self, input: u64) -> f64 {
        let input = u32::try_from(input).unwrap_or(u32::MAX);
        let count = |counts: &HashMap<u32, u32>| counts.get(&input).copied().unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "counts of records are far below 2^52")]
        let members = self.members.len() as f64;
        // The failure's own record is one of them.
        (f64::from(count(&self.by_input).max(count(&self.by_whole_input))) - 1.0).max(0.25) / members.max(1.0)
    }

    fn score(&mut self, records: &[RecordView], law: &LatencyLaw, patience: f64) {
        if self.scored.contains_key(&milliseconds(patience)) {
            return;
        }
        let (mut plain, mut later) = (Vec::with_capacity(self.members.len()), Vec::with_capacity(self.members.len()));
        for (member, &position) in self.members.iter().enumerate() {
            let outlasts = chain::outlasts(law, &records[position], patience);
            let Neighbours { before, after } = if outlasts > 2.0 * STALL {
                chain::neighbours(self, member, records, law, Some(patience))
            } else {
                Neighbours { before: 1.0, after: 0.0 }
            };
            let fits = outlasts * chain::not_tried_again(after);
            plain.push(fits);
            later.push(fits * before);
        }
        let empty = Weighted::default();
        let mut scored = Scored { plain, later, plain_free: empty.clone(), later_free: empty };
        self.weigh(records, &mut scored);
        self.scored.insert(milliseconds(patience), scored);
    }

    fn weigh(&self, records: &[RecordView], scored: &mut Scored) {
        let weighted = |scores: &[f64]| {
            let times = self.members.iter().map(|&position| records[position].at);
            Weighted::new(times.zip(scores.iter().zip(&self.free).map(|(score, free)| score * free)))
        };
        scored.plain_free = weighted(&scored.plain);
        scored.later_free = weighted(&scored.later);
    }

    fn weigh_all(&mut self, records: &[RecordView], law: &LatencyLaw) {
        let times = || self.members.iter().map(|&position| records[position].at);
        self.unexplained = Weighted::new(times().zip(self.free.iter().copied()));
        self.longest = longest(self.members.iter().map(|&position| law.longest(&records[position])).collect());
        let runs = self.members.iter().map(|&position| law.typical(&records[position]).min(super::kernel::FURTHEST));
        self.running = Weighted::new(times().zip(runs.zip(&self.free).map(|(runs, free)| runs * free)));
        let mut scored = std::mem::take(&mut self.scored);
        scored.values_mut().for_each(|scored| self.weigh(records, scored));
        self.scored = scored;
    }
}

/// What all but one in 200 stay below, so that an outlier does not make everything a candidate.
fn longest(mut seconds: Vec<f64>) -> f64 {
    let last = seconds.len().saturating_sub(1);
    let rank = last - last / 200;
    if seconds.is_empty() {
        return 0.0;
    }
    *seconds.select_nth_unstable_by(rank, f64::total_cmp).1
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "timeouts are positive and small")]
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}

/// Every group, in the order of their keys.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) groups: Vec<Group>,
    /// How likely each record is explained by the failures at hand, by position.
    matched: Vec<f64>,
}

impl Groups {
    pub(super) fn of(records: &[RecordView]) -> Self {
        let mut members: std::collections::BTreeMap<Key, Vec<usize>> = std::collections::BTreeMap::new();
        for (position, record) in records.iter().enumerate() {
            let key = Key { model: record.model, identity: record.identity, operation: record.operation };
            members.entry(key).or_default().push(position);
        }
        let group = |(key, members): (Key, Vec<usize>)| {
            let mut prompts: HashMap<(u32, u32), SamePrompt> = HashMap::new();
            let (mut by_input, mut by_whole_input) = (HashMap::new(), HashMap::new());
            for &position in &members {
                let record = &records[position];
                let same = prompts.entry((record.input, record.cached)).or_default();
                same.times.push(record.at);
                same.records.push(position);
                *by_input.entry(record.input).or_default() += 1;
                *by_whole_input.entry(record.input.saturating_add(record.cached)).or_default() += 1;
            }
            Group {
                key,
                all: Weighted::new(members.iter().map(|&position| (records[position].at, 1.0))),
                prompts,
                by_input,
                by_whole_input,
                scored: HashMap::new(),
                free: members.iter().map(|&position| f64::from(u8::from(!records[position].explained))).collect(),
                unexplained: Weighted::default(),
                running: Weighted::default(),
                longest: 0.0,
                members,
            }
        };
        Self { groups: members.into_iter().map(group).collect(), matched: vec![0.0; records.len()] }
    }

    /// Works out what is needed to weigh against clients of these patiences; free is what `discount` left.
    pub(super) fn prepare(&mut self, records: &[RecordView], learnt: &Learnt, patiences: &[f64]) {
        for group in &mut self.groups {
            let Some(law) = learnt.laws.get(group.key.model as usize) else { continue };
            for (free, &position) in group.free.iter_mut().zip(&group.members) {
                *free = if records[position].explained { 0.0 } else { 1.0 - self.matched[position] };
            }
            group.weigh_all(records, law);
            for &patience in patiences {
                group.score(records, law, patience);
            }
        }
    }

    /// What matching explains is not there anyway.
    pub(super) fn discount(&mut self, candidates: &[Candidates], probabilities: &[Vec<f64>], records: usize) {
        self.matched = vec![0.0; records];
        for (candidates, probabilities) in candidates.iter().zip(probabilities) {
            for (&(record, _), probability) in candidates.records.iter().zip(probabilities) {
                self.matched[record] = (self.matched[record] + probability).min(0.999);
            }
        }
    }
}
