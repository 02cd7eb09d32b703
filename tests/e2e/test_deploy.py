"""What is deployed: compose, Kubernetes, systemd. No container engine and no cluster is at hand here, so the files are held
to their schemas, what they mount to what reads it, and what is generated to its sources."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from conftest import ROOT
from test_alert_rules import run

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
RUN = yaml.safe_load((ROOT / "deploy" / "compose" / "run.yml").read_text())
KUBERNETES = ROOT / "deploy" / "kubernetes"
UNIT = ROOT / "deploy" / "systemd" / "faultline.service"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
BIN = ROOT / ".venv" / "bin"
# What the user makes before `run.yml` is used, from the example beside it.
MADE_BY_THE_USER = {"./faultline.yaml": ROOT / "deploy" / "compose" / "faultline.example.yaml"}


def manifests():
    files = [file for file in sorted(KUBERNETES.glob("*.yaml")) if file.name != "kustomization.yaml"]
    return [manifest for file in files for manifest in yaml.safe_load_all(file.read_text())]


def manifest(kind, name="faultline"):
    return next(m for m in manifests() if m["kind"] == kind and m["metadata"]["name"] == name)


def mounts(service):
    """Host path -> path in the container; volumes by name are left out."""
    parts = [volume.split(":") for volume in service.get("volumes", [])]
    return {source: target for source, target, *_ in parts if source.startswith(".")}


def test_compose_files_are_as_the_specification_wants_them():
    code, text = run(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", ROOT / "docker-compose.yml", ROOT / "deploy/compose/run.yml")
    assert code == 0, text


def test_ports_are_on_the_loopback_images_pinned_and_services_checked_and_confined():
    for name, service in COMPOSE["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
        assert service["healthcheck"]["test"] and service["cap_drop"] == ["ALL"], name
        if "build" not in service:
            assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), f"{name}: a whole version"
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert volume.endswith(":ro") if source.startswith(".") else source in COMPOSE["volumes"], (name, volume)
    passwords = [key for service in COMPOSE["services"].values() for key in service.get("environment", {}) if "PASSWORD" in key]
    assert not passwords and COMPOSE["services"]["grafana"]["environment"]["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"


def test_everything_mounted_exists_and_parses():
    for service in [*COMPOSE["services"].values(), *RUN["services"].values()]:
        for source in mounts(service):
            path = MADE_BY_THE_USER.get(source, ROOT / source)
            files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
            assert files, source
            for file in files:
                (json.loads if file.suffix == ".json" else yaml.safe_load)(file.read_text())


def in_the_container(service, tmp_path):
    """The container's file tree, of what is mounted into it."""
    for source, target in mounts(COMPOSE["services"][service]).items():
        place = tmp_path / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / source).is_dir() else shutil.copy)(ROOT / source, place)
    return tmp_path


def test_prometheus_and_alertmanager_accept_what_is_mounted_into_them(tmp_path):
    tree = in_the_container("prometheus", tmp_path)
    file = tree / "etc/prometheus/prometheus.yml"
    # The one absolute path in it, as it would be inside.
    file.write_text(file.read_text().replace("/etc/prometheus/", f"{tree}/etc/prometheus/"))
    code, text = run("promtool", "check", "config", "--lint=all", "--lint-fatal", file)
    assert code == 0 and text.count("rules found") == 3, text
    code, text = run("amtool", "check-config", in_the_container("alertmanager", tmp_path) / "etc/alertmanager/alertmanager.yml")
    assert code == 0, text


def test_services_find_each_other_by_the_names_and_ports_they_have():
    scrape = yaml.safe_load((ROOT / "deploy/compose/prometheus.yml").read_text())
    said = {config["job_name"]: config["static_configs"][0]["targets"] for config in scrape["scrape_configs"]}
    assert said["faultline"] == ["faultline:9884"], "the job that FaultlineDown looks for"
    assert scrape["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["alertmanager:9093"]
    source = yaml.safe_load((ROOT / "deploy/grafana/datasources/prometheus.yml").read_text())["datasources"][0]
    assert source["url"] == "http://prometheus:9090" and source["jsonData"]["timeInterval"] == scrape["global"]["scrape_interval"]
    provider = yaml.safe_load((ROOT / "deploy/grafana/dashboards/faultline.yml").read_text())["providers"][0]
    grafana = COMPOSE["services"]["grafana"]
    assert provider["options"]["path"] == mounts(grafana)["./dashboards"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "dashboards" / home.removeprefix(provider["options"]["path"] + "/")).exists()
    for service in COMPOSE["services"].values():
        assert set(service.get("depends_on", {})) <= set(COMPOSE["services"])


def test_composes_alertmanager_routes_and_silences_as_the_example_does():
    example, compose = (yaml.safe_load((ROOT / path).read_text()) for path in ("alerts/alertmanager.example.yml", "deploy/compose/alertmanager.yml"))
    for part in ("route", "inhibit_rules"):
        assert compose[part] == example[part]
    assert [receiver["name"] for receiver in compose["receivers"]] == [receiver["name"] for receiver in example["receivers"]]


def test_the_commands_of_compose_are_ones_the_binary_has(binary):
    check = subprocess.run([binary, "check", "--config", MADE_BY_THE_USER["./faultline.yaml"]], capture_output=True, text=True, timeout=60)
    assert check.returncode == 0, check.stderr
    target = mounts(RUN["services"]["faultline"])["./faultline.yaml"]
    assert RUN["services"]["faultline"]["command"] == ["run", "--config", target]
    ledger = yaml.safe_load(MADE_BY_THE_USER["./faultline.yaml"].read_text())["ledger"]
    assert ledger.startswith(COMPOSE["services"]["faultline"]["volumes"][0].split(":")[1])


def test_the_image_is_built_in_stages_runs_as_nobody_and_checks_its_health(binary):
    stages = re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    assert len(stages) == 2 and all(re.search(r":\S*\w", stage) and "latest" not in stage for stage in stages)
    assert re.search(r"^USER (\d+):\d+$", DOCKERFILE, re.M)[1] == str(manifest("Deployment")["spec"]["template"]["spec"]["securityContext"]["runAsUser"])
    last = DOCKERFILE[DOCKERFILE.rindex("FROM "):]
    assert "RUN " not in last, "distroless has no shell"
    health = json.loads(re.search(r"^HEALTHCHECK .*CMD (\[.*\])$", DOCKERFILE, re.M)[1])
    command = json.loads(re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.M)[1])
    assert health == COMPOSE["services"]["faultline"]["healthcheck"]["test"][1:] and command == COMPOSE["services"]["faultline"]["command"]
    for path in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M):
        ignored = (ROOT / ".dockerignore").read_text()
        for part in path.split():
            assert (ROOT / part).exists() and f"!{part}" in ignored, part


