//! One log stream: finds the lines that matter, and gives each to the assembler of its sub-stream.
//!
//! While no frame is open the whole buffer is searched at once and only hits are widened to lines. While one is open,
//! lines are read one by one.

use std::{
    borrow::Cow,
    ops::Range,
    sync::{Arc, LazyLock},
};

use memchr::{memchr, memchr_iter, memmem::Finder, memrchr};

use super::{
    assembler::{Assembler, Sink},
    envelope::{self, Body, Opened},
    flatten::Flat,
    frame::Line,
    line::Role,
    literals::{Hit, Phrases, Pieces},
};
use crate::{bodies, model::Time};

/// Lines above a hit that may hold its record's header.
const ABOVE: usize = 12;
/// Bytes of a line that are read; what is beyond is passed over.
pub(super) const MOST_LINE: usize = 1024 * 1024;
/// Container runtimes cut lines longer than this.
const MOST_PLAIN: usize = 8 * 1024;
const ESCAPE: u8 = 0x1b;
/// Bytes kept of a line above.
const MOST_ABOVE: usize = 2048;
/// Sub-streams told apart in one stream; the one idle longest is given up.
const MOST_SUBS: usize = 64;

/// Whose lines these are.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub(super) event: Arc<str>,
    pub(super) at: Option<Time>,
}

/// A line as it lies in the log.
#[derive(Debug)]
struct Raw<'a> {
    /// The buffer it is in, and where it starts there.
    bytes: &'a [u8],
    start: usize,
    length: usize,
    number: u64,
    origin: &'a Origin,
    phrases: Phrases,
}

#[derive(Debug)]
struct Above {
    raw: Vec<u8>,
    origin: Origin,
    number: u64,
}

/// The state of one log stream.
#[derive(Debug, Default)]
pub(super) struct Source {
    subs: Vec<(String, Assembler)>,
    above: Vec<Above>,
    lines: u64,
    open: bool,
    pub(super) evicted: u64,
}

impl Source {
    /// Reads whole lines; the last may lack its line end.
    pub(super) fn read(&mut self, bytes: &[u8], origin: &Origin, sink: &mut Sink<'_>) {
        let mut at = 0;
        // Lines before this one are counted.
        let mut counted = 0;
        let mut pieces = Pieces::of(bytes);
        while at < bytes.len() {
            if !self.open {
                let Some(start) = next_hit(&mut pieces, bytes, at) else { break };
                at = start;
            }
            self.lines += count(memchr_iter(b'\n', &bytes[counted..at]).count());
            let end = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
            let piece = pieces.from(at).filter(|piece| *piece < end);
            self.one(bytes, at..end, piece, origin, sink);
            at = end + 1;
            self.lines += 1;
            counted = at.min(bytes.len());
        }
        let rest = bytes.get(counted..).unwrap_or_default();
        let unended = usize::from(!rest.is_empty() && !rest.ends_with(b"\n"));
        self.lines += count(memchr_iter(b'\n', rest).count() + unended);
        self.keep_above(bytes, origin);
    }

    /// Closes what has not grown since `before`.
    pub(super) fn close_before(&mut self, before: Time, sink: &mut Sink<'_>) {
        for (_, assembler) in &mut self.subs {
            if assembler.touched().is_none_or(|touched| touched <= before) {
                assembler.close(sink);
            }
        }
        self.open = self.subs.iter().any(|(_, assembler)| assembler.is_open());
    }

    /// Closes everything.
    pub(super) fn close(&mut self, sink: &mut Sink<'_>) {
        for (_, assembler) in &mut self.subs {
            assembler.close(sink);
        }
        self.open = false;
    }

    /// Whether a frame is open.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// One line of `bytes`, whose number is the lines read before it and one, and the first piece on it.
    fn one(&mut self, bytes: &[u8], line: Range<usize>, piece: Option<usize>, origin: &Origin, sink: &mut Sink<'_>) {
        let number = self.lines + 1;
        let Range { start, end } = line;
        let raw = &bytes[start..end.min(start + MOST_LINE)];
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        // Bodies are long, and hold whatever people write: they are not searched.
        if !self.open && is_invocation_record(raw) {
            return;
        }
        let phrases = piece.map_or_else(Phrases::default, |piece| Phrases::from(raw, (piece - start).min(raw.len())));
        // A piece of a phrase alone is nothing; colours and the cuts of a container runtime may hide the rest of it.
        if !self.open && phrases.hit == Hit::Nothing && raw.len() < MOST_PLAIN && memchr(ESCAPE, raw).is_none() {
            return;
        }
        let text = std::str::from_utf8(raw).map_or_else(|_| String::from_utf8_lossy(raw), Cow::Borrowed);
        let raw = Raw { bytes, start, number, origin, phrases, length: raw.len() };
        // Lambda separates the lines of one event by carriage returns.
        if memchr(b'\r', text.as_bytes()).is_some() {
            for part in text.split('\r') {
                self.opened(envelope::open(part), &raw, sink);
            }
        } else {
            self.opened(envelope::open(&text), &raw, sink);
        }
        self.open = self.subs.iter().any(|(_, assembler)| assembler.is_open());
    }

