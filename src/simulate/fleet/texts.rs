//! What an application writes to its log, in the words of its client library.

use faultline_core::model::{FailureKind, Time};
use rand::{Rng, RngExt};
use serde_json::json;

use super::{Application, Client, FleetPlan, aws_view::delay, request::Attempt};
use crate::simulate::Emission;

const TOO_MANY: &str = "Too many connections, please wait before trying again.";
/// One call in so many that end well is worth a line.
const SUCCESS_LINES: f64 = 0.2;

pub(super) fn emit(
    plan: &FleetPlan,
    application: &Application,
    attempts: &[Attempt],
    rng: &mut impl Rng,
    emit: &mut Vec<Emission>,
) {
    let Some(last) = attempts.last() else { return };
    let stream = application.stream(rng.random_range(1..=2));
    let at = last.client_end;
    let visible_at = at + delay(plan.log_delay, rng);
    let lines = match last.verdict.failure {
        Some(kind) => failure(application, kind, last, attempts.len()),
        None if rng.random_bool(SUCCESS_LINES) => vec![success(application, at)],
        None => Vec::new(),
    };
    emit.extend(lines.into_iter().map(|message| Emission::Log {
        group: application.log_group.into(),
        stream: stream.as_str().into(),
        at,
        visible_at,
        message,
    }));
}

fn success(application: &Application, at: Time) -> String {
    match application.client {
        Client::Node => json!({ "level": 30, "time": at.timestamp_millis(), "msg": "bedrock answered" }).to_string(),
        Client::Boto3Json => {
            json!({ "asctime": python_time(at), "levelname": "INFO", "name": "health", "message": "ok" }).to_string()
        }
        Client::Rust => format!("{}  INFO {}: bedrock answered", rust_time(at), application.name),
        Client::Go => format!("{} invoke ok", at.format("%Y/%m/%d %H:%M:%S")),
        Client::Java | Client::JavaFramework => format!("{} INFO  request served", python_time(at)),
        Client::Boto3 | Client::Boto3Lines => {
            format!("{} INFO [{}] Bedrock answered", python_time(at), application.name)
        }
    }
}

fn failure(application: &Application, kind: FailureKind, attempt: &Attempt, attempts: usize) -> Vec<String> {
    let at = attempt.client_end;
    let error = Error { application, kind, attempt, attempts };
    match application.client {
        Client::Boto3 => {
            let head = format!("{} ERROR [{}] Error calling Bedrock", python_time(at), application.name);
            vec![format!("{head}\n{}", error.python())]
        }
        Client::Boto3Lines => {
            let head = format!("{} ERROR [{}] Error calling Bedrock", python_time(at), application.name);
            [head].into_iter().chain(error.python().lines().map(str::to_owned)).collect()
        }
        Client::Boto3Json => vec![
            json!({ "asctime": python_time(at), "levelname": "ERROR", "name": "health", "message": "bedrock call failed",
                "exc_info": error.python(), "model_id": application.model_id })
            .to_string(),
        ],
        Client::Node => vec![error.node().to_string()],
        Client::Rust => {
            vec![format!("{} ERROR {}: bedrock call failed: {}", rust_time(at), application.name, error.rust())]
        }
        Client::Go => vec![format!("{} failed to invoke model: {}", at.format("%Y/%m/%d %H:%M:%S"), error.go())],
        Client::Java => vec![format!("{} ERROR call failed\n{}", python_time(at), error.java())],
        Client::JavaFramework => vec![format!("{} ERROR {}", python_time(at), error.java_framework())],
    }
}

/// A failure to be worded.
struct Error<'a> {
    application: &'a Application,
    kind: FailureKind,
    attempt: &'a Attempt,
    attempts: usize,
}

