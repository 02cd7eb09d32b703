//! What `faultline check` prints: what would be polled, for a person.

use std::fmt::{self, Write};

use super::{CellConfig, Config, InvocationsRead};
use crate::sources::logs::GroupSelector;

/// What a daemon with this configuration would do.
pub fn describe(config: &Config) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write(config, &mut text);
    text
}

fn write(config: &Config, text: &mut String) -> fmt::Result {
    let duration = |duration: std::time::Duration| humantime::format_duration(duration);
    writeln!(text, "The configuration is valid. Faultline would")?;
    writeln!(text, "  serve on http://{}, and keep its ledger in {}", config.listen, config.ledger.display())?;
    writeln!(
        text,
        "  read metrics every {} and logs every {}, and look back over {}",
        duration(config.metrics.poll),
        duration(config.logs.poll),
        duration(config.correlation.window.to_std().unwrap_or_default()),
    )?;
    if !config.prices.is_empty() {
        writeln!(text, "  use {} prices of your own", config.prices.len())?;
    }
    for cell in &config.cells {
        writeln!(text)?;
        write_cell(cell, config, text)?;
    }
    Ok(())
}

fn write_cell(cell: &CellConfig, config: &Config, text: &mut String) -> fmt::Result {
    let account = cell.account_id.as_deref().unwrap_or("the account that STS names");
    let who = cell.access.role_arn.as_deref().unwrap_or("the environment's credentials");
    writeln!(text, "{} in {account}, as {who}", cell.region)?;
    if let Some(url) = &cell.access.endpoint_url {
        writeln!(text, "  at {url}")?;
    }
    writeln!(text, "  metrics      every active model of AWS/Bedrock")?;
    for application in &cell.applications {
        let group = match &application.group {
            GroupSelector::Exact(group) => group.clone(),
            GroupSelector::Prefix(prefix) => format!("every group that begins with {prefix}"),
        };
        let region = application.region.as_ref().map_or_else(String::new, |region| format!(" in {region}"));
        let named = if application.name == group { String::new() } else { format!(" ({})", application.name) };
        writeln!(text, "  logs         {group}{region}{named}")?;
    }
    if cell.applications.is_empty() {
        writeln!(text, "  logs         none: failures that only clients see will be missed")?;
    }
    match &cell.invocations {
        Some(invocations) => {
            let records = match (invocations.read, config.logs.server_side_filter) {
                (InvocationsRead::All, _) | (_, false) => "every record",
                _ => "records of failed calls",
            };
            writeln!(text, "  invocations  {}, {records}", invocations.group)
        }
        None => writeln!(text, "  invocations  none: what was billed cannot be known, only estimated"),
    }
}
