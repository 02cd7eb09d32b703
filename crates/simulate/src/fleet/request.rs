//! One call of one application, attempt by attempt: what the client lives through, and what AWS does meanwhile.
//!
//! The two differ, and that difference is what the product is about: a client that gave up, or was cut off, does not
//! stop the model, and AWS meters the whole answer.

use std::sync::Arc;

use faultline_core::model::{BedrockException, Cause, FailureKind, Time, Tokens};
use rand::{Rng, seq::IndexedRandom};

use super::{
    application::{Application, Size},
    chance::{between, count, happens, lognormal, number, seconds, uuid},
    incident::Weather,
    plan::Noise,
};

/// NAT gateways forget a connection after this many seconds of silence, and reset it when it next speaks.
const NAT_IDLE: (f64, f64) = (350.3, 351.0);
/// An answer that stalls takes this many times as long.
const STALL: (f64, f64) = (2.0, 20.0);

/// How an attempt fails for its client, as finely as log text tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Bedrock answered with an error.
    Answered(BedrockException),
    /// Bedrock answered, began to stream, and then sent an exception frame.
    FrameMidStream(BedrockException),
    /// The connection was lost before the first byte of the answer.
    ResetBeforeAnswer,
    /// The connection was lost while the answer streamed in.
    ResetMidStream,
    /// The client waited longer than its read timeout for a byte.
    ReadTimeout,
}

impl Failure {
    /// The kind the product knows it by.
    pub(crate) const fn kind(self) -> FailureKind {
        match self {
            Self::Answered(exception) => exception.kind(),
            Self::FrameMidStream(_) => FailureKind::StreamError,
            Self::ResetBeforeAnswer | Self::ResetMidStream => FailureKind::ConnectionReset,
            Self::ReadTimeout => FailureKind::ReadTimeout,
        }
    }

    /// Its cause, each mechanism having but one here.
    const fn cause(self) -> Cause {
        match self {
            Self::Answered(BedrockException::ThrottlingException) => Cause::Throttling,
            Self::Answered(BedrockException::ModelErrorException) => Cause::ModelError,
            Self::Answered(_) | Self::FrameMidStream(_) => Cause::ServerCapacity,
            Self::ResetBeforeAnswer | Self::ResetMidStream => Cause::Network,
            Self::ReadTimeout => Cause::ClientTimeout,
        }
    }

    /// Whether SDKs try again: not once a stream has begun, and not when the model itself failed.
    const fn is_retried(self) -> bool {
        !matches!(
            self,
            Self::ResetMidStream | Self::FrameMidStream(_) | Self::Answered(BedrockException::ModelErrorException)
        )
    }
}

/// One attempt: a request of its own to AWS, with a request id of its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attempt {
    pub(crate) request_id: Arc<str>,
    pub(crate) started_at: Time,
    /// Seconds AWS worked on it.
    pub(crate) latency: f64,
    /// Seconds to the first token.
    pub(crate) first_token: f64,
    /// Seconds until the client had its answer or its failure.
    pub(crate) client_wait: f64,
    /// What AWS would meter, and does if `metered`.
    pub(crate) tokens: Tokens,
    pub(crate) metered: bool,
    pub(crate) reached_aws: bool,
    pub(crate) failure: Option<Failure>,
    pub(crate) cause: Option<Cause>,
}

impl Attempt {
    /// The exception AWS itself counts for the request; a client that was cut off is a success to AWS.
    pub(crate) const fn exception(&self) -> Option<BedrockException> {
        match self.failure {
            Some(Failure::Answered(exception) | Failure::FrameMidStream(exception)) => Some(exception),
            _ => None,
        }
    }

    /// When AWS was done with it.
    pub(crate) fn ended_at(&self) -> Time {
        self.started_at + seconds(self.latency)
    }

    /// When the client had its answer or its failure.
    pub(crate) fn left_at(&self) -> Time {
        self.started_at + seconds(self.client_wait)
    }
}

