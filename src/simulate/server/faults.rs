//! What can be made to go wrong, as AWS makes it go wrong.

use std::{collections::HashMap, time::Duration};

use super::{Caller, answer::Fault};

/// What goes wrong now. All of it can be changed while the server runs.
#[derive(Debug, Default)]
pub struct Faults {
    throttled: HashMap<String, u32>,
    denied: Vec<(String, String)>,
    slow: HashMap<String, Duration>,
    failing: HashMap<String, u32>,
    partial: u32,
    expired: bool,
    listed_late: chrono::Duration,
    datapoints_a_page: Option<usize>,
    no_tokens: bool,
}

impl Faults {
    /// The next calls of an operation are answered with a throttling error.
    pub fn throttle(&mut self, operation: &str, calls: u32) {
        self.throttled.insert(operation.to_owned(), calls);
    }

    /// An account's calls of an operation are denied from now on.
    pub fn deny(&mut self, account_id: &str, operation: &str) {
        self.denied.push((account_id.to_owned(), operation.to_owned()));
    }

    /// An account's answers take so long from now on.
    pub fn slow_down(&mut self, account_id: &str, by: Duration) {
        self.slow.insert(account_id.to_owned(), by);
    }

    pub(super) fn delay(&self, caller: &Caller) -> Duration {
        self.slow.get(&caller.account_id).copied().unwrap_or_default()
    }

    /// Nothing is denied any more.
    pub fn allow_all(&mut self) {
        self.denied.clear();
    }

    /// The next calls of an operation end in an internal error.
    pub fn fail(&mut self, operation: &str, calls: u32) {
        self.failing.insert(operation.to_owned(), calls);
    }

    /// The next GetMetricData calls are answered in part.
    pub fn answer_partly(&mut self, calls: u32) {
        self.partial = calls;
    }

    /// ListMetrics shows series so long after their first datapoint; AWS says up to a quarter of an hour.
    pub const fn list_late(&mut self, late: chrono::Duration) {
        self.listed_late = late;
    }

    /// GetMetricData returns so many datapoints a page: one query spans several.
    pub const fn page_datapoints(&mut self, datapoints: usize) {
        self.datapoints_a_page = Some(datapoints);
    }

    pub(super) const fn listed_late(&self) -> chrono::Duration {
        self.listed_late
    }

    pub(super) const fn datapoints_a_page(&self) -> Option<usize> {
        self.datapoints_a_page
    }

    /// Whether credentials have expired.
    pub fn expire_credentials(&mut self, expired: bool) {
        self.expired = expired;
    }

    /// Whether FilterLogEvents cuts a page at its limit of events and gives no token, as emulators do.
    pub fn give_no_tokens(&mut self, none: bool) {
        self.no_tokens = none;
    }

    pub(super) const fn no_tokens(&self) -> bool {
        self.no_tokens
    }

    /// Whether this answer is to be partial.
    pub(super) fn take_partial(&mut self) -> bool {
        let partial = self.partial > 0;
        self.partial = self.partial.saturating_sub(1);
        partial
    }

    pub(super) fn check(&mut self, operation: &str, caller: &Caller) -> Result<(), Fault> {
        let logs = !matches!(operation, "GetMetricData" | "ListMetrics" | "GetCallerIdentity" | "AssumeRole");
        if self.expired {
            let code = if logs { "ExpiredTokenException" } else { "ExpiredToken" };
            return Err(Fault::new(400, code, "The security token included in the request is expired"));
        }
        if self.denied.iter().any(|(account, denied)| *account == caller.account_id && denied == operation) {
            let service = match operation {
                "GetMetricData" | "ListMetrics" => "cloudwatch",
                "GetCallerIdentity" | "AssumeRole" => "sts",
                _ => "logs",
            };
            let message = format!(
                "User: arn:aws:sts::{}:assumed-role/faultline/session is not authorized to perform: \
                 {service}:{operation} because no identity-based policy allows the {service}:{operation} action",
                caller.account_id
            );
            return Err(Fault::new(400, if logs { "AccessDeniedException" } else { "AccessDenied" }, message));
        }
        let take = |left: &mut HashMap<String, u32>| {
            left.get_mut(operation).filter(|left| **left > 0).map(|left| *left -= 1).is_some()
        };
        if take(&mut self.throttled) {
            let code = if logs { "ThrottlingException" } else { "Throttling" };
            return Err(Fault::new(400, code, "Rate exceeded"));
        }
        if take(&mut self.failing) {
            return Err(Fault::new(500, "InternalFailure", "The request processing has failed."));
        }
        Ok(())
    }
}
