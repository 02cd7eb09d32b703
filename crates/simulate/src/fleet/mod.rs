//! One AWS account with a fleet of applications on Bedrock, as a pure function of a seed and of time.
//!
//! [`FleetPlan`] says who calls and what goes wrong, [`Fleet::advance`] plays it and turns it into [`Emission`]s,
//! and [`Fleet::truth`] keeps what really happened. A call is played by `request`, told by `texts`, recorded by
//! `record`, measured by `metrics` and given its delays by `emit`.
//!
//! A minute is always played whole, from random streams of its own, and its calls are held back until time reaches
//! them: how time is cut into calls of `advance` changes nothing.

mod application;
pub(crate) mod chance;
mod demo;
mod emit;
mod incident;
pub(crate) mod metrics;
mod plan;
mod record;
pub(crate) mod request;
mod texts;
mod truth;

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta};
use faultline_core::model::Time;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use self::{
    chance::{between, happens, minute_of, number, poisson, stream_of, uuid},
    emit::{Emitter, Names, Played},
    request::{Call, Prompt, Stage},
};
use crate::Emission;

pub use self::{
    application::{Application, ApplicationInfo, Backoff, ClientLibrary, HealthCheck, Pace, Size, Templates},
    demo::PAST as DEMO_PAST,
    emit::{INVOCATION_GROUP, INVOCATION_STREAM},
    incident::{Incident, Recurring, Strike, Trouble},
    plan::{CountsInvocations, Delays, FleetPlan, Noise},
    truth::RequestTruth,
};

/// Seconds after which an application itself calls again what has failed.
const CALLS_AGAIN_AFTER: (f64, f64) = (1.0, 15.0);

/// The fleet, somewhere in time.
#[derive(Debug)]
pub struct Fleet {
    plan: FleetPlan,
    /// By application, as in the plan.
    names: Vec<Names>,
    position: Time,
    /// The next minute to play.
    next_minute: i64,
    /// What was played but lies beyond the position, in order of time.
    held: VecDeque<Played>,
    truth: Vec<RequestTruth>,
}

impl Fleet {
    /// The fleet of this plan, before its first call at or after `start`.
    pub fn new(plan: FleetPlan, start: Time) -> Self {
        let names = plan.applications.iter().map(|application| Names::of(&plan, application)).collect();
        Self { plan, names, position: start, next_minute: minute_of(start), held: VecDeque::new(), truth: Vec::new() }
    }

    /// The plan it follows.
    pub const fn plan(&self) -> &FleetPlan {
        &self.plan
    }

    /// All calls that start in [position, `until`), in order of their start, each with everything that comes of it:
    /// its emissions may lie, and become visible, after `until`, and are in no order of time. Going back in time
    /// emits nothing.
    pub fn advance(&mut self, until: Time, emit: &mut Vec<Emission>) {
        while start_of(self.next_minute) < until {
            let mut minute = self.play(self.next_minute);
            minute.retain(|played| played.started_at >= self.position);
            self.held.extend(minute);
            self.next_minute += 1;
        }
        while let Some(played) = self.held.pop_front_if(|played| played.started_at < until) {
            emit.extend(played.emissions);
            self.truth.extend(played.truth);
        }
        self.position = self.position.max(until);
    }

    /// Every attempt of the calls emitted so far, call by call in order of their start.
    pub fn truth(&self) -> &[RequestTruth] {
        &self.truth
    }

    /// All calls that start in a minute, in order of their start.
    fn play(&self, minute: i64) -> Vec<Played> {
        let mut calls = Vec::new();
        self.plan.play(minute, |call, rng| {
            let (Some(application), Some(names)) =
                (self.plan.applications.get(call.application), self.names.get(call.application))
            else {
                return;
            };
            calls.push(Emitter { plan: &self.plan, application, names }.played(&call, rng));
        });
        calls.sort_by_key(|played| played.started_at);
        calls
    }
}

