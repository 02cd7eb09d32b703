use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "faultline", version)]
enum Cli {
    /// Find client failures in log files.
    Scan(faultline::scan::ScanArgs),
}

fn main() -> ExitCode {
    let Cli::Scan(args) = Cli::parse();
    faultline::scan::run(args)
}
