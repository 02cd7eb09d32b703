//! A report for people: the templates, and what they are given.

use askama::Template;

use super::{
    Breakdown, Report,
    chart::{self, Chart},
    filters,
    format::{clock, cost, count, dollars, expected},
};

/// Request ids that the text for a support case names of each model; the CSV names all.
const IDS_NAMED: usize = 5;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    charts: Vec<Chart>,
    claim: String,
    sla_claim: String,
}

impl<'a> Page<'a> {
    fn tables(&self) -> [(&'static str, &'a [Breakdown]); 3] {
        let Report { by_cause, by_failure, by_application, .. } = self.report;
        [("Cause", by_cause), ("Failure", by_failure), ("Application", by_application)]
    }
}

#[derive(Template)]
#[template(path = "report.txt")]
struct Plain<'a> {
    report: &'a Report,
    claim: String,
    sla_claim: String,
}

#[derive(Template)]
#[template(path = "billing_claim.txt")]
struct BillingClaim<'a> {
    report: &'a Report,
    models: Vec<ClaimedModel>,
}

#[derive(Template)]
#[template(path = "sla_claim.txt")]
struct SlaClaim<'a> {
    report: &'a Report,
}

/// One model of one region in the claim.
struct ClaimedModel {
    account_id: String,
    aws_region: String,
    model: String,
    count: u64,
    tokens: String,
    cost: String,
    request_ids: Vec<String>,
    /// Whether there are more.
    others: bool,
}

/// One self-contained page: no script, nothing loaded from anywhere.
pub fn html(report: &Report) -> Result<String, askama::Error> {
    let (claim, sla_claim) = (billing_claim(report)?, SlaClaim { report }.render()?);
    Page { report, charts: charts(report), claim, sla_claim }.render()
}

/// For a terminal, a mail or a support case.
pub fn text(report: &Report) -> Result<String, askama::Error> {
    let (claim, sla_claim) = (billing_claim(report)?, SlaClaim { report }.render()?);
    Plain { report, claim, sla_claim }.render()
}

/// For programs.
pub fn json(report: &Report) -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    Ok(text)
}

fn billing_claim(report: &Report) -> Result<String, askama::Error> {
    let with_findings = report.scopes.iter().filter(|scope| scope.totals.found.count() > 0);
    let models = with_findings
        .map(|scope| {
            let ids = report.findings.iter().filter(|view| {
                let finding = &view.finding;
                (&finding.model_id, &*finding.route) == (&scope.model_id, scope.route)
                    && (&finding.account_id, &finding.aws_region) == (&scope.account_id, &scope.aws_region)
            });
            let found = &scope.totals.found;
            let request_ids: Vec<String> =
                ids.filter_map(|view| view.finding.request_id.as_deref().map(str::to_owned)).take(IDS_NAMED).collect();
            ClaimedModel {
                account_id: scope.account_id.to_string(),
                aws_region: scope.aws_region.to_string(),
                model: scope.model(),
                count: found.count(),
                tokens: count(found.tokens.total()),
                cost: cost(found),
                others: (request_ids.len() as u64) < found.count(),
                request_ids,
            }
        })
        .collect();
    BillingClaim { report, models }.render()
}

fn charts(report: &Report) -> Vec<Chart> {
    let hourly = report.by_time.iter().any(|row| !row.key.contains("T00:00:00Z"));
    let label = |key: &str| {
        if hourly { clock(key).chars().skip(5).take(11).collect() } else { clock(key).chars().take(10).collect() }
    };
    let of = |value: fn(&Breakdown) -> f64| -> Vec<(String, f64)> {
        report.by_time.iter().map(|row| (label(&row.key), value(row))).collect()
    };
    let unit = if hourly { "hour" } else { "day" };
    let numbers = chart::bars(
        &format!("Failed and billed invocations by {unit}"),
        &of(|row| super::bounds::float(row.count())),
        expected,
    );
    let costs = chart::bars(&format!("What they cost by {unit}"), &of(|row| row.cost_usd), dollars);
    numbers.into_iter().chain(costs).collect()
}
