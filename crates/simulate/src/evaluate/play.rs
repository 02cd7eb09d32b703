//! Runs the real correlator over a world, at full speed.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use faultline_core::{
    correlate::{CellSummary, Correlator},
    model::{Finding, Incident, Time},
    price::PriceTable,
};

use crate::worlds::World;

/// What the correlator made of a world, once everything was settled and concluded.
#[derive(Debug)]
pub(super) struct Played {
    /// The last revision of every finding.
    pub(super) findings: Vec<Finding>,
    /// The last revision of every incident.
    pub(super) incidents: Vec<Incident>,
    /// The state of every scope at the end.
    pub(super) summary: CellSummary,
    /// How long it took.
    pub(super) took: Duration,
}

pub(super) fn play(world: &World, prices: &Arc<PriceTable>) -> Played {
    let began = Instant::now();
    let mut correlator = Correlator::new(world.cell.clone(), world.settings.clone(), Arc::clone(prices));
    let (mut findings, mut incidents) = (BTreeMap::new(), BTreeMap::new());
    let mut advance = |correlator: &mut Correlator, now| {
        let advance = correlator.advance(now);
        findings.extend(advance.findings.into_iter().map(|finding| (finding.id.clone(), finding)));
        incidents.extend(advance.incidents.into_iter().map(|incident| (incident.id.clone(), incident)));
    };
    let minute = TimeDelta::minutes(1);
    let mut now = world.start + minute;
    for (seen_at, observation) in &world.observations {
        while *seen_at >= now {
            advance(&mut correlator, now);
            now += minute;
        }
        correlator.observe(observation);
    }
    let over = concluded_at(world);
    while now <= over {
        advance(&mut correlator, now);
        now += minute;
    }
    // One without failures was taken back.
    incidents.retain(|_, incident: &mut Incident| incident.failures > 0);
    Played {
        findings: findings.into_values().collect(),
        incidents: incidents.into_values().collect(),
        summary: correlator.summary(over),
        took: began.elapsed(),
    }
}

/// When every failure has been concluded.
fn concluded_at(world: &World) -> Time {
    let last = world.observations.last().map_or(world.end, |(seen_at, _)| *seen_at);
    last.max(world.end) + world.settings.horizon + TimeDelta::minutes(10)
}
