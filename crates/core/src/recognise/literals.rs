//! The phrases that make a line worth a closer look, and the two searches built from them.
//!
//! Everything else in a log costs one pass of a multi-literal search. The same table makes the filter pattern that
//! CloudWatch applies on its side, so that no deciding line can be recognised here and be filtered away there.
//!
//! A phrase holds no character that JSON encoders escape (quotes, `<`, `>`, `&`, `'`, `+`), begins and ends at the
//! edge of a word, and is spelled as SDKs spell it: CloudWatch matches whole terms, case-sensitively.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, Input, MatchKind, Span, packed};

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
    "process your request",
    ": aborted",
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

const TRACEBACK: &str = "Traceback (most recent call last)";

/// A line with one of these opens a frame, or tells of a call under way, and decides nothing by itself.
pub(super) const CONTEXT: &[&str] = &[
    TRACEBACK,
    "Retrying request",
    "Retry needed",
    "Max attempts of",
    "Sending http request",
    "Making request for OperationModel",
    "Response headers:",
    "1.1 200 OK",
];

/// What lines with those phrases have in them, in few and rare letters: a vectorised search takes some thirty pieces of
/// four bytes and more at memory speed, and not the phrases themselves. What it finds is looked at with [`Phrases::of`].
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
    ": aborted",
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

/// Finds pieces: vectorised where the machine can.
#[derive(Debug)]
enum Search {
    Vectors(packed::Searcher),
    Automaton(AhoCorasick),
    Nothing,
}

static SEARCH: LazyLock<Search> = LazyLock::new(|| {
    let vectors = packed::Config::new().match_kind(packed::MatchKind::LeftmostFirst).builder().extend(PIECES).build();
    let automaton = || AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(PIECES);
    vectors.map_or_else(|| automaton().map_or(Search::Nothing, Search::Automaton), Search::Vectors)
});

/// The next piece in `bytes` at or after `from`: which, and where.
fn next_piece(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let found = match &*SEARCH {
        Search::Vectors(search) => search.find_in(bytes, Span { start: from, end: bytes.len() }),
        Search::Automaton(search) => search.find(Input::new(bytes).range(from..)),
        Search::Nothing => None,
    };
    found.map(|found| (found.pattern().as_usize(), found.start()))
}

/// The pieces of a buffer that is read from its start to its end.
#[derive(Debug)]
pub(super) struct Pieces<'a> {
    bytes: &'a [u8],
    next: Option<usize>,
}

impl<'a> Pieces<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, next: next_piece(bytes, 0).map(|(_, start)| start) }
    }

    /// Where the first piece at or after `at` is; `at` never goes back.
    pub(super) fn from(&mut self, at: usize) -> Option<usize> {
        if self.next.is_some_and(|next| next < at) {
            self.next = next_piece(self.bytes, at).map(|(_, start)| start);
        }
        self.next
    }
}

/// A phrase that contains a piece.
#[derive(Debug)]
struct Phrase {
    text: &'static str,
    /// Where in it the piece begins.
    offset: usize,
    means: Meaning,
}

#[derive(Debug, Clone, Copy)]
enum Meaning {
    Decides(Hit),
    Traceback,
    Note,
}

/// The phrases by their pieces.
#[derive(Debug)]
struct Table {
    /// The phrases around each piece: where a piece is found, one of these may be.
    around: Vec<Vec<Phrase>>,
    /// Phrases of frequent letters, which lie beside a piece of another: searched for where any piece was found.
    loose: Vec<Phrase>,
    search: Option<AhoCorasick>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let decide = |phrases: &'static [&str], hit| phrases.iter().map(move |text| (*text, Meaning::Decides(hit)));
    let context = CONTEXT.iter().map(|text| match *text {
        TRACEBACK => (*text, Meaning::Traceback),
        _ => (*text, Meaning::Note),
    });
    let (mut around, mut loose): (Vec<Vec<Phrase>>, _) = (PIECES.iter().map(|_| Vec::new()).collect(), Vec::new());
    for (text, means) in decide(DECIDING, Hit::Passing).chain(decide(DECIDING_UNFILTERED, Hit::Deciding)).chain(context)
    {
        // One piece of a phrase is enough: wherever the phrase is, that piece is found.
        let piece = PIECES.iter().enumerate().find_map(|(index, piece)| text.find(piece).map(|offset| (index, offset)));
        match piece {
            Some((index, offset)) => around[index].push(Phrase { text, offset, means }),
            None => loose.push(Phrase { text, offset: 0, means }),
        }
    }
    let search = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostFirst)
        .kind(Some(AhoCorasickKind::DFA))
        .build(loose.iter().map(|phrase| phrase.text))
        .ok();
    Table { around, loose, search }
});

/// What a line can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hit {
    /// Nothing of interest.
    #[default]
    Nothing,
    /// Something that opens a frame or tells of a call under way.
    Context,
    /// Something that can decide a failure.
    Deciding,
    /// The same, and CloudWatch's pattern lets it pass.
    Passing,
}

/// The phrases on a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Phrases {
    pub(super) hit: Hit,
    /// A Python traceback begins on it.
    pub(super) traceback: bool,
    /// It tells of a call under way.
    pub(super) note: bool,
}

impl Phrases {
    /// The phrases in `text`.
    pub(super) fn of(text: &[u8]) -> Self {
        Self::from(text, 0)
    }

    /// The phrases in `text`, in which there is no piece before `from`.
    pub(super) fn from(text: &[u8], from: usize) -> Self {
        let mut phrases = Self::default();
        let table = &*TABLE;
        let (mut from, mut any) = (from, false);
        while let Some((piece, at)) = next_piece(text, from) {
            from = at + 1;
            any = true;
            for phrase in &table.around[piece] {
                let Some(start) = at.checked_sub(phrase.offset) else { continue };
                if text[start..].starts_with(phrase.text.as_bytes()) {
                    phrases.add(phrase.means);
                }
            }
        }
        if any && phrases.hit < Hit::Passing {
            let loose = table.search.iter().flat_map(|search| search.find_iter(text));
            loose.for_each(|found| phrases.add(table.loose[found.pattern().as_usize()].means));
        }
        phrases
    }

    fn add(&mut self, means: Meaning) {
        let hit = match means {
            Meaning::Decides(hit) => hit,
            Meaning::Traceback => {
                self.traceback = true;
                Hit::Context
            }
            Meaning::Note => {
                self.note = true;
                Hit::Context
            }
        };
        self.hit = self.hit.max(hit);
    }
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
    if Phrases::of(text.as_bytes()).hit < Hit::Deciding {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phrase_is_found_beside_a_piece() {
        for (phrases, hit) in [(DECIDING, Hit::Passing), (DECIDING_UNFILTERED, Hit::Deciding), (CONTEXT, Hit::Context)]
        {
            for phrase in phrases {
                let line = format!("2026-11-22 12:36:01 app: Error {phrase} and more");
                assert!(Phrases::of(line.as_bytes()).hit >= hit, "{phrase}");
            }
        }
    }

    #[test]
    fn no_piece_hides_another_that_begins_where_it_does() {
        for piece in PIECES {
            assert!(PIECES.iter().all(|other| other == piece || !other.starts_with(piece)), "{piece}");
        }
    }
}
