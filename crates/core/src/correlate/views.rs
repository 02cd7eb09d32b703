//! From what is kept to the views of one run.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    caller::caller,
    learn::Learnt,
    view::{FailureView, RecordView, SuccessView},
};
use crate::model::{ClientFailure, FailureKind, InvocationRecord, LogRef, ModelKey, Time};

/// The natural key of a failure, in the order of time.
pub(super) type FailureKey = (Time, LogRef);

/// What one run of matching sees.
#[derive(Debug, Default)]
pub(super) struct Views {
    origin: Option<Time>,
    pub(super) records: Vec<RecordView>,
    ids: Vec<Arc<str>>,
    pub(super) failures: Vec<FailureView>,
    keys: Vec<FailureKey>,
    pub(super) successes: Vec<SuccessView>,
    models: Names<ModelKey>,
    callers: Names<String>,
    applications: Names<Arc<str>>,
    streams: Names<(Arc<str>, Arc<str>)>,
    /// The caller of each `identity.arn`, so that each is parsed once.
    arns: HashMap<Arc<str>, u32>,
    positions: HashMap<Arc<str>, usize>,
}

/// Small numbers for names. They depend on the order of the first mention, which is that of time.
#[derive(Debug)]
struct Names<K>(BTreeMap<K, u32>);

impl<K> Default for Names<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone> Names<K> {
    fn number(&mut self, name: &K) -> u32 {
        if let Some(number) = self.0.get(name) {
            return *number;
        }
        let number = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0.insert(name.clone(), number);
        number
    }
}

impl Views {
    /// Adds a record; they come in the order of time.
    pub(super) fn add_record(&mut self, record: &InvocationRecord, explained: bool) {
        let origin = *self.origin.get_or_insert(record.at);
        let identity = match &record.identity {
            None => 0,
            Some(arn) => match self.arns.get(arn) {
                Some(identity) => *identity,
                None => {
                    let identity = self.callers.number(&caller(arn)) + 1;
                    self.arns.insert(Arc::clone(arn), identity);
                    identity
                }
            },
        };
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a call need no more")]
        let seconds = |told: Option<f64>| told.map_or(f32::NAN, |seconds| seconds as f32);
        let tokens = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        self.positions.insert(Arc::clone(&record.request_id), self.records.len());
        self.ids.push(Arc::clone(&record.request_id));
        self.records.push(RecordView {
            index: tokens(self.records.len() as u64),
            at: (record.at - origin).as_seconds_f64(),
            model: self.models.number(&record.model),
            identity,
            operation: record.operation,
            input: tokens(record.tokens.input),
            cached: tokens(record.tokens.cache_read + record.tokens.cache_write),
            output: tokens(record.tokens.output),
            latency: seconds(record.latency_seconds),
            first_byte: seconds(record.first_byte_seconds),
            explained: explained || record.tokens.total() == 0,
        });
    }

    /// Adds a failure, with the record it names where that is among those added; failures come in the order of time,
    /// after the records.
    pub(super) fn add_failure(&mut self, failure: &ClientFailure, joined: Option<&str>, nameless: bool) {
        let origin = *self.origin.get_or_insert(failure.at);
        let stream = (Arc::clone(&failure.log.group), Arc::clone(&failure.log.stream));
        let text = &failure.text;
        self.keys.push((failure.at, failure.log.clone()));
        self.failures.push(FailureView {
            at: (failure.at - origin).as_seconds_f64(),
            application: self.applications.number(&failure.application),
            stream: self.streams.number(&stream),
            kind: text.kind,
            model: text.model.as_ref().map(|model| self.models.number(model)),
            identity: failure.identity.as_ref().map(|arn| self.callers.number(&caller(arn)) + 1),
            operation: text.operation,
            attempts: text.attempts.filter(|attempts| *attempts > 0),
            elapsed: text.elapsed_seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0),
            input: text.input_tokens,
            joined: joined.and_then(|id| self.positions.get(id)).copied(),
            nameless,
        });
    }

    /// Adds a success, after the records.
    pub(super) fn add_success(&mut self, application: &Arc<str>, request_id: &str) {
        let joined = self.positions.get(request_id).copied();
        self.successes.push(SuccessView { application: self.applications.number(application), joined });
    }

    /// What they teach.
    pub(super) fn learn(&self) -> Learnt {
        let models = u32::try_from(self.models.0.len()).unwrap_or(u32::MAX);
        Learnt::of(&self.records, &self.failures, &self.successes, models)
    }

    /// The request id of a record, by its position.
    pub(super) fn id_of(&self, position: usize) -> Arc<str> {
        self.ids.get(position).cloned().unwrap_or_else(|| Arc::from(""))
    }

    /// The key of a failure, by its position.
    pub(super) fn key_of(&self, position: usize) -> Option<&FailureKey> {
        self.keys.get(position)
    }
}

/// Whether a failure names no request, and may have reached a model.
pub(super) fn is_nameless(failure: &ClientFailure) -> bool {
    failure.text.request_id.is_none()
        && failure.text.own_id.is_none()
        && !matches!(failure.text.kind, FailureKind::Rejected | FailureKind::Throttled | FailureKind::ConnectError)
}

/// Requests that were named in success lines.
#[derive(Debug, Default)]
pub(super) struct Successes {
    by_request: HashMap<Arc<str>, (Time, Arc<str>)>,
    by_time: BTreeSet<(Time, Arc<str>)>,
}

impl Successes {
    /// Takes in a success line; true if it says something new. The earliest line about a request is kept.
    pub(super) fn add(&mut self, success: &crate::model::ClientSuccess) -> bool {
        let id: Arc<str> = success.request_id.as_str().into();
        let told = (success.at, Arc::clone(&success.application));
        match self.by_request.get(&id) {
            Some(known) if *known <= told => return false,
            Some((at, _)) => drop(self.by_time.remove(&(*at, Arc::clone(&id)))),
            None => {}
        }
        self.by_time.insert((success.at, Arc::clone(&id)));
        self.by_request.insert(id, told);
        true
    }

    pub(super) fn application_of(&self, request_id: &str) -> Option<&Arc<str>> {
        self.by_request.get(request_id).map(|(_, application)| application)
    }

    pub(super) fn prune(&mut self, oldest: Time) {
        while let Some((at, _)) = self.by_time.first() {
            if *at >= oldest {
                break;
            }
            if let Some((_, id)) = self.by_time.pop_first() {
                self.by_request.remove(&id);
            }
        }
    }
}
