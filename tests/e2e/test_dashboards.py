"""The dashboards: as Grafana's types want them, by the rules that reviewers of dashboards hold them to, and each of their
queries asked of a real Prometheus that scrapes the demo."""

import json
import re
import subprocess
import sys
import time

import pytest

from conftest import ROOT, until
from servers import RULES, prometheus
from test_alert_rules import known_metrics, names_of_metrics

FILES = sorted((ROOT / "dashboards").glob("*.json"))
DASHBOARDS = [json.loads(file.read_text()) for file in FILES]
CHECKS = ROOT / "tests" / "dashboards"
VARIABLES = ["datasource", "account", "region", "model", "route"]
# What the daemon says of itself has no account and region.
OF_THE_DAEMON = ("faultline_aws_api", "faultline_ledger_errors", "faultline_build_info", "bedrock_monthly_budget_usd")
# Twenty seconds of the account's time a second: its incidents come every nine.
SPEED = "20"
# How long a query may take to have data, its minutes settling in that time.
PATIENCE_SECONDS = 90


def panels():
    return [(d, p) for d in DASHBOARDS for p in d["panels"] if p["type"] != "row"]


def targets():
    return [(d, p, t) for d, p in panels() for t in p["targets"]]


def place(dashboard, panel):
    return f"{dashboard['title']}: {panel['title']}"


def test_the_json_is_what_its_source_makes():
    done = subprocess.run([sys.executable, "-B", ROOT / "scripts" / "dashboards", "--check"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(FILES) == 4


def test_grafanas_own_types_accept_every_dashboard_and_the_options_of_every_panel():
    for command in (["node", "generate.mjs"], ["node_modules/.bin/tsc", "-p", "."]):
        done = subprocess.run(command, cwd=CHECKS, capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_dashboard_has_its_frame():
    assert len({d["uid"] for d in DASHBOARDS}) == len(DASHBOARDS) == len({d["title"] for d in DASHBOARDS})
    for d in DASHBOARDS:
        assert re.fullmatch(r"faultline-[a-z]+", d["uid"]) and d["id"] is None and d["schemaVersion"] >= 39
        assert "faultline" in d["tags"] and d["editable"] is False and d["description"]
        assert [v["name"] for v in d["templating"]["list"]] == VARIABLES
        source, *labels = d["templating"]["list"]
        assert source["type"] == "datasource" and source["query"] == "prometheus" and source["label"] == "Data source"
        for variable in labels:
            assert variable["multi"] and variable["includeAll"] and variable["allValue"] == ".+", variable["name"]
            assert variable["refresh"] == 2, "on a change of the time range"
        assert [link["tags"] for link in d["links"] if link["includeVars"] and link["keepTime"]] == [["faultline"]]
        assert any("ALERTS" in a.get("target", {}).get("expr", "") for a in d["annotations"]["list"])


def test_panels_fill_rows_of_24_columns_without_gap_or_overlap():
    for d in DASHBOARDS:
        taken = {}
        for panel in d["panels"]:
            at = panel["gridPos"]
            assert at["x"] + at["w"] <= 24, place(d, panel)
            for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
                assert cell not in taken, f"{place(d, panel)} lies over {taken[cell]}"
                taken[cell] = panel["title"]
        height = max(y for _, y in taken) + 1
        gaps = [(x, y) for y in range(height) for x in range(24) if (x, y) not in taken]
        assert not gaps, f"{d['title']}: {gaps[:5]}"
        assert len({p["id"] for p in d["panels"]}) == len(d["panels"])


def test_every_panel_says_what_it_shows_and_in_what_unit():
    for d, p in panels():
        assert p["title"] and len(p["description"]) > 10 and p["targets"], place(d, p)
        assert p["fieldConfig"]["defaults"]["unit"], place(d, p)
        assert p["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, place(d, p)
        assert [t["refId"] for t in p["targets"]] == [chr(ord("A") + i) for i in range(len(p["targets"]))], place(d, p)


def test_every_query_uses_the_data_source_the_choice_and_ranges_that_follow_the_zoom():
    known = known_metrics()
    for d, p, t in targets():
        where, expression = place(d, p), t["expr"]
        assert t["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, where
        assert not names_of_metrics(expression) - known, (where, names_of_metrics(expression) - known)
        # The ranges of rates follow what is shown, never a fixed time.
        assert set(re.findall(r"\[(.*?)\]", expression)) <= {"$__rate_interval", "$__range"}, where
        for counter in re.findall(r"(\w+_total)", expression):
            assert re.search(rf"(rate|increase)\(\s*{counter}", expression) or "restarts" in counter, (where, counter)
        for rate in re.finditer(r"(rate|increase)\(", expression):
            assert re.search(r"(sum|max|sum by \([^)]*\)|sort_desc\(sum by \([^)]*\)) ?\($", expression[: rate.start()]), f"{where}: not aggregated"
        for name, selection in re.findall(r"((?:bedrock|faultline)_\w+)(\{[^}]*\})?", re.sub(r'"[^"]*"', lambda m: m[0], expression)):
            if name.startswith(OF_THE_DAEMON) or name == "bedrock_unpriced_models":
                continue
            wanted = ["account", "region"]
            if name.startswith("bedrock") and "delivery" not in name:
                wanted += ["model", "route"]
            for variable in wanted:
                assert f'=~"${variable}"' in selection, f"{where}: {name} ignores ${variable}"


@pytest.fixture(scope="module")
def scraped(binary, tmp_path_factory):
    """A Prometheus that has scraped the demo, which goes faster, with the recording rules."""
    from conftest import Daemon, printed_address

    directory = tmp_path_factory.mktemp("dashboards")
    with open(directory / "demo.log", "w") as log:
        process = subprocess.Popen([binary, "demo", "--listen", "127.0.0.1:0", "--speed", SPEED], stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            address = printed_address(process)
            assert address, (directory / "demo.log").read_text()
            demo = Daemon(process, address)
            with prometheus(directory, [address], sorted(RULES.glob("*.rules.yml"))) as server:
                server.demo = demo
                yield server
        finally:
            process.kill()
            process.wait(20)


def filled_in(expression, since):
    """As Grafana fills it in, with everything chosen."""
    values = {"__rate_interval": "30s", "__range": f"{max(int(time.time() - since), 10)}s", "account": ".+", "region": ".+", "model": ".+", "route": ".+"}
    for name, value in values.items():
        expression = expression.replace(f"${name}", value)
    return expression


def test_every_query_of_every_panel_has_data(scraped):
    since = time.time()
    waiting = {(place(d, p), t["refId"]): t["expr"] for d, p, t in targets()}

    def ask():
        for key, expression in list(waiting.items()):
            if scraped.query(filled_in(expression, since)):
                del waiting[key]
        return not waiting or time.time() > since + PATIENCE_SECONDS

    while not ask():
        time.sleep(1)
    assert not waiting, waiting


def test_the_variables_find_what_there_is(scraped):
    until("a scope", lambda: scraped.query("bedrock_billed_failed_invocations"), scraped.process)
    for d in DASHBOARDS:
        for variable in d["templating"]["list"][1:]:
            metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
            values = {series["metric"].get(label) for series in scraped.query(filled_in(metric, time.time()))}
            assert values and None not in values, (d["title"], variable["name"])
