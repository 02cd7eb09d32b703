//! The commands, as a person types them.

use std::{
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tracing_subscriber::EnvFilter;

use crate::{
    app::{self, App},
    config::{self, Config},
    evaluate, report, scan, simulate,
};

/// What the configuration's errors end with, as `grep` and `promtool` do.
const BAD_CONFIGURATION: u8 = 2;

/// Finds Amazon Bedrock calls that failed for the client and were billed all the same.
///
/// Faultline polls CloudWatch, reads your applications' logs for failed Bedrock calls, looks the calls up in Bedrock's
/// model invocation log, and serves what it finds to Prometheus and on a web page.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 100,
    after_help = "\
Try it without an AWS account:  faultline demo
Then point it at yours:         faultline check --config faultline.yaml
                                faultline run --config faultline.yaml"
)]
pub struct Cli {
    /// What is logged on standard error: error, warn, info, debug, or a filter such as `faultline=debug`.
    #[arg(long, global = true, env = "FAULTLINE_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// How log lines look.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch an AWS account that is simulated inside the process: nothing is needed, nothing leaves the machine.
    Demo {
        /// Where to serve the page and the metrics; port 0 takes a free one.
        #[arg(long, default_value = "127.0.0.1:9884", value_name = "ADDR")]
        listen: SocketAddr,
        /// Another seed is another account with another history.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Watch the accounts of a configuration file until stopped.
    Run {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Check a configuration file and say what would be polled. Asks AWS nothing.
    Check {
        /// The configuration file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Write the evidence of a period: findings with their log references, totals with bounds, what would have helped.
    Report(report::ReportArgs),
    /// Search log files for failed Bedrock calls.
    Scan(scan::ScanArgs),
    /// Run the correlator over simulated worlds and print how often it is right.
    ///
    /// No AWS takes part. The worlds vary what is not known of AWS and what differs between users; the table stands
    /// beside the numbers of the study that the correlator was built from.
    Evaluate(evaluate::EvaluateArgs),
    /// Print completions for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
}

/// Sends the process's log to standard error: standard output belongs to what a command prints.
pub fn init_logging(cli: &Cli) {
    // The SDK's own events are about its inside; what went wrong with a call is logged by us.
    let otherwise = match cli.command {
        Command::Run { .. } => "info",
        _ => "warn",
    };
    let filter = EnvFilter::try_new(cli.log.as_deref().unwrap_or(otherwise)).unwrap_or_else(|error| {
        eprintln!("faultline: --log: {error}: logging at {otherwise}");
        EnvFilter::new(otherwise)
    });
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    match cli.log_format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
}

/// Does what the command line asks.
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Demo { listen, seed } => in_runtime(simulate::demo::run(listen, seed)),
        Command::Run { config } => match loaded(&config) {
            Ok(config) => in_runtime(watch(config)),
            Err(code) => return code,
        },
        Command::Check { config } => match loaded(&config) {
            Ok(config) => print(&config::describe(&config)),
            Err(code) => return code,
        },
        Command::Report(arguments) => return report::run(&arguments),
        Command::Scan(arguments) => return scan::run(arguments),
        Command::Evaluate(arguments) => evaluate::run(arguments),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "faultline", &mut io::stdout());
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("faultline: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The configuration, or its errors on standard error.
fn loaded(path: &std::path::Path) -> Result<Config, ExitCode> {
    config::load(path).map_err(|errors| {
        eprintln!("{errors}");
        ExitCode::from(BAD_CONFIGURATION)
    })
}

fn in_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let done = runtime.block_on(work);
    // What is still blocked has had its deadline.
    runtime.shutdown_background();
    done
}

async fn watch(config: Config) -> anyhow::Result<()> {
    let deadline = config.shutdown_timeout;
    let app = App::start(config, app::Options::default()).await?;
    print(&format!("listening on http://{}\n", app.address()))?;
    app.run_until_stopped(deadline).await
}

/// Prints a command's result. A reader that has gone (`| head`) is no error.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("cannot write the result"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
