//! The landing page, rendered here whole; in a browser a few lines of script fetch it again and swap its content.

use std::fmt::{self, Write};

use faultline_core::{
    correlate::{CellSummary, ScopeSummary},
    model::Time,
};

use super::Exporter;
use crate::{
    ledger::{FindingJson, Page},
    pipeline::status::SourceStatus,
};

const SKELETON: &str = include_str!("web/page.html");

/// Text that is safe between tags and in quoted attributes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '&' => f.write_str("&amp;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => f.write_char(c),
        })
    }
}

/// The page with the newest findings.
pub(super) fn render(exporter: &Exporter, newest: &Page) -> String {
    let published = exporter.published();
    let sources = exporter.0.board.all();
    let mut content = String::new();
    // Writing to a String cannot fail.
    let _ = totals(&mut content, &published.summaries);
    let _ = findings(&mut content, &newest.findings, exporter.sources_unread());
    let _ = scopes(&mut content, &published.summaries);
    let _ = source_table(&mut content, &sources);
    SKELETON.replace("{{content}}", &content).replace("{{version}}", env!("CARGO_PKG_VERSION"))
}

fn totals(out: &mut String, cells: &[CellSummary]) -> fmt::Result {
    let scopes = || cells.iter().flat_map(|cell| &cell.scopes);
    let sum = |of: fn(&ScopeSummary) -> f64| scopes().map(of).sum::<f64>();
    let confirmed: u64 = scopes().map(|scope| scope.confirmed.count).sum();
    let probable: u64 = scopes().map(|scope| scope.probable.count).sum();
    let estimated = sum(|scope| scope.estimated);
    let named_cost = sum(|scope| scope.confirmed.cost_usd + scope.probable.cost_usd);
    let estimated_cost = sum(|scope| scope.estimated_cost_usd.unwrap_or(0.0));
    let (lower, upper) = (sum(|scope| scope.lower), sum(|scope| scope.upper));
    let window = cells.iter().map(|cell| cell.window).max().and_then(|window| window.to_std().ok());
    let window = window.map_or_else(|| "…".to_owned(), |window| humantime::format_duration(window).to_string());
    let tone = if confirmed + probable > 0 { "bad" } else { "good" };
    write!(out, "<section class=\"cards\" aria-label=\"Totals of the last {window}\">")?;
    write!(
        out,
        "<div class=\"card {tone}\"><h2>Failed and billed, last {window}</h2><p class=\"big\">{}</p>\
         <p>{confirmed} confirmed · {probable} probable · {estimated:.0} estimated<br>between {lower:.0} and {upper:.0}</p></div>",
        confirmed + probable
    )?;
    write!(
        out,
        "<div class=\"card\"><h2>What they cost</h2><p class=\"big\">{}</p><p>{} more estimated</p></div>",
        dollars(named_cost),
        dollars(estimated_cost)
    )?;
    let pending: u64 = scopes().map(|scope| scope.pending).sum();
    write!(
        out,
        "<div class=\"card\"><h2>Failures still open</h2><p class=\"big\">{pending}</p><p>their invocation records may still come</p></div>"
    )?;
    out.write_str("</section>")
}

fn findings(out: &mut String, findings: &[FindingJson], sources_unread: usize) -> fmt::Result {
    out.write_str("<section><h2 id=\"findings\">Newest findings</h2>")?;
    if findings.is_empty() {
        let waiting = if sources_unread > 0 {
            format!("Still reading: {sources_unread} sources have not been read once.")
        } else {
            "None yet. A finding needs a failed call in an application's log and its record in the invocation log, \
             or a record that carries an error and tokens."
                .to_owned()
        };
        return write!(out, "<p class=\"empty\">{waiting}</p></section>");
    }
    out.write_str(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"findings\"><table>\
         <caption>Invocations that failed for the client and were billed all the same, newest first. All times are UTC.</caption>\
         <thead><tr><th scope=\"col\">Time</th><th scope=\"col\">Failure</th><th scope=\"col\">Model</th><th scope=\"col\">Application</th>\
         <th scope=\"col\" class=\"n\">Input</th><th scope=\"col\" class=\"n\">Output</th><th scope=\"col\" class=\"n\">Cost</th>\
         <th scope=\"col\">Evidence</th><th scope=\"col\">Request id</th><th scope=\"col\">Logs</th></tr></thead><tbody>",
    )?;
    for finding in findings {
        finding_row(out, finding)?;
    }
    out.write_str(
        "</tbody></table></div><p class=\"more\"><a href=\"/api/v1/findings\">All findings as JSON</a></p></section>",
    )
}

