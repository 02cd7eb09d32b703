//! Metric families under construction: values go in with their labels, what Prometheus expects comes out.

use std::collections::BTreeMap;

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::metrics::{Kind, MetricDef};

/// Families by name.
#[derive(Debug, Default)]
pub(super) struct Families(BTreeMap<&'static str, (&'static MetricDef, Vec<Metric>)>);

impl Families {
    /// Adds one sample. `labels` are the values of the metric's labels, in their order.
    pub(super) fn add(&mut self, def: &'static MetricDef, labels: &[&str], value: f64) {
        debug_assert_eq!(labels.len(), def.labels.len(), "{}", def.name);
        let pairs = def.labels.iter().zip(labels).map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        });
        let mut metric = Metric::from_label(pairs.collect());
        match def.kind {
            Kind::Gauge => {
                let mut gauge = Gauge::default();
                gauge.set_value(value);
                metric.set_gauge(gauge);
            }
            Kind::Counter => {
                let mut counter = Counter::default();
                counter.set_value(value);
                metric.set_counter(counter);
            }
        }
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
            });
            family.set_metric(metrics);
            family
        };
        self.0.into_values().map(family).collect()
    }
}
