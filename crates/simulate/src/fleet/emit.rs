//! From a call that was played to what AWS holds of it: log lines, records, samples, and the truth.

use std::sync::Arc;

use chrono::TimeDelta;
use faultline_core::model::{BedrockException, Time};
use rand::{Rng, RngExt};

use super::{
    application::Application,
    chance::{between, exponential, happens, seconds, seconds_between},
    metrics::{Dimensions, Sample, samples},
    plan::FleetPlan,
    record::Context,
    request::{Attempt, Call, Failure},
    texts::{self, Told},
    truth::RequestTruth,
};
use crate::Emission;

/// The log group of the model invocation log.
pub const INVOCATION_GROUP: &str = "/bedrock/invocations";
/// Its one stream, which Bedrock names so.
pub const INVOCATION_STREAM: &str = "aws/bedrock/modelinvocations";
/// Counts records that reached CloudWatch Logs, across all models.
const DELIVERED: &str = "ModelInvocationLogsCloudWatchDeliverySuccess";

/// What is the same in every emission about an application.
#[derive(Debug, Clone)]
pub(super) struct Names {
    model_as_called: Arc<str>,
    dimensions: Dimensions,
    no_dimensions: Dimensions,
    invocation_group: Arc<str>,
    invocation_stream: Arc<str>,
}

impl Names {
    pub(super) fn of(plan: &FleetPlan, application: &Application) -> Self {
        Self {
            model_as_called: application.model_as_called(&plan.account_id, &plan.region),
            dimensions: Arc::new([("ModelId", Arc::clone(&application.model_id))]),
            no_dimensions: Arc::new([]),
            invocation_group: INVOCATION_GROUP.into(),
            invocation_stream: INVOCATION_STREAM.into(),
        }
    }
}

/// Everything that comes of one call.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) started_at: Time,
    pub(super) emissions: Vec<Emission>,
    pub(super) truth: Vec<RequestTruth>,
}

/// Turns the calls of one application into emissions.
pub(super) struct Emitter<'a> {
    pub(super) plan: &'a FleetPlan,
    pub(super) application: &'a Application,
    pub(super) names: &'a Names,
}

