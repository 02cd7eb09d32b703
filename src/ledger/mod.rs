//! The durable store: findings, incidents, failures, counters and cursors in one SQLite file.
//!
//! Everything is written by natural key in one transaction per commit, so repeating anything is harmless, and what
//! counters grow by is decided inside the transaction that first stores a row.

mod aggregates;
mod change;
mod commit;
mod counters;
mod coverage;
mod error;
mod failure_rows;
mod finding_json;
mod finding_rows;
mod incidents;
mod lock;
mod minute_rows;
mod names;
mod reader;
mod retention;
mod schema;

use std::{collections::BTreeSet, path::Path, sync::Arc};

use chrono::{DateTime, Duration};
use faultline_core::{
    model::{Scope, Time},
    price::PriceTable,
};
use rusqlite::Connection;

pub use self::{
    aggregates::{FailuresTally, FindingsTally, Usage},
    change::Change,
    counters::{Counter, CounterRow},
    coverage::{Covered, SourceSeen, StateSpan},
    error::LedgerError,
    finding_json::{FindingJson, LogRefJson},
    incidents::{CauseScoreJson, IncidentJson, IncidentsPage, IncidentsQuery},
    reader::{FindingsQuery, LedgerReader, Page},
    retention::Retention,
};
use self::{counters::Counters, lock::Lock, names::Names, schema::STATEMENTS_KEPT};
pub(crate) use self::{finding_json::rfc3339, finding_rows::milliseconds};
use crate::pipeline::{batch::CursorKey, status::SourceKind};
use faultline_core::model::Cell;

/// The one writer. Synchronous: it lives on the recorder's thread.
#[derive(Debug)]
pub struct Ledger {
    connection: Connection,
    prices: Arc<PriceTable>,
    /// What happened before the ledger was created fills it, but grows no counter: a first start shows no jump.
    counting_since: Time,
    counters: Counters,
    /// Scopes whose counters were born.
    born: BTreeSet<Scope>,
    names: Names,
    commits: u64,
    opened_at: Time,
    /// How far back from its opening a source without a cursor reads.
    read_back: Duration,
    retention: Retention,
    /// Held until the connection is closed: fields are dropped in this order.
    _lock: Lock,
}

impl Ledger {
    /// Opens the ledger at `path`, or creates it as of `now`. A file that is no ledger, one of a newer Faultline, and one
    /// that another process writes to are refused and left as they are.
    pub fn open(path: &Path, now: Time, prices: Arc<PriceTable>) -> Result<Self, LedgerError> {
        let lock = Lock::take(path)?;
        let mut connection = Connection::open(path).map_err(LedgerError::opening)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        schema::prepare(&mut connection, now)?;
        let counting_since = schema::counting_since(&connection)?;
        let counters = Counters::load(&connection)?;
        Ok(Self {
            born: counters.scopes(),
            connection,
            prices,
            counting_since,
            counters,
            names: Names::default(),
            commits: 0,
            opened_at: now,
            read_back: Duration::zero(),
            retention: Retention::default(),
            _lock: lock,
        })
    }

    /// The same ledger, of which a source without a cursor is known to read so far back from now.
    #[must_use]
    pub const fn read_back(mut self, read_back: Duration) -> Self {
        self.read_back = read_back;
        self
    }

    /// The same ledger, which keeps what is in it for so long.
    #[must_use]
    pub const fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Writes all of `change`, or nothing.
    pub fn commit(&mut self, change: &Change) -> Result<(), LedgerError> {
        commit::commit(self, change)
    }

    /// Where every source reads on.
    pub fn cursors(&self) -> Result<Vec<(CursorKey, Time)>, LedgerError> {
        let mut statement = self.connection.prepare_cached("SELECT account_id, region, kind, name, at FROM cursors")?;
        let rows = statement.query_map((), |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?, row.get(3)?, row.get(4)?))
        })?;
        let mut cursors = Vec::new();
        for row in rows {
            let (account, region, kind, name, at) = row?;
            let kinds = [SourceKind::Metrics, SourceKind::Logs, SourceKind::Invocations];
            let Some(kind) = kinds.into_iter().find(|known| known.as_str() == kind) else { continue };
            let key = CursorKey { cell: Cell::new(&account, &region), kind, name };
            cursors.extend(DateTime::from_timestamp_millis(at).map(|at| (key, at)));
        }
        Ok(cursors)
    }

    /// Every counter, as of the last commit.
    pub fn counters(&self) -> Arc<Vec<CounterRow>> {
        self.counters.rows()
    }

    /// A second, read-only connection to the same file, for queries beside the writer.
    pub fn reader(&self) -> Result<LedgerReader, LedgerError> {
        LedgerReader::open(Path::new(self.connection.path().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests;
