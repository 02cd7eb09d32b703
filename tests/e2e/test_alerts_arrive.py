"""From AWS to the pager, with real servers: troubles are put into an emulated account through the AWS API; the daemon,
Prometheus and Alertmanager carry each to a webhook as an alert with its labels, and take it back when it is over.

Ranges, `for` and the one threshold in seconds are shortened here: this is about the plumbing. How long an alert really
takes, and every threshold, is what alerts/tests/ are about. Each trouble has a model of its own, so that Alertmanager's
inhibitions, which are those of the example, keep none of them back but the ones meant.
"""

import contextlib
import datetime
import http.server
import json
import re
import socket
import sqlite3
import threading
import time
import urllib.parse
import uuid

import boto3
import pytest
import yaml
from botocore.config import Config

from conftest import ACCOUNT, emulator, free_port
from servers import RULES, alertmanager, prometheus
from test_alert_rules import names

REGION, OTHER_REGION, POOR_REGION, LOGLESS_REGION, BLIND_REGION = "us-west-2", "eu-west-1", "eu-north-1", "eu-west-2", "eu-central-1"
SHORT = {"3m": "4s", "5m": "4s", "15m": "10s", "30m": "10s", "1h": "15s", "2h": "15s", "6h": "15s", "1d": "30s", "3d": "15s"}
# The ledger waits 5 s for a file that is locked before it counts an error: three of them take longer.
SHORT_FOR_THE_LEDGER = {"5m": "4s", "15m": "40s"}
ARRIVES_WITHIN_SECONDS, RESOLVES_WITHIN_SECONDS = 90, 120
# Old enough to leave the gauges' window of five minutes soon, young enough to be seen in it first.
A_WHILE_AGO = datetime.timedelta(minutes=3, seconds=40)
MODELS = {
    "billed": "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "away": "anthropic.claude-sonnet-4-20250514-v1:0",
    "burning": "anthropic.claude-haiku-4-5-20251001-v1:0",
    "low": "mistral.mistral-large-2402-v1:0",
    "throttled": "amazon.nova-lite-v1:0",
    "reset": "amazon.nova-pro-v1:0",
    "slow": "meta.llama3-3-70b-instruct-v1:0",
    "retried": "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "broken": "anthropic.claude-3-haiku-20240307-v1:0",
    "dear": "anthropic.claude-3-opus-20240229-v1:0",
}


# The rules and Alertmanager's example, shortened


def shortened(rule):
    short = SHORT_FOR_THE_LEDGER if rule.get("alert") == "FaultlineLedgerErrors" else SHORT
    expr = re.sub(r"\[(\w+)\]", lambda m: f"[{short[m[1]]}]", rule["expr"])
    expr = re.sub(r"offset (\w+)", lambda m: f"offset {short[m[1]]}", expr).replace("> 1800", "> 6")
    return {**rule, "expr": expr, **({"for": "1s"} if "for" in rule else {})}


def short_rules(directory):
    for file in sorted(RULES.glob("*.rules.yml")):
        content = yaml.safe_load(file.read_text())
        for group in content["groups"]:
            group["rules"] = [shortened(rule) for rule in group["rules"]]
        (directory / file.name).write_text(yaml.safe_dump(content))
    return sorted(directory.glob("*.rules.yml"))


