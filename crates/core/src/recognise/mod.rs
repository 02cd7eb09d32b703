//! Bytes of application logs in, Bedrock client failures out; no configuration for the SDKs that are known.
//!
//! ```text
//!  bytes ─ literals ─ hits ─ envelope ─ frame ─ judge ─ Recognised
//!          one search        prefixes,  lines of   outcome, whose,
//!          over a buffer     JSON       a record   numbers and names
//! ```
//!
//! - [`literals`](self): every deciding line holds one of some fifty phrases. One search over the whole buffer finds
//!   them; only those lines, and the frames they open, are read.
//! - Frames: a traceback split over many events is one failure, a chain of exceptions is one failure named by its
//!   root cause, a retry line is an attempt. Every stream has a frame of its own, so interleaved streams never mix.
//! - Judging: what counts is what the text says of *this* call. What names another client is not counted.
//!
//! Arbitrary bytes come in: nothing here panics on them, and every buffer has a cap.

mod assembler;
mod calls;
mod duplicate;
mod envelope;
mod evidence;
mod extract;
mod flatten;
mod frame;
mod judge;
mod kind;
mod line;
mod literals;
mod recogniser;
mod signals;
mod source;
mod success;
mod timestamp;

use std::sync::Arc;

use chrono::Duration;

pub use literals::{filter_pattern, needs_context};
pub use recogniser::Recogniser;
pub use success::{success_filter_pattern, success_request_id};

use crate::model::{FailureText, Time};

/// How to read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The sources are known to be Bedrock's clients: a failure that names nobody is Bedrock's. What names another
    /// client never is.
    pub assume_bedrock: bool,
    /// After how long a frame to which nothing is added is complete.
    pub idle: Duration,
    /// Streams whose state is kept; the one unused longest is given up, and counted if a frame was open in it.
    pub streams: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { assume_bedrock: false, idle: recogniser::default_idle(), streams: 2048 }
    }
}

/// One event of a log: a line, or several.
#[derive(Debug, Clone, Copy)]
pub struct LogEvent<'a> {
    /// What tells streams apart: events of different streams never belong to one failure.
    pub stream: &'a str,
    /// What names the event; handed back in [`Recognised::event_id`].
    pub event_id: &'a str,
    /// When it was written, if the source knows.
    pub at: Option<Time>,
    /// The bytes, with or without a line end.
    pub message: &'a [u8],
}

/// A failure found.
#[derive(Debug, Clone, PartialEq)]
pub struct Recognised {
    /// What its text says.
    pub text: FailureText,
    /// The stream it was read from.
    pub stream: Arc<str>,
    /// The event that holds the line which decides the failure: the same wherever reading began.
    pub event_id: Arc<str>,
    /// When that event was written; else what the text says.
    pub at: Option<Time>,
    /// The first line of its frame, counted from 1 in its stream.
    pub first_line: u64,
    /// The last line of its frame.
    pub last_line: u64,
}
