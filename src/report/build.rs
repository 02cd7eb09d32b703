//! From the ledger to a report.

use super::{
    FindingView, MOST_LISTED, Report, Request, Settings, bounds, breakdown, finding::model_name, gaps, remedies,
    routes, sla,
};
use crate::ledger::{FindingsQuery, FindingsTally, IncidentJson, IncidentsQuery, LedgerError, LedgerReader, rfc3339};

/// Incidents of one page of the ledger.
const INCIDENTS_A_PAGE: usize = 1_000;

/// Works the report out, with at most `listed` findings in it ([`MOST_LISTED`] for people, all for programs). Blocks:
/// call it off the runtime's threads.
pub fn build(
    ledger: &LedgerReader,
    request: &Request,
    settings: &Settings,
    listed: Option<usize>,
) -> Result<Report, LedgerError> {
    let (since, until) = (request.since, request.until);
    let of_evidence = |tally: &FindingsTally| request.evidence.iter().any(|grade| grade.as_str() == &*tally.evidence);
    let mut findings = ledger.findings_tallies(since, until, request.stretch())?;
    findings.retain(of_evidence);
    let failures = ledger.failures_tallies(since, until)?;
    let usage = ledger.usage(since, until)?;
    let incidents = incidents(ledger, request)?;
    let (covered, states) = (ledger.covered(since, until)?, ledger.source_states(since, until)?);

    let (totals, scopes) = bounds::totals(&findings, &failures, &usage, settings);
    let not_covered = gaps::gaps(
        &gaps::Known { covered: &covered, states: &states, usage: &usage, failures: &failures, scopes: &scopes },
        request,
    );
    let remedies = remedies::remedies(&remedies::Known {
        findings: &findings,
        failures: &failures,
        usage: &usage,
        incidents: &incidents,
        settings,
    });
    let views = views(ledger, request, listed)?;
    let listed = views.len() as u64;
    Ok(Report {
        since: rfc3339(since),
        until: rfc3339(until),
        generated_at: rfc3339(request.now),
        faultline_version: env!("CARGO_PKG_VERSION"),
        evidence: request.evidence.clone(),
        findings_left_out: totals.found.count().saturating_sub(listed),
        totals,
        scopes,
        by_time: breakdown::by_key(&findings, |tally| rfc3339(tally.at)),
        by_cause: breakdown::by_cost(&findings, |tally| tally.cause.to_string()),
        by_failure: breakdown::by_cost(&findings, |tally| tally.failure.to_string()),
        by_application: breakdown::by_cost(&findings, |tally| {
            tally.application.as_deref().unwrap_or("no client's log").to_owned()
        }),
        incidents,
        remedies,
        routes: routes::compare(&usage, &settings.prices),
        sla: sla::months(&usage, request, &settings.prices),
        not_covered,
        findings: views,
    })
}

fn incidents(ledger: &LedgerReader, request: &Request) -> Result<Vec<IncidentJson>, LedgerError> {
    let mut query = IncidentsQuery {
        since: Some(request.since),
        until: Some(request.until),
        cause: None,
        model_id: None,
        limit: INCIDENTS_A_PAGE,
        after: None,
    };
    let mut incidents = Vec::new();
    loop {
        let page = ledger.incidents(&query)?;
        incidents.extend(page.incidents);
        query.after = page.next;
        if query.after.is_none() {
            return Ok(incidents);
        }
    }
}

/// What the request asks of the ledger.
pub(super) fn query(request: &Request, limit: usize) -> FindingsQuery {
    FindingsQuery {
        since: Some(request.since),
        until: Some(request.until),
        evidence: request.evidence.clone(),
        model_id: None,
        limit,
        after: None,
    }
}

fn views(ledger: &LedgerReader, request: &Request, listed: Option<usize>) -> Result<Vec<FindingView>, LedgerError> {
    if let Some(listed) = listed {
        let page = ledger.findings(&query(request, listed.min(MOST_LISTED)))?;
        return Ok(page.findings.into_iter().map(FindingView::from).collect());
    }
    let mut views = Vec::new();
    ledger.each_finding(&query(request, 0), |finding| {
        views.push(FindingView::from(finding));
        Ok::<_, LedgerError>(())
    })?;
    Ok(views)
}

impl super::ScopeTotals {
    /// The model with its routing prefix.
    pub(super) fn model(&self) -> String {
        model_name(&self.model_id, self.route)
    }
}