fn finding_row(out: &mut String, finding: &FindingJson) -> fmt::Result {
    let model = if &*finding.route == "none" {
        finding.model_id.to_string()
    } else {
        format!("{}.{}", finding.route, finding.model_id)
    };
    let time = finding.occurred_at.replace('T', " ").replace('Z', "");
    write!(out, "<tr><td><time datetime=\"{}\">{}</time></td>", Escaped(&finding.occurred_at), Escaped(&time))?;
    write!(out, "<td><strong>{}</strong><br><small>{}</small></td>", words(&finding.failure), words(&finding.cause))?;
    write!(out, "<td>{}<br><small>{}</small></td>", Escaped(&model), Escaped(&finding.aws_region))?;
    write!(out, "<td>{}</td>", Escaped(finding.application.as_deref().unwrap_or("–")))?;
    write!(
        out,
        "<td class=\"n\">{}</td><td class=\"n\">{}</td>",
        thousands(finding.input_tokens),
        thousands(finding.output_tokens)
    )?;
    let cost = finding.cost_usd.map_or_else(|| "no price".to_owned(), dollars);
    write!(out, "<td class=\"n\">{cost}</td><td><span class=\"tag\">{}</span></td>", words(&finding.evidence))?;
    write!(out, "<td><code>{}</code></td><td><small>", Escaped(finding.request_id.as_deref().unwrap_or("–")))?;
    for (side, log) in [("client", &finding.client_log), ("invocation", &finding.invocation_log)] {
        if let Some(log) = log {
            write!(
                out,
                "<span title=\"{} {}\">{side}: {}</span><br>",
                Escaped(&log.stream),
                Escaped(&log.event_id),
                Escaped(&log.group)
            )?;
        }
    }
    out.write_str("</small></td></tr>")
}

fn scopes(out: &mut String, cells: &[CellSummary]) -> fmt::Result {
    if cells.iter().all(|cell| cell.scopes.is_empty()) {
        return Ok(());
    }
    out.write_str(
        "<section><h2 id=\"scopes\">By model</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"scopes\"><table>\
         <caption>Failed and billed over the window, and how far CloudWatch's metrics can be trusted to count.</caption>\
         <thead><tr><th scope=\"col\">Model</th><th scope=\"col\">Account and region</th><th scope=\"col\" class=\"n\">Confirmed</th>\
         <th scope=\"col\" class=\"n\">Estimated</th><th scope=\"col\" class=\"n\">Bounds</th><th scope=\"col\" class=\"n\">Cost</th>\
         <th scope=\"col\">Metrics say</th></tr></thead><tbody>",
    )?;
    for scope in cells.iter().flat_map(|cell| &cell.scopes) {
        let cell = &scope.scope.cell;
        write!(
            out,
            "<tr><td>{}</td><td>{} {}</td><td class=\"n\">{}</td><td class=\"n\">{:.0}</td><td class=\"n\">{:.0} to {:.0}</td>\
             <td class=\"n\">{}</td><td><span class=\"tag\">{}</span> <small>{}</small></td></tr>",
            Escaped(&scope.scope.model.to_string()),
            Escaped(&cell.account_id),
            Escaped(&cell.region),
            scope.confirmed.count,
            scope.estimated,
            scope.lower,
            scope.upper,
            if scope.priced { dollars(scope.confirmed.cost_usd) } else { "no price".to_owned() },
            scope.state.as_str(),
            Escaped(&scope.state_reason),
        )?;
    }
    out.write_str("</tbody></table></div></section>")
}

fn source_table(out: &mut String, sources: &[SourceStatus]) -> fmt::Result {
    out.write_str(
        "<section><h2 id=\"sources\">Sources</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"sources\"><table>\
         <caption>What is read, and how it is doing.</caption><thead><tr><th scope=\"col\">Account and region</th>\
         <th scope=\"col\">Source</th><th scope=\"col\">State</th><th scope=\"col\">Last success</th><th scope=\"col\">Newest data</th>\
         </tr></thead><tbody>",
    )?;
    let clock = |time: Option<Time>| time.map_or_else(|| "–".to_owned(), |time| time.format("%H:%M:%S").to_string());
    for status in sources {
        let tone = if status.state.is_up() { "good" } else { "bad" };
        let state = serde_json::to_value(status.state).ok();
        let state = state.as_ref().and_then(|state| state.as_str()).unwrap_or_default();
        write!(
            out,
            "<tr><td>{} {}</td><td>{}</td><td><span class=\"tag {tone}\">{}</span> <small>{}</small></td><td>{}</td><td>{}</td></tr>",
            Escaped(&status.cell.account_id),
            Escaped(&status.cell.region),
            status.kind.as_str(),
            words(state),
            Escaped(&status.detail),
            clock(status.last_success),
            clock(status.newest_data),
        )?;
    }
    out.write_str("</tbody></table></div></section>")
}

/// `read_timeout` as a person says it. Only ever given words of our own.
fn words(label: &str) -> String {
    label.replace('_', " ")
}

/// Whole cents where there are any, more digits where a call costs less than one.
fn dollars(amount: f64) -> String {
    if amount == 0.0 || amount >= 1.0 { format!("${amount:.2}") } else { format!("${amount:.4}") }
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_names_cannot_become_markup() {
        assert_eq!(Escaped("<script>'\"&").to_string(), "&lt;script&gt;&#39;&quot;&amp;");
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 0.00123, 12.345].map(dollars), ["$0.00", "$0.0012", "$12.35"]);
    }
}
