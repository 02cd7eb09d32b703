//! Whether a record looks like one attempt of several: an SDK sends the same prompt again, with the same number of
//! input tokens, its backoff after the attempt before gave up.

use super::groups::Group;
use crate::correlate::{
    learn::{LatencyLaw, certainly, largest_local},
    view::RecordView,
};

/// No backoff of an SDK is longer, in seconds.
const MOST_BACKOFF: f64 = 20.0;
/// Nothing is so sure that more than this should be made of it.
const MOST: f64 = 1e4;
/// A prompt that comes so often within the time that attempts take is a template or a health check: it tells nothing.
const FREQUENT: usize = 40;
/// Of prompts alone too little is known to call any number of input tokens rarer than this.
const RAREST: f64 = 1e-3;

/// How the gap between two attempts, beyond the time the first took, is spread: backoffs of up to 2^i seconds, other
/// laws, and the floors of both records' times.
fn gap_density(gap: f64) -> f64 {
    // Odds of each longest backoff, in seconds.
    const BACKOFFS: [(f64, f64); 6] =
        [(0.25, 0.1), (1.0, 0.4), (2.0, 0.2), (4.0, 0.12), (8.0, 0.1), (MOST_BACKOFF, 0.08)];
    let within = |longest: f64| ((gap + 1.0).clamp(0.0, longest) - (gap - 1.0).clamp(0.0, longest)) / (2.0 * longest);
    BACKOFFS.iter().map(|&(longest, odds)| odds * within(longest)).sum()
}

/// How much likelier records of the same prompt are to be where they are if this one was the attempt after them
/// than if they are of other calls; the same for records after this one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Neighbours {
    pub(super) before: f64,
    pub(super) after: f64,
}

/// The neighbours of a group's member when its client gives up after `patience` seconds; or, without patience, when
/// it is cut off at some moment while it runs.
pub(super) fn neighbours(
    group: &Group,
    member: usize,
    records: &[RecordView],
    law: &LatencyLaw,
    patience: Option<f64>,
) -> Neighbours {
    let record = &records[group.members[member]];
    let Some(same) = group.same_prompt(record).filter(|same| same.times.len() > 1) else {
        return Neighbours { before: 0.0, after: 0.0 };
    };
    // The gap between attempts: at least the patience, at most a backoff more.
    let least = patience.map_or(0.5, |patience| (patience - 1.0).max(0.5));
    let furthest = patience.unwrap_or(60.0) + MOST_BACKOFF + 1.0;
    let span = |from: f64, to: f64| {
        let from = same.times.partition_point(|time| *time < from);
        from..same.times.partition_point(|time| *time <= to).max(from)
    };
    // The likelihood of `second` being the attempt after `first`.
    let link = |first: &RecordView, second: &RecordView| match patience {
        Some(patience) => match gap_density(second.at - first.at - patience) {
            0.0 => 0.0,
            density => density * outlasts(law, first, patience),
        },
        None => {
            let longest = law.typical(first).min(60.0) + 3.0;
            let gap = second.at - first.at;
            if (0.0..=longest).contains(&gap) { 1.0 / longest } else { 0.0 }
        }
    };
    let mut found = Neighbours { before: 0.0, after: 0.0 };
    if span(record.at - furthest, record.at + furthest).len() > FREQUENT {
        return found;
    }
    for position in span(record.at - furthest, record.at - least) {
        found.before += link(&records[same.records[position]], record);
    }
    for position in span(record.at + least, record.at + furthest) {
        found.after += link(record, &records[same.records[position]]);
    }
    if found.before > 0.0 || found.after > 0.0 {
        // The rate at which this prompt comes anyway: without this record and the attempts of its own call.
        let usual = largest_local(&same.times, record.at, 2).max(group.rate_near(record.at) * RAREST);
        found.before = (found.before / usual).min(MOST);
        found.after = (found.after / usual).min(MOST);
    }
    found
}

/// P(the call took longer than the client waited). A stream's client waits for its first byte only, of which its
/// tokens tell nothing.
pub(super) fn outlasts(law: &LatencyLaw, record: &RecordView, patience: f64) -> f64 {
    match (record.streams(), record.first_byte()) {
        (true, Some(first)) => certainly(first, patience),
        (true, None) if record.exact_latency().is_none() => 0.5,
        _ => law.exceeds(record, patience),
    }
}

/// What is left of a record's being the last attempt of a failed call if it seems to have been tried again: of calls
/// that outlasted their client half are tried again, as far as is known beforehand.
pub(super) fn not_tried_again(after: f64) -> f64 {
    const TRIED_AGAIN: f64 = 0.5;
    const LOST: f64 = 0.05;
    1.0 / TRIED_AGAIN.mul_add(LOST + (1.0 - LOST) * after, 1.0 - TRIED_AGAIN)
}
