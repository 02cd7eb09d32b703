//! Answers and errors in the form of each protocol.

use axum::{
    body::Body,
    http::{Response, StatusCode, header},
};
use serde_json::json;

use super::cbor;

/// How a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Smithy's rpc-v2-cbor.
    Cbor,
    /// awsJson1.1.
    Json,
    /// awsQuery: form in, XML out.
    Query,
}

/// An error as AWS would answer it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub status: u16,
    pub code: String,
    pub message: String,
}

impl Fault {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    /// The request makes no sense.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterException", message)
    }
}

/// The HTTP answer.
pub(super) fn response(protocol: Protocol, answered: Result<Vec<u8>, Fault>) -> Response<Body> {
    let (status, body, code) = match answered {
        Ok(body) => (200, body, None),
        Err(fault) => (fault.status, error_body(protocol, &fault), Some(fault.code)),
    };
    let kind = match protocol {
        Protocol::Cbor => "application/cbor",
        Protocol::Json => "application/x-amz-json-1.1",
        Protocol::Query => "text/xml",
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    match (protocol, code) {
        (Protocol::Cbor, _) => {
            headers.insert("smithy-protocol", header::HeaderValue::from_static("rpc-v2-cbor"));
        }
        (Protocol::Json, Some(code)) => {
            headers.extend(
                header::HeaderValue::from_str(&code)
                    .map(|code| (header::HeaderName::from_static("x-amzn-errortype"), code)),
            );
        }
        _ => {}
    }
    response
}

fn error_body(protocol: Protocol, Fault { code, message, .. }: &Fault) -> Vec<u8> {
    match protocol {
        Protocol::Cbor => cbor::map(|map| {
            map.str("__type").str(code);
            map.str("message").str(message);
        }),
        Protocol::Json => json!({ "__type": code, "message": message }).to_string().into_bytes(),
        Protocol::Query => format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>00000000-0000-4000-8000-000000000000</RequestId></ErrorResponse>"
        )
        .into_bytes(),
    }
}
