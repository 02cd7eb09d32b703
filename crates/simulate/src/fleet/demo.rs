//! The account of `faultline demo`: nine applications, a past of six hours with every kind of incident, and small
//! incidents that go on for as long as it runs.

use std::sync::Arc;

use chrono::TimeDelta;
use faultline_core::model::{Operation, Time};

use super::{
    application::{Application, Backoff, ClientLibrary, HealthCheck, Pace, Size},
    incident::{Incident, Recurring, Strike, Trouble},
    plan::{CountsInvocations, Delays, FleetPlan, Noise},
};

/// How much past the account has.
pub const PAST: TimeDelta = TimeDelta::hours(6);

const SONNET_US: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const SONNET_GLOBAL: &str = "global.anthropic.claude-sonnet-4-5-20250929-v1:0";
const HAIKU: &str = "anthropic.claude-haiku-4-5-20251001-v1:0";
const NOVA_PRO_US: &str = "us.amazon.nova-pro-v1:0";
const NOVA_LITE: &str = "amazon.nova-lite-v1:0";
const LLAMA_US: &str = "us.meta.llama3-3-70b-instruct-v1:0";
const MISTRAL: &str = "mistral.mistral-large-2402-v1:0";

impl FleetPlan {
    /// The demo's account as of `now`: play it from `now - DEMO_PAST`, and on from there.
    pub fn demo(seed: u64, now: Time) -> Self {
        Self {
            seed,
            account_id: "111122223333".into(),
            region: "us-east-1".into(),
            applications: applications(now),
            incidents: incidents(now),
            recurring: Some(recurring(now)),
            noise: noise(now),
        }
    }
}

fn noise(now: Time) -> Noise {
    let delays = Delays {
        client_log: (2.0, 20.0),
        record: (5.0, 60.0),
        metric: (40.0, 75.0),
        metric_tail_share: 0.08,
        metric_tail: 60.0,
    };
    Noise {
        invocations: CountsInvocations::Accepted,
        metered_server_errors: 0.5,
        metered_errors_with_code: 0.4,
        metered_errors_mid_stream: 0.15,
        resets_on_the_way_out: 0.2,
        silent_losses: 0.0,
        stalls: 0.0,
        lost_records: 0.005,
        delays,
        // Whoever watches a demo should not have to wait.
        live_delays: Delays { client_log: (1.0, 8.0), record: (3.0, 15.0), ..delays },
        live_from: now,
    }
}

fn incidents(now: Time) -> Vec<Incident> {
    let incident = |name, minutes_ago: i64, minutes: i64, strike| {
        let from = now - TimeDelta::minutes(minutes_ago);
        Incident { name, from, until: from + TimeDelta::minutes(minutes), strike }
    };
    vec![
        incident("503 storm", 320, 14, Strike::of_models(Trouble::Unavailable(0.55), [SONNET_GLOBAL, NOVA_PRO_US])),
        incident("throttling", 265, 12, Strike::of_models(Trouble::Throttled(0.7), [NOVA_LITE])),
        incident(
            "read timeout too low",
            215,
            20,
            Strike::of_applications(Trouble::LongAnswers(4.0), ["ticket-summarizer"]),
        ),
        incident(
            "network blip",
            160,
            3,
            Strike::of_applications(Trouble::Network(0.6), ["chat-api", "web-assistant", "claims-service"]),
        ),
        incident("model errors", 120, 8, Strike::of_models(Trouble::ModelErrors(0.25), [LLAMA_US])),
        incident("low-load 503", 95, 25, Strike::of_models(Trouble::Unavailable(0.75), [MISTRAL])),
        incident(
            "503 storm of the last hour",
            35,
            10,
            Strike::of_models(Trouble::Unavailable(0.6), [SONNET_GLOBAL, NOVA_PRO_US, HAIKU]),
        ),
    ]
}

/// Whoever watches sees something within the first minute, and again every three.
fn recurring(now: Time) -> Recurring {
    Recurring {
        first: now + TimeDelta::seconds(5),
        every: TimeDelta::seconds(180),
        length: TimeDelta::seconds(50),
        strikes: vec![
            Strike::of_models(Trouble::Unavailable(0.85), [SONNET_GLOBAL, NOVA_PRO_US]),
            Strike::of_applications(Trouble::Network(0.6), ["chat-api", "web-assistant"]),
            Strike::of_models(Trouble::Unavailable(0.8), [HAIKU, LLAMA_US]),
            Strike::of_applications(Trouble::LongAnswers(4.0), ["ticket-summarizer"]),
            Strike::of_models(Trouble::InternalErrors(0.8), [SONNET_GLOBAL]),
        ],
    }
}

