//! Records of the same prompt, as far as caller, model, operation and input tokens tell, and how often that prompt
//! comes anyway.

use std::collections::{BTreeMap, HashMap};

use crate::{
    correlate::{
        learn::{largest_local, normal::median},
        view::RecordView,
    },
    model::Operation,
};

/// So many records make a rhythm.
const RHYTHM: usize = 8;
/// And so large a share of its gaps within so many seconds of their median.
const REGULAR: (f64, f64) = (0.7, 1.5);
/// Input tokens this much apart, relatively, are taken to be about as common.
const ALIKE: f64 = 0.03;
/// How often a prompt comes again within minutes though nothing went wrong: people ask twice. Per second.
const ASKED_AGAIN: f64 = 3e-5;
/// Rates near a moment are of so many seconds either way.
const NEAR: f64 = 300.0;

/// Who calls what.
type Caller = (u32, u32, Option<Operation>);

/// All records of one caller, model and operation.
#[derive(Debug, Default)]
struct Calls {
    times: Vec<f64>,
    /// Input tokens, sorted.
    inputs: Vec<u32>,
}

impl Calls {
    /// Calls a second near a moment.
    fn rate(&self, at: f64) -> f64 {
        largest_local(&self.times, at, 1).max(1.0 / (4.0 * NEAR))
    }

    /// The share of calls with exactly so many input tokens, from how many have about as many.
    fn share_of(&self, input: u32) -> f64 {
        let width = (f64::from(input) * ALIKE).max(2.0);
        let from = self.inputs.partition_point(|other| f64::from(*other) < f64::from(input) - width);
        let to = self.inputs.partition_point(|other| f64::from(*other) <= f64::from(input) + width);
        #[expect(clippy::cast_precision_loss, reason = "counts of records are far below 2^52")]
        let (alike, all) = ((to - from) as f64, self.inputs.len() as f64);
        alike / all / (2.0 * width + 1.0)
    }
}

/// The records of one prompt, by time.
#[derive(Debug, Default)]
pub(super) struct Prompt {
    /// Positions in the records.
    pub(super) records: Vec<usize>,
    pub(super) times: Vec<f64>,
    /// How often it comes if nothing but how common such prompts are is known, as a share of its caller's calls.
    share: f64,
    caller: Option<Caller>,
}

/// Every prompt that came more than once and not as by a clock.
#[derive(Debug)]
pub(super) struct Prompts {
    pub(super) prompts: Vec<Prompt>,
    calls: HashMap<Caller, Calls>,
}

impl Prompts {
    /// From records, sorted by time.
    pub(super) fn of(records: &[RecordView]) -> Self {
        let mut calls: HashMap<Caller, Calls> = HashMap::new();
        let mut prompts: BTreeMap<(Caller, u32, u32), Prompt> = BTreeMap::new();
        // A record without input tokens is of a request that was refused, or that nothing is known of.
        for (position, record) in records.iter().enumerate().filter(|(_, record)| record.input > 0) {
            let caller = (record.identity, record.model, record.operation);
            let of_caller = calls.entry(caller).or_default();
            of_caller.times.push(record.at);
            of_caller.inputs.push(record.input);
            let prompt = prompts.entry((caller, record.input, record.cached)).or_default();
            prompt.records.push(position);
            prompt.times.push(record.at);
        }
        calls.values_mut().for_each(|calls| calls.inputs.sort_unstable());
        let repeated =
            prompts.into_iter().filter(|(_, prompt)| prompt.records.len() > 1 && !is_periodic(&prompt.times));
        let prompts = repeated
            .map(|((caller, input, _), prompt)| Prompt {
                share: calls.get(&caller).map_or(1.0, |calls| calls.share_of(input)),
                caller: Some(caller),
                ..prompt
            })
            .collect();
        Self { prompts, calls }
    }

    /// How often the prompt comes a second near a moment, but for `own` records of one call.
    pub(super) fn rate(&self, prompt: &Prompt, at: f64, own: usize) -> f64 {
        let seen = largest_local(&prompt.times, at, own);
        let calls = prompt.caller.and_then(|caller| self.calls.get(&caller));
        seen.max(calls.map_or(1.0, |calls| calls.rate(at)) * prompt.share) + ASKED_AGAIN
    }
}

/// Health checks and other clockwork.
fn is_periodic(times: &[f64]) -> bool {
    if times.len() < RHYTHM {
        return false;
    }
    let mut gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let Some(usual) = median(&mut gaps) else { return false };
    let (share, within) = REGULAR;
    let regular = gaps.iter().filter(|gap| (**gap - usual).abs() <= within).count();
    #[expect(clippy::cast_precision_loss, reason = "counts of records are far below 2^52")]
    let regular = regular as f64 / gaps.len() as f64;
    // What comes all the time has gaps of a second or so whatever their law.
    regular > share && usual > 3.0
}
