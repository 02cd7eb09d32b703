"""Prometheus and Alertmanager, the real ones, in temporary directories and on free ports."""

import contextlib
import json
import pathlib
import subprocess
import urllib.parse

import yaml

from conftest import ROOT, free_port, get, until

RULES = ROOT / "alerts"
STOP_WITHIN_SECONDS = 20


class Server:
    """A running server, and its log for when it fails."""

    def __init__(self, process, url, log):
        self.process, self.url, self.log = process, url, log

    def json(self, path, **parameters):
        query = "?" + urllib.parse.urlencode(parameters, doseq=True) if parameters else ""
        status, text, _ = get(self.url + path + query)
        assert status == 200, (path, parameters, status, text)
        return json.loads(text)


class Prometheus(Server):
    def query(self, expression, **parameters):
        """The result of an instant query: a list of series."""
        return self.json("/api/v1/query", query=expression, **parameters)["data"]["result"]

    def query_range(self, expression, start, end, step):
        return self.json("/api/v1/query_range", query=expression, start=start, end=end, step=step)["data"]["result"]

    def alerts(self):
        return self.json("/api/v1/alerts")["data"]["alerts"]


@contextlib.contextmanager
def running(kind, command, url, log_file):
    """Runs a server until the block ends; it is there when `/-/ready` says so."""
    with open(log_file, "w") as log:
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
        try:
            until(f"readiness of {command[0]}", lambda: get(f"{url}/-/ready")[0] == 200, process)
            yield kind(process, url, log_file)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(STOP_WITHIN_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(STOP_WITHIN_SECONDS)


def prometheus(directory, targets, rule_files=(), alertmanager=None, every="1s"):
    """Scrapes and evaluates `every`; `targets` are addresses of the job faultline."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    config = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": [str(file) for file in rule_files],
        "scrape_configs": [{"job_name": "faultline", "static_configs": [{"targets": list(targets)}]}],
    }
    if alertmanager:
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.removeprefix("http://")]}]}]}
    file = directory / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus", f"--config.file={file}", f"--storage.tsdb.path={directory / 'data'}", f"--web.listen-address={address}",
        "--rules.alert.resend-delay=2s", "--log.level=warn",
    ]
    return running(Prometheus, command, f"http://{address}", directory / "prometheus.log")


def alertmanager(directory, config):
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus-alertmanager", f"--config.file={file}", f"--storage.path={directory / 'data'}", f"--web.listen-address={address}",
        "--cluster.listen-address=", "--log.level=warn",
    ]
    return running(Server, command, f"http://{address}", directory / "alertmanager.log")
