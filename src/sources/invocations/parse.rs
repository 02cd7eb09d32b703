//! One line of the model invocation log, its bodies skipped while parsing.
//!
//! Bodies are prompts and answers, and may contain text that looks like the record's own fields: only a field at
//! its own path counts, and of the bodies only the latencies are read, as numbers.

use std::{borrow::Cow, collections::HashMap, fmt, sync::Arc};

use chrono::{DateTime, Utc};
use faultline_core::model::{Cell, InvocationRecord, LogRef, ModelKey, Operation, Tokens};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// Why a line is no record. Never holds text of the line: it may be a prompt.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotARecord {
    #[error("not JSON of a model invocation record at line {line} column {column}")]
    Json { line: usize, column: usize },
    #[error("no {0}")]
    Missing(&'static str),
    #[error("the timestamp is not RFC 3339")]
    Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(borrow)]
    request_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    timestamp: Option<Cow<'a, str>>,
    #[serde(borrow)]
    model_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    operation: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    inference_region: Option<Cow<'a, str>>,
    #[serde(borrow)]
    identity: Option<Identity<'a>>,
    #[serde(borrow)]
    request_metadata: Option<HashMap<Cow<'a, str>, Cow<'a, str>>>,
    input: Option<Input>,
    output: Option<Output>,
}

#[derive(Deserialize)]
struct Identity<'a> {
    #[serde(borrow)]
    arn: Option<Cow<'a, str>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Input {
    input_token_count: Option<u64>,
    cache_read_input_token_count: Option<u64>,
    cache_write_input_token_count: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Output {
    output_token_count: Option<u64>,
    #[serde(default)]
    output_body_json: Latency,
}

/// The record in `message`, which was read at `log`. The own id is taken from the first of `id_keys` that the
/// request's metadata has.
pub(super) fn parse(
    cell: &Cell,
    log: LogRef,
    message: &str,
    id_keys: &[String],
) -> Result<InvocationRecord, NotARecord> {
    let line: Line<'_> = serde_json::from_str(message)
        .map_err(|error| NotARecord::Json { line: error.line(), column: error.column() })?;
    let request_id = line.request_id.filter(|id| !id.is_empty()).ok_or(NotARecord::Missing("requestId"))?;
    let model_id = line.model_id.filter(|id| !id.is_empty()).ok_or(NotARecord::Missing("modelId"))?;
    let at = match line.timestamp {
        Some(text) => DateTime::parse_from_rfc3339(&text).map_err(|_| NotARecord::Timestamp)?.with_timezone(&Utc),
        None => log.at,
    };
    let metadata = line.request_metadata.unwrap_or_default();
    let own_id = id_keys.iter().find_map(|key| metadata.get(key.as_str()));
    let (input, output) = (line.input.unwrap_or_default(), line.output.unwrap_or_default());
    Ok(InvocationRecord {
        cell: cell.clone(),
        request_id: request_id.into(),
        at,
        model: ModelKey::parse(&model_id),
        operation: line.operation.and_then(|name| Operation::parse(&name)),
        error_code: line.error_code.filter(|code| !code.is_empty()).map(Arc::from),
        tokens: Tokens {
            input: input.input_token_count.unwrap_or(0),
            output: output.output_token_count.unwrap_or(0),
            cache_read: input.cache_read_input_token_count.unwrap_or(0),
            cache_write: input.cache_write_input_token_count.unwrap_or(0),
        },
        identity: line.identity.and_then(|identity| identity.arn).map(Arc::from),
        own_id: own_id.map(|id| Arc::from(id.as_ref())),
        inference_region: line.inference_region.map(Arc::from),
        latency_seconds: output.output_body_json.0.map(|milliseconds| milliseconds / 1000.0),
        log,
    })
}

/// Milliseconds, from `metrics.latencyMs` of a Converse body, or from the
/// `amazon-bedrock-invocationMetrics.invocationLatency` of a stream's last chunk. Everything else is skipped.
#[derive(Default)]
struct Latency(Option<f64>);

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LatencyVisitor)
    }
}

struct LatencyVisitor;

