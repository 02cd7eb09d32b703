//! What part of a log record one line is: its start, its continuation, or neither for sure.

use super::timestamp;

/// How serious the log says a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    /// The level of this name, whatever its case; or pino's and bunyan's number for it.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        if let Ok(number) = name.parse::<u32>() {
            return match number {
                10 => Some(Self::Trace),
                20 => Some(Self::Debug),
                30 => Some(Self::Info),
                40 => Some(Self::Warn),
                50 | 60 => Some(Self::Error),
                _ => None,
            };
        }
        let is = |names: &[&str]| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        if is(&["error", "err", "fatal", "critical", "crit", "severe", "panic", "fail", "alert", "emergency", "emerg"])
        {
            Some(Self::Error)
        } else if is(&["warn", "warning", "wrn"]) {
            Some(Self::Warn)
        } else if is(&["info", "information", "inf", "notice", "success"]) {
            Some(Self::Info)
        } else if is(&["debug", "dbg", "dbug", "fine"]) {
            Some(Self::Debug)
        } else if is(&["trace", "trce", "finer", "finest", "verbose"]) {
            Some(Self::Trace)
        } else {
            None
        }
    }

    /// The level that the head of a plain log line names, if it names one: `ERROR`, `[error]`, `level=error`, `E, [`.
    pub(super) fn of_header(text: &str) -> Option<Self> {
        let mut end = text.len().min(160);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let head = &text[..end];
        for (start, word) in words(head) {
            if !(3..=11).contains(&word.len()) || !word.bytes().next().is_some_and(|first| INITIALS[usize::from(first)])
            {
                continue;
            }
            let upper = word.bytes().all(|byte| byte.is_ascii_uppercase());
            let before = head[..start].chars().next_back();
            let after = head[start + word.len()..].chars().next();
            // Lower case is a word of the message unless it is marked as a level; at the very start a colon marks it.
            let marked = matches!((before, after), (Some('['), Some(']')) | (Some('='), _) | (Some('('), Some(')')))
                || (start == 0 && after == Some(':'))
                || (before == Some('|') || after == Some('|'));
            let letters = word.bytes().all(|byte| byte.is_ascii_alphabetic());
            let level = (letters && (marked || upper && word.len() > 2)).then(|| Self::parse(word)).flatten();
            if level.is_some() {
                return level;
            }
        }
        // Ruby's Logger and klog begin with one letter.
        let bytes = head.as_bytes();
        if bytes.len() > 5 && (bytes[1..].starts_with(b", [") || bytes[1..5].iter().all(u8::is_ascii_digit)) {
            return match bytes[0] {
                b'E' | b'F' => Some(Self::Error),
                b'W' => Some(Self::Warn),
                b'I' => Some(Self::Info),
                b'D' => Some(Self::Debug),
                _ => None,
            };
        }
        None
    }
}

/// The letters that names of levels begin with.
static INITIALS: [bool; 256] = {
    let mut initials = [false; 256];
    let letters = b"aAcCdDeEfFiInNpPsStTvVwW";
    let mut at = 0;
    while at < letters.len() {
        initials[letters[at] as usize] = true;
        at += 1;
    }
    initials
};

/// Words of letters, digits and underscores, with where they start.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let bytes = text.as_bytes();
    let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + bytes[at..].iter().position(in_word)?;
        at = bytes[start..].iter().position(|byte| !in_word(byte)).map_or(bytes.len(), |length| start + length);
        Some((start, &text[start..at]))
    })
}

/// The part a line plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing on it.
    Blank,
    /// It belongs to what is above it: indented, drawn in a box, `... 12 more`, a closing brace.
    Inside,
    /// `Traceback (most recent call last):` by itself.
    Traceback,
    /// `During handling of the above exception, another exception occurred:` and its like.
    Connector,
    /// `Caused by: …`, ` ---> …`.
    Cause,
    /// An exception's class, by itself or with its message: `botocore.exceptions.ClientError: …`.
    Class,
    /// The start of a record, for sure: a timestamp, a level.
    Record,
    /// Anything else.
    Other,
}

