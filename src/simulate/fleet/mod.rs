//! A fleet of applications on Bedrock, and what each side sees of their calls.
//!
//! Pure and deterministic from a seed: time goes in, emissions come out, and the truth about every request is kept.
//! Whole minutes are made at once, each from its own stream of random numbers, so that it does not matter in which
//! steps time is advanced.

mod application;
mod aws_view;
mod incident;
mod plan;
mod request;
mod texts;
mod truth;

use chrono::{Duration, DurationRound};
use faultline_core::model::Time;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub use self::{
    application::{Application, Client},
    incident::{Incident, Mechanism, Recurring},
    plan::{FleetPlan, INVOCATION_GROUP, INVOCATION_STREAM},
    truth::{RequestTruth, Verdict},
};
use super::Emission;

/// The fleet, as far as time has come.
#[derive(Debug)]
pub struct Fleet {
    plan: FleetPlan,
    /// The first minute that was not made yet.
    position: Time,
    /// Emissions of requests that start at or after the time asked for: held back.
    ahead: Vec<(Time, Vec<Emission>, Vec<RequestTruth>)>,
    truth: Vec<RequestTruth>,
}

impl Fleet {
    /// A fleet whose first request comes at or after `start`.
    pub fn new(plan: FleetPlan, start: Time) -> Self {
        let position = start.duration_trunc(Duration::minutes(1)).unwrap_or(start);
        Self { plan, position, ahead: Vec::new(), truth: Vec::new() }
    }

    /// All calls that start before `until` and were not emitted yet. What they emit may lie, and become visible, later.
    pub fn advance(&mut self, until: Time, emit: &mut Vec<Emission>) {
        while self.position < until {
            self.make_minute(self.position);
            self.position += Duration::minutes(1);
        }
        let mut ahead = Vec::new();
        for (start, emissions, truth) in self.ahead.drain(..) {
            if start < until {
                emit.extend(emissions);
                self.truth.extend(truth);
            } else {
                ahead.push((start, emissions, truth));
            }
        }
        self.ahead = ahead;
    }

    /// Every attempt of every call so far, in the order of their calls' start.
    pub fn truth(&self) -> &[RequestTruth] {
        &self.truth
    }

    fn make_minute(&mut self, minute: Time) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.plan.seed);
        rng.set_stream(minute.timestamp().unsigned_abs());
        let mut calls: Vec<_> = self
            .plan
            .applications
            .iter()
            .flat_map(|application| {
                request::starts(application, minute, &mut rng).into_iter().map(move |at| (at, application))
            })
            .collect();
        calls.sort_by_key(|(at, application)| (*at, application.name));
        for (at, application) in calls {
            let mut emissions = Vec::new();
            let mut truth = Vec::new();
            request::call(&self.plan, application, at, &mut rng, &mut emissions, &mut truth);
            self.ahead.push((at, emissions, truth));
        }
    }
}

#[cfg(test)]
mod tests;
