//! One way for every call to AWS: wait for the limiter, send, count, classify.

use std::{future::Future, sync::Arc};

use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};

use super::{
    CallError, Limits,
    meter::{ApiMeter, CallOutcome},
};

/// Limits and counts the calls of one account and region. Clones share both.
#[derive(Debug, Clone)]
pub struct Caller {
    meter: ApiMeter,
    limits: Arc<Limits>,
}

impl Caller {
    /// With this meter and these limits.
    pub const fn new(meter: ApiMeter, limits: Arc<Limits>) -> Self {
        Self { meter, limits }
    }

    /// Waits until CloudWatch may return so many datapoints more.
    pub async fn datapoints(&self, count: usize) {
        self.limits.datapoints(count).await;
    }

    /// Sends `request` (an SDK operation's future, which does nothing before it is awaited) as `api`, which costs
    /// `cost_usd` when it is answered.
    pub async fn call<T, E, R>(
        &self,
        api: &'static str,
        cost_usd: f64,
        request: impl Future<Output = Result<T, SdkError<E, R>>>,
    ) -> Result<T, CallError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        self.limits.ready(api).await;
        match Box::pin(request).await {
            Ok(answer) => {
                self.meter.record(api, CallOutcome::Ok, cost_usd);
                Ok(answer)
            }
            Err(error) => {
                let error = CallError::from_sdk(api, &error);
                self.meter.record(api, error.outcome(), 0.0);
                Err(error)
            }
        }
    }
}
