//! AWS SDK for Go v2, logged with `log.Printf`: one line, no level, local clock.

use super::{Failure, Told, message};

pub(super) fn answered(told: &Told<'_>) -> String {
    format!("{} invoke ok", clock(told))
}

pub(super) fn failed(told: &Told<'_>, failure: Failure) -> String {
    let tried = match told.attempts {
        0 | 1 => String::new(),
        n => format!(" exceeded maximum number of attempts, {n},"),
    };
    let what = match failure {
        Failure::Answered(exception) => format!(
            "https response error StatusCode: {}, RequestID: {}, {}: {}",
            exception.status(),
            told.request_id,
            exception.as_str(),
            message(exception)
        ),
        Failure::ResetBeforeAnswer => format!("{} {}", sent(told), reset(told)),
        Failure::ReadTimeout => {
            format!("{} context deadline exceeded (Client.Timeout exceeded while awaiting headers)", sent(told))
        }
        Failure::FrameMidStream(exception) => {
            return format!("{} stream error: {}: {}", clock(told), exception.as_str(), message(exception));
        }
        // A stream is read outside of the operation: its error comes as it is.
        Failure::ResetMidStream => return format!("{} stream error: {}", clock(told), reset(told)),
    };
    format!(
        "{} failed to invoke model: operation error Bedrock Runtime: {},{tried} {what}",
        clock(told),
        told.application.operation
    )
}

fn clock(told: &Told<'_>) -> impl std::fmt::Display {
    told.at.format("%Y/%m/%d %H:%M:%S")
}

/// What is printed where no answer came.
fn sent(told: &Told<'_>) -> String {
    format!("https response error StatusCode: 0, RequestID: , request send failed, Post \"{}\":", told.url())
}

fn reset(told: &Told<'_>) -> String {
    format!("read tcp 10.0.12.34:{}->52.94.133.131:443: read: connection reset by peer", 32_768 + told.writer % 28_000)
}
