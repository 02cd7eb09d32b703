"""What a newcomer sees: the demo, started as the README says."""

import subprocess

from test_ministack import samples, value


def test_the_demo_finds_prices_and_exports_billed_failures(start):
    demo = start("demo", "--listen", "127.0.0.1:0")
    demo.until("readiness", lambda: demo.get("/-/ready")[0] == 200)
    joined = lambda: [f for f in demo.json("/api/v1/findings?limit=1000")["findings"] if f["client_log"]]
    demo.until("joined findings", lambda: len(joined()) >= 5)
    for finding in joined():
        assert finding["request_id"] and finding["invocation_log"] and finding["evidence"] == "confirmed", finding
        assert finding["input_tokens"] + finding["output_tokens"] > 0 and finding["cost_usd"] > 0, finding

    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=demo.get("/metrics")[1], capture_output=True, text=True, timeout=60
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert value(samples(demo), "bedrock_billed_failed_invocations", evidence="confirmed") > 0

    printed = demo.process.stdout
    while "confirmed" not in (line := printed.readline()):
        assert line, "the demo ended without printing a finding"
    assert "$" in line and " in " in line and " out " in line, line
    status, page, kind = demo.get("/")
    assert status == 200 and kind.startswith("text/html")
    assert any(finding["request_id"] in page for finding in joined()), "the newest findings are on the page"
    assert demo.stop() == 0
