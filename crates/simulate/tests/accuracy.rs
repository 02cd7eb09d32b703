//! A small sample of `faultline evaluate`: what must hold in every run holds here, on worlds never tuned on.

#![allow(clippy::unwrap_used, clippy::panic)]

use faultline_simulate::{
    evaluate::{Options, Report, evaluate},
    worlds::Scenario,
};

fn report(worlds: u64, rate: f64, scenario: Option<Scenario>) -> Report {
    evaluate(&Options { worlds, tuning: false, rates: vec![rate], scenario }, |_| ())
}

fn named<'a>(report: &'a Report, what: &str) -> &'a faultline_simulate::evaluate::Named {
    report.rates[0].named.iter().find(|row| row.what == what).unwrap()
}

#[test]
fn what_joins_by_id_is_found_and_nothing_else_is_called_confirmed() {
    let report = report(16, 60.0, Some(Scenario::Storm));
    let confirmed = named(&report, "confirmed");
    assert!(confirmed.of > 100, "{confirmed:?}");
    assert_eq!((confirmed.named, confirmed.right), (confirmed.of, confirmed.of));
}

#[test]
fn every_world_is_run_once_and_in_the_same_way_again() {
    let strip = |mut report: Report| {
        report.rates[0].seconds = 0.0;
        report.worlds.iter_mut().for_each(|world| world.seconds = 0.0);
        report
    };
    let first = strip(report(10, 10.0, None));
    assert_eq!(first.rates[0].worlds, 10);
    let seeds: Vec<u64> = first.worlds.iter().map(|world| world.seed).collect();
    assert_eq!(seeds, [1, 3, 5, 7, 9, 11, 13, 15, 17, 19], "held out");
    assert_eq!(first, strip(report(10, 10.0, None)));
    assert!(first.to_string().contains("10 requests a minute: 10 worlds"));
}
