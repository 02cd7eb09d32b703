//! `faultline report`, as a person types it.

use std::{io, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::Context;
use clap::Args;
use faultline_core::model::{Evidence, Time};

use super::{Format, MOST_LISTED, Request, Settings, build, html, json, text, write_csv};
use crate::{
    cli::print,
    clock::{Clock, time_or_age},
    config::{self, Config},
    ledger::LedgerReader,
};

/// The options of `faultline report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The configuration whose ledger is read, with its prices.
    #[arg(long, value_name = "FILE", required_unless_present = "ledger", conflicts_with = "ledger")]
    config: Option<PathBuf>,
    /// The ledger, when there is no configuration; built-in prices.
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// From when on: RFC 3339, or a duration back from now such as 7d.
    #[arg(long, value_name = "TIME", default_value = "30d")]
    since: String,
    /// Up to when; now when absent.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// How it is written, to standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Which grades of evidence, with commas: confirmed, probable.
    #[arg(long, value_name = "GRADES")]
    evidence: Option<String>,
}

/// Prints the report.
pub fn run(arguments: &ReportArgs) -> ExitCode {
    let config = match arguments.config.as_deref().map(config::load).transpose() {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(2);
        }
    };
    match report(arguments, config.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("faultline: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn report(arguments: &ReportArgs, config: Option<&Config>) -> anyhow::Result<()> {
    let path = match (config, &arguments.ledger) {
        (Some(config), _) => config.ledger.clone(),
        (None, path) => path.clone().context("name the ledger with --ledger, or a configuration with --config")?,
    };
    let now = Clock::system().now();
    let request = request(Some(&arguments.since), arguments.until.as_deref(), arguments.evidence.as_deref(), now)
        .map_err(anyhow::Error::msg)?;
    let settings = config.map_or_else(Settings::default, Settings::from);
    let reader = LedgerReader::open(&path).with_context(|| format!("ledger {}", path.display()))?;
    let built = |listed| build(&reader, &request, &settings, listed).context("the ledger cannot be read");
    match arguments.format {
        Format::Text => print(&text(&built(Some(MOST_LISTED))?)?),
        Format::Html => print(&html(&built(Some(MOST_LISTED))?)?),
        Format::Json => print(&json(&built(None)?)?),
        Format::Csv => match write_csv(&reader, &request, io::BufWriter::new(io::stdout().lock())) {
            // A reader that has gone (`| head`) is no error.
            Err(super::CsvError::Write(error)) if broken_pipe(&error) => Ok(()),
            written => written.context("cannot write the findings"),
        },
    }
}

fn broken_pipe(error: &csv::Error) -> bool {
    matches!(error.kind(), csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::BrokenPipe)
}

/// The request that these texts make; else what is wrong with them.
pub(crate) fn request(
    since: Option<&str>,
    until: Option<&str>,
    evidence: Option<&str>,
    now: Time,
) -> Result<Request, String> {
    let time = |name: &str, text: &str| time_or_age(text, now).map_err(|wrong| format!("{name}: {wrong}"));
    let since = time("since", since.unwrap_or("30d"))?;
    let until = until.map_or(Ok(now), |text| time("until", text))?;
    if since >= until {
        return Err(format!("since: {since} is not before until, which is {until}"));
    }
    let named = [Evidence::Confirmed, Evidence::Probable];
    let words = evidence.unwrap_or("confirmed,probable").split(',').map(str::trim).filter(|word| !word.is_empty());
    let grade = |word: &str| {
        let known = named.into_iter().find(|grade| grade.as_str() == word);
        known.ok_or_else(|| format!("evidence: `{word}` is none of confirmed, probable (both with a comma)"))
    };
    let evidence = words.map(grade).collect::<Result<Vec<_>, _>>()?;
    Ok(Request { since, until, evidence, now })
}

/// A report over HTTP: its settings, and a connection of its own so that nobody waits for it.
#[derive(Debug, Clone)]
pub struct Reporter {
    /// Where the ledger is.
    pub ledger: PathBuf,
    /// What a report needs to know besides the ledger.
    pub settings: Arc<Settings>,
}
