//! A line of the model invocation log, as Bedrock writes it: JSON with the bodies of request and answer.
//!
//! The bodies are harmless filler. Now and then they contain what looks like the record's own fields, since real
//! prompts do: only a field at its own path counts.

use std::fmt::Write;

use faultline_core::model::Operation;
use rand::{Rng, RngExt};

use super::{
    application::Application,
    chance::{count, happens},
    request::Attempt,
};

/// Text for bodies, on purpose without any meaning.
pub(super) const FILLER: [&str; 6] = [
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit.",
    "Sed do eiusmod tempor incididunt ut labore et dolore magna aliqua.",
    "Ut enim ad minim veniam, quis nostrud exercitation ullamco.",
    "Duis aute irure dolor in reprehenderit in voluptate velit esse.",
    "Excepteur sint occaecat cupidatat non proident.",
    "Sunt in culpa qui officia deserunt mollit anim id est laborum.",
];
/// Text of a body that reads like a record, escaped as it stands in JSON.
const SPOOF_IN_TEXT: &str = r#"{\"requestId\": \"not-a-request\", \"errorCode\": \"ServiceUnavailableException\", \"inputTokenCount\": 5, \"outputTokenCount\": 7}"#;
/// A part of a body that has a record's fields, at a path of its own.
const SPOOF_IN_JSON: &str =
    r#","toolConfig":{"example":{"errorCode":"ThrottlingException","inputTokenCount": 5,"outputTokenCount": 6}}"#;

/// What a record tells besides the attempt itself.
pub(super) struct Context<'a> {
    pub(super) account_id: &'a str,
    pub(super) region: &'a str,
    pub(super) application: &'a Application,
    /// The model as called.
    pub(super) model_id: &'a str,
    /// The application's own id of the call.
    pub(super) own_id: Option<&'a str>,
    /// Bedrock's exception, where the record tells of it.
    pub(super) error_code: Option<&'static str>,
}

impl Context<'_> {
    /// The record as one line of JSON. Fields come in one order or another, as they do in real logs.
    pub(super) fn record(&self, attempt: &Attempt, rng: &mut impl Rng) -> String {
        let mut head = String::with_capacity(1536);
        let timestamp = attempt.started_at.format("%Y-%m-%dT%H:%M:%SZ");
        // Writing to a String cannot fail.
        let _ = write!(
            head,
            r#""timestamp":"{timestamp}","accountId":"{}","identity":{{"arn":"arn:aws:sts::{}:assumed-role/{}/{}"}},"region":"{}","requestId":"{}","operation":"{}","modelId":"{}""#,
            self.account_id,
            self.account_id,
            self.application.name,
            session(&self.application.name),
            self.region,
            attempt.request_id,
            self.application.operation,
            self.model_id,
        );
        if let Some(code) = self.error_code {
            let _ = write!(head, r#","errorCode":"{code}""#);
        }
        if let Some(own_id) = self.own_id {
            let _ = write!(head, r#","requestMetadata":{{"call_id":"{own_id}"}}"#);
        }
        if self.application.is_routed() && self.error_code.is_none() {
            let region = ["us-east-1", "us-east-2", "us-west-2"][rng.random_range(0..3)];
            let _ = write!(head, r#","inferenceRegion":"{region}""#);
        }
        let (input, output) = self.halves(attempt, rng);
        let schema = r#""schemaType":"ModelInvocationLog","schemaVersion":"1.0""#;
        if happens(rng, 0.5) {
            format!(r#"{{{schema},{head},"input":{{{input}}},"output":{{{output}}}}}"#)
        } else {
            format!(r#"{{{head},"output":{{{output}}},"input":{{{input}}},{schema}}}"#)
        }
    }

    /// The insides of `input` and `output`.
    fn halves(&self, attempt: &Attempt, rng: &mut impl Rng) -> (String, String) {
        let json = r#"ContentType":"application/json""#;
        let mut input = format!(r#""input{json}"#);
        let mut output = String::new();
        // A record with an errorCode has no bodies, whether or not it has tokens.
        if self.error_code.is_none() {
            let _ = write!(input, r#","inputBodyJson":{}"#, self.request_body(rng));
            let _ = write!(output, r#""output{json},"outputBodyJson":{}"#, self.answer_body(attempt, rng));
        }
        if attempt.metered {
            let tokens = attempt.tokens;
            let _ = write!(input, r#","inputTokenCount":{}"#, tokens.input);
            if self.application.cached_prefix.is_some() {
                let _ = write!(
                    input,
                    r#","cacheReadInputTokenCount":{},"cacheWriteInputTokenCount":{}"#,
                    tokens.cache_read, tokens.cache_write
                );
            }
            let comma = if output.is_empty() { "" } else { "," };
            let _ = write!(output, r#"{comma}"outputTokenCount":{}"#, tokens.output);
        }
        (input, output)
    }

    fn request_body(&self, rng: &mut impl Rng) -> String {
        let spoof = happens(rng, 0.03);
        let text = if spoof && happens(rng, 0.5) { SPOOF_IN_TEXT } else { filler(rng) };
        let extra = if spoof { SPOOF_IN_JSON } else { "" };
        match self.application.operation {
            Operation::Converse | Operation::ConverseStream => format!(
                r#"{{"messages":[{{"role":"user","content":[{{"text":"{text}"}}]}}],"inferenceConfig":{{"maxTokens":4096}}{extra}}}"#
            ),
            Operation::InvokeModel => format!(r#"{{"prompt":"{text}","max_gen_len":2048{extra}}}"#),
            Operation::InvokeModelWithResponseStream => format!(
                r#"{{"anthropic_version":"bedrock-2023-05-31","max_tokens":4096,"messages":[{{"role":"user","content":"{text}"}}]{extra}}}"#
            ),
        }
    }

    fn answer_body(&self, attempt: &Attempt, rng: &mut impl Rng) -> String {
        let text = if happens(rng, 0.01) { SPOOF_IN_TEXT } else { filler(rng) };
        let tokens = attempt.tokens;
        let (latency, first) = (count(attempt.latency * 1000.0), count(attempt.first_token * 1000.0));
        match self.application.operation {
            Operation::Converse | Operation::ConverseStream => format!(
                r#"{{"output":{{"message":{{"role":"assistant","content":[{{"text":"{text}"}}]}}}},"stopReason":"end_turn","metrics":{{"latencyMs":{latency}}},"usage":{{"inputTokens":{},"outputTokens":{},"totalTokens":{}}}}}"#,
                tokens.input,
                tokens.output,
                tokens.total(),
            ),
            Operation::InvokeModel => format!(
                r#"{{"generation":"{text}","prompt_token_count":{},"generation_token_count":{},"stop_reason":"stop"}}"#,
                tokens.input, tokens.output,
            ),
            Operation::InvokeModelWithResponseStream => format!(
                r#"[{{"type":"message_start","message":{{"role":"assistant","content":[]}}}},{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}},{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{{"output_tokens":{}}}}},{{"type":"message_stop","amazon-bedrock-invocationMetrics":{{"inputTokenCount":{},"outputTokenCount":{},"invocationLatency":{latency},"firstByteLatency":{first}}}}}]"#,
                tokens.output, tokens.input, tokens.output,
            ),
        }
    }
}

fn filler(rng: &mut impl Rng) -> &'static str {
    FILLER[rng.random_range(0..FILLER.len())]
}

/// The name of the role's session: a task, as ECS and Lambda name them after their role's user.
fn session(name: &str) -> String {
    format!("{name}-task")
}