impl Emitter<'_> {
    /// Everything that comes of a call.
    pub(super) fn played(&self, call: &Call, rng: &mut impl Rng) -> Played {
        let mut played =
            Played { started_at: call.started_at, emissions: Vec::with_capacity(16), truth: Vec::with_capacity(1) };
        let logged_at = self.log(call, rng, &mut played.emissions);
        let last = call.attempts.len().saturating_sub(1);
        for (index, attempt) in call.attempts.iter().enumerate() {
            self.measure(attempt, rng, &mut played.emissions);
            let error_code = self.error_code(attempt, rng);
            let has_record = attempt.reached_aws && !happens(rng, self.plan.noise.lost_records);
            if has_record {
                self.record(call, attempt, error_code, rng, &mut played.emissions);
            }
            played.truth.push(RequestTruth {
                request_id: Arc::clone(&attempt.request_id),
                application: Arc::clone(&self.application.name),
                model_id: Arc::clone(&self.names.model_as_called),
                operation: self.application.operation,
                started_at: attempt.started_at,
                ended_at: attempt.ended_at(),
                left_at: attempt.left_at(),
                tokens: if attempt.metered { attempt.tokens } else { faultline_core::model::Tokens::default() },
                metered: attempt.metered,
                billed: attempt.metered,
                failed: attempt.failure.is_some(),
                kind: attempt.failure.map(Failure::kind),
                cause: attempt.cause,
                retry_of: call.attempts.get(index + 1).map(|next| Arc::clone(&next.request_id)),
                reached_aws: attempt.reached_aws,
                error_code,
                has_record,
                logged_at: logged_at.filter(|_| index == last),
                own_id_told: call.own_id.is_some() && logged_at.is_some(),
                id_in_text: index == last
                    && matches!(attempt.failure, Some(Failure::Answered(_)))
                    && self.application.library.prints_request_id(),
            });
        }
        played
    }

    fn error_code(&self, attempt: &Attempt, rng: &mut impl Rng) -> Option<&'static str> {
        let exception = attempt.exception()?;
        let hidden = attempt.metered && !happens(rng, self.plan.noise.metered_errors_with_code);
        (!hidden).then(|| BedrockException::as_str(exception))
    }

    fn record(
        &self,
        call: &Call,
        attempt: &Attempt,
        error_code: Option<&'static str>,
        rng: &mut impl Rng,
        into: &mut Vec<Emission>,
    ) {
        let context = Context {
            account_id: &self.plan.account_id,
            region: &self.plan.region,
            application: self.application,
            model_id: &self.names.model_as_called,
            own_id: call.own_id.as_deref(),
            error_code,
        };
        let ended_at = attempt.ended_at();
        let visible_at = ended_at + seconds(between(rng, self.plan.delays(ended_at).record));
        into.push(Emission::Log {
            group: Arc::clone(&self.names.invocation_group),
            stream: Arc::clone(&self.names.invocation_stream),
            at: ended_at,
            visible_at,
            message: context.record(attempt, rng),
        });
        self.sample((DELIVERED, 1.0), &self.names.no_dimensions, visible_at, rng, into);
    }

    fn measure(&self, attempt: &Attempt, rng: &mut impl Rng, into: &mut Vec<Emission>) {
        let mut taken: Vec<Sample> = Vec::with_capacity(8);
        samples(attempt, self.application.operation, self.plan.noise.invocations, &mut taken);
        for sample in taken {
            self.sample(sample, &self.names.dimensions, attempt.ended_at(), rng, into);
        }
    }

    /// Most of a minute's samples are published together, the rest trickle in and revise it.
    fn sample(
        &self,
        (metric, value): Sample,
        dimensions: &Dimensions,
        at: Time,
        rng: &mut impl Rng,
        into: &mut Vec<Emission>,
    ) {
        let delays = self.plan.delays(at);
        let minute_ends = at + TimeDelta::seconds(60 - at.timestamp().rem_euclid(60));
        let tail = if happens(rng, delays.metric_tail_share) { exponential(rng, delays.metric_tail) } else { 0.0 };
        let visible_at = minute_ends + seconds(between(rng, delays.metric) + tail);
        into.push(Emission::Sample { metric, dimensions: Arc::clone(dimensions), at, value, visible_at });
    }

    /// The application's own lines about the call; when it logged a failure, if it did.
    fn log(&self, call: &Call, rng: &mut impl Rng, into: &mut Vec<Emission>) -> Option<Time> {
        let last = call.attempts.last()?;
        let skew = seconds(self.application.clock_skew);
        let worked: f64 = call.attempts.iter().map(|attempt| attempt.client_wait).sum();
        let mut told = Told {
            application: self.application,
            region: &self.plan.region,
            model_id: &self.names.model_as_called,
            at: call.started_at + skew,
            request_id: &last.request_id,
            own_id: call.own_id.as_deref(),
            attempts: call.attempts.len(),
            elapsed: 0.0,
            backoff: 0.0,
            writer: rng.random_range(1..20_000),
        };
        if let Some(text) = texts::calling(&told) {
            self.lines(call, told.at, text, rng, into);
        }
        // A few milliseconds go by before the line is written.
        let written_at = last.left_at() + seconds(between(rng, (0.001, 0.02)));
        told.at = written_at + skew;
        told.elapsed = seconds_between(call.started_at, written_at);
        told.backoff = (told.elapsed - worked).max(0.0);
        match last.failure {
            None => {
                self.lines(call, told.at, texts::answered(&told), rng, into);
                None
            }
            Some(failure) => {
                self.lines(call, told.at, texts::failed(&told, failure), rng, into);
                Some(told.at)
            }
        }
    }

    fn lines(&self, call: &Call, at: Time, text: String, rng: &mut impl Rng, into: &mut Vec<Emission>) {
        let visible_at = at + seconds(between(rng, self.plan.delays(at).client_log));
        let stream = self.application.log_streams.get(call.log_stream).map_or_else(|| "main".into(), Arc::clone);
        let mut event = |message: String| {
            into.push(Emission::Log {
                group: Arc::clone(&self.application.log_group),
                stream: Arc::clone(&stream),
                at,
                visible_at,
                message,
            });
        };
        if self.application.library.splits_lines() {
            // An empty line makes no log event.
            text.lines().filter(|line| !line.is_empty()).for_each(|line| event(line.to_owned()));
        } else {
            event(text);
        }
    }
}
