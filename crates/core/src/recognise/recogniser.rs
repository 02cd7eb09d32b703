//! The recogniser itself: streams, caps and time.

use std::{collections::HashMap, sync::Arc};

use chrono::Duration;

use super::{
    LogEvent, Recognised, Settings,
    assembler::Sink,
    source::{MOST_LINE, Origin, Source},
};
use crate::model::Time;

#[derive(Debug)]
struct Stream {
    name: Arc<str>,
    source: Source,
    /// The start of a line whose end has not come.
    partial: Vec<u8>,
    /// What is beyond the readable part of a line is being passed over.
    passing: bool,
    used: u64,
}

/// Finds client failures in any number of interleaved log streams.
#[derive(Debug)]
pub struct Recogniser {
    settings: Settings,
    streams: HashMap<Arc<str>, Stream>,
    clock: u64,
    evicted: u64,
}

impl Recogniser {
    /// A recogniser that has read nothing.
    pub fn new(settings: Settings) -> Self {
        Self { settings, streams: HashMap::new(), clock: 0, evicted: 0 }
    }

    /// Reads one event: a line, or several. Failures that are complete by now are added to `out`.
    pub fn push(&mut self, event: &LogEvent<'_>, out: &mut Vec<Recognised>) {
        let assume = self.settings.assume_bedrock;
        let origin = Origin { event: event.event_id.into(), at: event.at };
        let stream = self.stream(event.stream, out);
        // An event is a line, even if nothing is on it.
        let message = if event.message.is_empty() { b"\n" } else { event.message };
        stream.source.read(message, &origin, &mut Sink { assume, stream: &stream.name, out });
    }

    /// Reads a piece of a stream that is cut anywhere, also inside a line.
    pub fn push_chunk(&mut self, stream: &str, chunk: &[u8], out: &mut Vec<Recognised>) {
        let assume = self.settings.assume_bedrock;
        let origin = Origin { event: "".into(), at: None };
        let stream = self.stream(stream, out);
        stream.chunk(chunk, &origin, assume, out);
    }

    /// Closes every frame to which nothing was added since [`Settings::idle`] before `now`.
    pub fn close_idle(&mut self, now: Time, out: &mut Vec<Recognised>) {
        let before = now - self.settings.idle;
        for stream in self.streams.values_mut().filter(|stream| stream.source.is_open()) {
            let mut sink = Sink { assume: self.settings.assume_bedrock, stream: &stream.name, out };
            stream.source.close_before(before, &mut sink);
        }
    }

    /// Closes every frame: nothing more will come.
    pub fn finish(&mut self, out: &mut Vec<Recognised>) {
        let assume = self.settings.assume_bedrock;
        let origin = Origin { event: "".into(), at: None };
        for stream in self.streams.values_mut() {
            stream.end(&origin, assume, out);
        }
        self.streams.clear();
    }

    /// Frames given up because too many streams were open at once.
    pub fn evicted(&self) -> u64 {
        self.evicted + self.streams.values().map(|stream| stream.source.evicted).sum::<u64>()
    }

    fn stream(&mut self, name: &str, out: &mut Vec<Recognised>) -> &mut Stream {
        self.clock += 1;
        if !self.streams.contains_key(name) && self.streams.len() >= self.settings.streams.max(1) {
            self.evict(out);
        }
        let name: Arc<str> = name.into();
        let stream = self.streams.entry(name.clone()).or_insert_with(|| Stream {
            name,
            source: Source::default(),
            partial: Vec::new(),
            passing: false,
            used: 0,
        });
        stream.used = self.clock;
        stream
    }

    fn evict(&mut self, out: &mut Vec<Recognised>) {
        let Some(oldest) = self.streams.iter().min_by_key(|(_, stream)| stream.used).map(|(name, _)| name.clone())
        else {
            return;
        };
        if let Some(mut stream) = self.streams.remove(&oldest) {
            self.evicted += u64::from(stream.source.is_open()) + stream.source.evicted;
            let mut sink = Sink { assume: self.settings.assume_bedrock, stream: &stream.name, out };
            stream.source.close(&mut sink);
        }
    }
}

impl Stream {
    fn chunk(&mut self, chunk: &[u8], origin: &Origin, assume: bool, out: &mut Vec<Recognised>) {
        let mut chunk = chunk;
        if !self.partial.is_empty() || self.passing {
            let end = memchr::memchr(b'\n', chunk);
            let piece = &chunk[..end.unwrap_or(chunk.len())];
            let room = MOST_LINE.saturating_sub(self.partial.len());
            self.partial.extend_from_slice(&piece[..piece.len().min(room)]);
            let Some(end) = end else { return };
            let mut line = std::mem::take(&mut self.partial);
            line.push(b'\n');
            self.passing = false;
            self.source.read(&line, origin, &mut Sink { assume, stream: &self.name, out });
            line.clear();
            self.partial = line;
            chunk = &chunk[end + 1..];
        }
        let whole = memchr::memrchr(b'\n', chunk).map_or(0, |at| at + 1);
        if whole > 0 {
            self.source.read(&chunk[..whole], origin, &mut Sink { assume, stream: &self.name, out });
        }
        let rest = &chunk[whole..];
        self.partial.extend_from_slice(&rest[..rest.len().min(MOST_LINE)]);
        self.passing = !rest.is_empty();
    }

    fn end(&mut self, origin: &Origin, assume: bool, out: &mut Vec<Recognised>) {
        if !self.partial.is_empty() {
            let line = std::mem::take(&mut self.partial);
            self.source.read(&line, origin, &mut Sink { assume, stream: &self.name, out });
        }
        self.source.close(&mut Sink { assume, stream: &self.name, out });
    }
}

/// The time after which a frame to which nothing is added is complete.
pub(super) fn default_idle() -> Duration {
    Duration::seconds(5)
}
