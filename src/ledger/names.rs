//! What repeats in rows is written once and named by a number: texts, cells, and series of metrics.

use std::{collections::HashMap, sync::Arc};

use faultline_core::model::{Cell, Metric, ModelKey};
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction};

use super::LedgerError;

/// More than this many are forgotten and asked for again, so that streams that come and go do not pile up.
const MOST_KEPT: usize = 200_000;

/// A series of metrics: the cell, the model (or all models together), and the metric.
type SeriesKey = (Cell, Option<ModelKey>, Metric);

/// The writer's side: gives numbers out.
#[derive(Debug, Default)]
pub(super) struct Names {
    texts: HashMap<Box<str>, i64>,
    cells: HashMap<Cell, i64>,
    series: HashMap<SeriesKey, i64>,
}

impl Names {
    /// Numbers given out in a transaction that failed are no one's: they are asked for again.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Keeps what is held within bounds; between transactions.
    pub(super) fn trim(&mut self) {
        if self.texts.len() > MOST_KEPT || self.series.len() > MOST_KEPT {
            self.forget();
        }
    }

    pub(super) fn text(&mut self, transaction: &Transaction<'_>, text: &str) -> Result<i64, LedgerError> {
        if let Some(id) = self.texts.get(text) {
            return Ok(*id);
        }
        let id = number(
            transaction,
            "SELECT id FROM texts WHERE text = ?1",
            "INSERT INTO texts (text) VALUES (?1)",
            &[&text],
        )?;
        self.texts.insert(text.into(), id);
        Ok(id)
    }

    pub(super) fn maybe(
        &mut self,
        transaction: &Transaction<'_>,
        text: Option<&str>,
    ) -> Result<Option<i64>, LedgerError> {
        text.map(|text| self.text(transaction, text)).transpose()
    }

    pub(super) fn cell(&mut self, transaction: &Transaction<'_>, cell: &Cell) -> Result<i64, LedgerError> {
        if let Some(id) = self.cells.get(cell) {
            return Ok(*id);
        }
        let id = number(
            transaction,
            "SELECT id FROM cells WHERE account_id = ?1 AND region = ?2",
            "INSERT INTO cells (account_id, region) VALUES (?1, ?2)",
            &[&&*cell.account_id, &&*cell.region],
        )?;
        self.cells.insert(cell.clone(), id);
        Ok(id)
    }

    pub(super) fn series(
        &mut self,
        transaction: &Transaction<'_>,
        cell: &Cell,
        model: Option<&ModelKey>,
        metric: Metric,
    ) -> Result<i64, LedgerError> {
        let key = (cell.clone(), model.cloned(), metric);
        if let Some(id) = self.series.get(&key) {
            return Ok(*id);
        }
        let (model_id, route) = model.map_or(("", ""), |model| (&*model.model_id, model.route.as_str()));
        let cell = self.cell(transaction, cell)?;
        let model = self.text(transaction, model_id)?;
        let route = self.text(transaction, route)?;
        let name = self.text(transaction, metric.as_str())?;
        let id = number(
            transaction,
            "SELECT id FROM series WHERE cell = ?1 AND model = ?2 AND route = ?3 AND metric = ?4",
            "INSERT INTO series (cell, model, route, metric) VALUES (?1, ?2, ?3, ?4)",
            &[&cell, &model, &route, &name],
        )?;
        self.series.insert(key, id);
        Ok(id)
    }
}

fn number(
    transaction: &Transaction<'_>,
    select: &str,
    insert: &str,
    values: &[&dyn ToSql],
) -> Result<i64, LedgerError> {
    let known = transaction.prepare_cached(select)?.query_row(values, |row| row.get(0)).optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    transaction.prepare_cached(insert)?.execute(values)?;
    Ok(transaction.last_insert_rowid())
}

/// The reader's side: what the numbers stand for. Numbers are never given to another text while a reader lives.
#[derive(Debug, Default)]
pub(super) struct Meanings {
    texts: HashMap<i64, Arc<str>>,
    cells: HashMap<i64, Cell>,
}

impl Meanings {
    pub(super) fn text(&mut self, connection: &Connection, id: i64) -> Result<Arc<str>, LedgerError> {
        if let Some(text) = self.texts.get(&id) {
            return Ok(Arc::clone(text));
        }
        if self.texts.len() > MOST_KEPT {
            self.texts.clear();
        }
        let text: Arc<str> =
            connection.prepare_cached("SELECT text FROM texts WHERE id = ?1")?.query_row([id], |row| row.get(0))?;
        self.texts.insert(id, Arc::clone(&text));
        Ok(text)
    }

    pub(super) fn maybe(&mut self, connection: &Connection, id: Option<i64>) -> Result<Option<Arc<str>>, LedgerError> {
        id.map(|id| self.text(connection, id)).transpose()
    }

    pub(super) fn cell(&mut self, connection: &Connection, id: i64) -> Result<Cell, LedgerError> {
        if let Some(cell) = self.cells.get(&id) {
            return Ok(cell.clone());
        }
        let cell = connection
            .prepare_cached("SELECT account_id, region FROM cells WHERE id = ?1")?
            .query_row([id], |row| Ok(Cell { account_id: row.get(0)?, region: row.get(1)? }))?;
        self.cells.insert(id, cell.clone());
        Ok(cell)
    }
}
