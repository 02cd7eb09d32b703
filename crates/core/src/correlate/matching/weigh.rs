//! How much likelier each record is to be a failure's than to be anybody else's.

use std::collections::BTreeMap;

use super::{
    chain,
    groups::{Group, Groups},
    kernel::{self, FURTHEST, ODD_WIDTH, Story},
    propagate::Candidates,
    refine::Beliefs,
};
use crate::{
    correlate::{
        learn::{Client, Clock, LatencyLaw, Learnt, STALL},
        view::{FailureView, RecordView},
    },
    model::FailureKind,
};

/// The most records a failure is weighed against one by one.
const MOST_CANDIDATES: usize = 250;
/// A record that has another number of input tokens than the log says is hardly the one.
const OTHER_TOKENS: f64 = 2e-3;
/// The share of records that get lost, so that an attempt before another may be missing.
const LOST: f64 = 0.05;
/// Where more records a second than this come, an answered failure cannot be told from them by when its call ended,
/// unless records tell their latency.
const CROWDED: f64 = 0.3;
/// How many records a mean is taken over.
const SAMPLE: usize = 64;

/// Whether a failure may be matched: it names no request, and it may have reached a model.
pub(super) fn is_matchable(failure: &FailureView) -> bool {
    use FailureKind::{ConnectError, ConnectionReset, ReadTimeout, Rejected, StreamTruncated, Throttled};
    failure.nameless
        && match failure.kind {
            ReadTimeout | ConnectionReset | StreamTruncated => true,
            // Bedrock answered: what it metered of that its metrics and errorCodes tell better than any guess.
            _ => !matches!(failure.kind, Throttled | ConnectError | Rejected) && failure.elapsed.is_some(),
        }
}

/// Everything a failure is weighed with.
struct Scale<'a> {
    failure: &'a FailureView,
    clock: Clock,
    records: &'a [RecordView],
    /// P(an earlier attempt of the same call left a record).
    retried: f64,
    /// P(the answer was lost on its way, however short it was).
    silent: f64,
}

/// The candidates of every failure of `nameless`.
pub(super) fn candidates(
    nameless: &[usize],
    failures: &[FailureView],
    records: &[RecordView],
    groups: &mut Groups,
    learnt: &Learnt,
    beliefs: &Beliefs,
) -> Vec<Candidates> {
    let unknown = Client::default();
    let client = |failure: &FailureView| learnt.clients.get(failure.application as usize).unwrap_or(&unknown);
    let stories_of =
        |failure: &FailureView| kernel::stories(failure, client(failure), beliefs.nat(failure.application));
    let mut patiences: Vec<f64> = nameless
        .iter()
        .flat_map(|&f| stories_of(&failures[f]))
        .filter_map(|(story, _)| if let Story::GaveUp { after } = story { Some(after) } else { None })
        .collect();
    patiences.sort_by(f64::total_cmp);
    patiences.dedup();
    groups.prepare(records, learnt, &patiences);
    nameless
        .iter()
        .map(|&f| {
            let failure = &failures[f];
            let scale = Scale {
                failure,
                clock: learnt.clocks.get(failure.stream as usize).copied().unwrap_or_default(),
                records,
                retried: beliefs.retried(failure, client(failure)),
                silent: beliefs.silent(f),
            };
            let callers = callers(failure, client(failure), groups);
            let mut found = scale.weigh(f, &callers, &stories_of(failure), learnt);
            let odds = beliefs.odds_of_record(failure.kind);
            found.records.iter_mut().for_each(|(_, weight)| *weight *= odds);
            found.records.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let rest: f64 = found.records.iter().skip(MOST_CANDIDATES).map(|(_, weight)| weight).sum();
            found.rest = rest;
            found.records.truncate(MOST_CANDIDATES);
            found
        })
        .collect()
}

