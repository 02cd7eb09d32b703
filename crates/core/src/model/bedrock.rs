//! Bedrock's own closed lists: operations, exceptions, and the kinds of failure they come down to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a call failed for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The connection was reset or closed before or while the answer came.
    ConnectionReset,
    /// The client gave up waiting.
    ReadTimeout,
    /// No connection could be made.
    ConnectError,
    /// A stream ended before its last frame.
    StreamTruncated,
    /// An exception frame mid-stream, whatever the exception.
    StreamError,
    /// 503, also in the form "500 … Status Code: 503".
    ServiceUnavailable,
    /// 500.
    InternalError,
    /// 429.
    Throttled,
    /// 408 of the model, not of the client.
    ModelTimeout,
    /// 424.
    ModelError,
    /// Another 4xx, of the caller's making: never billed but failed.
    Rejected,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::ConnectionReset,
        Self::ReadTimeout,
        Self::ConnectError,
        Self::StreamTruncated,
        Self::StreamError,
        Self::ServiceUnavailable,
        Self::InternalError,
        Self::Throttled,
        Self::ModelTimeout,
        Self::ModelError,
        Self::Rejected,
    ];

    /// The label value: `connection_reset` …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConnectionReset => "connection_reset",
            Self::ReadTimeout => "read_timeout",
            Self::ConnectError => "connect_error",
            Self::StreamTruncated => "stream_truncated",
            Self::StreamError => "stream_error",
            Self::ServiceUnavailable => "service_unavailable",
            Self::InternalError => "internal_error",
            Self::Throttled => "throttled",
            Self::ModelTimeout => "model_timeout",
            Self::ModelError => "model_error",
            Self::Rejected => "rejected",
        }
    }

    /// Whether AWS answered with this failure itself (and counts it as an error), as against a failure only the
    /// client saw, which AWS may count as a success.
    pub const fn seen_by_aws(self) -> bool {
        !matches!(self, Self::ConnectionReset | Self::ReadTimeout | Self::ConnectError | Self::StreamTruncated)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The exceptions of Bedrock Runtime (botocore's service model), spelled as the service spells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BedrockException {
    /// 403
    AccessDeniedException,
    /// 500
    InternalServerException,
    /// 424
    ModelErrorException,
    /// 429
    ModelNotReadyException,
    /// 424, or a frame mid-stream
    ModelStreamErrorException,
    /// 408
    ModelTimeoutException,
    /// 404
    ResourceNotFoundException,
    /// 400
    ServiceQuotaExceededException,
    /// 503
    ServiceUnavailableException,
    /// 429
    ThrottlingException,
    /// 400
    ValidationException,
}

impl BedrockException {
    /// Every exception.
    pub const ALL: [Self; 11] = [
        Self::AccessDeniedException,
        Self::InternalServerException,
        Self::ModelErrorException,
        Self::ModelNotReadyException,
        Self::ModelStreamErrorException,
        Self::ModelTimeoutException,
        Self::ResourceNotFoundException,
        Self::ServiceQuotaExceededException,
        Self::ServiceUnavailableException,
        Self::ThrottlingException,
        Self::ValidationException,
    ];

    /// The name in PascalCase.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessDeniedException => "AccessDeniedException",
            Self::InternalServerException => "InternalServerException",
            Self::ModelErrorException => "ModelErrorException",
            Self::ModelNotReadyException => "ModelNotReadyException",
            Self::ModelStreamErrorException => "ModelStreamErrorException",
            Self::ModelTimeoutException => "ModelTimeoutException",
            Self::ResourceNotFoundException => "ResourceNotFoundException",
            Self::ServiceQuotaExceededException => "ServiceQuotaExceededException",
            Self::ServiceUnavailableException => "ServiceUnavailableException",
            Self::ThrottlingException => "ThrottlingException",
            Self::ValidationException => "ValidationException",
        }
    }

    /// The exception of this name, in PascalCase or, as some SDKs print frames, lowerCamelCase.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|exception| exception.as_str().eq_ignore_ascii_case(name))
    }

    /// The HTTP status Bedrock sends it with.
    pub const fn status(self) -> u16 {
        match self {
            Self::AccessDeniedException => 403,
            Self::InternalServerException => 500,
            Self::ModelErrorException | Self::ModelStreamErrorException => 424,
            Self::ModelNotReadyException | Self::ThrottlingException => 429,
            Self::ModelTimeoutException => 408,
            Self::ResourceNotFoundException => 404,
            Self::ServiceQuotaExceededException | Self::ValidationException => 400,
            Self::ServiceUnavailableException => 503,
        }
    }

    /// The kind of failure it is as an HTTP answer (mid-stream each is a [`FailureKind::StreamError`]).
    pub const fn kind(self) -> FailureKind {
        match self {
            Self::AccessDeniedException
            | Self::ResourceNotFoundException
            | Self::ServiceQuotaExceededException
            | Self::ValidationException => FailureKind::Rejected,
            Self::InternalServerException => FailureKind::InternalError,
            Self::ModelErrorException | Self::ModelStreamErrorException => FailureKind::ModelError,
            Self::ModelNotReadyException | Self::ThrottlingException => FailureKind::Throttled,
            Self::ModelTimeoutException => FailureKind::ModelTimeout,
            Self::ServiceUnavailableException => FailureKind::ServiceUnavailable,
        }
    }
}

impl fmt::Display for BedrockException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The four operations that run a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Operation {
    /// One answer, one schema for all models.
    Converse,
    /// The same, streamed.
    ConverseStream,
    /// One answer, the model's own schema.
    InvokeModel,
    /// The same, streamed.
    InvokeModelWithResponseStream,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 4] =
        [Self::Converse, Self::ConverseStream, Self::InvokeModel, Self::InvokeModelWithResponseStream];

    /// The name as the API spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Converse => "Converse",
            Self::ConverseStream => "ConverseStream",
            Self::InvokeModel => "InvokeModel",
            Self::InvokeModelWithResponseStream => "InvokeModelWithResponseStream",
        }
    }

    /// The operation of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == name)
    }

    /// Whether the answer comes as a stream of frames.
    pub const fn is_streaming(self) -> bool {
        matches!(self, Self::ConverseStream | Self::InvokeModelWithResponseStream)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
