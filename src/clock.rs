//! The time, passed in: the daemon gives the system's, tests one that stands still or is moved.

use std::{fmt, sync::Arc};

use chrono::Utc;
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

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}
