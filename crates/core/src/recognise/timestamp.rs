//! The usual ways logs write a moment.
//!
//! A time without a zone is read as UTC, as log pipelines do; a date without a year names no moment and is only
//! recognised as a prefix.

use chrono::{DateTime, FixedOffset, NaiveDate, TimeZone, Utc};

use crate::model::Time;

/// A timestamp at the start of `text`: the moment, if it names one, and where the rest begins (the space after it and
/// a closing bracket or quote are the timestamp's).
pub(super) fn prefix(text: &str) -> Option<(Option<Time>, usize)> {
    let bytes = text.as_bytes();
    let open = usize::from(matches!(bytes.first(), Some(b'[' | b'"' | b'(')));
    let mut reader = Reader { bytes, at: open };
    let first = *bytes.get(open)?;
    let time = if first.is_ascii_digit() {
        reader.date_time().or_else(|| {
            reader.at = open;
            reader.clock().map(|_| None)
        })?
    } else if first.is_ascii_uppercase() {
        reader.syslog()?;
        None
    } else {
        return None;
    };
    let mut end = reader.at;
    if open == 1 && matches!(bytes.get(end), Some(b']' | b'"' | b')')) {
        end += 1;
    }
    // A number that merely begins like a date is not one.
    match bytes.get(end) {
        None => Some((time, end)),
        Some(b' ' | b'\t') => Some((time, end + 1)),
        Some(b']' | b'|' | b',' | b';' | b':' | b'-') => Some((time, end)),
        Some(_) => None,
    }
}

/// The moment that the head of a log line names, wherever its layout puts it.
pub(super) fn in_header(text: &str) -> Option<Time> {
    let mut end = text.len().min(120);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let head = &text[..end];
    let starts = head.char_indices().filter(|(at, c)| {
        c.is_ascii_digit()
            && !head[..*at]
                .ends_with(|before: char| before.is_ascii_alphanumeric() || matches!(before, '.' | '-' | ':'))
    });
    // Something in the message may be a date too: the log's own comes first.
    starts.take(4).find_map(|(at, _)| Reader { bytes: text.as_bytes(), at }.date_time()?)
}

/// The moment a value of a log field names: ISO 8601 or the like, or an epoch in seconds to nanoseconds.
pub(super) fn value(text: &str) -> Option<Time> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return epoch(number);
    }
    prefix(text)?.0
}

fn epoch(number: f64) -> Option<Time> {
    // 2001 to 2286 in each unit; nothing else is an epoch.
    let seconds = [1.0, 1e3, 1e6, 1e9].into_iter().map(|unit| number / unit).find(|s| (1e9..1e10).contains(s))?;
    #[allow(clippy::cast_possible_truncation)] // in range by the line above
    let milliseconds = (seconds * 1e3).round() as i64;
    Utc.timestamp_millis_opt(milliseconds).single()
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn number(&mut self, digits: usize) -> Option<u32> {
        let field = self.bytes.get(self.at..self.at + digits)?;
        let mut value = 0;
        for byte in field {
            value = value * 10 + u32::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        }
        self.at += digits;
        Some(value)
    }

    fn byte(&mut self, allowed: &[u8]) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        allowed.contains(&byte).then(|| self.at += 1)?;
        Some(byte)
    }

    /// `HH:MM:SS`, with a fraction of any length.
    fn clock(&mut self) -> Option<(u32, u32, u32, u32)> {
        let hour = self.number(2)?;
        self.byte(b":")?;
        let minute = self.number(2)?;
        self.byte(b":")?;
        let second = self.number(2)?;
        let mut nanos = 0;
        if matches!(self.bytes.get(self.at), Some(b'.' | b','))
            && self.bytes.get(self.at + 1).is_some_and(u8::is_ascii_digit)
        {
            self.at += 1;
            let mut scale = 100_000_000;
            while let Some(byte) = self.bytes.get(self.at).filter(|byte| byte.is_ascii_digit()) {
                nanos += u32::from(byte - b'0') * scale;
                scale /= 10;
                self.at += 1;
            }
        }
        (hour < 24 && minute < 60 && second < 61).then_some((hour, minute, second.min(59), nanos))
    }

    fn date_time(&mut self) -> Option<Option<Time>> {
        let start = self.at;
        let date = self.iso_date().or_else(|| {
            self.at = start;
            self.clf_date()
        })?;
        self.byte(b"T :_")?;
        let (hour, minute, second, nanos) = self.clock()?;
        let offset = self.offset();
        let local = date.and_hms_nano_opt(hour, minute, second, nanos)?;
        Some(offset.from_local_datetime(&local).single().map(|time: DateTime<FixedOffset>| time.with_timezone(&Utc)))
    }

    fn iso_date(&mut self) -> Option<NaiveDate> {
        let year = self.number(4)?;
        let separator = self.byte(b"-/")?;
        let month = self.number(2)?;
        self.byte(&[separator])?;
        let day = self.number(2)?;
        NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
    }

    /// `22/Nov/2026` and `22 Nov 2026`.
    fn clf_date(&mut self) -> Option<NaiveDate> {
        let day = self.number(2)?;
        let separator = self.byte(b"/ -")?;
        let month = self.month()?;
        self.byte(&[separator])?;
        let year = self.number(4)?;
        NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
    }

    fn month(&mut self) -> Option<u32> {
        const MONTHS: [&[u8]; 12] =
            [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
        let name = self.bytes.get(self.at..self.at + 3)?;
        let month = MONTHS.iter().position(|month| *month == name)?;
        self.at += 3;
        u32::try_from(month + 1).ok()
    }

    /// `Nov 22 12:36:01`: a day and a clock, in no known year.
    fn syslog(&mut self) -> Option<()> {
        self.month()?;
        self.byte(b" ")?;
        if self.byte(b" ").is_some() {
            self.number(1)?
        } else {
            self.number(2)?
        };
        self.byte(b" ")?;
        self.clock().map(|_| ())
    }

    fn offset(&mut self) -> FixedOffset {
        let utc = FixedOffset::east_opt(0);
        let start = self.at;
        let read = (|| {
            if self.byte(b"Z").is_some() {
                return utc;
            }
            if self.bytes.get(self.at) == Some(&b' ') && matches!(self.bytes.get(self.at + 1), Some(b'+')) {
                self.at += 1;
            }
            let sign = self.byte(b"+-")?;
            let hours = i32::try_from(self.number(2)?).ok()?;
            let _ = self.byte(b":");
            let minutes = i32::try_from(self.number(2)?).ok()?;
            let seconds = (hours * 60 + minutes) * 60;
            FixedOffset::east_opt(if sign == b'-' { -seconds } else { seconds })
        })();
        read.unwrap_or_else(|| {
            self.at = start;
            Utc.fix_offset()
        })
    }
}

trait Fix {
    fn fix_offset(&self) -> FixedOffset;
}

impl Fix for Utc {
    fn fix_offset(&self) -> FixedOffset {
        chrono::Offset::fix(self)
    }
}
