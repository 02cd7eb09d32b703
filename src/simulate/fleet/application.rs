//! An application: who it is, how much it calls, and through which client.

use faultline_core::model::Operation;

/// The client library, which decides what a failure looks like in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// boto3, `logger.exception`: a traceback in one log event.
    Boto3,
    /// The same, one log event per line.
    Boto3Lines,
    /// boto3 with a JSON formatter.
    Boto3Json,
    /// AWS SDK for JavaScript v3, logged by pino.
    Node,
    /// AWS SDK for Rust, logged by tracing with its error context.
    Rust,
    /// AWS SDK for Go v2, logged by the standard logger.
    Go,
    /// AWS SDK for Java v2.
    Java,
    /// A Java framework around it that puts a status of its own before the message.
    JavaFramework,
}

/// An application.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its name, and that of its role.
    pub name: &'static str,
    /// The log group it writes to.
    pub log_group: &'static str,
    /// The model as it is called: an id or an ARN.
    pub model_id: &'static str,
    /// The model as CloudWatch calls it.
    pub cloudwatch_model: &'static str,
    /// The operation it calls.
    pub operation: Operation,
    /// Calls a minute, on average.
    pub calls_a_minute: f64,
    /// Input tokens: median and spread of a log-normal. A spread of 0 is one prompt, over and over.
    pub input_tokens: (f64, f64),
    /// Output tokens: median and spread of a log-normal.
    pub output_tokens: (f64, f64),
    /// Seconds after which it gives up waiting.
    pub read_timeout: f64,
    /// Attempts it makes of a call.
    pub attempts: u32,
    /// What it calls through.
    pub client: Client,
    /// Whether part of the prompt comes from the cache.
    pub caches: bool,
    /// Whether it sends an id of its own along.
    pub own_ids: bool,
}

impl Application {
    /// The role it calls as, as IAM names it.
    pub fn role_arn(&self, account_id: &str) -> String {
        format!("arn:aws:iam::{account_id}:role/{}", self.name)
    }

    /// The same, as STS names its session.
    pub(super) fn session_arn(&self, account_id: &str) -> String {
        format!("arn:aws:sts::{account_id}:assumed-role/{}/i-0a1b2c3d4e5f", self.name)
    }

    /// The log stream of one of its two processes.
    pub(super) fn stream(&self, process: u32) -> String {
        format!("{}/{}/{process}", self.name, "task")
    }
}
