//! What is believed of every record, for sums that no list of findings can give.

use super::{join::Joins, learn::Learnt, view::RecordView, views::Views};
use crate::{
    model::{ModelKey, Time, Tokens},
    price::PriceRow,
};

/// What is believed of one record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecordBelief {
    /// Its start.
    pub at: Time,
    /// What it metered.
    pub tokens: Tokens,
    /// What that costs in dollars; `None` without a price.
    pub cost_usd: Option<f64>,
    /// P(a failure without an id is of it).
    pub matched: f64,
    /// P(it was an earlier attempt of a call, and tried again).
    pub chained: f64,
    /// P(it took longer than its caller waits), by its tokens or its own latency.
    pub outlasted: f64,
    /// Its caller: a number that is the same for the same caller within one answer, 0 for none.
    pub caller: u32,
    /// Whether it is a finding known for certain.
    pub confirmed: bool,
    /// Whether it is known to have ended well, or not to have been billed, or to be nobody's loss.
    pub harmless: bool,
}

impl Joins {
    /// Everything believed of the records of a model since a time, in the order of time. Costs as much as there are
    /// records: ask once a minute, not once a scrape.
    pub(super) fn beliefs_since(&self, model: &ModelKey, since: Time, price: Option<&PriceRow>) -> Vec<RecordBelief> {
        let views = self.views(Time::MAX_UTC);
        let Some(number) = views.number_of(model) else { return Vec::new() };
        let learnt = views.learn();
        let of_model = views.records.iter().enumerate().filter(|(_, view)| view.model == number);
        of_model.filter_map(|(position, view)| self.belief(&views, position, view, &learnt, since, price)).collect()
    }

    fn belief(
        &self,
        views: &Views,
        position: usize,
        view: &RecordView,
        learnt: &Learnt,
        since: Time,
        price: Option<&PriceRow>,
    ) -> Option<RecordBelief> {
        let id = views.id_of(position);
        let record = self.record(&id).filter(|record| record.at >= since)?;
        let confirmed = self.is_confirmed(&id);
        Some(RecordBelief {
            at: record.at,
            tokens: record.tokens,
            cost_usd: price.map(|price| price.cost(&record.tokens)),
            matched: self.matched_at_all(&id),
            chained: 0.0,
            outlasted: learnt.outlasts(view),
            caller: view.identity,
            confirmed,
            harmless: view.explained && !confirmed,
        })
    }
}