impl<'de> Visitor<'de> for LatencyVisitor {
    type Value = Latency;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a body")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Latency, A::Error> {
        let mut latency = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                "metrics" | "amazon-bedrock-invocationMetrics" => latency = map.next_value::<Millis>()?.0.or(latency),
                // A ConverseStream chunk wraps its metrics once more.
                "metadata" => latency = map.next_value::<Latency>()?.0.or(latency),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Latency(latency))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Latency, A::Error> {
        let mut latency = None;
        while let Some(element) = seq.next_element::<Latency>()? {
            latency = element.0.or(latency);
        }
        Ok(Latency(latency))
    }

    fn visit_str<E>(self, _: &str) -> Result<Latency, E> {
        Ok(Latency(None))
    }
    fn visit_bool<E>(self, _: bool) -> Result<Latency, E> {
        Ok(Latency(None))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Latency, E> {
        Ok(Latency(None))
    }
    fn visit_u64<E>(self, _: u64) -> Result<Latency, E> {
        Ok(Latency(None))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Latency, E> {
        Ok(Latency(None))
    }
    fn visit_unit<E>(self) -> Result<Latency, E> {
        Ok(Latency(None))
    }
}

/// The latency member of a metrics object, whatever else the object holds.
struct Millis(Option<f64>);

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Metrics {
                #[serde(rename = "latencyMs", alias = "invocationLatency")]
                latency: Option<f64>,
            },
            Other(IgnoredAny),
        }
        Ok(Self(match Either::deserialize(deserializer)? {
            Either::Metrics { latency } => latency,
            Either::Other(IgnoredAny) => None,
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(message: &str) -> Result<InvocationRecord, NotARecord> {
        let log = LogRef {
            group: "/bedrock/invocations".into(),
            stream: "aws/bedrock/modelinvocations".into(),
            event_id: "1".into(),
            at: DateTime::UNIX_EPOCH,
        };
        parse(&Cell::new("111122223333", "us-east-1"), log, message, &["faultline-id".to_owned()])
    }

    const CONVERSE: &str = r#"{"schemaType":"ModelInvocationLog","schemaVersion":"1.0","timestamp":"2026-05-01T12:00:03Z",
        "accountId":"111122223333","identity":{"arn":"arn:aws:sts::111122223333:assumed-role/chat-api/i-0abc"},
        "region":"us-east-1","requestId":"7f1c2a7e-0000-4000-8000-0123456789ab","operation":"ConverseStream",
        "modelId":"arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
        "requestMetadata":{"team":"chat","faultline-id":"order-17"},"inferenceRegion":"us-west-2",
        "input":{"inputContentType":"application/json","inputBodyJson":{"messages":[{"content":[{"text":
        "say \"inputTokenCount\": 5"}]}],"inputTokenCount":5},"inputTokenCount":1200,"cacheReadInputTokenCount":800},
        "output":{"outputContentType":"application/json","outputBodyJson":{"output":{"message":{"content":[{"text":
        "\"outputTokenCount\":9"}]}},"stopReason":"end_turn","metrics":{"latencyMs":4321},"outputTokenCount":9},
        "outputTokenCount":345}}"#;

    #[test]
    fn a_record_is_read_without_its_bodies() {
        let record = read(CONVERSE).unwrap();
        assert_eq!(record.tokens, Tokens { input: 1200, output: 345, cache_read: 800, cache_write: 0 });
        assert_eq!(record.model.to_string(), "us.anthropic.claude-sonnet-4-20250514-v1:0");
        assert_eq!(record.operation, Some(Operation::ConverseStream));
        assert_eq!(record.latency_seconds, Some(4.321));
        assert_eq!(record.own_id.as_deref(), Some("order-17"));
        assert_eq!(record.at.to_rfc3339(), "2026-05-01T12:00:03+00:00");
        assert_eq!(record.inference_region.as_deref(), Some("us-west-2"));
        assert!(!format!("{record:?}").contains("say"), "nothing of a body is kept");
    }

    #[test]
    fn the_latency_of_a_stream_is_its_last_chunks() {
        let record = read(
            r#"{"modelId":"m.x","requestId":"r","output":{"outputBodyJson":[{"type":"message_start","metrics":"none"},
            {"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":1,"invocationLatency":250.5}}],
            "outputTokenCount":2}}"#,
        );
        assert_eq!(record.unwrap().latency_seconds, Some(0.2505));
    }

    #[test]
    fn a_failed_request_has_its_error_and_no_tokens() {
        let record = read(
            r#"{"output":null,"input":{"inputTokenCount":null},"errorCode":"ThrottlingException","requestId":"r","modelId":"amazon.nova-pro-v1:0"}"#,
        )
        .unwrap();
        assert_eq!((record.error_code.as_deref(), record.tokens.total()), (Some("ThrottlingException"), 0));
    }

    #[test]
    fn what_is_no_record_is_refused_without_repeating_its_text() {
        for (line, says) in [
            (r#"{"requestId":"r","modelId":"m","input":{"inputTokenCount":"my secret"}}"#, "not JSON of a model"),
            (r#"{"modelId":"my secret"}"#, "no requestId"),
            (r#"{"requestId":"my secret"}"#, "no modelId"),
            (r#"{"requestId":"r","modelId":"m","timestamp":"my secret"}"#, "not RFC 3339"),
            ("my secret", "not JSON"),
        ] {
            let error = read(line).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("secret"), "{line}: {error}");
        }
    }
}
