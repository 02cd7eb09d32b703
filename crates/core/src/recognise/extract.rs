//! The numbers and names around a failure. Each is read at the phrase that announces it, and only in a form that
//! cannot mean anything else: what the text does not say stays absent.

use super::signals::{Found, Signal};
use crate::model::{ModelKey, Operation};

/// The value that follows a key: `key: 'v'`, `key=v`, `"key":"v"`, `key\": \"v`, `key(503)`.
pub(super) fn value(text: &str, end: usize) -> Option<&str> {
    let rest = text.get(end..)?;
    let rest = rest.trim_start_matches(['"', '\'', '\\', '`']);
    let rest = rest.trim_start_matches([' ', '\t']);
    let rest = rest.strip_prefix([':', '=', '(']).or_else(|| rest.strip_prefix("Some("))?;
    let rest = rest.trim_start_matches([' ', '"', '\'', '\\', '`', '>']);
    let end = rest.find([' ', ',', '"', '\'', '\\', '`', ')', '}', ']', ';', '\n', '\t']).unwrap_or(rest.len());
    (end > 0).then(|| &rest[..end])
}

/// What stands before `at` on its line; of a long line the nearest part, so that no line costs more than its length.
pub(super) fn line_before(text: &str, at: usize) -> &str {
    const NEAR: usize = 512;
    let mut start = at.saturating_sub(NEAR);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let near = &text[start..at];
    memchr::memrchr(b'\n', near.as_bytes()).map_or(near, |newline| &near[newline + 1..])
}

fn number(text: &str, end: usize) -> Option<u32> {
    let found = value(text, end).or_else(|| text.get(end..)?.split(|c: char| !c.is_ascii_digit()).next())?;
    let digits = found.len() - found.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    found[..digits].parse().ok()
}

/// The first HTTP statuses the text names, in its order, each once.
pub(super) fn statuses(text: &str, found: &[Found]) -> Vec<u16> {
    let mut statuses: Vec<(usize, u16)> = Vec::new();
    let mut add = |at: usize, status: u16| {
        if (400..600).contains(&status) && !statuses.iter().any(|(_, known)| *known == status) {
            statuses.push((at, status));
        }
    };
    for phrase in found {
        if let Some((at, status)) = status_at(text, phrase) {
            add(at, status);
        }
        // `500 … (Service: BedrockRuntime, Status Code: 503, …)`: a gateway's status in front of the SDK's.
        if phrase.signal == Signal::Service && text[phrase.start..].starts_with('(') {
            let before = line_before(text, phrase.start);
            let line = phrase.start - before.len();
            for (at, word) in super::line::words(before) {
                let colon = text[line + at + word.len()..].starts_with([' ', ':', ',']);
                if let Some(status) = leading_status(word).filter(|_| word.len() == 3 && colon) {
                    add(line + at, status);
                }
            }
        }
    }
    statuses.sort_unstable();
    statuses.into_iter().map(|(_, status)| status).collect()
}

/// Whether a phrase that announces a status has one.
pub(super) fn is_status(text: &str, phrase: &Found) -> bool {
    status_at(text, phrase).is_some()
}

fn status_at(text: &str, phrase: &Found) -> Option<(usize, u16)> {
    if phrase.signal != Signal::Status {
        return None;
    }
    let before = line_before(text, phrase.start);
    // What the model's own server answered to Bedrock is not what Bedrock answered.
    let stem = before.trim_end_matches('_');
    if stem.get(stem.len().saturating_sub(8)..).is_some_and(|stem| stem.eq_ignore_ascii_case("original")) {
        return None;
    }
    // `status: 429,` is an error's property only on a line of an inspected object.
    let bare = text[phrase.start..].starts_with("status: ");
    if bare && (before.is_empty() || !before.trim().is_empty()) {
        return None;
    }
    // `503 Server Error: Service Unavailable for url: …`
    if text[phrase.start..].starts_with(' ') {
        let from = phrase.start.saturating_sub(3);
        return text.get(from..phrase.start).and_then(leading_status).map(|status| (from, status));
    }
    // `RateLimitError: 429 {…}`
    if text[phrase.start..phrase.end].eq_ignore_ascii_case("error: ") {
        let body = text[phrase.end..].get(3..5) == Some(" {");
        return leading_status(&text[phrase.end..]).filter(|_| body).map(|status| (phrase.start, status));
    }
    let after = text[phrase.end..].trim_start_matches([':', '=', '"', '\'', '\\', ' ', '(', '`']);
    leading_status(after).map(|status| (phrase.start, status))
}

fn leading_status(text: &str) -> Option<u16> {
    let digits = text.get(..3)?.parse::<u16>().ok()?;
    let whole = !text[3..].starts_with(|c: char| c.is_ascii_digit());
    (whole && (400..600).contains(&digits)).then_some(digits)
}

