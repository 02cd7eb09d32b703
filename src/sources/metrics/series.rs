//! Which series are read as one, worked out from what ListMetrics shows.
//!
//! CloudWatch lists one metric of one model under several dimension sets: `ModelId` alone, and finer ones
//! (`ServiceTier`, `ResolvedServiceTier`, `ContextWindow`) that split the same requests. One set is read, the coarsest,
//! so that nothing is summed twice. Series of one set, and of two names of one model (an id and its ARN), hold
//! different requests and are summed.

use std::collections::{BTreeMap, BTreeSet};

use faultline_core::model::{Metric, ModelKey};

use super::statistics::cost;

/// The dimension that names the model.
const MODEL_ID: &str = "ModelId";
/// The value of `ModelId` under which CloudWatch may show what concerns all models.
const ALL_MODELS: &str = "Across all model IDs";

/// What failed requests are counted by. Each is asked for also where it is not listed: a metric is listed up to a
/// quarter of an hour after its first datapoint, and the first error is the one that matters.
pub const ERRORS: [Metric; 3] =
    [Metric::InvocationServerErrors, Metric::InvocationClientErrors, Metric::InvocationThrottles];

/// One CloudWatch series of namespace `AWS/Bedrock`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Series {
    /// The metric's name, as this account spells it.
    pub name: String,
    /// Names and values, in CloudWatch's order.
    pub dimensions: Vec<(String, String)>,
}

/// What is read, kept and settled as one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The model, or none for what concerns the whole cell.
    pub model: Option<ModelKey>,
    /// Which metric.
    pub metric: Metric,
}

/// What there is to read in a cell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalogue {
    /// The series of each key; their values are summed.
    pub keys: BTreeMap<Key, Vec<Series>>,
    /// The error metrics across all models, where CloudWatch has series without dimensions.
    pub sentinels: BTreeMap<Metric, Series>,
}

impl Catalogue {
    /// Works it out from everything that ListMetrics shows.
    pub fn of(listed: impl IntoIterator<Item = Series>) -> Self {
        let mut found: BTreeMap<(Metric, Option<String>), Choice> = BTreeMap::new();
        let mut across: Option<Series> = None;
        for series in listed {
            let Some(metric) = Metric::parse(&series.name) else { continue };
            let model = series.model();
            if model.is_none() && !metric.is_log_delivery() {
                across = across.filter(|known| *known < series).or(Some(series));
                continue;
            }
            found.entry((metric, model.filter(|_| !metric.is_log_delivery()))).or_default().add(series);
        }
        let mut catalogue = Self::default();
        for ((metric, model), choice) in found {
            let key = Key { model: model.as_deref().map(ModelKey::parse), metric };
            catalogue.keys.entry(key).or_default().extend(choice.coarsest());
        }
        if let Some(across) = across {
            let sentinel = |metric: Metric| (metric, Series { name: metric.as_str().to_owned(), ..across.clone() });
            catalogue.sentinels = ERRORS.into_iter().map(sentinel).collect();
        }
        catalogue.add_unlisted_errors();
        catalogue.add_unlisted_delivery_failures();
        catalogue
    }

    /// The models that have a series.
    pub fn models(&self) -> BTreeSet<&ModelKey> {
        self.keys.keys().filter_map(|key| key.model.as_ref()).collect()
    }

    /// What reading everything of every model once counts as, in metrics requested.
    pub fn everything(&self) -> u32 {
        self.keys.iter().map(|(key, series)| cost(key.metric, false, series.len())).sum()
    }

    /// An error that was never seen is looked for where the model's other series are.
    fn add_unlisted_errors(&mut self) {
        let models: BTreeSet<ModelKey> = self.models().into_iter().cloned().collect();
        for model in models {
            let key = |metric| Key { model: Some(model.clone()), metric };
            let like = self.keys.get(&key(Metric::Invocations));
            let like =
                like.or_else(|| self.keys.iter().find(|(key, _)| key.model.as_ref() == Some(&model)).map(|(_, s)| s));
            let Some(like) = like.cloned() else { continue };
            for metric in ERRORS {
                self.keys.entry(key(metric)).or_insert_with(|| renamed(&like, metric));
            }
        }
    }

    /// Where delivery is seen to succeed, its failures are looked for.
    fn add_unlisted_delivery_failures(&mut self) {
        for (success, failure) in Metric::LOG_DELIVERY {
            if let Some(like) = self.keys.get(&Key { model: None, metric: success }) {
                let series = renamed(like, failure);
                self.keys.entry(Key { model: None, metric: failure }).or_insert(series);
            }
        }
    }
}

fn renamed(series: &[Series], metric: Metric) -> Vec<Series> {
    let named = |series: &Series| Series { name: metric.as_str().to_owned(), ..series.clone() };
    series.iter().map(named).collect()
}

impl Series {
    /// The model's name as CloudWatch has it; nothing where the series is of all models.
    fn model(&self) -> Option<String> {
        let value = &self.dimensions.iter().find(|(name, _)| name == MODEL_ID)?.1;
        (value != ALL_MODELS).then(|| value.clone())
    }

    fn dimension_names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.dimensions.iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }
}

