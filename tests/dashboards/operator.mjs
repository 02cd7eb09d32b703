// Holds manifests, given as JSON on standard input, to the Prometheus operator's schemas.
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import { readFileSync } from 'node:fs';

const kinds = { PrometheusRule, ServiceMonitor };
for (const manifest of JSON.parse(readFileSync(0, 'utf8'))) {
  new kinds[manifest.kind](manifest).validate();
}
