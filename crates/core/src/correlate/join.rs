//! Failures and records, and what joins them: a request id, or an id the application gave the call itself.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry},
    sync::Arc,
};

use chrono::Duration;

use super::{
    Conclusion,
    blocks::{Blocks, Match, PROBABLE, block_of},
    coverage::Coverage,
    probable::Said,
    retries::Retries,
    views::{FailureKey, Successes, Views, is_nameless},
};
use crate::{
    model::{
        BedrockException, Cause, Cell, ClientFailure, ClientSuccess, Evidence, FailureKind, Finding, InvocationRecord,
        LogRef, ModelKey, Outcome, RecordsRead, Scope, Time,
    },
    price::PriceTable,
};

/// A record's time is floored to the second and clocks differ a little: a record this much after a failure may
/// still be of the call that failed.
const CLOCK_SLACK: Duration = Duration::seconds(2);
/// After downtime failures older than the horizon are read together with their records, but not in one batch: no
/// failure is concluded sooner than this after it was first seen.
const GRACE: Duration = Duration::minutes(5);
/// The records a failure may be of lie within so long before it.
const LOOK_BACK: Duration = Duration::minutes(20);
/// The most records one run of matching sees: the newest of those that bear on it.
const MOST_RECORDS: usize = 400_000;
/// The failures of so long before the end of what it sees, and so many before those.
const NEAR: Duration = Duration::minutes(20);
const FAILURES_TO_LEARN_FROM: usize = 300;
/// The most failures it sees.
const MOST_FAILURES: usize = 4_000;

#[derive(Debug)]
struct FailureState {
    failure: Arc<ClientFailure>,
    /// When it was first seen; set by the first conclusion after it.
    seen: Option<Time>,
    outcome: Option<Outcome>,
}

impl FailureState {
    /// Whether its record can no longer be expected.
    fn is_over(&self, now: Time, horizon: Duration) -> bool {
        let seen = self.seen.unwrap_or(now);
        now >= self.failure.at + horizon && now >= seen + GRACE.min(horizon)
    }
}

/// Everything known of requests and failures.
#[derive(Debug, Default)]
pub(super) struct Joins {
    failures: BTreeMap<FailureKey, FailureState>,
    /// Failures without an outcome.
    open: BTreeSet<FailureKey>,
    failures_by_request: HashMap<String, BTreeSet<FailureKey>>,
    failures_by_own_id: HashMap<String, BTreeSet<FailureKey>>,
    records: HashMap<Arc<str>, Arc<InvocationRecord>>,
    records_by_time: BTreeSet<(Time, Arc<str>)>,
    records_by_own_id: HashMap<Arc<str>, BTreeSet<(Time, Arc<str>)>>,
    /// Requests of which something new is known.
    changed: BTreeSet<Arc<str>>,
    pub(super) findings: HashMap<Arc<str>, Finding>,
    /// Findings in the order of time.
    findings_by_time: BTreeSet<(Time, Arc<str>)>,
    models: BTreeSet<ModelKey>,
    successes: Successes,
    coverage: Coverage,
    blocks: Blocks,
    pub(super) retries: Retries,
    /// By record: the failures that may be of it, each with its probability.
    pub(super) claims: HashMap<Arc<str>, BTreeMap<FailureKey, f64>>,
    /// From when on everything is known; `None` while nothing was ever forgotten.
    complete_since: Option<Time>,
    evicted: u64,
}

impl Joins {
    pub(super) fn add_failure(&mut self, failure: &ClientFailure) {
        let key = (failure.at, failure.log.clone());
        let Entry::Vacant(entry) = self.failures.entry(key.clone()) else { return };
        entry.insert(FailureState { failure: Arc::new(failure.clone()), seen: None, outcome: None });
        self.open.insert(key.clone());
        self.models.insert(failure.text.model.clone().unwrap_or_else(ModelKey::unknown));
        if is_nameless(failure) {
            self.blocks.add_failure(&key);
        }
        let named = failure.text.request_id.as_ref().and_then(|id| self.records.get(id.as_str()));
        self.something_at(named.map_or(failure.at, |record| record.at.min(failure.at)));
        if let Some(id) = &failure.text.request_id {
            self.failures_by_request.entry(id.clone()).or_default().insert(key.clone());
            self.changed.insert(id.as_str().into());
        }
        if let Some(own_id) = &failure.text.own_id {
            self.failures_by_own_id.entry(own_id.clone()).or_default().insert(key);
            let records = self.records_by_own_id.get(own_id.as_str()).cloned().unwrap_or_default();
            for (at, id) in records {
                self.changed.insert(id);
                self.something_at(at);
            }
        }
    }