def short_alertmanager(webhook):
    config = yaml.safe_load((RULES / "alertmanager.example.yml").read_text())
    quick = {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h", "group_by": ["..."]}
    config["route"].update(quick)
    for route in config["route"]["routes"]:
        route.update(quick)
    for receiver in config["receivers"]:
        for hook in receiver["webhook_configs"]:
            hook["url"] = f"{webhook}/{receiver['name']}"
    return config


class Inbox:
    """A webhook, and everything that came."""

    def __init__(self):
        self.arrived, self.news = [], threading.Condition()
        inbox = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with inbox.news:
                    inbox.arrived += [{**alert, "receiver": self.path.strip("/")} for alert in body["alerts"]]
                    inbox.news.notify_all()
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def find(self, status, labels):
        return next((a for a in self.arrived if a["status"] == status and labels.items() <= a["labels"].items()), None)

    def wait(self, status, labels, seconds):
        with self.news:
            self.news.wait_for(lambda: self.find(status, labels), seconds)
            found = self.find(status, labels)
        seen = sorted({(a["status"], a["labels"]["alertname"]) for a in self.arrived})
        assert found, f"no {status} {labels} within {seconds} s; there were {seen}"
        return found


class Gate:
    """A way to the emulator that can be closed, or hold every answer back."""

    def __init__(self, target):
        self.target, self.mode = target, "open"
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            with contextlib.suppress(OSError):
                client, _ = self.listener.accept()
                if self.mode == "closed":
                    client.close()
                    continue
                server = socket.create_connection(self.target)
                for one, other in ((client, server), (server, client)):
                    threading.Thread(target=self._copy, args=(one, other), daemon=True).start()

    def _copy(self, one, other):
        with contextlib.suppress(OSError), one, other:
            while data := one.recv(65536):
                while self.mode == "holding":
                    time.sleep(0.05)
                if self.mode == "closed":
                    return
                other.sendall(data)


# The account


class AwsAccount:
    """Puts things into the emulator."""

    def __init__(self, url):
        self.url, self.clients, self.streams = url, {}, set()

    def client(self, service, region):
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": region}
        if (service, region) not in self.clients:
            self.clients[service, region] = boto3.client(service, endpoint_url=self.url, config=Config(retries={"mode": "standard"}), **keys)
        return self.clients[service, region]

    def log(self, group, messages, region=REGION):
        """`messages` are `(time, text)`."""
        logs = self.client("logs", region)
        if (group, region) not in self.streams:
            logs.create_log_group(logGroupName=group)
            logs.create_log_stream(logGroupName=group, logStreamName="one")
            self.streams.add((group, region))
        events = [{"timestamp": int(at.timestamp() * 1000) + n, "message": text} for n, (at, text) in enumerate(messages)]
        if events:
            logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=sorted(events, key=lambda e: e["timestamp"]))

    def count(self, region=REGION, **metrics):
        """Adds to a minute that is over: `name__model=count`, or `name=count` without dimensions."""
        minute = now().replace(second=0, microsecond=0) - datetime.timedelta(minutes=2)
        data = []
        for name, count in metrics.items():
            metric, _, model = name.partition("__")
            dimensions = [{"Name": "ModelId", "Value": MODELS[model]}] if model else []
            data.append({"MetricName": metric, "Dimensions": dimensions, "Timestamp": minute, "Values": [1.0], "Counts": [float(count)]})
        self.client("cloudwatch", region).put_metric_data(Namespace="AWS/Bedrock", MetricData=data)


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def unavailable(request_id):
    return (
        "software.amazon.awssdk.services.bedrockruntime.model.ServiceUnavailableException: Too many connections, please wait before "
        f"trying again. (Service: BedrockRuntime, Status Code: 503, Request ID: {request_id}) (SDK Attempt Count: 4)"
    )


def endpoint(model):
    return f"https://bedrock-runtime.{REGION}.amazonaws.com/model/{urllib.parse.quote(MODELS[model], safe='')}/converse"


def reset(model):
    return f'ERROR botocore.exceptions.ConnectionClosedError: Connection was closed before we received a valid response from endpoint URL: "{endpoint(model)}".'


def read_timeout(model, own_id):
    text = f'botocore.exceptions.ReadTimeoutError: Read timeout on endpoint URL: "{endpoint(model)}"'
    return json.dumps({"level": "ERROR", "message": "bedrock call failed", "exc_info": text, "model_id": MODELS[model], "call_id": own_id})


def stream_error():
    return "ERROR botocore.exceptions.EventStreamError: An error occurred (serviceUnavailableException) when calling the ConverseStream operation: Bedrock is busy"