/// The callers a failure can be of, each with its odds and its groups.
fn callers<'a>(failure: &FailureView, client: &Client, groups: &'a Groups) -> Vec<(u32, f64, Vec<&'a Group>)> {
    let model = failure.model.or(client.model);
    let operation = failure.operation.or(client.operation);
    let mut callers: BTreeMap<u32, Vec<&Group>> = BTreeMap::new();
    for group in &groups.groups {
        let fits = model.is_none_or(|model| model == group.key.model)
            && (operation.is_none() || group.key.operation.is_none() || operation == group.key.operation);
        if fits {
            callers.entry(group.key.identity).or_default().push(group);
        }
    }
    let identities = failure.identity.map_or_else(|| client.identities.clone(), |identity| vec![(identity, 1.0)]);
    #[expect(clippy::cast_precision_loss, reason = "callers are few")]
    let even = 1.0 / callers.len().max(1) as f64;
    let odds_of = |identity: u32| match &identities[..] {
        [] => even,
        known => known.iter().find(|(known, _)| *known == identity).map_or(0.0, |(_, odds)| *odds),
    };
    let weighed = callers.into_iter().map(|(identity, groups)| (identity, odds_of(identity), groups));
    weighed.filter(|(_, odds, _)| *odds > 1e-3).collect()
}