    pub(super) fn add_success(&mut self, success: &ClientSuccess) {
        if self.successes.add(success)
            && let Some(record) = self.records.get(success.request_id.as_str())
        {
            self.something_at(record.at);
        }
    }

    pub(super) fn add_stretch(&mut self, read: &RecordsRead) {
        if self.coverage.add(read) {
            self.something_at(read.from);
        }
    }

    pub(super) fn add_record(&mut self, record: &InvocationRecord) {
        if let Some(known) = self.records.get(&record.request_id) {
            // One request has one record. Should two differ, the one that says more is kept, whichever came first.
            let says = |record: &InvocationRecord| (record.tokens.total(), record.log.clone());
            if **known == *record || says(known) >= says(record) {
                return;
            }
            self.forget_record(&Arc::clone(&record.request_id));
        }
        let id = Arc::clone(&record.request_id);
        self.records.insert(Arc::clone(&id), Arc::new(record.clone()));
        self.records_by_time.insert((record.at, Arc::clone(&id)));
        self.models.insert(record.model.clone());
        self.retries.add_record(record.at);
        self.something_at(record.at);
        if let Some(own_id) = &record.own_id {
            let attempts = self.records_by_own_id.entry(Arc::clone(own_id)).or_default();
            attempts.insert((record.at, Arc::clone(&id)));
            // The attempt before this one now has a next.
            self.changed.extend(attempts.iter().map(|(_, id)| Arc::clone(id)));
        }
        self.changed.insert(id);
    }

    /// Something new is known of this time.
    fn something_at(&mut self, at: Time) {
        self.blocks.something_at(at);
        self.retries.something_at(at);
    }

    /// The findings that are new or differ from what was said of their request before.
    pub(super) fn findings(&mut self, cell: &Cell, prices: &PriceTable) -> Vec<Finding> {
        let mut changed = std::mem::take(&mut self.changed);
        // What is said of an earlier attempt rests on how the last one ended.
        let earlier: Vec<Arc<str>> = changed.iter().flat_map(|id| self.retries.before(id)).collect();
        changed.extend(earlier);
        let mut findings = Vec::new();
        for id in changed {
            let Some(record) = self.records.get(&id) else { continue };
            let found = self.finding(cell, record, prices).or_else(|| self.taken_back(&id));
            let Some(mut finding) = found else { continue };
            if let Some(before) = self.findings.get(&id) {
                finding.revision = before.revision;
                if finding == *before {
                    continue;
                }
                finding.revision += 1;
            }
            self.findings_by_time.insert((finding.occurred_at, Arc::clone(&id)));
            self.findings.insert(id, finding.clone());
            findings.push(finding);
        }
        findings.sort_by(|a, b| (a.occurred_at, &a.id).cmp(&(b.occurred_at, &b.id)));
        findings
    }

    /// What is to be said of this record's request, if it was billed but failed.
    fn finding(&self, cell: &Cell, record: &InvocationRecord, prices: &PriceTable) -> Option<Finding> {
        if record.tokens.total() == 0 {
            return None;
        }
        let known = |client, failure| Said { failure, client, of_this_attempt: true, probability: 1.0, retry_of: None };
        let said = match (self.failure_of(record), record.error_code.as_deref()) {
            (Some(client), _) => {
                Said { retry_of: self.next_attempt(record, client), ..known(Some(client), client.text.kind) }
            }
            (None, Some(code)) => known(None, kind_of_error(code)?),
            (None, None) => self.probable(record)?,
        };
        let Said { failure, client, probability, .. } = said;
        let line = client.filter(|_| said.of_this_attempt);
        let (evidence, probability) =
            if probability < 1.0 { (Evidence::Probable, rounded(probability)) } else { (Evidence::Confirmed, 1.0) };
        let price = prices.lookup(&record.model, &cell.region).cloned();
        Some(Finding {
            id: Finding::id_of(cell, &record.request_id),
            scope: Scope { cell: cell.clone(), model: record.model.clone() },
            occurred_at: record.at,
            failure,
            evidence,
            probability,
            request_id: Some(Arc::clone(&record.request_id)),
            tokens: record.tokens,
            cost_usd: price.as_ref().map(|price| price.cost(&record.tokens)),
            price,
            cause: cause_of(failure),
            operation: record.operation.or_else(|| client.and_then(|client| client.text.operation)),
            application: client.map(|client| Arc::clone(&client.application)),
            identity: record.identity.clone(),
            revision: 0,
            client_log: line.map(|client| client.log.clone()),
            invocation_log: Some(record.log.clone()),
            retry_of: said.retry_of,
        })
    }

