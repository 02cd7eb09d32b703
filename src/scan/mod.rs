//! `faultline scan`: the client failures in log files, without a daemon and without AWS.
//!
//! Exit codes are grep's: 0 found some, 1 found none, 2 trouble.

mod input;
mod progress;
mod read;
mod report;

use std::{
    io::{self, BufWriter, Write},
    process::ExitCode,
};

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use faultline_core::recognise::{Recognised, Settings};

use input::Trouble;
use progress::Progress;
use report::Report;

/// What `--assume` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Assume {
    /// The files are logs of a client of Bedrock.
    Bedrock,
}

/// How failures are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// A summary for people.
    #[default]
    Text,
    /// One JSON object a failure.
    Json,
}

/// Arguments of `faultline scan`.
#[derive(Debug, Args)]
pub struct ScanArgs {
    /// Count failures that name no client as Bedrock's (what names another client is never counted).
    #[arg(long, value_enum)]
    assume: Option<Assume>,
    /// A summary, or one JSON object a failure.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Only failures at or after this time: RFC 3339, or a duration back from now (2h, 3days). A failure without a time
    /// is left out.
    #[arg(long, value_parser = moment)]
    since: Option<DateTime<Utc>>,
    /// Only failures before this time. A failure without a time is left out.
    #[arg(long, value_parser = moment)]
    until: Option<DateTime<Utc>>,
    /// Files (plain, gzip or zstd), directories, glob patterns; - reads standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
}

impl ScanArgs {
    fn wants(&self, found: &Recognised) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        found
            .at
            .is_some_and(|at| self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until))
    }
}

/// RFC 3339, or a duration back from now.
fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    let back = humantime::parse_duration(text)
        .map_err(|_| "neither RFC 3339 (2026-11-22T12:00:00Z) nor a duration (2h, 3days)".to_owned())?;
    let back = chrono::Duration::from_std(back).map_err(|error| error.to_string())?;
    Utc::now().checked_sub_signed(back).ok_or_else(|| "too long ago".to_owned())
}

/// Runs the command.
pub fn run(args: ScanArgs) -> ExitCode {
    let mut stdout = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    match scan(&args, &mut stdout) {
        Ok(Outcome { trouble: true, .. }) => ExitCode::from(2),
        Ok(Outcome { found: true, .. }) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        // Nobody reads what is written: `faultline scan … | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("faultline: cannot write: {error}");
            ExitCode::from(2)
        }
    }
}

/// How a scan ended.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    found: bool,
    /// Something could not be read; the rest was.
    trouble: bool,
}

/// Scans everything and writes what was found to `out`; what could not be read is told on standard error.
fn scan(args: &ScanArgs, out: &mut dyn Write) -> io::Result<Outcome> {
    let settings = Settings { assume_bedrock: args.assume == Some(Assume::Bedrock), ..Settings::default() };
    let mut outcome = Outcome::default();
    let mut report = Report::default();
    let mut line = Vec::with_capacity(512);
    let mut inputs = Vec::new();
    for input in input::resolve(&args.files) {
        match input {
            Ok(input) => inputs.push(input),
            Err(trouble) => {
                outcome.trouble = true;
                complain(&trouble);
            }
        }
    }
    let progress = Progress::new(&inputs);
    read::all(&inputs, &settings, &progress, &mut |file, result| {
        match result {
            Ok(found) if !args.wants(&found) => {}
            Ok(found) => {
                outcome.found = true;
                match args.format {
                    Format::Json => report::json_line(out, &mut line, file, &found)?,
                    Format::Text => report.add(&found),
                }
            }
            Err(trouble) => {
                outcome.trouble = true;
                progress.suspend(|| complain(&trouble));
            }
        }
        Ok(())
    })?;
    progress.finish();
    if args.format == Format::Text {
        report.write(out)?;
    }
    out.flush()?;
    Ok(outcome)
}

fn complain(trouble: &Trouble) {
    eprintln!("faultline: {trouble}");
}

#[cfg(test)]
mod tests;
