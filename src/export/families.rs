//! Metric families under construction: values go in with their labels, what Prometheus expects comes out.

use std::collections::BTreeMap;

use faultline_core::model::MetricStats;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType, Quantile, Summary};

use super::metrics::{Kind, MetricDef};

/// Families by name.
#[derive(Debug, Default)]
pub(super) struct Families(BTreeMap<&'static str, (&'static MetricDef, Vec<Metric>)>);

impl Families {
    /// Adds one sample. `labels` are the values of the metric's labels, in their order.
    pub(super) fn add(&mut self, def: &'static MetricDef, labels: &[&str], value: f64) {
        let mut metric = labelled(def, labels);
        if def.kind == Kind::Counter {
            let mut counter = Counter::default();
            counter.set_value(value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            metric.set_gauge(gauge);
        }
        self.push(def, metric);
    }

    /// Adds a summary: the percentiles of the newest minute where there is one, and the sum and count of all.
    pub(super) fn add_summary(
        &mut self,
        def: &'static MetricDef,
        labels: &[&str],
        newest: Option<MetricStats>,
        (sum, count): (f64, f64),
    ) {
        let MetricStats { p50, p90, p99, .. } = newest.unwrap_or_default();
        let quantiles = [(0.5, p50), (0.9, p90), (0.99, p99)].into_iter().filter_map(|(rank, value)| {
            let mut quantile = Quantile::default();
            quantile.set_quantile(rank);
            quantile.set_value(value?);
            Some(quantile)
        });
        let mut summary = Summary::default();
        summary.set_quantile(quantiles.collect());
        summary.set_sample_sum(sum);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a count: whole and not negative
        summary.set_sample_count(count as u64);
        let mut metric = labelled(def, labels);
        metric.set_summary(summary);
        self.push(def, metric);
    }

    fn push(&mut self, def: &'static MetricDef, metric: Metric) {
        self.0.entry(def.name).or_insert_with(|| (def, Vec::new())).1.push(metric);
    }

    pub(super) fn into_families(self) -> Vec<MetricFamily> {
        let family = |(def, metrics): (&MetricDef, Vec<Metric>)| {
            let mut family = MetricFamily::default();
            family.set_name(def.name.to_owned());
            family.set_help(def.help.to_owned());
            family.set_field_type(match def.kind {
                Kind::Gauge => MetricType::GAUGE,
                Kind::Counter => MetricType::COUNTER,
                Kind::Summary => MetricType::SUMMARY,
            });
            family.set_metric(metrics);
            family
        };
        self.0.into_values().map(family).collect()
    }
}

fn labelled(def: &MetricDef, labels: &[&str]) -> Metric {
    debug_assert_eq!(labels.len(), def.labels.len(), "{}", def.name);
    let pairs = def.labels.iter().zip(labels).map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    });
    Metric::from_label(pairs.collect())
}
