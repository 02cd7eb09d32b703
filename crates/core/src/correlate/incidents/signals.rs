//! What speaks of trouble, minute by minute: failures that clients logged, and records that carry an errorCode.
//!
//! Kept for a day in a compact form, so that what is usual is known and an incident keeps its beginning, however long
//! it lasts. Each line and each record counts once.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use chrono::{Duration, DurationRound};

use crate::model::{BedrockException, ClientFailure, FailureKind, InvocationRecord, ModelKey, Time};

/// How long signals are kept.
pub(super) const KEPT: Duration = Duration::hours(24);
/// The most signals kept; the oldest go first.
const CAP: usize = 200_000;
/// A call does not take longer than this: an elapsed time above it is no time of a call.
const LONGEST_CALL: f64 = 3_600.0;

/// Who tells of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Teller {
    /// An application's log: one line for a call, when its last attempt has failed.
    Client,
    /// The invocation log: one record for each attempt that AWS failed.
    Record,
}

/// One failure, as far as diagnosis needs it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Signal {
    pub teller: Teller,
    pub kind: FailureKind,
    /// The model, where the text or the record names it.
    pub model: Option<ModelKey>,
    /// The application; empty for a record.
    pub application: Arc<str>,
    /// The log stream; empty for a record.
    pub stream: Arc<str>,
    pub elapsed: Option<f64>,
    pub attempts: Option<u32>,
    /// Whether a record shows tokens beside its errorCode.
    pub metered: bool,
}

/// The minute of a signal, and what names it.
type Key = (Time, u64);

/// Every signal of a cell.
#[derive(Debug, Default)]
pub(super) struct Signals {
    by_time: BTreeMap<Key, Signal>,
    /// Every key's hash, to know what was seen.
    models_of: BTreeMap<Arc<str>, BTreeSet<ModelKey>>,
}

impl Signals {
    /// True if it was not known before.
    pub(super) fn add_failure(&mut self, failure: &ClientFailure) -> bool {
        let text = &failure.text;
        if let Some(model) = &text.model {
            self.learn(&failure.application, model);
        }
        // A call that took long met its trouble before its line was written.
        let took = text.elapsed_seconds.filter(|seconds| (0.0..LONGEST_CALL).contains(seconds)).unwrap_or(0.0);
        #[expect(clippy::cast_possible_truncation, reason = "at most an hour of milliseconds")]
        let began = failure.at - Duration::milliseconds((took * 1000.0) as i64);
        let signal = Signal {
            teller: Teller::Client,
            kind: text.kind,
            model: text.model.clone(),
            application: Arc::clone(&failure.application),
            stream: Arc::clone(&failure.log.stream),
            elapsed: text.elapsed_seconds,
            attempts: text.attempts,
            metered: false,
        };
        self.add(began, &failure.log, signal)
    }

    /// True if it carries an errorCode and was not known before.
    pub(super) fn add_record(&mut self, record: &InvocationRecord) -> bool {
        let Some(code) = record.error_code.as_deref() else { return false };
        let kind = BedrockException::parse(code).map_or(FailureKind::InternalError, BedrockException::kind);
        let signal = Signal {
            teller: Teller::Record,
            kind,
            model: Some(record.model.clone()),
            application: "".into(),
            stream: "".into(),
            elapsed: None,
            attempts: None,
            metered: record.tokens.total() > 0,
        };
        self.add(record.at, &record.request_id, signal)
    }

    fn add(&mut self, at: Time, name: &impl Hash, signal: Signal) -> bool {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let minute = at.duration_trunc(Duration::minutes(1)).unwrap_or(at);
        self.by_time.insert((minute, hasher.finish()), signal).is_none()
    }

    /// This application calls this model.
    pub(super) fn learn(&mut self, application: &Arc<str>, model: &ModelKey) {
        let known = self.models_of.get(application).is_some_and(|models| models.contains(model));
        if !known {
            self.models_of.entry(Arc::clone(application)).or_default().insert(model.clone());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_time.is_empty()
    }

    /// Every signal of a range of minutes, oldest first.
    pub(super) fn between(&self, range: std::ops::Range<Time>) -> impl Iterator<Item = (Time, &Signal)> {
        let end = range.end.max(range.start);
        self.by_time.range((range.start, 0)..(end, 0)).map(|((minute, _), signal)| (*minute, signal))
    }

    /// Every signal.
    pub(super) fn all(&self) -> impl Iterator<Item = (Time, &Signal)> {
        self.by_time.iter().map(|((minute, _), signal)| (*minute, signal))
    }

    /// The model a signal is of: the one it names, else the one its application is known to call, else the only one
    /// that the cell calls.
    pub(super) fn model_of<'a>(&'a self, signal: &'a Signal, only: Option<&'a ModelKey>) -> Option<&'a ModelKey> {
        let of_application = || {
            let models = self.models_of.get(&signal.application)?;
            models.first().filter(|_| models.len() == 1)
        };
        signal.model.as_ref().or_else(of_application).or(only)
    }

    pub(super) fn prune(&mut self, now: Time) {
        while let Some((key, _)) = self.by_time.first_key_value() {
            if key.0 >= now - KEPT && self.by_time.len() <= CAP {
                break;
            }
            self.by_time.pop_first();
        }
    }
}