def record(at, request_id, model, tokens=1000, own_id=None):
    metadata = {"requestMetadata": {"call_id": own_id}} if own_id else {}
    line = {
        "schemaType": "ModelInvocationLog", "schemaVersion": "1.0", "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "accountId": ACCOUNT,
        "region": REGION, "requestId": request_id, "operation": "Converse", "modelId": MODELS[model],
        "identity": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/app/i-0123"},
        "input": {"inputBodyJson": {}, "inputTokenCount": tokens}, "output": {"outputBodyJson": {}, "outputTokenCount": 200}, **metadata,
    }
    return json.dumps(line)


# What goes wrong


class Troubles:
    """Each method is one trouble, which goes on from its call until `over` is called."""

    def __init__(self, aws):
        self.aws, self.going_on, self.threads = aws, {}, []

    def keep(self, name, act, every=1.0):
        stop = self.going_on[name] = threading.Event()

        def loop():
            while not stop.is_set():
                act()
                stop.wait(every)

        self.threads.append(threading.Thread(target=loop, daemon=True))
        self.threads[-1].start()

    def over(self, *which):
        for name in which:
            self.going_on.pop(name).set()

    def billed_503s(self, model, at):
        """Six calls turned away and billed, of some dollars each."""
        ids = [str(uuid.uuid4()) for _ in range(6)]
        self.aws.log("/bedrock/invocations", [(at, record(at, one, model, tokens=1_000_000)) for one in ids])
        self.aws.log(f"/ecs/{model}", [(at, unavailable(one)) for one in ids])

    def hidden_retries(self):
        """Three calls of five attempts each: one failure in the log, five records."""
        at = now() - A_WHILE_AGO
        for _ in range(3):
            own_id = str(uuid.uuid4())
            attempts = [at + datetime.timedelta(seconds=5 * n) for n in range(5)]
            self.aws.log("/bedrock/invocations", [(a, record(a, str(uuid.uuid4()), "retried", own_id=own_id)) for a in attempts])
            self.aws.log("/ecs/retried", [(attempts[-1] + datetime.timedelta(seconds=5), read_timeout("retried", own_id))])

    def billed_timeouts(self):
        for _ in range(4):
            own_id, at = str(uuid.uuid4()), now()
            self.aws.log("/bedrock/invocations", [(at, record(at, str(uuid.uuid4()), "slow", own_id=own_id))])
            self.aws.log("/ecs/slow", [(at, read_timeout("slow", own_id))])

    def failures(self, group, text, count, region=REGION):
        self.aws.log(group, [(now(), text()) for _ in range(count)], region)


CONFIG = """
listen: 127.0.0.1:0
ledger: {ledger}
cells:
  - regions: [{region}]
    account_id: "{account}"
    endpoint_url: {url}
    applications:
      - {{ group: /ecs/billed, model_id: "{billed}" }}
      - {{ group: /ecs/away, model_id: "{away}" }}
      - {{ group: /ecs/low, model_id: "{low}" }}
      - {{ group: /ecs/reset }}
      - {{ group: /ecs/slow }}
      - {{ group: /ecs/retried }}
      - {{ group: /ecs/broken, model_id: "{broken}" }}
    invocations: {{ group: /bedrock/invocations, read: all }}
  - regions: [{other}]
    account_id: "{account}"
    endpoint_url: {gate}
    applications: [{{ group: /ecs/other }}]
  - regions: [{logless}]
    account_id: "{account}"
    endpoint_url: {url}
    applications: [{{ group: /ecs/logless }}]
    invocations: /bedrock/invocations
  - regions: [{blind}]
    account_id: "{account}"
    endpoint_url: {url}
    applications: [{{ group: /ecs/blind }}]
logs: {{ poll: 1s, server_side_filter: false }}
metrics: {{ poll: 1s, detail: 1s, budget_usd_per_month: 1000000 }}
correlation: {{ window: 5m, horizon: 1m, id_keys: [call_id] }}
budget: {{ monthly_usd: 1000 }}
"""
POOR_CONFIG = """
listen: 127.0.0.1:{port}
ledger: {ledger}
cells: [{{ regions: [{region}], account_id: "{account}", endpoint_url: {url} }}]
metrics: {{ poll: 1s, budget_usd_per_month: {budget} }}
"""


