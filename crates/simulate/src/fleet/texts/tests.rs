#![allow(clippy::unwrap_used, clippy::panic)]

use chrono::TimeDelta;
use faultline_core::model::Operation;

use super::*;
use crate::fleet::FleetPlan;

const REQUEST_ID: &str = "11111111-2222-4333-8444-555555555555";
const FAILURES: [Failure; 8] = [
    Failure::Answered(BedrockException::ServiceUnavailableException),
    Failure::Answered(BedrockException::InternalServerException),
    Failure::Answered(BedrockException::ThrottlingException),
    Failure::Answered(BedrockException::ModelErrorException),
    Failure::FrameMidStream(BedrockException::ServiceUnavailableException),
    Failure::ResetBeforeAnswer,
    Failure::ResetMidStream,
    Failure::ReadTimeout,
];

fn now() -> Time {
    "2026-11-24T12:34:56.789Z".parse().unwrap()
}

fn told(application: &Application) -> Told<'_> {
    Told {
        application,
        region: "us-east-1",
        model_id: &application.model_id,
        at: now() + TimeDelta::milliseconds(1),
        request_id: REQUEST_ID,
        own_id: application.sends_own_id.then_some("own-1"),
        attempts: 3,
        elapsed: 12.3,
        backoff: 1.25,
        writer: 77,
    }
}

/// Every application of the demo, and with it every client library.
fn applications() -> Vec<Application> {
    let mut applications = FleetPlan::demo(1, now()).applications;
    // Every library streams here, so that every form is written.
    let streaming = applications.clone().into_iter();
    applications.extend(streaming.map(|a| Application { operation: Operation::ConverseStream, ..a }));
    applications
}

fn of(library: ClientLibrary) -> Application {
    applications().into_iter().find(|application| application.library == library).unwrap()
}

#[test]
fn the_request_id_is_printed_where_the_sdk_prints_it_and_never_by_python() {
    for application in applications() {
        for failure in FAILURES {
            let text = failed(&told(&application), failure);
            let printed = application.library.prints_request_id() && matches!(failure, Failure::Answered(_));
            assert_eq!(text.contains(REQUEST_ID), printed, "{:?} {failure:?}: {text}", application.library);
        }
    }
}

#[test]
fn every_failure_names_itself_in_its_library_s_words() {
    for (library, failure, words) in [
        (
            ClientLibrary::Boto3Plain,
            FAILURES[0],
            "botocore.errorfactory.ServiceUnavailableException: An error occurred (ServiceUnavailableException) when calling the InvokeModelWithResponseStream operation (reached max retries: 2): Too many connections, please wait before trying again.",
        ),
        (
            ClientLibrary::Boto3Plain,
            Failure::ReadTimeout,
            "botocore.exceptions.ReadTimeoutError: Read timeout on endpoint URL: \"https://bedrock-runtime.us-east-1.amazonaws.com/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke-with-response-stream\"",
        ),
        (ClientLibrary::Boto3Lines, Failure::ReadTimeout, "Read timed out. (read timeout=20.0)"),
        (
            ClientLibrary::Boto3Plain,
            FAILURES[4],
            "botocore.exceptions.EventStreamError: An error occurred (serviceUnavailableException) when calling",
        ),
        (ClientLibrary::Boto3Json, Failure::ResetBeforeAnswer, r#"\nbotocore.exceptions.ConnectionClosedError: "#),
        (ClientLibrary::NodePino, FAILURES[0], r#""$metadata":{"httpStatusCode":503,"requestId":"#),
        (ClientLibrary::NodePino, Failure::ResetMidStream, r#""code":"ECONNRESET""#),
        (ClientLibrary::RustContext, FAILURES[0], r#"extras: Some({"aws_request_id": "11111111-"#),
        (ClientLibrary::RustContext, Failure::ReadTimeout, "HTTP read timeout occurred after 60s: timed out"),
        (
            ClientLibrary::GoLog,
            FAILURES[2],
            "2026/11/24 12:34:56 failed to invoke model: operation error Bedrock Runtime: InvokeModel, exceeded maximum number of attempts, 3, https response error StatusCode: 429, RequestID: 11111111-2222-4333-8444-555555555555, ThrottlingException: Too many requests",
        ),
        (ClientLibrary::GoLog, Failure::ResetBeforeAnswer, "read: connection reset by peer"),
        (
            ClientLibrary::JavaLogback,
            FAILURES[0],
            "\nsoftware.amazon.awssdk.services.bedrockruntime.model.ServiceUnavailableException: Too many connections, please wait before trying again. (Service: BedrockRuntime, Status Code: 503, Request ID: 11111111-2222-4333-8444-555555555555) (SDK Attempt Count: 3)\n",
        ),
        (
            ClientLibrary::JavaGateway,
            FAILURES[0],
            "500 Too many connections, please wait before trying again. (Service: BedrockRuntime, Status Code: 503, Request ID: 11111111-",
        ),
        (
            ClientLibrary::JavaLogback,
            Failure::ResetBeforeAnswer,
            "SdkClientException: Unable to execute HTTP request: Connection reset",
        ),
    ] {
        let application = of(library);
        let text = failed(&told(&application), failure);
        assert!(text.contains(words), "{library:?} {failure:?}: {text}");
    }
}

#[test]
fn json_logs_are_json_line_by_line() {
    for library in [ClientLibrary::Boto3Json, ClientLibrary::NodePino] {
        for application in applications().into_iter().filter(|application| application.library == library) {
            let told = told(&application);
            let mut texts = vec![calling(&told).unwrap(), answered(&told)];
            texts.extend(FAILURES.map(|failure| failed(&told, failure)));
            for text in texts {
                let line: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
                assert_eq!(line.get("call_id").is_some(), application.sends_own_id);
            }
        }
    }
}

#[test]
fn no_placeholder_is_left() {
    for application in applications() {
        for failure in FAILURES {
            let text = failed(&told(&application), failure);
            for name in ["call", "carets", "read_stream", "url", "host", "timeout", "exception", "operation", "retried"]
            {
                assert!(!text.contains(&format!("{{{name}}}")), "{name}: {text}");
            }
        }
    }
}
