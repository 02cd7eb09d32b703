"""The daemon against an emulator that its authors did not write: everything goes in through the AWS API."""

import datetime
import json
import time
import uuid

import pytest
from prometheus_client.parser import text_string_to_metric_families

from conftest import ACCOUNT, REGION, until

MODEL = "us.anthropic.claude-sonnet-4-20250514-v1:0"
BILLED, NOT_BILLED, RECORD_ONLY = (str(uuid.uuid4()) for _ in range(3))
MESSAGE = (
    "software.amazon.awssdk.services.bedrockruntime.model.ServiceUnavailableException: Too many connections, please "
    "wait before trying again. (Service: BedrockRuntime, Status Code: 503, Request ID: {}) (SDK Attempt Count: 4)"
)
TRACEBACK = """Traceback (most recent call last):
  File "/app/chat.py", line 31, in answer
    client.converse(modelId=MODEL, messages=messages)
  File "/usr/lib/python3.11/site-packages/botocore/client.py", line 602, in _api_call
    return self._make_api_call(operation_name, kwargs)
botocore.errorfactory.ThrottlingException: An error occurred (ThrottlingException) when calling the Converse \
operation (reached max retries: 4): Too many requests, please wait before trying again."""


def record(at, request_id, **changes):
    line = {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "accountId": ACCOUNT,
        "region": REGION,
        "requestId": request_id,
        "operation": "Converse",
        "modelId": MODEL,
        "identity": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/chat-api/i-0123"},
        "input": {"inputBodyJson": {"messages": "a private prompt"}, "inputTokenCount": 1000},
        "output": {"outputBodyJson": {"text": "a private answer"}, "outputTokenCount": 200},
    }
    return json.dumps(line | changes)


@pytest.fixture(scope="module")
def account(aws):
    """An hour in which three calls failed: one billed, one not, one known from its record alone."""
    now = datetime.datetime.now(datetime.timezone.utc)
    at = now - datetime.timedelta(minutes=20)
    stamp = int(at.timestamp() * 1000)
    logs = aws["logs"]
    empty = {"input": {}, "output": {}}
    events = {
        ("/ecs/chat-api", "web/1"): [MESSAGE.format(BILLED), "INFO request served", MESSAGE.format(NOT_BILLED)],
        ("/ecs/worker", "worker/1"): TRACEBACK.split("\n"),
        ("/bedrock/invocations", "aws/bedrock/modelinvocations"): [
            record(at, BILLED),
            record(at, NOT_BILLED, errorCode="ServiceUnavailableException", **empty),
            record(at, RECORD_ONLY, errorCode="InternalServerException"),
            record(at, str(uuid.uuid4())),
        ],
    }
    for (group, stream), messages in events.items():
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        logs.put_log_events(
            logGroupName=group,
            logStreamName=stream,
            logEvents=[{"timestamp": stamp + i, "message": message} for i, message in enumerate(messages)],
        )
    minute = at.replace(second=0, microsecond=0)
    values = {"Invocations": (9, 1), "InvocationServerErrors": (3, 1), "InvocationThrottles": (2, 1), "InputTokenCount": (9000, 1000)}
    aws["cloudwatch"].put_metric_data(
        Namespace="AWS/Bedrock",
        MetricData=[
            {
                "MetricName": name,
                "Dimensions": [{"Name": "ModelId", "Value": MODEL}],
                "Timestamp": minute,
                "Values": [float(each)],
                "Counts": [float(total // each)],
            }
            for name, (total, each) in values.items()
        ],
    )
    return at


@pytest.fixture
def read():
    """Which invocation records are read."""
    return "auto"


@pytest.fixture
def daemon(start, ministack, account, read, tmp_path):
    config = tmp_path / "faultline.yaml"
    config.write_text(f"""
listen: 127.0.0.1:0
ledger: {tmp_path / "faultline.db"}
cells:
  - regions: [{REGION}]
    endpoint_url: {ministack}
    applications:
      - group: /ecs/chat-api
        identity: arn:aws:iam::{ACCOUNT}:role/chat-api
      - group: /ecs/work*
        name: worker
    invocations: {{ group: /bedrock/invocations, read: {read} }}
logs: {{ poll: 1s, server_side_filter: false }}
metrics: {{ poll: 5s }}
""")
    daemon = start("run", "--config", str(config))
    daemon.until("readiness", lambda: daemon.get("/-/ready")[0] == 200)
    daemon.config = config
    return daemon


def samples(daemon):
    """Every sample of the page, read by the field's strict parser: (name, labels) -> value, none twice."""
    status, text, kind = daemon.get("/metrics")
    assert status == 200 and kind.startswith("text/plain; version=0.0.4"), (status, kind)
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} is exported twice"
            found[key] = sample.value
    return found


def value(found, name, **labels):
    matching = [v for (n, ls), v in found.items() if n == name and labels.items() <= dict(ls).items()]
    assert matching, f"no {name} with {labels}"
    return sum(matching)


@pytest.mark.parametrize("read", ["auto", "all", "failures"])
def test_a_billed_failure_is_found_priced_and_exported(daemon):
    findings = {f["request_id"]: f for f in daemon.json("/api/v1/findings")["findings"]}
    assert set(findings) == {BILLED, RECORD_ONLY}, "one joined, one known from its record; what was not billed is none"
    joined = findings[BILLED]
    assert joined["failure"] == "service_unavailable" and joined["evidence"] == "confirmed"
    assert (joined["input_tokens"], joined["output_tokens"]) == (1000, 200)
    assert joined["model_id"] == "anthropic.claude-sonnet-4-20250514-v1:0" and joined["route"] == "us"
    price = joined["price"]
    assert joined["cost_usd"] == pytest.approx((1000 * price["input"] + 200 * price["output"]) / 1e6)
    assert joined["client_log"]["group"] == "/ecs/chat-api"
    assert joined["invocation_log"]["group"] == "/bedrock/invocations"
    assert joined["application"] == "/ecs/chat-api" and joined["account_id"] == ACCOUNT
    assert findings[RECORD_ONLY]["client_log"] is None and findings[RECORD_ONLY]["failure"] == "internal_error"

    found = samples(daemon)
    assert value(found, "bedrock_billed_failed_invocations", evidence="confirmed", aws_region=REGION) == 2
    assert value(found, "bedrock_billed_failed_cost_usd", evidence="confirmed") > 0
    for source in ("metrics", "logs", "invocations"):
        assert value(found, "faultline_source_up", source=source, account_id=ACCOUNT) == 1
    assert value(found, "faultline_aws_api_calls_total", api="GetMetricData", outcome="ok") >= 1


def test_nothing_of_a_prompt_leaves_the_invocation_log(daemon):
    pages = [daemon.get(path)[1] for path in ("/metrics", "/", "/api/v1/findings", "/api/v1/sources")]
    daemon.stop()
    ledger = (daemon.config.parent / "faultline.db").read_bytes()
    log = (daemon.config.parent / "daemon-0.log").read_text()
    for place in [*pages, log, ledger.decode("latin-1")]:
        assert "private" not in place


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_restart_loses_nothing_and_counts_nothing_twice(daemon, start, end):
    before = daemon.json("/api/v1/findings")["findings"]
    if end == "stopped":
        assert daemon.stop() == 0
    else:
        daemon.process.kill()
        daemon.process.wait(20)
    again = start("run", "--config", str(daemon.config))
    again.until("readiness", lambda: again.get("/-/ready")[0] == 200)
    assert again.json("/api/v1/findings")["findings"] == before
    found = samples(again)
    assert value(found, "bedrock_billed_failed_invocations_total") == 0, "history fills the ledger, not the counters"


def test_a_failure_that_happens_while_the_daemon_runs_is_counted_once(daemon, aws):
    request_id = str(uuid.uuid4())
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=1)
    stamp = int(now.timestamp() * 1000)
    until("the next second", lambda: time.time() >= now.timestamp())  # an event of the future is not read yet
    for group, stream, message in [
        ("/ecs/chat-api", "web/1", MESSAGE.format(request_id)),
        ("/bedrock/invocations", "aws/bedrock/modelinvocations", record(now, request_id)),
    ]:
        aws["logs"].put_log_events(
            logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": stamp, "message": message}]
        )
    known = lambda: [f for f in daemon.json("/api/v1/findings")["findings"] if f["request_id"] == request_id]
    assert daemon.until("finding", known)[0]["evidence"] == "confirmed"
    counted = lambda: value(samples(daemon), "bedrock_billed_failed_invocations_total", failure="service_unavailable")
    daemon.until("count", lambda: counted() == 1)
    assert value(samples(daemon), "bedrock_client_failures_total", application="/ecs/chat-api") == 1


