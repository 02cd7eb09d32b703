//! Events, streams and time: what the daemon relies on.
#![allow(clippy::unwrap_used, clippy::panic)]

use chrono::{Duration, TimeZone, Utc};
use faultline_core::{
    model::{FailureKind, Time},
    recognise::{LogEvent, Recognised, Recogniser, Settings, needs_context},
};

const TRACEBACK: &[&str] = &[
    "2026-11-22 12:36:00,799 ERROR [chat.api] Error calling Bedrock",
    "Traceback (most recent call last):",
    "  File \"/srv/venv/lib/python3.11/site-packages/botocore/httpsession.py\", line 509, in send",
    "    urllib_response = conn.urlopen(",
    "ConnectionResetError: [Errno 104] Connection reset by peer",
    "",
    "During handling of the above exception, another exception occurred:",
    "",
    "Traceback (most recent call last):",
    "  File \"/srv/venv/lib/python3.11/site-packages/botocore/httpsession.py\", line 550, in send",
    "    raise ConnectionClosedError(",
    "botocore.exceptions.ConnectionClosedError: Connection was closed before we received a valid response from endpoint URL: \"https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse\".",
];

fn second(second: i64) -> Time {
    Utc.timestamp_opt(1_795_350_960 + second, 0).unwrap()
}

fn recogniser(streams: usize) -> Recogniser {
    Recogniser::new(Settings { assume_bedrock: true, streams, ..Settings::default() })
}

/// Pushes lines as events of one stream, named by their position.
fn push(recogniser: &mut Recogniser, stream: &str, first: usize, lines: &[&str], out: &mut Vec<Recognised>) {
    for (number, line) in lines.iter().enumerate() {
        let id = (first + number).to_string();
        let at = Some(second(i64::try_from(first + number).unwrap()));
        recogniser.push(&LogEvent { stream, event_id: &id, at, message: line.as_bytes() }, out);
    }
}

#[test]
fn the_deciding_event_and_its_time_are_the_same_wherever_reading_began() {
    for first in 0..11 {
        let (mut recogniser, mut out) = (recogniser(8), Vec::new());
        push(&mut recogniser, "s", first, &TRACEBACK[first..], &mut out);
        recogniser.finish(&mut out);
        assert_eq!(out.len(), 1, "from line {first}");
        assert_eq!((&*out[0].event_id, out[0].at), ("11", Some(second(11))), "from line {first}");
        assert_eq!(out[0].text.kind, FailureKind::ConnectionReset, "from line {first}");
    }
}

#[test]
fn a_frame_to_which_nothing_is_added_is_complete_after_a_while() {
    let (mut recogniser, mut out) = (recogniser(8), Vec::new());
    push(&mut recogniser, "s", 0, TRACEBACK, &mut out);
    recogniser.close_idle(second(11) + Duration::seconds(4), &mut out);
    assert_eq!(out, []);
    recogniser.close_idle(second(11) + Duration::seconds(5), &mut out);
    assert_eq!(out.len(), 1);
    recogniser.finish(&mut out);
    assert_eq!(out.len(), 1);
}

#[test]
fn a_structured_record_is_told_at_once() {
    let (mut recogniser, mut out) = (recogniser(8), Vec::new());
    let record = r#"{"level":50,"time":1795350893193,"err":{"type":"Error","message":"read ECONNRESET"},"modelId":"amazon.nova-lite-v1:0","msg":"bedrock call failed"}"#;
    push(&mut recogniser, "s", 0, &[record], &mut out);
    assert_eq!(out.len(), 1);
}

#[test]
fn the_stream_unused_longest_gives_way_and_its_open_frame_is_counted_and_told() {
    let (mut recogniser, mut out) = (recogniser(2), Vec::new());
    push(&mut recogniser, "one", 0, TRACEBACK, &mut out);
    push(&mut recogniser, "two", 0, &["fine"], &mut out);
    assert_eq!((out.len(), recogniser.evicted()), (0, 0));
    push(&mut recogniser, "three", 0, &["fine"], &mut out);
    assert_eq!((out.len(), recogniser.evicted()), (1, 1));
    assert_eq!(&*out[0].stream, "one");
    push(&mut recogniser, "four", 0, &["fine"], &mut out);
    assert_eq!(recogniser.evicted(), 1, "nothing was open in the second");
}

#[test]
fn an_endless_frame_ends_in_bounded_memory_and_keeps_what_decides() {
    let (mut recogniser, mut out) = (recogniser(8), Vec::new());
    push(&mut recogniser, "s", 0, &TRACEBACK[..10], &mut out);
    let filler = format!("  File \"/srv/{}.py\", line 1, in f\n", "x".repeat(1000)).repeat(1000);
    for _ in 0..50 {
        recogniser.push(&LogEvent { stream: "s", event_id: "f", at: None, message: filler.as_bytes() }, &mut out);
    }
    push(&mut recogniser, "s", 99, &TRACEBACK[11..], &mut out);
    recogniser.finish(&mut out);
    assert_eq!(out.len(), 1);
    assert_eq!(&*out[0].event_id, "99");
}

#[test]
fn only_a_hit_that_is_a_piece_of_its_record_needs_context() {
    for (message, needed) in [
        (TRACEBACK[11], true),
        ("ConnectionResetError: [Errno 104] Connection reset by peer", true),
        ("Error invoking Bedrock: Error: read ECONNRESET {", true),
        ("    code: 'ECONNRESET',", true),
        ("Traceback (most recent call last):", false),
        (
            "2026-11-22 12:36:01,833 ERROR chat: An error occurred (ThrottlingException) when calling the Converse operation: x",
            false,
        ),
        (r#"{"level":50,"msg":"read ECONNRESET"}"#, false),
        ("2026-11-22 12:36:01,833 INFO chat: done", false),
    ] {
        assert_eq!(needs_context(message.as_bytes()), needed, "{message}");
    }
    assert!(!needs_context(TRACEBACK.join("\n").as_bytes()), "a whole traceback");
}
