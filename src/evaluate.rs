//! `faultline evaluate`: how well the correlator of this version does on simulated worlds whose truth is known.

use anyhow::Context;
use clap::{Args, ValueEnum};
use faultline_simulate::{
    evaluate::{self, Options},
    worlds::Scenario,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli;

/// What `faultline evaluate` takes.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// How many worlds to run for each request rate.
    #[arg(long, default_value_t = 100, value_name = "N")]
    seeds: u64,
    /// Only worlds of this scenario; all in turn otherwise.
    #[arg(long, value_parser = scenario, value_name = "NAME")]
    scenario: Option<Scenario>,
    /// Requests a minute, from 0.1 to 20000.
    #[arg(long, value_delimiter = ',', value_parser = rate, default_values_t = evaluate::RATES, value_name = "RATE,…")]
    rpm: Vec<f64>,
    /// Draw worlds from the seeds that the correlator is tuned on, instead of those that are held out.
    #[arg(long)]
    tuning: bool,
    /// How the table is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

fn scenario(name: &str) -> Result<Scenario, String> {
    let names = Scenario::ALL.map(Scenario::as_str).join(", ");
    Scenario::parse(name).ok_or_else(|| format!("there are {names}"))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.trim().parse().map_err(|_| "not a number".to_owned())?;
    if (0.1..=20_000.0).contains(&rate) { Ok(rate) } else { Err("rates go from 0.1 to 20000".to_owned()) }
}

/// Runs the worlds and prints the table.
pub fn run(arguments: EvaluateArgs) -> anyhow::Result<()> {
    let EvaluateArgs { seeds, scenario, rpm, tuning, format } = arguments;
    let options = Options { worlds: seeds, tuning, rates: rpm, scenario };
    let worlds = seeds.saturating_mul(u64::try_from(options.rates.len()).unwrap_or(u64::MAX));
    // Draws nothing where standard error is no terminal.
    let bar = ProgressBar::with_draw_target(Some(worlds), ProgressDrawTarget::stderr_with_hz(5));
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos} of {len} worlds, {eta} left") {
        bar.set_style(style);
    }
    let report = evaluate::evaluate(&options, |done| bar.set_position(done));
    bar.finish_and_clear();
    match format {
        Format::Text => cli::print(&report.to_string()),
        Format::Json => {
            let json = serde_json::to_string_pretty(&report).context("cannot write the report as JSON")?;
            cli::print(&(json + "\n"))
        }
    }
}
