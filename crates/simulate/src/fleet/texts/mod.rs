//! What applications write to their logs, word for word as the SDKs print it.
//!
//! Python's texts never name Bedrock's request id; the others do where Bedrock answered. None contains a prompt or
//! an answer.

mod go;
mod java;
mod node;
mod python;
mod rust;

use faultline_core::model::{BedrockException, Time};

use super::{
    application::{Application, ClientLibrary},
    request::Failure,
};

/// What a log line can tell of a call.
pub(super) struct Told<'a> {
    pub(super) application: &'a Application,
    pub(super) region: &'a str,
    /// The model as called.
    pub(super) model_id: &'a str,
    /// When the line is written, by the application's own clock.
    pub(super) at: Time,
    /// Request id of the last attempt.
    pub(super) request_id: &'a str,
    /// The application's own id of the call.
    pub(super) own_id: Option<&'a str>,
    /// Attempts made.
    pub(super) attempts: usize,
    /// Seconds since the call began.
    pub(super) elapsed: f64,
    /// Seconds of it spent waiting between attempts.
    pub(super) backoff: f64,
    /// A port, a process id, a thread: what tells writers apart.
    pub(super) writer: u16,
}

impl Told<'_> {
    /// The runtime endpoint's host.
    fn host(&self) -> String {
        format!("bedrock-runtime.{}.amazonaws.com", self.region)
    }

    /// The URL called.
    fn url(&self) -> String {
        // SDKs encode what a path segment cannot hold.
        let model = self.model_id.replace(':', "%3A").replace('/', "%2F");
        format!("https://{}/model/{model}/{}", self.host(), self.path())
    }

    /// The operation as the URL names it, which some applications also log.
    fn path(&self) -> &'static str {
        use faultline_core::model::Operation::{Converse, ConverseStream, InvokeModel, InvokeModelWithResponseStream};
        match self.application.operation {
            Converse => "converse",
            ConverseStream => "converse-stream",
            InvokeModel => "invoke",
            InvokeModelWithResponseStream => "invoke-with-response-stream",
        }
    }
}

/// The text before a call, where the application writes one.
pub(super) fn calling(told: &Told<'_>) -> Option<String> {
    match told.application.library {
        ClientLibrary::Boto3Plain | ClientLibrary::Boto3Lines => Some(python::calling(told)),
        ClientLibrary::Boto3Json => Some(python::calling_json(told)),
        ClientLibrary::NodePino => Some(node::calling(told)),
        ClientLibrary::RustContext => Some(rust::calling(told)),
        ClientLibrary::GoLog => None,
        ClientLibrary::JavaLogback | ClientLibrary::JavaGateway => Some(java::calling(told)),
    }
}

/// The text after a call that ended well.
pub(super) fn answered(told: &Told<'_>) -> String {
    match told.application.library {
        ClientLibrary::Boto3Plain | ClientLibrary::Boto3Lines => python::answered(told),
        ClientLibrary::Boto3Json => python::answered_json(told),
        ClientLibrary::NodePino => node::answered(told),
        ClientLibrary::RustContext => rust::answered(told),
        ClientLibrary::GoLog => go::answered(told),
        ClientLibrary::JavaLogback | ClientLibrary::JavaGateway => java::answered(told),
    }
}

/// The text after a call that did not; it may have many lines.
pub(super) fn failed(told: &Told<'_>, failure: Failure) -> String {
    match told.application.library {
        ClientLibrary::Boto3Plain | ClientLibrary::Boto3Lines => python::failed(told, failure),
        ClientLibrary::Boto3Json => python::failed_json(told, failure),
        ClientLibrary::NodePino => node::failed(told, failure),
        ClientLibrary::RustContext => rust::failed(told, failure),
        ClientLibrary::GoLog => go::failed(told, failure),
        ClientLibrary::JavaLogback => java::failed(told, failure),
        ClientLibrary::JavaGateway => java::failed_at_gateway(told, failure),
    }
}

/// What Bedrock says with an exception.
const fn message(exception: BedrockException) -> &'static str {
    match exception {
        BedrockException::ServiceUnavailableException => "Too many connections, please wait before trying again.",
        BedrockException::ThrottlingException => "Too many requests, please wait before trying again.",
        BedrockException::ModelErrorException => "The request failed due to an error while processing the model.",
        _ => "The system encountered an unexpected error during processing. Try your request again.",
    }
}

#[cfg(test)]
mod tests;
