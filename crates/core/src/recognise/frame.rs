//! The lines of one record, however many log events they came in.

use std::sync::Arc;

use super::{
    envelope,
    flatten::Flat,
    line::{Level, Role},
    literals::{Hit, Phrases},
};
use crate::model::Time;

/// One line of a frame.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) role: Role,
    pub(super) phrases: Phrases,
    /// When its event was written, or its envelope says it was.
    pub(super) at: Option<Time>,
    pub(super) event: Arc<str>,
    /// Counted from 1 in its stream.
    pub(super) number: u64,
    /// A shipper's bare timestamp was taken off it.
    pub(super) stamped: bool,
}

impl Line {
    /// Whether there is no level behind its timestamp: a shipper may have put that there.
    pub(super) fn is_bare(&self) -> bool {
        Level::of_header(&self.text).is_none()
    }

    /// Takes a timestamp off that the shipper put there, if the line then is no start of a record.
    pub(super) fn unstamp(&mut self) {
        if let Some((_, end)) = super::timestamp::prefix(&self.text) {
            let role = Role::of(&self.text[end..]);
            if role != Role::Record {
                self.text.drain(..end);
                self.role = role;
                self.stamped = true;
            }
        }
    }
}

/// How a frame is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One line, or a line and what is indented below it.
    Plain,
    /// Python's traceback, chained or not.
    Traceback,
    /// A structured record.
    Record,
}

/// Where in a Python traceback a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Python {
    No,
    /// Between `Traceback` and the exception.
    Stack,
    /// After an exception, with so many lines that may belong to its message.
    Raised(u8),
    /// After a line that announces the next traceback of the chain.
    Linked,
}

/// Lines kept of one frame; what is beyond is still read, and kept where it can decide.
const MOST_LINES: usize = 1000;
/// Bytes kept of one frame.
const MOST_BYTES: usize = 512 * 1024;
/// Lines of unknown kind that may belong to an exception's message.
const MOST_LOOSE: u8 = 5;

/// Lines at the margin that continue the message above them.
const CONTINUED: &[&str] = &["(Service: ", "{\"message\"", "Available Model Group", "For more information check"];

/// An open or closed frame.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) lines: Vec<Line>,
    pub(super) shape: Shape,
    pub(super) record: Option<Flat>,
    /// The number of its last line.
    pub(super) last: u64,
    /// When something was last added, by the events' time.
    pub(super) touched: Option<Time>,
    /// A shipper puts a timestamp before every line, also inside of a record.
    pub(super) stamped: bool,
    python: Python,
    /// It is the source that Node prints above an uncaught error, with a caret below it.
    excerpt: bool,
    blanks: u8,
    bytes: usize,
}

impl Frame {
    /// A frame that begins with these lines; not none.
    pub(super) fn open(lines: Vec<Line>) -> Self {
        let mut frame = Self {
            lines: Vec::with_capacity(lines.len() + 8),
            shape: Shape::Plain,
            record: None,
            last: 0,
            touched: None,
            stamped: false,
            python: Python::No,
            excerpt: false,
            blanks: 0,
            bytes: 0,
        };
        for line in lines {
            frame.add(line);
        }
        frame
    }

    /// A structured record, whole by itself.
    pub(super) fn record(line: Line, record: Flat) -> Self {
        let mut frame = Self::open(vec![line]);
        frame.shape = Shape::Record;
        frame.record = Some(record);
        frame
    }

    /// Whether the line continues the frame.
    pub(super) fn takes(&self, line: &Line) -> bool {
        if line.role == Role::Record {
            return self.excerpt && line.text.starts_with("Error: ");
        }
        match (self.python, line.role) {
            (Python::Stack, Role::Traceback) => false,
            (Python::Stack | Python::Linked, _) => true,
            (Python::Raised(_), Role::Connector | Role::Blank | Role::Inside) => true,
            (Python::Raised(_), Role::Traceback) => false,
            (Python::Raised(loose), _) => (line.phrases.hit < Hit::Deciding) && loose < MOST_LOOSE,
            (Python::No, Role::Traceback) => self.lines.len() <= 4,
            (Python::No, Role::Inside | Role::Cause | Role::Connector) => true,
            (Python::No, Role::Blank) => self.blanks == 0,
            // Java prints the exception below the logger's line.
            (Python::No, Role::Class) => {
                self.excerpt || self.lines.len() == 1 && matches!(self.lines[0].role, Role::Record | Role::Other)
            }
            (Python::No, _) => CONTINUED.iter().any(|start| line.text.starts_with(start)),
        }
    }

    /// Adds a line that [`Frame::takes`] let in.
    pub(super) fn add(&mut self, line: Line) {
        let inline = line.role == Role::Traceback || line.phrases.traceback;
        self.python = match (self.python, line.role) {
            (_, _) if inline => Python::Stack,
            (Python::Stack, Role::Inside | Role::Blank) => Python::Stack,
            // A group's traceback is drawn in a box, and no bare exception ends it.
            (Python::Stack, Role::Connector) => Python::Linked,
            (Python::Stack, _) => Python::Raised(0),
            (Python::Raised(_), Role::Connector) => Python::Linked,
            (Python::Raised(loose), Role::Other | Role::Class | Role::Cause) => Python::Raised(loose + 1),
            (Python::Linked, Role::Class | Role::Other) => Python::Raised(0),
            (state, _) => state,
        };
        if self.python != Python::No {
            self.shape = Shape::Traceback;
        }
        if line.role != Role::Blank {
            let first = self.lines.iter().all(|line| matches!(line.role, Role::Inside | Role::Other | Role::Blank));
            self.excerpt = first && !line.text.is_empty() && line.text.trim() == "^";
        }
        self.blanks = if line.role == Role::Blank { self.blanks.saturating_add(1) } else { 0 };
        self.last = line.number;
        self.stamped |= line.stamped;
        self.touched = line.at.or(self.touched);
        let full = self.lines.len() >= MOST_LINES || self.bytes >= MOST_BYTES;
        if full
            && !((line.phrases.hit >= Hit::Deciding)
                && self.lines.len() < MOST_LINES * 2
                && self.bytes < MOST_BYTES * 2)
        {
            return;
        }
        self.bytes += line.text.len();
        self.lines.push(line);
    }

    /// Bytes of its text.
    pub(super) fn size(&self) -> usize {
        self.bytes + self.lines.len() + self.record.as_ref().map_or(0, |record| record.text.len())
    }

    /// When its text says that it was written.
    pub(super) fn at(&self) -> Option<Time> {
        if let Some(record) = &self.record {
            return envelope::record_time(record);
        }
        super::timestamp::in_header(&self.lines.first()?.text)
    }

    /// Whether a traceback is quoted by what is above it: a prompt, a question, an answer.
    pub(super) fn quotes(&self) -> bool {
        self.lines
            .first()
            .is_some_and(|line| line.role == Role::Other && line.text.trim_end().ends_with(['"', '`', '\'']))
    }

    /// Whether the line above a traceback is a record of its own and not the traceback's header.
    pub(super) fn is_foreign_header(text: &str) -> bool {
        match Level::of_header(text) {
            Some(Level::Error | Level::Warn) | None => false,
            Some(_) => {
                let lower = text.to_ascii_lowercase();
                !["error", "exception", "traceback", "fail", "prompt", "question", "answer", "content"]
                    .iter()
                    .any(|word| lower.contains(word))
            }
        }
    }
}