    /// Matches failures without an id where some are due and something changed.
    pub(super) fn match_due(&mut self, now: Time, horizon: Duration) {
        let mut blocks = std::mem::take(&mut self.blocks);
        let is_due = |key: &FailureKey| self.failures.get(key).is_some_and(|state| state.is_over(now, horizon));
        let frozen = self.complete_since.map(|since| since + LOOK_BACK);
        let mut due: BTreeSet<i64> = blocks.due(now, frozen, is_due).into_iter().collect();
        while let Some(block) = due.pop_first() {
            let views = self.views(Blocks::cut_off(block));
            let claimed = |id: &Arc<str>| {
                let claims = self.claims.get(id).into_iter().flatten();
                claims.filter(|((at, _), _)| block_of(*at) < block).map(|(_, probability)| probability).sum()
            };
            let changes = blocks.run(block, &views, claimed);
            if !changes.is_empty() {
                due.extend(blocks.follow(block, is_due));
            }
            for (key, before, now) in changes {
                for (id, _) in before {
                    remove_claim(&mut self.claims, &id, &key);
                    self.changed.insert(id);
                }
                for (id, probability) in now {
                    self.changed.insert(Arc::clone(&id));
                    self.claims.entry(id).or_default().insert(key.clone(), probability);
                }
            }
        }
        self.blocks = blocks;
        self.search_retries(now, frozen);
    }

    /// Looks for hidden retries where all that bears on them should have arrived.
    fn search_retries(&mut self, now: Time, frozen: Option<Time>) {
        let mut retries = std::mem::take(&mut self.retries);
        let mut changed = BTreeSet::new();
        for block in retries.due(now, frozen) {
            let (from, until, cut_off) = Retries::span(block);
            let is_of_block = |id: &str| {
                self.records.get(id).is_some_and(|record| {
                    from <= record.at && record.at < until && self.coverage.covers(Some(&record.model), from, cut_off)
                })
            };
            changed.extend(retries.search(block, &self.views(cut_off), is_of_block));
        }
        self.retries = retries;
        self.changed.extend(changed);
    }

    /// Everything before a time, as matching sees it.
    pub(super) fn views(&self, cut_off: Time) -> Views {
        let mut views = Views::default();
        let end = (cut_off, Arc::from(""));
        let records = self.records_by_time.range(..end);
        let skip = records.clone().count().saturating_sub(MOST_RECORDS);
        let mut named = Vec::new();
        for (_, id) in records.skip(skip) {
            let Some(record) = self.records.get(id) else { continue };
            let success = self.successes.application_of(id);
            named.extend(success.map(|application| (application, id)));
            let explained = success.is_some() || record.error_code.is_some() || self.failure_of(record).is_some();
            views.add_record(record, explained);
        }
        let before = |time: Time| self.failures.range(..(time, LogRef::first())).count();
        let (all, near) = (before(cut_off), before(cut_off.checked_sub_signed(NEAR).unwrap_or(cut_off)));
        let skip = near.saturating_sub(FAILURES_TO_LEARN_FROM).max(all.saturating_sub(MOST_FAILURES));
        for state in self.failures.values().take(all).skip(skip) {
            let failure = &state.failure;
            let joined = self.records_of(failure).next().map(|record| &*record.request_id);
            views.add_failure(failure, joined, is_nameless(failure) && self.is_covered(failure));
        }
        for (application, id) in named {
            views.add_success(application, id);
        }
        views
    }

    /// Whether every record that this failure may be of has been read.
    fn is_covered(&self, failure: &ClientFailure) -> bool {
        let (from, until) = (failure.at - LOOK_BACK, failure.at + CLOCK_SLACK);
        self.coverage.covers(failure.text.model.as_ref(), from, until)
    }

