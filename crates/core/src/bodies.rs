//! A record of the model invocation log without its bodies, at memory speed.
//!
//! A record is some hundred bytes of fields around bodies of kilobytes: prompts and answers, which nobody may keep and
//! nobody needs. This walks the record once, jumps from quote to quote through the bodies, and copies everything else;
//! a JSON parser then reads what is left. Only a field at its own path is a body or a field: text that looks like one,
//! inside of a body, is never looked at.
//!
//! What is copied is copied as it is, so the parser's rules hold for it (types, duplicates, escapes). What cannot be
//! walked for sure (a key with an escape, an unclosed string) is left to the parser as a whole.

use memchr::memchr2;

/// Bytes the fields of a record usually take.
const USUAL: usize = 1024;
/// Arrays in arrays, and objects in objects, that are walked.
const DEPTH: usize = 16;
/// Keys of a body, or of a chunk of a stream, that hold numbers and not text.
const KEPT: &[&str] =
    &["metrics", "amazon-bedrock-invocationMetrics", "metadata", "type", "messageStart", "messageStop"];

/// `record` without the value of `input.inputBodyJson` (it becomes `null`), and with no more of `output.outputBodyJson`
/// than the keys that hold a call's numbers: `metrics`, `amazon-bedrock-invocationMetrics`, `metadata`, and the marks
/// by which a stream's first and last chunk are known. `None` if it is not walked: parse the record itself then.
pub fn without_bodies(record: &str) -> Option<String> {
    let mut walk = Walk { bytes: record.as_bytes(), text: record, at: 0, copied: 0, out: String::with_capacity(USUAL) };
    walk.space();
    walk.object(Level::Record)?;
    walk.space();
    if walk.at < walk.bytes.len() {
        return None;
    }
    walk.copy(walk.at);
    Some(walk.out)
}

/// Whose fields an object holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Record,
    Input,
    Output,
}

struct Walk<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Everything before this is copied, or left out.
    copied: usize,
    out: String,
}

impl Walk<'_> {
    fn copy(&mut self, until: usize) {
        self.out.push_str(&self.text[self.copied..until]);
        self.copied = until;
    }

    /// Puts `instead` in place of everything since the last copy.
    fn put(&mut self, instead: &str) {
        self.out.push_str(instead);
        self.copied = self.at;
    }

    fn space(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.bytes.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    /// Passes over a string.
    fn string(&mut self) -> Option<()> {
        self.take(b'"')?;
        loop {
            // Most strings are keys and short words.
            let near = self.bytes[self.at..].iter().take(12).position(|byte| matches!(byte, b'"' | b'\\'));
            self.at += match near {
                Some(near) => near,
                None => memchr2(b'"', b'\\', &self.bytes[self.at..])?,
            };
            if self.bytes[self.at] == b'"' {
                self.at += 1;
                return Some(());
            }
            self.at = (self.at + 2).min(self.bytes.len());
        }
    }

    /// Passes over a key and its colon, and gives the key; not one that is spelled with escapes.
    fn key(&mut self) -> Option<&[u8]> {
        let start = self.at + 1;
        self.string()?;
        let end = self.at - 1;
        self.space();
        self.take(b':')?;
        self.space();
        let key = &self.bytes[start..end];
        (!key.contains(&b'\\')).then_some(key)
    }

    /// Passes over any value.
    fn value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.bytes.get(self.at)? {
                b'"' => self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                _ => {
                    // A number or a word. The parser does not see it, so that it need not be a right one.
                    let scalar = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
                    let length = self.bytes[self.at..].iter().take_while(|byte| scalar(byte)).count();
                    self.at += length;
                    if length == 0 {
                        return None;
                    }
                }
            }
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Walks an object whose fields are copied, except for the bodies.
    fn object(&mut self, level: Level) -> Option<()> {
        self.members(|walk, key| {
            let object = walk.bytes.get(walk.at) == Some(&b'{');
            match (level, key) {
                (Level::Record, Key::Input) if object => walk.object(Level::Input),
                (Level::Record, Key::Output) if object => walk.object(Level::Output),
                (Level::Input, Key::InputBody) => {
                    walk.copy(walk.at);
                    walk.value()?;
                    walk.put("null");
                    Some(())
                }
                (Level::Output, Key::OutputBody) => {
                    walk.copy(walk.at);
                    walk.body(0, false)
                }
                _ => walk.value(),
            }
        })
    }

    fn members(&mut self, mut each: impl FnMut(&mut Self, Key) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        self.space();
        if self.take(b'}').is_some() {
            return Some(());
        }
        loop {
            let key = Key::of(self.key()?);
            each(self, key)?;
            self.space();
            if self.take(b'}').is_some() {
                return Some(());
            }
            self.take(b',')?;
            self.space();
        }
    }

    /// Walks a body, or a chunk of a stream, and copies what is kept of it.
    fn body(&mut self, depth: usize, chunk: bool) -> Option<()> {
        if depth == DEPTH {
            return None;
        }
        match self.bytes.get(self.at)? {
            b'{' => {
                self.out.push('{');
                let mut first = true;
                self.members(|walk, key| {
                    let start = walk.at;
                    walk.value()?;
                    let Key::Kept(kept) = key else { return Some(()) };
                    let value = &walk.text[start..walk.at];
                    if kept == "type" && !(chunk && value.starts_with("\"message_")) {
                        return Some(());
                    }
                    walk.out.push_str(if first { "\"" } else { ",\"" });
                    first = false;
                    walk.out.push_str(kept);
                    walk.out.push_str("\":");
                    walk.out.push_str(value);
                    Some(())
                })?;
                self.put("}");
                Some(())
            }
            b'[' => {
                self.at += 1;
                self.out.push('[');
                self.space();
                if self.take(b']').is_none() {
                    loop {
                        self.body(depth + 1, true)?;
                        self.space();
                        if self.take(b']').is_some() {
                            break;
                        }
                        self.take(b',')?;
                        self.out.push(',');
                        self.space();
                    }
                }
                self.put("]");
                Some(())
            }
            _ => {
                self.value()?;
                self.put("null");
                Some(())
            }
        }
    }
}

/// A key, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Input,
    Output,
    InputBody,
    OutputBody,
    Kept(&'static str),
    Other,
}

impl Key {
    fn of(key: &[u8]) -> Self {
        match key {
            b"input" => Self::Input,
            b"output" => Self::Output,
            b"inputBodyJson" => Self::InputBody,
            b"outputBodyJson" => Self::OutputBody,
            _ => KEPT.iter().find(|kept| kept.as_bytes() == key).map_or(Self::Other, |kept| Self::Kept(kept)),
        }
    }
}

#[cfg(test)]
mod tests;
