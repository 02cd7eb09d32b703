"""Rules, their tests, runbooks and documentation, held to each other and to Prometheus's own checks."""

import re
import subprocess

import pytest
import yaml

from conftest import ROOT

ALERTS = ROOT / "alerts"
RULE_FILES = sorted(ALERTS.glob("*.rules.yml"))
TEST_FILES = sorted((ALERTS / "tests").glob("*.test.yml"))
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").glob("*.md"))
RUNBOOK_SECTIONS = ["## Meaning", "## Impact", "## Diagnosis", "## Remedy"]
# Metrics of Prometheus's own.
NOT_OURS = {"up"}


def rules():
    groups = [group for file in RULE_FILES for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def alerts():
    return [rule for rule in rules() if "alert" in rule]


def names():
    return {rule["alert"] for rule in alerts()}


def run(*command, cwd=ALERTS):
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=240)
    return done.returncode, done.stdout + done.stderr


def names_of_metrics(expression):
    """The metric names of an expression: what stands where neither a label, a function nor a string can."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    return set(re.findall(r"\b((?:bedrock|faultline|scope|cell|job)[a-z_]*(?::[a-z0-9_:]+)?)\b(?!\s*\()", bare))


def known_metrics():
    documented = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "metrics.md").read_text(), re.M)
    recorded = [rule["record"] for rule in rules() if "record" in rule]
    return {*documented, *recorded, *NOT_OURS}


def queries_of(page):
    return re.findall(r"```promql\n(.*?)\n```", page.read_text(), re.S)


def test_prometheus_accepts_the_rules_without_a_complaint():
    code, text = run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)
    assert code == 0, text


@pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: file.name)
def test_each_alert_fires_and_stays_quiet_as_promtool_is_told(file):
    code, text = run("promtool", "test", "rules", file)
    assert code == 0, text


def test_every_test_evaluates_the_groups_in_the_order_of_the_files():
    groups = [g["name"] for file in ("recording", "bedrock", "faultline") for g in yaml.safe_load((ALERTS / f"{file}.rules.yml").read_text())["groups"]]
    for file in TEST_FILES:
        assert yaml.safe_load(file.read_text())["group_eval_order"] == groups, f"{file.name}: promtool takes any order else"


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_quiet():
    firing, quiet = set(), set()
    for file in TEST_FILES:
        for case in yaml.safe_load(file.read_text())["tests"]:
            for check in case["alert_rule_test"]:
                (firing if check["exp_alerts"] else quiet).add(check["alertname"])
                for expected in check["exp_alerts"]:
                    assert set(expected["exp_annotations"]) == {"summary", "description", "runbook_url"}, case["name"]
    assert firing == names() and quiet == names()


def test_every_rule_is_tested_firing_with_its_own_labels():
    """Alerts of one name with several rules: each of them, told apart by its labels, fires somewhere."""
    fired = [
        (check["alertname"], expected["exp_labels"])
        for file in TEST_FILES
        for case in yaml.safe_load(file.read_text())["tests"]
        for check in case["alert_rule_test"]
        for expected in check["exp_alerts"]
    ]
    for rule in alerts():
        own = rule["labels"].items()
        assert any(name == rule["alert"] and own <= labels.items() for name, labels in fired), rule


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    assert {page.stem for page in RUNBOOKS} == names()
    for page in RUNBOOKS:
        lines = page.read_text().splitlines()
        assert lines[0] == f"# {page.stem}"
        assert [line for line in lines if line.startswith("## ")] == RUNBOOK_SECTIONS, page.name
        assert len(queries_of(page)) >= 2, f"{page.name}: a diagnosis needs queries"


def test_every_alert_says_what_it_must():
    for rule in alerts():
        assert rule["labels"]["severity"] in ("critical", "warning", "info"), rule
        notes = rule["annotations"]
        assert set(notes) == {"summary", "description", "runbook_url"}, rule
        assert "{{" not in notes["summary"], "a summary does not change"
        assert "{{" in notes["description"], "a description says what and where"
        assert notes["runbook_url"] == f"https://faultline.example/runbooks/{rule['alert']}"


def test_rules_and_runbooks_only_name_metrics_that_exist():
    known = known_metrics()
    expressions = [(rule.get("alert", rule.get("record")), rule["expr"]) for rule in rules()]
    expressions += [(page.name, query) for page in RUNBOOKS for query in queries_of(page)]
    expressions += [
        (rule["alert"], selector)
        for rule in alerts()
        for selector in re.findall(r'printf "((?:scope|bedrock|faultline)[^"]*)"', rule["annotations"]["description"])
    ]
    for place, expression in expressions:
        unknown = {re.sub(r"_(sum|count)$", "", name) for name in names_of_metrics(expression)} - known
        assert not unknown, f"{place} names {unknown}"


def test_every_query_of_the_documentation_is_one(tmp_path):
    pages = [*RUNBOOKS, ROOT / "docs" / "alerting.md", ROOT / "docs" / "dashboards.md"]
    queries = [query for page in pages if page.exists() for query in queries_of(page)]
    file = tmp_path / "queries.yml"
    record = lambda number, query: {"record": f"query:of:documentation{number}", "expr": query}
    file.write_text(yaml.safe_dump({"groups": [{"name": "q", "rules": [record(n, q) for n, q in enumerate(queries)]}]}))
    code, text = run("promtool", "check", "rules", file)
    assert code == 0 and len(queries) > 50, text


def test_the_table_of_thresholds_and_the_rules_say_the_same():
    rows = re.findall(r"^\| (\w+) \| [^|]+ \| `((?:[^`])+)`[^|]* \|", (ROOT / "docs" / "alerting.md").read_text().replace(r"\|", "¦"), re.M)
    expressions = {}
    for rule in alerts():
        expressions.setdefault(rule["alert"], []).append(" ".join(rule["expr"].split()))
    for name, threshold in rows:
        threshold = threshold.replace("¦", "|")
        assert any(threshold in expression for expression in expressions[name]), f"{name}: no rule says {threshold}"
    assert {name for name, _ in rows} == names()
    # Every comparison with a number has its row.
    for name, of_name in expressions.items():
        said = " ; ".join(threshold for row, threshold in rows if row == name).replace("¦", "|")
        for expression in of_name:
            bare = re.sub(r"count\(faultline_build_info offset \w+\) > 0|max_over_time\(faultline_source_up\{[^)]*\)\) >= 0", "", expression)
            for number in re.findall(r"(?:>=?|<=?|==) ([\d.]+(?: \* 0\.001)?)", bare):
                explained = number in said or number in ("0", "1", "10")
                assert explained, f"{name}: {number} is not in docs/alerting.md"


def test_a_range_is_at_least_three_scrapes_of_a_minute_and_gauges_are_read_over_a_range():
    for rule in rules():
        for amount, unit in re.findall(r"\[(\d+)([smhd])", rule["expr"]):
            assert int(amount) * {"s": 1 / 60, "m": 1, "h": 60, "d": 1440}[unit] >= 3, rule


def test_alertmanager_accepts_its_example_and_routes_by_severity():
    config = ALERTS / "alertmanager.example.yml"
    code, text = run("amtool", "check-config", config)
    assert code == 0, text
    for severity, receiver in (("critical", "pager"), ("warning", "chat"), ("info", "digest")):
        for name in names():
            code, text = run(
                "amtool", "config", "routes", "test", f"--config.file={config}", f"--verify.receivers={receiver}",
                f"alertname={name}", f"severity={severity}",
            ) if name in ("BedrockBilledFailures", "FaultlineDown") else (0, "")
            assert code == 0, text


def test_inhibitions_name_alerts_and_roles_that_exist():
    config = yaml.safe_load((ALERTS / "alertmanager.example.yml").read_text())
    roles = {rule["labels"].get("role") for rule in alerts()}
    assert roles == {"cause", "symptom", None}
    scoped = {"account_id", "aws_region", "model_id", "route"}
    for inhibition in config["inhibit_rules"]:
        for matcher in inhibition["source_matchers"] + inhibition["target_matchers"]:
            label, _, value = re.match(r'(\w+)(!?=~?)"(.*)"', matcher).groups()
            if label == "alertname":
                assert any(re.fullmatch(value, name) for name in names()), matcher
            if label == "role":
                assert value in roles, matcher
                assert scoped <= set(inhibition["equal"]), "a cause of one model says nothing of another"