/// Bedrock's request id: one that AWS's own names announce, never an application's.
pub(super) fn request_id(text: &str, found: &[Found]) -> Option<String> {
    let ids = found.iter().filter(|phrase| phrase.signal == Signal::RequestId).filter_map(|phrase| {
        let id = value(text, phrase.end)?;
        let uuid = id.len() == 36
            && id.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
        if !uuid {
            return None;
        }
        let name = &text[phrase.start..phrase.end];
        let before = &text[..phrase.start];
        let path = line_before(text, phrase.start);
        let rank = if before.ends_with("x-amzn-") || name.starts_with("x-amzn") {
            0
        } else if in_metadata(path, name) {
            1
        } else if before.ends_with("aws_") && text[phrase.end..].starts_with(['"', '\\']) {
            // Rust's ErrorMetadata; a field of the record itself would be Lambda's own id.
            1
        } else {
            let of_lambda = path.ends_with("START ") || path.ends_with("END ") || path.ends_with("REPORT ");
            let of_sdk = matches!(name, "RequestID" | "Request ID" | "RequestId" | "request ID") && !of_lambda;
            let owner = path.trim_end_matches('_');
            if !of_sdk && !owner.ends_with("bedrock") && !owner.ends_with("amzn") {
                return None;
            }
            2
        };
        Some((rank, id))
    });
    // Where attempts are listed the last is the one that failed the call.
    ids.fold(None, |best: Option<(u8, &str)>, id| match best {
        Some((rank, _)) if rank < id.0 => best,
        _ => Some(id),
    })
    .map(|(_, id)| id.to_owned())
}

/// Whether the name stands in Node's `$metadata`: as a path, in JSON within a line, or on a line of an inspected object.
fn in_metadata(path: &str, name: &str) -> bool {
    let beside = path.rfind("$metadata").is_some_and(|at| !path[at..].contains('}'));
    let indented = !path.is_empty() && path.trim_matches([' ', '"', '\'', '\\']).is_empty();
    name == "requestId" && (beside || indented)
}

/// The model called.
pub(super) fn model(text: &str, found: &[Found]) -> Option<ModelKey> {
    let by = |signal: Signal| found.iter().filter(move |phrase| phrase.signal == signal);
    let path = by(Signal::ModelPath).find_map(|phrase| model_path(&text[phrase.end..])).map(percent_decoded);
    let field = || {
        by(Signal::ModelField).find_map(|phrase| {
            let id = value(text, phrase.end).map(percent_decoded)?;
            (looks_like_model(&id)).then_some(id)
        })
    };
    let arn = || {
        by(Signal::ModelArn).find_map(|phrase| {
            let arn = text[phrase.start..].split(['"', '\'', ' ', ',', '\\', ')', '}', '\n']).next()?;
            let model = arn.contains(":bedrock:") && (arn.contains("model/") || arn.contains("inference-profile/"));
            model.then(|| arn.to_owned())
        })
    };
    path.or_else(field).or_else(arn).map(|id| ModelKey::parse(&id))
}

/// `ID/converse` and the like, what stands behind `/model/`: the id.
pub(super) fn model_path(rest: &str) -> Option<&str> {
    let (id, operation) = rest.get(..rest.len().min(640)).unwrap_or(rest).split_once('/')?;
    let known = operation.starts_with("converse") || operation.starts_with("invoke");
    (known && !id.is_empty() && !id.contains([' ', '\n'])).then_some(id)
}

fn looks_like_model(id: &str) -> bool {
    const VENDORS: &[&str] = &[
        "anthropic",
        "amazon",
        "meta",
        "mistral",
        "cohere",
        "ai21",
        "deepseek",
        "stability",
        "qwen",
        "openai",
        "writer",
        "luma",
        "twelvelabs",
        "minimax",
        "moonshot",
        "moonshotai",
        "nvidia",
        "google",
        "zai",
    ];
    if id.starts_with("arn:aws") {
        return id.contains(":bedrock:");
    }
    let mut parts = id.split('.');
    let first = parts.next().unwrap_or_default();
    let vendor = |part: &str| VENDORS.contains(&part);
    vendor(first) && parts.next().is_some() || parts.next().is_some_and(vendor)
}

