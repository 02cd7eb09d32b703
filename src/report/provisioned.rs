//! Whether provisioned throughput would pay: the traffic at which its hourly price equals the price of the tokens.

use std::collections::BTreeMap;

use super::{Provisioned, Settings, bounds::float, format::dollars, remedies::Remedy, spend};
use crate::ledger::Usage;

/// What an hour of a model's traffic costs on demand.
#[derive(Default)]
struct Hour {
    tokens: u64,
    usd: f64,
}

/// One remedy for each model whose hourly price is configured and that was called.
pub(super) fn remedies(usage: &[Usage], settings: &Settings) -> Vec<Remedy> {
    settings.provisioned.iter().filter_map(|price| of_model(price, usage, settings)).collect()
}

fn of_model(price: &Provisioned, usage: &[Usage], settings: &Settings) -> Option<Remedy> {
    let mut hours: BTreeMap<i64, Hour> = BTreeMap::new();
    for usage in usage {
        let Some(model) = usage.model.as_ref().filter(|model| *model.model_id == *price.model_id) else { continue };
        let tokens = spend::tokens(usage).total();
        if tokens > 0 {
            let hour = hours.entry(usage.start.timestamp().div_euclid(3600)).or_default();
            hour.tokens += tokens;
            hour.usd += spend::of(usage, model, &settings.prices)?;
        }
    }
    let (tokens, usd) = hours.values().fold((0, 0.0), |(tokens, usd), hour| (tokens + hour.tokens, usd + hour.usd));
    if usd <= 0.0 {
        return None;
    }
    let usd_per_token = usd / float(tokens);
    let break_even = price.usd_per_hour / usd_per_token / 60.0;
    let (first, last) = (hours.keys().next()?, hours.keys().next_back()?);
    #[allow(clippy::cast_precision_loss)] // hours of a period
    let whole = (last - first + 1) as f64;
    let mean = float(tokens) / whole / 60.0;
    let above = hours.values().filter(|hour| hour.usd > price.usd_per_hour).count();
    let difference = usd - price.usd_per_hour * whole;
    let verdict = if difference > 0.0 {
        format!("it would have cost {} less over these {whole:.0} hours", dollars(difference))
    } else {
        format!("it would have cost {} more over these {whole:.0} hours", dollars(-difference))
    };
    Some(Remedy {
        cause: "server_capacity".to_owned(),
        title: format!("Provisioned throughput for {}", price.model_id),
        advice: format!(
            "At {} an hour it pays from {break_even:.0} tokens a minute on, around the clock; a failed call then costs $0 more.",
            dollars(price.usd_per_hour)
        ),
        effect: format!(
            "The traffic was {mean:.0} tokens a minute in the mean; {above} hours were dearer on demand: {verdict}."
        ),
        saved_usd: Some(difference.max(0.0)),
        added_latency_seconds: None,
        basis: "tokens metered by CloudWatch at on-demand prices, against the configured hourly price".to_owned(),
    })
}
