//! Incidents of the window: why calls failed, and what to do about it. Those that go on come first.

use std::fmt::{self, Write};

use faultline_core::{
    correlate::CellSummary,
    model::{Incident, Time},
};

use super::text::{Escaped, clock, dollars, whole, words};

/// Incidents shown; the API has them all.
const SHOWN: usize = 8;

pub(super) fn incidents(out: &mut String, cells: &[CellSummary], now: Time) -> fmt::Result {
    let mut incidents: Vec<&Incident> = cells.iter().flat_map(|cell| &cell.incidents).collect();
    incidents.sort_by_key(|incident| std::cmp::Reverse((incident.ended_at.is_none(), incident.started_at)));
    out.write_str("<section aria-labelledby=\"incidents\"><h2 id=\"incidents\">Incidents</h2>")?;
    if incidents.is_empty() {
        return out.write_str("<p class=\"empty\">No run of failures stands out in this window.</p></section>");
    }
    out.write_str("<div class=\"incidents\">")?;
    for incident in incidents.iter().take(SHOWN) {
        one(out, incident, now)?;
    }
    out.write_str("</div><p class=\"more\"><a href=\"/api/v1/incidents\">All incidents as JSON</a></p></section>")
}

fn one(out: &mut String, incident: &Incident, now: Time) -> fmt::Result {
    let goes_on = incident.ended_at.is_none();
    let (tone, until) = match incident.ended_at {
        None => ("bad", "goes on".to_owned()),
        Some(ended_at) => ("over", format!("until {}", clock(ended_at, now))),
    };
    let low_load = if incident.low_load { " at low load" } else { "" };
    let state = if goes_on { "<span class=\"tag bad\">now</span> " } else { "" };
    write!(
        out,
        "<article class=\"incident {tone}\"><h3>{state}{}{low_load} <small>{:.0} % of the evidence</small></h3>",
        words(incident.cause.as_str()),
        100.0 * incident.score
    )?;
    write!(
        out,
        "<p class=\"dim\">{} · {} · since {} UTC, {until}</p><p>{}</p><p class=\"remedy\"><strong>What to do:</strong> {}</p>",
        Escaped(&incident.scope.model.to_string()),
        Escaped(&incident.scope.cell.region),
        clock(incident.started_at, now),
        Escaped(&incident.evidence),
        Escaped(&incident.remedy)
    )?;
    let cost = incident.cost_usd.map_or_else(|| "no price known".to_owned(), dollars);
    let billed = whole(incident.billed_failed);
    write!(
        out,
        "<p class=\"dim\">{} failures beyond the usual · {billed} billed all the same · {cost}</p></article>",
        incident.failures
    )
}