impl Scale<'_> {
    fn weigh(
        &self,
        failure: usize,
        callers: &[(u32, f64, Vec<&Group>)],
        stories: &[(Story, f64)],
        learnt: &Learnt,
    ) -> Candidates {
        let mut weights: BTreeMap<usize, f64> = BTreeMap::new();
        let mut found =
            Candidates { failure, told: stories.to_vec(), stories: vec![0.0; stories.len()], ..Candidates::default() };
        for (identity, odds, groups) in callers {
            let mut of_caller = 0.0;
            let same_input = self.failure.input.map(|input| {
                let members: usize = groups.iter().map(|group| group.members.len()).sum();
                #[expect(clippy::cast_precision_loss, reason = "counts of records are far below 2^52")]
                let share = |group: &&Group| group.share_of_input(input) * group.members.len() as f64 / members as f64;
                groups.iter().map(share).sum::<f64>()
            });
            for (index, &(story, likely)) in stories.iter().enumerate() {
                let mut of_story = 0.0;
                for (record, late, mut ratio) in self.ratios(groups, story, learnt) {
                    if let (Some(told), Some(share)) = (self.failure.input, same_input) {
                        ratio *= self.tokens(record, told) / (share + OTHER_TOKENS);
                    }
                    of_story += ratio;
                    *weights.entry(record).or_default() += odds * likely * ratio;
                    if index == 0
                        && let Some(late) = late
                    {
                        let (density, ratio) = (kernel::start_density(late, self.clock.sd), odds * likely * ratio);
                        found.points.push((late + self.clock.ahead, ratio / density.max(1e-12)));
                    }
                }
                found.stories[index] += odds * of_story;
                of_caller += likely * of_story;
            }
            found.callers.push((*identity, of_caller));
        }
        found.records = weights.into_iter().filter(|(_, weight)| *weight > 0.0).collect();
        found
    }

    fn tokens(&self, record: usize, told: u64) -> f64 {
        let record = &self.records[record];
        let whole = u64::from(record.input) + u64::from(record.cached);
        if told == u64::from(record.input) || told == whole { 1.0 } else { OTHER_TOKENS }
    }

    /// The records that a story allows, with how late each is where the story points to a moment, and how much
    /// likelier it is than chance.
    fn ratios(&self, groups: &[&Group], story: Story, learnt: &Learnt) -> Vec<(usize, Option<f64>, f64)> {
        let law_of = |group: &Group| learnt.laws.get(group.key.model as usize);
        let with_laws = || groups.iter().filter_map(|group| Some((*group, law_of(group)?)));
        let mut found = Vec::new();
        match story {
            Story::GaveUp { after } => {
                let (begun, sd) = kernel::moment(self.failure, &self.clock, after, 0.0);
                let anyway: f64 = groups.iter().filter_map(|group| self.gives_up_anyway(group, after, begun)).sum();
                let any: f64 = groups.iter().map(|group| group.unexplained_near(begun)).sum();
                for group in groups {
                    let Some(scored) = group.scored(after) else { continue };
                    for member in group.span(begun - ODD_WIDTH - 1.0, begun + ODD_WIDTH) {
                        let fits = self.of_attempts(scored.plain[member], scored.later[member]);
                        let fits = (1.0 - self.silent).mul_add(fits / anyway, self.silent / any);
                        self.point(&mut found, group.members[member], begun, sd, fits);
                    }
                }
            }
            Story::Began { before, spread } => {
                let (begun, sd) = kernel::moment(self.failure, &self.clock, before, spread);
                let ran = |law: &LatencyLaw, record: usize| match self.failure.kind.seen_by_aws() {
                    true => law.ends_at(&self.records[record], before),
                    false => law.exceeds(&self.records[record], before),
                };
                let anyway: f64 = with_laws()
                    .map(|(group, law)| group.unexplained_near(begun) * mean(group, begun, |record| ran(law, record)))
                    .sum();
                for (group, law) in with_laws() {
                    for member in group.span(begun - ODD_WIDTH - 1.0, begun + ODD_WIDTH) {
                        let record = group.members[member];
                        let fits = ran(law, record) * self.attempts(group, member, law) / anyway;
                        self.point(&mut found, record, begun, sd, fits);
                    }
                }
            }
            Story::Running => {
                let at = self.failure.at - self.clock.ahead;
                let anyway: f64 = groups.iter().map(|group| group.running_near(at)).sum();
                for (group, law) in with_laws() {
                    for member in group.span(at - group.longest.min(FURTHEST), at + 2.0 * self.clock.sd) {
                        let record = group.members[member];
                        let runs = law.exceeds(&self.records[record], at - self.records[record].at - 0.5);
                        if runs > 10.0 * STALL {
                            self.keep(&mut found, record, None, runs * self.attempts(group, member, law) / anyway);
                        }
                    }
                }
            }
            Story::Ended => {
                let at = self.failure.at - self.clock.ahead;
                let anyway: f64 = groups.iter().map(|group| group.unexplained_near(at)).sum();
                for (group, law) in with_laws() {
                    for member in group.span(at - group.longest.min(FURTHEST), at + 1.0) {
                        let record = group.members[member];
                        let took = at - self.records[record].at - 0.5;
                        if self.records[record].exact_latency().is_none() && anyway > CROWDED {
                            continue;
                        }
                        self.keep(&mut found, record, None, law.ends_at(&self.records[record], took) / anyway);
                    }
                }
            }
        }
        found
    }

    fn point(&self, found: &mut Vec<(usize, Option<f64>, f64)>, record: usize, begun: f64, sd: f64, fits: f64) {
        let late = begun - self.records[record].at;
        self.keep(found, record, Some(late), kernel::start_density(late, sd) * fits);
    }

    fn keep(&self, found: &mut Vec<(usize, Option<f64>, f64)>, record: usize, late: Option<f64>, ratio: f64) {
        if ratio.is_finite() && ratio > 0.0 && !self.records[record].explained {
            found.push((record, late, ratio));
        }
    }

    /// How often a client that gives up after so long does so anyway.
    fn gives_up_anyway(&self, group: &Group, after: f64, begun: f64) -> Option<f64> {
        let (plain, later) = group.scores_near(group.scored(after)?, begun);
        // A mean of rare, large values is often measured too low; it is no less than the plain one.
        Some(self.of_attempts(plain, later.max(plain)))
    }

    /// With and without an attempt before.
    fn of_attempts(&self, plain: f64, later: f64) -> f64 {
        let again = (1.0 - LOST).mul_add(later, LOST * plain);
        self.retried.mul_add(again, (1.0 - self.retried) * plain)
    }

    /// What its neighbours say of a record's being the last attempt of a call that was cut off.
    fn attempts(&self, group: &Group, member: usize, law: &LatencyLaw) -> f64 {
        if self.failure.kind.seen_by_aws() {
            return 1.0;
        }
        let neighbours = chain::neighbours(group, member, self.records, law, None);
        self.of_attempts(1.0, neighbours.before) * chain::not_tried_again(neighbours.after)
    }
}

/// The mean of something over records of a group near a moment.
fn mean(group: &Group, at: f64, of: impl Fn(usize) -> f64) -> f64 {
    let span = group.around(at, SAMPLE);
    let (mut sum, mut n) = (0.0, 0.0);
    for &record in &group.members[span] {
        sum += of(record);
        n += 1.0;
    }
    // Half a record that fits somewhat: a few records that do not fit are no proof that none does.
    (sum + 0.5 * 0.1) / (n + 0.5)
}
