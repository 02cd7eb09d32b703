#!/usr/bin/env python3
"""Makes deploy/kubernetes/prometheus-rule.yaml from alerts/ and dashboards.yaml from dashboards/.

usage: .venv/bin/python scripts/kubernetes.py [--check]
"""

import json
import pathlib
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
OUT = ROOT / "deploy" / "kubernetes"
LABELS = {"app.kubernetes.io/name": "faultline"}
# What kube-prometheus-stack selects rules by.
RELEASE = {"release": "kube-prometheus-stack"}
# What Grafana's sidecar looks for, and the folder it puts them in.
SIDECAR = {"grafana_dashboard": "1"}
FOLDER = {"grafana_folder": "Faultline"}


class Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, so that the diff of a rule is a diff of lines."""


def _text(dumper, text):
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, _text)


def rule_files():
    return [ROOT / "alerts" / f"{name}.rules.yml" for name in ("recording", "bedrock", "faultline")]


def prometheus_rule():
    groups = [group for file in rule_files() for group in yaml.safe_load(file.read_text())["groups"]]
    metadata = {"name": "faultline", "labels": {**LABELS, **RELEASE}}
    return {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "metadata": metadata, "spec": {"groups": groups}}


def dashboards():
    """A ConfigMap each, without white space: kubectl cannot apply one of more than 256 KiB."""
    for file in sorted((ROOT / "dashboards").glob("*.json")):
        metadata = {"name": file.stem, "labels": {**LABELS, **SIDECAR}, "annotations": FOLDER}
        compact = json.dumps(json.loads(file.read_text()), separators=(",", ":"), ensure_ascii=False)
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {file.name: compact}}


def main(check):
    made = {"prometheus-rule.yaml": [prometheus_rule()], "dashboards.yaml": dashboards()}
    stale = []
    for name, manifests in made.items():
        text = "# Made by scripts/kubernetes.py; change its sources instead.\n"
        text += yaml.dump_all(manifests, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1000)
        if check and (not (OUT / name).exists() or (OUT / name).read_text() != text):
            stale.append(name)
        if not check:
            (OUT / name).write_text(text)
    if stale:
        sys.exit(f"not current: {', '.join(stale)}: run .venv/bin/python scripts/kubernetes.py")


if __name__ == "__main__":
    main("--check" in sys.argv[1:])
