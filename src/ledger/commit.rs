//! One transaction: rows by their natural keys, and the counters that grow because a row is new.

use chrono::Duration;
use faultline_core::{
    correlate::Conclusion,
    model::{BedrockException, ClientFailure, Finding, Metric, MetricPoint, ModelKey, Scope, Tokens},
    price::PriceTable,
};
use rusqlite::{OptionalExtension, Transaction, params};

use super::{
    Change, FindingJson, Ledger, LedgerError,
    counters::{Counter, ERROR_CLASSES, Growth, TOKEN_KINDS},
    incidents,
};

/// Minutes are kept until no source reads them again, with room for a long downtime.
const MINUTES_KEPT: Duration = Duration::days(16);
/// How many commits lie between two clean-ups.
const COMMITS_BETWEEN_CLEANUPS: u64 = 2_000;

pub(super) fn commit(ledger: &mut Ledger, change: &Change) -> Result<(), LedgerError> {
    let transaction = ledger.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut born = std::collections::BTreeSet::new();
    let mut growth = Growth::default();
    for scope in scopes(change).filter(|scope| !ledger.born.contains(scope)) {
        if born.insert(scope.clone()) {
            growth.born(&scope);
        }
    }
    for failure in &change.failures {
        if insert_failure(&transaction, failure)? && failure.at >= ledger.counting_since {
            let exception = failure.text.exception.map_or("", BedrockException::as_str);
            let own = [failure.application.as_ref(), failure.text.kind.as_str(), exception];
            growth.of_scope(Counter::ClientFailures, &scope_of(failure), &own, 1.0);
        }
    }
    for Conclusion { failure, outcome } in &change.concluded {
        let first = conclude(&transaction, failure, outcome.as_str())?;
        if first && failure.at >= ledger.counting_since {
            growth.of_scope(Counter::ClientFailuresConcluded, &scope_of(failure), &[outcome.as_str()], 1.0);
        }
    }
    for finding in &change.findings {
        if upsert_finding(&transaction, finding)? && finding.occurred_at >= ledger.counting_since {
            count_finding(&mut growth, finding);
        }
    }
    for incident in &change.incidents {
        incidents::upsert(&transaction, incident)?;
    }
    for point in &change.points {
        let grown = upsert_minute(&transaction, point)?;
        if grown != Grown::default() && point.minute >= ledger.counting_since {
            count_minute(&mut growth, point, grown, &ledger.prices);
        }
    }
    for (key, at) in &change.cursors {
        transaction
            .prepare_cached(
                "INSERT INTO cursors VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
            )?
            .execute(params![
                &*key.cell.account_id,
                &*key.cell.region,
                key.kind.as_str(),
                key.name,
                at.timestamp_millis()
            ])?;
    }
    growth.write(&transaction)?;
    if ledger.commits.is_multiple_of(COMMITS_BETWEEN_CLEANUPS)
        && let Some(newest) = change.points.iter().map(|point| point.minute).max()
    {
        let oldest = (newest - MINUTES_KEPT).timestamp();
        transaction.execute("DELETE FROM minutes WHERE minute < ?1", [oldest])?;
    }
    transaction.commit()?;

    ledger.commits += 1;
    ledger.counters.grow(growth);
    ledger.born.append(&mut born);
    Ok(())
}

fn scope_of(failure: &ClientFailure) -> Scope {
    let model = failure.text.model.clone().unwrap_or_else(ModelKey::unknown);
    Scope { cell: failure.cell.clone(), model }
}

fn scopes(change: &Change) -> impl Iterator<Item = Scope> {
    let of_points =
        change.points.iter().filter_map(|point| Some(Scope { cell: point.cell.clone(), model: point.model.clone()? }));
    let of_failures = change.failures.iter().map(scope_of);
    let of_findings = change.findings.iter().map(|finding| finding.scope.clone());
    let of_incidents = change.incidents.iter().map(|incident| incident.scope.clone());
    of_points.chain(of_failures).chain(of_findings).chain(of_incidents)
}

/// True when the failure was not known before.
fn insert_failure(transaction: &Transaction<'_>, failure: &ClientFailure) -> Result<bool, LedgerError> {
    let scope = scope_of(failure);
    let inserted = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO failures VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, NULL)",
        )?
        .execute(params![
            &*scope.cell.account_id,
            &*scope.cell.region,
            &*failure.log.group,
            &*failure.log.stream,
            &*failure.log.event_id,
            failure.at.timestamp_millis(),
            &*failure.application,
            &*scope.model.model_id,
            scope.model.route.as_str(),
            failure.text.kind.as_str(),
            failure.text.exception.map_or("", BedrockException::as_str),
            failure.text.request_id,
        ])?;
    Ok(inserted > 0)
}

/// True when the failure had no outcome before. A late record may turn `no_record` into `billed`: the row follows.
fn conclude(transaction: &Transaction<'_>, failure: &ClientFailure, outcome: &str) -> Result<bool, LedgerError> {
    let key = params![
        &*failure.cell.account_id,
        &*failure.cell.region,
        &*failure.log.group,
        &*failure.log.stream,
        &*failure.log.event_id,
        outcome,
    ];
    let place = "account_id = ?1 AND region = ?2 AND log_group = ?3 AND log_stream = ?4 AND event_id = ?5";
    let first = format!("UPDATE failures SET outcome = ?6 WHERE {place} AND outcome IS NULL");
    if transaction.prepare_cached(&first)?.execute(key)? > 0 {
        return Ok(true);
    }
    transaction.prepare_cached(&format!("UPDATE failures SET outcome = ?6 WHERE {place}"))?.execute(key)?;
    Ok(false)
}

