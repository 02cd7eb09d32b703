//! The landing page, rendered here whole; in a browser a few lines of script fetch it again and swap its content.
//!
//! In the order an on-call engineer asks: is money being lost now, by whom, why and since when; how much, and how sure is
//! that; what to do; the evidence; whether the sources can be trusted.

mod findings;
mod headline;
mod incidents;
mod tables;
mod text;

use super::Exporter;
use crate::ledger::FindingJson;

const SKELETON: &str = include_str!("../web/page.html");
/// Rows of findings shown; the API has them all.
const ROWS: usize = 20;

/// The page, with the findings of the window, newest first.
pub(super) fn render(exporter: &Exporter, of_window: &[FindingJson]) -> String {
    let published = exporter.published();
    let sources = exporter.0.board.all();
    let now = exporter.0.clock.now();
    let mut content = String::new();
    // Writing to a String cannot fail.
    let _ = headline::verdict(&mut content, &published.summaries, of_window, &sources, now);
    let _ = headline::totals(&mut content, &published.summaries);
    let _ = incidents::incidents(&mut content, &published.summaries, now);
    let _ = findings::findings(&mut content, &of_window[..of_window.len().min(ROWS)], exporter.sources_unread());
    let _ = tables::scopes(&mut content, &published.summaries);
    let _ = tables::sources(&mut content, &sources);
    SKELETON.replace("{{content}}", &content).replace("{{version}}", env!("CARGO_PKG_VERSION"))
}