/// The ways in which one metric of one model is listed: by spelling and set of dimension names.
#[derive(Debug, Default)]
struct Choice(BTreeMap<(usize, bool, String, Vec<String>), BTreeSet<Series>>);

impl Choice {
    fn add(&mut self, series: Series) {
        let usual = Metric::parse(&series.name).is_some_and(|metric| metric.as_str() == series.name);
        let way = (series.dimensions.len(), !usual, series.name.clone(), series.dimension_names());
        self.0.entry(way).or_default().insert(series);
    }

    /// Fewest dimensions, then the usual spelling.
    fn coarsest(self) -> BTreeSet<Series> {
        self.0.into_values().next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOVA: (&str, &str) = (MODEL_ID, "amazon.nova-pro-v1:0");

    fn series(name: &str, dimensions: &[(&str, &str)]) -> Series {
        let dimensions = dimensions.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Series { name: name.to_owned(), dimensions }
    }

    fn key(metric: Metric) -> Key {
        Key { model: Some(ModelKey::parse(NOVA.1)), metric }
    }

    #[test]
    fn a_finer_dimension_set_is_not_read_beside_the_models_own() {
        let tiers = [NOVA, ("ServiceTier", "default"), ("ResolvedServiceTier", "default")];
        let own = series("Invocations", &[NOVA]);
        let catalogue = Catalogue::of([
            series("Invocations", &tiers),
            own.clone(),
            series("Invocations", &[NOVA, ("ContextWindow", "200k")]),
        ]);
        assert_eq!(catalogue.keys[&key(Metric::Invocations)], [own]);
    }

    #[test]
    fn where_there_are_finer_sets_alone_the_series_of_one_of_them_are_summed() {
        let of = |tier: &str| series("Invocations", &[NOVA, ("ResolvedServiceTier", tier), ("ServiceTier", tier)]);
        let window = |size: &str| series("Invocations", &[NOVA, ("ContextWindow", size)]);
        let catalogue = Catalogue::of([of("default"), window("200k"), of("flex"), window("1m")]);
        assert_eq!(catalogue.keys[&key(Metric::Invocations)], [window("1m"), window("200k")]);
        let errors = &catalogue.keys[&key(Metric::InvocationServerErrors)];
        assert_eq!(errors.len(), 2, "looked for in the same place: {errors:?}");
    }

    #[test]
    fn two_names_of_one_model_are_summed_and_two_spellings_of_one_metric_are_not() {
        let arn = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0";
        let catalogue = Catalogue::of([
            series("Invocations", &[NOVA]),
            series("Invocations", &[(MODEL_ID, arn)]),
            series("CacheReadInputTokenCount", &[NOVA]),
            series("CacheReadInputTokens", &[NOVA]),
        ]);
        assert_eq!(catalogue.keys[&key(Metric::Invocations)].len(), 2);
        assert_eq!(catalogue.keys[&key(Metric::CacheReadInputTokens)], [series("CacheReadInputTokens", &[NOVA])]);
    }

    #[test]
    fn errors_are_looked_for_before_they_are_listed() {
        let catalogue = Catalogue::of([series("Invocations", &[NOVA])]);
        for metric in ERRORS {
            assert_eq!(catalogue.keys[&key(metric)], [series(metric.as_str(), &[NOVA])]);
        }
        assert!(catalogue.sentinels.is_empty(), "nothing is listed across all models");
    }

    #[test]
    fn series_across_all_models_are_sentinels_and_no_model() {
        for across in [series("Invocations", &[]), series("InvocationThrottles", &[(MODEL_ID, ALL_MODELS)])] {
            let catalogue = Catalogue::of([across.clone(), series("Invocations", &[NOVA])]);
            assert_eq!(catalogue.sentinels.keys().copied().collect::<BTreeSet<_>>(), ERRORS.into_iter().collect());
            assert!(catalogue.sentinels.values().all(|series| series.dimensions == across.dimensions));
            assert_eq!(catalogue.models().len(), 1);
        }
    }

    #[test]
    fn log_delivery_is_read_once_with_or_without_its_dimension_and_its_failures_are_looked_for() {
        for dimensions in [&[][..], &[(MODEL_ID, ALL_MODELS)], &[("Anything", "else")]] {
            let listed = series("ModelInvocationLogsS3DeliverySuccess", dimensions);
            let catalogue = Catalogue::of([listed.clone()]);
            let failures = Key { model: None, metric: Metric::ModelInvocationLogsS3DeliveryFailure };
            assert_eq!(catalogue.keys[&failures], [series("ModelInvocationLogsS3DeliveryFailure", dimensions)]);
            assert_eq!(catalogue.keys.len(), 2, "{catalogue:?}");
            assert!(catalogue.sentinels.is_empty());
        }
        let name = "ModelInvocationLogsCloudWatchDeliveryFailure";
        let (without, with) = (series(name, &[]), series(name, &[(MODEL_ID, ALL_MODELS)]));
        let catalogue = Catalogue::of([with, without.clone()]);
        assert_eq!(catalogue.keys.into_values().collect::<Vec<_>>(), [vec![without]]);
    }
}
