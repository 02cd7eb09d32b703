//! What goes wrong, when, and for whom.

use std::sync::Arc;

use chrono::TimeDelta;
use faultline_core::model::{Cause, Time};

use super::application::Application;

/// The mechanism of an incident. Shares are of the attempts it touches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trouble {
    /// Bedrock answers this share with 503.
    Unavailable(f64),
    /// Bedrock answers this share with 429.
    Throttled(f64),
    /// This share loses its connection.
    Network(f64),
    /// Bedrock answers this share with 500.
    InternalErrors(f64),
    /// The model fails on this share: 424.
    ModelErrors(f64),
    /// Answers get this many times longer, and so slower: read timeouts that used to do no longer do.
    LongAnswers(f64),
    /// Answers come this many times slower.
    SlowAnswers(f64),
    /// This many times as many calls as usual: no trouble by itself.
    Load(f64),
}

impl Trouble {
    /// What an engineer would call the cause.
    pub const fn cause(self) -> Cause {
        match self {
            Self::Unavailable(_) | Self::InternalErrors(_) => Cause::ServerCapacity,
            Self::Throttled(_) => Cause::Throttling,
            Self::Network(_) => Cause::Network,
            Self::ModelErrors(_) => Cause::ModelError,
            Self::LongAnswers(_) | Self::SlowAnswers(_) => Cause::ClientTimeout,
            Self::Load(_) => Cause::Unknown,
        }
    }
}

/// A trouble and whom it strikes.
#[derive(Debug, Clone, PartialEq)]
pub struct Strike {
    /// What happens.
    pub trouble: Trouble,
    /// The models struck; empty for all.
    pub models: Vec<Arc<str>>,
    /// The applications struck; empty for all.
    pub applications: Vec<Arc<str>>,
}

impl Strike {
    /// A trouble of these models, whoever calls them.
    pub fn of_models<const N: usize>(trouble: Trouble, models: [&str; N]) -> Self {
        Self { trouble, models: models.map(Arc::from).to_vec(), applications: Vec::new() }
    }

    /// A trouble of these applications.
    pub fn of_applications<const N: usize>(trouble: Trouble, applications: [&str; N]) -> Self {
        Self { trouble, models: Vec::new(), applications: applications.map(Arc::from).to_vec() }
    }

    fn touches(&self, application: &Application) -> bool {
        let listed = |names: &[Arc<str>], name| names.is_empty() || names.contains(name);
        listed(&self.models, &application.model_id) && listed(&self.applications, &application.name)
    }
}

/// A strike in time.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// What it is called in reports of the simulation.
    pub name: &'static str,
    /// When it begins.
    pub from: Time,
    /// When it is over.
    pub until: Time,
    /// What it does.
    pub strike: Strike,
}

/// Incidents that come again and again, one strike after the other, for as long as time goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Recurring {
    /// When the first begins.
    pub first: Time,
    /// From one beginning to the next.
    pub every: TimeDelta,
    /// How long each lasts.
    pub length: TimeDelta,
    /// The strikes, in turn.
    pub strikes: Vec<Strike>,
}

impl Recurring {
    /// The strike under way at a moment.
    fn at(&self, time: Time) -> Option<&Strike> {
        let since = (time - self.first).num_milliseconds();
        let every = self.every.num_milliseconds().max(1);
        if since < 0 || since.rem_euclid(every) >= self.length.num_milliseconds() {
            return None;
        }
        let turn = usize::try_from(since.div_euclid(every)).unwrap_or(0);
        self.strikes.get(turn.checked_rem(self.strikes.len())?)
    }
}

/// The weather an attempt meets: probabilities of each trouble, and how long answers are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Weather {
    pub(crate) unavailable: f64,
    pub(crate) throttled: f64,
    pub(crate) network: f64,
    pub(crate) internal: f64,
    pub(crate) model: f64,
    /// How many times as long answers are as usual.
    pub(crate) length: f64,
    /// How many times slower they come.
    pub(crate) slowness: f64,
    /// How many times as many calls come.
    pub(crate) load: f64,
}

impl Weather {
    /// Of quiet times: even then, some calls fail.
    const QUIET: Self = Self {
        unavailable: 0.0006,
        throttled: 0.0005,
        network: 0.0005,
        internal: 0.0003,
        model: 0.0003,
        ..Self::STILL
    };

    /// Without any failure.
    pub(crate) const STILL: Self = Self {
        unavailable: 0.0,
        throttled: 0.0,
        network: 0.0,
        internal: 0.0,
        model: 0.0,
        length: 1.0,
        slowness: 1.0,
        load: 1.0,
    };

    fn add(&mut self, trouble: Trouble) {
        let scale = |value: &mut f64, factor: f64| *value *= factor;
        let (odds, share) = match trouble {
            Trouble::Unavailable(share) => (&mut self.unavailable, share),
            Trouble::Throttled(share) => (&mut self.throttled, share),
            Trouble::Network(share) => (&mut self.network, share),
            Trouble::InternalErrors(share) => (&mut self.internal, share),
            Trouble::ModelErrors(share) => (&mut self.model, share),
            Trouble::LongAnswers(factor) => return scale(&mut self.length, factor),
            Trouble::SlowAnswers(factor) => return scale(&mut self.slowness, factor),
            Trouble::Load(factor) => return scale(&mut self.load, factor),
        };
        *odds = 1.0 - (1.0 - *odds) * (1.0 - share);
    }
}

/// What an attempt of this application meets at this moment.
pub(crate) fn weather(
    incidents: &[Incident],
    recurring: Option<&Recurring>,
    application: &Application,
    at: Time,
) -> Weather {
    let mut weather = Weather::QUIET;
    let scheduled = incidents.iter().filter(|i| i.from <= at && at < i.until).map(|i| &i.strike);
    for strike in scheduled.chain(recurring.and_then(|recurring| recurring.at(at))) {
        if strike.touches(application) {
            weather.add(strike.trouble);
        }
    }
    weather
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::fleet::FleetPlan;

    fn now() -> Time {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn recurring_strikes_take_turns_and_rest_between() {
        let strikes = [Trouble::Throttled(0.5), Trouble::Network(0.25)].map(|t| Strike::of_models(t, [])).to_vec();
        let (every, length) = (TimeDelta::seconds(180), TimeDelta::seconds(50));
        let recurring = Recurring { first: now(), every, length, strikes };
        let at = |seconds| recurring.at(now() + TimeDelta::seconds(seconds)).map(|strike| strike.trouble);
        assert_eq!(at(-1), None);
        assert_eq!(at(0), Some(Trouble::Throttled(0.5)));
        assert_eq!(at(50), None);
        assert_eq!(at(180), Some(Trouble::Network(0.25)));
        assert_eq!(at(360), Some(Trouble::Throttled(0.5)));
    }

    #[test]
    fn a_strike_touches_whom_it_names_while_it_lasts() {
        let applications = FleetPlan::demo(1, now()).applications;
        let strike = Strike::of_applications(Trouble::Network(0.5), ["chat-api"]);
        let incident = Incident { name: "blip", from: now(), until: now() + TimeDelta::seconds(10), strike };
        for application in &applications {
            for (seconds, lasts) in [(-1, false), (0, true), (9, true), (10, false)] {
                let weather =
                    weather(std::slice::from_ref(&incident), None, application, now() + TimeDelta::seconds(seconds));
                let struck = lasts && &*application.name == "chat-api";
                assert_eq!(weather.network > 0.5, struck, "{} {seconds}", application.name);
            }
        }
    }
}