class Stage:
    """Everything that runs, and what is done to it."""


@pytest.fixture(scope="module")
def stage(binary, tmp_path_factory):
    from conftest import starter

    directory = tmp_path_factory.mktemp("alerts")
    with contextlib.ExitStack() as stack:
        aws_url = stack.enter_context(emulator(directory))
        start = stack.enter_context(starter(binary, directory))
        stage = Stage()
        stage.aws = AwsAccount(aws_url)
        parts = urllib.parse.urlsplit(aws_url)
        stage.gate = Gate((parts.hostname, parts.port))
        stage.troubles = Troubles(stage.aws)
        prepare(stage.aws)

        stage.ledger = directory / "faultline.db"
        config = directory / "faultline.yaml"
        config.write_text(CONFIG.format(
            ledger=stage.ledger, account=ACCOUNT, url=aws_url, gate=stage.gate.url, region=REGION, other=OTHER_REGION, logless=LOGLESS_REGION,
            blind=BLIND_REGION, **MODELS,
        ))
        count_from_an_hour_ago(start, config, stage.ledger)
        # What gauges over the window are to show is there when the daemon starts: later it looks so far back only now and then.
        stage.troubles.billed_503s("billed", now() - A_WHILE_AGO)
        stage.troubles.hidden_retries()
        stage.daemon = start("run", "--config", str(config))
        stage.daemon.until("readiness", lambda: stage.daemon.get("/-/ready")[0] == 200)

        poor_port = free_port()

        def start_poor(budget):
            poor = directory / f"poor-{budget}.yaml"
            poor.write_text(POOR_CONFIG.format(port=poor_port, ledger=directory / "poor.db", region=POOR_REGION, account=ACCOUNT, url=aws_url, budget=budget))
            return start("run", "--config", str(poor))

        stage.start_poor = start_poor
        stage.poor = start_poor("0.01")
        stage.inbox = Inbox()
        stage.alertmanager = stack.enter_context(alertmanager(directory / "alertmanager", short_alertmanager(stage.inbox.url)))
        targets = [stage.daemon.address, stage.poor.address]
        stage.prometheus = stack.enter_context(prometheus(directory / "prometheus", targets, short_rules(directory), stage.alertmanager.url))
        yield stage
        stage.troubles.over(*list(stage.troubles.going_on))


def prepare(aws):
    """Every series and group exists before the daemon looks for them."""
    for group in ("billed", "away", "low", "reset", "slow", "retried", "broken"):
        aws.log(f"/ecs/{group}", [])
    aws.log("/bedrock/invocations", [])
    for region, groups in ((OTHER_REGION, ["/ecs/other"]), (LOGLESS_REGION, ["/ecs/logless", "/bedrock/invocations"]), (BLIND_REGION, ["/ecs/blind"])):
        for group in groups:
            aws.log(group, [], region)
    aws.count(
        Invocations__burning=1, InvocationServerErrors__burning=1, Invocations__low=1, Invocations__throttled=1, InvocationThrottles__throttled=1,
        Invocations__dear=1, InputTokenCount__dear=1, ModelInvocationLogsCloudWatchDeliveryFailure=1,
    )
    aws.count(POOR_REGION, Invocations__dear=1)


def count_from_an_hour_ago(start, config, ledger):
    """Counters count from the ledger's creation on, by whole minutes: this one is made an hour older, instead of waiting."""
    first = start("run", "--config", str(config))
    first.until("readiness", lambda: first.get("/-/ready")[0] == 200)
    assert first.stop() == 0
    with contextlib.closing(sqlite3.connect(ledger)) as connection, connection:
        connection.execute("UPDATE meta SET value = value - 3600000 WHERE key = 'counting_since'")


