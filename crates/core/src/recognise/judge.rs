//! What a frame tells: a failure of Bedrock and its kind, an attempt, or nothing.

use std::hash::{DefaultHasher, Hasher};

use super::{
    evidence::{self, Named},
    extract,
    frame::{Frame, Shape},
    kind,
    line::{Level, Role},
    literals::Hit,
    signals::{self, Found, Signal},
};
use crate::model::FailureText;

/// What a frame tells.
#[derive(Debug)]
pub(super) enum Verdict {
    Failure(Box<Judged>),
    /// A call that its client makes again.
    Attempt,
    Nothing,
}

/// A failure, and where in its frame it is decided.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) text: FailureText,
    /// Index of the deciding line.
    pub(super) line: usize,
    /// The deciding message without the names before it: equal for one failure logged twice.
    pub(super) core: String,
    /// A hash of what the logger calls itself or the line is shaped like, for telling handlers apart.
    pub(super) header: u64,
}

/// The frame as text, with what matters for its parts.
struct Text {
    text: String,
    /// Where each line of the frame begins.
    lines: Vec<usize>,
    level: Option<Level>,
    /// End of the part that is the record's own line, or all of a structured record's own fields.
    header: usize,
}

/// Judges a whole frame.
pub(super) fn judge(frame: &Frame, assume: bool) -> Verdict {
    let text = Text::of(frame);
    let found: Vec<Found> = signals::find(&text.text).into_iter().filter(|phrase| text.counts(frame, phrase)).collect();
    let outcomes: Vec<&Found> = found
        .iter()
        .filter(|phrase| {
            is_outcome(phrase.signal) && (phrase.signal != Signal::Status || extract::is_status(&text.text, phrase))
        })
        .collect();
    if outcomes.is_empty() {
        return Verdict::Nothing;
    }
    let statuses = extract::statuses(&text.text, &found);
    let Some((kind, exception)) = kind::of(&text.text, &found, &statuses) else { return Verdict::Nothing };
    let spoken = text.spoken(frame, &outcomes);
    let whose = evidence::named(&text.text, &found, &spoken);
    // Jobs and uploads are aborted too.
    let aborted = outcomes.iter().all(|phrase| phrase.signal == Signal::Aborted);
    let library = found.iter().any(|phrase| phrase.signal == Signal::Library);
    let network = !kind.seen_by_aws();
    let ours = match whose {
        Named::Bedrock => true,
        Named::Mention => true,
        Named::Other => false,
        // A Python stack shows every library it went through: without one that can call Bedrock it did not.
        Named::Nobody => assume && !aborted && (library || !network || !text.text.contains("  File \"")),
    };
    if !ours || !text.is_told_as_a_failure(frame, whose, network, &outcomes) {
        return Verdict::Nothing;
    }
    if text.is_retry(frame, &found) {
        return Verdict::Attempt;
    }
    let line = text.deciding_line(frame, &outcomes);
    let mut failure = FailureText::new(kind);
    failure.statuses = statuses;
    failure.exception = exception;
    failure.request_id = extract::request_id(&text.text, &found);
    failure.own_id = extract::own_id(&text.text, &found);
    failure.model = extract::model(&text.text, &found);
    failure.operation = extract::operation(&text.text, &found);
    failure.attempts = extract::attempts(&text.text, &found);
    failure.elapsed_seconds = extract::elapsed(&text.text, &found, text.header);
    failure.input_tokens = extract::input_tokens(&text.text, &found);
    failure.at = frame.at();
    Verdict::Failure(Box::new(Judged {
        core: text.core(frame, line, &outcomes),
        header: text.logger(frame),
        text: failure,
        line,
    }))
}

const fn is_outcome(signal: Signal) -> bool {
    matches!(
        signal,
        Signal::Named(_)
            | Signal::Said(_)
            | Signal::BotoError
            | Signal::Status
            | Signal::Truncated
            | Signal::Reset
            | Signal::Aborted
            | Signal::Timeout
            | Signal::Refused
            | Signal::Network
    )
}

