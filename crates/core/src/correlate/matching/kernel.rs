//! Where in time a failure says that its last attempt began.

use crate::{
    correlate::{
        learn::{Client, Clock, normal},
        view::FailureView,
    },
    model::FailureKind,
};

/// The share of lines whose time is odd: written late, or by a clock that was set meanwhile.
const ODD: f64 = 0.03;
/// What an odd line's time is spread over, in seconds either way.
pub(super) const ODD_WIDTH: f64 = 6.0;
/// NAT gateways forget a connection after 350 s, and reset it within a second.
const NAT: (f64, f64) = (350.65, 0.35);
/// No reset is looked for further back than this, in seconds.
pub(super) const FURTHEST: f64 = 900.0;
/// How likely an elapsed time of unknown sort is of the last attempt, and not of a call with more of them.
const OF_ATTEMPT: f64 = 0.8;

/// One way in which a failure can have come about, as far as the time of its record goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Story {
    /// The attempt began so many seconds before the line, give or take, and ran at least that long.
    Began { before: f64, spread: f64 },
    /// The client gave up after its timeout: it began so many seconds before the line, and ran longer; or its answer
    /// was lost on the way.
    GaveUp { after: f64 },
    /// The attempt was still running when the line was written.
    Running,
    /// AWS was done with it when the line was written.
    Ended,
}

/// Density of a floored start time that lies `late` seconds before the moment the line points to.
pub(super) fn start_density(late: f64, sd: f64) -> f64 {
    let regular = normal::below(late / sd) - normal::below((late - 1.0) / sd);
    let odd = if (late - 0.5).abs() <= ODD_WIDTH { ODD / (2.0 * ODD_WIDTH) } else { 0.0 };
    (1.0 - ODD).mul_add(regular, odd)
}

/// Every story of a failure with its odds, which sum to 1.
pub(super) fn stories(failure: &FailureView, client: &Client, nat: f64) -> Vec<(Story, f64)> {
    match failure.kind {
        FailureKind::ReadTimeout => {
            let likely = client.timeout.likely().iter().filter(|(_, odds)| *odds > 5e-3);
            likely.map(|&(after, odds)| (Story::GaveUp { after }, odds)).collect()
        }
        FailureKind::ConnectionReset | FailureKind::StreamTruncated => cut_off(failure, nat),
        _ => match failure.elapsed {
            Some(before) if failure.attempts == Some(1) => vec![(Story::Began { before, spread: 0.0 }, 1.0)],
            _ => vec![(Story::Ended, 1.0)],
        },
    }
}

fn cut_off(failure: &FailureView, nat: f64) -> Vec<(Story, f64)> {
    let (before, spread) = NAT;
    let gateway = Story::Began { before, spread };
    let Some(elapsed) = failure.elapsed else { return vec![(Story::Running, 1.0 - nat), (gateway, nat)] };
    let times = (elapsed / before).round();
    if (1.0..=6.0).contains(&times) && (-1.0..=30.0 * (times - 1.0) + 1.0).contains(&(elapsed - times * 350.0)) {
        // One attempt or several, each forgotten by a gateway.
        return vec![(gateway, 0.97), (Story::Running, 0.03)];
    }
    let of_attempt = match failure.attempts {
        Some(1) => 1.0,
        Some(_) => 0.5,
        None => OF_ATTEMPT,
    };
    let began = Story::Began { before: elapsed, spread: 0.0 };
    [(began, of_attempt), (Story::Running, 1.0 - of_attempt)].into_iter().filter(|(_, odds)| *odds > 0.0).collect()
}

/// The moment a line points to as its attempt's start, and how far that may be off.
pub(super) fn moment(failure: &FailureView, clock: &Clock, before: f64, spread: f64) -> (f64, f64) {
    (failure.at - clock.ahead - before, clock.sd.hypot(spread))
}
