//! What is believed of every record, for sums that no list of findings can give.

use std::collections::BTreeMap;

use super::{
    join::Joins,
    learn::{LatencyLaw, Learnt, Timeout},
    view::RecordView,
};
use crate::{
    model::{InvocationRecord, ModelKey, Time, Tokens},
    price::PriceRow,
};

/// What is believed of one record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RecordBelief {
    /// Its start.
    pub(super) at: Time,
    /// What it metered.
    pub(super) tokens: Tokens,
    /// What that costs in dollars; `None` without a price.
    pub(super) cost_usd: Option<f64>,
    /// P(a failure without an id is of it).
    pub(super) matched: f64,
    /// Of that, P(the failure is one that only its client saw).
    pub(super) matched_to_client: f64,
    /// P(it was an earlier attempt of a call, and tried again).
    pub(super) chained: f64,
    /// P(it took longer than its caller waits), by its tokens or its own latency.
    pub(super) outlasted: f64,
    /// Whether it is known how long its caller waits.
    pub(super) patience_known: bool,
    /// Its caller: a number that is the same for the same caller within one answer, 0 for none.
    pub(super) caller: u32,
    /// Whether it is a finding known for certain.
    pub(super) confirmed: bool,
    /// Whether it is known to have ended well, or not to have been billed, or to be nobody's loss.
    pub(super) harmless: bool,
}

impl Joins {
    /// Everything believed of the records since a time, by model, in the order of time. Costs as much as there are
    /// records: ask once a minute, not once a scrape.
    pub(super) fn beliefs_since<'a>(
        &self,
        since: Time,
        price: impl Fn(&ModelKey) -> Option<&'a PriceRow>,
    ) -> BTreeMap<ModelKey, Vec<RecordBelief>> {
        let views = self.views(Time::MAX_UTC);
        let learnt = views.learn();
        let mut patiences: BTreeMap<u32, Patience> = BTreeMap::new();
        let mut beliefs: BTreeMap<ModelKey, Vec<RecordBelief>> = BTreeMap::new();
        for (position, view) in views.records.iter().enumerate() {
            let Some(record) = self.record(&views.id_of(position)).filter(|record| record.at >= since) else {
                continue;
            };
            let patience = patiences.entry(view.identity).or_insert_with(|| Patience::of(view.identity, &learnt));
            let outlasted = learnt.law(view).map_or(0.0, |law| patience.outlasted(law, view));
            let cost_usd = price(&record.model).map(|price| price.cost(&record.tokens));
            let belief = self.belief(record, view, (outlasted, patience.known), cost_usd);
            match beliefs.get_mut(&record.model) {
                Some(of_model) => of_model.push(belief),
                None => drop(beliefs.insert(record.model.clone(), vec![belief])),
            }
        }
        beliefs
    }

    fn belief(
        &self,
        record: &InvocationRecord,
        view: &RecordView,
        (outlasted, patience_known): (f64, bool),
        cost_usd: Option<f64>,
    ) -> RecordBelief {
        let id = &record.request_id;
        let confirmed = self.is_confirmed(id);
        RecordBelief {
            at: record.at,
            tokens: record.tokens,
            cost_usd,
            matched: self.matched_at_all(id),
            matched_to_client: self.matched_to_client(id),
            // A retry of what AWS itself failed shows in its metrics.
            chained: self
                .retries
                .of(id)
                .filter(|retry| !retry.kind.seen_by_aws())
                .map_or(0.0, |retry| retry.probability),
            outlasted,
            patience_known,
            caller: view.identity,
            confirmed,
            harmless: view.explained && !confirmed,
        }
    }
}

/// How long a caller waits.
struct Patience {
    timeout: Timeout,
    known: bool,
}

impl Patience {
    fn of(identity: u32, learnt: &Learnt) -> Self {
        let timeout = learnt.timeout_of(identity);
        let known = identity != 0 && timeout.certain().is_some();
        Self { timeout, known }
    }

    /// P(the record's call took longer).
    fn outlasted(&self, law: &LatencyLaw, view: &RecordView) -> f64 {
        self.timeout.likely().iter().map(|&(after, odds)| odds * law.outlasts(view, after)).sum()
    }
}
