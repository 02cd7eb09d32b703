//! What shippers put around a log line, taken off: container runtimes, Fluent Bit, journald, CloudWatch's own tools,
//! colours. What is left is what the application wrote, with the time and the sub-stream the envelope tells.

use std::borrow::Cow;

use super::{flatten::Flat, line::Role, timestamp};
use crate::model::Time;

/// A line as the application wrote it.
#[derive(Debug)]
pub(super) struct Opened {
    /// What tells streams apart that share a file or a log stream: a container, a pod, a process; empty if nothing.
    pub(super) sub: String,
    /// When the envelope says it was written.
    pub(super) at: Option<Time>,
    /// The time was a bare timestamp before the line.
    pub(super) stamped: bool,
    /// The text, without line end and colours; or a structured record.
    pub(super) body: Body,
}

/// What was in the envelope.
#[derive(Debug)]
pub(super) enum Body {
    /// Text: one line, or several where the shipper joined them.
    Text(String),
    /// A piece of a line that the runtime cut; the next piece follows.
    Piece(String),
    /// A record the application wrote as JSON.
    Record(Flat),
    /// Nothing that a client says: a line of the model invocation log.
    Foreign,
}

/// Keys that only shippers add beside `message`.
const SHIPPED: &[&str] = &[
    "container_id",
    "container_name",
    "ecs_cluster",
    "ecs_task_arn",
    "logStreamName",
    "logStream",
    "log_stream",
    "logGroup",
    "@log_stream",
    "@logStream",
    "ingestionTime",
    "source_type",
    "syslog_identifier",
    "_SYSTEMD_UNIT",
    "pod_name",
];
const SUBS: &[&str] = &[
    "container_id",
    "container_name",
    "pod_name",
    "logStreamName",
    "logStream",
    "log_stream",
    "@logStream",
    "_SYSTEMD_UNIT",
];
const TIMES: &[&str] = &[
    "@timestamp",
    "timestamp",
    "time",
    "ts",
    "date",
    "datetime",
    "asctime",
    "eventTime",
    "@t",
    "_SOURCE_REALTIME_TIMESTAMP",
    "__REALTIME_TIMESTAMP",
];

/// Takes every envelope off `line`.
pub(super) fn open(line: &str) -> Opened {
    let mut opened = Opened { sub: String::new(), at: None, stamped: false, body: Body::Foreign };
    // No envelope begins with a space: stacks are full of such lines.
    if line.starts_with([' ', '\t']) && memchr::memchr(0x1b, line.as_bytes()).is_none() {
        opened.body = Body::Text(line.trim_end_matches(['\n', '\r']).to_owned());
        return opened;
    }
    let plain = without_colours(line);
    unwrap(&plain, &mut opened, 0);
    opened
}

/// The time of a structured record.
pub(super) fn record_time(flat: &Flat) -> Option<Time> {
    TIMES.iter().find_map(|name| flat.field(name).and_then(timestamp::value))
}

fn unwrap(line: &str, opened: &mut Opened, depth: usize) {
    let line = line.trim_end_matches(['\n', '\r']);
    if depth < 4 {
        if let Some(flat) = Flat::parse(line.trim_end()) {
            return unwrap_json(flat, opened, depth);
        }
        if let Some((rest, piece)) = shipped_prefix(line, opened) {
            if piece {
                opened.body = Body::Piece(rest.to_owned());
                return;
            }
            return unwrap(rest, opened, depth + 1);
        }
    }
    opened.body = Body::Text(line.to_owned());
}

fn unwrap_json(flat: Flat, opened: &mut Opened, depth: usize) {
    if is_invocation_record(&flat) {
        return;
    }
    // The flattener has already opened JSON in strings, so a text field here holds text.
    let field = |name: &str| flat.leaves.iter().find(|leaf| leaf.depth == 1 && leaf.is_text && flat.key(leaf) == name);
    let inner = field("log").or_else(|| field("MESSAGE")).or_else(|| {
        let message = field("message").or_else(|| field("msg")).or_else(|| field("@message"))?;
        // One line of a traceback a record: the record is no more than an envelope.
        let fragment = !flat.value(message).trim_end().contains('\n')
            && matches!(Role::of(flat.value(message)), Role::Inside | Role::Traceback | Role::Connector | Role::Cause);
        (fragment || is_shipped(&flat)).then_some(message)
    });
    let Some(inner) = inner else {
        opened.body = Body::Record(flat);
        return;
    };
    opened.at = record_time(&flat).or(opened.at);
    for name in SUBS {
        if let Some(sub) = flat.any(&[name]) {
            opened.sub.push_str(sub);
            opened.sub.push('/');
        }
    }
    if let Some(stream) = flat.field("stream") {
        opened.sub.push_str(stream);
    }
    let text = flat.value(inner);
    // Docker's json-file cuts at 16 KiB and marks a whole line by its line end.
    if flat.leaves.len() <= 3 && flat.field("stream").is_some() && text.len() >= 16 * 1024 && !text.ends_with('\n') {
        opened.body = Body::Piece(text.to_owned());
        return;
    }
    let text = without_colours(text).into_owned();
    unwrap(&text, opened, depth + 1);
}

