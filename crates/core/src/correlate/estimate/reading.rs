//! What `Invocations` counts, decided from the minutes with errors: right, or not at all.

use serde::Serialize;

use super::series::{Series, slack};
use crate::correlate::minutes::Counts;

/// What CloudWatch's Invocations counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InvocationsCount {
    /// To be calibrated.
    #[default]
    Auto,
    /// Successful requests.
    Successes,
    /// Every request accepted, also those that failed later.
    Accepted,
}

/// Fewer errors than this cannot tell one reading from the other.
const ERRORS_TO_DECIDE: f64 = 8.0;

/// A decision, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reading {
    Successes,
    Accepted,
    /// There are no errors: both readings say the same.
    Same,
    /// Too few errors, or both fit.
    Undecided(String),
    /// Neither fits: what is taken for the number of successes is not.
    Neither(String),
}

impl Reading {
    pub(super) const fn count(&self) -> Option<InvocationsCount> {
        match self {
            Self::Successes => Some(InvocationsCount::Successes),
            Self::Accepted => Some(InvocationsCount::Accepted),
            Self::Same | Self::Undecided(_) | Self::Neither(_) => None,
        }
    }

    /// Whether nothing can be estimated without a decision: where successes are counted by a metric of their own, it
    /// is enough that they contradict nothing.
    pub(super) const fn is_needed(&self, series: &Series<'_>) -> bool {
        !series.has_successes || matches!(self, Self::Neither(_))
    }

    /// The fewest and the most requests of a minute that can have succeeded.
    pub(super) fn successes(&self, series: &Series<'_>, counts: &Counts) -> (f64, f64) {
        if series.has_successes {
            let known = counts.successes.unwrap_or(0.0);
            return (known, known);
        }
        let invocations = counts.invocations.unwrap_or(0.0);
        if *self == Self::Accepted {
            // Whether client errors are among the accepted is not said anywhere.
            ((invocations - counts.errors()).max(0.0), (invocations - counts.server_errors).max(0.0))
        } else {
            (invocations, invocations)
        }
    }
}

/// What Invocations counts, by all minutes that are kept.
pub(super) fn decide(series: &Series<'_>, configured: InvocationsCount) -> Reading {
    match configured {
        InvocationsCount::Successes => return Reading::Successes,
        InvocationsCount::Accepted => return Reading::Accepted,
        InvocationsCount::Auto => {}
    }
    let runs = series.hot_runs();
    let complete = || runs.iter().flat_map(|run| run.iter()).filter(|(_, counts)| !series.is_incomplete(counts));
    let server: f64 = complete().map(|(_, counts)| counts.server_errors).sum();
    let client: f64 = complete().map(|(_, counts)| counts.client_errors).sum();
    if runs.is_empty() {
        return Reading::Same;
    }
    if server < ERRORS_TO_DECIDE {
        return Reading::Undecided(format!(
            "With {server:.0} server errors so far it cannot be told whether Invocations counts successful or accepted requests."
        ));
    }
    let other = |counts: &Counts| if series.has_successes { counts.successes } else { counts.metered };
    let beyond = |counts: &Counts| counts.invocations.unwrap_or(0.0) - other(counts).unwrap_or(0.0);
    let slip = series.slip(beyond);
    let calm = || series.minutes.iter().filter(|(_, counts)| counts.errors() == 0.0 && !series.is_incomplete(counts));
    let bias: f64 = calm().map(|(_, counts)| beyond(counts)).sum();
    if bias.abs() > slack(slip, runs.len() + 1) {
        let name = if series.has_successes { "EstimatedTPMQuotaUsage" } else { "InputTokenCount" };
        return Reading::Neither(format!(
            "In minutes without errors Invocations and the samples of {name} differ by {:.0}: they do not count the same requests.",
            bias.abs()
        ));
    }
    let excess: f64 = complete().map(|(_, counts)| beyond(counts)).sum();
    let slack = slack(slip, runs.len());
    if series.has_successes { with_successes(excess, server, client, slack) } else { without_successes(excess, slack) }
}

/// `excess` of Invocations over successes: 0 where it counts successes, the errors where it counts them too. The
/// losing reading must be far off.
fn with_successes(excess: f64, server: f64, client: f64, slack: f64) -> Reading {
    let off_successes = excess.abs();
    let off_accepted = (server - excess).max(excess - server - client).max(0.0);
    let far = (2.0 * slack).max(server / 2.0);
    match (off_successes <= slack, off_accepted <= slack) {
        (true, false) if off_accepted > far => Reading::Successes,
        (false, true) if off_successes > far => Reading::Accepted,
        (false, false) => Reading::Neither(format!(
            "Invocations exceeds the successes by {excess:.0} where {:.0} errors were counted, which fits neither successful nor accepted requests.",
            server + client
        )),
        _ => Reading::Undecided(
            "The minutes with errors fit both readings of Invocations, successful and accepted requests.".into(),
        ),
    }
}

/// `excess` of Invocations over requests that metered: failures that metered put it below 0 only where Invocations
/// leaves failures out, failures that did not put it above 0 only where it counts them.
fn without_successes(excess: f64, slack: f64) -> Reading {
    if excess < -slack {
        Reading::Successes
    } else if excess > slack {
        Reading::Accepted
    } else {
        Reading::Undecided(
            "Without EstimatedTPMQuotaUsage it cannot be told whether Invocations counts successful or accepted requests."
                .into(),
        )
    }
}
