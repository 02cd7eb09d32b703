//! From a call that was played to what the daemon's sources would tell of it: records, failures and successes.

use std::sync::Arc;

use chrono::SubsecRound;
use faultline_core::model::{
    BedrockException, Cell, ClientFailure, ClientSuccess, FailureKind, FailureText, InvocationRecord, LogRef, ModelKey,
    Observation, Time, Tokens,
};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{DelayLaw, Elapsed, Knobs, RequestTruth, Telling};
use crate::fleet::{
    Application, INVOCATION_GROUP, INVOCATION_STREAM,
    chance::{between, count, exponential, happens, lognormal, number, seconds, seconds_between},
    request::{Attempt, Call, Failure},
};

/// Seconds from a client's line to its being read, at least and usually at most.
const LINE_DELAY: (f64, f64) = (2.0, 20.0);
/// Share of lines that come later still, and by how many seconds on average.
const LATE_LINES: (f64, f64) = (0.01, 60.0);

/// Tells of the calls of one application.
pub(super) struct Observer<'a> {
    pub(super) cell: &'a Cell,
    pub(super) knobs: &'a Knobs,
    pub(super) application: &'a Application,
    pub(super) telling: &'a Telling,
    /// The model it calls.
    pub(super) model: ModelKey,
    /// `identity.arn` of its records.
    pub(super) session: Arc<str>,
    /// The role that it is configured with.
    pub(super) role: Arc<str>,
    pub(super) streams: Vec<Arc<str>>,
    pub(super) log_group: Arc<str>,
    pub(super) invocation_group: Arc<str>,
    pub(super) invocation_stream: Arc<str>,
}

impl<'a> Observer<'a> {
    pub(super) fn new(cell: &'a Cell, knobs: &'a Knobs, application: &'a Application, telling: &'a Telling) -> Self {
        let (account, name) = (&cell.account_id, &application.name);
        Self {
            cell,
            knobs,
            application,
            telling,
            model: ModelKey::parse(&application.model_id),
            session: format!("arn:aws:sts::{account}:assumed-role/{name}/{name}-task").into(),
            role: format!("arn:aws:iam::{account}:role/{name}").into(),
            streams: application.log_streams.clone(),
            log_group: Arc::clone(&application.log_group),
            invocation_group: INVOCATION_GROUP.into(),
            invocation_stream: INVOCATION_STREAM.into(),
        }
    }

    /// Everything that is told of a call, and the truth about its attempts.
    pub(super) fn observe(
        &self,
        number_of_call: usize,
        call: &Call,
        rng: &mut impl Rng,
        observations: &mut Vec<(Time, Observation)>,
        truth: &mut Vec<RequestTruth>,
    ) {
        let line = self.line(number_of_call, call, rng, observations);
        let last = call.attempts.len().saturating_sub(1);
        let call_failed = call.attempts.last().is_some_and(|attempt| attempt.failure.is_some());
        for (index, attempt) in call.attempts.iter().enumerate() {
            let code =
                attempt.exception().filter(|_| !attempt.metered || happens(rng, self.knobs.metered_errors_with_code));
            let has_record = attempt.reached_aws && !happens(rng, self.knobs.lost_records);
            if has_record {
                observations.push(self.record(call, attempt, code, rng));
            }
            let billed = attempt.metered && attempt.reached_aws;
            let id_told = index == last && self.names_id(attempt);
            let own_id_told = call_failed && call.own_id.is_some();
            truth.push(RequestTruth {
                request_id: Arc::clone(&attempt.request_id),
                call: number_of_call,
                application: call.application,
                model: self.model.clone(),
                started_at: attempt.started_at,
                ended_at: attempt.ended_at(),
                tokens: if billed { attempt.tokens } else { Tokens::default() },
                billed,
                failed: attempt.failure.is_some(),
                kind: attempt.failure.map(Failure::kind),
                cause: attempt.cause,
                has_record,
                has_error_code: code.is_some(),
                line: line.clone().filter(|_| index == last),
                retry_of: call.attempts.get(index + 1).map(|next| Arc::clone(&next.request_id)),
                call_failed,
                joinable: billed
                    && attempt.failure.is_some()
                    && has_record
                    && (id_told || own_id_told || code.is_some()),
            });
        }
    }

    /// Whether the client's text names the request id of this failure.
    fn names_id(&self, attempt: &Attempt) -> bool {
        self.telling.request_id && matches!(attempt.failure, Some(Failure::Answered(_)))
    }

