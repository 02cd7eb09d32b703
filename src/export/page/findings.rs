//! The newest findings, one row each.

use std::fmt::{self, Write};

use super::text::{Escaped, dollars, model_of, thousands, words};
use crate::ledger::FindingJson;

pub(super) fn findings(out: &mut String, findings: &[FindingJson], sources_unread: usize) -> fmt::Result {
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
    let model = model_of(&finding.model_id, &finding.route);
    let time = finding.occurred_at.replace('T', " ").replace('Z', "");
    write!(out, "<tr><td><time datetime=\"{}\">{}</time></td>", Escaped(&finding.occurred_at), Escaped(&time))?;
    let attempt = if finding.retry_of.is_some() { ", tried again" } else { "" };
    let (failure, cause) = (words(&finding.failure), words(&finding.cause));
    write!(out, "<td><strong>{failure}</strong>{attempt}<br><small>{cause}</small></td>")?;
    write!(out, "<td>{}<br><small>{}</small></td>", Escaped(&model), Escaped(&finding.aws_region))?;
    write!(out, "<td>{}</td>", Escaped(finding.application.as_deref().unwrap_or("–")))?;
    write!(
        out,
        "<td class=\"n\">{}</td><td class=\"n\">{}</td>",
        thousands(finding.input_tokens),
        thousands(finding.output_tokens)
    )?;
    let cost = finding.cost_usd.map_or_else(|| "no price".to_owned(), dollars);
    write!(out, "<td class=\"n\">{cost}</td><td>{}</td>", grade(finding))?;
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

/// How a finding is known.
fn grade(finding: &FindingJson) -> String {
    let evidence = words(&finding.evidence);
    if finding.probability < 1.0 {
        format!("<span class=\"tag\">{evidence}</span> <small>{:.0} %</small>", 100.0 * finding.probability)
    } else {
        format!("<span class=\"tag strong\">{evidence}</span>")
    }
}
