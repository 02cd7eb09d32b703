//! `faultline scan`: the client failures in log files, without a daemon and without AWS.
//!
//! Exit codes are grep's: 0 found some, 1 found none, 2 trouble.

mod input;
mod report;

use std::{
    io::{self, BufWriter, Write},
    process::ExitCode,
};

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use faultline_core::recognise::{Recognised, Recogniser, Settings};

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
    /// Only failures at or after this time: RFC 3339, or a duration back from now (2h, 3days). Drops failures without a time.
    #[arg(long, value_parser = moment)]
    since: Option<DateTime<Utc>>,
    /// Only failures before this time. Drops failures without a time.
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
    let mut trouble = false;
    let mut found_some = false;
    let settings = Settings { assume_bedrock: args.assume == Some(Assume::Bedrock), ..Settings::default() };
    let mut report = Report::default();
    let mut stdout = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    for input in input::resolve(&args.files) {
        let outcome = input.and_then(|input| {
            scan(&input, &settings, &mut |file, found| {
                if !args.wants(&found) {
                    return Ok(());
                }
                found_some = true;
                match args.format {
                    Format::Json => report::json_line(&mut stdout, file, &found),
                    Format::Text => {
                        report.add(&found);
                        Ok(())
                    }
                }
            })
        });
        if let Err(error) = outcome {
            if error.is_closed_output() {
                return ExitCode::SUCCESS;
            }
            eprintln!("faultline: {error}");
            trouble = true;
        }
    }
    let written = match args.format {
        Format::Text => report.write(&mut stdout),
        Format::Json => Ok(()),
    };
    if written.and_then(|()| stdout.flush()).is_err() {
        return ExitCode::SUCCESS;
    }
    match (trouble, found_some) {
        (true, _) => ExitCode::from(2),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::from(1),
    }
}

/// Reads one input to its end.
fn scan(
    input: &input::Input,
    settings: &Settings,
    each: &mut dyn FnMut(&str, Recognised) -> io::Result<()>,
) -> Result<(), input::Trouble> {
    let name = input.name();
    let mut recogniser = Recogniser::new(settings.clone());
    let mut out = Vec::new();
    let mut reader = input.open()?;
    let mut buffer = vec![0; 1024 * 1024];
    loop {
        let read = match io::Read::read(&mut reader, &mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                // What was read before the trouble still counts.
                recogniser.finish(&mut out);
                for found in out.drain(..) {
                    each(name, found).map_err(input::Trouble::output)?;
                }
                return Err(input::Trouble::read(name, error));
            }
        };
        recogniser.push_chunk(name, &buffer[..read], &mut out);
        for found in out.drain(..) {
            each(name, found).map_err(input::Trouble::output)?;
        }
    }
    recogniser.finish(&mut out);
    for found in out.drain(..) {
        each(name, found).map_err(input::Trouble::output)?;
    }
    Ok(())
}
