//! One line of the model invocation log, its bodies skipped while parsing.
//!
//! Bodies are prompts and answers, and may contain text that looks like the record's own fields: only a field at
//! its own path counts, and of the bodies only the latencies are read, as numbers.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use faultline_core::bodies::without_bodies;
use faultline_core::model::{Cell, InvocationRecord, LogRef, ModelKey, Operation, Tokens};
use serde::Deserialize;

use super::body::{Body, Text};

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
    request_metadata: Option<HashMap<Cow<'a, str>, Text<'a>>>,
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
    output_body_json: Body,
}

/// The record in `message`, which was read at `log`. The own id is taken from the first of `id_keys` that the
/// request's metadata has.
pub(super) fn parse(
    cell: &Cell,
    log: LogRef,
    message: &str,
    id_keys: &[String],
) -> Result<InvocationRecord, NotARecord> {
    let left = without_bodies(message);
    let line: Line<'_> = serde_json::from_str(left.as_deref().unwrap_or(message))
        .map_err(|error| NotARecord::Json { line: error.line(), column: error.column() })?;
    let request_id = line.request_id.filter(|id| !id.is_empty()).ok_or(NotARecord::Missing("requestId"))?;
    let model_id = line.model_id.filter(|id| !id.is_empty()).ok_or(NotARecord::Missing("modelId"))?;
    let at = match line.timestamp {
        Some(text) => DateTime::parse_from_rfc3339(&text).map_err(|_| NotARecord::Timestamp)?.with_timezone(&Utc),
        None => log.at,
    };
    let metadata = line.request_metadata.unwrap_or_default();
    let own_id = id_keys.iter().find_map(|key| metadata.get(key.as_str())?.0.as_deref());
    let (input, output) = (line.input.unwrap_or_default(), line.output.unwrap_or_default());
    let body = &output.output_body_json;
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
        own_id: own_id.map(Arc::from),
        inference_region: line.inference_region.map(Arc::from),
        latency_seconds: body.latency_ms.map(|milliseconds| milliseconds / 1000.0),
        first_byte_seconds: body.first_byte_ms.map(|milliseconds| milliseconds / 1000.0),
        stream_ended: body.ended,
        log,
    })
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
    fn of_a_streams_chunks_only_the_last_ones_numbers_and_the_end_are_read() {
        let stream = |chunks: &str| {
            let line = format!(
                r#"{{"modelId":"m.x","requestId":"r","output":{{"outputBodyJson":{chunks},"outputTokenCount":2}}}}"#
            );
            let record = read(&line).unwrap();
            (record.latency_seconds, record.first_byte_seconds, record.stream_ended)
        };
        let start = r#"{"type":"message_start","metrics":"none"}"#;
        let delta = r#"{"type":"content_block_delta","delta":{"type":"message_stop","text":"message_stop"}}"#;
        let stop = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":
            {"inputTokenCount":1,"invocationLatency":250.5,"firstByteLatency":100}}"#;
        for (chunks, expected) in [
            (format!("[{start},{delta},{stop}]"), (Some(0.2505), Some(0.1), Some(true))),
            (format!("[{start},{delta}]"), (None, None, Some(false))),
            (
                r#"[{"messageStart":{}},{"messageStop":{"stopReason":"end_turn"}},{"metadata":{"metrics":{"latencyMs":9}}}]"#
                    .to_owned(),
                (Some(0.009), None, Some(true)),
            ),
            (r#"[{"generation":"message_stop"}]"#.to_owned(), (None, None, None)),
            (r#""metrics""#.to_owned(), (None, None, None)),
            (r#"{"metrics":{"latencyMs":"soon"},"metadata":7}"#.to_owned(), (None, None, None)),
            (r#"{"tool":{"metrics":{"latencyMs":5}}}"#.to_owned(), (None, None, None)),
        ] {
            assert_eq!(stream(&chunks), expected, "{chunks}");
        }
    }

    #[test]
    fn the_order_of_fields_and_what_is_not_known_make_no_difference() {
        let line: serde_json::Value = serde_json::from_str(CONVERSE).unwrap();
        let fields = line.as_object().unwrap();
        let expected = read(CONVERSE).unwrap();
        for first in fields.keys() {
            let mut text = format!(r#"{{"{first}":{},"aNewField":{{"inputTokenCount":[1]}}"#, fields[first]);
            for (key, value) in fields.iter().rev().filter(|(key, _)| *key != first) {
                text.push_str(&format!(r#","{key}":{value}"#));
            }
            assert_eq!(read(&format!("{text}}}")).unwrap(), expected, "{first} first");
        }
    }

    #[test]
    fn metadata_that_is_no_text_and_fields_that_are_absent_cost_no_record() {
        let line = r#"{"requestId":"r","modelId":"m","requestMetadata":{"n":5,"faultline-id":"own"},"identity":{}}"#;
        let record = read(line).unwrap();
        assert_eq!((record.own_id.as_deref(), record.at), (Some("own"), DateTime::UNIX_EPOCH));
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
