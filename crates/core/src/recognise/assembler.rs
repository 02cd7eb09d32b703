//! Puts the lines of one stream together into frames, and hands on what each frame tells.

use std::sync::Arc;

use super::{
    Recognised,
    calls::Calls,
    duplicate::{Recent, Told},
    flatten::Flat,
    frame::Frame,
    frame::Line,
    judge::{self, Verdict},
    line::Role,
    literals::Hit,
};
use crate::model::{FailureKind, Time};

/// Where what is recognised in a stream goes.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    pub(super) assume: bool,
    pub(super) stream: &'a Arc<str>,
    pub(super) out: &'a mut Vec<Recognised>,
}

/// The state of one stream.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    frame: Option<Frame>,
    calls: Calls,
    recent: Recent,
    /// The last line without a hit, if it came with others in one: what it heads is not above in the log.
    beside: Option<Line>,
    /// The last line that belongs to a frame or was judged.
    pub(super) framed: u64,
    pub(super) piece: String,
}

impl Assembler {
    /// Whether lines without a hit matter to it.
    pub(super) fn is_open(&self) -> bool {
        self.frame.is_some() || !self.piece.is_empty()
    }

    /// When the open frame last grew.
    pub(super) fn touched(&self) -> Option<Time> {
        self.frame.as_ref().and_then(|frame| frame.touched)
    }

    /// Takes one line of text. `above` gives the lines above it, nearest last.
    pub(super) fn line(&mut self, line: Line, above: impl Iterator<Item = Line>, sink: &mut Sink<'_>) {
        let mut line = line;
        if let Some(frame) = &mut self.frame {
            if line.role == Role::Record && frame.stamped {
                line.unstamp();
            }
            if frame.takes(&line) {
                self.framed = line.number;
                frame.add(line);
                return;
            }
            self.close(sink);
        }
        let traceback = line.phrases.traceback;
        match line.phrases.hit {
            Hit::Nothing => self.beside = Some(line),
            Hit::Context if !traceback => self.calls.note(&line.text),
            Hit::Context | Hit::Deciding | Hit::Passing => {
                // Headers of an answer name its exception and its request id.
                if line.role == Role::Record && line.phrases.note {
                    self.calls.note(&line.text);
                }
                let beside = self.beside.take().filter(|beside| beside.number == line.number);
                let mut above = beside.into_iter().chain(above).peekable();
                // `<shipper's time> Response body:` and `<shipper's time> {…}`
                if line.role == Role::Record
                    && line.is_bare()
                    && above.peek().is_some_and(|above| above.text.ends_with(':'))
                {
                    line.unstamp();
                }
                let mut lines = self.header(&line, above);
                self.framed = line.number;
                lines.push(line);
                self.frame = Some(Frame::open(lines));
            }
        }
    }

    /// Takes a structured record.
    pub(super) fn record(&mut self, line: Line, record: Flat, sink: &mut Sink<'_>) {
        if let Some(frame) = &mut self.frame {
            // A service's answer printed below the error that carries it.
            let body = record.leaves.len() <= 4
                && ["message", "Message", "__type"].iter().any(|name| record.field(name).is_some())
                && record.any(&["level", "severity", "time", "timestamp", "ts"]).is_none();
            if body {
                self.framed = line.number;
                frame.add(Line { role: Role::Inside, ..line });
                return;
            }
            self.close(sink);
        }
        if line.phrases.note {
            self.calls.note(&record.text);
        }
        match line.phrases.hit {
            Hit::Nothing | Hit::Context => {}
            Hit::Deciding | Hit::Passing => {
                self.framed = line.number;
                self.finish(&Frame::record(line, record), sink);
            }
        }
    }

    /// Closes the open frame, if there is one.
    pub(super) fn close(&mut self, sink: &mut Sink<'_>) {
        if let Some(frame) = self.frame.take() {
            self.finish(&frame, sink);
        }
    }

    /// The lines above an opening line that belong to its record; `above` gives the nearest first.
    fn header(&self, line: &Line, above: impl Iterator<Item = Line>) -> Vec<Line> {
        let mut lines = Vec::new();
        if matches!(line.role, Role::Blank | Role::Record) {
            return lines;
        }
        let inside = matches!(line.role, Role::Inside | Role::Cause | Role::Connector);
        let mut class = line.role == Role::Class;
        for candidate in above.take_while(|above| above.number > self.framed || above.number == line.number) {
            let (belongs, ends) = match candidate.role {
                Role::Inside | Role::Cause | Role::Connector => (inside && !class, false),
                // Spring leaves a line empty between a record's line and its stack.
                Role::Blank => (inside || class, false),
                Role::Class => (inside && !class, false),
                // `Response body:` and the body on the next line.
                Role::Record if line.role == Role::Other => (candidate.text.trim_end().ends_with(':'), true),
                Role::Record => (true, true),
                Role::Other => ((line.role == Role::Traceback || inside) && !class, true),
                Role::Traceback => (false, true),
            };
            class |= candidate.role == Role::Class;
            if belongs {
                lines.push(candidate);
            }
            if ends || !belongs {
                break;
            }
        }
        while lines.last().is_some_and(|line| line.role == Role::Blank) {
            lines.pop();
        }
        lines.reverse();
        // The line above an uncaught exception is a record of its own.
        let uncaught = matches!(line.role, Role::Traceback | Role::Class);
        if uncaught && lines.first().is_some_and(|first| Frame::is_foreign_header(&first.text)) {
            lines.clear();
        }
        lines
    }

    fn finish(&mut self, frame: &Frame, sink: &mut Sink<'_>) {
        let Verdict::Failure(judged) = judge::judge(frame, sink.assume) else { return };
        let mut text = judged.text;
        let mid_stream = matches!(
            text.kind,
            FailureKind::StreamError
                | FailureKind::StreamTruncated
                | FailureKind::ConnectionReset
                | FailureKind::ReadTimeout
        );
        let told = self.calls.end(mid_stream);
        text.attempts = text.attempts.or(told.attempts);
        text.request_id = text.request_id.or(told.request_id);
        let Some(line) = frame.lines.get(judged.line) else { return };
        let first = frame.lines.first().map_or(line.number, |line| line.number);
        let repeats = self.recent.repeats(Told {
            kind: text.kind,
            core: judged.core,
            header: judged.header,
            request_id: text.request_id.clone(),
            shape: frame.shape,
            first,
            last: frame.last,
            at: [line.at, text.at],
        });
        if !repeats {
            let at = line.at.or(text.at);
            sink.out.push(Recognised {
                stream: sink.stream.clone(),
                event_id: line.event.clone(),
                at,
                first_line: first,
                last_line: frame.last,
                text,
            });
        }
    }
}
