//! What would have helped: for each cause found, the mitigation, with its effect estimated from the same data.

use std::{collections::BTreeMap, sync::Arc};

use faultline_core::model::{Cause, Metric, ModelKey};
use serde::Serialize;

use super::{
    Settings,
    bounds::float,
    format::{count, dollars, expected},
    latency, provisioned,
};
use crate::ledger::{FailuresTally, FindingsTally, IncidentJson, Usage};

/// Read timeouts are raised to this much above the 99th percentile.
const HEADROOM: f64 = 1.25;
/// The mean wait of exponential backoff with full jitter before the second and the third of three attempts, from a base
/// of one second: half of 1 s and half of 2 s.
const BACKOFF_SECONDS: f64 = 1.5;
/// NAT gateways, VPC endpoints and network load balancers drop connections that are idle for longer than this.
const IDLE_SECONDS: f64 = 350.0;

/// A mitigation and what it would have done in this period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Remedy {
    /// The cause it is for.
    pub cause: String,
    /// What it is.
    pub title: String,
    /// What to change.
    pub advice: String,
    /// What that would have done, in the period's own numbers.
    pub effect: String,
    /// Dollars of failed and billed calls it would have spared, at most.
    pub saved_usd: Option<f64>,
    /// Seconds it adds to a call that needs it.
    pub added_latency_seconds: Option<f64>,
    /// What the estimate rests on.
    pub basis: String,
}

/// What is known of the period.
pub(super) struct Known<'a> {
    pub(super) findings: &'a [FindingsTally],
    pub(super) failures: &'a [FailuresTally],
    pub(super) usage: &'a [Usage],
    pub(super) incidents: &'a [IncidentJson],
    pub(super) settings: &'a Settings,
}

/// Findings of one cause.
#[derive(Default)]
struct Waste {
    count: u64,
    cost_usd: f64,
    unpriced: u64,
    retries: u64,
    retries_usd: f64,
}

impl Waste {
    /// What they cost, as far as prices are known.
    fn cost(&self) -> String {
        if self.unpriced == self.count { "no known price".to_owned() } else { dollars(self.cost_usd) }
    }
}

impl Known<'_> {
    fn waste(&self, fits: impl Fn(&FindingsTally) -> bool) -> Waste {
        let mut waste = Waste::default();
        for tally in self.findings.iter().filter(|tally| fits(tally)) {
            waste.count += tally.count;
            waste.cost_usd += tally.cost_usd;
            waste.unpriced += tally.unpriced;
            if tally.retried {
                waste.retries += tally.count;
                waste.retries_usd += tally.cost_usd;
            }
        }
        waste
    }

    fn of_cause(&self, cause: Cause) -> Waste {
        self.waste(|tally| &*tally.cause == cause.as_str())
    }
}

/// Every mitigation that the period gives a reason for, the most sparing first.
pub(super) fn remedies(known: &Known<'_>) -> Vec<Remedy> {
    let mut remedies = timeouts(known);
    remedies.extend(capacity(known));
    remedies.extend(quota(known));
    remedies.extend(network(known));
    remedies.extend(model_errors(known));
    remedies.extend(provisioned::remedies(known.usage, known.settings));
    let saved = |remedy: &Remedy| remedy.saved_usd.unwrap_or(0.0);
    remedies.sort_by(|a, b| saved(b).total_cmp(&saved(a)));
    remedies
}

/// Read timeouts that are shorter than answers take: one remedy for each model.
fn timeouts(known: &Known<'_>) -> Vec<Remedy> {
    let mut models: BTreeMap<&ModelKey, ()> = BTreeMap::new();
    for tally in known.findings.iter().filter(|tally| &*tally.cause == Cause::ClientTimeout.as_str()) {
        models.insert(&tally.model, ());
    }
    models.into_keys().map(|model| timeout(known, model)).collect()
}

