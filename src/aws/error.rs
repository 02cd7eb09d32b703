//! What went wrong with a call, in the words a person on call needs.

use aws_sdk_cloudwatch::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use super::meter::CallOutcome;
use crate::pipeline::status::SourceState;

/// A call that failed: what to show as the source's state, and one sentence on what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{detail}")]
pub struct CallError {
    /// The state of the source that met it.
    pub state: SourceState,
    /// What happened, and what to do.
    pub detail: String,
}

impl CallError {
    /// AWS answered, but with something that cannot be used.
    pub fn answer(api: &str, what: &str) -> Self {
        Self { state: SourceState::Failed, detail: format!("{api}: {what}") }
    }

    /// Classifies the SDK's error.
    pub fn from_sdk<E, R>(api: &str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        let code = error.code();
        let state = code.map_or_else(|| state_without_code(error), state_of_code);
        let said = match (code, error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            _ => format!("{}", DisplayErrorContext(error)),
        };
        let advice = match state {
            SourceState::AccessDenied => format!("allow {} to the identity Faultline runs as", action_of(api)),
            SourceState::CredentialsExpired => {
                "give Faultline valid AWS credentials (environment, profile, role)".to_owned()
            }
            SourceState::Unreachable => "check the network, the region and endpoint_url".to_owned(),
            SourceState::Throttled => "AWS asked to slow down; it is asked again later".to_owned(),
            _ => String::new(),
        };
        let said = shortened(&said);
        let detail = if advice.is_empty() { format!("{api}: {said}") } else { format!("{api}: {said}: {advice}") };
        Self { state, detail }
    }

    /// Under which outcome the call is counted.
    pub const fn outcome(&self) -> CallOutcome {
        match self.state {
            SourceState::Throttled => CallOutcome::Throttled,
            SourceState::AccessDenied | SourceState::CredentialsExpired => CallOutcome::Denied,
            _ => CallOutcome::Error,
        }
    }
}

fn state_of_code(code: &str) -> SourceState {
    match code {
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "NotAuthorized" => {
            SourceState::AccessDenied
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => SourceState::CredentialsExpired,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "LimitExceededException"
        | "LimitExceededFault" => SourceState::Throttled,
        "ServiceUnavailableException" | "ServiceUnavailable" | "InternalServiceFault" | "InternalFailure" => {
            SourceState::Unreachable
        }
        "ResourceNotFoundException" => SourceState::NothingDiscovered,
        _ => SourceState::Failed,
    }
}

fn state_without_code<E, R>(error: &SdkError<E, R>) -> SourceState
where
    E: std::error::Error + 'static,
    R: std::fmt::Debug,
{
    match error {
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => SourceState::Unreachable,
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => SourceState::Unreachable,
        // The credentials chain fails before anything is sent; AssumeRole's own refusal arrives in its message.
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => {
            let said = format!("{}", DisplayErrorContext(error));
            if said.contains("AccessDenied") {
                SourceState::AccessDenied
            } else if said.contains("dispatch failure")
                // The second is what the HTTP client says of a connection that was closed under it.
                && (said.contains("io error") || said.contains("client error (SendRequest)"))
            {
                SourceState::Unreachable
            } else {
                SourceState::CredentialsExpired
            }
        }
        _ => SourceState::Failed,
    }
}

fn action_of(api: &str) -> String {
    let service = match api {
        "ListMetrics" | "GetMetricData" => "cloudwatch",
        "GetCallerIdentity" | "AssumeRole" => "sts",
        _ => "logs",
    };
    format!("{service}:{api}")
}

/// SDK error chains repeat themselves over kilobytes; the first part names the cause.
fn shortened(said: &str) -> String {
    const MOST: usize = 400;
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    match said.char_indices().nth(MOST) {
        Some((end, _)) => format!("{} …", &said[..end]),
        None => said,
    }
}
