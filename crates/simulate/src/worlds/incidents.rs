//! What goes wrong in a world, when, and how badly.

use chrono::TimeDelta;
use faultline_core::model::Time;
use rand::Rng;

use super::{
    Scenario,
    applications::{Caller, MODEL},
};
use crate::fleet::{
    Incident, Strike, Trouble,
    chance::{between, happens, seconds},
};

/// The strikes of a scenario, all at once, in a world that lasts from `start` to `end`.
pub(super) fn draw(
    scenario: Scenario,
    callers: &[Caller],
    (start, end): (Time, Time),
    rpm: f64,
    rng: &mut impl Rng,
) -> Vec<Incident> {
    let length = end - start;
    let minutes = match scenario {
        Scenario::NetworkBlip if rpm >= 30.0 => between(rng, (1.0, 5.0)),
        // Where little is called little happens in a minute.
        _ if rpm < 30.0 => between(rng, (25.0, 80.0)),
        _ => between(rng, (6.0, 18.0)),
    };
    let lasts = seconds(minutes * 60.0);
    let room = (length - lasts - TimeDelta::minutes(15)).as_seconds_f64().max(60.0);
    let from = start + seconds(between(rng, (0.3, 0.95)) * room);
    strikes(scenario, callers, rng)
        .into_iter()
        .map(|strike| Incident { name: scenario.as_str(), from, until: from + lasts, strike })
        .collect()
}

fn strikes(scenario: Scenario, callers: &[Caller], rng: &mut impl Rng) -> Vec<Strike> {
    let of_model = |trouble| Strike::of_models(trouble, [MODEL]);
    let of_first = |trouble| Strike {
        trouble,
        models: Vec::new(),
        applications: callers.iter().take(1).map(|caller| caller.application.name.clone()).collect(),
    };
    let patience = callers.first().map_or(5.0, |caller| caller.patience);
    let share = between(rng, (0.25, 0.75));
    match scenario {
        Scenario::Quiet => Vec::new(),
        Scenario::Storm => {
            let internal = if happens(rng, 0.3) { 0.15 } else { 0.0 };
            vec![
                of_model(Trouble::Unavailable(share)),
                of_model(Trouble::InternalErrors(internal)),
                of_model(Trouble::Load(between(rng, (0.9, 1.6)))),
            ]
        }
        Scenario::LowLoadStorm => {
            vec![of_model(Trouble::Unavailable(share)), of_model(Trouble::Load(between(rng, (0.25, 0.6))))]
        }
        Scenario::Throttling => {
            vec![of_model(Trouble::Throttled(share)), of_model(Trouble::Load(between(rng, (1.3, 2.5))))]
        }
        Scenario::NetworkBlip if happens(rng, 0.4) => vec![of_first(Trouble::Network(share))],
        Scenario::NetworkBlip => vec![of_model(Trouble::Network(share))],
        // The first application's client waits longer than a NAT gateway.
        Scenario::NatIdle => {
            let to_gateway = callers.first().map_or(3.0, |caller| {
                let pace = caller.application.pace;
                350.0 / (pace.first + pace.per_token * caller.application.output.median)
            });
            vec![of_first(Trouble::LongAnswers(to_gateway * between(rng, (0.8, 1.4))))]
        }
        Scenario::SlowModel => vec![of_model(Trouble::SlowAnswers(patience * between(rng, (0.45, 0.8))))],
        Scenario::LongAnswers => vec![of_first(Trouble::LongAnswers(patience * between(rng, (0.55, 0.9))))],
        Scenario::ModelErrors => {
            let internal = if happens(rng, 0.3) { 0.1 } else { 0.0 };
            vec![of_model(Trouble::ModelErrors(share * 0.7)), of_model(Trouble::InternalErrors(internal))]
        }
        Scenario::SlowDown => vec![of_model(Trouble::SlowAnswers(between(rng, (1.2, 1.8))))],
    }
}
