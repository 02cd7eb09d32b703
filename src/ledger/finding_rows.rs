//! A finding as a row: written by its natural key, read back as it was.

use chrono::DateTime;
use faultline_core::{
    model::{Cell, Evidence, Finding, Time},
    price::PriceRow,
};
use rusqlite::{
    OptionalExtension, Row, ToSql, Transaction, params,
    types::{ToSqlOutput, Value, ValueRef},
};

use super::{
    FindingJson, LedgerError, LogRefJson,
    finding_json::rfc3339,
    names::{Meanings, Names},
};

/// The columns that [`read`] expects, in its order.
pub(super) const COLUMNS: &str = "seq, cell, request, request_id, model, route, occurred_at, evidence, probability, \
     failure, cause, operation, application, identity, input_tokens, output_tokens, cache_read_tokens, \
     cache_write_tokens, cost_usd, price, revision, client_group, client_stream, client_event, client_at, \
     record_group, record_stream, record_event, record_at, retry_of";
/// A probable finding is one while its probability is at least this.
const STILL_PROBABLE: f64 = 0.8;

/// The number of a grade in the column `grade`.
pub(super) const fn grade_number(grade: Evidence) -> i64 {
    match grade {
        Evidence::Confirmed => 1,
        Evidence::Probable => 2,
        Evidence::Estimated => 3,
    }
}

/// 0 for a finding that later evidence took back: it stays in the ledger and is not listed.
fn grade(finding: &FindingJson) -> i64 {
    match Evidence::ALL.into_iter().find(|grade| grade.as_str() == &*finding.evidence) {
        Some(Evidence::Probable) if finding.probability < STILL_PROBABLE => 0,
        Some(grade) => grade_number(grade),
        None => 0,
    }
}

/// True when the finding was not known before.
pub(super) fn upsert(
    transaction: &Transaction<'_>,
    names: &mut Names,
    finding: &FindingJson,
) -> Result<bool, LedgerError> {
    let cell = Cell { account_id: finding.account_id.clone(), region: finding.aws_region.clone() };
    let request = Request::of(finding, &cell);
    let cell = names.cell(transaction, &cell)?;
    let known: Option<(i64, u32)> = transaction
        .prepare_cached("SELECT seq, revision FROM findings WHERE cell = ?1 AND request = ?2")?
        .query_row(params![cell, request], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // After a restart findings are worked out again, step by step: an earlier step does not replace a later one.
    if known.is_some_and(|(_, revision)| revision > finding.revision) {
        return Ok(false);
    }
    let price = finding.price.as_ref().map(serde_json::to_string).transpose()?;
    let client = log_names(transaction, names, finding.client_log.as_ref())?;
    let record = log_names(transaction, names, finding.invocation_log.as_ref())?;
    let mut text = |text: Option<&str>| names.maybe(transaction, text);
    let event = |log: &Option<LogRefJson>| log.as_ref().map(|log| log.event_id.clone());
    let at = |log: &Option<LogRefJson>| log.as_ref().map(|log| milliseconds(&log.at)).transpose();
    let tokens = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let request_id = match request {
        Request::Uuid(_) => None,
        Request::Id(_) => finding.request_id.clone(),
    };
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO findings (seq, cell, request, request_id, model, route, occurred_at, evidence, \
             probability, failure, cause, operation, application, identity, input_tokens, output_tokens, \
             cache_read_tokens, cache_write_tokens, cost_usd, price, revision, client_group, client_stream, \
             client_event, client_at, record_group, record_stream, record_event, record_at, retry_of, grade) VALUES \
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, \
             ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31)",
        )?
        .execute(params![
            known.map(|(seq, _)| seq),
            cell,
            request,
            request_id,
            text(Some(&finding.model_id))?,
            text(Some(&finding.route))?,
            milliseconds(&finding.occurred_at)?,
            text(Some(&finding.evidence))?,
            finding.probability,
            text(Some(&finding.failure))?,
            text(Some(&finding.cause))?,
            text(finding.operation.as_deref())?,
            text(finding.application.as_deref())?,
            text(finding.identity.as_deref())?,
            tokens(finding.input_tokens),
            tokens(finding.output_tokens),
            tokens(finding.cache_read_tokens),
            tokens(finding.cache_write_tokens),
            finding.cost_usd,
            text(price.as_deref())?,
            finding.revision,
            client.0,
            client.1,
            event(&finding.client_log),
            at(&finding.client_log)?,
            record.0,
            record.1,
            event(&finding.invocation_log),
            at(&finding.invocation_log)?,
            finding
                .retry_of
                .as_deref()
                .map(|id| uuid(id).map_or(Value::Text(id.to_owned()), |id| Value::Blob(id.into()))),
            grade(finding),
        ])?;
    Ok(known.is_none())
}

/// The numbers of a log event's group and stream.
fn log_names(
    transaction: &Transaction<'_>,
    names: &mut Names,
    log: Option<&LogRefJson>,
) -> Result<(Option<i64>, Option<i64>), LedgerError> {
    let group = names.maybe(transaction, log.map(|log| &*log.group))?;
    Ok((group, names.maybe(transaction, log.map(|log| &*log.stream))?))
}

