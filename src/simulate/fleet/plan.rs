//! Which fleet, which incidents, and how noisy AWS is.

use chrono::Duration;
use faultline_core::model::{Operation, Time};

use super::{Application, Client, Incident, Mechanism, Recurring};

/// The log group of the simulated model invocation log.
pub const INVOCATION_GROUP: &str = "/bedrock/invocations";
/// Its one stream.
pub const INVOCATION_STREAM: &str = "aws/bedrock/modelinvocations";

/// Everything that a fleet follows from.
#[derive(Debug, Clone)]
pub struct FleetPlan {
    /// Everything random follows from it.
    pub seed: u64,
    /// Whose account.
    pub account_id: String,
    /// Which region.
    pub region: String,
    /// Who calls.
    pub applications: Vec<Application>,
    /// What goes wrong.
    pub incidents: Vec<Incident>,
    /// What goes wrong again and again from a time on, in turn.
    pub recurring: Option<Recurring>,
    /// The share of 503s and 500s that were metered, and so billed.
    pub metered_share: f64,
    /// The share of metered errors whose record carries its errorCode.
    pub error_code_share: f64,
    /// Whether CloudWatch's Invocations counts failed requests too.
    pub invocations_count_failed: bool,
    /// The share of invocation records that are lost.
    pub record_loss: f64,
    /// Seconds until a record is visible: least and most.
    pub record_delay: (f64, f64),
    /// Seconds until a log event is visible: least and most.
    pub log_delay: (f64, f64),
    /// Seconds until a metric's sample is visible: least and most; one in fifty takes three times as long.
    pub metric_delay: (f64, f64),
}

impl FleetPlan {
    /// The demo's account as of `now`: six hours of history with an incident of every kind, one of them within the last
    /// hour, and small ones that come again every few minutes from now on.
    pub fn demo(seed: u64, now: Time) -> Self {
        Self {
            seed,
            account_id: "111122223333".to_owned(),
            region: "us-east-1".to_owned(),
            applications: applications(),
            incidents: incidents(now),
            recurring: Some(Recurring { from: now + Duration::seconds(5), turn: small_incidents() }),
            metered_share: 0.6,
            error_code_share: 0.3,
            invocations_count_failed: false,
            record_loss: 0.005,
            record_delay: (3.0, 12.0),
            log_delay: (1.0, 4.0),
            metric_delay: (20.0, 60.0),
        }
    }

    /// How long before `now` the demo's history begins.
    pub const PAST: Duration = Duration::hours(6);

    pub(super) fn incidents_at(&self, at: Time, application: &str) -> impl Iterator<Item = Incident> {
        let recurring = self.recurring.as_ref().and_then(|recurring| recurring.at(at));
        self.incidents.iter().cloned().chain(recurring).filter(move |incident| incident.hits(at, application))
    }
}

fn applications() -> Vec<Application> {
    let sonnet = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
    let base = Application {
        name: "",
        log_group: "",
        model_id: sonnet,
        cloudwatch_model: sonnet,
        operation: Operation::Converse,
        calls_a_minute: 10.0,
        input_tokens: (1800.0, 0.6),
        output_tokens: (420.0, 0.6),
        read_timeout: 60.0,
        attempts: 3,
        client: Client::Boto3,
        caches: false,
        own_ids: false,
    };
    let haiku = "global.anthropic.claude-haiku-4-5-20251001-v1:0";
    let nova = "amazon.nova-pro-v1:0";
    let haiku_arn =
        "arn:aws:bedrock:us-east-1:111122223333:inference-profile/global.anthropic.claude-haiku-4-5-20251001-v1:0";
    vec![
        Application {
            name: "chat-api",
            log_group: "/ecs/chat-api",
            calls_a_minute: 24.0,
            client: Client::Node,
            attempts: 2,
            ..base.clone()
        },
        Application {
            name: "agent-runner",
            log_group: "/ecs/agent-runner",
            calls_a_minute: 14.0,
            operation: Operation::ConverseStream,
            client: Client::Rust,
            caches: true,
            ..base.clone()
        },
        Application {
            name: "summarizer",
            log_group: "/ecs/summarizer",
            model_id: nova,
            cloudwatch_model: nova,
            calls_a_minute: 12.0,
            client: Client::Boto3,
            input_tokens: (6000.0, 0.7),
            ..base.clone()
        },
        Application {
            name: "batch-tagger",
            log_group: "/aws/lambda/batch-tagger",
            model_id: nova,
            cloudwatch_model: nova,
            calls_a_minute: 10.0,
            client: Client::Boto3Lines,
            output_tokens: (160.0, 0.4),
            read_timeout: 20.0,
            ..base.clone()
        },
        Application {
            name: "search-rerank",
            log_group: "/ecs/search-rerank",
            model_id: haiku_arn,
            cloudwatch_model: haiku,
            operation: Operation::InvokeModel,
            calls_a_minute: 18.0,
            client: Client::Go,
            output_tokens: (80.0, 0.5),
            ..base.clone()
        },
        Application {
            name: "billing-assistant",
            log_group: "/eks/billing-assistant",
            model_id: haiku,
            cloudwatch_model: haiku,
            calls_a_minute: 6.0,
            client: Client::Java,
            attempts: 4,
            own_ids: true,
            ..base.clone()
        },
        Application {
            name: "night-desk",
            log_group: "/eks/night-desk",
            model_id: "us.meta.llama3-3-70b-instruct-v1:0",
            cloudwatch_model: "us.meta.llama3-3-70b-instruct-v1:0",
            calls_a_minute: 1.5,
            client: Client::JavaFramework,
            attempts: 1,
            ..base.clone()
        },
        Application {
            name: "health-check",
            log_group: "/ecs/health-check",
            model_id: nova,
            cloudwatch_model: nova,
            calls_a_minute: 2.0,
            client: Client::Boto3Json,
            input_tokens: (12.0, 0.0),
            output_tokens: (4.0, 0.0),
            ..base
        },
    ]
}

fn incidents(now: Time) -> Vec<Incident> {
    let at = |minutes: i64| now + Duration::minutes(minutes);
    let incident = |mechanism, from, until, application, share| Incident {
        mechanism,
        from: at(from),
        until: at(until),
        application,
        share,
    };
    vec![
        incident(Mechanism::Throttling, -330, -315, Some("search-rerank"), 0.7),
        incident(Mechanism::Slow, -290, -270, Some("batch-tagger"), 0.5),
        incident(Mechanism::NatIdle, -240, -180, Some("summarizer"), 0.05),
        incident(Mechanism::Reset, -160, -152, None, 0.3),
        incident(Mechanism::ModelError, -120, -110, Some("summarizer"), 0.3),
        // Low load does not keep a model from having no capacity.
        incident(Mechanism::Capacity, -100, -30, Some("night-desk"), 0.35),
        incident(Mechanism::Capacity, -38, -22, None, 0.6),
        incident(Mechanism::Slow, -20, -12, Some("batch-tagger"), 0.4),
    ]
}

fn small_incidents() -> Vec<(Mechanism, Option<&'static str>, f64)> {
    vec![
        (Mechanism::Capacity, None, 0.7),
        (Mechanism::Reset, Some("agent-runner"), 0.6),
        (Mechanism::Throttling, Some("search-rerank"), 0.6),
        (Mechanism::Internal, Some("chat-api"), 0.6),
    ]
}