@pytest.mark.parametrize("read", ["auto", "all"])
def test_a_log_of_many_pages_is_read_to_its_end(start, ministack, aws, read, tmp_path):
    """The emulator cuts what it returns at 10,000 events and gives no token; many events share a millisecond."""
    logs, group, app = aws["logs"], f"/bedrock/large-{read}", f"/ecs/large-{read}"
    begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=40)
    stamp = int(begin.timestamp() * 1000)
    failed = {at: str(uuid.uuid4()) for at in (0, 9_999, 10_000, 10_001, 24_999)}
    records = []
    for index in range(25_000):
        at = begin + datetime.timedelta(milliseconds=index // 7 * 7)
        line = record(at, failed.get(index, str(uuid.uuid4())))
        if index % 2:
            # What is optional is left out: only these three make a record.
            whole = json.loads(line)
            line = json.dumps({key: whole[key] for key in ("requestId", "modelId", "input", "output")})
        records.append({"timestamp": stamp + index // 7 * 7, "message": line})
    lines = [{"timestamp": stamp + 60_000, "message": MESSAGE.format(request_id)} for request_id in failed.values()]
    for name, events in [(group, records), (app, lines)]:
        logs.create_log_group(logGroupName=name)
        logs.create_log_stream(logGroupName=name, logStreamName="s")
        for first in range(0, len(events), 1_000):
            logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=events[first : first + 1_000])
    config = tmp_path / "faultline.yaml"
    config.write_text(f"""
listen: 127.0.0.1:0
ledger: {tmp_path / "faultline.db"}
cells:
  - regions: [{REGION}]
    endpoint_url: {ministack}
    applications: [{{ group: {app} }}]
    invocations: {{ group: {group}, read: {read} }}
logs: {{ poll: 1s, server_side_filter: false }}
""")
    started = time.monotonic()
    daemon = start("run", "--config", str(config))
    daemon.until("readiness", lambda: daemon.get("/-/ready")[0] == 200)
    confirmed = lambda: {
        finding["request_id"] for finding in daemon.json("/api/v1/findings?limit=1000&evidence=confirmed")["findings"]
    }
    daemon.until("every finding", lambda: confirmed() == set(failed.values()))
    assert time.monotonic() - started < 30
