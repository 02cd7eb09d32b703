//! What went wrong with a call, in the words a person on call needs.

use std::error::Error as _;

use aws_credential_types::provider::error::CredentialsError;
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
        // The credentials chain fails before anything is sent; AssumeRole's own refusal is in its message.
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) if is_of_credentials(error.source()) => {
            if format!("{}", DisplayErrorContext(error)).contains("AccessDenied") {
                SourceState::AccessDenied
            } else {
                SourceState::CredentialsExpired
            }
        }
        SdkError::DispatchFailure(_) => SourceState::Unreachable,
        _ => SourceState::Failed,
    }
}

/// Whether finding credentials is what failed, and not the call itself.
fn is_of_credentials(source: Option<&(dyn std::error::Error + 'static)>) -> bool {
    source.is_some_and(|error| error.is::<CredentialsError>() || is_of_credentials(error.source()))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use aws_credential_types::{
        Credentials,
        provider::{self, SharedCredentialsProvider, future::ProvideCredentials},
    };
    use tokio::net::TcpListener;

    use super::*;
    use crate::aws::{Access, BaseConfig, meter::ApiMeter};

    /// How a call to this endpoint fails.
    async fn failure_at(endpoint_url: String, credentials: SharedCredentialsProvider) -> CallError {
        let base = BaseConfig::with_credentials(credentials, ApiMeter::default()).await;
        let access = Access { endpoint_url: Some(endpoint_url), ..Default::default() };
        base.clients(&access, "us-east-1").await.account_id().await.unwrap_err()
    }

    fn valid() -> SharedCredentialsProvider {
        SharedCredentialsProvider::new(Credentials::new("AKIA", "secret", None, None, "test"))
    }

    #[tokio::test]
    async fn a_connection_that_is_closed_under_the_call_is_unreachable_and_not_a_matter_of_credentials() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let closing = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let error = failure_at(endpoint, valid()).await;
        closing.abort();
        assert_eq!(error.state, SourceState::Unreachable, "{error}");
    }

    #[tokio::test]
    async fn a_port_where_nobody_listens_is_unreachable() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = failure_at(endpoint, valid()).await;
        assert_eq!(error.state, SourceState::Unreachable, "{error}");
    }

    #[derive(Debug)]
    struct Missing;

    impl provider::ProvideCredentials for Missing {
        fn provide_credentials<'a>(&'a self) -> ProvideCredentials<'a>
        where
            Self: 'a,
        {
            ProvideCredentials::ready(Err(CredentialsError::not_loaded("none here")))
        }
    }

    #[tokio::test]
    async fn credentials_that_cannot_be_had_are_named_as_what_is_missing() {
        let error = failure_at("http://127.0.0.1:9".to_owned(), SharedCredentialsProvider::new(Missing)).await;
        assert_eq!(error.state, SourceState::CredentialsExpired, "{error}");
        assert!(error.detail.contains("valid AWS credentials"), "{error}");
    }
}