/// A finding from a row of [`COLUMNS`].
pub(super) fn read(
    connection: &rusqlite::Connection,
    meanings: &mut Meanings,
    prices: &mut Prices,
    row: &Row<'_>,
) -> Result<FindingJson, LedgerError> {
    let Cell { account_id, region } = meanings.cell(connection, row.get(1)?)?;
    let (id, request_id) = match row.get_ref(2)? {
        ValueRef::Blob(bytes) => {
            let request_id = hyphenated(bytes);
            (format!("{account_id}:{region}:{request_id}"), Some(request_id.into()))
        }
        other => (other.as_str().map(str::to_owned).map_err(rusqlite::Error::from)?, row.get(3)?),
    };
    let mut text = |column| meanings.text(connection, row.get(column)?);
    let (model_id, route, evidence, failure, cause) = (text(4)?, text(5)?, text(7)?, text(9)?, text(10)?);
    let mut maybe = |column| meanings.maybe(connection, row.get(column)?);
    let (operation, application, identity) = (maybe(11)?, maybe(12)?, maybe(13)?);
    let mut log = |column: usize| {
        let Some(group) = maybe(column)? else { return Ok(None) };
        let stream = maybe(column + 1)?.unwrap_or_default();
        let at = rfc3339(time(row.get(column + 3)?));
        Ok::<_, LedgerError>(Some(LogRefJson { group, stream, event_id: row.get(column + 2)?, at }))
    };
    let (client_log, invocation_log) = (log(21)?, log(25)?);
    let price = match row.get::<_, Option<i64>>(19)? {
        Some(id) => Some(prices.get(id, || meanings.text(connection, id))?),
        None => None,
    };
    let tokens = |column| Ok::<_, LedgerError>(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0));
    Ok(FindingJson {
        id,
        account_id,
        aws_region: region,
        model_id,
        route,
        occurred_at: rfc3339(time(row.get(6)?)),
        failure,
        evidence,
        probability: row.get(8)?,
        request_id,
        input_tokens: tokens(14)?,
        output_tokens: tokens(15)?,
        cache_read_tokens: tokens(16)?,
        cache_write_tokens: tokens(17)?,
        cost_usd: row.get(18)?,
        price,
        cause,
        operation,
        application,
        identity,
        revision: row.get(20)?,
        client_log,
        invocation_log,
        retry_of: match row.get_ref(29)? {
            ValueRef::Null => None,
            ValueRef::Blob(bytes) => Some(hyphenated(bytes).into()),
            other => Some(other.as_str().map_err(rusqlite::Error::from)?.into()),
        },
    })
}

/// Prices read, by the number of their text: many findings share one.
#[derive(Debug, Default)]
pub(super) struct Prices(std::collections::HashMap<i64, PriceRow>);

impl Prices {
    fn get(
        &mut self,
        id: i64,
        text: impl FnOnce() -> Result<std::sync::Arc<str>, LedgerError>,
    ) -> Result<PriceRow, LedgerError> {
        if let Some(price) = self.0.get(&id) {
            return Ok(price.clone());
        }
        let price: PriceRow = serde_json::from_str(&text()?)?;
        self.0.insert(id, price.clone());
        Ok(price)
    }
}

/// What names the finding in its cell.
enum Request<'a> {
    /// Of a request id that reads back as it was.
    Uuid([u8; 16]),
    /// The finding's own id, where the request id has another form.
    Id(&'a str),
}

impl<'a> Request<'a> {
    fn of(finding: &'a FindingJson, cell: &Cell) -> Self {
        let request_id = finding.request_id.as_deref().filter(|id| finding.id == Finding::id_of(cell, id));
        request_id.and_then(uuid).map_or(Self::Id(&finding.id), Self::Uuid)
    }
}

impl ToSql for Request<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Uuid(bytes) => bytes.to_sql(),
            Self::Id(id) => id.to_sql(),
        }
    }
}

/// The bytes of a UUID in the one form that [`hyphenated`] writes.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let mut nibbles = 0;
    if text.len() != 36 {
        return None;
    }
    for (place, c) in text.bytes().enumerate() {
        let nibble = match (place, c) {
            (8 | 13 | 18 | 23, b'-') => continue,
            (8 | 13 | 18 | 23, _) => return None,
            (_, b'0'..=b'9') => c - b'0',
            (_, b'a'..=b'f') => c - b'a' + 10,
            _ => return None,
        };
        bytes[nibbles / 2] = bytes[nibbles / 2] << 4 | nibble;
        nibbles += 1;
    }
    Some(bytes)
}

fn hyphenated(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(nibble.into(), 16).unwrap_or_default());
        }
    }
    text
}

/// Milliseconds of an RFC 3339 time.
pub(crate) fn milliseconds(text: &str) -> Result<i64, LedgerError> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.timestamp_millis())
        .map_err(|_| LedgerError::Malformed(format!("`{text}` is no RFC 3339 time")))
}

pub(super) fn time(milliseconds: i64) -> Time {
    DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_the_form_of_a_uuid_that_reads_back_as_it_was_becomes_bytes() {
        let canonical = "7f1c2a7e-0000-4abc-8def-000000000001";
        assert_eq!(hyphenated(&uuid(canonical).unwrap()), canonical);
        for other in [
            "7F1C2A7E-0000-4ABC-8DEF-000000000001",
            "7f1c2a7e00004abc8def000000000001",
            "",
            "7f1c2a7e-0000-4abc-8def-00000000000g",
        ] {
            assert_eq!(uuid(other), None, "{other}");
        }
    }
}
