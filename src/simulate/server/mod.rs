//! The simulated AWS's HTTP face: one endpoint for CloudWatch (rpc-v2-cbor), CloudWatch Logs (awsJson1.1) and STS
//! (awsQuery), told apart as AWS's own SDKs tell them apart.
//!
//! The account is known by the access key, the region by the credential scope of the signature. Signatures are not
//! verified: what is tested here is the reader, not its cryptography.

mod answer;
mod cbor;
mod cloudwatch;
#[cfg(test)]
pub(crate) mod direct;
mod faults;
mod logs;
mod pattern;
mod sts;

use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

use self::answer::{Fault, Protocol};
pub use self::faults::Faults;
use super::store::Store;
use crate::clock::Clock;

/// The access key of the demo and of tests that do not care.
pub const ACCESS_KEY: &str = "AKIAFAULTLINEDEMO000";

/// A role that can be assumed.
#[derive(Debug, Clone)]
struct Role {
    account_id: String,
    external_id: Option<String>,
}

/// Who is calling, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Caller {
    account_id: String,
    region: String,
}

/// Every simulated account behind one endpoint.
#[derive(Debug)]
pub struct Aws {
    clock: Clock,
    state: Mutex<AwsState>,
}

#[derive(Debug, Default)]
struct AwsState {
    stores: HashMap<Caller, Store>,
    /// Access key to account.
    keys: HashMap<String, String>,
    roles: HashMap<String, Role>,
    faults: Faults,
    calls: BTreeMap<String, u64>,
    metrics_requested: u64,
    /// When FilterLogEvents was called within the last second, by caller: in real time, which the calls take, also
    /// where the account's own time stands still.
    filter_calls: HashMap<Caller, Vec<Instant>>,
    /// Counts FilterLogEvents pages, to slip in an empty one now and then.
    filter_pages: u64,
    log_bytes_served: u64,
}

impl Aws {
    /// One account, known by [`ACCESS_KEY`].
    pub fn new(clock: Clock, account_id: &str) -> Self {
        let state =
            AwsState { keys: HashMap::from([(ACCESS_KEY.to_owned(), account_id.to_owned())]), ..AwsState::default() };
        Self { clock, state: Mutex::new(state) }
    }

    /// A role of some account that [`ACCESS_KEY`] may assume.
    pub fn add_role(&self, arn: &str, account_id: &str, external_id: Option<&str>) {
        let role = Role { account_id: account_id.to_owned(), external_id: external_id.map(str::to_owned) };
        self.lock().roles.insert(arn.to_owned(), role);
    }

    /// Changes what an account holds in a region.
    pub fn with_store<T>(&self, account_id: &str, region: &str, change: impl FnOnce(&mut Store) -> T) -> T {
        let caller = Caller { account_id: account_id.to_owned(), region: region.to_owned() };
        change(self.lock().stores.entry(caller).or_default())
    }

    /// Changes what goes wrong.
    pub fn with_faults<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        change(&mut self.lock().faults)
    }

    /// How often an operation was called, also when it was refused.
    pub fn calls(&self, operation: &str) -> u64 {
        self.lock().calls.get(operation).copied().unwrap_or(0)
    }

    /// How many metrics GetMetricData was asked for: what AWS charges for.
    pub fn metrics_requested(&self) -> u64 {
        self.lock().metrics_requested
    }

    /// How many bytes of log events were returned.
    pub fn log_bytes_served(&self) -> u64 {
        self.lock().log_bytes_served
    }

    fn lock(&self) -> MutexGuard<'_, AwsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, headers: &HeaderMap, uri: &Uri, body: &[u8]) -> Response {
        let (delay, response) = self.answer_now(headers, uri, body);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        response
    }

    /// The answer, and how late it comes.
    fn answer_now(&self, headers: &HeaderMap, uri: &Uri, body: &[u8]) -> (Duration, Response) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (protocol, operation) = if text("smithy-protocol") == "rpc-v2-cbor" {
            (Protocol::Cbor, uri.path().rsplit('/').next().unwrap_or_default().to_owned())
        } else if let Some(operation) = text("x-amz-target").strip_prefix("Logs_20140328.") {
            (Protocol::Json, operation.to_owned())
        } else {
            (Protocol::Query, sts::action(body))
        };
        let mut state = self.lock();
        *state.calls.entry(operation.clone()).or_default() += 1;
        let now = self.clock.now();
        let mut delay = Duration::ZERO;
        let answered = state.caller(text("authorization")).and_then(|caller| {
            delay = state.faults.delay(&caller);
            state.faults.check(&operation, &caller)?;
            match protocol {
                Protocol::Cbor => cloudwatch::answer(&mut state, &caller, &operation, body, now),
                Protocol::Json => logs::answer(&mut state, &caller, &operation, body, now),
                Protocol::Query => sts::answer(&mut state, &caller, body),
            }
        });
        drop(state);
        (delay, answer::response(protocol, answered))
    }
}

impl AwsState {
    /// From `AWS4-HMAC-SHA256 Credential=KEY/date/region/service/aws4_request, …`.
    fn caller(&self, authorization: &str) -> Result<Caller, Fault> {
        let scope = authorization.split_once("Credential=").map(|(_, rest)| rest.split(',').next().unwrap_or_default());
        let parts: Vec<_> = scope.unwrap_or_default().split('/').collect();
        let [key, _, region, _, "aws4_request"] = parts[..] else {
            return Err(Fault::new(403, "MissingAuthenticationToken", "Missing Authentication Token"));
        };
        let account_id = self.keys.get(key).cloned().ok_or_else(|| {
            Fault::new(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        })?;
        Ok(Caller { account_id, region: region.to_owned() })
    }

    fn store(&mut self, caller: &Caller) -> &Store {
        self.stores.entry(caller.clone()).or_default()
    }
}

/// Answers until stopped.
pub async fn serve(listener: TcpListener, aws: Arc<Aws>, stop: CancellationToken) -> io::Result<()> {
    let handle = |State(aws): State<Arc<Aws>>, headers: HeaderMap, uri: Uri, body: Bytes| async move {
        aws.answer(&headers, &uri, &body).await
    };
    let router = Router::new().fallback(handle).with_state(aws);
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

#[cfg(test)]
mod tests;