fn timeout(known: &Known<'_>, model: &ModelKey) -> Remedy {
    let waste = known.waste(|tally| &*tally.cause == Cause::ClientTimeout.as_str() && tally.model == *model);
    let latencies = known
        .usage
        .iter()
        .filter(|usage| usage.metric == Metric::InvocationLatency && usage.model.as_ref() == Some(model));
    let latency = latency::of(latencies);
    let (mut failures, mut seconds) = (0.0, 0.0);
    for tally in known.failures.iter().filter(|tally| &*tally.failure == "read_timeout" && tally.model == *model) {
        if let Some(mean) = tally.mean_elapsed_seconds {
            failures += float(tally.count);
            seconds += mean * float(tally.count);
        }
    }
    let now = if failures > 0.0 {
        format!("Clients gave up after {:.0} s in the mean", seconds / failures)
    } else {
        "Clients do not log how long they waited (botocore's default is 60 s)".to_owned()
    };
    let advice = match latency {
        Some(latency) => {
            let timeout = (latency.p99 * HEADROOM / 5.0).ceil() * 5.0;
            format!(
                "Raise the read timeout to {timeout:.0} s, a quarter above the 99th percentile of {:.0} s. {now}. Make one attempt only \
                 after a read timeout: every further one is billed in full.",
                latency.p99
            )
        }
        None => format!(
            "Raise the read timeout above the slowest answers (no latency of this model was read). {now}. Make one \
             attempt only after a read timeout: every further one is billed in full."
        ),
    };
    let within = if latency.is_some() { 0.99 } else { 1.0 };
    Remedy {
        cause: Cause::ClientTimeout.to_string(),
        title: format!("A longer read timeout for {model}"),
        advice,
        effect: format!(
            "{} answers were paid for and not waited for ({}); {} of them were earlier attempts of a call that was made \
             again ({}).",
            count(waste.count),
            waste.cost(),
            count(waste.retries),
            dollars(waste.retries_usd)
        ),
        saved_usd: Some(waste.cost_usd * within),
        // Calls that end well are not held up; only those that hang are given up later.
        added_latency_seconds: Some(0.0),
        basis: "findings of this cause; InvocationLatency of the period's intervals; the clients' own logs".to_owned(),
    }
}

/// Server capacity: back off with jitter instead of at once.
fn capacity(known: &Known<'_>) -> Option<Remedy> {
    let waste = known.of_cause(Cause::ServerCapacity);
    if waste.count == 0 {
        return None;
    }
    let mut minutes: Vec<f64> = known
        .incidents
        .iter()
        .filter(|incident| incident.cause == Cause::ServerCapacity.as_str())
        .filter_map(minutes_of)
        .collect();
    minutes.sort_by(f64::total_cmp);
    let lasted = match minutes.get(minutes.len() / 2) {
        Some(median) => format!(
            "Incidents of this cause lasted {median:.0} minutes in the median: a retry within seconds meets the same \
             shortage."
        ),
        None => "The failures came scattered, not in incidents: a later retry has a good chance.".to_owned(),
    };
    Some(Remedy {
        cause: Cause::ServerCapacity.to_string(),
        title: "Exponential backoff with full jitter, and no more than three attempts".to_owned(),
        advice:
            "Wait a random time between 0 and 1 s before the second attempt, 0 and 2 s before the third; then give \
                 up, queue the work, or use another model or region. Cross-region inference does not rule these \
                 failures out."
                .to_owned(),
        effect: format!(
            "{} calls failed for want of capacity and were billed ({}); {} of them were attempts that an SDK made again \
             ({}), which is what fewer and later attempts spare. {lasted}",
            count(waste.count),
            waste.cost(),
            count(waste.retries),
            dollars(waste.retries_usd)
        ),
        saved_usd: Some(waste.retries_usd),
        added_latency_seconds: Some(BACKOFF_SECONDS),
        basis: "findings of this cause and their attempts; the period's incidents".to_owned(),
    })
}

/// How long an incident lasted.
fn minutes_of(incident: &IncidentJson) -> Option<f64> {
    let ended = crate::ledger::milliseconds(incident.ended_at.as_ref()?).ok()?;
    let started = crate::ledger::milliseconds(&incident.started_at).ok()?;
    #[allow(clippy::cast_precision_loss)] // minutes of an incident
    Some((ended - started) as f64 / 60_000.0)
}