fn applications(now: Time) -> Vec<Application> {
    vec![
        Application {
            behind_nat: true,
            health_check: Some(HealthCheck { every: TimeDelta::seconds(30), input: 14, output: 3 }),
            operation: Operation::InvokeModelWithResponseStream,
            calls_per_minute: 18.0,
            clock_skew: 0.3,
            ..application("chat-api", SONNET_US, ClientLibrary::Boto3Plain)
        },
        // Twenty seconds do for its usual answers, and only for those.
        Application {
            log_group: "/aws/lambda/ticket-summarizer".into(),
            log_streams: lambda_streams(now),
            calls_per_minute: 9.0,
            input: size(2_600.0, 0.6, 20_000.0),
            output: size(260.0, 0.45, 4_096.0),
            pace: Pace { first: 0.7, per_token: 0.016, sd: 0.2 },
            read_timeout: 20.0,
            ..application("ticket-summarizer", HAIKU, ClientLibrary::Boto3Lines)
        },
        Application {
            calls_per_minute: 20.0,
            input: size(600.0, 0.4, 4_000.0),
            output: size(120.0, 0.5, 1_024.0),
            pace: Pace { first: 0.3, per_token: 0.006, sd: 0.2 },
            sends_own_id: true,
            clock_skew: -0.2,
            ..application("catalog-enricher", NOVA_LITE, ClientLibrary::Boto3Json)
        },
        Application {
            operation: Operation::ConverseStream,
            calls_per_minute: 14.0,
            input: size(350.0, 0.7, 8_000.0),
            cached_prefix: Some(6_144),
            ..application("web-assistant", SONNET_GLOBAL, ClientLibrary::NodePino)
        },
        Application {
            calls_per_minute: 9.0,
            input: size(3_500.0, 0.5, 30_000.0),
            output: size(500.0, 0.5, 5_000.0),
            pace: Pace { first: 0.6, per_token: 0.011, sd: 0.2 },
            calls_by_arn: true,
            ..application("document-extractor", NOVA_PRO_US, ClientLibrary::RustContext)
        },
        Application {
            log_group: "/aws/lambda/content-moderation".into(),
            log_streams: lambda_streams(now),
            operation: Operation::InvokeModel,
            calls_per_minute: 10.0,
            input: size(450.0, 0.5, 4_000.0),
            output: size(80.0, 0.5, 512.0),
            pace: Pace { first: 0.4, per_token: 0.012, sd: 0.2 },
            ..application("content-moderation", LLAMA_US, ClientLibrary::GoLog)
        },
        Application {
            calls_per_minute: 6.0,
            input: size(1_800.0, 0.5, 16_000.0),
            output: size(350.0, 0.5, 4_096.0),
            pace: Pace { first: 0.5, per_token: 0.013, sd: 0.2 },
            max_attempts: 4,
            ..application("claims-service", HAIKU, ClientLibrary::JavaLogback)
        },
        // Its answers take minutes, and the NAT gateway waits for nobody.
        Application {
            behind_nat: true,
            calls_per_minute: 0.8,
            input: size(24_000.0, 0.4, 150_000.0),
            output: size(7_000.0, 0.45, 16_000.0),
            pace: Pace { first: 3.0, per_token: 0.023, sd: 0.15 },
            read_timeout: 900.0,
            max_attempts: 2,
            ..application("report-writer", SONNET_US, ClientLibrary::Boto3Plain)
        },
        Application {
            calls_per_minute: 1.2,
            input: size(5_000.0, 0.5, 28_000.0),
            output: size(600.0, 0.4, 4_096.0),
            pace: Pace { first: 0.8, per_token: 0.02, sd: 0.2 },
            ..application("contract-review", MISTRAL, ClientLibrary::JavaGateway)
        },
    ]
}

/// What applications have in common unless they say otherwise.
fn application(name: &str, model_id: &str, library: ClientLibrary) -> Application {
    Application {
        name: name.into(),
        log_group: format!("/ecs/{name}").into(),
        log_streams: ["3f0c9a6b1d7e4c52", "b81e2d40a95f4f07"].map(|task| format!("{name}/{task}").into()).to_vec(),
        model_id: model_id.into(),
        calls_by_arn: false,
        operation: Operation::Converse,
        library,
        calls_per_minute: 1.0,
        input: size(900.0, 0.7, 16_000.0),
        output: size(420.0, 0.5, 4_096.0),
        cached_prefix: None,
        pace: Pace { first: 0.9, per_token: 0.014, sd: 0.25 },
        read_timeout: 60.0,
        max_attempts: 3,
        backoff: Backoff::Standard,
        answer_sd: 0.1,
        templates: None,
        calls_again: 0.0,
        behind_nat: false,
        sends_own_id: false,
        health_check: None,
        clock_skew: 0.0,
    }
}

/// Streams as AWS Lambda names them, of three instances that live long.
fn lambda_streams(now: Time) -> Vec<Arc<str>> {
    let started = (now - PAST).format("%Y/%m/%d");
    ["0a6c1f2e9b7d4853", "5d20b7c4e8f1a936", "c9e41d7a03b6f528"]
        .map(|instance| format!("{started}/[$LATEST]{instance}").into())
        .to_vec()
}

const fn size(median: f64, sd: f64, max: f64) -> Size {
    Size { median, sd, max }
}
