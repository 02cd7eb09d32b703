//! Whole worlds, drawn from a seed, as a correlator sees them: observations in the order in which they are seen, and
//! the truth.
//!
//! A world is a fleet of the same make as the demo's, played without text, HTTP or a clock: what the recogniser and
//! the sources would have made of it is drawn directly. What nobody knows of the real AWS, such as what Invocations
//! counts, or that differs between users, such as what clients log, varies from seed to seed.
//!
//! Even seeds are for tuning. Odd seeds are held out: accuracy is reported on them, and nothing is tuned on them.

mod applications;
mod incidents;
mod knobs;
mod minutes;
mod observe;
mod scenario;
mod truth;

use std::sync::Arc;

use chrono::{TimeDelta, TimeZone, Utc};
use faultline_core::{
    correlate::{InvocationsCount, Settings},
    model::{Cell, ModelKey, Observation, RecordsRead, Scope, Time},
};
use rand::RngExt;

use self::{applications::Caller, minutes::Minutes, observe::Observer};
pub use self::{
    applications::{Elapsed, Telling},
    knobs::{DelayLaw, Knobs, TokenSamples},
    scenario::Scenario,
    truth::{RequestTruth, TrueIncident},
};
use crate::fleet::{
    Application, Delays, FleetPlan, Incident, Noise, Trouble,
    chance::{happens, minute_of, seconds, stream_of},
};

/// How long a record may follow its failure.
const HORIZON: TimeDelta = TimeDelta::minutes(30);
/// Odds that a connection that is lost is lost before the request arrived.
const RESETS_ON_THE_WAY_OUT: f64 = 0.2;

/// A world: what can be seen of it, and what really happened.
#[derive(Debug, Clone)]
pub struct World {
    /// The account and region.
    pub cell: Cell,
    /// How a correlator of it is set up: hours after its end its window still covers the whole world.
    pub settings: Settings,
    /// Before its first call.
    pub start: Time,
    /// After its last call began.
    pub end: Time,
    /// What is seen, and when: in the order of seeing.
    pub observations: Vec<(Time, Observation)>,
    /// Every attempt of every call.
    pub truth: Vec<RequestTruth>,
    /// What went wrong.
    pub incidents: Vec<TrueIncident>,
    /// What differs from other worlds.
    pub knobs: Knobs,
    /// Who called, and how they log.
    pub applications: Vec<(Application, Telling)>,
    /// What was to go wrong.
    pub scenario: Scenario,
    /// Requests a minute of its main model.
    pub rpm: f64,
    /// What it was drawn from.
    pub seed: u64,
}

impl World {
    /// The world of this seed: `rpm` requests a minute to one model, and something of `scenario` somewhere in it.
    pub fn draw(seed: u64, rpm: f64, scenario: Scenario) -> Self {
        Self::draw_with(seed, rpm, scenario, |_| ())
    }

    /// The same, after some of its knobs were set by hand.
    pub fn draw_with(seed: u64, rpm: f64, scenario: Scenario, set: impl FnOnce(&mut Knobs)) -> Self {
        let mut rng = stream_of(seed, -1, 0);
        let mut knobs = Knobs::draw(&mut rng);
        set(&mut knobs);
        let callers = applications::draw(&knobs, scenario, rpm, &mut rng);
        let midnight = Utc.with_ymd_and_hms(2026, 3, 2, 0, 0, 0).single().unwrap_or_default();
        let start = midnight + TimeDelta::minutes(rng.random_range(0..1440));
        let end = start + seconds((6_000.0 / rpm).clamp(60.0, 720.0) * 60.0);
        let incidents = incidents::draw(scenario, &callers, (start, end), rpm, &mut rng);
        let silent_losses = if happens(&mut rng, 0.5) { 0.25 } else { 0.0 };
        let (applications, tellings): (Vec<_>, Vec<_>) =
            callers.into_iter().map(|Caller { application, telling, .. }| (application, telling)).unzip();
        let plan = FleetPlan {
            seed,
            account_id: "111122223333".into(),
            region: "us-east-1".into(),
            applications,
            incidents,
            recurring: None,
            noise: noise(&knobs, silent_losses, start),
        };
        Self::play(plan, tellings, knobs, scenario, (start, end), rpm)
    }

