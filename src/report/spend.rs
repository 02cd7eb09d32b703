//! What Bedrock calls cost altogether, from metered tokens.

use faultline_core::{
    model::{Metric, ModelKey, Tokens},
    price::PriceTable,
};

use crate::ledger::Usage;

/// Dollars of one interval of one metric; 0 where it is none of tokens, `None` where the model has no known price.
pub(super) fn of(usage: &Usage, model: &ModelKey, prices: &PriceTable) -> Option<f64> {
    let tokens = tokens(usage);
    if tokens.total() == 0 {
        return Some(0.0);
    }
    prices.lookup(model, &usage.cell.region).map(|price| price.cost(&tokens))
}

/// The tokens of one interval of one metric.
pub(super) fn tokens(usage: &Usage) -> Tokens {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // sums of counts: whole and positive
    let sum = usage.stats.sum as u64;
    let mut tokens = Tokens::default();
    match usage.metric {
        Metric::InputTokenCount => tokens.input = sum,
        Metric::OutputTokenCount => tokens.output = sum,
        Metric::CacheReadInputTokens => tokens.cache_read = sum,
        Metric::CacheWriteInputTokens => tokens.cache_write = sum,
        _ => {}
    }
    tokens
}