def test_what_the_image_is_built_from_is_enough_to_build(tmp_path):
    for paths in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M):
        for path in paths.split():
            (shutil.copytree if (ROOT / path).is_dir() else shutil.copy)(ROOT / path, tmp_path / path)
    dependencies = {**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target")}
    checked = subprocess.run(
        ["cargo", "check", "--locked", "--quiet", "--bin", "faultline"], cwd=tmp_path, env=dependencies, capture_output=True, text=True, timeout=600
    )
    assert checked.returncode == 0, checked.stderr


def test_the_healthcheck_tells_a_healthy_daemon_from_none(start, binary):
    demo = start("demo", "--listen", "127.0.0.1:0")
    ask = lambda: subprocess.run([binary, "healthcheck", "--address", demo.address], capture_output=True, text=True, timeout=30)
    assert ask().returncode == 0
    assert demo.stop() == 0
    gone = ask()
    assert gone.returncode == 1 and f"no answer from {demo.address}" in gone.stderr


def test_manifests_are_as_kubernetes_and_the_prometheus_operator_want_them():
    core = [file for file in sorted(KUBERNETES.glob("*.yaml")) if file.name not in ("kustomization.yaml", "service-monitor.yaml", "prometheus-rule.yaml")]
    code, text = run(BIN / "kubernetes-validate", "--strict", "--quiet", *core)
    assert code == 0, text
    operators = [m for m in manifests() if m["apiVersion"].startswith("monitoring.coreos.com/")]
    assert {m["kind"] for m in operators} == {"ServiceMonitor", "PrometheusRule"}
    checked = subprocess.run(["node", "operator.mjs"], cwd=ROOT / "tests/dashboards", input=json.dumps(operators), capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stderr


def test_kustomize_takes_in_every_manifest():
    listed = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(file.name for file in KUBERNETES.glob("*.yaml") if file.name != "kustomization.yaml")


def test_generated_manifests_hold_the_rules_and_dashboards_of_today():
    done = subprocess.run([sys.executable, ROOT / "scripts/kubernetes.py", "--check"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    rules = [group for name in ("recording", "bedrock", "faultline") for group in yaml.safe_load((ROOT / f"alerts/{name}.rules.yml").read_text())["groups"]]
    assert manifest("PrometheusRule")["spec"]["groups"] == rules
    for file in (ROOT / "dashboards").glob("*.json"):
        config = manifest("ConfigMap", file.stem)
        assert json.loads(config["data"][file.name]) == json.loads(file.read_text())
        assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert len(json.dumps(config)) < 262_144, "kubectl keeps what it applied in an annotation"


def test_manifests_fit_each_other(binary, tmp_path):
    pod = manifest("Deployment")["spec"]["template"]
    container = pod["spec"]["containers"][0]
    selected = manifest("Service")["spec"]["selector"].items()
    assert selected <= pod["metadata"]["labels"].items()
    monitor = manifest("ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= manifest("Service")["metadata"]["labels"].items()
    assert {e["port"] for e in monitor["endpoints"]} <= {p["name"] for p in manifest("Service")["spec"]["ports"]}
    assert manifest("Service")["metadata"]["name"] == "faultline", "the job that FaultlineDown looks for"
    assert pod["spec"]["serviceAccountName"] == manifest("ServiceAccount")["metadata"]["name"]
    assert manifest("ServiceAccount")["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].startswith("arn:aws:iam::")
    assert manifest("Deployment")["spec"]["replicas"] == 1 and manifest("Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    text = manifest("ConfigMap")["data"]["faultline.yaml"]
    assert container["args"][:3] == ["run", "--config", f"{mounted['config']}/faultline.yaml"]
    assert yaml.safe_load(text)["ledger"].startswith(mounted["ledger"])
    file = tmp_path / "faultline.yaml"
    file.write_text(text)
    checked = subprocess.run([binary, "check", "--config", file], capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd on this machine")
def test_systemd_accepts_the_unit_and_finds_it_confined(tmp_path, binary):
    # It wants the command to be there.
    unit = tmp_path / "faultline.service"
    unit.write_text(UNIT.read_text().replace("/usr/local/bin/faultline", str(binary)))
    code, text = run("systemd-analyze", "verify", unit)
    assert code == 0 and not text.strip(), text
    code, text = run("systemd-analyze", "security", "--offline=true", "--threshold=15", unit)
    assert code == 0, text