    /// The client failure that tells of this record's request: the earliest that names it, or names its own id.
    pub(super) fn failure_of(&self, record: &InvocationRecord) -> Option<&Arc<ClientFailure>> {
        let named = self.failures_by_request.get(record.request_id.as_ref()).into_iter().flatten();
        let own = record.own_id.as_ref().and_then(|own_id| self.failures_by_own_id.get(own_id.as_ref()));
        // An application may use one id for several calls in turn: only a failure after the record is of its call.
        let own = own.into_iter().flatten().filter(|(at, _)| record.at <= *at + CLOCK_SLACK);
        let first = |mut keys: Box<dyn Iterator<Item = &FailureKey> + '_>| {
            keys.find_map(|key| {
                let failure = &self.failures.get(key)?.failure;
                (failure.text.kind != FailureKind::Rejected).then_some(failure)
            })
        };
        first(Box::new(named)).or_else(|| first(Box::new(own)))
    }

    /// The request id of the attempt that followed this one in the same failed call.
    fn next_attempt(&self, record: &InvocationRecord, client: &ClientFailure) -> Option<Arc<str>> {
        let attempts = self.records_by_own_id.get(record.own_id.as_ref()?)?;
        let this = (record.at, Arc::clone(&record.request_id));
        let (at, next) = attempts.iter().find(|attempt| **attempt > this)?;
        (*at <= client.at + CLOCK_SLACK).then(|| Arc::clone(next))
    }

    /// The records that a failure tells of.
    fn records_of<'a>(&'a self, failure: &'a ClientFailure) -> impl Iterator<Item = &'a Arc<InvocationRecord>> {
        let named = failure.text.request_id.as_ref().and_then(|id| self.records.get(id.as_str()));
        let own = failure.text.own_id.as_ref().and_then(|own_id| self.records_by_own_id.get(own_id.as_str()));
        let own = own.into_iter().flatten().filter(|(at, _)| *at <= failure.at + CLOCK_SLACK);
        named.into_iter().chain(own.filter_map(|(_, id)| self.records.get(id)))
    }

    /// Failures whose outcome is known at `now`, each once.
    pub(super) fn conclude(&mut self, now: Time, horizon: Duration) -> Vec<Conclusion> {
        let mut concluded = Vec::new();
        for key in self.open.iter().cloned().collect::<Vec<_>>() {
            let Some(state) = self.failures.get(&key) else { continue };
            // What is still to be matched waits for that.
            let over = state.is_over(now, horizon) && self.blocks.is_settled(&key);
            let failure = Arc::clone(&state.failure);
            let Some(mut outcome) = self.outcome(&failure, over) else { continue };
            let mut failure = (*failure).clone();
            if outcome == Outcome::Expected
                && let Some(model) = self.model_of_named_match(&key)
            {
                outcome = Outcome::Billed;
                failure.text.model.get_or_insert(model);
            }
            if let Some(state) = self.failures.get_mut(&key) {
                state.outcome = Some(outcome);
            }
            self.open.remove(&key);
            concluded.push(Conclusion { failure, outcome });
        }
        concluded
    }

    /// Notes which failures have been seen by now.
    pub(super) fn see(&mut self, now: Time) {
        for key in &self.open {
            if let Some(state) = self.failures.get_mut(key) {
                state.seen.get_or_insert(now);
            }
        }
    }

    /// The model of the records that a failure was matched to, where those are named as findings.
    fn model_of_named_match(&self, key: &FailureKey) -> Option<ModelKey> {
        let is_named = |id: &Arc<str>| self.claims.get(id).is_some_and(|claims| probability_of(claims) >= PROBABLE);
        let named = self.blocks.matches_of(key).iter().filter(|(id, _)| is_named(id));
        let best = named.clone().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let certain = named.map(|(_, probability)| probability).sum::<f64>() >= PROBABLE;
        certain.then(|| self.records.get(&best.0).map(|record| record.model.clone())).flatten()
    }

    fn outcome(&self, failure: &ClientFailure, horizon_over: bool) -> Option<Outcome> {
        if failure.text.kind == FailureKind::Rejected {
            return Some(Outcome::NotBilled);
        }
        let (mut known, mut billed) = (false, false);
        for record in self.records_of(failure) {
            known = true;
            billed |= record.tokens.total() > 0;
        }
        let has_id = failure.text.request_id.is_some() || failure.text.own_id.is_some();
        match (billed, known, horizon_over) {
            (true, ..) => Some(Outcome::Billed),
            // An own id may have more attempts, whose records are still to come.
            (false, true, _) if failure.text.own_id.is_none() => Some(Outcome::NotBilled),
            (false, true, true) => Some(Outcome::NotBilled),
            (false, _, false) => None,
            // Nothing reached the model: there is nothing to expect.
            (false, false, true) if matches!(failure.text.kind, FailureKind::Throttled | FailureKind::ConnectError) => {
                Some(Outcome::NoRecord)
            }
            (false, false, true) => Some(if has_id { Outcome::NoRecord } else { Outcome::Expected }),
        }
    }

    /// Findings of a scope since a time.
    pub(super) fn findings_since<'a>(&'a self, model: &'a ModelKey, since: Time) -> impl Iterator<Item = &'a Finding> {
        let recent = self.findings_by_time.range((since, Arc::from(""))..);
        let named =
            recent.filter_map(|(_, id)| self.findings.get(id)).filter(|finding| finding.probability >= PROBABLE);
        named.filter(move |finding| finding.scope.model == *model)
    }

    /// Failures of a scope since a time that no record was joined to, with whether they are still open.
    pub(super) fn unjoined_since<'a>(
        &'a self,
        model: &'a ModelKey,
        since: Time,
    ) -> impl Iterator<Item = (&'a ClientFailure, bool)> {
        let recent = self.failures.iter().rev().take_while(move |((at, _), _)| *at >= since);
        recent
            .filter(|(_, state)| !matches!(state.outcome, Some(Outcome::Billed | Outcome::NotBilled)))
            .map(|(_, state)| (state.failure.as_ref(), state.outcome.is_none()))
            .filter(move |(failure, _)| match &failure.text.model {
                Some(named) => named == model,
                None => model.is_unknown(),
            })
    }

    pub(super) fn record(&self, id: &str) -> Option<&InvocationRecord> {
        self.records.get(id).map(Arc::as_ref)
    }

    /// Whether a record is a finding known for certain.
    pub(super) fn is_confirmed(&self, id: &str) -> bool {
        self.findings.get(id).is_some_and(|finding| finding.evidence == Evidence::Confirmed)
    }

    pub(super) fn failure(&self, key: &FailureKey) -> Option<&Arc<ClientFailure>> {
        self.failures.get(key).map(|state| &state.failure)
    }

    /// P(some failure without an id that only its client saw is of this record).
    pub(super) fn matched_to_client(&self, id: &str) -> f64 {
        let claims = self.claims.get(id).into_iter().flatten();
        let of_clients = claims
            .filter(|(key, _)| self.failures.get(*key).is_some_and(|state| !state.failure.text.kind.seen_by_aws()));
        of_clients.map(|(_, probability)| probability).sum::<f64>().min(0.9999)
    }

    /// How many records are known.
    pub(super) fn record_count(&self) -> usize {
        self.records.len()
    }

    /// Whether there is an invocation log: some record was read.
    pub(super) fn has_log(&self) -> bool {
        !self.records.is_empty()
    }

    /// Whether anything speaks for failures of which only clients know.
    pub(super) fn may_have_losses(&self) -> bool {
        !self.failures.is_empty() || !self.claims.is_empty()
    }

    /// Whether every record of a model in [from, until) has been read.
    pub(super) fn has_read(&self, model: &ModelKey, from: Time, until: Time) -> bool {
        !self.records.is_empty() && self.coverage.covers(Some(model), from, until)
    }

    /// Every match.
    pub(super) fn matches(&self) -> impl Iterator<Item = Match<'_>> {
        self.blocks.all()
    }

    /// Every model that a failure or a record named.
    pub(super) fn models(&self) -> impl Iterator<Item = &ModelKey> {
        self.models.iter()
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Forgets what is older than `oldest`, and the oldest of what is above the cap.
    pub(super) fn prune(&mut self, oldest: Time, now: Time, cap: usize) {
        self.successes.prune(oldest);
        self.coverage.prune(oldest);
        self.blocks.prune(oldest);
        self.retries.prune(oldest);
        while let Some((key, state)) = self.failures.first_key_value() {
            let excess = self.failures.len() > cap;
            // What is old but was only just read may still be waiting for its record.
            if !excess && (key.0 >= oldest || state.seen.is_none_or(|seen| seen + GRACE * 2 >= now)) {
                break;
            }
            let key = key.clone();
            self.evicted += u64::from(excess && key.0 >= oldest);
            self.forget_failure(&key);
        }
        while let Some((at, id)) = self.records_by_time.first() {
            let excess = self.records_by_time.len() > cap;
            if !excess && *at >= oldest {
                break;
            }
            let id = Arc::clone(id);
            self.evicted += u64::from(excess && *at >= oldest);
            self.complete_since = self.complete_since.max(Some(*at));
            self.forget_record(&id);
            self.claims.remove(&id);
            if let Some(finding) = self.findings.remove(&id) {
                self.findings_by_time.remove(&(finding.occurred_at, id));
            }
        }
    }

    fn forget_failure(&mut self, key: &FailureKey) {
        self.open.remove(key);
        let matches: Vec<Arc<str>> = self.blocks.matches_of(key).iter().map(|(id, _)| Arc::clone(id)).collect();
        for id in matches {
            remove_claim(&mut self.claims, &id, key);
        }
        self.blocks.forget_failure(key);
        let Some(state) = self.failures.remove(key) else { return };
        if let Some(id) = &state.failure.text.request_id {
            remove_from(&mut self.failures_by_request, id, key);
        }
        if let Some(own_id) = &state.failure.text.own_id {
            remove_from(&mut self.failures_by_own_id, own_id, key);
        }
    }

    fn forget_record(&mut self, id: &Arc<str>) {
        let Some(record) = self.records.remove(id) else { return };
        let key = (record.at, Arc::clone(id));
        self.records_by_time.remove(&key);
        if let Some(own_id) = &record.own_id {
            remove_from(&mut self.records_by_own_id, own_id, &key);
        }
    }
}