def of_model(model, **labels):
    return {"account_id": ACCOUNT, "aws_region": REGION, "model_id": MODELS[model], "route": "none", **labels}


def of_region(region, **labels):
    return {"account_id": ACCOUNT, "aws_region": region, **labels}


# Alert, its labels, who gets it, and the trouble that goes on until it has arrived.
EXPECTED = [
    ("BedrockBilledFailures", of_model("billed", severity="warning"), "chat", None),
    ("BedrockBilledFailureCost", of_model("away", severity="critical"), "pager", None),
    ("BedrockTooManyConnections", of_model("away", severity="warning", load="usual"), "chat", None),
    ("BedrockTooManyConnections", of_model("low", severity="warning", load="low"), "chat", "low"),
    ("BedrockServerErrorBudgetBurn", of_model("burning", severity="critical", window="1h"), "pager", "burning"),
    ("BedrockServerErrorBudgetBurn", of_model("burning", severity="critical", window="6h"), "pager", "burning"),
    ("BedrockThrottling", of_model("throttled", severity="warning"), "chat", "throttled"),
    ("BedrockConnectionResets", of_model("reset", severity="warning", application="/ecs/reset"), "chat", "reset"),
    ("BedrockClientTimeoutTooLow", of_model("slow", severity="warning"), "chat", None),
    ("BedrockRetryStorm", of_model("retried", severity="warning"), "chat", None),
    ("BedrockStreamErrors", of_model("broken", severity="warning"), "chat", "broken"),
    ("BedrockInvocationLogGap", of_region(REGION, severity="warning", gap="delivery"), "chat", "delivery"),
    ("BedrockInvocationLogGap", of_region(LOGLESS_REGION, severity="warning", gap="logging_off"), "chat", None),
    ("BedrockInvocationLogGap", of_region(BLIND_REGION, severity="info", gap="not_configured"), "digest", "blind"),
    ("BedrockBudgetBurn", {"job": "faultline", "severity": "critical"}, "pager", "dear"),
]


@pytest.fixture(scope="module")
def scenario(stage):
    """All of it at once, when Prometheus has watched for longer than its longest offset: before, what is new to it is no news."""
    aws, troubles = stage.aws, stage.troubles
    watched = f"count(faultline_build_info offset {SHORT['1h']}) == 2"
    stage.daemon.until("a past to compare with", lambda: stage.prometheus.query(watched))
    # A day's worth of load, in seconds; then it falls, and 503s come.
    troubles.keep("load", lambda: aws.count(Invocations__low=500))
    time_of_load = threading.Timer(12, lambda: (troubles.over("load"), troubles.keep("low", lambda: troubles.failures("/ecs/low", lambda: unavailable(uuid.uuid4()), 3))))
    time_of_load.start()
    troubles.keep("burning", lambda: aws.count(Invocations__burning=100, InvocationServerErrors__burning=20))
    troubles.keep("throttled", lambda: aws.count(Invocations__throttled=10, InvocationThrottles__throttled=20))
    troubles.keep("dear", lambda: aws.count(Invocations__dear=1, InputTokenCount__dear=100_000))
    troubles.keep("delivery", lambda: aws.count(ModelInvocationLogsCloudWatchDeliveryFailure=2))
    troubles.keep("reset", lambda: troubles.failures("/ecs/reset", lambda: reset("reset"), 2))
    troubles.keep("broken", lambda: troubles.failures("/ecs/broken", stream_error, 2))
    troubles.keep("blind", lambda: troubles.failures("/ecs/blind", stream_error, 2, BLIND_REGION))
    troubles.failures("/ecs/logless", lambda: unavailable(uuid.uuid4()), 14, LOGLESS_REGION)
    troubles.billed_503s("away", now())
    troubles.billed_timeouts()
    return stage