/// A call: its attempts in order, at least one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// Index of the application in the plan.
    pub(crate) application: usize,
    pub(crate) started_at: Time,
    /// Index of the log stream it is told in.
    pub(crate) log_stream: usize,
    pub(crate) attempts: Vec<Attempt>,
    /// The application's own id of the call.
    pub(crate) own_id: Option<String>,
}

/// The prompt of a call, in numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prompt {
    pub(crate) input: u64,
    /// Output tokens of its answers, on average.
    pub(crate) output: f64,
    /// Standard deviation of their logarithm: the same prompt is answered at about the same length.
    pub(crate) output_sd: f64,
}

impl Prompt {
    pub(crate) fn draw(application: &Application, rng: &mut impl Rng) -> Self {
        let output = number(size(application.output, rng));
        let mut input = size(application.input, rng);
        if let Some(templates) = &application.templates
            && happens(rng, templates.share)
            && let Some(template) = templates.inputs.choose(rng)
        {
            input = *template;
        }
        Self { input, output, output_sd: application.answer_sd }
    }
}

fn size(size: Size, rng: &mut impl Rng) -> u64 {
    count(lognormal(rng, size.median, size.sd).min(size.max)).max(1)
}

/// What a call plays against.
pub(crate) struct Stage<'a, W> {
    pub(crate) application: &'a Application,
    pub(crate) noise: &'a Noise,
    /// How much slower the model is than usual.
    pub(crate) slowdown: f64,
    /// The weather at a moment.
    pub(crate) weather: W,
}

