//! What tokens cost.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{ModelKey, Route, Tokens};

/// One row of the price table: US dollars per million tokens of each kind, for a model by a route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PriceRow {
    /// The model's id without routing prefix.
    pub model_id: Arc<str>,
    /// The route this price holds for.
    pub route: Route,
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
    /// The day it was read there, ISO 8601.
    pub as_of: Arc<str>,
}