/// Whether it is a record of the model invocation log.
pub(super) fn is_invocation_record(flat: &Flat) -> bool {
    flat.field("schemaType").is_some_and(|kind| kind.starts_with("ModelInvocationLog"))
}

/// Whether a shipper wrote the record around a message.
fn is_shipped(flat: &Flat) -> bool {
    let mut keys = flat.leaves.iter().map(|leaf| flat.key(leaf));
    keys.any(|key| SHIPPED.iter().any(|name| name.eq_ignore_ascii_case(key))) || flat.has_object("kubernetes")
}

/// CRI, `docker compose logs`, `kubectl logs --prefix`, `aws logs tail`, journald: the rest, and whether it is a piece.
fn shipped_prefix<'a>(line: &'a str, opened: &mut Opened) -> Option<(&'a str, bool)> {
    if let Some(rest) = line.strip_prefix("[pod/") {
        let end = rest.find("] ")?;
        opened.sub.push_str(&rest[..end]);
        return Some((&rest[end + 2..], false));
    }
    if let Some((at, end)) = timestamp::prefix(line) {
        let rest = &line[end..];
        for (mark, piece) in [("stdout F ", false), ("stderr F ", false), ("stdout P ", true), ("stderr P ", true)] {
            if let Some(text) = rest.strip_prefix(mark) {
                opened.at = at.or(opened.at);
                opened.sub.push_str(&mark[..6]);
                return Some((text, piece));
            }
        }
        // `2026-11-22T12:36:01.833000+00:00 ecs/chat/0123 message`: the stream, one space, and the line untouched.
        let stamp = &line[..end];
        if stamp.contains('T') && stamp.contains("+00:00") && stamp.len() >= 26 {
            let named = |stream: &str| stream.contains(['/', '$']) && !stream.contains(':') || stream.len() >= 32;
            if let Some((stream, text)) = rest.split_once(' ').filter(|(stream, _)| named(stream)) {
                opened.at = at.or(opened.at);
                opened.sub.push_str(stream);
                return Some((text, false));
            }
        }
        // `Nov 22 12:36:01 host unit[123]: message`
        if let Some((unit, text)) = rest.split_once("]: ").filter(|_| !line.starts_with('[')) {
            let pid = unit.split_once(' ').and_then(|(_, process)| process.split_once('['));
            if pid.is_some_and(|(name, pid)| !name.contains(' ') && pid.bytes().all(|byte| byte.is_ascii_digit())) {
                opened.at = at.or(opened.at);
                opened.sub.push_str(unit);
                return Some((text, false));
            }
        }
        // A bare timestamp before a line that cannot start a record was put there by a shipper; and so was one before
        // another timestamp or a JSON record.
        let inside =
            matches!(Role::of(rest), Role::Inside | Role::Traceback | Role::Connector | Role::Cause | Role::Class);
        let padded_level =
            rest.trim_start().split([' ', ':']).next().is_some_and(|word| super::line::Level::parse(word).is_some());
        if (inside && !padded_level) || rest.starts_with('{') || timestamp::prefix(rest).is_some() {
            opened.at = at.or(opened.at);
            opened.stamped = true;
            return Some((rest, false));
        }
        return None;
    }
    // `web-1  | message`, `0|web  | message`
    let bar = memchr::memchr(b'|', &line.as_bytes()[..line.len().min(80)])?;
    let bar = if line[bar + 1..].starts_with(|c: char| c.is_ascii_alphanumeric()) {
        // pm2's own bar: `0|web  | message`
        bar + 1 + memchr::memchr(b'|', &line.as_bytes()[bar + 1..line.len().min(80).max(bar + 1)])?
    } else {
        bar
    };
    let (name, text) = (line[..bar].strip_suffix(' ')?, &line[bar + 1..]);
    let text = text.strip_prefix(' ').unwrap_or(text);
    let name = name.trim_end();
    let named = !name.is_empty()
        && name.len() <= 64
        && !name.starts_with(' ')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'|'))
        && super::line::Level::parse(name).is_none()
        && name.bytes().any(|byte| byte.is_ascii_digit() || byte == b'-');
    named.then(|| {
        opened.sub.push_str(name);
        (text, false)
    })
}

fn without_colours(text: &str) -> Cow<'_, str> {
    if memchr::memchr(0x1b, text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(sequence) = rest.strip_prefix('[') {
            let end = sequence.find(|c: char| ('@'..='~').contains(&c)).map_or(sequence.len(), |end| end + 1);
            rest = &sequence[end..];
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}