/// Throttling: what quota the busiest interval would have taken.
fn quota(known: &Known<'_>) -> Vec<Remedy> {
    /// One model in one interval: requests, throttles, tokens.
    type Attempted = BTreeMap<i64, (f64, f64, f64)>;
    let mut models: BTreeMap<(&Arc<str>, &ModelKey), Attempted> = BTreeMap::new();
    for usage in known.usage {
        let Some(model) = &usage.model else { continue };
        let interval = models.entry((&usage.cell.region, model)).or_default();
        let (requests, throttles, tokens) = interval.entry(usage.start.timestamp()).or_default();
        #[allow(clippy::cast_precision_loss)] // minutes of an interval
        let minutes = (usage.length.num_seconds() as f64 / 60.0).max(1.0);
        match usage.metric {
            Metric::Invocations => *requests += usage.stats.sum / minutes,
            Metric::InvocationThrottles => *throttles += usage.stats.sum / minutes,
            Metric::InputTokenCount | Metric::OutputTokenCount => *tokens += usage.stats.sum / minutes,
            _ => {}
        }
    }
    let mut remedies = Vec::new();
    for ((region, model), intervals) in models {
        let throttled = intervals.values().filter(|(_, throttles, _)| *throttles > 0.0).count();
        let attempted = |(requests, throttles, _): &(f64, f64, f64)| requests + throttles;
        let busiest = intervals
            .values()
            .filter(|(_, throttles, _)| *throttles > 0.0)
            .max_by(|a, b| attempted(a).total_cmp(&attempted(b)));
        let Some(busiest) = busiest else { continue };
        let (requests, throttles, tokens) = *busiest;
        let needed = attempted(busiest) * HEADROOM;
        // Throttled calls would have metered what the calls beside them did.
        let tokens_needed = (requests > 0.0).then(|| tokens / requests * needed);
        let tokens_needed =
            tokens_needed.map_or_else(String::new, |tokens| format!(" and {} tokens", expected(tokens.ceil())));
        remedies.push(Remedy {
            cause: Cause::Throttling.to_string(),
            title: format!("A higher quota for {model} in {region}"),
            advice: format!(
                "Ask for at least {} requests{tokens_needed} a minute, a quarter above what was attempted in the busiest \
                 five minutes; until then, spread the calls out.",
                expected(needed.ceil())
            ),
            effect: format!(
                "Calls were throttled in {throttled} five-minute intervals; in the busiest, {} a minute were answered and {} \
                 throttled. Throttled calls are not billed: this spares failures, not dollars.",
                expected(requests),
                expected(throttles)
            ),
            saved_usd: None,
            added_latency_seconds: None,
            basis: "Invocations, InvocationThrottles and token counts of CloudWatch, where SDK retries count again"
                .to_owned(),
        });
    }
    remedies
}

/// Connections that something on the way closed.
fn network(known: &Known<'_>) -> Option<Remedy> {
    let waste = known.of_cause(Cause::Network);
    if waste.count == 0 {
        return None;
    }
    let latencies = known.usage.iter().filter(|usage| usage.metric == Metric::InvocationLatency);
    let slow = latency::of(latencies).filter(|latency| latency.p99 > IDLE_SECONDS);
    let slow = slow.map_or_else(String::new, |latency| {
        format!(
            " The 99th percentile of latency is {:.0} s, beyond that limit: calls that do not stream are bound to be cut.",
            latency.p99
        )
    });
    Some(Remedy {
        cause: Cause::Network.to_string(),
        title: "TCP keep-alive below 350 s, and streaming for long answers".to_owned(),
        advice: "Send keep-alive probes more often than every 350 s (NAT gateways, VPC endpoints and network load \
                 balancers drop what is idle for longer), and stream answers that take long."
            .to_owned(),
        effect: format!(
            "{} answers were lost on the way and billed ({}): that is the most this spares.{slow}",
            count(waste.count),
            waste.cost()
        ),
        saved_usd: Some(waste.cost_usd),
        added_latency_seconds: Some(0.0),
        basis: "findings of this cause; InvocationLatency of the period's intervals".to_owned(),
    })
}

/// Failures of the model itself.
fn model_errors(known: &Known<'_>) -> Option<Remedy> {
    let waste = known.of_cause(Cause::ModelError);
    (waste.count > 0).then(|| Remedy {
        cause: Cause::ModelError.to_string(),
        title: "Nothing on the client's side; report it".to_owned(),
        advice: "Retry once at most, and give these request ids to AWS Support: the model failed after it had metered \
                 tokens."
            .to_owned(),
        effect: format!("Calls that ended in an error of the model: {} ({}).", count(waste.count), waste.cost()),
        saved_usd: (waste.retries > 0).then_some(waste.retries_usd),
        added_latency_seconds: None,
        basis: "findings of this cause".to_owned(),
    })
}
