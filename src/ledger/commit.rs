//! One transaction: rows by their natural keys, and the counters that grow because a row is new.

use std::collections::BTreeSet;

use faultline_core::{
    correlate::Conclusion,
    model::{BedrockException, Finding, Metric, MetricPoint, Scope, Tokens},
    price::PriceTable,
};

use super::{
    Change, FindingJson, Ledger, LedgerError,
    counters::{Counter, ERROR_CLASSES, Growth, TOKEN_KINDS},
    coverage,
    failure_rows::{self, scope_of},
    finding_rows, incidents,
    minute_rows::{self, Grown},
    retention,
};

pub(super) fn commit(ledger: &mut Ledger, change: &Change) -> Result<(), LedgerError> {
    ledger.names.trim();
    let written = write(ledger, change);
    if written.is_err() {
        ledger.names.forget();
    }
    written
}

fn write(ledger: &mut Ledger, change: &Change) -> Result<(), LedgerError> {
    let transaction = ledger.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let names = &mut ledger.names;
    let mut born = BTreeSet::new();
    let mut growth = Growth::default();
    for scope in scopes(change).filter(|scope| !ledger.born.contains(scope)) {
        if born.insert(scope.clone()) {
            growth.born(&scope);
        }
    }
    for failure in &change.failures {
        if failure_rows::insert(&transaction, names, failure)? && failure.at >= ledger.counting_since {
            let exception = failure.text.exception.map_or("", BedrockException::as_str);
            let own = [failure.application.as_ref(), failure.text.kind.as_str(), exception];
            growth.of_scope(Counter::ClientFailures, &scope_of(failure), &own, 1.0);
        }
    }
    for Conclusion { failure, outcome } in &change.concluded {
        let first = failure_rows::conclude(&transaction, names, failure, outcome.as_str())?;
        if first && failure.at >= ledger.counting_since {
            growth.of_scope(Counter::ClientFailuresConcluded, &scope_of(failure), &[outcome.as_str()], 1.0);
        }
    }
    for finding in &change.findings {
        let new = finding_rows::upsert(&transaction, names, &FindingJson::from(finding))?;
        if new && finding.occurred_at >= ledger.counting_since {
            count_finding(&mut growth, finding);
        }
    }
    for incident in &change.incidents {
        incidents::upsert(&transaction, incident)?;
    }
    for point in &change.points {
        let grown = minute_rows::upsert(&transaction, names, point)?;
        if grown != Grown::default() && point.minute >= ledger.counting_since {
            count_minute(&mut growth, point, grown, &ledger.prices);
        }
    }
    for (key, at) in &change.cursors {
        let first = ledger.opened_at.max(*at) - ledger.read_back;
        coverage::move_cursor(&transaction, names, key, *at, first)?;
    }
    for seen in &change.sources {
        coverage::seen(&transaction, names, seen)?;
    }
    growth.write(&transaction)?;
    if ledger.commits.is_multiple_of(retention::COMMITS_BETWEEN) {
        retention::apply(&transaction, &ledger.retention)?;
    }
    transaction.commit()?;

    ledger.commits += 1;
    ledger.counters.grow(growth);
    ledger.born.append(&mut born);
    Ok(())
}

fn scopes(change: &Change) -> impl Iterator<Item = Scope> {
    let of_points =
        change.points.iter().filter_map(|point| Some(Scope { cell: point.cell.clone(), model: point.model.clone()? }));
    let of_failures = change.failures.iter().map(scope_of);
    let of_findings = change.findings.iter().map(|finding| finding.scope.clone());
    let of_incidents = change.incidents.iter().map(|incident| incident.scope.clone());
    of_points.chain(of_failures).chain(of_findings).chain(of_incidents)
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

fn count_minute(growth: &mut Growth, point: &MetricPoint, grown: Grown, prices: &PriceTable) {
    let Some(model) = &point.model else {
        if point.metric.is_log_delivery_failure() {
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
