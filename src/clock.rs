//! The time, passed in: the daemon gives the system's, tests one that stands still or is moved.

use std::{fmt, sync::Arc};

use chrono::{DateTime, Duration, Utc};
use faultline_core::model::Time;

/// Tells the time. Clones tell the same.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Time + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::new(Utc::now)
    }

    /// A clock of one's own.
    pub fn new(tell: impl Fn() -> Time + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// The time now.
    pub fn now(&self) -> Time {
        (self.0)()
    }
}

/// A time as people write it: RFC 3339, or a duration back from `now`; else what is wrong with it.
pub fn time_or_age(text: &str, now: Time) -> Result<Time, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    let age = humantime::parse_duration(text).ok().and_then(|age| Duration::from_std(age).ok());
    age.and_then(|age| now.checked_sub_signed(age)).ok_or_else(|| {
        format!("`{text}` is neither a time such as 2026-05-01T12:00:00Z nor a duration back from now such as 6h")
    })
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
