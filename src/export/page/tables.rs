//! Every model, and every source.

use std::fmt::{self, Write};

use faultline_core::{
    correlate::{CellSummary, ScopeSummary},
    model::Time,
};

use super::text::{Escaped, dollars, whole, words};
use crate::pipeline::status::SourceStatus;

pub(super) fn scopes(out: &mut String, cells: &[CellSummary]) -> fmt::Result {
    if cells.iter().all(|cell| cell.scopes.is_empty()) {
        return Ok(());
    }
    out.write_str(
        "<section><h2 id=\"scopes\">By model</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-labelledby=\"scopes\"><table>\
         <caption>Failed and billed over the window, how sure that is, and what it rests on.</caption>\
         <thead><tr><th scope=\"col\">Model</th><th scope=\"col\">Account and region</th><th scope=\"col\" class=\"n\">Best</th>\
         <th scope=\"col\" class=\"n\">Certain</th><th scope=\"col\" class=\"n\">Likely</th><th scope=\"col\" class=\"n\">Cost</th>\
         <th scope=\"col\">How well it is known</th></tr></thead><tbody>",
    )?;
    for scope in cells.iter().flat_map(|cell| &cell.scopes) {
        row(out, scope)?;
    }
    out.write_str("</tbody></table></div></section>")
}

fn row(out: &mut String, scope: &ScopeSummary) -> fmt::Result {
    let cell = &scope.scope.cell;
    #[allow(clippy::cast_precision_loss)] // counts of findings
    let named = (scope.confirmed.count + scope.probable.count) as f64;
    let cost = scope.confirmed.cost_usd + scope.probable.cost_usd + scope.estimated_cost_usd.unwrap_or(0.0);
    write!(
        out,
        "<tr><td>{}</td><td>{} {}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{} to {}</td>\
         <td class=\"n\">{}</td><td><span class=\"tag\">{}</span> <small>{}",
        Escaped(&scope.scope.model.to_string()),
        Escaped(&cell.account_id),
        Escaped(&cell.region),
        whole(named + scope.estimated),
        whole(scope.lower),
        whole(scope.likely_lower),
        whole(scope.upper),
        if scope.priced { dollars(cost) } else { "no price".to_owned() },
        scope.state.as_str(),
        Escaped(&scope.state_reason),
    )?;
    for reason in &scope.widened_by {
        write!(out, "<br>{}", Escaped(reason))?;
    }
    out.write_str("</small></td></tr>")
}

pub(super) fn sources(out: &mut String, sources: &[SourceStatus]) -> fmt::Result {
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
