//! AWS SDK for Java v2: logged with logback, and as a gateway hands its text on.

use super::{Failure, Told, message};

const PACKAGE: &str = "software.amazon.awssdk";

pub(super) fn calling(told: &Told<'_>) -> String {
    format!("{} calling bedrock", head(told, "INFO "))
}

pub(super) fn answered(told: &Told<'_>) -> String {
    format!("{} bedrock answered in {:.0} ms", head(told, "INFO "), told.elapsed * 1000.0)
}

/// logback: the line, the exception with its class, and the frames below it.
pub(super) fn failed(told: &Told<'_>, failure: Failure) -> String {
    let class = match failure {
        Failure::Answered(exception) | Failure::FrameMidStream(exception) => {
            format!("{PACKAGE}.services.bedrockruntime.model.{}", exception.as_str())
        }
        _ => format!("{PACKAGE}.core.exception.SdkClientException"),
    };
    let operation = told.application.operation.as_str();
    let method = operation.get(..1).unwrap_or_default().to_lowercase() + operation.get(1..).unwrap_or_default();
    format!(
        "{} bedrock call failed\n{class}: {}\n\
         \tat {PACKAGE}.{}\n\
         \tat {PACKAGE}.core.internal.http.pipeline.stages.RetryableStage.execute(RetryableStage.java:87)\n\
         \tat {PACKAGE}.core.internal.handler.BaseSyncClientHandler.execute(BaseSyncClientHandler.java:77)\n\
         \tat {PACKAGE}.services.bedrockruntime.DefaultBedrockRuntimeClient.{method}(DefaultBedrockRuntimeClient.java:468)\n\
         \tat com.example.{}.BedrockGateway.complete(BedrockGateway.java:58){}",
        head(told, "ERROR"),
        text(told, failure),
        thrower(failure),
        told.application.name.replace('-', ""),
        origin(failure),
    )
}

/// A gateway's one line: its own status, then the SDK's text, which may name another.
pub(super) fn failed_at_gateway(told: &Told<'_>, failure: Failure) -> String {
    let status = match failure {
        Failure::Answered(exception) if exception.status() < 500 => exception.status(),
        _ => 500,
    };
    format!("{} upstream model call failed: {status} {}", head(told, "ERROR"), text(told, failure))
}

fn head(told: &Told<'_>, level: &str) -> String {
    format!(
        "{} {level} [http-nio-8080-exec-{}] c.e.BedrockGateway -",
        told.at.format("%Y-%m-%d %H:%M:%S.%3f"),
        told.writer % 10 + 1
    )
}

fn text(told: &Told<'_>, failure: Failure) -> String {
    let attempts = told.attempts;
    match failure {
        Failure::Answered(exception) => format!(
            "{} (Service: BedrockRuntime, Status Code: {}, Request ID: {}) (SDK Attempt Count: {attempts})",
            message(exception),
            exception.status(),
            told.request_id
        ),
        // A frame comes without an HTTP answer of its own.
        Failure::FrameMidStream(exception) => {
            format!("{} (Service: BedrockRuntime, Status Code: 200, Request ID: null)", message(exception))
        }
        Failure::ReadTimeout => {
            format!("Unable to execute HTTP request: Read timed out (SDK Attempt Count: {attempts})")
        }
        _ => format!("Unable to execute HTTP request: Connection reset (SDK Attempt Count: {attempts})"),
    }
}

/// The frame that made the exception.
const fn thrower(failure: Failure) -> &'static str {
    match failure {
        Failure::Answered(_) | Failure::FrameMidStream(_) => {
            "core.internal.http.CombinedResponseHandler.handleErrorResponse(CombinedResponseHandler.java:125)"
        }
        _ => "core.exception.SdkClientException$BuilderImpl.build(SdkClientException.java:130)",
    }
}

fn origin(failure: Failure) -> &'static str {
    match failure {
        Failure::Answered(_) | Failure::FrameMidStream(_) => "",
        Failure::ReadTimeout => {
            "\nCaused by: java.net.SocketTimeoutException: Read timed out\n\t... 24 common frames omitted"
        }
        _ => "\nCaused by: java.net.SocketException: Connection reset\n\t... 24 common frames omitted",
    }
}
