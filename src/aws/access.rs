//! Whose credentials a cell is read with, and the SDK clients that follow from them.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, Region, SdkConfig, retry::RetryConfig, sts::AssumeRoleProvider, timeout::TimeoutConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::{CallError, Caller, limits::AllLimits, meter::ApiMeter};

/// How one region of one account is reached: ambient credentials when there is no role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Access {
    /// The role to assume.
    pub role_arn: Option<String>,
    /// The external id its trust policy asks for.
    pub external_id: Option<String>,
    /// Another endpoint for every service: emulators, private endpoints.
    pub endpoint_url: Option<String>,
}

/// What all cells share: ambient credentials, one HTTP client, the API meter.
#[derive(Debug, Clone)]
pub struct BaseConfig {
    sdk: SdkConfig,
    meter: ApiMeter,
    limits: AllLimits,
}

impl BaseConfig {
    /// Reads AWS's environment variables and profiles. Credentials are only resolved at the first call, so this
    /// does not fail where there are none: the cells that need them will say so.
    pub async fn from_environment(meter: ApiMeter) -> Self {
        Self::new(aws_config::defaults(BehaviorVersion::latest()), https(), meter).await
    }

    /// With these credentials instead of ambient ones.
    pub async fn with_credentials(credentials: SharedCredentialsProvider, meter: ApiMeter) -> Self {
        Self::with_http(credentials, https(), meter).await
    }

    /// With these credentials, over this HTTP client.
    pub(crate) async fn with_http(
        credentials: SharedCredentialsProvider,
        http: SharedHttpClient,
        meter: ApiMeter,
    ) -> Self {
        Self::new(aws_config::defaults(BehaviorVersion::latest()).credentials_provider(credentials), http, meter).await
    }

    async fn new(loader: aws_config::ConfigLoader, http: SharedHttpClient, meter: ApiMeter) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(Duration::from_secs(30))
            .operation_timeout(Duration::from_secs(90))
            .build();
        let sdk = loader
            // Every cell names its own: without one here, the environment would be searched for it.
            .region(Region::from_static("us-east-1"))
            .http_client(http)
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(timeouts)
            .load()
            .await;
        Self { sdk, meter, limits: AllLimits::default() }
    }

    /// The clients for one region with this access.
    pub async fn clients(&self, access: &Access, region: &str) -> RegionClients {
        let mut builder = self.sdk.to_builder().region(Region::new(region.to_owned()));
        if let Some(url) = &access.endpoint_url {
            builder = builder.endpoint_url(url);
        }
        let mut sdk = builder.build();
        if let Some(role) = &access.role_arn {
            let mut provider = AssumeRoleProvider::builder(role).session_name("faultline").configure(&sdk);
            if let Some(id) = &access.external_id {
                provider = provider.external_id(id);
            }
            let provider = SharedCredentialsProvider::new(provider.build().await);
            // The role's credentials must not come from the ambient identity's cache.
            let cache = aws_config::identity::IdentityCache::lazy().build();
            sdk = sdk.into_builder().credentials_provider(provider).identity_cache(cache).build();
        }
        RegionClients {
            cloudwatch: aws_sdk_cloudwatch::Client::new(&sdk),
            logs: aws_sdk_cloudwatchlogs::Client::new(&sdk),
            sts: aws_sdk_sts::Client::new(&sdk),
            caller: Caller::new(self.meter.clone(), self.limits.of(access, region)),
        }
    }
}

fn https() -> SharedHttpClient {
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// The clients of one account and region; clones share connections, credentials and limits.
#[derive(Debug, Clone)]
pub struct RegionClients {
    /// CloudWatch metrics.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    sts: aws_sdk_sts::Client,
    /// Limits and counts every call.
    pub caller: Caller,
}

impl RegionClients {
    /// The twelve digits of the account the credentials belong to.
    pub async fn account_id(&self) -> Result<String, CallError> {
        let answer = self.caller.call("GetCallerIdentity", 0.0, self.sts.get_caller_identity().send()).await?;
        answer.account.ok_or_else(|| CallError::answer("GetCallerIdentity", "STS named no account"))
    }
}