/// How likely a record is of any of the failures that may be of it. Never 1: that is for what is known.
pub(super) fn probability_of(claims: &BTreeMap<FailureKey, f64>) -> f64 {
    claims.values().sum::<f64>().min(0.9999)
}

/// A probability to three decimals: what lies beyond them is not known, and would only revise findings.
pub(super) fn rounded(probability: f64) -> f64 {
    (probability * 1000.0).round().min(999.0) / 1000.0
}

fn remove_claim(claims: &mut HashMap<Arc<str>, BTreeMap<FailureKey, f64>>, id: &Arc<str>, key: &FailureKey) {
    if let Some(of_record) = claims.get_mut(id) {
        of_record.remove(key);
        if of_record.is_empty() {
            claims.remove(id);
        }
    }
}

fn remove_from<K, V, Q>(index: &mut HashMap<K, BTreeSet<V>>, key: &Q, value: &V)
where
    K: std::borrow::Borrow<Q> + std::hash::Hash + Eq,
    Q: std::hash::Hash + Eq + ?Sized,
    V: Ord,
{
    if let Some(values) = index.get_mut(key) {
        values.remove(value);
        if values.is_empty() {
            index.remove(key);
        }
    }
}

/// How a request failed whose record carries this code. A code Bedrock did not have when this was written is taken
/// for a failure on AWS's side; one that says the caller was wrong is no failure that could be disputed.
fn kind_of_error(code: &str) -> Option<FailureKind> {
    let kind = BedrockException::parse(code).map_or(FailureKind::InternalError, BedrockException::kind);
    (kind != FailureKind::Rejected).then_some(kind)
}

/// What one call alone tells of its cause.
const fn cause_of(kind: FailureKind) -> Cause {
    match kind {
        FailureKind::ServiceUnavailable => Cause::ServerCapacity,
        FailureKind::Throttled => Cause::Throttling,
        FailureKind::ReadTimeout => Cause::ClientTimeout,
        FailureKind::ConnectionReset | FailureKind::ConnectError | FailureKind::StreamTruncated => Cause::Network,
        FailureKind::ModelTimeout | FailureKind::ModelError | FailureKind::InternalError => Cause::ModelError,
        FailureKind::Rejected => Cause::ClientRequest,
        FailureKind::StreamError => Cause::Unknown,
    }
}