    fn record(
        &self,
        call: &Call,
        attempt: &Attempt,
        code: Option<BedrockException>,
        rng: &mut impl Rng,
    ) -> (Time, Observation) {
        let ended_at = attempt.ended_at();
        let streams = self.application.operation.is_streaming();
        let knows_latency = self.knobs.latency_in_records && code.is_none();
        let record = InvocationRecord {
            cell: self.cell.clone(),
            request_id: Arc::clone(&attempt.request_id),
            at: attempt.started_at.trunc_subsecs(0),
            model: self.model.clone(),
            operation: Some(self.application.operation),
            error_code: code.map(|code| code.as_str().into()),
            tokens: if attempt.metered { attempt.tokens } else { Tokens::default() },
            identity: Some(Arc::clone(&self.session)),
            own_id: call.own_id.as_deref().map(Into::into),
            inference_region: None,
            latency_seconds: knows_latency.then(|| number(count(attempt.latency * 1000.0)) / 1000.0),
            first_byte_seconds: (knows_latency && streams)
                .then(|| number(count(attempt.first_token * 1000.0)) / 1000.0),
            stream_ended: (knows_latency && streams)
                .then_some(!matches!(attempt.failure, Some(Failure::FrameMidStream(_)))),
            log: LogRef {
                group: Arc::clone(&self.invocation_group),
                stream: Arc::clone(&self.invocation_stream),
                event_id: Arc::clone(&attempt.request_id),
                at: ended_at,
            },
        };
        (self.record_appears(ended_at, rng), Observation::Record(record))
    }

    fn record_appears(&self, ended_at: Time, rng: &mut impl Rng) -> Time {
        match self.knobs.delay_law {
            DelayLaw::Uniform => ended_at + seconds(between(rng, (5.0, 60.0))),
            DelayLaw::Lognormal => ended_at + seconds(lognormal(rng, 15.0, 1.0).min(900.0)),
            DelayLaw::Batches => {
                let into_batch = number(ended_at.timestamp().rem_euclid(60).unsigned_abs());
                ended_at + seconds(60.0 - into_batch + between(rng, (5.0, 15.0)))
            }
        }
    }

    /// The client's line about the end of a call; where it was written, if it tells of a failure.
    fn line(
        &self,
        number_of_call: usize,
        call: &Call,
        rng: &mut impl Rng,
        observations: &mut Vec<(Time, Observation)>,
    ) -> Option<LogRef> {
        let last = call.attempts.last()?;
        let written_at = last.left_at() + seconds(between(rng, (0.001, 0.02)));
        let jitter: f64 = StandardNormal.sample(rng);
        let clock = self.telling.clocks.get(call.log_stream).copied().unwrap_or_default();
        let at = written_at + seconds(clock + jitter * self.telling.clock_sd);
        let late = if happens(rng, LATE_LINES.0) { exponential(rng, LATE_LINES.1).min(400.0) } else { 0.0 };
        let seen_at = written_at + seconds(between(rng, LINE_DELAY) + late);
        let Some(failure) = last.failure else {
            if self.knobs.success_ids {
                let success = ClientSuccess {
                    cell: self.cell.clone(),
                    application: Arc::clone(&self.application.name),
                    at,
                    request_id: last.request_id.to_string(),
                };
                observations.push((seen_at, Observation::Success(success)));
            }
            return None;
        };
        let log = LogRef {
            group: Arc::clone(&self.log_group),
            stream: self.streams.get(call.log_stream).map_or_else(|| "0".into(), Arc::clone),
            event_id: format!("line-{number_of_call}").into(),
            at,
        };
        let told = ClientFailure {
            cell: self.cell.clone(),
            application: Arc::clone(&self.application.name),
            identity: self.telling.identity.then(|| Arc::clone(&self.role)),
            at,
            log: log.clone(),
            text: self.text(call, last, failure, written_at, at),
        };
        observations.push((seen_at, Observation::Failure(told)));
        Some(log)
    }

    fn text(&self, call: &Call, last: &Attempt, failure: Failure, written_at: Time, at: Time) -> FailureText {
        let telling = self.telling;
        let exception = match failure {
            Failure::Answered(exception) | Failure::FrameMidStream(exception) => Some(exception),
            Failure::ResetBeforeAnswer | Failure::ResetMidStream | Failure::ReadTimeout => None,
        };
        let answered = matches!(failure, Failure::Answered(_));
        FailureText {
            statuses: exception.filter(|_| answered).map(BedrockException::status).into_iter().collect(),
            exception,
            request_id: self.names_id(last).then(|| last.request_id.to_string()),
            own_id: call.own_id.clone(),
            model: telling.model.then(|| self.model.clone()),
            operation: telling.operation.then_some(self.application.operation),
            attempts: telling.attempts.then(|| u32::try_from(call.attempts.len()).unwrap_or(u32::MAX)),
            elapsed_seconds: match telling.elapsed {
                Elapsed::Untold => None,
                Elapsed::OfAttempt => Some(seconds_between(last.started_at, written_at)),
                Elapsed::OfCall => Some(seconds_between(call.started_at, written_at)),
            },
            input_tokens: self.knobs.input_tokens_told.then_some(last.tokens.input),
            at: Some(at),
            ..FailureText::new(kind(failure))
        }
    }
}

/// A stream that is cut off is told as one that ended too early.
const fn kind(failure: Failure) -> FailureKind {
    match failure {
        Failure::ResetMidStream => FailureKind::StreamTruncated,
        failure => failure.kind(),
    }
}
