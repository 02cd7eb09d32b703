//! The first look: is money being lost now, by whom, why, since when, and how much.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

use faultline_core::{
    correlate::{CellSummary, ScopeSummary},
    model::{Incident, Time},
};

use super::text::{Escaped, clock, dollars, short, whole, words};
use crate::{ledger::FindingJson, pipeline::status::SourceStatus};

/// Applications named; the rest is in the findings.
const NAMED: usize = 3;

/// One sentence that answers, and who and why below it.
pub(super) fn verdict(
    out: &mut String,
    cells: &[CellSummary],
    findings: &[FindingJson],
    sources: &[SourceStatus],
    now: Time,
) -> fmt::Result {
    let open: Vec<&Incident> =
        cells.iter().flat_map(|cell| &cell.incidents).filter(|incident| incident.ended_at.is_none()).collect();
    let best: f64 = scopes(cells).map(best).sum();
    let lost: f64 = scopes(cells).map(cost).sum();
    let blind: Vec<_> = sources.iter().filter(|source| !source.state.is_up()).collect();
    let window = window(cells);
    let (tone, answer) = if cells.is_empty() {
        ("idle", "Nothing has been read yet.".to_owned())
    } else if let Some(incident) = open.iter().min_by_key(|incident| incident.started_at) {
        let answer = format!(
            "Calls are failing now: {} on {}, since {} UTC.",
            words(incident.cause.as_str()),
            Escaped(&short(&incident.scope.model)),
            clock(incident.started_at, now)
        );
        ("bad", answer)
    } else if best >= 0.5 {
        ("warn", format!("Nothing stands out right now, but the last {window} had calls that failed and were billed."))
    } else {
        ("good", format!("No call failed and was billed in the last {window}."))
    };
    write!(
        out,
        "<section class=\"verdict {tone}\" aria-label=\"Is money being lost?\"><p class=\"answer\">{answer}</p>"
    )?;
    if best >= 0.5 {
        write!(
            out,
            "<p>{} lost in the last {window} on about {} calls{}.</p>",
            dollars(lost),
            whole(best),
            by_whom(findings)
        )?;
    }
    if !blind.is_empty() {
        let names: Vec<_> =
            blind.iter().map(|source| format!("{} of {}", source.kind.as_str(), source.cell.region)).collect();
        let names = names.join(", ");
        write!(
            out,
            "<p class=\"blind\">Blind in part: {} cannot be read. <a href=\"#sources\">Why</a></p>",
            Escaped(&names)
        )?;
    }
    out.write_str("</section>")
}

/// `, most of them by chat-api ($1.20), batch ($0.40)`.
fn by_whom(findings: &[FindingJson]) -> String {
    let mut lost: BTreeMap<&str, (f64, u32)> = BTreeMap::new();
    for finding in findings {
        let known = finding.application.as_deref();
        let whose = known.or_else(|| finding.identity.as_deref().map(role)).unwrap_or("unknown callers");
        let entry = lost.entry(whose).or_default();
        entry.0 += finding.cost_usd.unwrap_or(0.0);
        entry.1 += 1;
    }
    let mut lost: Vec<_> = lost.into_iter().collect();
    lost.sort_by(|a, b| b.1.0.total_cmp(&a.1.0).then(b.1.1.cmp(&a.1.1)));
    let named = lost.iter().take(NAMED).map(|(name, (usd, _))| format!("{} ({})", Escaped(name), dollars(*usd)));
    let named: Vec<_> = named.collect();
    if named.is_empty() { String::new() } else { format!(", most of what is named by {}", named.join(", ")) }
}

/// The role's or user's name of an ARN.
fn role(arn: &str) -> &str {
    arn.split('/').nth(1).unwrap_or(arn)
}

/// Totals of the window, with their bounds.
pub(super) fn totals(out: &mut String, cells: &[CellSummary]) -> fmt::Result {
    let sum = |of: fn(&ScopeSummary) -> f64| scopes(cells).map(of).sum::<f64>();
    let confirmed: u64 = scopes(cells).map(|scope| scope.confirmed.count).sum();
    let probable: u64 = scopes(cells).map(|scope| scope.probable.count).sum();
    let (lower, likely, upper) = (sum(|s| s.lower), sum(|s| s.likely_lower), sum(|s| s.upper));
    let window = window(cells);
    write!(out, "<section class=\"cards\" aria-label=\"Totals of the last {window}\">")?;
    write!(
        out,
        "<div class=\"card\"><h2>Failed and billed, last {window}</h2><p class=\"big\">{}</p>\
         <p>{confirmed} confirmed · {probable} probable · {} estimated</p>\
         <p class=\"dim\">certain: {} · likely between {} and {}</p></div>",
        whole(sum(best)),
        whole(sum(|scope| scope.estimated)),
        whole(lower),
        whole(likely),
        whole(upper)
    )?;
    let named = sum(|scope| scope.confirmed.cost_usd + scope.probable.cost_usd);
    let unpriced = scopes(cells).filter(|scope| !scope.priced && best(scope) >= 0.5).count();
    let without = if unpriced == 0 {
        String::new()
    } else {
        format!("<p class=\"dim\">{unpriced} models without a price left out</p>")
    };
    write!(
        out,
        "<div class=\"card\"><h2>What they cost</h2><p class=\"big\">{}</p><p>{} named · {} estimated</p>{without}</div>",
        dollars(sum(cost)),
        dollars(named),
        dollars(sum(|scope| scope.estimated_cost_usd.unwrap_or(0.0)))
    )?;
    let retries: u64 = scopes(cells).map(|scope| scope.confirmed.retries + scope.probable.retries).sum();
    #[allow(clippy::cast_precision_loss)] // counts of findings
    let retries = retries as f64 + sum(|scope| scope.estimated_retries);
    write!(
        out,
        "<div class=\"card\"><h2>Of these, hidden retries</h2><p class=\"big\">{}</p><p>attempts an SDK made again: each billed, none logged</p></div>",
        whole(retries)
    )?;
    let pending: u64 = scopes(cells).map(|scope| scope.pending).sum();
    write!(
        out,
        "<div class=\"card\"><h2>Failures still open</h2><p class=\"big\">{pending}</p><p>their invocation records may still come</p></div></section>"
    )
}

fn scopes(cells: &[CellSummary]) -> impl Iterator<Item = &ScopeSummary> {
    cells.iter().flat_map(|cell| &cell.scopes)
}

/// The best estimate of a scope's billed failures.
#[allow(clippy::cast_precision_loss)] // counts of findings
fn best(scope: &ScopeSummary) -> f64 {
    (scope.confirmed.count + scope.probable.count) as f64 + scope.estimated
}

/// What they cost, named and estimated.
fn cost(scope: &ScopeSummary) -> f64 {
    scope.confirmed.cost_usd + scope.probable.cost_usd + scope.estimated_cost_usd.unwrap_or(0.0)
}

fn window(cells: &[CellSummary]) -> String {
    let window = cells.iter().map(|cell| cell.window).max().and_then(|window| window.to_std().ok());
    window.map_or_else(|| "…".to_owned(), |window| humantime::format_duration(window).to_string())
}
