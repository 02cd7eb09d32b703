"""Writes dashboards/*.json: `python3 scripts/dashboards`, or `--check` to see whether they are current."""

import json
import pathlib
import sys

from failures import FAILURES_DASHBOARD
from health import HEALTH
from money import MONEY
from overview import OVERVIEW

OUT = pathlib.Path(__file__).resolve().parents[2] / "dashboards"


def main(check):
    stale = []
    for dashboard in (OVERVIEW, FAILURES_DASHBOARD, MONEY, HEALTH):
        file = OUT / f"{dashboard['uid']}.json"
        text = json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"
        if check and (not file.exists() or file.read_text() != text):
            stale.append(file.name)
        if not check:
            file.write_text(text)
    if stale:
        sys.exit(f"not current: {', '.join(stale)}: run python3 scripts/dashboards")


if __name__ == "__main__":
    main("--check" in sys.argv[1:])
