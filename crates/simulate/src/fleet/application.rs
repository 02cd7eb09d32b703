//! Who calls Bedrock: one application, how it calls and how it logs.

use std::sync::Arc;

use chrono::TimeDelta;
use faultline_core::model::{ModelKey, Operation, Route};

/// What the daemon is told of an application (and what its operator could tell).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationInfo {
    /// Its name.
    pub name: Arc<str>,
    /// The log group it writes to.
    pub log_group: Arc<str>,
    /// The IAM role it calls as, `arn:aws:iam::ACCOUNT:role/NAME`.
    pub identity: Arc<str>,
    /// The model it calls: a model id or an inference-profile id.
    pub model_id: Arc<str>,
}

/// The client library an application calls through, which decides its log text and its retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientLibrary {
    /// boto3, standard logging; a traceback is one log event.
    Boto3Plain,
    /// boto3, standard logging; every line is a log event of its own, as AWS Lambda's `print` does it.
    Boto3Lines,
    /// boto3 with a JSON formatter.
    Boto3Json,
    /// AWS SDK for JavaScript v3 over HTTP/2, logging with pino.
    NodePino,
    /// AWS SDK for Rust, logging `DisplayErrorContext` through tracing.
    RustContext,
    /// AWS SDK for Go v2, logging with `log.Printf`.
    GoLog,
    /// AWS SDK for Java v2, logging with logback: the exception's class, then its text.
    JavaLogback,
    /// AWS SDK for Java v2 below a gateway that puts its own status before the SDK's text.
    JavaGateway,
}

impl ClientLibrary {
    /// Whether its text names the request id of an answered failure.
    pub const fn prints_request_id(self) -> bool {
        !matches!(self, Self::Boto3Plain | Self::Boto3Lines | Self::Boto3Json)
    }

    /// Whether each line of a text is a log event of its own.
    pub const fn splits_lines(self) -> bool {
        matches!(self, Self::Boto3Lines)
    }
}

/// Sizes of a token count: lognormal around the median, capped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// Half are smaller.
    pub median: f64,
    /// Standard deviation of the logarithm.
    pub sd: f64,
    /// None is larger.
    pub max: f64,
}

/// How long the model takes: lognormal around `first + per_token * output tokens`, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Seconds to the first token.
    pub first: f64,
    /// Seconds per output token.
    pub per_token: f64,
    /// Standard deviation of the logarithm.
    pub sd: f64,
}

/// A call repeated forever with the same prompt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HealthCheck {
    /// Time between two.
    pub every: TimeDelta,
    /// Input tokens, always the same.
    pub input: u64,
    /// Output tokens, always the same.
    pub output: u64,
}

/// How long a client waits before its next attempt, in seconds; k is the number of attempts made so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Backoff {
    /// Uniform up to 2^(k-1), at most 20: botocore and most SDKs.
    Standard,
    /// Uniform up to `base` * 2^k, at most 20: "full jitter", base 0.1 in Java's SDK.
    FullJitter(f64),
    /// `base` * 2^(k-1) without any jitter, at most 20: gateways and hand-written loops.
    Exponential(f64),
    /// Always the same.
    Fixed(f64),
}

impl Backoff {
    /// The wait after `made` attempts, where `jitter` is uniform in 0 to 1.
    pub(super) fn wait(self, made: usize, jitter: f64) -> f64 {
        const LONGEST: f64 = 20.0;
        let doubled = 2.0_f64.powi(i32::try_from(made).unwrap_or(i32::MAX).saturating_sub(1).min(16));
        match self {
            Self::Standard => jitter * doubled.min(LONGEST),
            Self::FullJitter(base) => jitter * (base * doubled * 2.0).min(LONGEST),
            Self::Exponential(base) => (base * doubled).min(LONGEST),
            Self::Fixed(wait) => wait,
        }
    }
}

/// Prompts that come again and again, with the same input tokens each time.
#[derive(Debug, Clone, PartialEq)]
pub struct Templates {
    /// Share of the calls that use one of them.
    pub share: f64,
    /// Input tokens of each.
    pub inputs: Vec<u64>,
}

/// An application of the fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct Application {
    /// Its name, and that of its IAM role.
    pub name: Arc<str>,
    /// Its log group.
    pub log_group: Arc<str>,
    /// Its log streams; a call's lines all go to one.
    pub log_streams: Vec<Arc<str>>,
    /// A model id or an inference-profile id.
    pub model_id: Arc<str>,
    /// Whether it passes the inference profile's ARN instead of its id.
    pub calls_by_arn: bool,
    /// The operation it calls.
    pub operation: Operation,
    /// What it calls through.
    pub library: ClientLibrary,
    /// Calls per minute, on average over the day.
    pub calls_per_minute: f64,
    /// Input tokens of a prompt.
    pub input: Size,
    /// Output tokens of an answer.
    pub output: Size,
    /// Tokens of the cached prefix, for an application that caches prompts.
    pub cached_prefix: Option<u64>,
    /// How fast its model answers.
    pub pace: Pace,
    /// Seconds the client waits for a byte.
    pub read_timeout: f64,
    /// Attempts a call gets, the first included.
    pub max_attempts: u32,
    /// How long it waits between two attempts.
    pub backoff: Backoff,
    /// Standard deviation of the logarithm of the output tokens with which one prompt is answered.
    pub answer_sd: f64,
    /// Prompts it uses again and again.
    pub templates: Option<Templates>,
    /// Odds that the application itself calls again, with the same prompt, when a call has failed for good.
    pub calls_again: f64,
    /// Whether its connections pass a NAT gateway, which forgets them after about 350 s of silence.
    pub behind_nat: bool,
    /// Whether it sends an id of its own as requestMetadata, and logs it.
    pub sends_own_id: bool,
    /// A health check beside its traffic.
    pub health_check: Option<HealthCheck>,
    /// Seconds its clock is ahead.
    pub clock_skew: f64,
}

impl Application {
    /// What its operator would tell the daemon.
    pub fn info(&self, account_id: &str) -> ApplicationInfo {
        ApplicationInfo {
            name: Arc::clone(&self.name),
            log_group: Arc::clone(&self.log_group),
            identity: format!("arn:aws:iam::{account_id}:role/{}", self.name).into(),
            model_id: Arc::clone(&self.model_id),
        }
    }

    /// The model as this application passes it, which is what the invocation log shows.
    pub fn model_as_called(&self, account_id: &str, region: &str) -> Arc<str> {
        if self.calls_by_arn {
            format!("arn:aws:bedrock:{region}:{account_id}:inference-profile/{}", self.model_id).into()
        } else {
            Arc::clone(&self.model_id)
        }
    }

    /// Whether its calls are routed across regions.
    pub fn is_routed(&self) -> bool {
        ModelKey::parse(&self.model_id).route != Route::None
    }

    /// Calls a minute, health checks included.
    pub fn load(&self) -> f64 {
        self.calls_per_minute + self.health_check.map_or(0.0, |check| 60.0 / check.every.as_seconds_f64().max(1.0))
    }
}