impl FleetPlan {
    /// Plays all calls that start in a minute, application by application; `visit` gets each with the random stream
    /// of its application.
    pub(crate) fn play(&self, minute: i64, mut visit: impl FnMut(Call, &mut ChaCha8Rng)) {
        let applications = &self.applications;
        let weather = |application: &Application, at| {
            incident::weather(&self.incidents, self.recurring.as_ref(), application, at)
        };
        let mut streams: Vec<_> = (0..applications.len()).map(|i| stream_of(self.seed, minute, i)).collect();
        let arrivals: Vec<Vec<(Time, Prompt)>> = applications
            .iter()
            .zip(&mut streams)
            .map(|(application, rng)| arrivals(application, minute, weather(application, start_of(minute)).load, rng))
            .collect();
        for (index, application) in applications.iter().enumerate() {
            let Some(rng) = streams.get_mut(index) else { continue };
            let stage = Stage {
                application,
                noise: &self.noise,
                slowdown: self.slowdown(application, &arrivals),
                weather: |at| weather(application, at),
            };
            for &(mut started_at, prompt) in arrivals.get(index).into_iter().flatten() {
                loop {
                    let call = Call {
                        application: index,
                        started_at,
                        log_stream: rng.random_range(0..application.log_streams.len().max(1)),
                        own_id: application.sends_own_id.then(|| uuid(rng)),
                        attempts: stage.play(started_at, prompt, rng),
                    };
                    let failed_at =
                        call.attempts.last().filter(|last| last.failure.is_some()).map(request::Attempt::left_at);
                    visit(call, rng);
                    let Some(failed_at) = failed_at else { break };
                    if application.calls_again <= 0.0 || !happens(rng, application.calls_again) {
                        break;
                    }
                    started_at = failed_at + chance::seconds(between(rng, CALLS_AGAIN_AFTER));
                }
            }
        }
    }

    /// How much slower a model is in a minute with more calls than usual, and faster with fewer.
    fn slowdown(&self, application: &Application, arrivals: &[Vec<(Time, Prompt)>]) -> f64 {
        let (mut came, mut usual) = (0, 0.0);
        for (other, calls) in self.applications.iter().zip(arrivals) {
            if other.model_id == application.model_id {
                came += calls.len();
                usual += other.load();
            }
        }
        // A few calls more or less say nothing where there are few.
        let came = number(u64::try_from(came).unwrap_or(u64::MAX));
        ((came + 10.0) / (usual + 10.0)).sqrt().clamp(0.8, 2.0)
    }
}

/// When the calls of an application start in a minute, and with what prompts.
fn arrivals(application: &Application, minute: i64, load: f64, rng: &mut impl rand::Rng) -> Vec<(Time, Prompt)> {
    let start = start_of(minute);
    let expected = application.calls_per_minute * load * time_of_day(minute);
    let mut arrivals: Vec<_> = (0..poisson(rng, expected))
        .map(|_| (start + chance::seconds(between(rng, (0.0, 60.0)).min(59.999)), Prompt::draw(application, rng)))
        .collect();
    if let Some(check) = application.health_check {
        let (from, every) = (start.timestamp(), check.every.num_seconds().max(1));
        let first = from + (-from).rem_euclid(every);
        let prompt = Prompt { input: check.input, output: number(check.output), output_sd: 0.0 };
        let times = (0..).map(|n| first + n * every).take_while(|&at| at < from + 60);
        arrivals.extend(times.map(|at| (start + TimeDelta::seconds(at - from), prompt)));
    }
    arrivals
}

/// Traffic swings by a fifth over the day, with its peak at 15:00 UTC.
fn time_of_day(minute: i64) -> f64 {
    let of_day = u64::try_from(minute.rem_euclid(1440)).unwrap_or_default();
    let angle = (number(of_day) - 900.0) / 1440.0 * std::f64::consts::TAU;
    1.0 + 0.2 * angle.cos()
}

/// When a minute begins, counted since 1970.
fn start_of(minute: i64) -> Time {
    DateTime::from_timestamp(minute.saturating_mul(60), 0).unwrap_or(DateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests;