impl Role {
    /// The role of a line that was stripped of envelopes, colours and line ends.
    pub(super) fn of(text: &str) -> Self {
        let Some(first) = text.bytes().next() else { return Self::Blank };
        let trimmed = text.trim_start();
        if trimmed.is_empty() {
            return Self::Blank;
        }
        if first == b'T' && text.starts_with("Traceback (most recent call last)") {
            return Self::Traceback;
        }
        // Box-drawing characters are the only ones beyond ASCII that stack traces begin with.
        let drawn = first == b'|' || (first == 0xe2 && text.starts_with(['│', '╭', '╰', '└', '├', '❱']));
        if first == b' ' || first == b'\t' || drawn || text.starts_with("> File ") {
            // Group tracebacks are drawn with bars, and hold whole tracebacks.
            return if trimmed.starts_with("Caused by: ") || trimmed.starts_with("---> ") {
                Self::Cause
            } else {
                Self::Inside
            };
        }
        if matches!(first, b'}' | b']' | b')') || is_stack_line(text) {
            return Self::Inside;
        }
        if text.starts_with("During handling of the above exception")
            || text.starts_with("The above exception was the direct cause")
        {
            return Self::Connector;
        }
        if ["Caused by:", "caused by:", "Suppressed:", "---> ", "--- End of", "[cause]"]
            .iter()
            .any(|mark| text.starts_with(mark))
        {
            return Self::Cause;
        }
        if is_record(text) {
            return Self::Record;
        }
        if is_class(text) { Self::Class } else { Self::Other }
    }
}

/// `... 12 more`, `at …`, PHP's `#3 /srv/…`, Laravel's sections.
fn is_stack_line(text: &str) -> bool {
    let numbered = || text.strip_prefix('#').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    ["... ", "at ", "[stacktrace]", "[previous exception]", "Stack trace:"].iter().any(|mark| text.starts_with(mark))
        || numbered()
}

fn is_record(text: &str) -> bool {
    if timestamp::prefix(text).is_some() {
        return true;
    }
    let word_end = text.bytes().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(text.len());
    let (word, rest) = text.split_at(word_end);
    if word.len() > 2 && Level::parse(word).is_some() {
        let upper = word.bytes().all(|byte| byte.is_ascii_uppercase());
        if upper && rest.starts_with([' ', ':', '\t', ']', '-']) || rest.starts_with(": ") && word.len() <= 5 {
            return true;
        }
    }
    if let Some(inner) = text.strip_prefix('[') {
        let end = inner.find([']', ' ']).unwrap_or(inner.len());
        if Level::parse(&inner[..end]).is_some() || timestamp::prefix(inner).is_some() {
            return true;
        }
    }
    // RFC 5424: `<11>1 2026-11-22T12:36:01Z host …`
    let priority = text.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    if priority
        .is_some_and(|(number, _)| (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return true;
    }
    let bytes = text.as_bytes();
    let klog = bytes.len() > 5 && matches!(bytes[0], b'I' | b'W' | b'E' | b'F' | b'D');
    (klog && (bytes[1..].starts_with(b", [") || bytes[1..5].iter().all(u8::is_ascii_digit)))
        || ["level=", "time=", "ts=", "START RequestId", "END RequestId", "REPORT RequestId", "INIT_START", "PHP "]
            .iter()
            .any(|mark| text.starts_with(mark))
}

/// `a.b.C: …`, `a.b.C`, `SomeError: …`, `Error [Code]: …`: dotted names, or names that end as exceptions' names do.
fn is_class(text: &str) -> bool {
    let end = text
        .bytes()
        .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b'\\')))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let last = name.rsplit(['.', '\\', '$']).next().unwrap_or(name);
    if !(rest.is_empty() || rest.starts_with(':') || rest.starts_with(" ["))
        || !last.starts_with(|c: char| c.is_ascii_uppercase())
    {
        return false;
    }
    let dotted = name.len() > last.len() + 1;
    dotted
        || [
            "Error",
            "Exception",
            "Timeout",
            "Disconnected",
            "Read",
            "Mismatch",
            "Closed",
            "Group",
            "Interrupt",
            "Exit",
            "Refused",
        ]
        .iter()
        .any(|suffix| last.ends_with(suffix))
}