/// True when the finding was not known before.
fn upsert_finding(transaction: &Transaction<'_>, finding: &Finding) -> Result<bool, LedgerError> {
    let known: Option<u32> = transaction
        .prepare_cached("SELECT revision FROM findings WHERE id = ?1")?
        .query_row([&finding.id], |row| row.get(0))
        .optional()?;
    // After a restart findings are worked out again, step by step: an earlier step does not replace a later one.
    if known.is_some_and(|known| known > finding.revision) {
        return Ok(false);
    }
    transaction.prepare_cached("INSERT OR REPLACE INTO findings VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        finding.id,
        finding.occurred_at.timestamp_millis(),
        finding.evidence.as_str(),
        &*finding.scope.model.model_id,
        finding.revision,
        serde_json::to_string(&FindingJson::from(finding))?,
    ])?;
    Ok(known.is_none())
}

fn count_finding(growth: &mut Growth, finding: &Finding) {
    let (scope, evidence) = (&finding.scope, finding.evidence.as_str());
    growth.of_scope(Counter::BilledFailedInvocations, scope, &[evidence, finding.failure.as_str()], 1.0);
    growth.of_scope(Counter::BilledFailedCost, scope, &[evidence], finding.cost_usd.unwrap_or(0.0));
    let Tokens { input, output, cache_read, cache_write } = finding.tokens;
    for (kind, tokens) in TOKEN_KINDS.into_iter().zip([input, output, cache_read, cache_write]) {
        #[allow(clippy::cast_precision_loss)] // token counts are far below 2^52
        growth.of_scope(Counter::BilledFailedTokens, scope, &[evidence, kind], tokens as f64);
    }
}

/// By how much a minute has grown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Grown {
    sum: f64,
    samples: f64,
}

/// By how much the minute has grown. CloudWatch revises upward: of two readings the larger stands.
fn upsert_minute(transaction: &Transaction<'_>, point: &MetricPoint) -> Result<Grown, LedgerError> {
    let model = point.model.as_ref();
    let (model_id, route) = model.map_or(("", ""), |model| (&*model.model_id, model.route.as_str()));
    let (cell, minute) = (&point.cell, point.minute.timestamp());
    let key = params![&*cell.account_id, &*cell.region, model_id, route, point.metric.as_str(), minute];
    let place = "account_id = ?1 AND region = ?2 AND model_id = ?3 AND route = ?4 AND metric = ?5 AND minute = ?6";
    let known: Option<(f64, f64)> = transaction
        .prepare_cached(&format!("SELECT sum, sample_count FROM minutes WHERE {place}"))?
        .query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (sum, samples) = known.unwrap_or_default();
    if known.is_some() && (point.stats.sample_count, point.stats.sum) <= (samples, sum) {
        return Ok(Grown::default());
    }
    let grown = Grown { sum: (point.stats.sum - sum).max(0.0), samples: (point.stats.sample_count - samples).max(0.0) };
    transaction.prepare_cached("INSERT OR REPLACE INTO minutes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute(
        params![
            &*cell.account_id,
            &*cell.region,
            model_id,
            route,
            point.metric.as_str(),
            minute,
            point.stats.sum,
            point.stats.sample_count
        ],
    )?;
    Ok(grown)
}

fn count_minute(growth: &mut Growth, point: &MetricPoint, grown: Grown, prices: &PriceTable) {
    let Some(model) = &point.model else {
        if point.metric == Metric::ModelInvocationLogsCloudWatchDeliveryFailure {
            growth.of_cell(Counter::LogDeliveryFailures, &point.cell, grown.sum);
        }
        return;
    };
    let scope = Scope { cell: point.cell.clone(), model: model.clone() };
    let mut summary = |sum, count| {
        growth.of_scope(sum, &scope, &[], grown.sum);
        growth.of_scope(count, &scope, &[], grown.samples);
    };
    match point.metric {
        Metric::InvocationLatency => return summary(Counter::LatencySum, Counter::LatencyCount),
        Metric::TimeToFirstToken => return summary(Counter::TimeToFirstTokenSum, Counter::TimeToFirstTokenCount),
        _ => {}
    }
    let [server, client, throttle] = ERROR_CLASSES;
    let (counter, own): (Counter, &[&str]) = match point.metric {
        Metric::Invocations => (Counter::Invocations, &[]),
        Metric::InvocationServerErrors => (Counter::InvocationErrors, &[server]),
        Metric::InvocationClientErrors => (Counter::InvocationErrors, &[client]),
        Metric::InvocationThrottles => (Counter::InvocationErrors, &[throttle]),
        Metric::InputTokenCount => (Counter::Tokens, &[TOKEN_KINDS[0]]),
        Metric::OutputTokenCount => (Counter::Tokens, &[TOKEN_KINDS[1]]),
        Metric::CacheReadInputTokens => (Counter::Tokens, &[TOKEN_KINDS[2]]),
        Metric::CacheWriteInputTokens => (Counter::Tokens, &[TOKEN_KINDS[3]]),
        _ => return,
    };
    growth.of_scope(counter, &scope, own, grown.sum);
    let Some(price) = prices.lookup(model, &point.cell.region) else { return };
    let per_million = match point.metric {
        Metric::InputTokenCount => price.input,
        Metric::OutputTokenCount => price.output,
        Metric::CacheReadInputTokens => price.cache_read.unwrap_or(price.input),
        Metric::CacheWriteInputTokens => price.cache_write.unwrap_or(price.input),
        _ => return,
    };
    growth.of_scope(Counter::Cost, &scope, &[], grown.sum * per_million / 1e6);
}