    fn opened(&mut self, opened: Opened, raw: &Raw<'_>, sink: &mut Sink<'_>) {
        let Opened { sub, at, stamped, body } = opened;
        let index = self.sub(&sub, sink);
        let line = |text: String, role: Role, phrases: Phrases| Line {
            text,
            role,
            phrases,
            at: raw.origin.at.or(at),
            event: raw.origin.event.clone(),
            number: raw.number,
            stamped,
        };
        let text = match body {
            Body::Foreign => return,
            Body::Record(record) => {
                let line = line(String::new(), Role::Record, Phrases::of(record.text.as_bytes()));
                self.subs[index].1.record(line, record, sink);
                return;
            }
            Body::Piece(piece) => {
                let kept = &mut self.subs[index].1.piece;
                if kept.len() < MOST_LINE {
                    kept.push_str(&piece);
                }
                return;
            }
            Body::Text(text) => text,
        };
        let whole = std::mem::take(&mut self.subs[index].1.piece);
        let text = if whole.is_empty() { text } else { whole + &text };
        let mut take = |part: String, phrases: Phrases| {
            let above = above(&self.above, raw, self.lines, &sub);
            let role = Role::of(&part);
            self.subs[index].1.line(line(part, role, phrases), above, sink);
        };
        if memchr(b'\n', text.as_bytes()).is_some() {
            for part in text.split('\n') {
                take(part.to_owned(), Phrases::of(part.as_bytes()));
            }
        } else {
            let bare = text.len() == raw.length;
            let phrases = if bare { raw.phrases } else { Phrases::of(text.as_bytes()) };
            take(text, phrases);
        }
    }

    /// The assembler of a sub-stream, made if there is none.
    fn sub(&mut self, name: &str, sink: &mut Sink<'_>) -> usize {
        if name.is_empty() && self.subs.first().is_some_and(|(first, _)| first.is_empty()) {
            return 0;
        }
        if let Some(index) = self.subs.iter().position(|(known, _)| known == name) {
            return index;
        }
        if self.subs.len() == MOST_SUBS {
            let oldest = self.subs.iter().enumerate().min_by_key(|(_, (_, assembler))| assembler.framed);
            let index = oldest.map_or(0, |(index, _)| index);
            let (_, mut gone) = self.subs.swap_remove(index);
            self.evicted += u64::from(gone.is_open());
            gone.close(sink);
        }
        self.subs.push((name.to_owned(), Assembler::default()));
        self.subs.len() - 1
    }

    fn keep_above(&mut self, bytes: &[u8], origin: &Origin) {
        let mut end = bytes.len() - usize::from(bytes.ends_with(b"\n"));
        if bytes.is_empty() {
            return;
        }
        let mut number = self.lines;
        let mut kept = Vec::with_capacity(ABOVE);
        loop {
            let start = memrchr(b'\n', &bytes[..end]).map_or(0, |at| at + 1);
            kept.push(Above {
                raw: bytes[start..end.min(start + MOST_ABOVE)].to_vec(),
                origin: origin.clone(),
                number,
            });
            if start == 0 || kept.len() == ABOVE {
                break;
            }
            end = start - 1;
            number -= 1;
        }
        let room = ABOVE - kept.len();
        let drop = self.above.len().saturating_sub(room);
        self.above.drain(..drop);
        kept.reverse();
        self.above.append(&mut kept);
    }
}

/// The start of the line of the next hit at or after `at`, passing over what lies beyond the readable part of a line.
fn next_hit(pieces: &mut Pieces<'_>, bytes: &[u8], at: usize) -> Option<usize> {
    let mut from = at;
    loop {
        let hit = pieces.from(from)?;
        let start = memrchr(b'\n', &bytes[at..hit]).map_or(at, |newline| at + newline + 1);
        if hit - start < MOST_LINE {
            return Some(start);
        }
        from = memchr(b'\n', &bytes[hit..]).map(|newline| hit + newline + 1)?;
    }
}

/// Whether the line is a record of the model invocation log: it is told by AWS, not by a client.
fn is_invocation_record(raw: &[u8]) -> bool {
    static SCHEMA: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"ModelInvocationLog"));
    /// The fields around the bodies; the order of fields differs.
    const NEAR: usize = 2048;
    if raw.first() != Some(&b'{') || !raw.ends_with(b"}") {
        return false;
    }
    let near = SCHEMA.find(&raw[..raw.len().min(NEAR)]).is_some()
        || SCHEMA.find(&raw[raw.len().saturating_sub(NEAR)..]).is_some();
    near && std::str::from_utf8(raw).is_ok_and(|record| {
        let left = bodies::without_bodies(record);
        left.and_then(|left| Flat::parse(&left)).is_some_and(|flat| envelope::is_invocation_record(&flat))
    })
}

/// The lines above `start` that are of this sub-stream, nearest first.
fn above<'a>(kept: &'a [Above], raw: &Raw<'a>, lines: u64, sub: &'a str) -> impl Iterator<Item = Line> + use<'a> {
    let Raw { bytes, origin, .. } = *raw;
    let mut end = raw.start;
    let mut number = lines + 1;
    let here = std::iter::from_fn(move || {
        let line_end = end.checked_sub(1)?;
        let line_start = memrchr(b'\n', &bytes[..line_end]).map_or(0, |at| at + 1);
        end = line_start;
        number = number.saturating_sub(1);
        Some((&bytes[line_start..line_end.min(line_start + MOST_ABOVE)], origin, number))
    });
    let before = kept.iter().rev().map(|above| (above.raw.as_slice(), &above.origin, above.number));
    let raws = here.chain(before).take(ABOVE);
    let opened = raws.map(|(raw, origin, number)| {
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        (envelope::open(&String::from_utf8_lossy(raw)), origin, number)
    });
    let ours = opened.filter(move |(opened, _, _)| opened.sub == sub);
    // A structured record is never the header of what is below it.
    ours.map_while(|(opened, origin, number)| match opened.body {
        Body::Text(text) => Some(Line {
            role: Role::of(&text),
            text,
            phrases: Phrases::default(),
            at: origin.at.or(opened.at),
            event: origin.event.clone(),
            number,
            stamped: opened.stamped,
        }),
        _ => None,
    })
}

fn count(lines: usize) -> u64 {
    u64::try_from(lines).unwrap_or(u64::MAX)
}
