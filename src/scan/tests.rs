#![allow(clippy::unwrap_used, clippy::panic)]

use std::{fs, io::Write as _, path::Path};

use super::{Assume, Format, Outcome, ScanArgs, moment, scan};

const THROTTLED: &str = "2026-11-22 12:36:01,833 ERROR chat: An error occurred (ThrottlingException) when calling the \
                         Converse operation (reached max retries: 4): Too many requests, please wait before trying again.\n";
const FINE: &str = "2026-11-22 12:36:01,833 INFO chat: done\n";

fn args(format: Format, files: &[&Path]) -> ScanArgs {
    ScanArgs {
        assume: Some(Assume::Bedrock),
        format,
        since: None,
        until: None,
        files: files.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
    }
}

fn output(args: &ScanArgs) -> (Outcome, String) {
    let mut out = Vec::new();
    let outcome = scan(args, &mut out).unwrap();
    (outcome, String::from_utf8(out).unwrap())
}

fn json(args: &ScanArgs) -> Vec<serde_json::Value> {
    output(args).1.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_json_line_has_every_key_also_where_nothing_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chat.log");
    fs::write(&file, format!("{FINE}{THROTTLED}")).unwrap();
    let rows = json(&args(Format::Json, &[&file]));
    assert_eq!(
        rows,
        [serde_json::json!({
            "failure": "throttled", "statuses": [], "exception": "ThrottlingException", "request_id": null, "model_id": null,
            "operation": "Converse", "attempts": 5, "elapsed_seconds": null, "at": "2026-11-22T12:36:01.833Z",
            "file": file.to_string_lossy(), "line": 2, "lines": 1
        })]
    );
}

#[test]
fn compressed_files_are_known_by_their_first_bytes_not_their_names() {
    let directory = tempfile::tempdir().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(THROTTLED.as_bytes()).unwrap();
    fs::write(directory.path().join("a.log"), gzip.finish().unwrap()).unwrap();
    fs::write(directory.path().join("b.log"), zstd::encode_all(THROTTLED.as_bytes(), 1).unwrap()).unwrap();
    fs::write(directory.path().join("c.gz"), THROTTLED).unwrap();
    let rows = json(&args(Format::Json, &[directory.path()]));
    let files: Vec<&str> = rows.iter().map(|row| row["file"].as_str().unwrap().rsplit('/').next().unwrap()).collect();
    assert_eq!(files, ["a.log", "b.log", "c.gz"]);
}

#[test]
fn failures_of_many_files_come_in_the_order_of_the_files() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..40 {
        let lines = THROTTLED.replace("chat", &format!("chat{number}")).repeat(number % 7);
        fs::write(directory.path().join(format!("{number:02}.log")), lines).unwrap();
    }
    let rows = json(&args(Format::Json, &[directory.path()]));
    let files: Vec<&str> = rows.iter().map(|row| row["file"].as_str().unwrap()).collect();
    assert!(files.is_sorted());
    assert_eq!(rows.len(), (0..40).map(|number| number % 7).sum::<usize>());
}

#[test]
fn what_cannot_be_read_is_trouble_and_the_rest_is_scanned() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chat.log");
    fs::write(&file, THROTTLED).unwrap();
    let (outcome, out) = output(&args(Format::Json, &[&directory.path().join("none.log"), &file]));
    assert_eq!(outcome, Outcome { found: true, trouble: true });
    assert_eq!(out.lines().count(), 1);
}

#[test]
fn a_truncated_archive_is_trouble_and_what_was_read_counts() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chat.log.zst");
    let mut packed = zstd::encode_all(THROTTLED.repeat(20_000).as_bytes(), 1).unwrap();
    packed.truncate(packed.len() / 2);
    fs::write(&file, packed).unwrap();
    assert!(output(&args(Format::Json, &[&file])).0.trouble);
}

#[test]
fn only_failures_between_since_and_until_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chat.log");
    fs::write(&file, THROTTLED).unwrap();
    let at = |text: &str| Some(moment(text).unwrap());
    for (since, until, found) in [
        (at("2026-11-22T12:36:01.833Z"), None, true),
        (at("2026-11-22T12:36:01.834Z"), None, false),
        (None, at("2026-11-22T12:36:01.833Z"), false),
        (None, at("2026-11-22T12:36:01.834Z"), true),
    ] {
        let args = ScanArgs { since, until, ..args(Format::Json, &[&file]) };
        assert_eq!(output(&args).0.found, found, "{since:?} {until:?}");
    }
}

#[test]
fn the_summary_counts_by_failure_model_and_hour() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chat.log");
    let later = THROTTLED.replace("12:36", "14:36").replace("chat:", "chat: model_id=amazon.nova-lite-v1:0");
    fs::write(&file, format!("{THROTTLED}{FINE}{later}")).unwrap();
    let (_, out) = output(&args(Format::Text, &[&file]));
    insta::assert_snapshot!(out, @r"
    2 Bedrock client failures

    by failure
      throttled        2  100 %

    by model
      amazon.nova-lite-v1:0        1   50 %
      unknown                      1   50 %

    by hour, 2026-11-22 12:00 to 2026-11-22 14:00 UTC
      █ █  most 1 an hour
    ");
}

#[test]
fn nothing_found_is_said_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("chat.log");
    fs::write(&file, FINE).unwrap();
    assert_eq!(
        output(&args(Format::Text, &[&file])),
        (Outcome::default(), "no Bedrock client failures found\n".to_owned())
    );
}