    fn play(
        plan: FleetPlan,
        tellings: Vec<Telling>,
        knobs: Knobs,
        scenario: Scenario,
        (start, end): (Time, Time),
        rpm: f64,
    ) -> Self {
        let cell = Cell { account_id: Arc::clone(&plan.account_id), region: Arc::clone(&plan.region) };
        let (mut observations, mut truth, mut minutes) = (Vec::new(), Vec::new(), Minutes::default());
        let observers: Vec<Observer<'_>> = plan
            .applications
            .iter()
            .zip(&tellings)
            .map(|(application, telling)| Observer::new(&cell, &knobs, application, telling))
            .collect();
        let mut calls = 0;
        for minute in minute_of(start)..minute_of(end) {
            plan.play(minute, |call, rng| {
                let Some(observer) = observers.get(call.application) else { return };
                let first = truth.len();
                observer.observe(calls, &call, rng, &mut observations, &mut truth);
                for (attempt, truth) in call.attempts.iter().zip(&truth[first..]) {
                    minutes.measure(attempt, observer.application, &observer.model, &knobs, rng);
                    if attempt.reached_aws {
                        minutes.delivered(attempt.ended_at(), truth.has_record, rng);
                    }
                }
                calls += 1;
            });
        }
        drop(observers);
        minutes.read(&cell, &mut observations);
        observations.extend(every_record_is_read(&cell, start, end));
        observations.sort_by_key(|(seen_at, _)| *seen_at);
        let incidents = true_incidents(&cell, &plan, scenario, &truth);
        let settings = Settings {
            window: (end - start) + TimeDelta::hours(3),
            horizon: HORIZON,
            invocations_count: InvocationsCount::Auto,
            cap: 10_000_000,
        };
        let seed = plan.seed;
        let applications = plan.applications.into_iter().zip(tellings).collect();
        Self { cell, settings, start, end, observations, truth, incidents, knobs, applications, scenario, rpm, seed }
    }
}

/// The invocation log is read as a whole, every minute.
fn every_record_is_read(cell: &Cell, start: Time, end: Time) -> impl Iterator<Item = (Time, Observation)> {
    let start = start - TimeDelta::minutes(10);
    let reads = (0..).map(move |minute| start + TimeDelta::minutes(minute));
    reads.take_while(move |from| *from < end + HORIZON).map(|from| {
        let until = from + TimeDelta::minutes(1);
        let read = RecordsRead { cell: cell.clone(), model: None, from, until };
        (until + TimeDelta::seconds(5), Observation::RecordsRead(read))
    })
}

fn noise(knobs: &Knobs, silent_losses: f64, start: Time) -> Noise {
    // Observations have delays of their own; the fleet's are those of its emissions.
    let none = Delays {
        client_log: (0.0, 0.0),
        record: (0.0, 0.0),
        metric: (0.0, 0.0),
        metric_tail_share: 0.0,
        metric_tail: 0.0,
    };
    Noise {
        invocations: knobs.invocations,
        metered_server_errors: knobs.metered_server_errors,
        metered_errors_with_code: knobs.metered_errors_with_code,
        metered_errors_mid_stream: 0.15,
        resets_on_the_way_out: RESETS_ON_THE_WAY_OUT,
        silent_losses,
        stalls: knobs.stalls,
        lost_records: knobs.lost_records,
        delays: none,
        live_delays: none,
        live_from: start,
    }
}

/// The strikes of a scenario are one incident.
fn true_incidents(cell: &Cell, plan: &FleetPlan, scenario: Scenario, truth: &[RequestTruth]) -> Vec<TrueIncident> {
    let Some(Incident { from, until, .. }) = plan.incidents.first() else { return Vec::new() };
    let model = ModelKey::parse(applications::MODEL);
    let low_load = plan.incidents.iter().any(|i| matches!(i.strike.trouble, Trouble::Load(load) if load < 0.8));
    let cause = scenario.cause();
    let failures = truth
        .iter()
        .filter(|attempt| {
            let noticed = attempt.line.is_some() || attempt.has_error_code;
            let within = *from <= attempt.started_at && attempt.started_at < *until;
            noticed && within && attempt.model == model && attempt.failed && attempt.kind.is_some()
        })
        .count();
    vec![TrueIncident {
        scope: Scope { cell: cell.clone(), model },
        from: *from,
        until: *until,
        cause,
        low_load,
        failures: u64::try_from(failures).unwrap_or_default(),
    }]
}

#[cfg(test)]
mod tests;
