//! What tokens cost: a built-in table with its source and date, and the rows that replace it.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::model::{ModelKey, Route, Tokens};

/// The table's file, made by `scripts/prices_from_litellm.py`.
const BUILTIN: &str = include_str!("builtin.json");
const MILLION: f64 = 1e6;

/// One row of the price table: US dollars per million tokens of each kind, for a model by a route. On-demand
/// prices of the default tier; other tiers and regions that differ are rows of one's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PriceRow {
    /// The model's id without routing prefix, or the id of an application inference profile or provisioned model.
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
}

/// Prices by model and route.
#[derive(Debug, Clone, Default)]
pub struct PriceTable(HashMap<(Arc<str>, Route), PriceRow>);

/// Model, route, and dollars per million tokens: input, output, cache read, cache write.
type BuiltinRow = (Arc<str>, Route, f64, f64, Option<f64>, Option<f64>);

#[derive(Deserialize)]
struct Builtin {
    source: Arc<str>,
    as_of: Arc<str>,
    rows: Vec<BuiltinRow>,
}

impl PriceTable {
    /// The prices Faultline comes with. A test keeps the file readable, so that a broken one is never shipped.
    pub fn builtin() -> Self {
        let Ok(Builtin { source, as_of, rows }) = serde_json::from_str(BUILTIN) else { return Self::default() };
        let row = |(model_id, route, input, output, cache_read, cache_write)| PriceRow {
            model_id,
            route,
            input,
            output,
            cache_read,
            cache_write,
            source: Arc::clone(&source),
            as_of: Arc::clone(&as_of),
        };
        Self::default().with_overrides(rows.into_iter().map(row))
    }

    /// The same table with these rows in place of, or beside, its own.
    #[must_use]
    pub fn with_overrides(mut self, rows: impl IntoIterator<Item = PriceRow>) -> Self {
        self.0.extend(rows.into_iter().map(|row| ((Arc::clone(&row.model_id), row.route), row)));
        self
    }

    /// The price of a model by its route. A cross-region route without a price of its own costs what the model costs
    /// in its region, as AWS charges where it lists no other price. `None` where the model is unknown: its tokens
    /// have no price, which is not a price of $0.
    pub fn lookup(&self, model: &ModelKey) -> Option<&PriceRow> {
        let by = |route| self.0.get(&(Arc::clone(&model.model_id), route));
        by(model.route).or_else(|| by(Route::None))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn the_builtin_table_has_the_current_families_and_says_where_from() {
        let table = PriceTable::builtin();
        for model in [
            "anthropic.claude-sonnet-4-20250514-v1:0",
            "anthropic.claude-haiku-4-5-20251001-v1:0",
            "us.anthropic.claude-opus-5",
            "eu.amazon.nova-pro-v1:0",
            "amazon.nova-micro-v1:0",
            "us.meta.llama4-maverick-17b-instruct-v1:0",
            "mistral.mistral-large-2407-v1:0",
        ] {
            let row = table.lookup(&ModelKey::parse(model)).unwrap_or_else(|| panic!("{model} has no price"));
            assert!(row.input > 0.0 && row.output > 0.0 && !row.source.is_empty() && row.as_of.len() == 10, "{row:?}");
        }
    }

    #[test]
    fn a_route_has_its_own_price_where_there_is_one() {
        // FACTS: global. $3 / $15, us. $3.3 / $16.5 a million tokens.
        let table = PriceTable::builtin();
        let of = |name| table.lookup(&ModelKey::parse(name)).map(|row| (row.input, row.output));
        assert_eq!(of("global.anthropic.claude-sonnet-4-5-20250929-v1:0"), Some((3.0, 15.0)));
        assert_eq!(of("us.anthropic.claude-sonnet-4-5-20250929-v1:0"), Some((3.3, 16.5)));
    }

    #[test]
    fn an_unknown_model_has_no_price_rather_than_a_price_of_nothing() {
        assert_eq!(PriceTable::builtin().lookup(&ModelKey::parse("somebody.new-model-v1:0")), None);
        assert_eq!(PriceTable::builtin().lookup(&ModelKey::parse("a1b2c3d4e5f6")), None);
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        let row = PriceRow {
            model_id: "m".into(),
            route: Route::None,
            input: 3.0,
            output: 15.0,
            cache_read: Some(0.3),
            cache_write: None,
            source: "".into(),
            as_of: "".into(),
        };
        let tokens = Tokens { input: 1_000_000, output: 100_000, cache_read: 1_000_000, cache_write: 10_000 };
        assert!((row.cost(&tokens) - (3.0 + 1.5 + 0.3 + 0.03)).abs() < 1e-12);
    }

    #[test]
    fn a_row_of_ones_own_replaces_the_builtin_one() {
        let model = ModelKey::parse("amazon.nova-pro-v1:0");
        let builtin = PriceTable::builtin();
        let own = PriceRow { input: 99.0, ..builtin.lookup(&model).unwrap().clone() };
        assert_eq!(builtin.with_overrides([own.clone()]).lookup(&model), Some(&own));
    }
}
