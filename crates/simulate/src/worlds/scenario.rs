//! What goes wrong in a world.

use std::fmt;

use faultline_core::model::Cause;

/// The main trouble of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scenario {
    /// Nothing but the failures of every day.
    Quiet,
    /// Many 503s at usual load.
    Storm,
    /// Many 503s at a fraction of the usual load.
    LowLoadStorm,
    /// 429s under more load than usual.
    Throttling,
    /// Connections are lost for a few minutes.
    NetworkBlip,
    /// Answers take longer than a NAT gateway waits.
    NatIdle,
    /// The model becomes slower than a client's read timeout allows.
    SlowModel,
    /// One application's answers become longer than its read timeout allows.
    LongAnswers,
    /// The model fails: 424, and some 500.
    ModelErrors,
    /// The model becomes slower, but not so much that clients give up.
    SlowDown,
}

impl Scenario {
    /// Every scenario.
    pub const ALL: [Self; 10] = [
        Self::Quiet,
        Self::Storm,
        Self::LowLoadStorm,
        Self::Throttling,
        Self::NetworkBlip,
        Self::NatIdle,
        Self::SlowModel,
        Self::LongAnswers,
        Self::ModelErrors,
        Self::SlowDown,
    ];

    /// The scenario of this seed when all take turns, among the even seeds as among the odd ones.
    pub fn of_seed(seed: u64) -> Self {
        let turn = usize::try_from(seed / 2 % 10).unwrap_or_default();
        Self::ALL[turn]
    }

    /// The name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Storm => "storm",
            Self::LowLoadStorm => "low-load-storm",
            Self::Throttling => "throttling",
            Self::NetworkBlip => "network-blip",
            Self::NatIdle => "nat-idle",
            Self::SlowModel => "slow-model",
            Self::LongAnswers => "long-answers",
            Self::ModelErrors => "model-errors",
            Self::SlowDown => "slow-down",
        }
    }

    /// The scenario of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.as_str() == name)
    }

    /// What an engineer would call the cause; none where nothing happens that is worth an alert.
    pub const fn cause(self) -> Option<Cause> {
        match self {
            Self::Quiet | Self::SlowDown => None,
            Self::Storm | Self::LowLoadStorm => Some(Cause::ServerCapacity),
            Self::Throttling => Some(Cause::Throttling),
            Self::NetworkBlip | Self::NatIdle => Some(Cause::Network),
            Self::SlowModel | Self::LongAnswers => Some(Cause::ClientTimeout),
            Self::ModelErrors => Some(Cause::ModelError),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