impl Text {
    fn of(frame: &Frame) -> Self {
        let mut lines = Vec::with_capacity(frame.lines.len());
        let level;
        let mut text = String::with_capacity(frame.size() + 64);
        let header;
        if let Some(record) = &frame.record {
            level = record
                .any(&[
                    "level",
                    "severity",
                    "levelname",
                    "lvl",
                    "log.level",
                    "loglevel",
                    "@l",
                    "severity_text",
                    "severityText",
                ])
                .and_then(Level::parse);
            text.push_str(&record.text);
            lines.push(0);
            header = text.len();
        } else {
            let first = frame.lines.first();
            let opener = first.filter(|line| matches!(line.role, Role::Record | Role::Other));
            level = opener.and_then(|line| Level::of_header(&line.text));
            for line in &frame.lines {
                lines.push(text.len());
                // logfmt holds a whole traceback in a quoted value.
                if memchr::memchr(b'\\', line.text.as_bytes()).is_some() && line.text.contains("\\n  File ") {
                    text.push_str(&line.text.replace("\\n", "\n").replace("\\\"", "\""));
                } else {
                    text.push_str(&line.text);
                }
                text.push('\n');
            }
            let first_end = lines.get(1).map_or(text.len(), |second| *second).saturating_sub(1);
            header = opener.map_or(0, |line| line.text.len().min(first_end));
            let header_end = floor_boundary(&text, header);
            return Self { text, lines, level, header: header_end };
        }
        Self { text, lines, level, header }
    }

    /// Whether a phrase counts: not where it is quoted in a sentence, and not in a source line that a traceback shows.
    fn counts(&self, frame: &Frame, phrase: &Found) -> bool {
        if !is_outcome(phrase.signal) {
            return true;
        }
        let before = extract::line_before(&self.text, phrase.start);
        let start = memchr::memrchr(b'\n', &self.text.as_bytes()[..phrase.start]).map_or(0, |newline| newline + 1);
        if frame.shape == Shape::Traceback && self.text[start..].starts_with(' ') {
            // Names in paths and source (`except ReadTimeoutError`) are not outcomes; what loggers add is drawn.
            return before.contains(['│', '└', '|']);
        }
        if self.level.is_none_or(|level| level < Level::Warn) {
            let mut back = before.chars().rev().filter(|c| *c != '(' && *c != '[');
            let quote = back.next().is_some_and(|c| matches!(c, '"' | '\'' | '`' | '“' | '«' | '‘'));
            if quote && back.next() == Some(' ') && back.next().is_some_and(|c| c.is_ascii_alphanumeric()) {
                return false;
            }
        }
        true
    }

