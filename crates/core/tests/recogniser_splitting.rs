//! However a log is cut into chunks, events and streams, the same failures come out.
#![allow(clippy::unwrap_used, clippy::panic)]

use faultline_core::recognise::{LogEvent, Recognised, Recogniser, Settings};
use proptest::prelude::*;

/// All fixtures one after the other, as one log.
fn log() -> String {
    let files = [
        include_str!("recogniser/other_sdks.txt"),
        include_str!("recogniser/python.txt"),
        include_str!("recogniser/quiet.txt"),
    ];
    let lines = files.iter().flat_map(|file| file.lines());
    let mut log = String::new();
    let mut case = 0;
    for line in lines.filter(|line| !line.starts_with("# ")) {
        // Each case begins with a record of its own, so that no case continues the one before.
        match line.strip_prefix("=== ") {
            Some(_) => {
                case += 1;
                log.push_str("2026-11-22 12:35:59,001 INFO [app] next\n");
            }
            None => {
                // One request id in two cases would be one failure.
                log.push_str(&line.replace("0f7b4c1e", &format!("{case:08x}")));
                log.push('\n');
            }
        }
    }
    log
}

fn settings() -> Settings {
    Settings { assume_bedrock: true, ..Settings::default() }
}

/// What is the same wherever cuts are: everything but the names of events and streams.
fn essence(found: &[Recognised]) -> Vec<(u64, u64, String)> {
    found.iter().map(|found| (found.first_line, found.last_line, format!("{:?}", found.text))).collect()
}

fn whole(bytes: &[u8]) -> Vec<Recognised> {
    let mut recogniser = Recogniser::new(settings());
    let mut out = Vec::new();
    recogniser.push_chunk("s", bytes, &mut out);
    recogniser.finish(&mut out);
    out
}

fn in_chunks(bytes: &[u8], cuts: &[usize]) -> Vec<Recognised> {
    let mut recogniser = Recogniser::new(settings());
    let mut out = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().filter(|cut| *cut <= bytes.len()) {
        if cut >= from {
            recogniser.push_chunk("s", &bytes[from..cut], &mut out);
            from = cut;
        }
    }
    recogniser.push_chunk("s", &bytes[from..], &mut out);
    recogniser.finish(&mut out);
    out
}

fn in_events(lines: &[&str], sizes: &[usize]) -> Vec<Recognised> {
    let mut recogniser = Recogniser::new(settings());
    let mut out = Vec::new();
    let mut sizes = sizes.iter().copied().cycle();
    let mut rest = lines;
    while !rest.is_empty() {
        let (event, after) = rest.split_at(sizes.next().unwrap().clamp(1, rest.len()));
        let message = event.join("\n") + "\n";
        recogniser.push(&LogEvent { stream: "s", event_id: "e", at: None, message: message.as_bytes() }, &mut out);
        rest = after;
    }
    recogniser.finish(&mut out);
    out
}

#[test]
fn there_is_something_to_find() {
    assert!(whole(log().as_bytes()).len() > 40);
}

#[test]
fn one_line_an_event_is_the_same_as_one_event() {
    let log = log();
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(essence(&in_events(&lines, &[1])), essence(&whole(log.as_bytes())));
}

#[test]
fn one_byte_a_chunk_is_the_same_as_one_chunk() {
    let log = log();
    let cuts: Vec<usize> = (0..log.len()).collect();
    assert_eq!(essence(&in_chunks(log.as_bytes(), &cuts)), essence(&whole(log.as_bytes())));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cutting_anywhere_into_chunks_changes_nothing(mut cuts in proptest::collection::vec(0usize..60_000, 0..40)) {
        cuts.sort_unstable();
        let log = log();
        prop_assert_eq!(essence(&in_chunks(log.as_bytes(), &cuts)), essence(&whole(log.as_bytes())));
    }

    #[test]
    fn cutting_into_events_of_any_size_changes_nothing(sizes in proptest::collection::vec(1usize..30, 1..20)) {
        let log = log();
        let lines: Vec<&str> = log.lines().collect();
        prop_assert_eq!(essence(&in_events(&lines, &sizes)), essence(&whole(log.as_bytes())));
    }

    #[test]
    fn interleaved_streams_never_mix(picks in proptest::collection::vec(any::<bool>(), 200)) {
        let log = log();
        let lines: Vec<&str> = log.lines().collect();
        let (mut one, mut two) = (lines.as_slice(), lines.as_slice());
        let mut recogniser = Recogniser::new(settings());
        let mut out = Vec::new();
        let mut picks = picks.into_iter().cycle();
        while !(one.is_empty() && two.is_empty()) {
            let first = picks.next().unwrap();
            let (name, from) = if first && !one.is_empty() || two.is_empty() { ("one", &mut one) } else { ("two", &mut two) };
            let (line, rest) = from.split_first().unwrap();
            recogniser.push(&LogEvent { stream: name, event_id: "e", at: None, message: line.as_bytes() }, &mut out);
            *from = rest;
        }
        recogniser.finish(&mut out);
        let expected = essence(&whole(log.as_bytes()));
        for name in ["one", "two"] {
            let of_one: Vec<Recognised> = out.iter().filter(|found| &*found.stream == name).cloned().collect();
            prop_assert_eq!(&essence(&of_one), &expected);
        }
    }

    #[test]
    fn bytes_of_any_kind_never_panic(
        pieces in proptest::collection::vec(prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            Just(b"Traceback (most recent call last):\n".to_vec()),
            Just(b"  File \"/site-packages/botocore/x.py\"\n".to_vec()),
            Just(b"An error occurred (Thr\xff".to_vec()),
            Just(b"{\"log\":\"{\\\"level\\\":50,\\\"msg\\\":\\\"read ECONNRESET\\\"}\\n\",\"stream\":\"stderr\"}\n".to_vec()),
            Just(b"\x1b[31mConnection reset\x1b".to_vec()),
            Just("RequestID: é500 (Service: BedrockRuntime, Status Code: 5é".as_bytes().to_vec()),
            Just(b"\0\n".to_vec()),
            Just(b"{\"a\\nb.c\":{\"kubernetes\":{\"x\":\"read ECONNRESET\"}},\"message\":\"Connection reset\"}\n".to_vec()),
            Just(b"ts=1 exc=\"Traceback (most recent call last):\\n  File \\\"x\\\"\\nConnection reset\"\n".to_vec()),
            Just(b"attempts: /model/%E9/converse ThrottlingException: 2026-11-22T12:36:01.833".to_vec()),
        ], 0..40)
    ) {
        let bytes = pieces.concat();
        let _ = whole(&bytes);
    }
}
