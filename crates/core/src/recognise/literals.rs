//! The phrases that make a line worth a closer look, and the two searches built from them.
//!
//! Everything else in a log costs one pass of a multi-literal search. The same table makes the filter pattern that
//! CloudWatch applies on its side, so that no deciding line can be recognised here and be filtered away there.
//!
//! A phrase holds no character that JSON encoders escape (quotes, `<`, `>`, `&`, `'`, `+`), begins and ends at the
//! edge of a word, and is spelled as SDKs spell it: CloudWatch matches whole terms, case-sensitively.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// A line that decides a failure contains one of these.
pub(super) const DECIDING: &[&str] = &[
    // botocore's ClientError, with any code and any operation
    "An error occurred",
    // Bedrock's exceptions: Node, Rust, Go, Java, .NET, Ruby; and in lowerCamelCase as frames of a stream
    "ThrottlingException",
    "ServiceUnavailableException",
    "InternalServerException",
    "ModelErrorException",
    "ModelStreamErrorException",
    "ModelTimeoutException",
    "ModelNotReadyException",
    "ValidationException",
    "throttlingException",
    "serviceUnavailableException",
    "internalServerException",
    "modelStreamErrorException",
    "modelTimeoutException",
    "validationException",
    // Bedrock's messages, where an application logs nothing else
    "before trying again",
    // wrappers
    "Error code",
    "for url",
    "BedrockException",
    "BedrockRuntime",
    "Bedrock Runtime",
    // connections
    "Connection reset",
    "connection reset",
    "ECONNRESET",
    "ECONNREFUSED",
    "socket hang up",
    "Error: aborted",
    "TypeError: terminated",
    "was closed",
    "connection closed",
    "closed connection",
    "closed with error",
    "Server disconnected",
    "Connection error",
    "Connection broken",
    "endpoint URL",
    "Connection refused",
    "HTTP request",
    "dispatch failure",
    "EOF",
    "http2 request",
    // streams
    "checksum",
    "Checksum",
    "not completed",
    "ended prematurely",
    "Truncated event",
    "unexpected end",
    "response stream",
    // time
    "timed out",
    "Timeout on",
    "requestTimeout",
    "deadline exceeded",
    "specified timeout",
];

/// What decides too, but for which CloudWatch's pattern has no room: refusals of a caller's making, which are never
/// billed, and messages that SDKs print beside a phrase of [`DECIDING`].
const DECIDING_UNFILTERED: &[&str] = &[
    "AccessDeniedException",
    "ResourceNotFoundException",
    "Model is not ready",
    "processing the model",
    "Retry your request",
    "your request again",
    "access to the model",
    "Malformed input",
    "Client error",
    "Server error",
    "Server Error",
    "undecoded bytes",
    "TimeoutError",
    "ETIMEDOUT",
    "EPIPE",
    "ENOTFOUND",
    "other side closed",
    "fetch failed",
    "UND_ERR_",
    "remature",
    "Broken pipe",
    "broken pipe",
];

/// A line with one of these opens a frame, or tells of a call under way, and decides nothing by itself.
pub(super) const CONTEXT: &[&str] = &[
    "Traceback (most recent call last)",
    "Retrying request",
    "Retry needed",
    "Max attempts of",
    "Sending http request",
    "Making request for OperationModel",
    "Response headers:",
    "1.1 200 OK",
];

/// What lines with those phrases have in them, in few and rare letters: a vectorised search takes some thirty pieces of
/// four bytes and more at memory speed, and not the phrases themselves. What it finds is looked at with [`PHRASES`].
const PIECES: &[&str] = &[
    "xception",
    "rror",
    "onnect",
    "imeout",
    "imed out",
    "deadline ex",
    "ECONN",
    "EPIPE",
    "ENOTFOUND",
    "ETIMEDOUT",
    "UND_ERR_",
    "hang up",
    "roken pipe",
    " EOF",
    "hecksum",
    "remature",
    "Truncated ev",
    "ncomplete B",
    "trying again",
    "your request",
    "is not ready",
    "access to the m",
    "Malformed in",
    "(Service",
    "edrockRuntime",
    "edrock Runtime:",
    "execute HTTP",
    "Traceback",
    "etrying",
    "Retry needed",
    "Max attempts",
    "Sending http",
    "Making request for",
    "Response headers",
    "1 200 OK",
];

static SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).kind(Some(AhoCorasickKind::DFA)).build(PIECES).ok()
});

static PHRASES: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let phrases = DECIDING.iter().chain(DECIDING_UNFILTERED).chain(CONTEXT);
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).kind(Some(AhoCorasickKind::DFA)).build(phrases).ok()
});

/// Where in `bytes` the next line worth a look has something.
pub(super) fn find(bytes: &[u8]) -> Option<usize> {
    SEARCH.as_ref()?.find(bytes).map(|found| found.start())
}

/// What a line holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hit {
    /// Nothing of interest.
    Nothing,
    /// Something that opens a frame or tells of a call under way.
    Context,
    /// Something that can decide a failure.
    Deciding,
    /// The same, and CloudWatch's pattern lets it pass.
    Passing,
}

/// What the phrases in `text` can do.
pub(super) fn hit(text: &str) -> Hit {
    let Some(phrases) = PHRASES.as_ref() else { return Hit::Nothing };
    if find(text.as_bytes()).is_none() {
        return Hit::Nothing;
    }
    let mut hit = Hit::Nothing;
    for found in phrases.find_iter(text) {
        let found = match found.pattern().as_usize() {
            index if index < DECIDING.len() => return Hit::Passing,
            index if index < DECIDING.len() + DECIDING_UNFILTERED.len() => Hit::Deciding,
            _ => Hit::Context,
        };
        hit = hit.max(found);
    }
    hit
}

static TRACEBACK: LazyLock<memchr::memmem::Finder<'static>> =
    LazyLock::new(|| memchr::memmem::Finder::new("Traceback (most recent call last)"));

/// Whether a Python traceback begins on this line.
pub(super) fn has_traceback(text: &str) -> bool {
    TRACEBACK.find(text.as_bytes()).is_some()
}

static FILTER: LazyLock<String> = LazyLock::new(|| {
    let mut pattern = String::with_capacity(1024);
    for phrase in DECIDING {
        if !pattern.is_empty() {
            pattern.push(' ');
        }
        pattern.push('?');
        let plain = phrase.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain {
            pattern.push('"');
        }
        pattern.push_str(phrase);
        if !plain {
            pattern.push('"');
        }
    }
    pattern
});

/// The CloudWatch filter pattern (`?term ?"two words" …`, at most 1,024 characters) that the event with the deciding
/// line of every failure matches; except for refusals of a caller's making and for messages without their names.
pub fn filter_pattern() -> &'static str {
    &FILTER
}

/// Whether an event holds a phrase that decides a failure, but is only a piece of its record (a line of a traceback
/// delivered as one event a line): what lies around it in its stream must be read too.
pub fn needs_context(message: &[u8]) -> bool {
    let text = String::from_utf8_lossy(message);
    if hit(&text) < Hit::Deciding {
        return false;
    }
    let first = text.split(['\n', '\r']).next().unwrap_or_default();
    let super::envelope::Opened { body: super::envelope::Body::Text(opened), .. } = super::envelope::open(first) else {
        return false;
    };
    let lines = text.trim_end().split(['\n', '\r']).filter(|line| !line.is_empty()).count();
    match super::line::Role::of(opened.split('\n').next().unwrap_or_default()) {
        // The start of a record, alone: what follows may tell more, but it is recognised by itself.
        super::line::Role::Record => false,
        super::line::Role::Other => lines == 1 && opened.trim_end().ends_with(['{', ':']),
        // A whole traceback begins with its own head.
        super::line::Role::Traceback => lines < 3,
        _ => lines == 1,
    }
}
