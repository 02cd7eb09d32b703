//! How each source is doing: the same health for every kind, written by the source, read by the exporter.

use std::sync::{Arc, Mutex, PoisonError};

use faultline_core::model::{Cell, Time};
use serde::Serialize;

/// What kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// CloudWatch metrics.
    Metrics,
    /// Application logs.
    Logs,
    /// The model invocation log.
    Invocations,
}

impl SourceKind {
    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Invocations => "invocations",
        }
    }
}

/// What a source last met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceState {
    /// Not yet asked.
    Starting,
    /// Data came.
    Ok,
    /// Asked well, and nothing happened.
    NoTraffic,
    /// Asked well, and there is nothing of this name to watch.
    NothingDiscovered,
    /// IAM refused.
    AccessDenied,
    /// AWS asked to slow down.
    Throttled,
    /// Some of the answer is missing.
    Partial,
    /// No answer.
    Unreachable,
    /// The credentials are no longer valid, or there are none.
    CredentialsExpired,
    /// Anything else that failed, a panic included.
    Failed,
}

/// What a source's calls may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// US dollars a month.
    pub usd_per_month: f64,
    /// Whether it makes the source slower than configured.
    pub limited: bool,
}

impl SourceState {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::Starting,
        Self::Ok,
        Self::NoTraffic,
        Self::NothingDiscovered,
        Self::AccessDenied,
        Self::Throttled,
        Self::Partial,
        Self::Unreachable,
        Self::CredentialsExpired,
        Self::Failed,
    ];

    /// The label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ok => "ok",
            Self::NoTraffic => "no_traffic",
            Self::NothingDiscovered => "nothing_discovered",
            Self::AccessDenied => "access_denied",
            Self::Throttled => "throttled",
            Self::Partial => "partial",
            Self::Unreachable => "unreachable",
            Self::CredentialsExpired => "credentials_expired",
            Self::Failed => "failed",
        }
    }

    /// Whether the source works: `faultline_source_up`.
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Ok | Self::NoTraffic | Self::NothingDiscovered | Self::Partial)
    }
}

/// The health of one source of one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceStatus {
    /// Whose.
    pub cell: Cell,
    /// Which.
    pub kind: SourceKind,
    /// What it last met.
    pub state: SourceState,
    /// One sentence for a person: what is wrong and what to do. Empty when all is well.
    pub detail: String,
    /// When a pass last ended well.
    pub last_success: Option<Time>,
    /// The newest data seen.
    pub newest_data: Option<Time>,
    /// When it will ask next.
    pub next_poll: Option<Time>,
    /// How long a minute takes to settle, metrics only.
    pub settle_seconds: Option<f64>,
    /// What its calls may cost, where they cost something.
    pub budget: Option<Budget>,
    /// Times the source was restarted after an error or a panic.
    pub restarts: u64,
    /// Log events that were seen to have arrived later than the overlap, logs and invocations only.
    pub missed_events: u64,
}

/// The handle a source reports through. Clones share one status.
#[derive(Debug, Clone)]
pub struct StatusHandle(Arc<Mutex<SourceStatus>>);

impl StatusHandle {
    /// Changes the status in place.
    pub fn update(&self, change: impl FnOnce(&mut SourceStatus)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The status as it is now.
    pub fn get(&self) -> SourceStatus {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Every source's status, in the order the sources were added.
#[derive(Debug, Clone, Default)]
pub struct StatusBoard(Arc<Mutex<Vec<StatusHandle>>>);

impl StatusBoard {
    /// Adds a source, `Starting`.
    pub fn add(&self, cell: Cell, kind: SourceKind) -> StatusHandle {
        let handle = StatusHandle(Arc::new(Mutex::new(SourceStatus {
            cell,
            kind,
            state: SourceState::Starting,
            detail: String::new(),
            last_success: None,
            newest_data: None,
            next_poll: None,
            settle_seconds: None,
            budget: None,
            restarts: 0,
            missed_events: 0,
        })));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(handle.clone());
        handle
    }

    /// A copy of all.
    pub fn all(&self) -> Vec<SourceStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(StatusHandle::get).collect()
    }
}
