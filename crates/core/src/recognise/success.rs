//! Request ids of calls that ended well, from the lines that applications log for them. With them the matcher knows
//! which records are no failure's.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::{
    extract,
    literals::{Hit, Phrases},
};

/// Request ids have this form.
const UUID_LENGTH: usize = 36;
/// More than any line about one call has; what is longer is something else.
const LONGEST: usize = 64 * 1024;

static KEYS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| search(&["request_id", "requestid", "request-id", "request id"]));

/// A line with one of these is not sure to tell of a call that ended well.
static DOUBTS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    search(&["error", "fail", "exception", "timeout", "timed out", "retry", "warn", "denied", "throttl", "abort"])
});

static STATUS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| search(&["status_code", "statuscode", "status"]));

fn search(words: &[&str]) -> Option<AhoCorasick> {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(aho_corasick::MatchKind::LeftmostLongest)
        .kind(Some(AhoCorasickKind::DFA))
        .build(words)
        .ok()
}

/// The CloudWatch filter pattern that lines with a request id match.
pub const fn success_filter_pattern() -> &'static str {
    "?request_id ?requestId ?RequestId ?requestid ?aws_request_id ?awsRequestId ?bedrock_request_id ?\"request-id\" \
     ?\"Request ID\" ?\"x-amzn-RequestId\" ?\"x-amzn-requestid\" ?\"X-Amzn-Requestid\""
}

/// The request id on the line of a call that ended well; `None` where the line names none, several, or anything that a
/// failure's line may have.
///
/// ```
/// # use faultline_core::recognise::success_request_id;
/// let line = br#"{"level":"info","msg":"answered","request_id":"7f1c2a7e-0000-4000-8000-0123456789ab","ms":1200}"#;
/// assert_eq!(success_request_id(line).as_deref(), Some("7f1c2a7e-0000-4000-8000-0123456789ab"));
/// ```
pub fn success_request_id(message: &[u8]) -> Option<String> {
    if message.len() > LONGEST {
        return None;
    }
    let text = std::str::from_utf8(message).ok()?;
    let mut ids = KEYS.as_ref()?.find_iter(text).filter_map(|key| extract::value(text, key.end()));
    let id = ids.find(|id| is_request_id(id))?;
    // A line that names two calls does not say which of them ended well.
    if ids.any(|other| is_request_id(other) && other != id) {
        return None;
    }
    // Lambda prints its own request ids.
    if ["START ", "END ", "REPORT "].iter().any(|prefix| text.starts_with(prefix)) {
        return None;
    }
    if Phrases::of(text.as_bytes()).hit > Hit::Nothing || DOUBTS.as_ref()?.is_match(text) || has_bad_status(text) {
        return None;
    }
    Some(id.to_ascii_lowercase())
}

fn is_request_id(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.len() == UUID_LENGTH
        && text.bytes().enumerate().all(|(at, byte)| match byte {
            b'-' => dashes.contains(&at),
            _ => byte.is_ascii_hexdigit() && !dashes.contains(&at),
        })
}

fn has_bad_status(text: &str) -> bool {
    STATUS.as_ref().is_some_and(|statuses| {
        statuses
            .find_iter(text)
            .filter_map(|key| extract::value(text, key.end()))
            .any(|value| value.parse::<u16>().is_ok_and(|status| status >= 400))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "7f1c2a7e-0000-4000-8000-0123456789ab";

    #[test]
    fn a_line_of_a_call_that_ended_well_gives_its_request_id() {
        for line in [
            format!(r#"{{"level":"info","msg":"done","request_id":"{ID}","status":200}}"#),
            format!("2026-05-01 12:00:00 INFO chat answered RequestId={ID} in 1200 ms"),
            format!("INFO response x-amzn-requestid: {ID}"),
            format!(r#"{{"ResponseMetadata": {{"RequestId": "{ID}", "HTTPStatusCode": 200}}}}"#),
            format!("{{'ResponseMetadata': {{'RequestId': '{ID}', 'HTTPStatusCode': 200}}}}"),
            format!(r#"{{"message":"{{\"requestId\":\"{ID}\"}}"}}"#),
            format!("request_id={ID} again request_id={ID}"),
        ] {
            assert_eq!(success_request_id(line.as_bytes()).as_deref(), Some(ID), "{line}");
        }
    }

    #[test]
    fn a_line_that_may_tell_of_a_failure_or_of_something_else_gives_none() {
        let other = "11111111-2222-4333-8444-555555555555";
        for line in [
            format!("ERROR call failed request_id={ID}"),
            format!("botocore.errorfactory.ThrottlingException: request_id={ID}"),
            format!("INFO upstream answered status=503 request_id={ID}"),
            format!(r#"{{"statusCode": 500, "requestId": "{ID}"}}"#),
            format!("Response headers: {{'x-amzn-RequestId': '{ID}'}}"),
            format!("retrying request_id={ID}"),
            format!("request_id={ID} then request_id={other}"),
            format!("REPORT RequestId: {ID}\tDuration: 3.1 ms"),
            "request_id=17".to_owned(),
            ID.to_owned(),
        ] {
            assert_eq!(success_request_id(line.as_bytes()), None, "{line}");
        }
        assert_eq!(success_request_id(b"request_id=\xff\xfe"), None);
    }

    #[test]
    fn the_pattern_fits_and_has_the_keys_that_are_read() {
        let pattern = success_filter_pattern();
        assert!(pattern.len() <= 1024 && pattern.split(' ').all(|term| term.starts_with('?') || term.ends_with('"')));
    }
}
