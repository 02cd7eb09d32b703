//! What goes wrong, where, and how often.

use chrono::Duration;
use faultline_core::model::{Cause, Time};

/// How calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// 503: Bedrock has no capacity. A share of these was metered before it failed.
    Capacity,
    /// 429: above the quota.
    Throttling,
    /// Answers take longer, and some longer than their clients wait.
    Slow,
    /// The network resets connections.
    Reset,
    /// A NAT gateway forgets connections that are idle for 350 s.
    NatIdle,
    /// 424.
    ModelError,
    /// 500.
    Internal,
}

impl Mechanism {
    /// The cause that a diagnosis should name.
    pub const fn cause(self) -> Cause {
        match self {
            Self::Capacity => Cause::ServerCapacity,
            Self::Throttling => Cause::Throttling,
            Self::Slow => Cause::ClientTimeout,
            Self::Reset | Self::NatIdle => Cause::Network,
            Self::ModelError | Self::Internal => Cause::ModelError,
        }
    }
}

/// A run of failures.
#[derive(Debug, Clone)]
pub struct Incident {
    /// How calls fail.
    pub mechanism: Mechanism,
    /// Its first moment.
    pub from: Time,
    /// Its last.
    pub until: Time,
    /// Only calls of this application; all of them where there is none.
    pub application: Option<&'static str>,
    /// The share of attempts that it hits.
    pub share: f64,
}

impl Incident {
    pub(super) fn hits(&self, at: Time, application: &str) -> bool {
        (self.from..self.until).contains(&at) && self.application.is_none_or(|name| name == application)
    }
}

/// From one small incident to the next.
const EVERY_SECONDS: i64 = 180;
/// How long each is.
const LASTS: Duration = Duration::seconds(40);

/// Small incidents that come again every three minutes, in turn.
#[derive(Debug, Clone)]
pub struct Recurring {
    /// The first one's first moment.
    pub from: Time,
    /// Mechanism, application (all where there is none) and share of each.
    pub turn: Vec<(Mechanism, Option<&'static str>, f64)>,
}

impl Recurring {
    /// The incident whose turn it is.
    pub(super) fn at(&self, at: Time) -> Option<Incident> {
        let index = usize::try_from((at - self.from).num_seconds().checked_div_euclid(EVERY_SECONDS)?).ok()?;
        let (mechanism, application, share) = *self.turn.get(index.checked_rem(self.turn.len())?)?;
        let from = self.from + Duration::seconds(EVERY_SECONDS * i64::try_from(index).ok()?);
        Some(Incident { mechanism, from, until: from + LASTS, application, share })
    }
}
