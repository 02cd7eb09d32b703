"""Servers the end-to-end suite runs against: an AWS emulator that Faultline's authors did not write, and the daemon."""

import contextlib
import json
import os
import pathlib
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.config import Config

ROOT = pathlib.Path(__file__).resolve().parents[2]
ACCOUNT, REGION = "000000000000", "us-east-1"
PATIENCE_SECONDS = 60


def until(what, condition, process=None):
    """Waits until `condition()` is truthy and returns it; fails loudly when `process` ends or patience does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        if process is not None and process.poll() is not None:
            pytest.fail(f"the process ended with {process.returncode} while waiting for {what}")
        time.sleep(0.1)
    pytest.fail(f"no {what} within {PATIENCE_SECONDS} s")


def free_port():
    """A port that was free a moment ago: for servers that cannot be told to choose one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url):
    """Status, text and content type, whatever the status."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.headers["Content-Type"]
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers["Content-Type"]
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0, "", ""


@pytest.fixture(scope="session")
def binary():
    path = pathlib.Path(os.environ.get("FAULTLINE", ROOT / "target" / "debug" / "faultline"))
    assert path.exists(), f"{path} is not built: run `cargo build` first"
    return path


@contextlib.contextmanager
def emulator(directory):
    """An AWS emulator's endpoint."""
    port = free_port()
    environment = {**os.environ, "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "SERVICES": "cloudwatch,logs,sts"}
    with open(directory / "ministack.log", "w") as log:
        process = subprocess.Popen([sys.executable, "-m", "ministack"], env=environment, stdout=log, stderr=log)
        url = f"http://127.0.0.1:{port}"
        try:
            until("answer of ministack", lambda: get(f"{url}/_ministack/health")[0] == 200, process)
            yield url
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="session")
def ministack(tmp_path_factory):
    """The emulator's endpoint."""
    with emulator(tmp_path_factory.mktemp("ministack")) as url:
        yield url


@pytest.fixture(scope="session")
def aws(ministack):
    """Clients that put things in, through the AWS API."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
    make = lambda service: boto3.client(service, endpoint_url=ministack, config=Config(retries={"mode": "standard"}), **keys)
    return {service: make(service) for service in ("cloudwatch", "logs")}


class Daemon:
    """A running `faultline`, and what it serves."""

    def __init__(self, process, address):
        self.process, self.address = process, address

    def get(self, path):
        return get(f"http://{self.address}{path}")

    def json(self, path):
        status, text, _ = self.get(path)
        assert status == 200, (path, status, text)
        return json.loads(text)

    def until(self, what, condition):
        return until(what, condition, self.process)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextlib.contextmanager
def starter(binary, directory):
    """Starts the real binary with arguments and waits for the address it prints; kills what is left at the end."""
    started = []

    def run(*arguments, **environment):
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true"}
        log = open(directory / f"daemon-{len(started)}.log", "w+")
        process = subprocess.Popen(
            [binary, *arguments], env={**os.environ, **keys, **environment}, stdout=subprocess.PIPE, stderr=log, text=True
        )
        started.append(process)
        address = printed_address(process)
        if address is None:
            process.kill()
            log.seek(0)
            pytest.fail(f"no address printed; the log says:\n{log.read()}")
        return Daemon(process, address)

    try:
        yield run
    finally:
        for process in started:
            if process.poll() is None:
                process.kill()
            process.wait(20)


@pytest.fixture
def start(binary, tmp_path):
    with starter(binary, tmp_path) as run:
        yield run


def printed_address(process):
    """The `http://…` the daemon prints on standard output, within a hard limit."""
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (left := deadline - time.monotonic()) > 0 and ready.select(left):
            line = process.stdout.readline()
            if not line:
                return None
            if found := re.search(r"http://([\w.\[\]:]+)", line):
                return found.group(1)
    return None
