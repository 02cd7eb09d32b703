//! Whatever bytes come, as chunks or as events: no panic, and no failure without a line.
#![no_main]

use faultline_core::recognise::{LogEvent, Recogniser, Settings, needs_context};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let settings = Settings { assume_bedrock: data.first().is_some_and(|byte| byte % 2 == 0), streams: 4, ..Settings::default() };
    let mut recogniser = Recogniser::new(settings);
    let mut out = Vec::new();
    recogniser.push_chunk("chunks", data, &mut out);
    for (number, message) in data.split(|byte| *byte == 0).enumerate() {
        let _ = needs_context(message);
        let stream = (number % 6).to_string();
        recogniser.push(&LogEvent { stream: &stream, event_id: "e", at: None, message }, &mut out);
    }
    recogniser.finish(&mut out);
    assert!(out.iter().all(|found| found.first_line >= 1 && found.last_line >= found.first_line));
});
