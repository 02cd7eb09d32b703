//! The simulated AWS without sockets: the SDK's requests are answered in the same task, so that a test may let
//! Tokio's paused clock run and measure what waits for what, to the millisecond.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::body::SdkBody;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::{ACCESS_KEY, Aws};
use crate::aws::{BaseConfig, meter::ApiMeter};

/// What the daemon reaches AWS with.
pub(crate) async fn base(aws: &Arc<Aws>) -> BaseConfig {
    let connector = SharedHttpConnector::new(Direct(Arc::clone(aws)));
    let http: SharedHttpClient = http_client_fn(move |_, _| connector.clone());
    let credentials = Credentials::new(ACCESS_KEY, "simulated", None, None, "test");
    BaseConfig::with_http(SharedCredentialsProvider::new(credentials), http, ApiMeter::default()).await
}

#[derive(Debug)]
struct Direct(Arc<Aws>);

impl HttpConnector for Direct {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let aws = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let mut headers = HeaderMap::new();
            for (name, value) in request.headers() {
                headers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
            }
            let uri: Uri = request.uri().parse().unwrap();
            let body = request.body().bytes().unwrap_or_default().to_vec();
            let (parts, body) = aws.answer(&headers, &uri, &body).await.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let status = parts.status.as_u16().try_into().unwrap();
            let mut response = HttpResponse::new(status, SdkBody::from(body.to_vec()));
            for (name, value) in &parts.headers {
                response.headers_mut().insert(name.as_str().to_owned(), value.to_str().unwrap().to_owned());
            }
            Ok(response)
        })
    }
}
