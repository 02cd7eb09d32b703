//! The entry: parse, set up logging, do what was asked, answer with an exit code.

use std::process::ExitCode;

use clap::Parser;
use faultline::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli::init_logging(&cli);
    cli::run(cli)
}