impl<W: Fn(Time) -> Weather> Stage<'_, W> {
    /// All attempts of a call that starts at `at`.
    pub(crate) fn play(&self, at: Time, prompt: Prompt, rng: &mut impl Rng) -> Vec<Attempt> {
        let mut attempts = Vec::with_capacity(1);
        let mut started_at = at;
        loop {
            let attempt = self.attempt(started_at, prompt, rng);
            let again = attempt.failure.is_some_and(Failure::is_retried);
            let jitter = between(rng, (0.0, 1.0));
            let wait = self.application.backoff.wait(attempts.len() + 1, jitter);
            started_at = attempt.left_at() + seconds(wait);
            attempts.push(attempt);
            if !again || attempts.len() >= usize::try_from(self.application.max_attempts).unwrap_or(usize::MAX) {
                return attempts;
            }
        }
    }

    fn attempt(&self, started_at: Time, prompt: Prompt, rng: &mut impl Rng) -> Attempt {
        let weather = (self.weather)(started_at);
        let tokens = self.tokens(prompt, weather.length, rng);
        let pace = self.application.pace;
        let mut slowdown = self.slowdown * weather.slowness;
        if self.noise.stalls > 0.0 && happens(rng, self.noise.stalls) {
            slowdown *= between(rng, STALL);
        }
        let first_token = lognormal(rng, pace.first * slowdown, pace.sd);
        let generating = lognormal(rng, pace.per_token * number(tokens.output) * slowdown, pace.sd);
        let mut attempt = Attempt {
            request_id: uuid(rng).into(),
            started_at,
            latency: first_token + generating,
            first_token,
            client_wait: first_token + generating,
            tokens,
            metered: true,
            reached_aws: true,
            failure: None,
            cause: None,
        };
        if happens(rng, weather.network) {
            if self.noise.silent_losses > 0.0 && happens(rng, self.noise.silent_losses) {
                self.go_silent(&mut attempt);
            } else {
                self.cut_off(&mut attempt, rng);
            }
        } else if let Some(exception) = refusal(weather, rng) {
            self.refuse(&mut attempt, exception, rng);
        }
        self.lose_patience(&mut attempt, rng);
        attempt.cause = attempt.cause.or(attempt.failure.map(Failure::cause));
        attempt
    }

    fn tokens(&self, prompt: Prompt, length: f64, rng: &mut impl Rng) -> Tokens {
        let drawn = lognormal(rng, prompt.output * length, prompt.output_sd);
        let output = count(drawn.min(self.application.output.max)).max(1);
        // A prefix stays in the cache for five minutes: most calls read it, a few write it anew.
        let (cache_read, cache_write) = match self.application.cached_prefix {
            Some(prefix) if happens(rng, 0.04) => (0, prefix),
            Some(prefix) => (prefix, 0),
            None => (0, 0),
        };
        Tokens { input: prompt.input, output, cache_read, cache_write }
    }

    /// The network loses the connection, somewhere between the request and the end of its answer.
    fn cut_off(&self, attempt: &mut Attempt, rng: &mut impl Rng) {
        let streams = self.application.operation.is_streaming();
        if happens(rng, self.noise.resets_on_the_way_out) {
            attempt.reached_aws = false;
            attempt.metered = false;
            attempt.client_wait = between(rng, (0.01, 1.0));
            attempt.latency = attempt.client_wait;
            attempt.failure = Some(Failure::ResetBeforeAnswer);
        } else if streams && happens(rng, 0.7) {
            attempt.client_wait = between(rng, (attempt.first_token, attempt.latency));
            attempt.failure = Some(Failure::ResetMidStream);
        } else {
            let silence = if streams { attempt.first_token } else { attempt.latency };
            attempt.client_wait = between(rng, (0.0, silence));
            attempt.failure = Some(Failure::ResetBeforeAnswer);
        }
    }

    /// The network loses the answer, and tells nobody.
    fn go_silent(&self, attempt: &mut Attempt) {
        attempt.client_wait = self.application.read_timeout;
        attempt.failure = Some(Failure::ReadTimeout);
        attempt.cause = Some(Cause::Network);
    }

    /// AWS answers with an error, and may have metered the request all the same.
    fn refuse(&self, attempt: &mut Attempt, exception: BedrockException, rng: &mut impl Rng) {
        attempt.failure = Some(Failure::Answered(exception));
        attempt.metered = match exception {
            BedrockException::ServiceUnavailableException | BedrockException::InternalServerException => {
                happens(rng, self.noise.metered_server_errors)
            }
            _ => false,
        };
        attempt.latency = if attempt.metered {
            // The model had worked on it; no SDK here has lost its patience yet.
            (attempt.latency * between(rng, (0.3, 1.0))).min(self.application.read_timeout * 0.9)
        } else if exception == BedrockException::ThrottlingException {
            between(rng, (0.02, 0.2))
        } else {
            // "Too many connections": the request waited in a queue first.
            between(rng, (0.2, 3.0))
        };
        attempt.client_wait = attempt.latency;
        attempt.first_token = attempt.first_token.min(attempt.latency);
        let streams = self.application.operation.is_streaming();
        if streams && attempt.metered && happens(rng, self.noise.metered_errors_mid_stream) {
            attempt.failure = Some(Failure::FrameMidStream(exception));
        }
    }

    /// The client, or the NAT gateway before it, gives up on an answer that takes too long to begin.
    fn lose_patience(&self, attempt: &mut Attempt, rng: &mut impl Rng) {
        let streams = self.application.operation.is_streaming();
        let silence = if streams { attempt.first_token.min(attempt.client_wait) } else { attempt.client_wait };
        if silence > self.application.read_timeout {
            attempt.client_wait = self.application.read_timeout;
            attempt.failure = Some(Failure::ReadTimeout);
        }
        if self.application.behind_nat && silence.min(self.application.read_timeout) > NAT_IDLE.1 {
            attempt.client_wait = between(rng, NAT_IDLE);
            attempt.failure = Some(Failure::ResetBeforeAnswer);
        }
    }
}

/// Whether AWS answers with an error, and with which.
fn refusal(weather: Weather, rng: &mut impl Rng) -> Option<BedrockException> {
    [
        (weather.throttled, BedrockException::ThrottlingException),
        (weather.unavailable, BedrockException::ServiceUnavailableException),
        (weather.internal, BedrockException::InternalServerException),
        (weather.model, BedrockException::ModelErrorException),
    ]
    .into_iter()
    .find_map(|(odds, exception)| happens(rng, odds).then_some(exception))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