impl Error<'_> {
    /// Exception, status and message, where Bedrock answered.
    const fn answered(&self) -> Option<(&'static str, u16, &'static str)> {
        match self.kind {
            FailureKind::ServiceUnavailable => Some(("ServiceUnavailableException", 503, TOO_MANY)),
            FailureKind::Throttled => {
                Some(("ThrottlingException", 429, "Too many requests, please wait before trying again."))
            }
            FailureKind::ModelError => {
                Some(("ModelErrorException", 424, "The model returned an error while processing the request."))
            }
            FailureKind::InternalError => Some((
                "InternalServerException",
                500,
                "The system encountered an unexpected error during processing. Try your request again.",
            )),
            _ => None,
        }
    }

    fn endpoint(&self) -> String {
        let path = if self.application.operation.is_streaming() { "converse-stream" } else { "converse" };
        let model = self.application.model_id.replace(':', "%3A");
        format!("https://bedrock-runtime.us-east-1.amazonaws.com/model/{model}/{path}")
    }

    fn python(&self) -> String {
        let packages = "/usr/local/lib/python3.12/site-packages";
        let call = format!(
            "Traceback (most recent call last):\n  File \"/app/{}.py\", line 61, in answer\n    response = client.converse(**request)\n  \
             File \"{packages}/botocore/client.py\", line 606, in _api_call\n    return self._make_api_call(operation_name, kwargs)",
            self.application.name.replace('-', "_")
        );
        let send = format!(
            "  File \"{packages}/botocore/endpoint.py\", line 281, in _do_get_response\n    http_response = self._send(request)\n  \
             File \"{packages}/botocore/httpsession.py\", line 548, in send"
        );
        match self.answered() {
            Some((exception, _, message)) => {
                let retried = match self.attempts {
                    1 => String::new(),
                    attempts => format!(" (reached max retries: {})", attempts - 1),
                };
                format!(
                    "{call}\n  File \"{packages}/botocore/client.py\", line 1094, in _make_api_call\n    raise error_class(parsed_response, operation_name)\n\
                     botocore.errorfactory.{exception}: An error occurred ({exception}) when calling the {} operation{retried}: {message}",
                    self.application.operation
                )
            }
            None if self.kind == FailureKind::ReadTimeout => format!(
                "{call}\n{send}\n    raise ReadTimeoutError(endpoint_url=request.url, error=e)\n\
                 botocore.exceptions.ReadTimeoutError: Read timeout on endpoint URL: \"{}\"",
                self.endpoint()
            ),
            None => format!(
                "Traceback (most recent call last):\n  File \"{packages}/urllib3/connectionpool.py\", line 787, in urlopen\n    response = self._make_request(\n\
                 ConnectionResetError: [Errno 104] Connection reset by peer\n\nDuring handling of the above exception, another exception occurred:\n\n\
                 {call}\n{send}\n    raise ConnectionClosedError(\n\
                 botocore.exceptions.ConnectionClosedError: Connection was closed before we received a valid response from endpoint URL: \"{}\".",
                self.endpoint()
            ),
        }
    }

    fn node(&self) -> serde_json::Value {
        let error = match self.answered() {
            Some((exception, status, message)) => json!({
                "type": exception,
                "message": message,
                "stack": format!("{exception}: {message}\n    at AwsRestJsonProtocol.handleError (/app/node_modules/@aws-sdk/core/dist-cjs/submodules/protocols/index.js:386:27)"),
                "$fault": if status < 500 { "client" } else { "server" },
                "$metadata": { "httpStatusCode": status, "requestId": self.attempt.request_id, "attempts": self.attempts, "totalRetryDelay": 83 },
                "name": exception,
            }),
            None if self.kind == FailureKind::ReadTimeout => json!({
                "type": "TimeoutError",
                "message": "@smithy/node-http-handler - the request socket timed out",
                "stack": "TimeoutError: @smithy/node-http-handler - the request socket timed out",
                "$metadata": { "attempts": self.attempts, "totalRetryDelay": 101 },
            }),
            None => json!({
                "type": "Error",
                "message": "read ECONNRESET",
                "stack": "Error: read ECONNRESET\n    at TCP.onStreamRead (node:internal/stream_base_commons:218:20)",
                "errno": -104, "code": "ECONNRESET", "syscall": "read",
                "$metadata": { "attempts": self.attempts, "totalRetryDelay": 101 },
            }),
        };
        json!({ "level": 50, "time": self.attempt.client_end.timestamp_millis(), "pid": 7, "hostname": "web-1", "err": error,
            "modelId": self.application.model_id, "msg": "bedrock call failed" })
    }

    fn rust(&self) -> String {
        match self.answered() {
            Some((exception, status, message)) => format!(
                "service error: {exception}: {message} ({exception}({exception} {{ message: Some(\"{message}\"), meta: ErrorMetadata {{ \
                 code: Some(\"{exception}\"), message: Some(\"{message}\"), extras: Some({{\"aws_request_id\": \"{}\"}}) }} }}), raw: Response {{ \
                 status: StatusCode({status}) }})",
                self.attempt.request_id
            ),
            None if self.kind == FailureKind::ReadTimeout => {
                "request has timed out: HTTP read timeout occurred after 60s (TimeoutError(TimeoutError { source: HttpTimeoutError }))".to_owned()
            }
            None => "dispatch failure: io error: client error (SendRequest): connection error: Connection reset by peer (os error 104) \
                     (DispatchFailure(DispatchFailure { source: ConnectorError { kind: Io, source: hyper_util::client::legacy::Error(SendRequest, \
                     hyper::Error(Io, Os { code: 104, kind: ConnectionReset, message: \"Connection reset by peer\" })), connection: Unknown } }))"
                .to_owned(),
        }
    }

    fn go(&self) -> String {
        let retried = match self.attempts {
            1 => String::new(),
            attempts => format!("exceeded maximum number of attempts, {attempts}, "),
        };
        let operation = format!("operation error Bedrock Runtime: {}, {retried}", self.application.operation);
        match self.answered() {
            Some((exception, status, message)) => format!(
                "{operation}https response error StatusCode: {status}, RequestID: {}, {exception}: {message}",
                self.attempt.request_id
            ),
            None => format!(
                "{operation}https response error StatusCode: 0, RequestID: , request send failed, Post \"{}\": \
                 read tcp 10.0.3.17:55438->10.0.9.2:443: read: connection reset by peer",
                self.endpoint()
            ),
        }
    }

    fn java(&self) -> String {
        let package = "software.amazon.awssdk";
        let attempts = format!("(SDK Attempt Count: {})", self.attempts);
        let own_id = self.attempt.own_id.as_ref().map_or_else(String::new, |own_id| format!(" faultline-id={own_id}"));
        let error = match self.answered() {
            Some((exception, status, message)) => format!(
                "{package}.services.bedrockruntime.model.{exception}: {message} (Service: BedrockRuntime, Status Code: {status}, Request ID: {}) {attempts}",
                self.attempt.request_id
            ),
            None => format!(
                "{package}.core.exception.SdkClientException: Unable to execute HTTP request: Connection reset {attempts}"
            ),
        };
        format!(
            "{error}{own_id}\n\tat {package}.services.bedrockruntime.DefaultBedrockRuntimeClient.converse(DefaultBedrockRuntimeClient.java:461)"
        )
    }

    /// The report's own words: a framework's status before the message, Bedrock's after it.
    fn java_framework(&self) -> String {
        match self.answered() {
            Some((_, status, message)) => {
                format!(
                    "500 {message} (Service: BedrockRuntime, Status Code: {status}, Request ID: {})",
                    self.attempt.request_id
                )
            }
            None => self.java(),
        }
    }
}

fn python_time(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M:%S,%3f").to_string()
}

fn rust_time(at: Time) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
