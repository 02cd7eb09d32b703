//! How fast logs are read: mixed logs with few failures, with many, and with nothing else.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use faultline_core::recognise::{Recogniser, Settings};

const SIZE: usize = 16 * 1024 * 1024;

/// Lines of a service that does well.
const FINE: &[&str] = &[
    "2026-11-22 12:36:01,833 INFO [chat.api] handled order 81723 for session in 41ms status=200 path=/api/v1/cart/4711",
    r#"{"level":30,"time":1795350893020,"pid":8771,"hostname":"app-1","modelId":"anthropic.claude-3-5-sonnet-20240620-v1:0","op":"converse","msg":"done","inputTokens":812}"#,
    r#"10.0.1.7 - - [22/Nov/2026:12:36:01 +0000] "GET /api/item/81723 HTTP/1.1" 200 4711 "-" "Mozilla/5.0 (X11; Linux x86_64)""#,
    "2026-11-22T12:36:01.833512Z  INFO chat::server: user session order cart elapsed=41ms",
];

/// One failed call, as different clients log it.
fn failures() -> Vec<String> {
    let cases = include_str!("../crates/core/tests/recogniser/other_sdks.txt");
    let mut failures: Vec<String> = Vec::new();
    for line in cases.lines().filter(|line| !line.starts_with("# ")) {
        if line.starts_with("=== ") {
            failures.push(String::new());
        } else if let Some(failure) = failures.last_mut() {
            failure.push_str(line);
            failure.push('\n');
        }
    }
    failures
}

/// A log in which one record of `every` is a failure.
fn log(every: usize) -> Vec<u8> {
    let failures = failures();
    let mut log = Vec::with_capacity(SIZE + 8192);
    let mut record = 0;
    while log.len() < SIZE {
        if record % every == 0 {
            log.extend_from_slice(failures[record / every % failures.len()].as_bytes());
        } else {
            log.extend_from_slice(FINE[record % FINE.len()].as_bytes());
            log.push(b'\n');
        }
        record += 1;
    }
    log
}

fn scan(log: &[u8]) -> usize {
    let mut recogniser = Recogniser::new(Settings { assume_bedrock: true, ..Settings::default() });
    let mut out = Vec::new();
    let mut found = 0;
    for chunk in log.chunks(1024 * 1024) {
        recogniser.push_chunk("log", chunk, &mut out);
        found += out.drain(..).count();
    }
    recogniser.finish(&mut out);
    found + out.len()
}

fn recognise(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recognise");
    group.sample_size(10);
    for (name, every) in [("one failure in 1000 records", 1000), ("one in 10", 10), ("nothing but failures", 1)] {
        let log = log(every);
        group.throughput(Throughput::Bytes(u64::try_from(log.len()).unwrap_or(u64::MAX)));
        group.bench_function(name, |bencher| bencher.iter(|| scan(black_box(&log))));
    }
    group.finish();
}

criterion_group!(benches, recognise);
criterion_main!(benches);
