//! One price, and what tokens cost at it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{Route, Tokens};

const MILLION: f64 = 1e6;

/// The service tier a price is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// On demand, as most calls are.
    #[default]
    Default,
    /// Cheaper, when there is room: half the price.
    Flex,
    /// Before others: 1.75 times the price.
    Priority,
    /// Batch jobs: half the price.
    Batch,
    /// Provisioned throughput: paid by the hour, so that one call more costs nothing and a wasted one neither.
    Provisioned,
}

impl Tier {
    /// Every tier.
    pub const ALL: [Self; 5] = [Self::Default, Self::Flex, Self::Priority, Self::Batch, Self::Provisioned];

    /// As files and the API write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Flex => "flex",
            Self::Priority => "priority",
            Self::Batch => "batch",
            Self::Provisioned => "provisioned",
        }
    }

    /// By how much its prices differ from the default tier's (Amazon Bedrock pricing, "Service tiers").
    pub const fn multiplier(self) -> f64 {
        match self {
            Self::Default => 1.0,
            Self::Flex | Self::Batch => 0.5,
            Self::Priority => 1.75,
            Self::Provisioned => 0.0,
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref)] // the form serde asks for
    const fn is_default(&self) -> bool {
        matches!(self, Self::Default)
    }
}

/// One row of the price table: US dollars per million tokens of each kind, for a model by a route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PriceRow {
    /// The model's id without routing prefix, or the id of an application inference profile or provisioned model.
    pub model_id: Arc<str>,
    /// The route this price holds for.
    pub route: Route,
    /// The region this price holds in; every region without a row of its own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Arc<str>>,
    /// The tier whose price this is.
    #[serde(default, skip_serializing_if = "Tier::is_default")]
    pub tier: Tier,
    /// $ per million input tokens.
    pub input: f64,
    /// $ per million output tokens.
    pub output: f64,
    /// $ per million tokens read from the cache, where the model has one.
    pub cache_read: Option<f64>,
    /// $ per million tokens written to the cache, where the model has one.
    pub cache_write: Option<f64>,
    /// Where the price is from.
    pub source: Arc<str>,
    /// The day it was read there, ISO 8601; empty where nobody said.
    pub as_of: Arc<str>,
}

impl PriceRow {
    /// Dollars for these tokens. Cache tokens of a model without cache prices are priced as input: that is what
    /// they are to a model that has none.
    pub fn cost(&self, tokens: &Tokens) -> f64 {
        #[allow(clippy::cast_precision_loss)] // token counts are far below 2^52
        let dollars = |tokens: u64, per_million: f64| tokens as f64 * per_million / MILLION;
        dollars(tokens.input, self.input)
            + dollars(tokens.output, self.output)
            + dollars(tokens.cache_read, self.cache_read.unwrap_or(self.input))
            + dollars(tokens.cache_write, self.cache_write.unwrap_or(self.input))
    }

    /// The same price in another tier. One that is paid by the hour stays what it is.
    #[must_use]
    pub fn in_tier(mut self, tier: Tier) -> Self {
        if self.tier == Tier::Provisioned {
            return self;
        }
        let factor = tier.multiplier() / self.tier.multiplier();
        self.input *= factor;
        self.output *= factor;
        self.cache_read = self.cache_read.map(|price| price * factor);
        self.cache_write = self.cache_write.map(|price| price * factor);
        self.tier = tier;
        self
    }

    /// Calls of this model are paid by the hour, whatever they do: each costs $0 more.
    pub fn provisioned(model_id: Arc<str>, source: Arc<str>) -> Self {
        Self {
            model_id,
            route: Route::None,
            region: None,
            tier: Tier::Provisioned,
            input: 0.0,
            output: 0.0,
            cache_read: None,
            cache_write: None,
            source,
            as_of: "".into(),
        }
    }
}
