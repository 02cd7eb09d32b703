//! How a call failed, by what a frame says.

use super::{
    extract,
    line::words,
    signals::{Found, Signal},
};
use crate::model::{BedrockException, FailureKind};

/// The kind of failure, named by its root cause: an answer of Bedrock before any trouble with the connection, and the
/// cause of that trouble before the names SDKs give it.
pub(super) fn of(text: &str, found: &[Found], statuses: &[u16]) -> Option<(FailureKind, Option<BedrockException>)> {
    let has = |signal: Signal| found.iter().any(|phrase| phrase.signal == signal);
    let names: Vec<(&Found, BedrockException)> = found
        .iter()
        .filter_map(|phrase| match phrase.signal {
            Signal::Named(exception) if is_name(text, phrase) => Some((phrase, exception)),
            _ => None,
        })
        .collect();
    let frame_name =
        names.iter().find(|(phrase, _)| text.as_bytes()[phrase.start].is_ascii_lowercase()).map(|(_, name)| *name);
    let name = frame_name.or_else(|| names.first().map(|(_, name)| *name));
    let said = found.iter().find_map(|phrase| match phrase.signal {
        Signal::Said(exception) => Some(exception),
        _ => None,
    });
    let boto = boto_code(text, found);
    let http = has(Signal::HttpAnswer) || boto.is_some();
    let mid_stream =
        frame_name.is_some() || (name.is_some() && has(Signal::StreamFrame) && !http && statuses.is_empty());
    if mid_stream {
        return Some((FailureKind::StreamError, name));
    }
    if name.is_some() && statuses.is_empty() && !http && tells_of_stream(text, &names) {
        return Some((FailureKind::StreamError, name));
    }
    if let Some(exception) = name {
        // Two statuses in one line: the one Bedrock sent is 503.
        let kind = if statuses.contains(&503) { FailureKind::ServiceUnavailable } else { exception.kind() };
        return Some((kind, Some(exception)));
    }
    if let Some(code) = boto {
        return Some((kind_of_code(code), None));
    }
    if let Some(status) = statuses.iter().copied().find(|status| *status == 503).or_else(|| statuses.first().copied()) {
        return Some((kind_of_status(status), None));
    }
    if let Some(exception) = said {
        return Some((exception.kind(), None));
    }
    let kind = if has(Signal::Refused) {
        FailureKind::ConnectError
    } else if has(Signal::Reset) || has(Signal::Aborted) {
        FailureKind::ConnectionReset
    } else if has(Signal::Truncated) {
        FailureKind::StreamTruncated
    } else if has(Signal::Timeout) {
        FailureKind::ReadTimeout
    } else if has(Signal::Network) {
        FailureKind::ConnectError
    } else {
        return None;
    };
    Some((kind, None))
}

/// `An error occurred (CODE) when calling …`: the code.
fn boto_code<'a>(text: &'a str, found: &[Found]) -> Option<&'a str> {
    let phrase = found.iter().find(|phrase| phrase.signal == Signal::BotoError)?;
    let (code, rest) = text[phrase.end..].split_once(')')?;
    (rest.starts_with(" when calling the ") && code.len() < 80).then_some(code)
}

fn kind_of_code(code: &str) -> FailureKind {
    let lower = code.to_ascii_lowercase();
    if let Ok(status) = code.parse() {
        kind_of_status(status)
    } else if lower.contains("throttl") || lower.contains("toomanyrequests") || lower.contains("slowdown") {
        FailureKind::Throttled
    } else if lower.contains("serviceunavailable") {
        FailureKind::ServiceUnavailable
    } else if lower.contains("internal") {
        FailureKind::InternalError
    } else if lower.contains("requesttimeout") {
        FailureKind::ReadTimeout
    } else {
        FailureKind::Rejected
    }
}

const fn kind_of_status(status: u16) -> FailureKind {
    match status {
        408 => FailureKind::ModelTimeout,
        424 => FailureKind::ModelError,
        429 => FailureKind::Throttled,
        502..=504 => FailureKind::ServiceUnavailable,
        500..=599 => FailureKind::InternalError,
        _ => FailureKind::Rejected,
    }
}

/// Whether an exception's name is used as one, not as a word of a sentence.
fn is_name(text: &str, phrase: &Found) -> bool {
    let before = text[..phrase.start].chars().next_back();
    let after = text[phrase.end..].chars().next();
    let begins = !before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '`' | '“'));
    begins && !matches!(after, Some(c) if c.is_ascii_alphanumeric() || matches!(c, '`' | '”')) && {
        // `ThrottlingException when …` is a sentence, unless something that introduces an error stands before it.
        let sentence = text[phrase.end..].starts_with([' ', ','])
            && !text[phrase.end..].starts_with(" {")
            && !text[phrase.end..].starts_with(" (");
        !sentence
            || before.is_some_and(|c| matches!(c, '.' | '(' | ':' | '\'' | '"' | '=' | '$' | '\\' | '#'))
            || text[..phrase.start].ends_with(": ")
    }
}

/// A name alone, in a message that speaks of a stream.
fn tells_of_stream(text: &str, names: &[(&Found, BedrockException)]) -> bool {
    names.iter().any(|(phrase, _)| {
        let before = extract::line_before(text, phrase.start).to_ascii_lowercase();
        words(&before).any(|(_, word)| matches!(word, "stream" | "streaming"))
    })
}
