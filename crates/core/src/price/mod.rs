//! What tokens cost: a built-in table with its source and date, and the rows that replace it.

mod row;

use std::{collections::HashMap, sync::Arc};

use serde::Deserialize;

pub use self::row::{PriceRow, Tier};
use crate::model::{ModelKey, Route};

/// The table's file, made by `scripts/prices_from_litellm.py`.
const BUILTIN: &str = include_str!("builtin.json");

/// Prices by model and route, and within these by region.
#[derive(Debug, Clone, Default)]
pub struct PriceTable(HashMap<(Arc<str>, Route), Vec<PriceRow>>);

/// Model, route, region (`null`: every other), and dollars per million tokens: input, output, cache read, cache write.
type BuiltinRow = (Arc<str>, Route, Option<Arc<str>>, f64, f64, Option<f64>, Option<f64>);

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
        let row = |(model_id, route, region, input, output, cache_read, cache_write)| PriceRow {
            model_id,
            route,
            region,
            tier: Tier::Default,
            input,
            output,
            cache_read,
            cache_write,
            source: Arc::clone(&source),
            as_of: Arc::clone(&as_of),
        };
        Self::default().with_overrides(rows.into_iter().map(row))
    }

    /// The same table with these rows in place of, or beside, its own. A row without a region takes the place of every
    /// region's.
    #[must_use]
    pub fn with_overrides(mut self, rows: impl IntoIterator<Item = PriceRow>) -> Self {
        let mut replaced: Vec<(Arc<str>, Route)> = Vec::new();
        let mut rows: Vec<PriceRow> = rows.into_iter().collect();
        // Those for every region first: they clear the place that regions' rows of the same file then fill.
        rows.sort_by_key(|row| row.region.is_some());
        for row in rows {
            let key = (Arc::clone(&row.model_id), row.route);
            let known = self.0.entry(key.clone()).or_default();
            if row.region.is_none() && !replaced.contains(&key) {
                known.clear();
                replaced.push(key);
            }
            known.retain(|other| other.region != row.region);
            known.push(row);
        }
        self
    }

    /// The price of a model by its route, in a region. A cross-region route without a price of its own costs what the
    /// model costs in its region, as AWS charges where it lists no other price. `None` where the model is unknown: its
    /// tokens have no price, which is not a price of $0.
    pub fn lookup(&self, model: &ModelKey, region: &str) -> Option<&PriceRow> {
        let by = |route| {
            let rows = self.0.get(&(Arc::clone(&model.model_id), route))?;
            let of = |region: Option<&str>| rows.iter().find(|row| row.region.as_deref() == region);
            of(Some(region)).or_else(|| of(None))
        };
        by(model.route).or_else(|| by(Route::None))
    }

    /// The rows of a model, as those of another name that its calls go by: an application inference profile, or a
    /// custom name of a provisioned model. Empty where the model is unknown.
    pub fn rows_as(&self, model: &ModelKey, name: &Arc<str>) -> Vec<PriceRow> {
        let of = |route| self.0.get(&(Arc::clone(&model.model_id), route));
        let rows = of(model.route).or_else(|| of(Route::None)).into_iter().flatten();
        rows.map(|row| PriceRow { model_id: Arc::clone(name), route: Route::None, ..row.clone() }).collect()
    }
}

#[cfg(test)]
mod tests;
