//! Where Bedrock is watched.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::ModelKey;

/// One AWS account and region whose Bedrock is watched: the unit of polling, of state and of scale-out.
/// Everything that is joined is joined inside a cell.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// Twelve digits.
    pub account_id: Arc<str>,
    /// The region's code, such as `us-east-1`.
    pub region: Arc<str>,
}

impl Cell {
    /// A cell of this account and region.
    pub fn new(account_id: &str, region: &str) -> Self {
        Self { account_id: account_id.into(), region: region.into() }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account_id, self.region)
    }
}

/// A model, by its route, in a cell.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    /// Whose Bedrock.
    pub cell: Cell,
    /// Which model, and through which routing prefix.
    pub model: ModelKey,
}
