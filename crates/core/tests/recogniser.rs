//! What is and what is not recognised: the fixtures in `recogniser/`, told apart by `=== name | expectation`.
#![allow(clippy::unwrap_used, clippy::panic)]

use faultline_core::recognise::{LogEvent, Recognised, Recogniser, Settings, filter_pattern};

struct Case {
    name: String,
    expected: String,
    text: String,
}

fn cases(file: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in file.lines() {
        if let Some(head) = line.strip_prefix("=== ") {
            let (name, expected) = head.split_once(" | ").unwrap_or((head, ""));
            cases.push(Case { name: name.to_owned(), expected: expected.to_owned(), text: String::new() });
        } else if let Some(case) = cases.last_mut() {
            case.text.push_str(line);
            case.text.push('\n');
        }
    }
    cases
}

fn settings(assume_bedrock: bool) -> Settings {
    Settings { assume_bedrock, ..Settings::default() }
}

fn recognised(text: &str, assume_bedrock: bool) -> Vec<Recognised> {
    let mut recogniser = Recogniser::new(settings(assume_bedrock));
    let mut out = Vec::new();
    recogniser.push_chunk("file", text.as_bytes(), &mut out);
    recogniser.finish(&mut out);
    out
}

/// What is wrong with what was found, or nothing.
fn difference(case: &Case, found: &[Recognised]) -> Option<String> {
    let mut words = case.expected.split_whitespace().skip_while(|word| *word == "assumed");
    let kind = words.next()?;
    let [found] = found else {
        return Some(format!("{} found: {:?}", found.len(), found.iter().map(|f| f.text.kind).collect::<Vec<_>>()));
    };
    let text = &found.text;
    if text.kind.as_str() != kind {
        return Some(format!("kind {}", text.kind));
    }
    for word in words {
        let (key, expected) = word.split_once('=').unwrap_or((word, ""));
        let actual = match key {
            "request_id" => text.request_id.clone(),
            "no_request_id" => text.request_id.as_ref().map(|id| format!("unwanted {id}")).or(Some(String::new())),
            "attempts" => text.attempts.map(|attempts| attempts.to_string()),
            "statuses" => Some(text.statuses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
            "exception" => text.exception.map(|exception| exception.to_string()),
            "model" => text.model.as_ref().map(ToString::to_string),
            "operation" => text.operation.map(|operation| operation.to_string()),
            "own_id" => text.own_id.clone(),
            "input_tokens" => text.input_tokens.map(|tokens| tokens.to_string()),
            "elapsed" => text.elapsed_seconds.map(|seconds| seconds.to_string()),
            "at" => found.at.map(|at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
            other => panic!("{}: unknown expectation {other}", case.name),
        };
        if actual.as_deref() != Some(expected) {
            return Some(format!("{key}: {actual:?}, not {expected}"));
        }
    }
    None
}

fn check(file: &str) {
    let mut wrong = Vec::new();
    for case in cases(file) {
        let assumed_only = case.expected.starts_with("assumed");
        for assume in [true, false] {
            let found = recognised(&case.text, assume);
            if assumed_only && !assume {
                if !found.is_empty() {
                    wrong.push(format!("{}: found without being assumed", case.name));
                }
            } else if let Some(difference) = difference(&case, &found) {
                wrong.push(format!("{} (assume {assume}): {difference}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_other_sdks_print_is_one_failure_each() {
    check(include_str!("recogniser/other_sdks.txt"));
}

#[test]
fn what_python_loggers_and_runtimes_make_of_a_failure_is_one_failure_each() {
    check(include_str!("recogniser/python.txt"));
}

#[test]
fn other_clients_and_quoted_errors_are_not_counted_even_where_bedrock_is_assumed() {
    let mut wrong = Vec::new();
    for case in cases(include_str!("recogniser/quiet.txt")) {
        let found = recognised(&case.text, true);
        if !found.is_empty() {
            wrong.push(format!("{}: {:?}", case.name, found.iter().map(|f| &f.text).collect::<Vec<_>>()));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_filter_pattern_fits_cloudwatch_and_matches_every_deciding_line() {
    let pattern = filter_pattern();
    assert!(pattern.len() <= 1024, "{} characters", pattern.len());
    let terms: Vec<&str> =
        pattern.split('?').map(|term| term.trim().trim_matches('"')).filter(|t| !t.is_empty()).collect();
    let mut missed = Vec::new();
    for file in [include_str!("recogniser/other_sdks.txt"), include_str!("recogniser/python.txt")] {
        for case in cases(file) {
            // One event a line: the deciding one must pass the filter.
            let mut recogniser = Recogniser::new(settings(true));
            let mut out = Vec::new();
            let lines: Vec<&str> = case.text.lines().collect();
            for (number, line) in lines.iter().enumerate() {
                let event_id = number.to_string();
                let event = LogEvent { stream: "s", event_id: &event_id, at: None, message: line.as_bytes() };
                recogniser.push(&event, &mut out);
            }
            recogniser.finish(&mut out);
            for found in out {
                let line = lines[found.event_id.parse::<usize>().unwrap()];
                if !terms.iter().any(|term| line.contains(term)) {
                    missed.push(format!("{}: {line}", case.name));
                }
            }
        }
    }
    assert!(missed.is_empty(), "\n{}", missed.join("\n"));
}
