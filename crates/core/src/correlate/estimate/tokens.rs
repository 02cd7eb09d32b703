//! Whether a sample of InputTokenCount is a request that metered tokens.

use chrono::{DurationRound, TimeDelta};

use super::series::{Series, slack};
use crate::correlate::minutes::Counts;

/// The test's blocks are this long.
const BLOCK: TimeDelta = TimeDelta::minutes(10);

/// Whole requests differ by more than this.
const SURELY: f64 = 0.5;

/// What the test says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Hypothesis {
    /// It holds, and failures were seen to meter.
    Holds,
    /// It is not contradicted, but no failure was seen to meter: either none did, or failures leave no sample.
    Blind,
    /// It does not hold.
    Broken(String),
}

/// What one block counts.
#[derive(Default)]
struct Block {
    low: f64,
    high: f64,
    errors: f64,
    requests: f64,
}

/// Tests all minutes that are kept, with the fewest and the most successes of each; `unmetered` failed requests of them
/// have a record without tokens.
pub(super) fn test(series: &Series<'_>, successes: impl Fn(&Counts) -> (f64, f64), unmetered: f64) -> Hypothesis {
    if series.minutes.iter().any(|(_, counts)| counts.zero_samples) {
        let reason =
            "InputTokenCount has samples of 0: its sample count is not the number of requests that were metered.";
        return Hypothesis::Broken(reason.into());
    }
    let slip = series.slip(|counts| counts.metered_count() - successes(counts).1);
    let of_block = slack(slip, 1);
    let mut blocks: Vec<(_, Block)> = Vec::new();
    for (minute, counts) in series.minutes.iter().filter(|(_, counts)| !series.is_incomplete(counts)) {
        let start = minute.duration_trunc(BLOCK).unwrap_or(*minute);
        if blocks.last().is_none_or(|(last, _)| *last != start) {
            blocks.push((start, Block::default()));
        }
        let Some((_, block)) = blocks.last_mut() else { continue };
        let (fewest, most) = successes(counts);
        block.low += counts.metered_count() - most;
        block.high += counts.metered_count() - fewest;
        block.errors += counts.errors();
        block.requests += most;
    }
    for (start, block) in &blocks {
        if block.high < -of_block || block.low > block.errors + of_block {
            return Hypothesis::Broken(format!(
                "In the ten minutes from {} UTC {:.0} requests succeeded, {:.0} more or fewer metered tokens and {:.0} failed: InputTokenCount does not count requests here.",
                start.format("%H:%M"),
                block.requests,
                f64::midpoint(block.low, block.high),
                block.errors
            ));
        }
    }
    let total = |with_errors: bool| {
        let of_kind = blocks.iter().filter(|(_, block)| (block.errors > 0.0) == with_errors);
        of_kind.fold((0, 0.0, 0.0), |(runs, low, high), (_, block)| (runs + 1, low + block.low, high + block.high))
    };
    // A bias too small for one block shows in all the quiet ones together.
    let (runs, low, high) = total(false);
    let of_quiet = slack(slip, runs);
    if low > of_quiet || high < -of_quiet {
        let beyond = f64::midpoint(low, high);
        return Hypothesis::Broken(format!(
            "In minutes without errors {beyond:+.0} requests metered tokens beyond those that succeeded: InputTokenCount does not count requests here."
        ));
    }
    let seen = blocks.iter().any(|(_, block)| block.errors > 0.0 && block.low > of_block);
    let (runs, together, _) = total(true);
    let errors: f64 = blocks.iter().map(|(_, block)| block.errors).sum();
    // The invocation log knows better: of these requests it shows that they metered nothing.
    let slipped = 3.0 * slip * (2.0 * runs as f64).sqrt();
    if unmetered > 0.0 && together > errors - unmetered + slipped + SURELY {
        return Hypothesis::Broken(format!(
            "{together:.0} requests metered tokens beyond those that succeeded, among {errors:.0} errors of which {unmetered:.0} have a record without tokens: InputTokenCount has samples of requests that are not billed."
        ));
    }
    if seen || (runs > 0 && together > slack(slip, runs)) { Hypothesis::Holds } else { Hypothesis::Blind }
}
