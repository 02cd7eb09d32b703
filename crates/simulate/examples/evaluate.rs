//! `cargo run --release -p faultline-simulate --example evaluate -- [--seeds N] [--tuning] [--rpm 1,10] [--scenario S]`:
//! what `faultline evaluate` prints, built without the daemon.

use std::process::ExitCode;

use faultline_simulate::{
    evaluate::{Options, RATES, evaluate},
    worlds::Scenario,
};

fn main() -> ExitCode {
    let mut options = Options { worlds: 100, tuning: false, rates: RATES.to_vec(), scenario: None };
    let mut json = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_default();
        let understood = match argument.as_str() {
            "--seeds" => value().parse().map(|worlds| options.worlds = worlds).is_ok(),
            "--tuning" => {
                options.tuning = true;
                true
            }
            "--json" => {
                json = true;
                true
            }
            "--rpm" => {
                options.rates = value().split(',').filter_map(|rate| rate.parse().ok()).collect();
                !options.rates.is_empty()
            }
            "--scenario" => {
                options.scenario = Scenario::parse(&value());
                options.scenario.is_some()
            }
            _ => false,
        };
        if !understood {
            eprintln!("evaluate: {argument} is not understood");
            return ExitCode::from(2);
        }
    }
    let report = evaluate(&options, |_| ());
    #[expect(clippy::print_stdout, reason = "the report is what this prints")]
    match serde_json::to_string_pretty(&report) {
        Ok(text) if json => println!("{text}"),
        _ => print!("{report}"),
    }
    ExitCode::SUCCESS
}
