//! Links into the CloudWatch console.

use std::fmt::Write;

use crate::ledger::{LogRefJson, milliseconds};

/// The page of the console that shows this event in its stream, or `None` where the event's time cannot be read.
///
/// The console keeps its place in the fragment: a name is percent-encoded twice and what separates is encoded once, and
/// then every `%` is written as `$`.
pub(super) fn log_event_url(region: &str, log: &LogRefJson) -> Option<String> {
    let start = milliseconds(&log.at).ok()?;
    let domain = match region {
        region if region.starts_with("us-gov-") => "console.amazonaws-us-gov.com",
        region if region.starts_with("cn-") => "console.amazonaws.cn",
        _ => "console.aws.amazon.com",
    };
    Some(format!(
        "https://{region}.{domain}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{}/log-events/{}\
         $3Fstart$3D{start}$26refEventId$3D{}",
        twice(&log.group),
        twice(&log.stream),
        twice(&log.event_id),
    ))
}

fn twice(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len() * 2);
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            // `%2F` encoded again is `%252F`. Writing to a String cannot fail.
            byte => drop(write!(encoded, "$25{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn url(region: &str, group: &str, stream: &str) -> String {
        let log = LogRefJson {
            group: group.into(),
            stream: stream.into(),
            event_id: "38247922349343574172699194757823705471706119218654085254".into(),
            at: "2024-05-07T15:35:55.156Z".to_owned(),
        };
        log_event_url(region, &log).unwrap()
    }

    #[test]
    fn a_link_is_what_the_console_itself_writes() {
        assert_eq!(
            url("us-east-1", "/aws/lambda/prod", "2024/05/07/[$LATEST]ee0d7bef930649218d151f9094492f85"),
            "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/\
             $252Faws$252Flambda$252Fprod/log-events/2024$252F05$252F07$252F$255B$2524LATEST$255D\
             ee0d7bef930649218d151f9094492f85$3Fstart$3D1715096155156$26refEventId$3D\
             38247922349343574172699194757823705471706119218654085254"
        );
    }

    #[test]
    fn other_partitions_have_consoles_of_their_own() {
        assert!(url("us-gov-west-1", "g", "s").starts_with("https://us-gov-west-1.console.amazonaws-us-gov.com/"));
        assert!(url("cn-north-1", "g", "s").starts_with("https://cn-north-1.console.amazonaws.cn/"));
    }

    #[test]
    fn no_name_can_leave_its_place_in_the_link() {
        let url = url("us-east-1", "/a\"><script>", "é #?&");
        assert!(!url.contains(['"', '<', '>', ' ', 'é']), "{url}");
        assert_eq!(url.matches('#').count(), 1, "{url}");
    }
}