    fn line_at(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at).saturating_sub(1)
    }

    /// The parts that speak for the failure itself.
    fn spoken<'a>(&'a self, frame: &'a Frame, outcomes: &[&Found]) -> Vec<&'a str> {
        let mut parts: Vec<&str> = vec![];
        if let Some(record) = &frame.record {
            let loggers = [
                "logger",
                "name",
                "logger_name",
                "loggerName",
                "target",
                "module",
                "component",
                "type",
                "message",
                "msg",
                "event",
            ];
            parts.extend(loggers.iter().filter_map(|name| record.field(name)));
        } else {
            parts.push(&self.text[..self.header]);
        }
        let mut last = usize::MAX;
        for phrase in outcomes {
            let bytes = self.text.as_bytes();
            let start = memchr::memrchr(b'\n', &bytes[..phrase.start]).map_or(0, |at| at + 1);
            if start != last {
                let end = memchr::memchr(b'\n', &bytes[start..]).map_or(self.text.len(), |at| start + at);
                parts.push(&self.text[start..end]);
                last = start;
            }
        }
        // Every class of the chain, whatever its message says.
        for line in frame.lines.iter().filter(|line| matches!(line.role, Role::Class | Role::Cause)) {
            parts.push(&line.text);
        }
        parts
    }

    /// Whether the record reports a failure, as against quoting, answering or debugging.
    fn is_told_as_a_failure(&self, frame: &Frame, whose: Named, network: bool, outcomes: &[&Found]) -> bool {
        let header = if frame.record.is_some() { self.text.as_str() } else { &self.text[..self.header] };
        match self.level {
            Some(Level::Error) => true,
            // A pool that reconnects, a proxy upstream: warnings of trouble that nothing ties to Bedrock.
            Some(Level::Warn) => !network || whose != Named::Nobody,
            Some(Level::Debug | Level::Trace) => false,
            Some(Level::Info) => {
                // `error code ThrottlingException`: the words before the name say that it failed.
                let told = outcomes.iter().filter(|phrase| phrase.signal != Signal::Status);
                let first = told.map(|phrase| phrase.start).min().unwrap_or(header.len());
                let lead = &header[..floor_boundary(header, first)];
                !speaks_for_others(lead) && says_error(if frame.record.is_some() { header } else { lead })
            }
            None if frame.record.is_some() => true,
            None if frame.shape == Shape::Traceback => !frame.quotes(),
            None => {
                let line = frame.lines.first().map_or("", |line| line.text.as_str());
                let first = outcomes.iter().map(|phrase| phrase.start).min().unwrap_or(0);
                let lead = &line[..floor_boundary(line, first)];
                !speaks_for_others(lead)
                    && (!network
                        || whose == Named::Bedrock
                        || says_error(&self.text[..self.text.len().min(floor_boundary(&self.text, 2048))]))
            }
        }
    }

    /// Whether the record says that the call is made again.
    fn is_retry(&self, frame: &Frame, found: &[Found]) -> bool {
        const HEAD: usize = 512;
        let head = match &frame.record {
            Some(record) => record.span(&["message", "msg", "event", "body"]).unwrap_or_default(),
            None => 0..self.lines.get(1).copied().unwrap_or(self.text.len()),
        };
        let head = head.start..head.end.min(head.start + HEAD);
        let says = |signal: Signal| {
            found.iter().any(|phrase| phrase.signal == signal && head.start <= phrase.start && phrase.end <= head.end)
        };
        says(Signal::Again) && !says(Signal::Over)
    }

    /// The last line with an outcome that a search of the log could have found, preferring those that name a class.
    fn deciding_line(&self, frame: &Frame, outcomes: &[&Found]) -> usize {
        let mut best: Option<(bool, bool, usize)> = None;
        let mut seen = usize::MAX;
        for phrase in outcomes {
            let index = self.line_at(phrase.start);
            if index == seen {
                continue;
            }
            seen = index;
            let Some(line) = frame.lines.get(index).filter(|line| line.phrases.hit >= Hit::Deciding) else { continue };
            let outer = !matches!(line.role, Role::Inside);
            best = best.max(Some((line.phrases.hit == Hit::Passing, outer, index)));
        }
        best.map_or_else(|| frame.lines.len().saturating_sub(1), |(_, _, index)| index)
    }

    /// From the first outcome on the deciding line to its end; of a record, on the first line with one.
    fn core(&self, frame: &Frame, line: usize, outcomes: &[&Found]) -> String {
        let of_line = |phrase: &&&Found| frame.record.is_some() || self.line_at(phrase.start) == line;
        let start = outcomes.iter().filter(of_line).map(|phrase| phrase.start).min().unwrap_or(0);
        let rest = &self.text[start..];
        let end = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        rest[..floor_boundary(&rest[..end], 512)].to_owned()
    }

    /// A hash of the header without its digits: equal for two records of one place in the code.
    fn logger(&self, frame: &Frame) -> u64 {
        let head = match &frame.record {
            Some(record) => record.any(&["message", "msg", "event"]).unwrap_or_default(),
            None => frame.lines.first().map_or("", |line| line.text.as_str()),
        };
        let mut hash = DefaultHasher::new();
        let head = head.as_bytes();
        let letters = head[..head.len().min(96)].split(u8::is_ascii_digit);
        letters.for_each(|letters| hash.write(letters));
        hash.finish()
    }
}

fn floor_boundary(text: &str, most: usize) -> usize {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

/// Words that introduce what somebody says, not what happened.
fn speaks_for_others(lead: &str) -> bool {
    const SPEECH: &[&str] = &[
        "answer",
        "answered",
        "answers",
        "prompt",
        "prompts",
        "question",
        "asked",
        "asks",
        "said",
        "says",
        "reply",
        "replied",
        "completion",
        "ticket",
        "runbook",
        "article",
        "explain",
        "explains",
        "summary",
        "summarize",
        "quote",
        "quoted",
        "transcript",
        "documentation",
        "docs",
        "content",
        "conversation",
        "chat_history",
        "means",
        "see",
        "seeing",
        "if",
        "when",
        "what",
        "why",
        "how",
    ];
    // Whole words: a part of a path or of a name says nothing.
    let words = lead.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()));
    words.map(str::to_ascii_lowercase).any(|word| SPEECH.contains(&word.as_str()))
}

fn says_error(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["error", "fail", "exception", "unable", "abort", "panic", "fatal", "cannot", "could not", "econn", "crash"]
        .iter()
        .any(|word| lower.contains(word))
}
