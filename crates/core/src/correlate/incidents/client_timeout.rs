//! The client's read timeout is shorter than the answers take.

use super::{case::Case, detector::Detector, network, series::Series};
use crate::model::Cause;

/// Timeouts that people set, in seconds: what is advised is one of them.
const STEPS: [f64; 9] = [30.0, 60.0, 90.0, 120.0, 180.0, 240.0, 300.0, 600.0, 900.0];
/// Room above the slowest answers.
const ROOM: f64 = 1.5;

pub(super) struct ClientTimeout;

impl Detector for ClientTimeout {
    fn cause(&self) -> Cause {
        Cause::ClientTimeout
    }

    fn weigh(&self, case: &Case) -> f64 {
        if network::took_timeouts(case) { 0.0 } else { case.excess(Series::Timeout) }
    }

    fn evidence(&self, case: &Case) -> String {
        let given_up = case.count(Series::Timeout);
        let mut text = format!("{}: clients gave up on {given_up:.0} of {:.0} calls", case.when(), case.requests);
        if let Some(timeout) = usual_timeout(&case.timeouts) {
            text += &format!(" after {timeout:.0} s");
        }
        if let Some(slowest) = case.slowest {
            text += &format!(", while one answer in a hundred took {slowest:.0} s or longer");
        }
        if let Some((now, usual)) = case.latency {
            text += &format!(" (mean {now:.1} s, usually {usual:.1} s)");
        }
        text + "."
    }

    fn remedy(&self, case: &Case) -> String {
        let whose = match &case.impatient {
            Some((application, share)) if *share >= 0.6 => format!(" of {application}"),
            _ => String::new(),
        };
        let now = usual_timeout(&case.timeouts);
        let wanted = case.slowest.map(|slowest| {
            let least = f64::max(slowest * ROOM, now.map_or(0.0, |now| now + 1.0));
            STEPS.into_iter().find(|step| *step >= least).unwrap_or(900.0)
        });
        let raise = match (now, wanted) {
            (Some(now), Some(wanted)) => format!("Raise the read timeout{whose} from {now:.0} s to {wanted:.0} s"),
            (None, Some(wanted)) => format!("Raise the read timeout{whose} to at least {wanted:.0} s"),
            (Some(now), None) => format!("Raise the read timeout{whose} above {now:.0} s"),
            (None, None) => format!("Raise the read timeout{whose} above what the slowest answers take"),
        };
        format!(
            "{raise}, or stream the answer, so that the timeout is for the first token. Until then allow one attempt: each retry of a call that timed out is billed in full again."
        )
    }
}

/// The read timeout that most elapsed times fit: k attempts of T seconds take kT and their backoffs.
fn usual_timeout(elapsed: &[(f64, Option<u32>)]) -> Option<f64> {
    const GRID: [f64; 16] =
        [5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 45.0, 60.0, 75.0, 90.0, 120.0, 180.0, 240.0, 300.0, 600.0, 900.0];
    let fits = |timeout: f64, (seconds, attempts): (f64, Option<u32>)| {
        let of = |k: u32| {
            let least = timeout * f64::from(k);
            let backoff = 0.25 * f64::from(k) + f64::from(1_u32 << (k - 1).min(5)) - 1.0;
            (least - 0.1..=least + backoff + 0.5).contains(&seconds)
        };
        match attempts {
            // Elapsed is of one attempt, or of all of them.
            Some(k) if k > 0 => of(1) || of(k),
            _ => (1..=5).any(of),
        }
    };
    let count = |timeout: f64| elapsed.iter().filter(|one| fits(timeout, **one)).count();
    // Of those that fit as many, the longest: 30 s three times is rarer than 90 s once.
    let best = GRID
        .into_iter()
        .map(|timeout| (count(timeout), timeout))
        .max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    best.filter(|(count, _)| count * 2 > elapsed.len()).map(|(_, timeout)| timeout)
}