@pytest.mark.parametrize("name, labels, receiver, trouble", EXPECTED, ids=lambda value: value if isinstance(value, str) else None)
def test_a_trouble_arrives_as_an_alert(scenario, name, labels, receiver, trouble):
    arrived = scenario.inbox.wait("firing", {"alertname": name, **labels}, ARRIVES_WITHIN_SECONDS)
    assert arrived["receiver"] == receiver
    allowed = {"alertname", "role", "cause", *labels}
    assert set(arrived["labels"]) <= allowed, "no label that the rules do not name"
    assert arrived["annotations"]["runbook_url"].endswith(name) and "{{" not in arrived["annotations"]["description"]


def test_polling_slowed_down_by_its_budget_arrives_and_is_over_with_a_larger_one(scenario):
    labels = {"alertname": "FaultlineBudgetReached", **of_region(POOR_REGION, severity="info")}
    assert scenario.inbox.wait("firing", labels, ARRIVES_WITHIN_SECONDS)["receiver"] == "digest"
    assert scenario.poor.stop() == 0
    scenario.poor = scenario.start_poor("1000000")
    scenario.inbox.wait("resolved", labels, RESOLVES_WITHIN_SECONDS)


def test_every_trouble_that_is_over_resolves_its_alert(scenario):
    scenario.troubles.over(*list(scenario.troubles.going_on))
    for name, labels, _, _ in EXPECTED:
        scenario.inbox.wait("resolved", {"alertname": name, **labels}, RESOLVES_WITHIN_SECONDS)


def test_a_source_that_hangs_is_stale_and_one_that_is_refused_is_down_and_no_longer_called_stale(scenario):
    inbox, source = scenario.inbox, of_region(OTHER_REGION, source="logs", severity="warning")
    stale, down = {"alertname": "FaultlineDataStale", **source}, {"alertname": "FaultlineSourceDown", **source}
    scenario.gate.mode = "holding"
    inbox.wait("firing", stale, ARRIVES_WITHIN_SECONDS)
    scenario.gate.mode = "open"
    inbox.wait("resolved", stale, RESOLVES_WITHIN_SECONDS)

    scenario.gate.mode = "closed"
    assert "unreachable" in inbox.wait("firing", down, ARRIVES_WITHIN_SECONDS)["annotations"]["description"]

    def kept_back():
        alerts = scenario.alertmanager.json("/api/v2/alerts")
        return [a for a in alerts if a["labels"]["alertname"] == "FaultlineDataStale" and a["status"]["inhibitedBy"]]

    scenario.daemon.until("a stale source kept back because it is down", kept_back)
    scenario.gate.mode = "open"
    inbox.wait("resolved", down, RESOLVES_WITHIN_SECONDS)


def test_a_ledger_that_refuses_pages_until_it_takes_again(scenario):
    labels = {"alertname": "FaultlineLedgerErrors", "severity": "critical", "instance": scenario.daemon.address}
    scenario.troubles.keep("traffic", lambda: scenario.aws.count(Invocations__burning=5))
    other = sqlite3.connect(scenario.ledger, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        assert scenario.inbox.wait("firing", labels, ARRIVES_WITHIN_SECONDS)["receiver"] == "pager"
    finally:
        other.execute("ROLLBACK")
        other.close()
    scenario.inbox.wait("resolved", labels, RESOLVES_WITHIN_SECONDS)
    scenario.troubles.over("traffic")


def test_a_daemon_that_is_killed_is_down(scenario):
    scenario.daemon.process.kill()
    labels = {"alertname": "FaultlineDown", "severity": "critical", "instance": scenario.daemon.address, "job": "faultline"}
    assert scenario.inbox.wait("firing", labels, ARRIVES_WITHIN_SECONDS)["receiver"] == "pager"


def test_every_alert_was_seen_and_no_other(scenario):
    assert {alert["labels"]["alertname"] for alert in scenario.inbox.arrived} == names()