fn percent_decoded(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        decoded.push_str(&rest[..at]);
        match rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if byte.is_ascii_graphic() => {
                decoded.push(char::from(byte));
                rest = &rest[at + 3..];
            }
            _ => {
                decoded.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

/// The operation called.
pub(super) fn operation(text: &str, found: &[Found]) -> Option<Operation> {
    found.iter().find_map(|phrase| match phrase.signal {
        Signal::Service => {
            let rest = &text[phrase.end..];
            let rest = rest.strip_prefix("Bedrock Runtime: ").unwrap_or(rest);
            Operation::parse(rest.split(|c: char| !c.is_ascii_alphanumeric()).next()?)
        }
        Signal::ModelPath => {
            let (_, rest) = text[phrase.end..].split_once('/')?;
            named(rest.split(|c: char| !c.is_ascii_alphabetic() && c != '-').next()?)
        }
        Signal::OperationField => {
            let rest = text[..phrase.end].trim_end_matches([':', ' ']).len();
            named(value(text, rest)?)
        }
        _ => None,
    })
}

fn named(name: &str) -> Option<Operation> {
    let letters: String = name.chars().filter(char::is_ascii_alphabetic).collect();
    let known = |operation: &Operation| operation.as_str().eq_ignore_ascii_case(&letters);
    Operation::ALL.into_iter().find(known).or_else(|| match letters.to_ascii_lowercase().as_str() {
        "invoke" => Some(Operation::InvokeModel),
        "conversecommand" => Some(Operation::Converse),
        "conversestreamcommand" => Some(Operation::ConverseStream),
        "invokemodelcommand" => Some(Operation::InvokeModel),
        "invokemodelwithresponsestreamcommand" => Some(Operation::InvokeModelWithResponseStream),
        _ => None,
    })
}

/// Attempts made, as the text itself counts them.
pub(super) fn attempts(text: &str, found: &[Found]) -> Option<u32> {
    found.iter().find_map(|phrase| match phrase.signal {
        Signal::Retries => number(text, phrase.end).map(|retries| retries.saturating_add(1)),
        Signal::Attempts => {
            let before = text[..phrase.start].chars().next_back();
            let whole = !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
            let direct = text[..phrase.end].ends_with([' ']);
            number(text, phrase.end)
                .filter(|count| whole && *count > 0 && (direct || value(text, phrase.end).is_some()))
        }
        _ => None,
    })
}

/// Input tokens, where the application logs them.
pub(super) fn input_tokens(text: &str, found: &[Found]) -> Option<u64> {
    let mut fields = found.iter().filter(|phrase| phrase.signal == Signal::InputTokens);
    fields.find_map(|phrase| value(text, phrase.end)?.parse().ok())
}

/// The application's own id: requestMetadata, or a field named for such an id.
pub(super) fn own_id(text: &str, found: &[Found]) -> Option<String> {
    let mut fields = found.iter().filter(|phrase| phrase.signal == Signal::OwnId);
    fields.find_map(|phrase| {
        let rest = text[phrase.end..].trim_start_matches(['"', '\'', '\\']);
        // A flattened object: `requestMetadata.key: value`.
        let id = if let Some(path) = rest.strip_prefix('.') {
            let (key, _) = path.split_once(": ")?;
            let start = phrase.end + 1 + key.len();
            (!key.contains([' ', '\n'])).then(|| value(text, start)).flatten()?
        } else {
            let direct = value(text, phrase.end)?;
            match direct.strip_prefix('{') {
                None => direct,
                Some(_) => {
                    let open = phrase.end + text[phrase.end..].find('{')?;
                    let colon = open + text[open..].find(':')?;
                    value(text, colon)?
                }
            }
        };
        (id.len() >= 4 && id.len() <= 256 && id != "None" && id != "null").then(|| id.to_owned())
    })
}

/// Seconds from the call to its failure, as a record's own line or fields give them.
pub(super) fn elapsed(text: &str, found: &[Found], header: usize) -> Option<f64> {
    found.iter().filter(|phrase| phrase.signal == Signal::Elapsed && phrase.start < header).find_map(|phrase| {
        let before = line_before(text, phrase.start).to_ascii_lowercase();
        // What a setting allows is not what a call took.
        if ["timeout", "timed out", "retry", "delay", "exceeded"].iter().any(|word| before.contains(word)) {
            return None;
        }
        let rest = &text[phrase.end..];
        let unit_in_key: &str = rest.split(|c: char| !c.is_ascii_alphabetic() && c != '_').next().unwrap_or_default();
        let rest = &rest[unit_in_key.len()..];
        let rest = rest.trim_start_matches(['"', '\'', ':', '=', ' ', '\\']);
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].trim_end_matches('.').parse().ok()?;
        let unit = rest[digits..].trim_start().split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
        let key = unit_in_key.to_ascii_lowercase();
        let scale = match unit {
            "ms" | "millis" | "milliseconds" => 1e-3,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            _ if key.ends_with("ms") || key.ends_with("millis") => 1e-3,
            _ if key.ends_with("_s") || key.ends_with("sec") || key.ends_with("seconds") => 1.0,
            _ => return None,
        };
        Some(number * scale)
    })
}
