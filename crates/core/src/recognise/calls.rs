//! What a stream tells of a call that is under way: SDKs' retry lines and botocore's debug log. They are no failures;
//! the failure that ends the call takes what they say with it.

use super::extract;

/// The call under way, as far as its client logs it.
#[derive(Debug, Default)]
pub(super) struct Calls {
    retries: u32,
    /// The limit a client said it has reached.
    reached: Option<u32>,
    request_id: Option<String>,
    /// Requests sent and not yet answered or made again.
    outstanding: u32,
    /// Several calls are told of at once, and nothing tells which line is whose.
    mixed: bool,
    answered_well: bool,
}

/// What the failure that ends a call takes from its log.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Told {
    pub(super) attempts: Option<u32>,
    pub(super) request_id: Option<String>,
}

impl Calls {
    /// Reads a line that decides nothing.
    pub(super) fn note(&mut self, text: &str) {
        if text.contains("Retrying request") || text.contains("Retry needed") {
            if self.answered_well {
                *self = Self::default();
            }
            self.retries = self.retries.saturating_add(1);
            self.outstanding = 0;
            self.request_id = None;
        } else if let Some(at) = text.find("Max attempts of ") {
            let rest = &text[at + "Max attempts of ".len()..];
            self.reached = rest.split(' ').next().and_then(|count| count.parse().ok());
        } else if text.contains("Making request for OperationModel") {
            let mixed = self.outstanding > 0;
            *self = Self { mixed, ..Self::default() };
        } else if text.contains("Sending http request") {
            self.mixed |= self.outstanding > 0;
            self.outstanding += 1;
            self.request_id = None;
        } else if text.contains("Response headers:") {
            let lower = text.to_ascii_lowercase();
            if let Some(at) = lower.find("x-amzn-requestid") {
                self.outstanding = 0;
                let id = extract::value(text, at + "x-amzn-requestid".len());
                self.request_id = id.filter(|id| id.len() == 36).map(ToOwned::to_owned);
            }
        } else if text.contains("1.1 200 OK") {
            self.answered_well = true;
        }
    }

    /// Ends the call. A failure before the answer cannot belong to a call that was answered well.
    pub(super) fn end(&mut self, mid_stream: bool) -> Told {
        let calls = std::mem::take(self);
        if calls.answered_well && !mid_stream {
            return Told::default();
        }
        let counted = (calls.retries > 0).then(|| calls.retries.saturating_add(1));
        Told {
            attempts: if calls.mixed { None } else { calls.reached.or(counted) },
            request_id: calls.request_id.filter(|_| !calls.mixed),
        }
    }
}
