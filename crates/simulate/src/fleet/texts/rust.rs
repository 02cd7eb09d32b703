//! AWS SDK for Rust, logged as `DisplayErrorContext` through tracing's plain format.

use super::{Failure, Told, message};

pub(super) fn calling(told: &Told<'_>) -> String {
    line(told, " INFO", "calling bedrock")
}

pub(super) fn answered(told: &Told<'_>) -> String {
    line(told, " INFO", &format!("bedrock answered elapsed_ms={:.0}", told.elapsed * 1000.0))
}

pub(super) fn failed(told: &Told<'_>, failure: Failure) -> String {
    line(told, "ERROR", &format!("bedrock call failed: {}", context(told, failure)))
}

fn line(told: &Told<'_>, level: &str, text: &str) -> String {
    let target = told.application.name.replace('-', "_");
    format!("{} {level} {target}: {text}", told.at.format("%Y-%m-%dT%H:%M:%S%.6fZ"))
}

fn context(told: &Told<'_>, failure: Failure) -> String {
    match failure {
        Failure::Answered(exception) => {
            let (name, text, status, id) =
                (exception.as_str(), message(exception), exception.status(), told.request_id);
            let body = format!(r#"{{\"message\":\"{text}\"}}"#);
            let length = text.len() + r#"{"message":""}"#.len();
            let date = told.at.format("%a, %d %b %Y %H:%M:%S GMT");
            format!(
                r#"service error: {name}: {text}: {name}: {text} (ServiceError(ServiceError {{ source: {name}({name} {{ message: Some("{text}"), meta: ErrorMetadata {{ code: Some("{name}"), message: Some("{text}"), extras: Some({{"aws_request_id": "{id}"}}) }} }}), raw: Response {{ status: StatusCode({status}), headers: {{"date": "{date}", "x-amzn-requestid": "{id}", "content-type": "application/json", "content-length": "{length}", "connection": "keep-alive", "x-amzn-errortype": "{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"}}, body: SdkBody {{ inner: Once(Some(b"{body}")), retryable: true }}, extensions: Extensions {{ extensions_02x: Extensions, extensions_1x: {{aws_runtime::service_clock_skew::ResponseClockSkew, hyper_util::client::legacy::connect::http::HttpInfo, aws_smithy_http_client::client::connect::ConnectPathInner}} }} }} }}))"#
            )
        }
        Failure::FrameMidStream(exception) => {
            let (name, text) = (exception.as_str(), message(exception));
            let frame = name.get(..1).unwrap_or_default().to_lowercase() + name.get(1..).unwrap_or_default();
            format!(
                r#"service error: {name}: {text}: {name}: {text} (ServiceError(ServiceError {{ source: {name}({name} {{ message: Some("{text}"), meta: ErrorMetadata {{ code: None, message: Some("{text}"), extras: None }} }}), raw: Decoded(Message {{ headers: [Header {{ name: StrBytes {{ bytes: b":exception-type" }}, value: String(StrBytes {{ bytes: b"{frame}" }}) }}, Header {{ name: StrBytes {{ bytes: b":content-type" }}, value: String(StrBytes {{ bytes: b"application/json" }}) }}, Header {{ name: StrBytes {{ bytes: b":message-type" }}, value: String(StrBytes {{ bytes: b"exception" }}) }}], payload: b"{{\"message\": \"{text}\"}}" }}) }}))"#
            )
        }
        Failure::ResetBeforeAnswer => r"dispatch failure: io error: client error (SendRequest): connection error: connection reset (DispatchFailure(DispatchFailure { source: ConnectorError { kind: Io, source: hyper_util::client::legacy::Error(SendRequest, hyper::Error(Io, Kind(ConnectionReset))), connection: Unknown } }))".to_owned(),
        Failure::ResetMidStream => r#"dispatch failure: io error: error reading a body from connection: Connection reset by peer (os error 104) (DispatchFailure(DispatchFailure { source: ConnectorError { kind: Io, source: hyper::Error(Body, Os { code: 104, kind: ConnectionReset, message: "Connection reset by peer" }), connection: Unknown } }))"#.to_owned(),
        Failure::ReadTimeout => {
            let timeout = told.application.read_timeout;
            format!(
                r#"dispatch failure: timeout: HTTP read timeout occurred after {timeout}s: timed out (DispatchFailure(DispatchFailure {{ source: ConnectorError {{ kind: Timeout, source: HttpTimeoutError {{ kind: "HTTP read", duration: {timeout}s }}, connection: Unknown }} }}))"#
            )
        }
    }
}
