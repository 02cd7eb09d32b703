#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{KEPT, without_bodies};

/// What is left of a record, by the plainest rules.
fn expected(mut record: Value) -> Value {
    if let Some(body) = record.get_mut("input").and_then(|input| input.get_mut("inputBodyJson")) {
        *body = Value::Null;
    }
    if let Some(body) = record.get_mut("output").and_then(|output| output.get_mut("outputBodyJson")) {
        *body = reduced(body, false);
    }
    record
}

fn reduced(body: &Value, chunk: bool) -> Value {
    match body {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(key, value)| {
                let mark = chunk && value.as_str().is_some_and(|kind| kind.starts_with("message_"));
                KEPT.contains(&key.as_str()) && (*key != "type" || mark)
            });
            Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        Value::Array(chunks) => Value::Array(chunks.iter().map(|chunk| reduced(chunk, true)).collect()),
        _ => Value::Null,
    }
}

fn walked(record: &str) -> Option<Value> {
    without_bodies(record).map(|text| serde_json::from_str(&text).unwrap())
}

#[test]
fn only_a_body_at_its_own_path_is_left_out() {
    let record = json!({
        "schemaType": "ModelInvocationLog", "inputBodyJson": "kept", "requestMetadata": {"inputBodyJson": "kept"},
        "input": {"inputBodyJson": {"messages": [{"text": "\"}],\"outputTokenCount\":9 \\"}]}, "inputTokenCount": 5},
        "output": {"outputBodyJson": {"output": {"metrics": 1, "text": "secret"}, "metrics": {"latencyMs": 7}}, "outputTokenCount": 3}
    });
    let text = without_bodies(&record.to_string()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected(record));
    assert!(!text.contains("secret") && !text.contains("messages"), "{text}");
}

#[test]
fn of_a_stream_the_numbers_and_the_marks_of_its_ends_are_left() {
    let record = r#"{"output":{"outputBodyJson":[{"type":"message_start","message":{"role":"assistant"}},
        {"type":"content_block_delta","delta":{"text":"secret"}},
        {"type":"message_stop","amazon-bedrock-invocationMetrics":{"invocationLatency":250}}]}}"#;
    assert_eq!(
        without_bodies(record).unwrap(),
        r#"{"output":{"outputBodyJson":[{"type":"message_start"},{},{"type":"message_stop","amazon-bedrock-invocationMetrics":{"invocationLatency":250}}]}}"#
    );
}

#[test]
fn what_cannot_be_walked_for_sure_is_left_to_the_parser() {
    for record in [
        r#"{"inp\u0075t":{"inputBodyJson":"x"}}"#,
        r#"{"input":{"inputBodyJson":"unclosed}}"#,
        r#"{"input":{"inputBodyJson":[}}"#,
        r#"{"input":{}} more"#,
        r#"{"a":"\"#,
        r#"{"a""#,
        "[]",
        "",
    ] {
        assert_eq!(without_bodies(record), None, "{record}");
    }
    let nested = format!(r#"{{"output":{{"outputBodyJson":{}"#, "[".repeat(100_000));
    assert_eq!(without_bodies(&nested), None);
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<i32>().prop_map(|half| Value::from(f64::from(half) / 2.0)),
        prop_oneof![Just("message_stop".to_owned()), ".{0,40}", "[\\\\\"{}\\[\\],:\n]{0,9}"].prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "input",
        "output",
        "inputBodyJson",
        "outputBodyJson",
        "metrics",
        "metadata",
        "type",
        "messageStop",
        "é",
        "x",
    ]);
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_left_is_what_a_parser_of_the_whole_would_leave(
        input in json_value(), output in json_value(), body in json_value(), other in json_value(), pretty: bool,
    ) {
        let output = match output {
            Value::Object(mut fields) => { fields.insert("outputBodyJson".to_owned(), body); Value::Object(fields) }
            other => other,
        };
        let record = json!({"input": input, "output": output, "other": other});
        let text = if pretty { serde_json::to_string_pretty(&record) } else { serde_json::to_string(&record) }.unwrap();
        prop_assert_eq!(walked(&text), Some(expected(record)));
    }

    #[test]
    fn whatever_text_comes_nothing_panics(text in "[{}\\[\\]\",:\\\\ a-zé0-9]{0,60}") {
        let _ = without_bodies(&text);
        let _ = without_bodies(&format!("{{\"output\":{{\"outputBodyJson\":{text}"));
    }
}
